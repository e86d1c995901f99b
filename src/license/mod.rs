//! Decides. Every licensing rule of the plug-in is a pure function of (state, input, now): no file,
//! socket, clock, thread or random source is touched here.
//!
//! A [`State`](crate::license::State) is what the computer knows, [`step`](crate::license::step())
//! is the only thing that changes it, and [`StatusInputs`](crate::license::StatusInputs) are what
//! the host is told of it at a given moment.

/// Leases that come and go by files that a person carries.
pub mod airgap;
/// Effective time: what time it is when the computer's clock cannot be believed.
pub mod clock;
/// What a lease says beside whether the plug-in is locked.
pub mod contents;
/// What the client shows the license server, and for how long.
pub mod credential;
/// Judges the server's signed answers.
mod judge;
/// How often the plug-in was started.
pub mod launches;
/// When the next ping may be tried.
pub mod pacing;
/// What is stored for a family of products, and read again.
pub mod record;
/// What the network brought, before anything of it is believed.
pub mod reply;
/// What the server has given this computer for a token.
pub mod seats;
/// What is known and kept.
pub mod state;
/// What the host is told: unlocked, grace or locked, until when and why.
pub mod status;
/// The only way in which state changes.
pub mod step;
/// Pinned keys, key sets and the checks that every signed object passes.
pub mod trust;

pub use airgap::{AirgapRequest, HandedBack};
pub use clock::{Anomaly, ClockMemory, Reading, Time};
pub use contents::{Contents, Entitlement};
pub use credential::{Credential, CredentialKind, RefreshToken, Sealed, SignIn};
pub use launches::Launches;
pub use pacing::Pacing;
pub use record::Record;
pub use reply::{Reply, RequestError, SentRequest, Signed, SignedObject, Submission};
pub use seats::{KnownSeat, Seats};
pub use state::{LeaseState, State};
pub use status::{LockState, Standing, StatusInputs};
pub use step::{Effect, Input, Outcome, Rules, step};
pub use trust::{Binding, Distrust, Trust, VerifiedText};
