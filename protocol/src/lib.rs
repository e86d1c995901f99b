//! The seatlock protocol: what a plug-in, a licensing server and any other JOSE library agree on.
//!
//! Everything here is a pure function of its arguments. No file, socket, clock, thread, random
//! source or environment variable is touched: time and random bytes are handed in, so every rule
//! can be tested by table.
//!
//! The normative text is `docs/protocol.md`; the golden vectors in `vectors/` are read by this
//! crate's tests and by a Python test that uses none of this code.

/// Access tokens of OAuth 2.0, and who presents one.
pub mod access_token;
/// Addresses of servers and issuers, and their one spelling.
pub mod address;
/// Requests, answers and problem documents of the plug-in API.
pub mod api;
/// Fixed-size byte strings that travel as unpadded base64url.
mod bytes;
/// What signed leases, verdicts and key sets say.
pub mod claims;
/// The table of codes: number, wire name, HTTP status, text and remedy.
pub mod code;
/// Files that people edit.
pub mod edited;
/// Request and lease files of machines without a network.
pub mod file;
/// Strict JSON: refuses duplicate members at any depth.
pub mod json;
/// Compact JWS over Ed25519, with nothing left to choose.
pub mod jws;
/// Ed25519 keys: pinned public keys and the server's signing keys.
pub mod key;
/// HMAC-SHA-256 under a key of any length.
mod mac;
/// The pseudonymous identity of a computer, one per product.
pub mod machine_id;
/// Texts of strangers, as people may be shown them.
mod plain;
/// Addresses of proxies, and what is reached without one.
pub mod proxy;
/// Renewal secrets: their form, and what a lease says of one.
pub mod renewal;
/// What people set in variables, files and fields.
mod setting;
/// Unix time in whole seconds, limited to what JSON numbers carry exactly.
pub mod time;
/// Integration tokens, API tokens and client secrets.
pub mod token;

pub use access_token::{AccessToken, AccessTokenError, Identity};
pub use bytes::{Nonce, ParseBytesError, RenewalHash, TokenHash};
pub use code::{Act, Code, filled};
pub use jws::{JwsError, Typ};
pub use key::{KeyError, PublicKey, SigningKey};
pub use machine_id::{MachineId, MachineSource};
pub use plain::{is_plain, plain, plain_lines};
pub use renewal::is_renewal;
pub use setting::{is_invisible, setting, yes_or_no};
pub use time::UnixTime;
pub use token::{Token, TokenError, TokenKind};

/// Version of the protocol, the `ver` claim of every lease and verdict.
pub const VERSION: u32 = 1;
