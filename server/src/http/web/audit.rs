use super::context::PageContext;
use super::convert::{AuditActor, AuditEntry};
use super::form::PageQuery;
use super::pages::{Moment, SeatName, Shell};
use super::{PageResult, convert, show};
use crate::service::{AuditQuery, AuditState};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

/// `/audit`.
#[derive(Debug, Clone, Template)]
#[template(path = "audit.html")]
pub struct AuditPage {
    pub shell: Shell,
    /// The seat that the list is narrowed to.
    pub seat: Option<SeatName>,
    /// One page of entries, newest first.
    pub entries: Vec<AuditEntry>,
    /// Whether the chain of hashes holds.
    pub chain: Chain,
    /// Whether the newest entries are on this page.
    pub first_page: bool,
    /// Cursor of the older ones, if there are any.
    pub next: Option<String>,
}

/// Whether the chain of hashes holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// Every row follows from the one before.
    Verified {
        /// The first row that was looked at.
        first: u64,
        rows: u64,
        /// When they were looked at.
        at: Moment,
    },
    /// A row does not.
    Broken {
        /// The first such row.
        row: u64,
        /// When it was found.
        at: Moment,
    },
    /// Nobody has looked yet.
    NotVerified,
}

impl AuditPage {
    /// Whether `row` is the one at which the chain breaks.
    #[must_use]
    pub fn is_broken(&self, row: &u64) -> bool {
        matches!(&self.chain, Chain::Broken { row: broken, .. } if broken == row)
    }

    /// The seat as it stands in the address.
    #[must_use]
    pub fn seat_value(&self) -> String {
        self.seat.as_ref().map_or_else(String::new, |seat| seat.id.to_string())
    }
}

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
            let own = context.own();
            let found = context.service_of(&own).verify_audit(true).await?;
            let at = context.now().await?.into();
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
