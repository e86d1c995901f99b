use crate::domain::timestamp;
use chrono::DateTime;
use seatlock_protocol::UnixTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, SchemaFormat, Type, schema::Schema},
};

/// A moment to the second, as RFC 3339 writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub UnixTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&timestamp(self.0))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let time = DateTime::parse_from_rfc3339(&text).ok().and_then(|time| UnixTime::new(time.timestamp()));
        time.map(Self)
            .ok_or_else(|| D::Error::custom("no moment, expected 2027-01-31T12:00:00Z, 1970 or later"))
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("A moment, RFC 3339; answers are in UTC and to the second."))
            .examples(["2026-11-22T09:00:00Z"])
            .into()
    }
}

impl ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_any_zone_and_written_in_utc() {
        for (text, written) in [
            ("2026-11-22T09:00:00Z", Some("2026-11-22T09:00:00Z")),
            ("2026-11-22T10:00:00.5+01:00", Some("2026-11-22T09:00:00Z")),
            ("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00Z")),
            ("1969-12-31T23:59:59Z", None),
            ("2026-11-22", None),
            ("", None),
        ] {
            let read = serde_json::from_value::<Timestamp>(text.into()).ok();
            assert_eq!(read.map(|time| time.to_string()).as_deref(), written, "{text}");
        }
    }
}
