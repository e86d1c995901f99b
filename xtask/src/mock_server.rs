use anyhow::{Context, Result};
use seatlock_protocol::api::{
    LeaseAnswer, LockStatus, PROBLEM_JSON, Problem, SeatRequest, SeatView, VerdictAnswer,
};
use seatlock_protocol::claims::{
    ClockAction, ClockPolicy, Curve, KeySetClaims, KeyType, LeaseClaims, LeaseKey, Licensee, VerdictClaims,
};
use seatlock_protocol::{AccessToken, Act, Code, SigningKey, TokenHash, Typ, UnixTime, jws};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use uuid::Uuid;

const NAME: &str = "https://license.example.com";
const DAY: u64 = 24 * 3600;

#[derive(Debug, Clone)]
pub struct Seen {
    pub path: String,
    pub bearer: String,
}

/// A license server that takes any access token for whom it says that it is for: what clients send
/// is looked at here, and what is made of it by the real one. On a port of its own until the
/// process ends.
pub struct MockServer {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    root: SigningKey,
    lease: SigningKey,
    seen: Mutex<Vec<Seen>>,
    refusals: Mutex<VecDeque<Code>>,
}

impl MockServer {
    /// Starts it.
    ///
    /// # Errors
    /// No port can be had.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = |seed| SigningKey::from_seed(&[seed; 32]).ok().context("not a key");
        let (seen, refusals) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { root: key(1)?, lease: key(2)?, seen, refusals });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                // A client that goes away ends its own exchange only.
                thread::spawn(move || server.answer(stream));
            }
        });
        Ok(Self { url, shared })
    }

    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Name that its leases carry.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The public key that clients pin.
    #[must_use]
    pub fn root_key(&self) -> String {
        self.shared.root.public().jwk_x()
    }

    /// The next requests are refused so.
    pub fn refuse(&self, codes: &[Code]) {
        lock(&self.shared.refusals).extend(codes);
    }

    /// What was asked since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *lock(&self.shared.seen))
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) -> Result<()> {
        let (path, bearer, body) = read(&stream)?;
        let request: SeatRequest = serde_json::from_slice(&body)?;
        let tkh = AccessToken::read(&bearer)?.identity().hash();
        lock(&self.seen).push(Seen { path: path.clone(), bearer });
        let refused = lock(&self.refusals).pop_front();
        let keyset = Some(jws::sign(Typ::KeySet, &self.root, &self.key_set())?);
        let verdict = |code, act| jws::sign(Typ::Verdict, &self.lease, &verdict(&request, tkh, code, act));
        let (status, kind, body) = match (refused, path.rsplit('/').next().unwrap_or_default()) {
            (Some(code), _) => {
                let row = code.row();
                let problem = Problem {
                    type_uri: "about:blank".to_owned(),
                    title: row.name.to_owned(),
                    status: row.http,
                    detail: row.text.to_owned(),
                    instance: None,
                    code,
                    params: Default::default(),
                    help: None,
                    verdict: Some(verdict(code, Act::Keep)?),
                    keyset,
                };
                (row.http, PROBLEM_JSON, serde_json::to_vec(&problem)?)
            }
            (None, "release") => {
                let answer = VerdictAnswer { verdict: verdict(Code::Ok, Act::Drop)?, keyset };
                (200, "application/json", serde_json::to_vec(&answer)?)
            }
            (None, _) => {
                let lease = jws::sign(Typ::Lease, &self.lease, &lease(&request, tkh))?;
                let seat = SeatView {
                    id: seat(tkh),
                    lock_status: LockStatus::InUse,
                    machine_short: None,
                    last_used_at: None,
                };
                let answer = LeaseAnswer { lease, renewal: renewal(), seat, keyset };
                (200, "application/json", serde_json::to_vec(&answer)?)
            }
        };
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )?;
        Ok(stream.write_all(&body)?)
    }

    fn key_set(&self) -> KeySetClaims {
        let (kid, x) = (self.lease.kid().to_owned(), self.lease.public());
        let nbf = UnixTime::MIN;
        let exp = now().plus(365 * DAY);
        let key = LeaseKey { kid, kty: KeyType::OctetKeyPair, crv: Curve::Ed25519, x, nbf, exp };
        KeySetClaims { iss: NAME.to_owned(), seq: 1, iat: now(), keys: vec![key], revoked: Vec::new() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> UnixTime {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).ok().and_then(UnixTime::new).unwrap_or(UnixTime::MIN)
}

fn seat(tkh: TokenHash) -> Uuid {
    let text = tkh.to_string();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    Uuid::from_bytes(bytes)
}

/// Forty bytes of base64url, as a server's secrets are.
fn renewal() -> String {
    format!("{}{}", Uuid::new_v4().simple(), "A".repeat(22))
}

fn lease(request: &SeatRequest, tkh: TokenHash) -> LeaseClaims {
    LeaseClaims {
        iss: NAME.to_owned(),
        aud: request.product.clone(),
        sub: seat(tkh),
        jti: Uuid::new_v4(),
        iat: now(),
        exp: now().plus(7 * DAY),
        ver: 1,
        epoch: 1,
        mid: request.machine.id.clone(),
        tkh,
        nonce: request.nonce,
        plan: "pro".to_owned(),
        ent: BTreeMap::new(),
        lic: Licensee::default(),
        data: None,
        renew: DAY,
        warn: DAY,
        clk: ClockPolicy { tol: DAY, act: ClockAction::Freeze },
        ks: 1,
        rnh: None,
    }
}

fn verdict(request: &SeatRequest, tkh: TokenHash, code: Code, act: Act) -> VerdictClaims {
    VerdictClaims {
        iss: NAME.to_owned(),
        aud: request.product.clone(),
        iat: now(),
        nonce: request.nonce,
        mid: request.machine.id.clone(),
        tkh,
        ver: 1,
        code,
        act,
        sub: Some(seat(tkh)),
        epoch: Some(2),
        avail: None,
        params: Default::default(),
        ks: 1,
    }
}

/// Path, bearer and body of a request.
fn read(stream: &TcpStream) -> Result<(String, String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let (mut path, mut bearer, mut length) = (None, None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end();
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                bearer = value.strip_prefix("Bearer ").map(str::to_owned);
            }
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse()?,
            None if line.is_empty() => break,
            None => path = line.split(' ').nth(1).map(str::to_owned),
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((path.context("no path")?, bearer.context("no bearer")?, body))
}
