use super::context::PageContext;
use super::form::PageQuery;
use super::{PageResult, convert, show};
use crate::http::web::pages::{Moment, SeatName, Shell};
use crate::service::{AuditQuery, AuditState};
use askama::Template;
use seatlock_protocol::MachineId;
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditActor {
    Plugin,
    /// The server, because time had passed.
    System,
    /// Whoever can open the data folder.
    Console,
    User {
        email: String,
        /// Name of the API token that was used.
        token: Option<String>,
    },
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
