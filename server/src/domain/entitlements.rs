use super::license::{WORD_MAX, WORDS_MAX};
use super::words::{date, timestamp};
use seatlock_protocol::{UnixTime, claims::EntitlementClaim};
use std::collections::BTreeMap;

/// What a license or a plan includes, by name.
pub type Entitlements = BTreeMap<String, EntitlementClaim>;

/// Bytes of the entitlements of one license, and of one plan, as a lease says them: it has to hold
/// both.
pub const ENTITLEMENTS_MAX: usize = 1024;

/// Why a license or a plan cannot include these.
///
/// # Errors
/// The end of a sentence.
pub(super) fn check(entitlements: &Entitlements) -> Result<(), String> {
    if entitlements.len() > WORDS_MAX || !entitlements.keys().all(|name| is_name(name)) {
        return Err(format!(
            "at most {WORDS_MAX} names of at most {WORD_MAX} bytes, without blanks, = and @ in them"
        ));
    }
    let length = serde_json::to_string(entitlements).unwrap_or_default().len();
    if length > ENTITLEMENTS_MAX {
        return Err(format!("{length} bytes in a lease, but {ENTITLEMENTS_MAX} at most"));
    }
    Ok(())
}

/// The signs are for value and end.
fn is_name(text: &str) -> bool {
    super::plan::is_word(text) && !text.contains(['=', '@'])
}

/// A name, and the texts of value and end, where there are any: `NAME[=VALUE][@END]`.
#[must_use]
pub fn entitlement_parts(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, end) = text.split_once('@').map_or((text, None), |(rest, end)| (rest, Some(end)));
    let (name, value) = rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value)));
    (name, value, end)
}

/// What [`entitlement_parts`] takes apart, its end as `end` writes it.
pub fn entitlement_word(name: &str, entitlement: &EntitlementClaim, end: fn(UnixTime) -> String) -> String {
    let value = entitlement.value.map(|value| format!("={value}")).unwrap_or_default();
    let end = entitlement.until.map(|time| format!("@{}", end(time))).unwrap_or_default();
    format!("{name}{value}{end}")
}

/// As people write it: `cad`, `export.max=25`, `trial@2027-01-31`,
/// `export.max=25@2027-01-31T12:00:00Z`.
#[must_use]
pub fn entitlement_text(name: &str, entitlement: &EntitlementClaim) -> String {
    entitlement_word(name, entitlement, day_or_time)
}

/// A day stands for its first moment.
fn day_or_time(time: UnixTime) -> String {
    if time.seconds() % 86_400 == 0 { date(time) } else { timestamp(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_length() {
        let one = |name: &str| Entitlements::from([(name.to_owned(), EntitlementClaim::default())]);
        let many =
            |count: usize| (0..count).map(|at| (at.to_string(), EntitlementClaim::default())).collect();
        let valued = EntitlementClaim { value: Some(i64::MIN), until: Some(UnixTime::MAX) };
        for (what, entitlements, accepted) in [
            ("none", Entitlements::new(), true),
            ("one", one("cad"), true),
            ("with other signs", one("export.max:4/5-é"), true),
            ("the longest", one(&"x".repeat(255)), true),
            ("longer", one(&"x".repeat(256)), false),
            ("no name", one(""), false),
            ("a blank", one("a b"), false),
            ("a line end", one("a\n"), false),
            ("a value in the name", one("a=1"), false),
            ("an end in the name", one("a@1"), false),
            ("a hundred", many(100), true),
            ("one more", many(101), false),
            ("too much for a lease", (0..20).map(|at| (at.to_string(), valued)).collect(), false),
        ] {
            assert_eq!(check(&entitlements).is_ok(), accepted, "{what}");
        }
    }

    #[test]
    fn what_people_write() {
        let at = UnixTime::new(1_798_761_600);
        let later = at.map(|day| day.plus(1));
        for (value, until, text) in [
            (None, None, "cad"),
            (Some(25), None, "cad=25"),
            (Some(-1), at, "cad=-1@2027-01-01"),
            (None, later, "cad@2027-01-01T00:00:01Z"),
        ] {
            assert_eq!(entitlement_text("cad", &EntitlementClaim { value, until }), text);
        }
    }
}
