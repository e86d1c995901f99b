use super::WebError;
use axum::{
    extract::{Form, FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// What somebody filled in.
pub(super) struct FormData<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for FormData<T> {
    type Rejection = WebError;

    async fn from_request(request: Request, state: &S) -> Result<Self, WebError> {
        match Form::from_request(request, state).await {
            Ok(Form(filled)) => Ok(Self(filled)),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(WebError::TooLarge),
            // Its words could repeat a secret of the form.
            Err(_) => Err(WebError::Unreadable),
        }
    }
}

/// What stands behind the question mark of an address.
pub(super) struct PageQuery<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for PageQuery<T> {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        let asked = Query::from_request_parts(parts, state).await;
        asked.map(|Query(asked)| Self(asked)).map_err(|_| WebError::NotFound)
    }
}

/// The id in an address.
pub(super) struct PagePathId(pub(super) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for PagePathId {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        let named = Path::<Uuid>::from_request_parts(parts, state).await;
        named.map(|Path(id)| Self(id)).map_err(|_| WebError::NotFound)
    }
}

/// A key for a form, so that sending it twice does what it says once.
pub(super) fn form_key() -> String {
    Uuid::new_v4().to_string()
}
