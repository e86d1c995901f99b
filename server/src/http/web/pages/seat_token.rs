use super::{Moment, SeatName, Shell};
use askama::Template;
use zeroize::Zeroizing;

/// The page after a seat was made or refreshed: its token, this once.
#[derive(Clone, Template)]
#[template(path = "seat_token.html")]
pub struct SeatTokenPage {
    /// The frame.
    pub shell: Shell,
    /// The seat.
    pub seat: SeatName,
    /// What the token was made for.
    pub reason: TokenReason,
    /// The token.
    pub token: Zeroizing<String>,
    /// What became of the e-mail.
    pub mail: MailOutcome,
    /// Whether the server can send e-mail.
    pub mail_available: bool,
    /// Of the form that made the token, by which the page finds it again.
    pub key: String,
    /// Random, so that a form that is sent twice sends one e-mail.
    pub form_key: String,
}

/// What a token was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenReason {
    /// A new seat.
    Created,
    /// A seat whose token was replaced.
    Refreshed,
}

/// What became of an e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOutcome {
    /// None was asked for.
    NotAsked,
    /// The page is shown once more; if one was asked for, it was sent before.
    NotAgain,
    /// A one-time link is on its way.
    LinkSent {
        /// To whom.
        to: String,
        /// When the link ends.
        until: Moment,
    },
    /// The token is on its way.
    TokenSent {
        /// To whom.
        to: String,
    },
    /// Nobody knows whether it is on its way.
    Unconfirmed {
        /// To whom.
        to: String,
    },
    /// It could not be sent.
    Failed {
        /// To whom.
        to: String,
        /// Why, as one sentence.
        why: String,
    },
}

impl SeatTokenPage {
    /// Whether the token is that of a new seat.
    #[must_use]
    pub fn created(&self) -> bool {
        self.reason == TokenReason::Created
    }

    /// Whether an e-mail can still be useful.
    #[must_use]
    pub fn offers_mail(&self) -> bool {
        self.mail_available
            && !matches!(self.mail, MailOutcome::LinkSent { .. } | MailOutcome::TokenSent { .. })
    }

    /// Whether an e-mail could not be sent.
    #[must_use]
    pub fn mail_failed(&self) -> bool {
        matches!(self.mail, MailOutcome::Failed { .. })
    }
}
