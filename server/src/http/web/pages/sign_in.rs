use super::{Help, Moment, Notice};
use askama::Template;

/// A sign-in service.
#[derive(Debug, Clone)]
pub struct SignInOption {
    /// As people call it.
    pub name: String,
    /// Where the way to it begins.
    pub href: String,
}

/// `/sign-in`.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// Where to read more, and whom to ask.
    pub help: Help,
    /// Such as "You are signed out."
    pub notice: Option<Notice>,
    /// What was typed before.
    pub email: String,
    /// Why the last try failed. The same words for an unknown address and a wrong password.
    pub error: Option<String>,
    /// When the next try is possible, after too many.
    pub wait_until: Option<Moment>,
    /// Sign-in services that may be used instead of a password.
    pub ways: Vec<SignInOption>,
    /// Path to go to afterwards; empty for the list of seats. The handler takes only a path of its
    /// own.
    pub next: String,
}
