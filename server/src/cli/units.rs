use chrono::{DateTime, NaiveDate, NaiveTime};
use ipnet::IpNet;
use seatlock_protocol::{
    UnixTime,
    address::{AddressError, address, public_address, spelled},
};
use seatlock_server::domain::{LONGEST, entitlement_parts};
use seatlock_server::http::api::schema::{EntitlementJson, Timestamp};
use std::net::{IpAddr, SocketAddr};
use tracing::Level;

/// `90s`, `30m`, `6h`, `7d`: whole seconds.
pub(super) fn duration(text: &str) -> Result<u64, String> {
    let unit = text.chars().last().unwrap_or_default();
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err("write a number and a unit: 90s, 30m, 6h, 7d".to_owned()),
    };
    let number: u64 = text
        .strip_suffix(unit)
        .unwrap_or_default()
        .parse()
        .map_err(|_| "write a whole number before its unit: 90s, 30m, 6h, 7d")?;
    match number.checked_mul(seconds) {
        Some(total @ 1..=LONGEST) => Ok(total),
        _ => Err("must be between 1s and 36500d".to_owned()),
    }
}

/// Seconds as [`duration`] reads them, in the largest unit that fits.
pub(super) fn in_words(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let fits = units.into_iter().find(|(length, _)| seconds >= *length && seconds.is_multiple_of(*length));
    let (length, unit) = fits.unwrap_or((1, 's'));
    format!("{}{unit}", seconds / length)
}

/// A whole number within limits.
pub(super) fn count(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("write a whole number from {least} to {most}"))
}

pub(super) fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write an address and a port: 127.0.0.1:8787, [::1]:8787, 0.0.0.0:443".to_owned())
}

/// A network, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let net = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    net.ok_or_else(|| "write a network such as 10.0.0.0/8, or an address such as 127.0.0.1".to_owned())
}

pub(super) fn level(text: &str) -> Result<Level, String> {
    let known =
        ["error", "warn", "info", "debug", "trace"].iter().any(|known| text.eq_ignore_ascii_case(known));
    let level = if known { text.parse().ok() } else { None };
    level.ok_or_else(|| "write one of error, warn, info, debug".to_owned())
}

/// A server's address as plug-ins spell it, which is what it calls itself.
pub(super) fn issuer(text: &str) -> Result<String, String> {
    let url = address(text).map_err(|error| error.to_string())?;
    let spelled = spelled(&url);
    if spelled.len() > 255 { Err("it has more than 255 bytes".to_owned()) } else { Ok(spelled.to_owned()) }
}

/// The address at which people find pages, without a slash at its end.
pub(super) fn public(text: &str) -> Result<String, AddressError> {
    public_address(text).map(|url| spelled(&url).to_owned())
}

/// The end of a subscription: `never`, a day (its first moment, in UTC) or an RFC 3339 time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End(pub(super) Option<UnixTime>);

impl std::str::FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(None));
        }
        let day =
            NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN).and_utc());
        let time = day.or_else(|_| DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()));
        let time = time.map_err(|_| "write never, 2027-01-31 or 2027-01-31T12:00:00Z".to_owned())?;
        let time = UnixTime::new(time.timestamp()).ok_or("must be after 1970")?;
        Ok(Self(Some(time)))
    }
}

/// `cad`, `export.max=25`, `trial@2027-01-31`: a name, a whole number, and a day or time as [`End`]
/// reads it.
pub(super) fn entitlement(text: &str) -> Result<(String, EntitlementJson), String> {
    let (name, value, end) = entitlement_parts(text);
    if name.is_empty() {
        return Err("write a name first, such as export.max=25@2027-01-31".to_owned());
    }
    let value = value.map(str::parse::<i64>).transpose();
    let value = value.map_err(|_| "write a whole number after =, such as export.max=25")?;
    let until = match end.map(str::parse::<End>).transpose() {
        Ok(Some(End(None))) | Err(_) => {
            return Err(
                "write a day or a time after @: trial@2027-01-31, trial@2027-01-31T12:00:00Z".to_owned()
            );
        }
        Ok(end) => end.and_then(|end| end.0).map(Timestamp),
    };
    Ok((name.to_owned(), EntitlementJson { value, until }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entitlements() {
        let day = UnixTime::new(1_798_761_600).map(Timestamp);
        for (text, found) in [
            ("cad", Some(("cad", None, None))),
            ("export.max=25", Some(("export.max", Some(25), None))),
            ("export.max=-9223372036854775808", Some(("export.max", Some(i64::MIN), None))),
            ("trial@2027-01-01", Some(("trial", None, day))),
            ("a=1@2027-01-01T00:00:00Z", Some(("a", Some(1), day))),
            ("", None),
            ("=1", None),
            ("a=", None),
            ("a=1.5", None),
            ("a=9223372036854775808", None),
            ("a=x", None),
            ("a@", None),
            ("a@never", None),
            ("a@tomorrow", None),
            ("a@2027-01-01=1", None),
        ] {
            let read = entitlement(text).ok();
            let read = read.as_ref().map(|(name, view)| (name.as_str(), view.value, view.until));
            assert_eq!(read, found, "{text}");
        }
    }

    #[test]
    fn durations_and_ends() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("6h", 21_600), ("7d", 604_800)] {
            assert_eq!(duration(text), Ok(seconds));
            assert_eq!(duration(&in_words(seconds)), Ok(seconds));
        }
        for text in ["", "7", "d", "-1d", "0s", "1w", "é", "99999999999999999999d", "36501d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for (text, found) in
            [("0", Some(0)), ("7", Some(7)), ("8", None), ("-1", None), ("+", None), ("", None)]
        {
            assert_eq!(count(text, 0, 7).ok(), found, "{text}");
        }
        for (text, found) in
            [("10.0.0.0/8", Some("10.0.0.0/8")), (" 127.0.0.1", Some("127.0.0.1/32")), ("x", None)]
        {
            assert_eq!(network(text).ok().map(|net| net.to_string()).as_deref(), found, "{text}");
        }
        assert!(level("WARN").is_ok() && level("3").is_err() && socket(":8787").is_err());
        let end = |text: &str| text.parse::<End>().map(|end| end.0.map(UnixTime::seconds));
        assert_eq!(end("never"), Ok(None));
        assert_eq!(end("2026-11-22"), Ok(Some(1_795_305_600)));
        assert_eq!(end("2026-11-22T10:00:00+01:00"), Ok(Some(1_795_338_000)));
        assert!(end("tomorrow").is_err() && end("1969-01-01").is_err());
    }
}
