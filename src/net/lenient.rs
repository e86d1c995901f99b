use serde::{Deserialize, Deserializer, de::IgnoredAny};

/// A value of the type that is wanted, or any other.
#[derive(Deserialize)]
#[serde(untagged)]
enum Fitting<T> {
    Yes(T),
    No(IgnoredAny),
}

/// A member that can be done without: what does not fit is as good as absent.
pub(super) fn fitting<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(match Fitting::deserialize(from)? {
        Fitting::Yes(value) => Some(value),
        Fitting::No(_) => None,
    })
}

/// The texts of a list; whatever else is in it, or in its place, is passed over. `None` when there
/// is no list.
pub(super) fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    let list: Option<Vec<Fitting<String>>> = fitting(from)?;
    let text = |found| match found {
        Fitting::Yes(text) => Some(text),
        Fitting::No(_) => None,
    };
    Ok(list.map(|list| list.into_iter().filter_map(text).collect()))
}

/// Seconds, which some issuers write as a text or with a fraction.
pub(super) fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Whole(u64),
        Fraction(f64),
        Text(String),
    }
    // What is beyond the largest number becomes that one.
    let whole = |number: f64| (number >= 0.0).then_some(number as u64);
    Ok(match fitting(from)? {
        Some(Written::Whole(number)) => Some(number),
        Some(Written::Fraction(number)) => whole(number),
        Some(Written::Text(text)) => text.trim().parse().ok().and_then(whole),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Read {
        #[serde(default, deserialize_with = "seconds")]
        s: Option<u64>,
        #[serde(default, deserialize_with = "fitting")]
        f: Option<String>,
        #[serde(default, deserialize_with = "texts")]
        t: Option<Vec<String>>,
    }

    fn read(json: &str) -> Read {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn times_in_every_form() {
        for (written, expected) in [
            ("3600", Some(3600)),
            ("3600.0", Some(3600)),
            ("3599.9", Some(3599)),
            ("\"3600\"", Some(3600)),
            ("\" 3600.5 \"", Some(3600)),
            ("1e400000000", None),
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("1e30", Some(u64::MAX)),
            ("-1", None),
            ("\"soon\"", None),
            ("\"NaN\"", None),
            ("null", None),
            ("[]", None),
            ("{}", None),
            ("true", None),
        ] {
            let json = format!(r#"{{"s":{written}}}"#);
            let read = serde_json::from_str::<Read>(&json).ok().and_then(|read| read.s);
            assert_eq!(read, expected, "{written}");
        }
        assert_eq!(read("{}").s, None);
    }

    #[test]
    fn what_does_not_fit_is_absent() {
        for odd in ["null", "7", "[\"x\"]", "{\"x\":1}", "true"] {
            assert_eq!(read(&format!(r#"{{"f":{odd}}}"#)).f, None, "{odd}");
        }
        assert_eq!(read(r#"{"f":"x"}"#).f.as_deref(), Some("x"));
        assert_eq!(read(r#"{"t":["a",1,null,"b"]}"#).t, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(read(r#"{"t":"a"}"#).t, None);
        assert_eq!(read(r#"{"t":null}"#).t, None);
    }
}
