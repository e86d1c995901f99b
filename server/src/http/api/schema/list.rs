use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct List<T: ToSchema> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// Where the list goes on: the parameter `after` of the next request; null at its end.
    pub next: Option<String>,
}

impl<T: ToSchema> List<T> {
    /// All there is.
    #[must_use]
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}
