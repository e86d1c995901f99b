use super::go;
use super::pages::{Help, Moment, Tone};
use crate::crypto::password::PasswordError;
use crate::service::ServiceError;
use crate::service::key_ring::RingError;
use crate::service::{StoreError, Unavailable};
use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::fmt;
use uuid::Uuid;

/// One page that says what happened and what to do next.
#[derive(Debug, Clone, Template)]
#[template(path = "message.html")]
pub struct MessagePage {
    /// Where to read more, and whom to ask.
    pub help: Help,
    /// How it is coloured.
    pub tone: Tone,
    /// What happened, in a few words.
    pub title: String,
    /// What happened, to whom, and what was left as it was.
    pub text: String,
    /// Until when to wait.
    pub wait_until: Option<Moment>,
    /// What to do next.
    pub next: Vec<NextStep>,
    /// Id of the request, to be quoted to support.
    pub request: Option<String>,
}

/// Something to do next.
#[derive(Debug, Clone)]
pub struct NextStep {
    /// Where it is done.
    pub path: String,
    pub label: String,
}

impl MessagePage {
    /// A page with one step: back to the list of seats.
    #[must_use]
    pub fn new(help: Help, tone: Tone, title: &str, text: &str) -> Self {
        let (title, text) = (title.to_owned(), text.to_owned());
        let next = vec![NextStep::new("/seats", "Go to the seats")];
        Self { help, tone, title, text, wait_until: None, next, request: None }
    }

    /// There is no such page, seat or token, or it belongs to somebody else.
    #[must_use]
    pub fn not_found(help: Help) -> Self {
        let text = "The address may be mistyped, or what it led to is gone or belongs to another account.";
        Self::new(help, Tone::Calm, "There is nothing here", text)
    }

    /// A form came from another website.
    #[must_use]
    pub fn cross_site(help: Help) -> Self {
        let text = "This form was sent from another website, so nothing was done. If you meant to do it, open the page \
                    here and send the form again.";
        Self::new(help, Tone::Danger, "The request was refused", text)
    }

    /// The user may not do this.
    #[must_use]
    pub fn forbidden(help: Help) -> Self {
        let text = "Your account does not allow this, so nothing was done. Ask the administrator of this licensing server.";
        Self::new(help, Tone::Warning, "You are not allowed to do this", text)
    }

    /// Too many tries to sign in.
    #[must_use]
    pub fn too_many_tries(help: Help, until: Moment) -> Self {
        let text = "There were too many failed tries to sign in, so this address has to wait. Nothing was changed, and \
                    everybody who is signed in stays signed in.";
        let mut page = Self::new(help, Tone::Warning, "Too many tries", text);
        page.wait_until = Some(until);
        page.next = vec![NextStep::new("/sign-in", "Back to sign-in")];
        page
    }

    /// A form was sent a second time.
    #[must_use]
    pub fn already_done(help: Help) -> Self {
        let text = "This form was sent before, so nothing was done a second time. A token is shown only once: if it was \
                    lost, refresh its seat to make a new one.";
        Self::new(help, Tone::Calm, "This was done already", text)
    }

    #[must_use]
    pub fn server_error(help: Help, request: &str) -> Self {
        let text = "The licensing server has a problem. Nothing was changed. Try again in a few minutes; if it stays, \
                    ask for help and quote the number below.";
        let mut page = Self::new(help, Tone::Danger, "Something went wrong", text);
        page.request = Some(request.to_owned());
        page
    }
}

impl NextStep {
    /// What is done where.
    #[must_use]
    pub fn new(path: &str, label: &str) -> Self {
        Self { path: path.to_owned(), label: label.to_owned() }
    }
}

/// Why a page is not shown. It becomes a page of its own where the request's id is known.
#[derive(Debug, Clone)]
pub(super) enum WebError {
    /// Nobody is signed in. Whoever signs in goes on to this path.
    SignedOut(String),
    /// There is no such thing, or it is somebody else's.
    NotFound,
    /// The page knows no such method.
    WrongMethod,
    /// The form came from another website.
    CrossSite,
    /// It is not for him.
    Forbidden,
    /// It was done before.
    AlreadyDone,
    /// A token that is no longer its seat's. It is told of the seat.
    TokenReplaced(Uuid),
    /// A token that can be shown no more. What led to it is told there.
    TokenForgotten(NextStep),
    /// The form is larger than any that somebody fills in.
    TooLarge,
    /// The form is not one of ours.
    Unreadable,
    /// Refused, for a reason that is one sentence.
    Told(String),
    /// The server can do nothing at the moment: a sentence, and what the log is told.
    Unavailable { text: &'static str, cause: String },
    /// The server failed. What it says is for the log.
    Failed(String),
}

impl WebError {
    pub(super) fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut(_) => StatusCode::SEE_OTHER,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::CrossSite | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::AlreadyDone | Self::Told(_) => StatusCode::CONFLICT,
            Self::TokenReplaced(_) | Self::TokenForgotten(_) => StatusCode::GONE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The page about it.
    pub(super) fn page(&self, help: Help, request: &str, again: Option<&str>) -> MessagePage {
        let mut page = self.words(help, request);
        if let (Self::Unavailable { .. } | Self::Failed(_), Some(path)) = (self, again) {
            page.next.insert(0, NextStep::new(path, "Try again"));
        }
        page
    }

    fn words(&self, help: Help, request: &str) -> MessagePage {
        let told = |tone, title: &str, text: &str| MessagePage::new(help.clone(), tone, title, text);
        match self {
            Self::SignedOut(_) => {
                let mut page = told(Tone::Calm, "Sign in first", "Nobody is signed in. Nothing was changed.");
                page.next = vec![NextStep::new("/sign-in", "Sign in")];
                page
            }
            Self::NotFound => MessagePage::not_found(help),
            Self::WrongMethod => told(
                Tone::Calm,
                "There is no such page",
                "This address only takes a form. Nothing was changed.",
            ),
            Self::CrossSite => MessagePage::cross_site(help),
            Self::Forbidden => MessagePage::forbidden(help),
            Self::AlreadyDone => MessagePage::already_done(help),
            Self::TokenReplaced(seat) => {
                let mut page = told(
                    Tone::Calm,
                    "This token no longer works",
                    "The token that was shown here was replaced, or its seat was revoked.",
                );
                page.next = vec![NextStep::new(&format!("/seats/{seat}"), "Show the seat")];
                page
            }
            Self::TokenForgotten(step) => {
                let mut page = told(
                    Tone::Calm,
                    "This token cannot be shown again",
                    "A token is shown for one day, and only to whoever created it. If it was lost, replace it by a new \
                     one.",
                );
                page.next = vec![step.clone()];
                page
            }
            Self::TooLarge => told(
                Tone::Warning,
                "This is too large",
                "The form or its file is larger than this server takes, so nothing was done. Files of plug-ins have \
                 64 KiB or less.",
            ),
            Self::Unreadable => told(
                Tone::Warning,
                "The form cannot be read",
                "Something is missing from the form, so nothing was done. Open the page again and fill it in there.",
            ),
            Self::Told(text) => told(Tone::Warning, "Nothing was changed", text),
            Self::Unavailable { text, .. } => told(
                Tone::Warning,
                "This is not possible at the moment",
                &format!(
                    "{text} Try again in a minute; if it stays, ask the administrator of this licensing server."
                ),
            ),
            Self::Failed(_) => MessagePage::server_error(help, request),
        }
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        if let Self::SignedOut(next) = &self {
            let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
            return go(&if next.is_empty() {
                "/sign-in".to_owned()
            } else {
                format!("/sign-in?next={next}")
            });
        }
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(_) => Self::NotFound,
            StoreError::KeyReused => Self::AlreadyDone,
            error @ (StoreError::Conflict
            | StoreError::Taken(_)
            | StoreError::ApiTokenLimit
            | StoreError::SignsIn) => Self::Told(sentence(&error)),
            error => match error.unavailable() {
                Some(unavailable) => Self::Unavailable { text: unavailable.text(), cause: error.to_string() },
                None => Self::failed(error),
            },
        }
    }
}

impl From<RingError> for WebError {
    fn from(error: RingError) -> Self {
        match error.passing() {
            Some(text) => Self::Unavailable { text, cause: error.to_string() },
            None => Self::failed(error),
        }
    }
}

impl From<PasswordError> for WebError {
    fn from(error: PasswordError) -> Self {
        if error.passes() {
            Self::Unavailable { text: Unavailable::Busy.text(), cause: error.to_string() }
        } else {
            Self::failed(error)
        }
    }
}

impl From<ServiceError> for WebError {
    fn from(refused: ServiceError) -> Self {
        match refused {
            ServiceError::Store(error) => error.into(),
            ServiceError::Password(error) => error.into(),
            ServiceError::AdminsOnly => Self::Forbidden,
            refused @ (ServiceError::Verdict(_) | ServiceError::Invalid { .. }) => {
                Self::Told(sentence(&refused))
            }
            refused => Self::failed(refused),
        }
    }
}

/// With a capital letter and a full stop.
pub(super) fn sentence(text: &impl fmt::Display) -> String {
    let text = text.to_string();
    let mut characters = text.chars();
    let first: String = characters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}
