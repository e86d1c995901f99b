use super::error::{Trouble, sentence};
use super::flash::Done;
use super::form::{Asked, Filled, Named, form_key};
use super::visit::Visit;
use super::{Shown, go, show, show_as};
use crate::domain::API_TOKENS;
use crate::http::web::pages::{
    ApiTokenRow, ConfirmDeleteToken, Id, Moment, Step, TokenCreatedPage, TokensPage,
};
use crate::service::{Again, Refused};
use crate::store::{ApiToken, StoreError};
use axum::http::StatusCode;
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct NewToken {
    form_key: String,
    name: String,
}

/// The form that made a token.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Made {
    key: String,
}

pub(super) async fn list(visit: Visit, Asked(form): Asked<NewToken>) -> Shown {
    visit.once(show(&page(&visit, &form.name).await?))
}

pub(super) async fn make(visit: Result<Visit, Trouble>, Filled(form): Filled<NewToken>) -> Shown {
    let visit = visit.map_err(|trouble| match trouble {
        Trouble::SignedOut(_) => {
            let name: String = form_urlencoded::byte_serialize(form.name.as_bytes()).collect();
            Trouble::SignedOut(format!("/tokens?name={name}"))
        }
        other => other,
    })?;
    let again = Again { key: &form.form_key, request: form.name.as_bytes() };
    let own = visit.own();
    let error = match visit.desk_of(&own).create_api_token(&form.name, Some(again)).await {
        Ok(issued) => {
            let key: String = form_urlencoded::byte_serialize(form.form_key.as_bytes()).collect();
            return Ok(go(&format!("/tokens/{}/token?key={key}", issued.api_token.id)));
        }
        Err(Refused::Invalid { field: "name", reason }) => sentence(&reason),
        Err(Refused::Store(error @ (StoreError::ApiTokenLimit | StoreError::Taken(_)))) => sentence(&error),
        Err(refused @ Refused::Verdict(_)) => sentence(&refused),
        Err(Refused::Store(StoreError::KeyReused)) => {
            "This form was sent before with another name, and that token was created. Send it again to create another one."
                .to_owned()
        }
        Err(other) => return Err(other.into()),
    };
    let error = Some(format!("No token was created. {error}"));
    show_as(StatusCode::CONFLICT, &TokensPage { error, ..page(&visit, &form.name).await? })
}

/// The token of a form that was just sent. Neither Back nor Reload sends the form again.
pub(super) async fn token(visit: Visit, Named(id): Named, Asked(made): Asked<Made>) -> Shown {
    let Some(issued) = visit.desk().issued_api_token(id, &made.key).await? else {
        return Err(Trouble::TokenForgotten(Step::new("/tokens", "API tokens")));
    };
    show(&TokenCreatedPage {
        shell: visit.shell(),
        name: issued.api_token.name,
        token: Zeroizing::new(issued.token.expose_secret().to_owned()),
        server: visit.state.settings.public_url.clone(),
    })
}

pub(super) async fn ask_delete(visit: Visit, Named(id): Named) -> Shown {
    let tokens = visit.desk().api_tokens().await?;
    let token = tokens.into_iter().find(|token| token.id == id).ok_or(Trouble::NotFound)?;
    show(&ConfirmDeleteToken { shell: visit.shell(), token: row(token) })
}

pub(super) async fn delete(visit: Visit, Named(id): Named) -> Shown {
    visit.desk().delete_api_token(id).await?;
    visit.go_and_say("/tokens", Done::ApiTokenDeleted).await
}

async fn page(visit: &Visit, name: &str) -> Result<TokensPage, Trouble> {
    Ok(TokensPage {
        shell: visit.shell(),
        tokens: visit.desk().api_tokens().await?.into_iter().rev().map(row).collect(),
        limit: API_TOKENS,
        barred: visit
            .desk_of(&visit.own())
            .no_api_tokens()
            .await?
            .map(|why| sentence(&Refused::Verdict(why))),
        server: visit.state.settings.public_url.clone(),
        name: name.to_owned(),
        error: None,
        form_key: form_key(),
    })
}

fn row(token: ApiToken) -> ApiTokenRow {
    ApiTokenRow {
        id: Id(token.id),
        name: token.name,
        created_at: token.created_at.into(),
        last_used_at: token.last_used_at.map(Moment::from),
    }
}
