//! Tells who somebody is by the word of an issuer: access tokens and ID tokens (RFC 9068, OpenID
//! Connect Core) are verified against the issuer's published keys.
//!
//! What decides is pure: `key_set`, `signed` and `freshness` touch neither network nor clock.
//! `fetch` brings what an issuer publishes, `keys` keeps it.

/// How people sign in at an issuer and come back with a code.
mod code_flow;
/// The issuer's documents, over HTTP.
mod fetch;
/// When keys that were fetched before are good enough.
mod freshness;
/// The public keys of an issuer (RFC 7517).
mod key_set;
/// The keys of every issuer, fetched when they are needed.
mod keys;
/// Signed tokens: what they say, and whether it is to be believed.
mod signed;

pub use code_flow::{Bond, RelyingParty, authorization_url, exchange};
pub use fetch::Endpoints;
pub use freshness::{FetchPlan, HeldKeys, plan};
pub use key_set::{KeySet, KeySetError};
pub use keys::{Keys, Unusable};
pub use signed::{Claims, Expected, TokenRejection, verify};
