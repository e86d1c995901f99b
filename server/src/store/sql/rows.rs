use crate::crypto::seal::Hash;
use crate::domain::{
    Entitlements, Holding, Installation, Overlap, Seat, SeatState, entitlement_parts, entitlement_word,
};
use crate::store::db::DbRow;
use crate::store::{ListedSeat, StoreError};
use seatlock_protocol::{Identity, MachineSource, UnixTime, claims::EntitlementClaim};

/// Columns that [`seat`] reads; the table is called `s`.
macro_rules! seat_columns {
    () => {
        "s.id AS seat_id, s.license_id AS seat_license_id, s.shared_with, s.epoch, s.state, s.machine, s.machine_source, s.since, \
         s.last_ping, s.lease_until, s.counted, s.last_used_at, s.last_offline_at, s.launches, s.terms AS seat_terms, \
         s.clone_suspected_at, s.issuer AS seat_issuer, s.subject AS seat_subject"
    };
}

/// Columns that [`install`] reads; the table is called `i`.
macro_rules! install_columns {
    () => {
        "i.id AS install_id, i.presented AS install_presented, i.first_handed_out AS install_first, \
         i.newest_handed_out AS install_newest, i.retired_from AS install_retired_from, \
         i.retired_at AS install_retired_at, i.asked_at AS install_asked_at, \
         i.round_first AS install_round_first, i.round_newest AS install_round_newest, i.splits AS install_splits"
    };
}

pub(in crate::store) use super::license_row::{license, license_columns};
/// Columns that [`listed`] reads beside [`seat_columns`].
macro_rules! listed_columns {
    () => {
        "s.created_at AS seat_created_at, (SELECT count(*) FROM install o WHERE o.seat_id = s.id \
         AND s.state = 'in_use' AND o.asked_at >= s.since) AS installs"
    };
}

pub(in crate::store) use {install_columns, listed_columns, seat_columns};

pub(super) type Read<T> = Result<T, StoreError>;

pub(in crate::store) fn seat(row: &DbRow) -> Read<Seat> {
    Ok(Seat {
        id: parsed(row, "seat_id")?,
        license: parsed(row, "seat_license_id")?,
        shared_with: row.try_get("shared_with")?,
        identity: identity(row)?,
        epoch: unsigned(row, "epoch")?,
        state: state(row)?,
        last_used_at: time(row, "last_used_at")?,
        last_offline_at: time(row, "last_offline_at")?,
        launches: unsigned(row, "launches")?,
        terms: row.try_get("seat_terms")?,
        clone_suspected_at: time(row, "clone_suspected_at")?,
    })
}

/// Whose seat it is, if its user signs in.
fn identity(row: &DbRow) -> Read<Option<Identity>> {
    let (issuer, subject): (Option<String>, Option<String>) =
        (row.try_get("seat_issuer")?, row.try_get("seat_subject")?);
    Ok(issuer.zip(subject).map(|(issuer, subject)| Identity { issuer, subject }))
}

/// A seat with the columns of `listed_columns` beside its own.
pub(in crate::store) fn listed(row: &DbRow) -> Read<ListedSeat> {
    let installs = count(row, "installs")?;
    Ok(ListedSeat { seat: seat(row)?, created_at: moment(row, "seat_created_at")?, installs })
}

fn state(row: &DbRow) -> Read<SeatState> {
    let must = |name| moment(row, name);
    match row.try_get::<&str>("state")? {
        "never_used" => Ok(SeatState::NeverUsed),
        "closed" => Ok(SeatState::Closed),
        "in_use" => Ok(SeatState::InUse(Holding {
            machine: parsed(row, "machine")?,
            source: source(row)?,
            since: must("since")?,
            last_ping: must("last_ping")?,
            lease_until: must("lease_until")?,
        })),
        "released" if row.try_get::<Option<&str>>("machine")?.is_none() => Ok(SeatState::Released(None)),
        "released" => Ok(SeatState::Released(Some(Overlap {
            machine: parsed(row, "machine")?,
            source: source(row)?,
            since: must("since")?,
            until: must("lease_until")?,
            counted: row.try_get("counted")?,
        }))),
        _ => Err(StoreError::Unexpected("seat.state")),
    }
}

fn source(row: &DbRow) -> Read<MachineSource> {
    match row.try_get::<&str>("machine_source")? {
        "os" => Ok(MachineSource::Os),
        "supplied" => Ok(MachineSource::Supplied),
        _ => Err(StoreError::Unexpected("seat.machine_source")),
    }
}

/// As people, programs and tables name where a machine's id came from.
pub(in crate::store) fn source_name(source: MachineSource) -> &'static str {
    match source {
        MachineSource::Os => "os",
        MachineSource::Supplied => "supplied",
    }
}

/// The installation of a row of a LEFT JOIN, which is empty for a new installation.
pub(in crate::store) fn install(row: &DbRow) -> Read<Option<Installation>> {
    if row.try_get::<Option<&str>>("install_id")?.is_none() {
        return Ok(None);
    }
    let number = |name| -> Read<Option<u64>> {
        let number: Option<i64> = row.try_get(name)?;
        number.map(u64::try_from).transpose().map_err(|_| StoreError::Unexpected(name))
    };
    Ok(Some(Installation {
        id: parsed(row, "install_id")?,
        presented: number("install_presented")?,
        handed_out: unsigned(row, "install_first")?..=unsigned(row, "install_newest")?,
        retired_from: unsigned(row, "install_retired_from")?,
        retired_at: moment(row, "install_retired_at")?,
        asked_at: moment(row, "install_asked_at")?,
        round_first: number("install_round_first")?,
        round_newest: unsigned(row, "install_round_newest")?,
        splits: count(row, "install_splits")?,
    }))
}

/// A database's integers are signed; everything that is counted here stays far below their limit.
pub(in crate::store) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(in crate::store) fn unsigned(row: &DbRow, name: &'static str) -> Read<u64> {
    u64::try_from(row.try_get::<i64>(name)?).map_err(|_| StoreError::Unexpected(name))
}

pub(in crate::store) fn count(row: &DbRow, name: &'static str) -> Read<u32> {
    u32::try_from(row.try_get::<i64>(name)?).map_err(|_| StoreError::Unexpected(name))
}

pub(in crate::store) fn time(row: &DbRow, name: &'static str) -> Read<Option<UnixTime>> {
    let seconds: Option<i64> = row.try_get(name)?;
    seconds.map(|seconds| UnixTime::new(seconds).ok_or(StoreError::Unexpected(name))).transpose()
}

/// A time that is always there.
pub(in crate::store) fn moment(row: &DbRow, name: &'static str) -> Read<UnixTime> {
    time(row, name)?.ok_or(StoreError::Unexpected(name))
}

/// 32 bytes.
pub(in crate::store) fn hash(row: &DbRow, name: &'static str) -> Read<Hash> {
    row.try_get::<&[u8]>(name)?.try_into().map_err(|_| StoreError::Unexpected(name))
}

pub(in crate::store) fn parsed<T: std::str::FromStr>(row: &DbRow, name: &'static str) -> Read<T> {
    row.try_get::<&str>(name)?.parse().map_err(|_| StoreError::Unexpected(name))
}

pub(in crate::store) fn optional<T: std::str::FromStr>(row: &DbRow, name: &'static str) -> Read<Option<T>> {
    row.try_get::<Option<&str>>(name)?.map(|_| parsed(row, name)).transpose()
}

pub(super) fn words(row: &DbRow, name: &'static str) -> Read<Vec<String>> {
    Ok(row.try_get::<&str>(name)?.split_whitespace().map(str::to_owned).collect())
}

/// As [`entitlement_words`] writes them.
pub(in crate::store) fn entitlements(row: &DbRow, name: &'static str) -> Read<Entitlements> {
    let read = |word: String| {
        let (title, value, until) = entitlement_parts(&word);
        let value = value.map(str::parse).transpose().ok()?;
        let until = until.map(|end| end.parse().ok().and_then(UnixTime::new).ok_or(())).transpose().ok()?;
        Some((title.to_owned(), EntitlementClaim { value, until }))
    };
    words(row, name)?.into_iter().map(read).collect::<Option<_>>().ok_or(StoreError::Unexpected(name))
}

/// `cad export.max=25@1798761600`: no name has a blank, = or @ in it.
pub(in crate::store) fn entitlement_words(entitlements: &Entitlements) -> String {
    let seconds = |end: UnixTime| end.seconds().to_string();
    let word = |(name, granted): (&String, &EntitlementClaim)| entitlement_word(name, granted, seconds);
    entitlements.iter().map(word).collect::<Vec<_>>().join(" ")
}
