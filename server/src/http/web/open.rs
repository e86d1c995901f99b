use super::super::{AppState, problem::RequestId};
use super::error::WebError;
use super::layout::help;
use super::{PageResult, show, show_as};
use crate::crypto::one_time_link;
use crate::crypto::seal::Secret;
use crate::http::web::pages::{LinkState, OneTimeLinkPage};
use crate::store::{ConsumeOneTimeLink, FindOneTimeLink, FindSeat, ListAccounts, OneTimeLink};
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Says that a token waits behind the link. Programs that look at links in e-mails get this far,
/// and use nothing up.
pub(super) async fn look(State(state): State<Arc<AppState>>, Path(text): Path<String>) -> PageResult {
    let Some(secret) = Secret::parse(&text) else { return gone(&state) };
    match state.store.run(FindOneTimeLink(one_time_link::id(&secret))).await? {
        Some(found) => {
            let ready =
                LinkState::Ready { account: account(&state, &found).await?, until: found.expires_at.into() };
            show(&OneTimeLinkPage { help: help(&state), state: ready })
        }
        None => gone(&state),
    }
}

/// Shows the token, to the first one who wants to see it.
pub(super) async fn take(
    State(state): State<Arc<AppState>>,
    id: RequestId,
    Path(text): Path<String>,
) -> PageResult {
    let Some(secret) = Secret::parse(&text) else { return gone(&state) };
    let Some(share) = state.store.run(ConsumeOneTimeLink(one_time_link::id(&secret))).await? else {
        return gone(&state);
    };
    tracing::info!(request = %id, seat = %share.seat, "a one-time link was opened");
    let token = one_time_link::open_token(&secret, &share.sealed, share.seat, share.expires_at);
    let token = token.map_err(WebError::failed)?;
    let token = Zeroizing::new(token.expose_secret().to_owned());
    let shown = LinkState::Shown { account: account(&state, &share).await?, token };
    show(&OneTimeLinkPage { help: help(&state), state: shown })
}

fn gone(state: &AppState) -> PageResult {
    show_as(StatusCode::GONE, &OneTimeLinkPage { help: help(state), state: LinkState::Gone })
}

/// The name of the account that shares. Nobody is signed in here, so there is no desk to ask.
async fn account(state: &AppState, share: &OneTimeLink) -> Result<String, WebError> {
    let (_, license) = state.store.run(FindSeat(share.seat)).await?.ok_or(WebError::NotFound)?;
    let accounts = state.store.run(ListAccounts).await?;
    let found = accounts.into_iter().find(|account| account.id == license.account);
    Ok(found.map(|account| account.name).unwrap_or_default())
}
