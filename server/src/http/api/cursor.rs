use super::error::ApiError;
use crate::http::api::schema::List;
use crate::service::SeatCursor;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::UnixTime;
use utoipa::ToSchema;
use uuid::Uuid;

fn invalid() -> ApiError {
    ApiError::invalid("after", "take it from \"next\" of the answer before, as it is")
}

fn decode<const N: usize>(text: &str) -> Result<[u8; N], ApiError> {
    URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(invalid)
}

/// A place in the list of seats: the moment of creation, and then the id.
pub(super) fn write_seat(place: SeatCursor) -> String {
    let moment = place.created_at.seconds().to_be_bytes();
    URL_SAFE_NO_PAD.encode([moment.as_slice(), place.id.as_bytes()].concat())
}

/// The same again.
pub(super) fn read_seat(text: &str) -> Result<SeatCursor, ApiError> {
    let bytes: [u8; 24] = decode(text)?;
    let (moment, id) = bytes.split_at(8);
    let moment = moment.try_into().map(i64::from_be_bytes).ok().and_then(UnixTime::new);
    let id = Uuid::from_slice(id).ok();
    moment.zip(id).map(|(created_at, id)| SeatCursor { created_at, id }).ok_or_else(invalid)
}

/// A place in the audit trail.
pub(super) fn write_number(number: u64) -> String {
    URL_SAFE_NO_PAD.encode(number.to_be_bytes())
}

/// The same again.
pub(super) fn read_number(text: &str) -> Result<u64, ApiError> {
    decode(text).map(u64::from_be_bytes)
}

/// A part of a list that only grows, at its end. The place is the id of the last entry that was
/// answered.
pub(super) fn part<T: ToSchema>(
    all: Vec<T>,
    after: Option<&str>,
    limit: u32,
    id: impl Fn(&T) -> Uuid,
) -> Result<List<T>, ApiError> {
    let begin = match after {
        None => 0,
        Some(text) => {
            let last = Uuid::from_bytes(decode(text)?);
            all.iter().position(|entry| id(entry) == last).ok_or_else(invalid)? + 1
        }
    };
    let limit = limit as usize;
    let more = all.len().saturating_sub(begin) > limit;
    let items: Vec<T> = all.into_iter().skip(begin).take(limit).collect();
    let last = items.last().filter(|_| more);
    let next = last.map(|entry| URL_SAFE_NO_PAD.encode(id(entry).as_bytes()));
    Ok(List { items, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_written_and_nothing_else_is() {
        let place = SeatCursor { created_at: UnixTime::new(1_795_338_000).unwrap(), id: Uuid::new_v4() };
        assert_eq!(read_seat(&write_seat(place)).unwrap(), place);
        assert_eq!(read_number(&write_number(7)).unwrap(), 7);
        let negative = URL_SAFE_NO_PAD.encode([0xff; 24]);
        for text in ["", "x", "AAAA", "0; DROP TABLE seat", &write_number(7), &negative] {
            assert!(read_seat(text).is_err(), "{text}");
        }
        assert!(read_number("AAAA").is_err());
    }

    #[test]
    fn parts_make_the_whole() {
        let all: Vec<Uuid> = (0..7).map(Uuid::from_u128).collect();
        for limit in [1, 2, 3, 7, 8] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let texts = all.iter().map(|id| Named(*id)).collect();
                let part = part(texts, after.as_deref(), limit, |entry: &Named| entry.0).unwrap();
                seen.extend(part.items.iter().map(|entry| entry.0));
                match part.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            assert_eq!(seen, all, "{limit}");
        }
        assert!(part(Vec::new(), Some("AAAA"), 1, |entry: &Named| entry.0).is_err());
    }

    #[derive(ToSchema)]
    struct Named(Uuid);
}
