use super::{ISSUER, PRODUCT};
use seatlock_protocol::{
    MachineId, Typ,
    api::{LeaseAnswer, Problem, VerdictAnswer},
    claims::{KeySetClaims, LeaseClaims, VerdictClaims},
    jws,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

/// A plug-in installation on one computer.
#[derive(Clone)]
pub struct Plugin {
    pub token: String,
    pub machine: MachineId,
    pub install: Uuid,
    pub renewal: Option<String>,
    pub epoch: Option<u64>,
    pub body: Value,
}

impl Plugin {
    pub fn new(token: &str, machine: &str) -> Self {
        Self {
            token: token.to_owned(),
            machine: super::machine(machine),
            install: Uuid::new_v4(),
            renewal: None,
            epoch: None,
            body: json!({}),
        }
    }

    /// The same with members of the body replaced.
    pub fn with(&self, body: Value) -> Self {
        Self { body, ..self.clone() }
    }

    pub fn request(&self) -> (String, Value) {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).unwrap();
        let nonce = seatlock_protocol::Nonce::new(nonce).to_string();
        let mut body = json!({
            "nonce": nonce, "product": PRODUCT, "machine": { "id": self.machine, "source": "os" },
            "install_id": self.install, "intent": "launch", "renewal": self.renewal,
            "client": { "lib": "1.0.0", "host": "blender" }, "clock": { "wall": 0 },
        });
        if let Some(epoch) = self.epoch {
            body["have"] = json!({ "jti": Uuid::new_v4(), "epoch": epoch });
        }
        body.as_object_mut().unwrap().extend(self.body.as_object().unwrap().clone());
        (nonce, body)
    }
}

/// An answer as it came, and what was asked.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
    pub(super) nonce: String,
    pub(super) keys: KeySetClaims,
}

impl Answer {
    fn open<T: DeserializeOwned>(&self, jws: &str, typ: Typ) -> T {
        let find = |kid: &str| self.keys.keys.iter().find(|key| key.kid == kid).map(|key| key.x);
        jws::verify(jws, typ, find).unwrap().claims
    }

    pub fn lease(&self) -> LeaseClaims {
        let answer: LeaseAnswer =
            serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no lease: {}", self.body));
        let lease: LeaseClaims = self.open(&answer.lease, Typ::Lease);
        assert_eq!((lease.iss.as_str(), lease.nonce.to_string()), (ISSUER, self.nonce.clone()));
        lease
    }

    /// The verdict of a success.
    pub fn verdict(&self) -> VerdictClaims {
        let answer: VerdictAnswer =
            serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no verdict: {}", self.body));
        self.checked(&answer.verdict)
    }

    pub fn problem(&self) -> Problem {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.body);
        let problem: Problem = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        let id = self.headers["x-request-id"].to_str().unwrap();
        assert_eq!(problem.instance, Some(format!("urn:uuid:{id}")));
        problem
    }

    /// The verdict of a refusal, which repeats the unsigned part.
    pub fn refusal(&self) -> VerdictClaims {
        let problem = self.problem();
        let verdict = self.checked(problem.verdict.as_ref().unwrap());
        assert_eq!((verdict.code, &verdict.params), (problem.code, &problem.params));
        verdict
    }

    fn checked(&self, jws: &str) -> VerdictClaims {
        let verdict: VerdictClaims = self.open(jws, Typ::Verdict);
        assert_eq!((verdict.iss.as_str(), verdict.nonce.to_string()), (ISSUER, self.nonce.clone()));
        assert_eq!(verdict.ks, self.keys.seq);
        verdict
    }
}
