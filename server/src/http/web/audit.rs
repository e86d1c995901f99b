use super::context::PageContext;
use super::form::PageQuery;
use super::{PageResult, convert, show};
use crate::http::web::pages::{AuditPage, Chain};
use crate::service::ServiceError;
use crate::service::checkpoint;
use crate::store::{AuditQuery, AuditState};
use serde::Deserialize;
use uuid::Uuid;

/// Entries on one page.
const ON_A_PAGE: u32 = 50;

#[derive(Deserialize)]
pub(super) struct AuditPageQuery {
    #[serde(default)]
    seat: String,
    #[serde(default)]
    after: String,
    verify: Option<String>,
}

pub(super) async fn list(context: PageContext, PageQuery(wanted): PageQuery<AuditPageQuery>) -> PageResult {
    let service = context.service();
    let seat = match Uuid::parse_str(&wanted.seat) {
        Ok(id) => Some(service.seat(id).await?.0.seat),
        Err(_) => None,
    };
    let before = wanted.after.parse().ok();
    let query = AuditQuery {
        account: context.account(),
        seat: seat.as_ref().map(|seat| seat.id),
        before,
        limit: ON_A_PAGE,
    };
    let page = service.audit(query).await?;
    // Many rows are read for it, so it is done only for an admin who asks.
    let chain = match wanted.verify {
        Some(_) if context.is_admin => {
            let newest = checkpoint::verify_newest(&context.state.store).await;
            let (found, at) = (newest.map_err(ServiceError::from)?, context.now().await?.into());
            match found {
                AuditState { broken_at: Some(row), .. } => Chain::Broken { row, at },
                AuditState { first, rows, .. } => Chain::Verified { first, rows, at },
            }
        }
        _ => Chain::NotVerified,
    };
    show(&AuditPage {
        shell: context.shell(),
        seat: seat.as_ref().map(convert::name),
        chain,
        first_page: before.is_none(),
        next: page.rows.last().filter(|_| page.more).map(|last| last.id.to_string()),
        entries: convert::entries(&context, page.rows).await?,
    })
}
