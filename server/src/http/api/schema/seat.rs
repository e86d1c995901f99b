use super::{SecretText, Timestamp};
use crate::domain::{LATELY, SeatState};
use crate::service::{ListedSeat, Used};
use seatlock_protocol::{MachineSource, UnixTime, api::LockStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Lock status of a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum SeatStatus {
    /// No machine ever held it.
    NeverUsed,
    /// A machine holds it.
    InUse,
    /// It was given back, by hand or for inactivity.
    Released,
    /// Its token was revoked for good.
    Closed,
}

impl From<LockStatus> for SeatStatus {
    fn from(status: LockStatus) -> Self {
        match status {
            LockStatus::NeverUsed => Self::NeverUsed,
            LockStatus::InUse => Self::InUse,
            LockStatus::Released => Self::Released,
            LockStatus::Closed => Self::Closed,
        }
    }
}

impl From<SeatStatus> for LockStatus {
    fn from(status: SeatStatus) -> Self {
        match status {
            SeatStatus::NeverUsed => Self::NeverUsed,
            SeatStatus::InUse => Self::InUse,
            SeatStatus::Released => Self::Released,
            SeatStatus::Closed => Self::Closed,
        }
    }
}

/// Whether a seat was used in the last 14 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum UsedLately {
    /// It was.
    Lately,
    /// It was not, or never.
    NotLately,
}

impl UsedLately {
    /// As it is looked for at this moment.
    #[must_use]
    pub fn at(self, now: UnixTime) -> Used {
        match self {
            Self::Lately => Used::Since(now.minus(LATELY)),
            Self::NotLately => Used::NotSince(now.minus(LATELY)),
        }
    }
}

/// Where a machine's id came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum IdSource {
    /// The operating system.
    Os,
    /// The host, or the variable `SEATLOCK_MACHINE_ID`.
    Supplied,
}

impl From<MachineSource> for IdSource {
    fn from(source: MachineSource) -> Self {
        match source {
            MachineSource::Os => Self::Os,
            MachineSource::Supplied => Self::Supplied,
        }
    }
}

/// A seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeatJson {
    /// The seat, never its token.
    pub id: Uuid,
    /// The license that it belongs to.
    pub license: Uuid,
    /// Who was given the token.
    pub shared_with: String,
    /// The sign-in service of its user, if he signs in instead of entering a token.
    pub issuer: Option<String>,
    /// Who that service says he is.
    pub subject: Option<String>,
    /// Who holds it.
    pub lock_status: SeatStatus,
    /// Id of the machine that holds it, or whose lease outlives its hold.
    pub machine: Option<String>,
    /// That id as people read it, such as `YBWE-SEZM`.
    pub machine_short: Option<String>,
    /// Where that id came from: the operating system, or the host or `SEATLOCK_MACHINE_ID`, which
    /// may supply the same one on any number of computers.
    pub machine_source: Option<IdSource>,
    /// Installations that were given a lease of the present hold: users of one computer and
    /// plug-ins beside each other, or copies.
    pub installations: u32,
    /// Rises with every bind, release, refresh and revoke.
    pub epoch: u64,
    /// When the machine took the seat.
    pub since: Option<Timestamp>,
    /// Until when the machine may still work without the server.
    pub lease_until: Option<Timestamp>,
    /// When the token was last used.
    pub last_used_at: Option<Timestamp>,
    /// Last use without the server, as far as reported.
    pub last_offline_at: Option<Timestamp>,
    /// Times that a host was started with it, as far as reported.
    pub launches: u64,
    /// When a second copy of an installation was seen last.
    pub clone_suspected_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<&ListedSeat> for SeatJson {
    fn from(listed: &ListedSeat) -> Self {
        let seat = &listed.seat;
        let (machine, since, lease_until) = match &seat.state {
            SeatState::InUse(held) => (Some(&held.machine), Some(held.since), Some(held.lease_until)),
            SeatState::Released(Some(left)) => (Some(&left.machine), Some(left.since), Some(left.until)),
            _ => (None, None, None),
        };
        Self {
            id: seat.id,
            license: seat.license,
            shared_with: seat.shared_with.clone(),
            issuer: seat.identity.as_ref().map(|identity| identity.issuer.clone()),
            subject: seat.identity.as_ref().map(|identity| identity.subject.clone()),
            lock_status: seat.lock_status().into(),
            machine: machine.map(|machine| machine.as_str().to_owned()),
            machine_short: machine.map(|machine| machine.short()),
            machine_source: seat.source().map(IdSource::from),
            installations: listed.installs,
            epoch: seat.epoch,
            since: since.map(Timestamp),
            lease_until: lease_until.map(Timestamp),
            last_used_at: seat.last_used_at.map(Timestamp),
            last_offline_at: seat.last_offline_at.map(Timestamp),
            launches: seat.launches,
            clone_suspected_at: seat.clone_suspected_at.map(Timestamp),
            created_at: Timestamp(listed.created_at),
        }
    }
}

/// A seat to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "artist@example.com" }))]
pub struct NewSeatRequest {
    /// E-mail address of the person who is given the token.
    #[schema(pattern = r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^\s\x00-\x1f\x7f-\x9f]+$", max_length = 254)]
    pub email: String,
    /// The license; may be left out when there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<Uuid>,
}

/// Whom the new token of a seat is for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "successor@example.com" }))]
pub struct RefreshRequest {
    /// E-mail address of the person who is given the new token; whom the seat was shared with when
    /// it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^\s\x00-\x1f\x7f-\x9f]+$", max_length = 254)]
    pub email: Option<String>,
}

/// A seat that was made, and its token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedSeatJson {
    /// The seat.
    #[serde(flatten)]
    pub seat: SeatJson,
    /// The integration token.
    pub token: SecretText,
}

/// What became of a seat.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SeatActionJson {
    /// The seat afterwards; in a dry run as it is.
    #[serde(flatten)]
    pub seat: SeatJson,
    /// Whether something was changed.
    pub changed: bool,
    /// Whether there is something to change: false for what was done before.
    pub would_change: bool,
    /// Whether it was only asked what would happen.
    pub dry_run: bool,
    /// The new integration token, after a refresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretText>,
}
