use super::context::PageContext;
use super::error::NextStep;
use super::error::{WebError, sentence};
use super::flash::FlashMessage;
use super::form::{FormData, PagePathId, PageQuery, form_key};
use super::pages::{Moment, Shell, ShortId};
use super::{PageResult, go, show, show_as};
use crate::domain::API_TOKENS;
use crate::service::{ApiToken, StoreError};
use crate::service::{IdempotencyKey, ServiceError};
use askama::Template;
use axum::http::StatusCode;
use serde::Deserialize;
use zeroize::Zeroizing;

/// `/tokens`.
#[derive(Debug, Clone, Template)]
#[template(path = "tokens.html")]
pub struct TokensPage {
    pub shell: Shell,
    /// The user's tokens, newest first.
    pub tokens: Vec<ApiTokenRow>,
    /// How many a user may have.
    pub limit: u32,
    /// Why the account gets none.
    pub barred: Option<String>,
    /// Address of the server, for the example.
    pub server: String,
    /// What was typed before.
    pub name: String,
    /// Why no token was made.
    pub error: Option<String>,
    /// Random, so that a form that is sent twice makes one token.
    pub form_key: String,
}

/// An API token in the list.
#[derive(Debug, Clone)]
pub struct ApiTokenRow {
    /// Names it in addresses.
    pub id: ShortId,
    pub name: String,
    /// When it was made.
    pub created_at: Moment,
    /// When it was used last.
    pub last_used_at: Option<Moment>,
}

impl TokensPage {
    /// How many more the user may make.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.limit.saturating_sub(u32::try_from(self.tokens.len()).unwrap_or(u32::MAX))
    }
}

/// The page after a token was made: the token, this once.
#[derive(Clone, Template)]
#[template(path = "token_created.html")]
pub struct TokenCreatedPage {
    pub shell: Shell,
    pub name: String,
    pub token: Zeroizing<String>,
    /// Address of the server, for the example.
    pub server: String,
}

/// `/tokens/{id}/delete`: asks before a token is deleted.
#[derive(Debug, Clone, Template)]
#[template(path = "confirm_delete_token.html")]
pub struct ConfirmDeleteToken {
    pub shell: Shell,
    pub token: ApiTokenRow,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct NewTokenForm {
    form_key: String,
    name: String,
}

/// The form that made a token.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct TokenPageQuery {
    key: String,
}

pub(super) async fn list(context: PageContext, PageQuery(form): PageQuery<NewTokenForm>) -> PageResult {
    context.once(show(&page(&context, &form.name).await?))
}

pub(super) async fn make(
    context: Result<PageContext, WebError>,
    FormData(form): FormData<NewTokenForm>,
) -> PageResult {
    let context = context.map_err(|trouble| match trouble {
        WebError::SignedOut(_) => {
            let name: String = form_urlencoded::byte_serialize(form.name.as_bytes()).collect();
            WebError::SignedOut(format!("/tokens?name={name}"))
        }
        other => other,
    })?;
    let idempotency_key = IdempotencyKey { key: &form.form_key, request: form.name.as_bytes() };
    let own = context.own();
    let error = match context.service_of(&own).create_api_token(&form.name, Some(idempotency_key)).await {
        Ok(issued) => {
            let key: String = form_urlencoded::byte_serialize(form.form_key.as_bytes()).collect();
            return Ok(go(&format!("/tokens/{}/token?key={key}", issued.api_token.id)));
        }
        Err(ServiceError::Invalid { field: "name", reason }) => sentence(&reason),
        Err(ServiceError::Store(error @ (StoreError::ApiTokenLimit | StoreError::Taken(_)))) => sentence(&error),
        Err(refused @ ServiceError::Verdict(_)) => sentence(&refused),
        Err(ServiceError::Store(StoreError::KeyReused)) => {
            "This form was sent before with another name, and that token was created. Send it again to create another one."
                .to_owned()
        }
        Err(other) => return Err(other.into()),
    };
    let error = Some(format!("No token was created. {error}"));
    show_as(StatusCode::CONFLICT, &TokensPage { error, ..page(&context, &form.name).await? })
}

/// The token of a form that was just sent. Neither Back nor Reload sends the form again.
pub(super) async fn token(
    context: PageContext,
    PagePathId(id): PagePathId,
    PageQuery(made): PageQuery<TokenPageQuery>,
) -> PageResult {
    let Some(issued) = context.service().issued_api_token(id, &made.key).await? else {
        return Err(WebError::TokenForgotten(NextStep::new("/tokens", "API tokens")));
    };
    show(&TokenCreatedPage {
        shell: context.shell(),
        name: issued.api_token.name,
        token: Zeroizing::new(issued.token.expose_secret().to_owned()),
        server: context.state.settings.public_url.clone(),
    })
}

pub(super) async fn ask_delete(context: PageContext, PagePathId(id): PagePathId) -> PageResult {
    let tokens = context.service().api_tokens().await?;
    let token = tokens.into_iter().find(|token| token.id == id).ok_or(WebError::NotFound)?;
    show(&ConfirmDeleteToken { shell: context.shell(), token: row(token) })
}

pub(super) async fn delete(context: PageContext, PagePathId(id): PagePathId) -> PageResult {
    context.service().delete_api_token(id).await?;
    context.go_and_say("/tokens", FlashMessage::ApiTokenDeleted).await
}

async fn page(context: &PageContext, name: &str) -> Result<TokensPage, WebError> {
    Ok(TokensPage {
        shell: context.shell(),
        tokens: context.service().api_tokens().await?.into_iter().rev().map(row).collect(),
        limit: API_TOKENS,
        barred: context
            .service_of(&context.own())
            .no_api_tokens()
            .await?
            .map(|why| sentence(&ServiceError::Verdict(why))),
        server: context.state.settings.public_url.clone(),
        name: name.to_owned(),
        error: None,
        form_key: form_key(),
    })
}

fn row(token: ApiToken) -> ApiTokenRow {
    ApiTokenRow {
        id: ShortId(token.id),
        name: token.name,
        created_at: token.created_at.into(),
        last_used_at: token.last_used_at.map(Moment::from),
    }
}
