use super::{Id, Moment, Shell};
use askama::Template;
use zeroize::Zeroizing;

/// `/tokens`.
#[derive(Debug, Clone, Template)]
#[template(path = "tokens.html")]
pub struct TokensPage {
    /// The frame.
    pub shell: Shell,
    /// The user's tokens, newest first.
    pub tokens: Vec<ApiTokenRow>,
    /// How many a user may have.
    pub limit: u32,
    /// Why the account gets none.
    pub barred: Option<String>,
    /// Address of the server, for the example.
    pub server: String,
    /// What was typed before.
    pub name: String,
    /// Why no token was made.
    pub error: Option<String>,
    /// Random, so that a form that is sent twice makes one token.
    pub form_key: String,
}

/// An API token in the list.
#[derive(Debug, Clone)]
pub struct ApiTokenRow {
    /// Names it in addresses.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Moment,
    /// When it was used last.
    pub last_used_at: Option<Moment>,
}

impl TokensPage {
    /// How many more the user may make.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.limit.saturating_sub(u32::try_from(self.tokens.len()).unwrap_or(u32::MAX))
    }
}

/// The page after a token was made: the token, this once.
#[derive(Clone, Template)]
#[template(path = "token_created.html")]
pub struct TokenCreatedPage {
    /// The frame.
    pub shell: Shell,
    /// Its name.
    pub name: String,
    /// The token.
    pub token: Zeroizing<String>,
    /// Address of the server, for the example.
    pub server: String,
}

/// `/tokens/{id}/delete`: asks before a token is deleted.
#[derive(Debug, Clone, Template)]
#[template(path = "confirm_delete_token.html")]
pub struct ConfirmDeleteToken {
    /// The frame.
    pub shell: Shell,
    /// The token.
    pub token: ApiTokenRow,
}
