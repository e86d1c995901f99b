use seatlock_protocol::Token;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Type, schema::Schema},
};
use zeroize::Zeroizing;

/// A secret that is shown once. Erased from memory when dropped, never shown in debug output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// The secret itself, for whoever asked for it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<Token> for SecretText {
    fn from(token: Token) -> Self {
        Self(Zeroizing::new(token.expose_secret().to_owned()))
    }
}

impl From<Zeroizing<String>> for SecretText {
    fn from(secret: Zeroizing<String>) -> Self {
        Self(secret)
    }
}

impl From<SecretText> for Zeroizing<String> {
    fn from(shown: SecretText) -> Self {
        shown.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText")
    }
}

impl PartialSchema for SecretText {
    fn schema() -> RefOr<Schema> {
        let text = "A secret. It is shown in this answer, and never again.";
        ObjectBuilder::new().schema_type(Type::String).description(Some(text)).into()
    }
}

impl ToSchema for SecretText {
    fn name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }
}
