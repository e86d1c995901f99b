use super::super::{AppState, auth};
use super::flash::{self, FlashMessage};
use super::layout::help;
use super::pages::{Notice, Shell};
use super::{PageResult, WebError};
use crate::domain::Role;
use crate::service::Service;
use crate::service::SignedIn;
use axum::{
    extract::FromRequestParts,
    http::{Method, Uri, request::Parts},
};
use seatlock_protocol::UnixTime;
use std::sync::Arc;
use uuid::Uuid;

/// Somebody who is signed in looks at a page.
pub(super) struct PageContext {
    pub(super) state: Arc<AppState>,
    /// With an owner's authority: the pages are about one account, an admin's own too.
    pub(super) who: SignedIn,
    pub(super) is_admin: bool,
    /// What was done on the page before.
    done: Option<FlashMessage>,
}

impl FromRequestParts<Arc<AppState>> for PageContext {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AppState>) -> Result<Self, WebError> {
        match auth::by_session(state, &parts.headers).await? {
            Some(mut who) => {
                let is_admin = who.user.role == Role::Admin;
                who.user.role = Role::Owner;
                let done = flash::said(state, &parts.headers, who.session, parts.uri.path()).await?;
                Ok(Self { state: state.clone(), who, is_admin, done })
            }
            None => Err(WebError::SignedOut(after_sign_in(&parts.method, &parts.uri))),
        }
    }
}

impl PageContext {
    pub(super) fn service(&self) -> Service<'_> {
        self.state.services.of(&self.who)
    }

    pub(super) fn service_of<'a>(&'a self, who: &'a SignedIn) -> Service<'a> {
        self.state.services.of(who)
    }

    /// The user's own authority, for what belongs to nobody's account but to the user.
    pub(super) fn own(&self) -> SignedIn {
        let mut own = self.who.clone();
        own.user.role = if self.is_admin { Role::Admin } else { Role::Owner };
        own
    }

    /// On to `path`, which says what was done.
    pub(super) async fn go_and_say(&self, path: &str, done: FlashMessage) -> PageResult {
        flash::go_and_say(&self.state, self.who.session, path, done).await
    }

    /// What the page has to say of the one before.
    pub(super) fn done(&self) -> Option<FlashMessage> {
        self.done.clone()
    }

    /// The page, which says this once what was done.
    pub(super) fn once(&self, shown: PageResult) -> PageResult {
        flash::once(self.done.is_some(), shown)
    }

    /// Whose things are shown.
    pub(super) fn account(&self) -> Option<Uuid> {
        Some(self.who.account.id)
    }

    /// The clock by which everything is decided.
    pub(super) async fn now(&self) -> Result<UnixTime, WebError> {
        Ok(self.state.services.now().await?)
    }

    pub(super) fn shell(&self) -> Shell {
        Shell {
            account: self.who.account.name.clone(),
            user: self.who.user.email.clone(),
            admin: self.is_admin,
            notice: self
                .done
                .as_ref()
                .and_then(FlashMessage::words)
                .map(|(tone, text)| Notice::new(tone, text)),
            help: help(&self.state),
        }
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
