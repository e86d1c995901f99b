use crate::words::Message;
use seatlock_protocol::{Code, Nonce, TokenHash, api::SeatCall};

/// The request that a reply belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRequest {
    /// Which call.
    pub call: SeatCall,
    /// Its nonce.
    pub nonce: Nonce,
    /// The token that it carried.
    pub token: TokenHash,
    /// Who has submitted that.
    pub submission: Submission,
}

/// Who has submitted the credential that a request shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// Nobody: it is the one in use, or only asked about.
    Nobody,
    /// A person, just now, who wants it to be remembered or not.
    Person {
        /// "Use token for future sessions".
        remember: bool,
    },
    /// Whoever set it up beside the plug-in.
    Provisioned,
}

impl Submission {
    /// Whether a person has just submitted it.
    #[must_use]
    pub fn is_by_a_person(self) -> bool {
        matches!(self, Self::Person { .. })
    }
}

/// What the network brought. Nothing in it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A body of the protocol with a signed object in it.
    Signed(Signed),
    /// No usable answer: why, and what is known of it for a person.
    Failed(RequestError),
}

/// The signed parts of a body, whatever its HTTP status was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// A lease, or a verdict.
    pub object: SignedObject,
    /// A newer key set, when one came along.
    pub key_set: Option<String>,
    /// The next renewal secret, when a lease came.
    pub renewal: Option<String>,
    /// HTTP status, for messages only.
    pub http_status: u16,
}

/// A compact JWS and what it claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedObject {
    /// A lease.
    Lease(String),
    /// A verdict.
    Verdict(String),
}

/// A failure on the way to the server or back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    /// What to report.
    pub code: Code,
    /// HTTP status, if one was received.
    pub http_status: Option<u16>,
    /// Seconds that an unsigned 429 or 503 asked to wait.
    pub retry_after: Option<u64>,
    /// Why, as far as it is known: without secrets, such as the certificate's fault.
    pub reason: Option<Message>,
}

impl RequestError {
    /// A failure of which only the code is known.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self { code, http_status: None, retry_after: None, reason: None }
    }

    /// A failure for a reason.
    #[must_use]
    pub fn because(code: Code, reason: impl Into<Message>) -> Self {
        Self { reason: Some(reason.into()), ..Self::of(code) }
    }
}
