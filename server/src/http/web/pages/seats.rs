use super::{Id, Moment, Shell, StatusBadge};
use crate::http::api::schema::UsedLately;
use askama::Template;
use seatlock_protocol::MachineId;

/// `/seats`.
#[derive(Debug, Clone, Template)]
#[template(path = "seats.html")]
pub struct SeatsPage {
    /// The frame.
    pub shell: Shell,
    /// For an admin of a server whose database was restored, as long as that matters.
    pub recovery: Option<RecoveryNotice>,
    /// The account's licenses.
    pub licenses: Vec<LicenseCard>,
    /// What the list is narrowed to.
    pub filter: SeatFilter,
    /// One page of seats, newest first.
    pub seats: Vec<SeatRow>,
    /// How many there are on all pages.
    pub total: u64,
    /// Whether the newest seats are on this page.
    pub first_page: bool,
    /// Cursor of the older ones, if there are any.
    pub next: Option<String>,
}

/// What became of the time between a backup and its restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryNotice {
    /// The newest moment that the backup knew of.
    pub known_until: Moment,
    /// When the last lease ends that the database may not know of.
    pub until: Moment,
    /// Seats whose machines proved that they hold them.
    pub recovered: u64,
}

/// A license and how much of it is used.
#[derive(Debug, Clone)]
pub struct LicenseCard {
    /// The license.
    pub id: Id,
    /// Name of its plan, as people write it.
    pub plan: String,
    /// What it is for.
    pub products: Vec<String>,
    /// When its subscription ends, in words, if that is soon.
    pub ends_in: Option<String>,
    /// What it and its plan entitle to, in words.
    pub entitlements: Vec<String>,
    /// Seats in use.
    pub in_use: u32,
    /// Seats that may be in use, and tokens that may exist.
    pub seats_max: u32,
    /// Tokens that exist.
    pub tokens: u32,
    /// End of the subscription.
    pub expires_at: Option<Moment>,
    /// End of the updates.
    pub updates_until: Option<Moment>,
    /// Whether it serves plug-ins now.
    pub state: LicenseState,
}

/// Whether a license serves plug-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LicenseState {
    /// It does.
    Active,
    /// The subscription is paused.
    Suspended(Moment),
    /// The subscription is over.
    Ended(Moment),
    /// Its plan carries no seats.
    WithoutSeats,
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

/// What the list is narrowed to, as it stands in the address.
#[derive(Debug, Clone, Default)]
pub struct SeatFilter {
    /// Part of an e-mail address, a seat's id, or the short form of a machine.
    pub search: String,
    /// Only seats in this status.
    pub status: Option<StatusBadge>,
    /// Only seats that were used lately, or were not.
    pub used: Option<UsedLately>,
    /// Only seats of this license.
    pub license: Option<Id>,
}

impl SeatFilter {
    /// Whether it lets everything through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.search.is_empty() && self.status.is_none() && self.used.is_none() && self.license.is_none()
    }

    /// Whether `status` is the chosen one.
    #[must_use]
    pub fn has_status(&self, status: &StatusBadge) -> bool {
        self.status.as_ref() == Some(status)
    }

    /// The chosen status as it stands in the address.
    #[must_use]
    pub fn status_value(&self) -> &'static str {
        self.status.map_or("", |status| status.value())
    }

    /// Whether the seats that were used lately, or were not, are chosen, as it stands in the
    /// address.
    #[must_use]
    pub fn used_value(&self) -> &'static str {
        self.used.map_or("", used_value)
    }

    /// Whether `license` is the chosen one.
    #[must_use]
    pub fn has_license(&self, license: &Id) -> bool {
        self.license.as_ref() == Some(license)
    }

    /// The chosen license as it stands in the address.
    #[must_use]
    pub fn license_value(&self) -> String {
        self.license.map_or_else(String::new, |license| license.to_string())
    }
}

/// Whether a seat was used lately, as it stands in the address.
#[must_use]
pub fn used_value(used: UsedLately) -> &'static str {
    match used {
        UsedLately::Lately => "lately",
        UsedLately::NotLately => "not_lately",
    }
}

/// A seat in the list.
#[derive(Debug, Clone)]
pub struct SeatRow {
    /// The seat.
    pub id: Id,
    /// Who was given its token.
    pub shared_with: String,
    /// The machine that holds it, or that may still work offline.
    pub machine: Option<MachineId>,
    /// Whether that machine's id was supplied, and the license minds.
    pub supplied_id: bool,
    /// Who holds it.
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

/// Why a list of seats is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyList {
    /// The account has no license.
    NoLicense,
    /// No plan carries seats.
    NoSeatsInPlan,
    /// No seat was made yet.
    NoSeats,
    /// None fits the filter.
    NothingFound,
}

impl SeatsPage {
    /// Whether a seat can be made on any license.
    #[must_use]
    pub fn can_create(&self) -> bool {
        self.licenses.iter().any(LicenseCard::can_create)
    }

    /// Whether any license carries seats at all.
    #[must_use]
    pub fn has_seat_plan(&self) -> bool {
        self.licenses.iter().any(|license| license.state != LicenseState::WithoutSeats)
    }

    /// Whether every license that serves has issued as many tokens as it has seats. Too many are
    /// told of elsewhere.
    #[must_use]
    pub fn all_issued(&self) -> bool {
        let mut active =
            self.licenses.iter().filter(|license| license.state == LicenseState::Active).peekable();
        active.peek().is_some() && active.all(|license| license.tokens == license.seats_max)
    }

    /// Whether a license must be told from another one.
    #[must_use]
    pub fn several_licenses(&self) -> bool {
        self.licenses.len() > 1
    }

    /// Why there is nothing to list.
    #[must_use]
    pub fn empty(&self) -> Option<EmptyList> {
        let narrowed = !self.filter.is_empty() || !self.first_page;
        match () {
            () if !self.seats.is_empty() => None,
            () if narrowed => Some(EmptyList::NothingFound),
            () if self.licenses.is_empty() => Some(EmptyList::NoLicense),
            () if !self.has_seat_plan() => Some(EmptyList::NoSeatsInPlan),
            () => Some(EmptyList::NoSeats),
        }
    }
}
