use crate::machine::IdentityError;
use crate::words::{Language, Message, Phrase};
use seatlock_protocol::{Code, TokenError, TokenKind, UnixTime};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Why a call could not be carried out. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub code: Code,
    /// What is said of it.
    pub words: Words,
    /// HTTP status that was received.
    pub http_status: Option<u16>,
    /// When a new try makes sense.
    pub available_at: Option<UnixTime>,
}

/// What is said of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// To the host's user, in no language yet.
    Message(Message),
    /// As it is: what is wrong with an argument, a variable or a file beside the plug-in is for
    /// those who wrote it, and in English.
    Text(Cow<'static, str>),
}

impl Failure {
    /// A failure with the text of its code. Allocates nothing.
    #[must_use]
    pub const fn of(code: Code) -> Self {
        let row = code.row();
        let phrase = Phrase { id: row.name, english: row.text };
        let words = Words::Message(Message { phrase, values: BTreeMap::new() });
        Self { code, words, http_status: None, available_at: None }
    }

    /// A failure with a message of its own.
    #[must_use]
    pub fn told(code: Code, message: Message) -> Self {
        Self { words: Words::Message(message), ..Self::of(code) }
    }

    /// A failure with a sentence of its own, in English.
    #[must_use]
    pub fn new(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self { words: Words::Text(text.into()), ..Self::of(code) }
    }

    /// The same failure in a language.
    #[must_use]
    pub fn in_words(self, language: &Language) -> Self {
        match self.words {
            Words::Message(message) => Self { words: Words::Text(language.say(&message).into()), ..self },
            Words::Text(_) => self,
        }
    }
}

/// In English, unless it was said in a language already.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.words {
            Words::Message(message) => message.fmt(f),
            Words::Text(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Malformed => Self::of(Code::TokenMalformed),
            TokenError::WrongKind(TokenKind::Api) => {
                Self::told(Code::TokenWrongKind, Phrase::TOKEN_IS_API.into())
            }
            TokenError::WrongKind(TokenKind::OauthClient) => {
                Self::told(Code::TokenWrongKind, Phrase::TOKEN_IS_CLIENT_SECRET.into())
            }
            TokenError::WrongKind(TokenKind::Integration) => Self::of(Code::TokenWrongKind),
        }
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        let code = match error {
            IdentityError::SuppliedInvalid(_) => Code::InvalidArgument,
            IdentityError::Unavailable { .. } => Code::MachineIdUnavailable,
            IdentityError::Scarce(short) => return super::out_of(short),
        };
        Self::new(code, error.to_string())
    }
}
