//! An issuer that says what it is told to, by real HTTP and with real signatures.

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256, RsaKeyPair,
    },
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

pub const AUDIENCE: &str = "https://licenses.example.com";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key that signs, with what is published of it.
pub struct Key {
    pub kid: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub fn rsa(kid: &'static str, second: bool) -> Self {
        let der: &[u8] = if second { include_bytes!("rsa-2.der") } else { include_bytes!("rsa-1.der") };
        Self { kid, pair: Pair::Rsa(RsaKeyPair::from_pkcs8(der).unwrap()) }
    }

    pub fn p256(kid: &'static str) -> Self {
        let (random, how) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let der = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        Self { kid, pair: Pair::P256(EcdsaKeyPair::from_pkcs8(how, der.as_ref(), &random).unwrap()) }
    }

    pub fn ed25519(kid: &'static str) -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { kid, pair: Pair::Ed25519(Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap()) }
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let (n, e) = self.components(pair);
                json!({ "kty": "RSA", "n": encode(n), "e": encode(e) })
            }
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key()) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk
    }

    fn components(&self, pair: &RsaKeyPair) -> (Vec<u8>, Vec<u8>) {
        let public: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
        (public.n, public.e)
    }

    /// Signs as `alg` says, whatever else the header says. With `HS256` the published key is the
    /// secret.
    fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match (&self.pair, alg) {
            (Pair::Rsa(pair), "RS256" | "PS256") => {
                let mut signature = vec![0; pair.public().modulus_len()];
                if alg == "RS256" {
                    pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                } else {
                    pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature).unwrap();
                }
                signature
            }
            (Pair::Rsa(pair), "HS256") => {
                let (n, _) = self.components(pair);
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &n), message).as_ref().to_vec()
            }
            (Pair::P256(pair), _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            (Pair::Ed25519(pair), _) => pair.sign(message).as_ref().to_vec(),
            _ => b"no signature".to_vec(),
        }
    }

    /// A token with this header and these claims, signed with `alg` of the header.
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.sign(header["alg"].as_str().unwrap(), message.as_bytes());
        format!("{message}.{}", encode(signature))
    }

    /// A token as an issuer makes it.
    pub fn access_token(&self, claims: &Value) -> String {
        let alg = match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
        };
        self.token(&json!({ "alg": alg, "typ": "at+jwt", "kid": self.kid }), claims)
    }
}

pub fn key_set(keys: &[&Key]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// With the members of `more` in it.
pub fn with(mut claims: Value, more: Value) -> Value {
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

/// What an issuer does when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Honest,
    Html,
    Fails,
    Hangs,
    Floods,
    OtherName,
    Redirects,
    NoKeys,
    PlainHttpElsewhere,
}

/// Issuers at one address, told apart by the first part of the path.
#[derive(Clone)]
pub struct Issuers {
    pub address: String,
    told: Arc<Mutex<HashMap<String, Told>>>,
}

#[derive(Clone)]
struct Told {
    manner: Manner,
    keys: Value,
    /// How often its keys were asked for.
    asked: usize,
    /// What it gives for every code.
    id_token: String,
    /// What was sent with the last code.
    form: String,
}

impl Issuers {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let issuers = Self { address, told: Arc::default() };
        let router = Router::new()
            .route("/{name}/.well-known/openid-configuration", get(discovery))
            .route("/{name}/keys", get(keys))
            .route("/{name}/token", post(token))
            .with_state(issuers.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        issuers
    }

    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    pub fn tell(&self, name: &str, manner: Manner, keys: &[&Key]) {
        let mut told = self.told.lock().unwrap();
        let asked = told.get(name).map_or(0, |told| told.asked);
        let (id_token, form) = (String::new(), String::new());
        told.insert(name.to_owned(), Told { manner, keys: key_set(keys), asked, id_token, form });
    }

    pub fn asked(&self, name: &str) -> usize {
        self.told.lock().unwrap().get(name).map_or(0, |told| told.asked)
    }

    /// Gives this for every code from now on.
    pub fn give(&self, name: &str, id_token: String) {
        self.told.lock().unwrap().get_mut(name).unwrap().id_token = id_token;
    }

    /// What was sent with the last code.
    pub fn form(&self, name: &str) -> HashMap<String, String> {
        let form = self.told.lock().unwrap()[name].form.clone();
        form_urlencoded::parse(form.as_bytes()).into_owned().collect()
    }

    /// Claims of an access token of one of them.
    pub fn claims(&self, name: &str, subject: &str, scope: &str) -> Value {
        json!({
            "iss": self.url(name), "sub": subject, "aud": AUDIENCE, "iat": now(), "exp": now() + 300,
            "client_id": subject, "scope": scope,
        })
    }
}

async fn discovery(State(issuers): State<Issuers>, Path(name): Path<String>) -> Response {
    let Some(told) = issuers.told.lock().unwrap().get(&name).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let url = issuers.url(&name);
    let document = |issuer: &str, keys: String| {
        let body = json!({
            "issuer": issuer, "jwks_uri": keys, "token_endpoint": format!("{url}/token"),
            "authorization_endpoint": format!("{url}/authorize"),
        });
        let body = body.to_string();
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let keys = format!("{url}/keys");
    match told.manner {
        Manner::Html => "<!DOCTYPE html><title>Sign in to the network</title>".into_response(),
        Manner::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Manner::Hangs => std::future::pending().await,
        Manner::Floods => vec![b' '; 1 << 20].into_response(),
        Manner::OtherName => document(&issuers.url("honest"), keys),
        Manner::Redirects => {
            let honest = issuers.url("honest");
            Redirect::temporary(&format!("{honest}/.well-known/openid-configuration")).into_response()
        }
        Manner::PlainHttpElsewhere => document(&url, "http://keys.example.com/keys".to_owned()),
        Manner::Honest | Manner::NoKeys => document(&url, keys),
    }
}

async fn keys(State(issuers): State<Issuers>, Path(name): Path<String>) -> Response {
    let mut told = issuers.told.lock().unwrap();
    let told = told.get_mut(&name).unwrap();
    told.asked += 1;
    match told.manner {
        Manner::NoKeys => json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }).to_string().into_response(),
        _ => told.keys.to_string().into_response(),
    }
}

async fn token(State(issuers): State<Issuers>, Path(name): Path<String>, form: String) -> Response {
    let mut told = issuers.told.lock().unwrap();
    let told = told.get_mut(&name).unwrap();
    told.form = form;
    if told.id_token.is_empty() {
        return (StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#).into_response();
    }
    let body = json!({ "access_token": "opaque", "token_type": "Bearer", "id_token": told.id_token });
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
