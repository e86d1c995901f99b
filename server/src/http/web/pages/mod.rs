//! What pages show. A page is a struct and a template, beside the handler that fills it; here are
//! the small things that many of them show, and the names of all for whoever looks at samples.
//!
//! A page decides, reads and writes nothing, and every text of it is escaped. The pages need no
//! JavaScript: `copy.js` only adds the buttons that copy. They hold no style and no script of their
//! own, so they work under `CONTENT_SECURITY_POLICY`.

/// How texts get onto pages.
mod escape;
/// Small things that many pages show: moments, ids, badges, the frame.
mod parts;

pub use super::account::{AccountPage, SessionRow};
pub use super::airgap::{AirgapCheck, AirgapDone, AirgapPage, LeaseResult};
pub use super::assets::{ASSETS, Asset, CONTENT_SECURITY_POLICY};
pub use super::audit::{AuditActor, AuditEntry, AuditPage, Chain};
pub use super::confirm::{ConfirmRefresh, ConfirmRelease, ConfirmRevoke, ReleaseLimit};
pub use super::error::{MessagePage, NextStep};
pub use super::new_seat::{LicenseChoice, NewSeatPage, NoSeat, SendAs};
pub use super::open::{LinkState, OneTimeLinkPage};
pub use super::seat::{MailOutcome, SeatTokenPage, TokenReason};
pub use super::seat::{SeatPage, SeatRelease};
pub use super::seats::{
    EmptyList, LicenseCard, LicenseState, RecoveryNotice, SeatFilter, SeatRow, SeatsPage,
};
pub use super::sign_in::{SignInOption, SignInPage};
pub use super::tokens::{ApiTokenRow, ConfirmDeleteToken, TokenCreatedPage, TokensPage};
pub use askama::Template;
pub use escape::PageText;
pub use parts::{Help, Moment, Notice, SeatName, Shell, ShortId, StatusBadge, Tone};
