use super::super::csv;
use super::context::PageContext;
use super::convert::{LicenseCard, LicenseState, SeatRow};
use super::form::PageQuery;
use super::pages::{Moment, Shell, ShortId, StatusBadge};
use super::{PageResult, convert, show};
use crate::domain::EMAIL_MAX;
use crate::http::api::schema::UsedLately;
use crate::service::{SeatCursor, SeatQuery};
use askama::Template;
use seatlock_protocol::UnixTime;
use serde::Deserialize;
use uuid::Uuid;

/// `/seats`.
#[derive(Debug, Clone, Template)]
#[template(path = "seats.html")]
pub struct SeatsPage {
    pub shell: Shell,
    /// For an admin of a server whose database was restored, as long as that matters.
    pub recovery: Option<RecoveryNotice>,
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
    pub license: Option<ShortId>,
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

    /// The chosen use as it stands in the address.
    #[must_use]
    pub fn used_value(&self) -> &'static str {
        self.used.map_or("", used_value)
    }

    /// Whether `license` is the chosen one.
    #[must_use]
    pub fn has_license(&self, license: &ShortId) -> bool {
        self.license.as_ref() == Some(license)
    }

    /// The chosen license as it stands in the address.
    #[must_use]
    pub fn license_value(&self) -> String {
        self.license.map_or_else(String::new, |license| license.to_string())
    }
}

/// Whether a seat was used lately, as it stands in the address.
fn used_value(used: UsedLately) -> &'static str {
    match used {
        UsedLately::Lately => "lately",
        UsedLately::NotLately => "not_lately",
    }
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

/// Seats on one page.
const ON_A_PAGE: u32 = 50;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct SeatsPageQuery {
    q: String,
    status: String,
    used: String,
    license: String,
    after: String,
}

impl SeatsPageQuery {
    /// What is not understood narrows nothing: addresses are typed by people, too.
    fn filter(&self) -> SeatFilter {
        let search = self.q.trim();
        SeatFilter {
            search: search.get(..search.floor_char_boundary(EMAIL_MAX)).unwrap_or_default().to_owned(),
            status: StatusBadge::ALL.into_iter().find(|status| status.value() == self.status),
            used: [UsedLately::Lately, UsedLately::NotLately]
                .into_iter()
                .find(|used| used_value(*used) == self.used),
            license: Uuid::parse_str(&self.license).ok().map(ShortId),
        }
    }

    fn query(&self, account: Option<Uuid>, now: UnixTime) -> SeatQuery {
        let filter = self.filter();
        SeatQuery {
            account,
            license: filter.license.map(|license| license.0),
            status: filter.status.map(|status| status.0),
            used: filter.used.map(|used| used.at(now)),
            search: Some(filter.search).filter(|search| !search.is_empty()),
            after: read(&self.after),
            limit: ON_A_PAGE,
        }
    }
}

pub(super) async fn list(context: PageContext, PageQuery(narrowed): PageQuery<SeatsPageQuery>) -> PageResult {
    let now = context.now().await?;
    let service = context.service();
    let licenses = service.licenses(context.account()).await?;
    let query = narrowed.query(context.account(), now);
    let total = service.count_seats(query.clone()).await?;
    let recovery = if context.is_admin { service.recovery().await? } else { None };
    let first_page = query.after.is_none();
    let page = service.seats(query).await?;
    show(&SeatsPage {
        shell: context.shell(),
        recovery: recovery.map(|recovery| RecoveryNotice {
            known_until: recovery.restored.known_until.into(),
            until: recovery.restored.until.into(),
            recovered: recovery.recovered,
        }),
        licenses: licenses.iter().map(|license| convert::card(&context.state, license, now)).collect(),
        filter: narrowed.filter(),
        total,
        first_page,
        next: page.rows.last().filter(|_| page.more).map(|last| write(last.cursor())),
        seats: page.rows.iter().map(|listed| convert::row(listed, &licenses, now)).collect(),
    })
}

pub(super) async fn table(
    context: PageContext,
    PageQuery(narrowed): PageQuery<SeatsPageQuery>,
) -> PageResult {
    let query = narrowed.query(context.account(), context.now().await?);
    Ok(csv::seats(context.state, context.who, query).await?)
}

/// A place in the list, as it stands in addresses.
fn write(place: SeatCursor) -> String {
    format!("{}.{}", place.created_at.seconds(), place.id)
}

fn read(text: &str) -> Option<SeatCursor> {
    let (moment, id) = text.split_once('.')?;
    let created_at = UnixTime::new(moment.parse().ok()?)?;
    Some(SeatCursor { created_at, id: Uuid::parse_str(id).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_written_and_nothing_else_is() {
        let place = SeatCursor { created_at: UnixTime::new(1_795_338_000).unwrap(), id: Uuid::new_v4() };
        assert_eq!(read(&write(place)), Some(place));
        for text in ["", ".", "1.", "x.x", "99999999999999999999.00000000-0000-0000-0000-000000000000"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_search_is_cut_between_characters() {
        let narrowed = SeatsPageQuery { q: "ä".repeat(200), ..SeatsPageQuery::default() };
        assert_eq!(narrowed.filter().search, "ä".repeat(127));
    }
}
