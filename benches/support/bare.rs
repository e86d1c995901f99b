use anyhow::{Context, Result, ensure};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use seatlock::protocol::api::{
    ClientInfo, ClockReport, Have, Intent, JSON, LeaseAnswer, Machine, SeatCall, SeatRequest,
};
use seatlock::protocol::claims::LeaseClaims;
use seatlock::protocol::{MachineId, MachineSource, Nonce, PublicKey, Typ, UnixTime, jws};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use uuid::Uuid;
use xtask::server::{Running, Setup};

/// The requests of a client, sent by reqwest alone: one connection that is kept, no verification,
/// no state.
pub struct Bare {
    runtime: Runtime,
    client: reqwest::Client,
    server: String,
    token: String,
    key: PublicKey,
    sent: u64,
    request: SeatRequest,
}

impl Bare {
    /// A computer with a new seat; `key` signs the leases.
    pub fn new(server: &Running, key: &str) -> Result<Self> {
        // Built as the library builds its own; the server is on this computer, so no certificate is needed.
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let client =
            reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().pool_max_idle_per_host(1);
        let product = Setup::default().product;
        let machine = MachineId::derive(&product, "supplied", "bench-computer-bare");
        let request = SeatRequest {
            nonce: Nonce::new([0; Nonce::LEN]),
            product,
            machine: Machine { id: machine, source: MachineSource::Supplied },
            install_id: Uuid::from_u128(1),
            intent: Intent::Launch,
            have: None,
            renewal: None,
            ks: 1,
            client: ClientInfo { lib: env!("CARGO_PKG_VERSION").to_owned(), ..ClientInfo::default() },
            plugin: None,
            offline: None,
            clock: ClockReport { wall: now()?, anomaly: None },
            terms: Some("2026-01".to_owned()),
        };
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            client: client.build()?,
            server: server.url(),
            token: server.create_seat("bare@example.com")?.token,
            key: PublicKey::from_jwk_x(key)?,
            sent: 0,
            request,
        })
    }

    /// Microseconds from writing the request to having read the answer's last byte.
    pub fn send(&mut self, call: SeatCall) -> Result<f64> {
        let begin = Instant::now();
        self.sent += 1;
        let mut nonce = [0; Nonce::LEN];
        nonce.iter_mut().zip(self.sent.to_le_bytes()).for_each(|(to, from)| *to = from);
        self.request.nonce = Nonce::new(nonce);
        let request = self.client.post(format!("{}{}", self.server, call.path()));
        let request = request.header(ACCEPT, JSON).header(CONTENT_TYPE, JSON);
        let request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        let body = serde_json::to_vec(&self.request)?;
        let (status, answer) = self.runtime.block_on(async {
            let response = request.body(body).send().await?;
            anyhow::Ok((response.status(), response.bytes().await?))
        })?;
        let took = begin.elapsed();

        // The next request names the lease, as the library's does.
        ensure!(status.is_success(), "the server answered {status}");
        let answer: LeaseAnswer = serde_json::from_slice(&answer)?;
        let lease = jws::verify::<LeaseClaims>(&answer.lease, Typ::Lease, |_| Some(self.key))?.claims;
        let (jti, epoch) = (Some(lease.jti), lease.epoch);
        self.request.have = Some(Have { jti, epoch, lease: Some(answer.lease) });
        self.request.renewal = Some(answer.renewal);
        Ok(took.as_secs_f64() * 1e6)
    }
}

fn now() -> Result<UnixTime> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    UnixTime::new(seconds.try_into()?).context("a clock that stands in this millennium")
}
