use super::form::Asked;
use super::visit::Visit;
use super::{Shown, show, shown};
use crate::http::web::pages::{AuditPage, Chain};
use crate::service::Refused;
use crate::service::checkpoint;
use crate::store::{AuditQuery, AuditState};
use serde::Deserialize;
use uuid::Uuid;

/// Entries on one page.
const ON_A_PAGE: u32 = 50;

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    seat: String,
    #[serde(default)]
    after: String,
    verify: Option<String>,
}

pub(super) async fn list(visit: Visit, Asked(wanted): Asked<Wanted>) -> Shown {
    let desk = visit.desk();
    let seat = match Uuid::parse_str(&wanted.seat) {
        Ok(id) => Some(desk.seat(id).await?.0.seat),
        Err(_) => None,
    };
    let before = wanted.after.parse().ok();
    let query = AuditQuery {
        account: visit.account(),
        seat: seat.as_ref().map(|seat| seat.id),
        before,
        limit: ON_A_PAGE,
    };
    let page = desk.audit(query).await?;
    // Many rows are read for it, so it is done only for an admin who asks.
    let chain = match wanted.verify {
        Some(_) if visit.is_admin => {
            let newest = checkpoint::verify_newest(&visit.state.store).await;
            let (found, at) = (newest.map_err(Refused::from)?, visit.now().await?.into());
            match found {
                AuditState { broken_at: Some(row), .. } => Chain::Broken { row, at },
                AuditState { first, rows, .. } => Chain::Verified { first, rows, at },
            }
        }
        _ => Chain::NotVerified,
    };
    show(&AuditPage {
        shell: visit.shell(),
        seat: seat.as_ref().map(shown::name),
        chain,
        first_page: before.is_none(),
        next: page.rows.last().filter(|_| page.more).map(|last| last.id.to_string()),
        entries: shown::entries(&visit, page.rows).await?,
    })
}
