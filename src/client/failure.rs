use crate::machine::IdentityError;
use seatlock_protocol::{Code, TokenError, UnixTime};
use std::borrow::Cow;

/// Why a call could not be carried out. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub code: Code,
    /// A sentence for a person.
    pub message: Cow<'static, str>,
    /// HTTP status that was received.
    pub http_status: Option<u16>,
    /// When a new try makes sense.
    pub available_at: Option<UnixTime>,
}

impl Failure {
    /// A failure with the text of its code. Allocates nothing.
    #[must_use]
    pub const fn of(code: Code) -> Self {
        Self { code, message: Cow::Borrowed(code.row().text), http_status: None, available_at: None }
    }

    /// A failure with a sentence of its own.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into(), ..Self::of(code) }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Malformed => Self::of(Code::TokenMalformed),
            TokenError::WrongKind(_) => {
                let mut sentence = error.to_string();
                sentence.get_mut(..1).map(str::make_ascii_uppercase).unwrap_or_default();
                Self::new(Code::TokenWrongKind, sentence + ".")
            }
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
