use super::super::AppState;
use super::visit::Visit;
use crate::page::{Mail, SendAs};
use crate::rules::{License, Seat};
use crate::store::Store;
use seatlock_protocol::Token;
use serde::Deserialize;

/// Whether an e-mail is wanted, as forms say it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Send {
    send: Option<String>,
    send_as: String,
}

impl Send {
    /// What is to be sent, when its box is ticked.
    pub(super) fn wanted(&self) -> Option<SendAs> {
        self.send.is_some().then(|| contents(&self.send_as))
    }
}

/// What an e-mail carries. A one-time link unless somebody wants it otherwise.
pub(super) fn contents(text: &str) -> SendAs {
    if text == "token" { SendAs::Token } else { SendAs::Link }
}

/// Whether this server sends e-mail.
pub(super) fn available<S>(_: &AppState<S>) -> bool {
    false
}

/// Sends a token, or a link to it, and says what became of it. The token stands on the page all the same.
pub(super) async fn send<S: Store>(
    _: &Visit<S>,
    _: &Seat,
    _: &License,
    _: &Token,
    to: &str,
    _: SendAs,
) -> Mail {
    Mail::Failed { to: to.to_owned(), why: "This server sends no e-mail.".to_owned() }
}
