use super::super::{AppState, visitor};
use super::Trouble;
use super::dress::help;
use crate::desk::Desk;
use crate::page::{Notice, Shell, Tone};
use crate::rules::Role;
use crate::store::{SignedIn, Store};
use axum::{
    extract::FromRequestParts,
    http::{Method, Uri, request::Parts},
};
use seatlock_protocol::UnixTime;
use std::sync::Arc;
use uuid::Uuid;

/// Somebody who is signed in looks at a page.
pub(super) struct Visit<S> {
    pub(super) state: Arc<AppState<S>>,
    /// With an owner's authority: the pages are about one account, an admin's own too.
    pub(super) who: SignedIn,
    pub(super) is_admin: bool,
}

impl<S: Store> FromRequestParts<Arc<AppState<S>>> for Visit<S> {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AppState<S>>) -> Result<Self, Trouble> {
        match visitor::by_session(state, &parts.headers).await? {
            Some(mut who) => {
                let is_admin = who.user.role == Role::Admin;
                who.user.role = Role::Owner;
                Ok(Self { state: state.clone(), who, is_admin })
            }
            None => Err(Trouble::SignedOut(after_sign_in(&parts.method, &parts.uri))),
        }
    }
}

impl<S: Store> Visit<S> {
    pub(super) fn desk(&self) -> Desk<'_, S> {
        Desk::new(&self.state.store, &self.state.pepper, &self.who)
    }

    /// Whose things are shown.
    pub(super) fn account(&self) -> Option<Uuid> {
        Some(self.who.account.id)
    }

    /// The clock by which everything is decided.
    pub(super) async fn now(&self) -> Result<UnixTime, Trouble> {
        Ok(self.state.store.ready().await?)
    }

    pub(super) fn shell(&self) -> Shell {
        Shell {
            account: self.who.account.name.clone(),
            user: self.who.user.email.clone(),
            admin: self.is_admin,
            notice: None,
            help: help(&self.state),
        }
    }

    /// With a sentence on what was just done.
    pub(super) fn shell_after(&self, done: Option<(Tone, &str)>) -> Shell {
        let notice = done.map(|(tone, text)| Notice { tone, text: text.to_owned() });
        Shell { notice, ..self.shell() }
    }
}

/// Where somebody goes on who had to sign in first: the same page, or the one whose form was sent.
fn after_sign_in(method: &Method, uri: &Uri) -> String {
    let path = uri.path();
    if method.is_safe() {
        return uri.path_and_query().map_or_else(String::new, ToString::to_string);
    }
    for part in ["/share", "/answer", "/password", "/sign-out-everywhere"] {
        if let Some(page) = path.strip_suffix(part) {
            return page.to_owned();
        }
    }
    if path == "/sign-out" { String::new() } else { path.to_owned() }
}
