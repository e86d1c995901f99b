use super::{Help, Moment};
use askama::Template;
use zeroize::Zeroizing;

/// `/open/{secret}`: for whoever was sent a one-time link. Nobody is signed in here.
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
        /// When it ends.
        until: Moment,
    },
    /// It shows the token now.
    Shown {
        /// The account that it comes from.
        account: String,
        /// The token.
        token: Zeroizing<String>,
    },
    /// It was used, has ended, or never was. Nobody is told which.
    Gone,
}
