use super::form::{Asked, Filled, Named, form_key};
use super::trouble::{Trouble, sentence};
use super::visit::Visit;
use super::{Shown, go, show, show_as};
use crate::desk::{Again, Refused};
use crate::page::{
    ApiTokenRow, ConfirmDeleteToken, Id, Moment, Notice, Shell, TokenCreatedPage, TokensPage, Tone,
};
use crate::rules::API_TOKENS;
use crate::store::{ApiToken, Store, StoreError};
use axum::http::StatusCode;
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct NewToken {
    form_key: String,
    name: String,
    done: Option<String>,
}

pub(super) async fn list<S: Store>(visit: Visit<S>, Asked(form): Asked<NewToken>) -> Shown {
    let page = page(&visit, &form.name).await?;
    let text = "The API token was deleted. It works no longer.".to_owned();
    let notice = form.done.filter(|done| done == "deleted").map(|_| Notice { tone: Tone::Good, text });
    let shell = Shell { notice, ..visit.shell() };
    show(&TokensPage { shell, ..page })
}

pub(super) async fn make<S: Store>(
    visit: Result<Visit<S>, Trouble>,
    Filled(form): Filled<NewToken>,
) -> Shown {
    let visit = visit.map_err(|trouble| match trouble {
        Trouble::SignedOut(_) => {
            let name: String = form_urlencoded::byte_serialize(form.name.as_bytes()).collect();
            Trouble::SignedOut(format!("/tokens?name={name}"))
        }
        other => other,
    })?;
    let again = Again { key: &form.form_key, request: form.name.as_bytes() };
    let error = match visit.desk().create_api_token(&form.name, Some(again)).await {
        Ok(issued) => {
            return show_as(
                StatusCode::CREATED,
                &TokenCreatedPage {
                    shell: visit.shell(),
                    name: issued.api_token.name,
                    token: Zeroizing::new(issued.token.expose_secret().to_owned()),
                    server: visit.state.settings.public_url.clone(),
                },
            );
        }
        Err(Refused::Invalid { field: "name", reason }) => sentence(&reason),
        Err(Refused::Store(error @ (StoreError::ApiTokenLimit | StoreError::Taken(_)))) => sentence(&error),
        Err(Refused::Store(StoreError::KeyReused)) => {
            "This form was sent before with another name, and that token was made. Send it again to make another one."
                .to_owned()
        }
        Err(other) => return Err(other.into()),
    };
    let error = Some(format!("No token was made. {error}"));
    show_as(StatusCode::CONFLICT, &TokensPage { error, ..page(&visit, &form.name).await? })
}

pub(super) async fn ask_delete<S: Store>(visit: Visit<S>, Named(id): Named) -> Shown {
    let tokens = visit.desk().api_tokens().await?;
    let token = tokens.into_iter().find(|token| token.id == id).ok_or(Trouble::NotFound)?;
    show(&ConfirmDeleteToken { shell: visit.shell(), token: row(token) })
}

pub(super) async fn delete<S: Store>(visit: Visit<S>, Named(id): Named) -> Shown {
    visit.desk().delete_api_token(id).await?;
    Ok(go("/tokens?done=deleted"))
}

async fn page<S: Store>(visit: &Visit<S>, name: &str) -> Result<TokensPage, Trouble> {
    Ok(TokensPage {
        shell: visit.shell(),
        tokens: visit.desk().api_tokens().await?.into_iter().rev().map(row).collect(),
        limit: API_TOKENS,
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
