//! Decides: the life cycle of a seat and the order of refusals, as pure functions.
//!
//! No file, socket, clock or random source is touched here. A `License`, a `Seat` and an `Event` go in, a
//! `Decision` comes out; the store carries it out in one transaction. The rows T1 to T14 that comments refer to
//! are those of the protocol's table of transitions.

/// Who of an issuer's users belongs where.
mod admission;
/// Applies one event to one seat.
mod decide;
/// What a decision says and which values it changes.
mod decision;
/// What can happen to a seat.
mod event;
/// Checks that come before any look at the seat's machine, in the protocol's order.
mod gate;
/// How long a lease lives.
mod lease;
/// Limits and policy of one subscription.
mod license;
/// Users, their sessions and how often they may try to sign in.
mod people;
/// What a subscription contains.
mod plan;
/// Rotating secrets by which two copies of one installation are told apart.
mod renewal;
/// A seat and the states that it can be in.
mod seat;
/// Values as people read them.
mod words;

pub use admission::{ADMISSIONS_MAX, Admission, Bearer, Client, ISSUER_TEXT_MAX, Issuer, Who};
pub use decide::{decide, token_unknown};
pub use decision::{Answer, Audit, AuditEvent, Decision, LicenseChange, Verdict};
pub use event::{Call, Caller, Event, OwnerAct};
pub use gate::version;
pub use lease::{LeaseTerms, guard, terms};
pub use license::{ClonePolicy, LONGEST, License, ReleaseMode, SEATS_MAX, WORD_MAX, WORDS_MAX};
pub use people::{
    API_TOKENS, AttemptBy, Attempts, PASSWORD_MAX, PASSWORD_MIN, REMEMBERED, Role, SESSION_IDLE,
    SESSION_LIFE, SHARE_LIFE, check_email, check_password, session_lives,
};
pub use plan::Plan;
pub use renewal::{Install, Judgement, SecretHash, judge};
pub use seat::{Holding, Overlap, Seat, SeatState};
pub use words::{date, moment, timestamp};
