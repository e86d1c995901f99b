use super::http::{self, Request, ServerAnswer};
use crate::server::{Running, Seat, Setup};
use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::Ed25519KeyPair;
use serde_json::Value;
use std::fs;

/// Seats of the real server's license: one for each case, and some for accomplices.
const SEATS: u32 = 200;

/// The real server behind a fault proxy, and what an attacker may have got hold of: its keys, and
/// tokens of others.
pub struct Upstream {
    server: Running,
    pub(super) current: Key,
    /// Was stolen, revoked, and replaced by the current one.
    pub(super) stolen: Key,
    /// The signed key set in which the stolen key was still good.
    pub(super) old_key_set: String,
    /// Two honest buyers' tokens.
    pub(super) accomplices: [Seat; 2],
}

/// A lease key with its private half, as the server keeps it.
pub(super) struct Key {
    pub(super) kid: String,
    pub(super) x: String,
    pub(super) pair: Ed25519KeyPair,
}

impl Upstream {
    /// Starts a server, and has its first lease key stolen and replaced.
    ///
    /// # Errors
    /// The server cannot be built, set up or started.
    pub fn start() -> Result<Self> {
        let mut server = Running::start_with(&Setup { seats: SEATS, ..Setup::default() })?;
        let accomplices = [server.create_seat("one@example.com")?, server.create_seat("two@example.com")?];
        let stolen = signing_key(&server)?;
        let [first, _] = &accomplices;
        let before = http::ask(&address(&server), &greeting(&first.token))?;
        let old_key_set =
            before.body.pointer("/keyset").and_then(Value::as_str).context("no key set")?.to_owned();
        server.rotate_keys(&["--revoke", &stolen.kid])?;
        server.stop()?;
        server.start_again()?;
        let current = signing_key(&server)?;
        anyhow::ensure!(current.kid != stolen.kid, "the key was not replaced");
        Ok(Self { server, current, stolen, old_key_set, accomplices })
    }

    /// The server itself, for what honest computers do.
    #[must_use]
    pub fn server(&self) -> &Running {
        &self.server
    }

    pub(super) fn ask(&self, request: &Request) -> Result<ServerAnswer> {
        http::ask(&address(&self.server), request)
    }
}

fn address(server: &Running) -> String {
    server.url().trim_start_matches("http://").to_owned()
}

/// What a computer that knows no keys asks before it activates.
fn greeting(token: &str) -> Request {
    let body = serde_json::json!({
        "nonce": "AAECAwQFBgcICQoLDA0ODw", "product": "com.example.bridge", "install_id": uuid(), "ks": 0,
        "machine": {"id": super::forge::OTHER_MACHINE, "source": "os"},
        "client": {"lib": "0.1.0"}, "clock": {"wall": 1_795_305_600},
    });
    Request { path: "/v1/seat/status".to_owned(), token: token.to_owned(), body }
}

fn uuid() -> &'static str {
    "3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21"
}

fn signing_key(server: &Running) -> Result<Key> {
    let listed: Value = serde_json::from_str(&server.administer(&["keys", "list", "--json"])?)?;
    let signs = |key: &&Value| key.pointer("/signs") == Some(&Value::Bool(true));
    let key = listed.as_array().into_iter().flatten().find(signs).context("no key signs")?;
    let text =
        |name: &str| key.pointer(name).and_then(Value::as_str).map(str::to_owned).context("no such member");
    let (kid, x) = (text("/kid")?, text("/x")?);
    let file = fs::read(server.data().join("lease-keys").join(format!("{kid}.json")))?;
    let file: Value = serde_json::from_slice(&file)?;
    let seed =
        URL_SAFE_NO_PAD.decode(file.pointer("/d").and_then(Value::as_str).context("no private half")?)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok().context("not a key")?;
    Ok(Key { kid, x, pair })
}
