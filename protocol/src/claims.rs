use crate::{Act, Code, MachineId, Nonce, PublicKey, RenewalHash, TokenHash, UnixTime, json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The offline-valid grace license for one machine and one token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseClaims {
    /// Name of the server that issued it.
    pub iss: String,
    /// The product that it licenses.
    pub aud: String,
    /// The seat.
    pub sub: Uuid,
    /// This lease.
    pub jti: Uuid,
    /// When it was issued, by the server's database clock.
    pub iat: UnixTime,
    /// End of offline validity.
    pub exp: UnixTime,
    /// Protocol version, 1.
    pub ver: u32,
    /// Epoch of the seat: rises with every bind, release, refresh and revoke.
    pub epoch: u64,
    /// The machine that holds the seat.
    pub mid: MachineId,
    /// The token that the seat belongs to.
    pub tkh: TokenHash,
    /// The request that it answers.
    pub nonce: Nonce,
    /// Name of the plan.
    pub plan: String,
    /// Entitlements such as `cad`, by name.
    #[serde(deserialize_with = "json::objects_by_name")]
    pub ent: BTreeMap<String, EntitlementClaim>,
    /// Whose license it is, and until when.
    #[serde(deserialize_with = "json::object")]
    pub lic: Licensee,
    /// The vendor's own, as the vendor's server was told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// Seconds until the next ping should be tried.
    pub renew: u64,
    /// Seconds before `exp` from which to warn.
    pub warn: u64,
    /// What to do when the computer's clock goes back.
    #[serde(deserialize_with = "json::object")]
    pub clk: ClockPolicy,
    /// Newest key-set `seq` that the server knows.
    pub ks: u64,
    /// The renewal secret that comes with it. Without this any secret of the right form counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rnh: Option<RenewalHash>,
}

/// What a lease says of one entitlement. Without an end it lasts as long as the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EntitlementClaim {
    /// How much of it, for what is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// The moment from which it is no longer included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixTime>,
}

/// Whose license a lease is of, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Licensee {
    /// Name of the account.
    pub account: String,
    /// E-mail address of whoever has the seat, or what an issuer calls them.
    pub email: String,
    /// End of the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<UnixTime>,
    /// Plug-ins that were released later are not included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates_until: Option<UnixTime>,
    /// Version of the terms that the seat's user accepted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
}

/// How far a computer's clock may be set back, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockPolicy {
    /// Tolerated rollback in seconds.
    pub tol: u64,
    /// What happens beyond it.
    #[serde(deserialize_with = "json::name")]
    pub act: ClockAction,
}

/// What a rollback beyond the tolerance does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockAction {
    /// Time stands still until the clock has caught up.
    Freeze,
    /// The lease is not usable until the clock is set right or the server is reached.
    Lock,
}

/// A signed refusal or confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictClaims {
    /// Name of the server that issued it.
    pub iss: String,
    /// The product that was asked for.
    pub aud: String,
    /// When it was issued.
    pub iat: UnixTime,
    /// The request that it answers.
    pub nonce: Nonce,
    /// The machine that asked.
    pub mid: MachineId,
    /// The token that it asked with.
    pub tkh: TokenHash,
    /// Protocol version, 1.
    pub ver: u32,
    /// What the server decided.
    pub code: Code,
    /// Whether the stored lease has to go.
    #[serde(deserialize_with = "json::name")]
    pub act: Act,
    /// The seat, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<Uuid>,
    /// The seat's epoch, when there is a seat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// When the refused thing becomes possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avail: Option<UnixTime>,
    /// Values for the blanks of the code's text, so that no unsigned word reaches a person.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Newest key-set `seq` that the server knows.
    pub ks: u64,
}

/// The lease keys of a server, signed by its root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySetClaims {
    /// Name of the server.
    pub iss: String,
    /// Sequence number; a client never goes back to a lower one.
    pub seq: u64,
    /// When it was signed.
    pub iat: UnixTime,
    /// Keys that may sign leases and verdicts.
    #[serde(deserialize_with = "json::objects")]
    pub keys: Vec<LeaseKey>,
    /// Keys that no longer may.
    #[serde(default, deserialize_with = "json::objects")]
    pub revoked: Vec<RevokedKey>,
}

/// A checkpoint: what a server's audit trail was, for keeping elsewhere. Clients never see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditClaims {
    /// Name of the server.
    pub iss: String,
    /// When it was signed.
    pub iat: UnixTime,
    /// Number of the last entry; they have no gaps.
    pub rows: u64,
    /// Hash of that entry, which covers all before it, in hexadecimal digits.
    pub head: String,
    /// Whether the entries up to this one were removed on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// One key of a key set, as a JWK (RFC 8037, section 2) with its period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseKey {
    /// Name of the key, its thumbprint.
    pub kid: String,
    /// Always `OKP`.
    #[serde(deserialize_with = "json::name")]
    pub kty: KeyType,
    /// Always `Ed25519`.
    #[serde(deserialize_with = "json::name")]
    pub crv: Curve,
    /// The key itself.
    pub x: PublicKey,
    /// Leases issued earlier are not valid.
    pub nbf: UnixTime,
    /// Leases issued later are not valid.
    pub exp: UnixTime,
}

/// The JWK key type of Ed25519.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyType {
    /// Octet key pair.
    #[serde(rename = "OKP")]
    OctetKeyPair,
}

/// The only curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Curve {
    /// Ed25519 (RFC 8032).
    Ed25519,
}

/// A key that was taken out of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedKey {
    /// Name of the key.
    pub kid: String,
    /// Leases that it signed from then on must be renewed within 24 hours.
    pub since: UnixTime,
}
