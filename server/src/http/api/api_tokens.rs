use super::extract::{IdempotencyKeyHeader, JsonBody, PathId, Principal};
use super::responses::{BadRequest, Clash, Guarded, NoSuch, NotJson, Reused, TooLarge};
use super::{ApiResult, Endpoints, made, shown};
use crate::http::AppState;
use crate::http::api::schema::{ApiTokenJson, IssuedApiTokenJson, List, MeJson, NewApiTokenRequest};
use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use std::sync::Arc;

pub(super) fn add(to: Endpoints) -> Endpoints {
    to.add(__path_get_me, get_me)
        .add(__path_list_api_tokens, list_api_tokens)
        .add(__path_create_api_token, create_api_token)
        .add(__path_delete_api_token, delete_api_token)
}

/// Show who asks
#[utoipa::path(
    get, path = "/me",
    responses((status = 200, description = "User and account.", body = MeJson), Guarded)
)]
async fn get_me(_: State<Arc<AppState>>, who: Principal) -> ApiResult {
    shown(&MeJson::from(&who.who))
}

/// List the own API tokens
///
/// Without their secrets, the oldest first.
#[utoipa::path(
    get, path = "/api-tokens",
    responses((status = 200, description = "API tokens.", body = List<ApiTokenJson>), Guarded)
)]
async fn list_api_tokens(State(state): State<Arc<AppState>>, who: Principal) -> ApiResult {
    let tokens = who.service(&state).api_tokens().await?;
    shown(&List::whole(tokens.iter().map(ApiTokenJson::from).collect()))
}

/// Make an API token
///
/// At most three per user. The answer holds the token, this once. Send an `Idempotency-Key`, and a
/// lost answer can be had again within 24 hours.
#[utoipa::path(
    post, path = "/api-tokens", request_body = NewApiTokenRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Random, 1 to 255 visible ASCII characters.",
        min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses(
        (status = 201, description = "The API token.", body = IssuedApiTokenJson,
            headers(("Location" = String, description = "Address of the API token, for its deletion."))),
        BadRequest, NoSuch, Clash, TooLarge, NotJson, Reused, Guarded
    )
)]
async fn create_api_token(
    State(state): State<Arc<AppState>>,
    who: Principal,
    key: IdempotencyKeyHeader,
    JsonBody(request): JsonBody<NewApiTokenRequest>,
) -> ApiResult {
    let repeatable = key.of(&request)?;
    let (service, idempotency_key) = (who.service(&state), repeatable.idempotency_key());
    let issued = match request.user {
        Some(user) => service.create_api_token_for(user, &request.name, idempotency_key).await?,
        None => service.create_api_token(&request.name, idempotency_key).await?,
    };
    let api_token = ApiTokenJson::from(&issued.api_token);
    let place = format!("/api-tokens/{}", api_token.id);
    made(&place, &IssuedApiTokenJson { api_token, token: issued.token.into() })
}

/// Delete one of the own API tokens
///
/// It stops working at once.
#[utoipa::path(
    delete, path = "/api-tokens/{id}",
    params(("id" = Uuid, Path, description = "The API token.")),
    responses((status = 204, description = "It is gone."), NoSuch, NotJson, Guarded)
)]
async fn delete_api_token(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
) -> ApiResult {
    who.service(&state).delete_api_token(id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
