use crate::{Code, MachineId, MachineSource, Nonce, UnixTime};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Largest request and answer body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// Media type of every successful answer.
pub const JSON: &str = "application/json";

/// Media type of every refusal (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The calls of the plug-in API that carry a [`SeatRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SeatCall {
    /// A token was submitted; may bind a free seat.
    Activate,
    /// The machine is alive and wants its lease renewed.
    Ping,
    /// The machine gives its seat back.
    Release,
    /// What would activate say? Changes nothing.
    Status,
    /// The request of a machine without a network, brought by somebody who has one; answered by a
    /// longer lease.
    Airgap,
}

impl SeatCall {
    /// Path below the server's base address. The token is never part of it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Activate => "/v1/seat/activate",
            Self::Ping => "/v1/seat/ping",
            Self::Release => "/v1/seat/release",
            Self::Status => "/v1/seat/status",
            Self::Airgap => "/v1/seat/airgap",
        }
    }
}

/// Why a machine pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intent {
    /// The host was started; a released seat may be bound again if the license allows it.
    Launch,
    /// The lease is due; may extend, never bind.
    #[default]
    Renew,
}

/// Body of every seat call. The token travels in the `Authorization` header only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatRequest {
    /// Fresh random bytes, repeated in the signed answer.
    pub nonce: Nonce,
    /// The product that asks.
    pub product: String,
    /// The computer that asks.
    pub machine: Machine,
    /// The installation that asks: several users of one computer are several installations.
    pub install_id: Uuid,
    /// Read by ping only.
    #[serde(default)]
    pub intent: Intent,
    /// The lease that the machine holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub have: Option<Have>,
    /// The last renewal secret that the machine received. Of what is no text an empty one is read,
    /// which is nobody's.
    #[serde(default, deserialize_with = "text_or_odd", skip_serializing_if = "Option::is_none")]
    pub renewal: Option<String>,
    /// Newest key set that the machine holds, 0 for none.
    #[serde(default)]
    pub ks: u64,
    /// Software that asks. Nothing is decided by it.
    pub client: ClientInfo,
    /// The vendor's plug-in, for `plugin_too_old` and `update_not_included`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Plugin>,
    /// Launches that no answer has confirmed yet, the one that asks included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<OfflineUse>,
    /// What the machine thinks of its clock.
    pub clock: ClockReport,
    /// Version of the terms that the user accepted; activation needs it, and the question what it
    /// would say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
}

/// An odd secret is as good as a wrong one, and no reason to refuse the whole request.
fn text_or_odd<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    use serde_json::Value;
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        _ => Some(String::new()),
    })
}

/// The computer that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its pseudonymous id.
    pub id: MachineId,
    /// Where the id came from.
    pub source: MachineSource,
}

/// The lease that a machine holds, or what it was told when it lost it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Have {
    /// The lease; `None` when none is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Uuid>,
    /// The epoch of the lease, or of the verdict that took it away.
    pub epoch: u64,
    /// The lease itself, as it was signed: a server that was restored from a backup may not know of
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
}

/// Software that asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClientInfo {
    /// Version of the client library.
    pub lib: String,
    /// Host application, such as `blender`.
    #[serde(default)]
    pub host: String,
    /// Version of the host application.
    #[serde(default)]
    pub host_version: String,
    /// Operating system.
    #[serde(default)]
    pub os: String,
    /// Processor architecture.
    #[serde(default)]
    pub arch: String,
}

/// The vendor's plug-in that asks, as it was compiled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plugin {
    /// Its own version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When that version was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<UnixTime>,
}

/// Launches that no answer has confirmed yet, the one that asks included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfflineUse {
    /// The last of them without the server, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<UnixTime>,
    /// How many.
    pub launches: u64,
}

/// What a machine thinks of its clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReport {
    /// Its wall clock.
    pub wall: UnixTime,
    /// What is wrong with it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anomaly: Option<String>,
}

/// Success of activate and ping. Only the JWS contents are believed; `seat` is for people who read
/// a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseAnswer {
    /// A signed [`crate::claims::LeaseClaims`].
    pub lease: String,
    /// The next renewal secret, to be sent with the next ping.
    pub renewal: String,
    /// The seat as the server sees it.
    pub seat: SeatView,
    /// A signed [`crate::claims::KeySetClaims`], when the client's is older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyset: Option<String>,
}

/// Success of release and status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictAnswer {
    /// A signed [`crate::claims::VerdictClaims`].
    pub verdict: String,
    /// A signed [`crate::claims::KeySetClaims`], when the client's is older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyset: Option<String>,
}

/// A seat as the server shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatView {
    /// The seat, never its token.
    pub id: Uuid,
    /// Who holds it.
    pub lock_status: LockStatus,
    /// Short form of the machine's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_short: Option<String>,
    /// Last ping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<UnixTime>,
}

/// Lock status of a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockStatus {
    /// No machine ever held it.
    NeverUsed,
    /// A machine holds it.
    InUse,
    /// It was given back, by hand or for inactivity.
    Released,
    /// Its token was revoked for good.
    Closed,
}

/// A refusal: problem details (RFC 9457) with members of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Page that explains the code.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The code's name in words.
    pub title: String,
    /// HTTP status, repeated.
    pub status: u16,
    /// One sentence for a person.
    pub detail: String,
    /// The request id, `urn:uuid:...`, to be quoted to support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The code.
    pub code: Code,
    /// Values for the blanks of the code's text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The signed form: the only part that a client believes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// A signed [`crate::claims::KeySetClaims`], when the client's is older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyset: Option<String>,
}

/// `GET /.well-known/seatlock`: where things are. Never a reason to trust anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovery {
    /// Name of the server, the `iss` of what it signs.
    pub issuer: String,
    /// Path of each call, by name.
    pub endpoints: BTreeMap<String, String>,
    /// Documentation for users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Where to ask for help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<String>,
}
