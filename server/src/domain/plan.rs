use super::entitlements::{self, Entitlements};
use super::license::WORD_MAX;
use serde::{Serialize, Serializer};

/// What a subscription of this name contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name; `pro` for example.
    pub name: String,
    /// Whether it carries seats for plug-ins, and so tokens. `starter` does not.
    pub carries_seats: bool,
    /// Entitlements that come with it.
    pub entitlements: Entitlements,
}

impl Plan {
    /// A plan of which only the name is known yet; the store knows what it contains.
    #[must_use]
    pub fn named(name: String) -> Self {
        Self { name, carries_seats: true, entitlements: Entitlements::new() }
    }

    /// Why there cannot be such a plan.
    ///
    /// # Errors
    /// The member, and the end of a sentence.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if !is_word(&self.name) {
            return Err(("name", format!("1 to {WORD_MAX} bytes, without blanks in them")));
        }
        entitlements::check(&self.entitlements).map_err(|reason| ("entitlements", reason))
    }
}

/// The database keeps words with blanks between them.
pub(super) fn is_word(text: &str) -> bool {
    let stray = |c: char| c.is_whitespace() || c.is_control();
    !text.is_empty() && text.len() <= WORD_MAX && !text.contains(stray)
}

/// Wherever a plan is part of something else, its name says enough.
impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}
