//! Shows: the pages of seat management, one file per page. A page is a struct of what it shows, and
//! a template.
//!
//! Nothing here decides, reads or writes. Whoever has the facts fills a struct and calls
//! `Template::render`; every text of it is escaped. The pages need no JavaScript: `copy.js` only
//! adds the buttons that copy. They hold no style and no script of their own, so they work under
//! `CONTENT_SECURITY_POLICY`.

/// The user's own e-mail address, password and sessions.
mod account;
/// Files of machines without a network.
mod airgap;
/// The style, the script and the icon that pages refer to.
mod assets;
/// What happened, and whether anybody tampered with the record of it.
mod audit;
/// What is asked before something that cannot be undone.
mod confirm;
/// One page that says what happened and what to do next.
mod message;
/// The form for a new seat.
mod new_seat;
/// The link by which somebody outside sees a token once.
mod one_time_link;
/// Small things that many pages show: moments, ids, badges, the frame.
mod parts;
/// Everything about one seat.
mod seat;
/// A new token, shown once.
mod seat_token;
/// The list of seats.
mod seats;
/// How texts get onto pages.
mod shown;
/// The way in.
mod sign_in;
/// API tokens of the user.
mod tokens;

pub use account::{AccountPage, SessionRow};
pub use airgap::{AirgapCheck, AirgapDone, AirgapPage, LeaseResult};
pub use askama::Template;
pub use assets::{ASSETS, Asset, CONTENT_SECURITY_POLICY};
pub use audit::{AuditActor, AuditEntry, AuditPage, Chain};
pub use confirm::{ConfirmRefresh, ConfirmRelease, ConfirmRevoke, ReleaseLimit};
pub use message::{MessagePage, Step};
pub use new_seat::{LicenseChoice, NewSeatPage, NoSeat, SendAs};
pub use one_time_link::{LinkState, OneTimeLinkPage};
pub use parts::{Help, Id, Moment, Notice, SeatName, Shell, StatusBadge, Tone};
pub use seat::{SeatPage, SeatRelease};
pub use seat_token::{Mail, SeatTokenPage, TokenReason};
pub use seats::{
    EmptyList, LicenseCard, LicenseState, RecoveryNotice, SeatFilter, SeatRow, SeatsPage, used_value,
};
pub use shown::Shown;
pub use sign_in::{SignInPage, WayIn};
pub use tokens::{ApiTokenRow, ConfirmDeleteToken, TokenCreatedPage, TokensPage};
