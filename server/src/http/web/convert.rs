use super::super::AppState;
use super::context::PageContext;
use super::error::WebError;
use super::pages::{Moment, SeatName, ShortId, StatusBadge};
use crate::domain::{License, Seat, SeatState, SuppliedIds, date};
use crate::service::{AuditRow, ListedSeat};
use seatlock_protocol::{MachineId, MachineSource, UnixTime, claims::EntitlementClaim};
use std::collections::HashMap;
use uuid::Uuid;

/// An entry of the audit trail.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    pub row: u64,
    pub at: Moment,
    pub actor: AuditActor,
    /// The event's name, such as `released_by_owner`.
    pub event: String,
    /// The seat, unless it is about something else.
    pub seat: Option<SeatName>,
    /// The machine that it happened to.
    pub machine: Option<MachineId>,
    /// What else is worth saying, such as the name of an API token that was made.
    pub note: Option<String>,
}

impl AuditEntry {
    /// The event in words; its name when there are none.
    #[must_use]
    pub fn what(&self) -> &str {
        match self.event.as_str() {
            "created" => "Seat created",
            "activated" => "Activated",
            "rebound" => "Taken back at start",
            "released_by_owner" => "Released by the owner",
            "released_by_machine" => "Given back by its computer",
            "auto_released" => "Released for inactivity",
            "drained" => "Place freed after release",
            "refreshed" => "Token replaced",
            "revoked" => "Closed for good",
            "clone_suspected" => "Second copy suspected",
            "epoch_raised" => "Brought up to date after a restore",
            "recovered" => "Hold proved after a restore",
            "restored" => "Server restored from a backup",
            "pepper_replaced" => "Pepper replaced: old tokens are unknown",
            "issuer_added" => "Sign-in service added",
            "issuer_changed" => "Sign-in service changed",
            "issuer_removed" => "Sign-in service removed",
            "audit_cut" => "Old entries removed",
            "addresses_erased" => "Addresses of closed seats erased",
            "person_erased" => "Person erased",
            "license_created" => "License added",
            "license_changed" => "License changed",
            "account_created" => "Account added",
            "plan_set" => "Plan changed",
            "user_added" => "User added",
            "user_disabled" => "User disabled",
            "user_enabled" => "User enabled again",
            "role_changed" => "Role changed",
            "shared" => "One-time link made",
            "share_opened" => "One-time link opened",
            "signed_in" => "Signed in",
            "password_changed" => "Password changed",
            "api_token_created" => "API token created",
            "api_token_deleted" => "API token deleted",
            other => other,
        }
    }

    /// How it is coloured.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self.event.as_str() {
            "revoked" | "clone_suspected" => "danger",
            "refreshed" | "released_by_owner" | "api_token_deleted" => "warning",
            "activated" | "rebound" => "good",
            _ => "calm",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditActor {
    Plugin,
    /// The server, because time had passed.
    System,
    /// A user who can open the data folder.
    Console,
    User {
        email: String,
        /// Name of the API token that was used.
        token: Option<String>,
    },
}

/// A license and how much of it is used.
#[derive(Debug, Clone)]
pub struct LicenseCard {
    pub id: ShortId,
    /// Name of its plan, as people write it.
    pub plan: String,
    /// What it is for.
    pub products: Vec<String>,
    /// When its subscription ends, in words, if that is soon.
    pub ends_in: Option<String>,
    /// What it and its plan entitle to, in words.
    pub entitlements: Vec<String>,
    pub in_use: u32,
    /// Seats that may be in use, and tokens that may exist.
    pub seats_max: u32,
    pub tokens: u32,
    /// End of the subscription.
    pub expires_at: Option<Moment>,
    /// End of the updates.
    pub updates_until: Option<Moment>,
    /// Whether it serves plug-ins now.
    pub state: LicenseState,
}

impl LicenseCard {
    /// Whether another token can be made.
    #[must_use]
    pub fn can_create(&self) -> bool {
        self.state == LicenseState::Active && self.tokens < self.seats_max
    }

    /// Tokens for which there is no seat any more.
    #[must_use]
    pub fn too_many(&self) -> u32 {
        self.tokens.saturating_sub(self.seats_max)
    }

    /// Share of the seats that are in use, 0 to 100.
    #[must_use]
    pub fn percent(&self) -> u64 {
        (u64::from(self.in_use) * 100).checked_div(u64::from(self.seats_max)).unwrap_or(0).min(100)
    }

    /// Whether no seat is left.
    #[must_use]
    pub fn full(&self) -> bool {
        self.in_use >= self.seats_max
    }
}

/// Whether a license serves plug-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LicenseState {
    Active,
    /// The subscription is paused.
    Suspended(Moment),
    /// The subscription is over.
    Ended(Moment),
    /// Its plan carries no seats.
    WithoutSeats,
}

/// A seat in the list.
#[derive(Debug, Clone)]
pub struct SeatRow {
    pub id: ShortId,
    /// Who was given its token.
    pub shared_with: String,
    /// The machine that holds it, or that may still work offline.
    pub machine: Option<MachineId>,
    /// Whether that machine's id was supplied, and the license minds.
    pub supplied_id: bool,
    pub status: StatusBadge,
    /// When its token was used last.
    pub last_used_at: Option<Moment>,
    /// When it was used without a network last, as far as reported.
    pub last_offline_at: Option<Moment>,
    /// Until when its machine may work offline.
    pub lease_until: Option<Moment>,
    /// When a second copy of an installation was seen last.
    pub clone_suspected_at: Option<Moment>,
}

const DAY: u64 = 86_400;
/// Days before the end of a subscription from which on the page says so.
const ENDS_SOON: u64 = 30;

/// Who holds a seat, as far as it still matters.
pub(super) struct Hold {
    /// The machine that holds it, or may still work offline.
    pub(super) machine: Option<MachineId>,
    /// Since when it is held.
    pub(super) since: Option<Moment>,
    /// Until when that machine may work offline.
    pub(super) lease_until: Option<Moment>,
    /// Whether it was released and still takes a place.
    pub(super) draining: bool,
    /// Whether that machine's id was supplied.
    pub(super) supplied: bool,
}

pub(super) fn hold(seat: &Seat, now: UnixTime) -> Hold {
    let nobody = Hold { machine: None, since: None, lease_until: None, draining: false, supplied: false };
    match &seat.state {
        SeatState::InUse(held) => Hold {
            machine: Some(held.machine.clone()),
            since: Some(held.since.into()),
            lease_until: (held.lease_until > now).then(|| held.lease_until.into()),
            draining: false,
            supplied: held.source == MachineSource::Supplied,
        },
        SeatState::Released(Some(left)) if left.until > now => Hold {
            machine: Some(left.machine.clone()),
            lease_until: Some(left.until.into()),
            draining: left.counted,
            supplied: left.source == MachineSource::Supplied,
            ..nobody
        },
        _ => nobody,
    }
}

pub(super) fn name(seat: &Seat) -> SeatName {
    SeatName {
        id: ShortId(seat.id),
        shared_with: seat.shared_with.clone(),
        signs_in_at: seat.identity.as_ref().map(|identity| identity.issuer.clone()),
    }
}

pub(super) fn row(listed: &ListedSeat, licenses: &[License], now: UnixTime) -> SeatRow {
    let (seat, hold) = (&listed.seat, hold(&listed.seat, now));
    SeatRow {
        id: ShortId(seat.id),
        shared_with: seat.shared_with.clone(),
        machine: hold.machine,
        supplied_id: hold.supplied
            && licenses
                .iter()
                .any(|license| license.id == seat.license && license.supplied_ids != SuppliedIds::Allow),
        status: StatusBadge(seat.lock_status()),
        last_used_at: seat.last_used_at.map(Moment::from),
        last_offline_at: seat.last_offline_at.map(Moment::from),
        lease_until: hold.lease_until,
        clone_suspected_at: seat.clone_suspected_at.map(Moment::from),
    }
}

pub(super) fn card(state: &AppState, license: &License, now: UnixTime) -> LicenseCard {
    LicenseCard {
        id: ShortId(license.id),
        plan: plan(license),
        products: products(state, license),
        ends_in: license.expires_at.and_then(|end| ends_in(end, now)),
        entitlements: license
            .granted()
            .iter()
            .map(|(name, granted)| entitlement(name, granted, now))
            .collect(),
        in_use: license.in_use,
        seats_max: license.seats_max,
        tokens: license.tokens,
        expires_at: license.expires_at.map(Moment::from),
        updates_until: license.updates_until.map(Moment::from),
        state: license_state(license, now),
    }
}

/// `cad`, `export.max: 25`, `trial until 2027-01-31`, `trial ended on 2026-01-31`.
fn entitlement(name: &str, granted: &EntitlementClaim, now: UnixTime) -> String {
    let value = granted.value.map(|value| format!(": {value}")).unwrap_or_default();
    let end = granted.until.map(|end| {
        let word = if end > now { "until" } else { "ended on" };
        format!(" {word} {}", date(end))
    });
    format!("{name}{value}{}", end.unwrap_or_default())
}

/// Whether a license serves plug-ins. What ended is told before what is only paused.
pub(super) fn license_state(license: &License, now: UnixTime) -> LicenseState {
    match (license.expires_at.filter(|end| *end <= now), license.suspended_at) {
        _ if !license.plan.carries_seats => LicenseState::WithoutSeats,
        (Some(end), _) => LicenseState::Ended(end.into()),
        (None, Some(since)) => LicenseState::Suspended(since.into()),
        (None, None) => LicenseState::Active,
    }
}

/// How long a subscription still lasts, when it is time to say so.
fn ends_in(end: UnixTime, now: UnixTime) -> Option<String> {
    match end.since(now) / DAY {
        _ if end <= now => None,
        0 => Some("in less than a day".to_owned()),
        1 => Some("in 1 day".to_owned()),
        days @ 2..ENDS_SOON => Some(format!("in {days} days")),
        _ => None,
    }
}

/// What a license is for, as people call it.
pub(super) fn products(state: &AppState, license: &License) -> Vec<String> {
    let names = &state.settings.product_names;
    license.products.iter().map(|id| names.get(id).unwrap_or(id).clone()).collect()
}

/// A plan's name as people write it.
pub(super) fn plan(license: &License) -> String {
    let mut characters = license.plan.name.chars();
    let first: String = characters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    first + characters.as_str()
}

/// Entries of the audit trail, with whom their seats are shared.
pub(super) async fn entries(context: &PageContext, rows: Vec<AuditRow>) -> Result<Vec<AuditEntry>, WebError> {
    let seats = context.service().seats_of(rows.iter().filter_map(|row| row.seat).collect()).await?;
    let names: HashMap<Uuid, SeatName> = seats.iter().map(|seat| (seat.id, name(seat))).collect();
    Ok(rows.into_iter().map(|row| entry(row, &names)).collect())
}

fn entry(row: AuditRow, names: &HashMap<Uuid, SeatName>) -> AuditEntry {
    AuditEntry {
        row: row.id,
        at: row.at.into(),
        note: note(&row),
        actor: actor(&row),
        event: row.event,
        seat: row.seat.and_then(|id| names.get(&id).cloned()),
        machine: row.machine,
    }
}

fn actor(row: &AuditRow) -> AuditActor {
    match (row.actor.as_str(), &row.actor_name) {
        ("user", Some(email)) => AuditActor::User { email: email.clone(), token: row.api_token.clone() },
        ("console", _) => AuditActor::Console,
        ("plugin", _) => AuditActor::Plugin,
        _ => AuditActor::System,
    }
}

/// What else is worth saying of an entry.
fn note(row: &AuditRow) -> Option<String> {
    let detail = row.detail.as_ref()?;
    let text = |member: &str| detail.get(member).and_then(|value| value.as_str()).map(str::to_owned);
    match row.event.as_str() {
        "license_created" | "license_changed" => {
            let seats = detail.get("seats_max").and_then(serde_json::Value::as_u64)?;
            Some(format!("{}, {seats} seats", text("plan")?))
        }
        "signed_in" => text("address").map(|address| format!("from {address}")),
        "activated" | "rebound" | "recovered" => {
            detail.get("machine_source").map(|_| "the computer's id was supplied".to_owned())
        }
        "clone_suspected" => {
            let installs = detail.get("installations").and_then(serde_json::Value::as_u64)?;
            Some(format!("{installs} installations use one computer's id"))
        }
        "refreshed" => {
            let (from, to) = (text("from")?, text("to")?);
            (from != to).then(|| format!("from {from} to {to}"))
        }
        _ => text("name").or_else(|| text("email")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_that_ends_soon() {
        let at = |seconds| UnixTime::new(seconds).unwrap();
        for (seconds, words) in [
            (0, None),
            (1, Some("in less than a day")),
            (86_399, Some("in less than a day")),
            (86_400, Some("in 1 day")),
            (172_800, Some("in 2 days")),
            (30 * 86_400 - 1, Some("in 29 days")),
            (30 * 86_400, None),
        ] {
            assert_eq!(ends_in(at(1000 + seconds), at(1000)).as_deref(), words, "{seconds}");
        }
    }
}
