use super::{Moment, Shell, ShortId};
use askama::Template;

/// `/seats/new`.
#[derive(Debug, Clone, Template)]
#[template(path = "new_seat.html")]
pub struct NewSeatPage {
    /// The frame.
    pub shell: Shell,
    /// Licenses that the account has; the form asks only when there are several.
    pub licenses: Vec<LicenseChoice>,
    /// Who is given the token: at first the user's own address.
    pub email: String,
    /// What is wrong with the address.
    pub email_error: Option<String>,
    /// Why no seat was made, when it is not the address.
    pub error: Option<String>,
    /// Whether an e-mail is to be sent, and with what in it.
    pub send: Option<SendAs>,
    /// Whether the server can send e-mail.
    pub mail_available: bool,
    /// Random, so that a form that is sent twice makes one seat.
    pub form_key: String,
}

/// A license in the form.
#[derive(Debug, Clone)]
pub struct LicenseChoice {
    /// The license.
    pub id: ShortId,
    /// Name of its plan.
    pub plan: String,
    /// What it is for.
    pub products: Vec<String>,
    /// Tokens that exist.
    pub tokens: u32,
    /// Tokens that may exist.
    pub seats_max: u32,
    /// Whether it is the chosen one.
    pub chosen: bool,
    /// Why it cannot be chosen.
    pub unavailable: Option<NoSeat>,
}

/// Why a license has no seat to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSeat {
    /// Each of its seats has a token.
    AllIssued,
    /// The subscription is paused.
    Suspended,
    /// The subscription is over.
    Ended(Moment),
    /// Its plan carries no seats.
    NotInPlan,
}

impl NoSeat {
    /// In few words.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::AllIssued => "all tokens are issued",
            Self::Suspended => "suspended",
            Self::Ended(_) => "ended",
            Self::NotInPlan => "its plan does not include plug-ins",
        }
    }
}

/// What an e-mail carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendAs {
    /// A link by which its receiver sees the token once.
    Link,
    /// The token.
    Token,
}

impl NewSeatPage {
    /// Whether the e-mail shall hold the token itself.
    #[must_use]
    pub fn sends_token(&self) -> bool {
        self.send == Some(SendAs::Token)
    }

    /// Whether a seat can be made at all.
    #[must_use]
    pub fn possible(&self) -> bool {
        self.licenses.iter().any(|license| license.unavailable.is_none())
    }
}
