use super::super::{AppState, problem::RequestId};
use super::layout::help;
use super::pages::{Help, Moment};
use super::{PageResult, show, show_as};
use crate::crypto::seal::Secret;
use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use std::sync::Arc;
use zeroize::Zeroizing;

/// `/open/{secret}`: for the person who was sent a one-time link. Nobody is signed in here.
#[derive(Clone, Template)]
#[template(path = "one_time_link.html")]
pub struct OneTimeLinkPage {
    /// Where to read more, and whom to ask.
    pub help: Help,
    /// What the link still does.
    pub state: LinkState,
}

/// What a one-time link still does.
#[derive(Clone)]
pub enum LinkState {
    /// It will show a token. Asking for the page does not use it up; its form does.
    Ready {
        /// The account that it comes from.
        account: String,
        until: Moment,
    },
    /// It shows the token now.
    Shown {
        /// The account that it comes from.
        account: String,
        token: Zeroizing<String>,
    },
    /// It was used, has ended, or never was. Nobody is told which.
    Gone,
}

/// Says that a token waits behind the link. Programs that look at links in e-mails get this far,
/// and use nothing up.
pub(super) async fn look(State(state): State<Arc<AppState>>, Path(text): Path<String>) -> PageResult {
    let Some(secret) = Secret::parse(&text) else { return gone(&state) };
    match state.services.shared_token(&secret).await? {
        Some(shared) => {
            let ready = LinkState::Ready { account: shared.account, until: shared.until.into() };
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
    let Some(opened) = state.services.open_link(&secret).await? else { return gone(&state) };
    tracing::info!(request = %id, seat = %opened.seat, "a one-time link was opened");
    let token = Zeroizing::new(opened.token.expose_secret().to_owned());
    let shown = LinkState::Shown { account: opened.account, token };
    show(&OneTimeLinkPage { help: help(&state), state: shown })
}

fn gone(state: &AppState) -> PageResult {
    show_as(StatusCode::GONE, &OneTimeLinkPage { help: help(state), state: LinkState::Gone })
}
