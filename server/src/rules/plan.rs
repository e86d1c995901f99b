use serde::{Serialize, Serializer};

/// What a subscription of this name contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name; `pro` for example.
    pub name: String,
    /// Whether it carries seats for plug-ins, and so tokens. `starter` does not.
    pub carries_seats: bool,
    /// Entitlements that come with it.
    pub entitlements: Vec<String>,
}

/// Wherever a plan is part of something else, its name says enough.
impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name.serialize(serializer)
    }
}
