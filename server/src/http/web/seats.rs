use super::super::csv;
use super::form::Asked;
use super::visit::Visit;
use super::{Shown, show, shown};
use crate::domain::EMAIL_MAX;
use crate::http::api::schema::UsedLately;
use crate::http::web::pages::{Id, RecoveryNotice, SeatFilter, SeatsPage, StatusBadge, used_value};
use crate::store::{SeatCursor, SeatQuery};
use seatlock_protocol::UnixTime;
use serde::Deserialize;
use uuid::Uuid;

/// Seats on one page.
const ON_A_PAGE: u32 = 50;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Narrowed {
    q: String,
    status: String,
    used: String,
    license: String,
    after: String,
}

impl Narrowed {
    /// What is not understood narrows nothing: addresses are typed by people, too.
    fn filter(&self) -> SeatFilter {
        let search = self.q.trim();
        SeatFilter {
            search: search.get(..search.floor_char_boundary(EMAIL_MAX)).unwrap_or_default().to_owned(),
            status: StatusBadge::ALL.into_iter().find(|status| status.value() == self.status),
            used: [UsedLately::Lately, UsedLately::NotLately]
                .into_iter()
                .find(|used| used_value(*used) == self.used),
            license: Uuid::parse_str(&self.license).ok().map(Id),
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

pub(super) async fn list(visit: Visit, Asked(narrowed): Asked<Narrowed>) -> Shown {
    let now = visit.now().await?;
    let desk = visit.desk();
    let licenses = desk.licenses(visit.account()).await?;
    let query = narrowed.query(visit.account(), now);
    let total = desk.count_seats(query.clone()).await?;
    let recovery = if visit.is_admin { desk.recovery().await? } else { None };
    let first_page = query.after.is_none();
    let page = desk.seats(query).await?;
    show(&SeatsPage {
        shell: visit.shell(),
        recovery: recovery.map(|recovery| RecoveryNotice {
            known_until: recovery.restored.known_until.into(),
            until: recovery.restored.until.into(),
            recovered: recovery.recovered,
        }),
        licenses: licenses.iter().map(|license| shown::card(&visit.state, license, now)).collect(),
        filter: narrowed.filter(),
        total,
        first_page,
        next: page.rows.last().filter(|_| page.more).map(|last| write(last.cursor())),
        seats: page.rows.iter().map(|listed| shown::row(listed, &licenses, now)).collect(),
    })
}

pub(super) async fn table(visit: Visit, Asked(narrowed): Asked<Narrowed>) -> Shown {
    let query = narrowed.query(visit.account(), visit.now().await?);
    Ok(csv::seats(visit.state, visit.who, query).await?)
}

/// A place in the list, as it stands in addresses.
fn write(place: SeatCursor) -> String {
    format!("{}.{}", place.created_at.seconds(), place.id)
}

/// The same again.
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
        let narrowed = Narrowed { q: "ä".repeat(200), ..Narrowed::default() };
        assert_eq!(narrowed.filter().search, "ä".repeat(127));
    }
}
