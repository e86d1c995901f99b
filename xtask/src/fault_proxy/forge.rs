//! What an attacker does to signed objects. Each changes one thing of a real request or a real
//! answer.

use super::http::{Request, ServerAnswer};
use super::upstream::{Key, Upstream};
use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{digest, hmac};
use serde_json::{Value, json};

/// A machine id that no computer of a test has.
pub(super) const OTHER_MACHINE: &str = "m1_8vjsu_RtJCGi4MrAH8JyMty_uDOjGInxBPyA5GHg6rA";

const YEAR: i64 = 365 * 24 * 3600;

// Requests.

/// Asks with another nonce, so the answer is to another question: what a recorded answer looks
/// like.
pub(super) fn another_nonce(_: &Upstream, request: &mut Request) {
    put(&mut request.body, "nonce", json!("AAECAwQFBgcICQoLDA0ODw"));
}

/// Has an accomplice's computer ask, with the caller's nonce.
pub(super) fn another_machine(upstream: &Upstream, request: &mut Request) {
    let [accomplice, _] = &upstream.accomplices;
    activate_with(&accomplice.token, request);
    if let Some(machine) = request.body.get_mut("machine") {
        put(machine, "id", json!(OTHER_MACHINE));
    }
}

/// Asks with an accomplice's token, for the caller's computer and with its nonce.
pub(super) fn another_token(upstream: &Upstream, request: &mut Request) {
    let [_, accomplice] = &upstream.accomplices;
    activate_with(&accomplice.token, request);
}

fn activate_with(token: &str, request: &mut Request) {
    (request.path, request.token) = ("/v1/seat/activate".to_owned(), token.to_owned());
    put(&mut request.body, "terms", json!("2026-01"));
    for member in ["have", "renewal"] {
        put(&mut request.body, member, Value::Null);
    }
}

// Signed by nobody who may.

/// No signature, and a header that says so.
pub(super) fn no_algorithm(_: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        put(&mut jws.header, "alg", json!("none"));
        Ok(String::new())
    })
}

/// HMAC with the public key as its secret, for libraries that let the header choose.
pub(super) fn public_key_as_secret(upstream: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        put(&mut jws.header, "alg", json!("HS256"));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &URL_SAFE_NO_PAD.decode(&upstream.current.x)?);
        Ok(URL_SAFE_NO_PAD.encode(hmac::sign(&secret, jws.signed().as_bytes())))
    })
}

/// Signed by a key of the attacker's, which has its own kid.
pub(super) fn strangers_key(_: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    let stranger = stranger()?;
    change(answer, |jws| {
        put(&mut jws.header, "kid", json!(stranger.kid));
        Ok(sign(jws, &stranger))
    })
}

/// Signed by a key of the attacker's, under the real key's kid.
pub(super) fn strangers_key_under_our_name(_: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    let stranger = stranger()?;
    change(answer, |jws| Ok(sign(jws, &stranger)))
}

/// Signed by a key of the attacker's, which comes along in the header.
pub(super) fn key_in_the_header(_: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    let stranger = stranger()?;
    change(answer, |jws| {
        put(&mut jws.header, "kid", json!(stranger.kid));
        put(&mut jws.header, "jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": stranger.x}));
        Ok(sign(jws, &stranger))
    })
}

/// The kid is a path, for programs that look for keys in files. It must not be opened, so it is one
/// that blocks.
pub(super) fn path_as_kid(_: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    let stranger = stranger()?;
    change(answer, |jws| {
        put(&mut jws.header, "kid", json!("../../../../../../../../dev/tty"));
        Ok(sign(jws, &stranger))
    })
}

/// One bit of the signature is another.
pub(super) fn bent_signature(_: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        let mut bytes = URL_SAFE_NO_PAD.decode(&jws.signature)?;
        bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    })
}

/// A better plan, under the signature of the plan that was paid for.
pub(super) fn better_plan(_: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        put(&mut jws.claims, "plan", json!("studio-unlimited"));
        Ok(jws.signature.clone())
    })
}

/// A revocation that nobody signed who may: nothing may take a license away but the server.
pub(super) fn forged_revocation(_: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    let stranger = stranger()?;
    change(answer, |jws| {
        put(&mut jws.header, "typ", json!("seat-verdict+jwt"));
        for (name, value) in [("code", json!("token_revoked")), ("act", json!("drop")), ("params", json!({}))]
        {
            put(&mut jws.claims, name, value);
        }
        Ok(sign(jws, &stranger))
    })?;
    let verdict = answer.body.get("lease").cloned().context("no lease")?;
    answer.body = json!({ "verdict": verdict });
    Ok(())
}

/// Signed by a lease key that was stolen and revoked, with the key set in which it was still good.
pub(super) fn older_key_set(upstream: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        put(&mut jws.header, "kid", json!(upstream.stolen.kid));
        Ok(sign(jws, &upstream.stolen))
    })?;
    put(&mut answer.body, "keyset", json!(upstream.old_key_set));
    Ok(())
}

// Signed by the real key.

/// An extension that the client must understand, and does not.
pub(super) fn critical_extension(upstream: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        put(&mut jws.header, "crit", json!(["b64"]));
        Ok(sign(jws, &upstream.current))
    })
}

/// An address at which to fetch the key, though nothing is wrong with the signature.
pub(super) fn key_by_address(upstream: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        put(&mut jws.header, "jku", json!("http://127.0.0.1:1/keys"));
        Ok(sign(jws, &upstream.current))
    })
}

/// A type that every JWT has.
pub(super) fn another_type(upstream: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        put(&mut jws.header, "typ", json!("JWT"));
        Ok(sign(jws, &upstream.current))
    })
}

/// A lease from before the seat was last released.
pub(super) fn older_epoch(upstream: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        add(&mut jws.claims, "epoch", -1)?;
        Ok(sign(jws, &upstream.current))
    })
}

pub(super) fn expired(upstream: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        for name in ["iat", "exp"] {
            add(&mut jws.claims, name, -YEAR)?;
        }
        Ok(sign(jws, &upstream.current))
    })
}

/// A lease that ends before it begins.
pub(super) fn ends_before_it_begins(upstream: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        add(&mut jws.claims, "exp", -YEAR)?;
        Ok(sign(jws, &upstream.current))
    })
}

/// A lease for another product of the same vendor.
pub(super) fn another_product(upstream: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        put(&mut jws.claims, "aud", json!("com.example.other"));
        Ok(sign(jws, &upstream.current))
    })
}

/// A lease of another server that has the same keys.
pub(super) fn another_issuer(upstream: &Upstream, answer: &mut ServerAnswer) -> Result<()> {
    change(answer, |jws| {
        put(&mut jws.claims, "iss", json!("https://license.example.org"));
        Ok(sign(jws, &upstream.current))
    })
}

// Tools.

struct Jws {
    header: Value,
    claims: Value,
    signature: String,
    /// Header and claims as they came, with the text that was signed.
    original: (Value, Value, String),
}

impl Jws {
    /// What is to be signed: the same bytes, unless something was changed.
    fn signed(&self) -> String {
        let (header, claims, text) = &self.original;
        if (header, claims) == (&self.header, &self.claims) {
            return text.clone();
        }
        let [header, claims] =
            [&self.header, &self.claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        format!("{header}.{claims}")
    }
}

/// Changes the lease of an answer; the change answers the signature.
fn change(answer: &mut ServerAnswer, forge: impl FnOnce(&mut Jws) -> Result<String>) -> Result<()> {
    let lease = answer.body.get("lease").and_then(Value::as_str).context("the real answer has no lease")?;
    let [header, claims, signature] = lease.split('.').collect::<Vec<_>>()[..] else {
        anyhow::bail!("no JWS")
    };
    let read = |part| -> Result<Value> { Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?) };
    let original = (read(header)?, read(claims)?, format!("{header}.{claims}"));
    let (header, claims) = (original.0.clone(), original.1.clone());
    let mut jws = Jws { header, claims, signature: signature.to_owned(), original };
    let signature = forge(&mut jws)?;
    let forged = format!("{}.{signature}", jws.signed());
    ensure!(forged != lease, "nothing was forged");
    put(&mut answer.body, "lease", json!(forged));
    Ok(())
}

fn sign(jws: &Jws, key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(key.pair.sign(jws.signed().as_bytes()))
}

/// A key that nobody trusts.
fn stranger() -> Result<Key> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).ok().context("not a key")?;
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let thumbprint = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, thumbprint.as_bytes()));
    Ok(Key { kid, x, pair })
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn add(claims: &mut Value, name: &str, more: i64) -> Result<()> {
    let number = claims.get(name).and_then(Value::as_i64).context("not a number")?;
    put(claims, name, json!(number + more));
    Ok(())
}
