use chrono::{DateTime, SecondsFormat};
use seatlock_protocol::UnixTime;

/// `2026-11-22`, in UTC.
#[must_use]
pub fn date(time: UnixTime) -> String {
    format(time, "%Y-%m-%d")
}

/// `2026-11-22 09:00 UTC`. The next whole minute, because something that becomes possible must be
/// possible then.
#[must_use]
pub fn moment(time: UnixTime) -> String {
    let to_the_minute = (60 - time.seconds() % 60) % 60;
    format(time.plus(u64::try_from(to_the_minute).unwrap_or(0)), "%Y-%m-%d %H:%M UTC")
}

/// `2026-11-22T09:00:00Z`, RFC 3339.
#[must_use]
pub fn timestamp(time: UnixTime) -> String {
    utc(time).map_or_else(String::new, |utc| utc.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// `365 days`, `26 hours`, `7 minutes`, rounded: less than two days in hours, less than two hours
/// in minutes.
#[must_use]
pub fn span(seconds: u64) -> String {
    let rounded = |unit| seconds.saturating_add(unit / 2) / unit;
    match seconds {
        172_800.. => format!("{} days", rounded(86_400)),
        7200.. => format!("{} hours", rounded(3600)),
        120.. => format!("{} minutes", rounded(60)),
        _ => format!("{seconds} seconds"),
    }
}

/// `7 days`, `25 hours`, `90 minutes`, `61 seconds`: exactly, in the largest unit that goes into
/// it, and twice or more.
#[must_use]
pub fn exactly(seconds: u64) -> String {
    let units = [(86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds")];
    let fits = |unit: u64| seconds >= 2 * unit && seconds.is_multiple_of(unit);
    match units.into_iter().find(|(unit, _)| fits(*unit)) {
        Some((unit, name)) => format!("{} {name}", seconds / unit),
        None => format!("{seconds} second{}", if seconds == 1 { "" } else { "s" }),
    }
}

fn format(time: UnixTime, pattern: &str) -> String {
    utc(time).map_or_else(String::new, |utc| utc.format(pattern).to_string())
}

/// `None` beyond the year 262142, where the calendar of chrono ends.
fn utc(time: UnixTime) -> Option<DateTime<chrono::Utc>> {
    DateTime::from_timestamp(time.seconds(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_never_early() {
        let at = |seconds| UnixTime::new(seconds).unwrap();
        assert_eq!(date(at(1_795_338_000)), "2026-11-22");
        assert_eq!(moment(at(1_795_338_000)), "2026-11-22 09:00 UTC");
        assert_eq!(moment(at(1_795_338_001)), "2026-11-22 09:01 UTC");
        assert_eq!(timestamp(at(1_795_338_001)), "2026-11-22T09:00:01Z");
        assert_eq!(moment(UnixTime::MAX), "");
    }

    #[test]
    fn spans_are_rounded() {
        for (seconds, words) in [
            (59, "59 seconds"),
            (120, "2 minutes"),
            (595, "10 minutes"),
            (7200, "2 hours"),
            (86_390, "24 hours"),
            (31_535_990, "365 days"),
        ] {
            assert_eq!(span(seconds), words);
        }
    }

    #[test]
    fn windows_are_never_rounded() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60, "60 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (1800, "30 minutes"),
            (3600, "60 minutes"),
            (5400, "90 minutes"),
            (7260, "121 minutes"),
            (86_399, "86399 seconds"),
            (86_400, "24 hours"),
            (90_000, "25 hours"),
            (172_800, "2 days"),
            (u64::MAX, "18446744073709551615 seconds"),
        ] {
            assert_eq!(exactly(seconds), words);
        }
    }
}
