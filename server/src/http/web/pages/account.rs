use super::{Moment, Shell};
use askama::Template;

/// `/account`.
#[derive(Debug, Clone, Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// The frame. Its user is the one that is shown.
    pub shell: Shell,
    /// Fewest characters of a password.
    pub password_min: u32,
    /// Whether the user has a password, and is not only let in by a sign-in service.
    pub has_password: bool,
    /// Why the password was not changed.
    pub password_error: Option<String>,
    /// Where the user is signed in, this session first.
    pub sessions: Vec<SessionRow>,
}

/// A browser in which the user is signed in.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Such as "Firefox on Linux".
    pub device: String,
    /// Address that it came from last.
    pub address: String,
    /// When it was seen last.
    pub last_seen_at: Moment,
    /// When it was signed in.
    pub signed_in_at: Moment,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl AccountPage {
    /// How many sessions there are besides this one.
    #[must_use]
    pub fn others(&self) -> usize {
        self.sessions.iter().filter(|session| !session.current).count()
    }
}
