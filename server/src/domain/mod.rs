//! Decides: the life cycle of a seat and the order of refusals, as pure functions.
//!
//! No file, socket, clock or random source is touched here. A `License`, a `Seat` and an `SeatEvent` go
//! in, a `Decision` comes out; the store carries it out in one transaction. The rows T1 to T16 that
//! comments refer to are those of the protocol's table of transitions.

/// Who of an issuer's users belongs where.
mod admission;
/// Whether the clock can be believed by which everything is decided.
mod clock;
/// Applies one event to one seat.
mod decide;
/// What a decision says and which values it changes.
mod decision;
/// E-mail addresses: what is taken for one.
mod email;
/// What licenses and plans include.
mod entitlements;
/// What can happen to a seat.
mod event;
/// Checks that come before any look at the seat's machine, in the protocol's order.
mod gate;
/// How long a lease lives.
mod lease;
/// Limits and policy of one subscription.
mod license;
/// How often something may be asked.
mod limit;
/// Users, their sessions and how often they may try to sign in.
mod people;
/// What a subscription contains.
mod plan;
/// Holds that a restored database does not know of.
mod recover;
/// Rotating secrets by which two copies of one installation are told apart.
mod renewal;
/// What a database that was put back from a backup does not know, and who proves it.
mod restored;
/// A seat and the states that it can be in.
mod seat;
/// Values as people read them.
mod words;

pub use admission::{
    ADMISSIONS_MAX, Admission, Bearer, ISSUER_TEXT_MAX, Issuer, IssuerChange, IssuerClient, Who,
};
pub use clock::{Clocks, Doubt, PAUSE, SET_BACK};
pub use decide::{decide, issues_no_tokens, token_unknown};
pub use decision::{AuditEvent, Decision, LicenseDelta, SeatAnswer, SeatAuditEntry, Verdict};
pub use email::{EMAIL_MAX, check_email};
pub use entitlements::{
    ENTITLEMENTS_MAX, Entitlements, entitlement_parts, entitlement_text, entitlement_word,
};
pub use event::{CallerContext, SeatAction, SeatEvent, SeatOperation};
pub use lease::{LeaseTerms, guard, terms};
pub use license::{
    ClonePolicy, INSTALLS_MAX, LONGEST, License, ReleaseMode, SEATS_MAX, SuppliedIds, WORD_MAX, WORDS_MAX,
};
pub use limit::{RATE_MAX, Rate};
pub use people::{
    API_TOKENS, AttemptBy, Attempts, ERASED, LATELY, PASSWORD_MAX, PASSWORD_MIN, REMEMBERED, Role,
    SESSION_IDLE, SESSION_LIFE, SHARE_LIFE, check_password, session_lives,
};
pub use plan::Plan;
pub use renewal::{Installation, PresentedRenewal, RenewalJudgement, judge};
pub use restored::{LostLease, Restored, longest_online, renewed};
pub use seat::{Holding, Overlap, Seat, SeatState};
pub use words::{date, exactly, moment, span, timestamp};
