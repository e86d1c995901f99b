//! Signs and verifies objects of the protocol by hand, for people who port it to another language.
//!
//! ```text
//! cargo run -q -p seatlock-protocol --example jws -- sign lease    < tasks
//! cargo run -q -p seatlock-protocol --example jws -- verify lease  < tasks
//! ```
//!
//! The second word is `lease`, `verdict`, `keyset` or `audit`. Standard input holds one JSON task
//! in each line, and each line is answered by one line. Keys never stand on the command line, where
//! other users could read them.
//!
//! | verb | task | answer |
//! |---|---|---|
//! | `sign` | `{"d":"<JWK d>","claims":{...}}` | `{"jws":"...","kid":"...","x":"<JWK x>"}` |
//! | `verify` | `{"keys":["<JWK x>",...],"jws":"..."}` | `{"claims":{...},"kid":"..."}` |
//!
//! A refused task is answered by `{"error":"..."}`; the program then goes on and ends with status
//! 1.

use seatlock_protocol::{PublicKey, SigningKey, Typ, claims, jws};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;

#[derive(Deserialize)]
struct SignTask<T> {
    d: String,
    claims: T,
}

#[derive(Deserialize)]
struct VerifyTask {
    keys: Vec<String>,
    jws: String,
}

fn main() -> io::Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [verb, "lease"] => answer_all::<claims::LeaseClaims>(verb, Typ::Lease),
        [verb, "verdict"] => answer_all::<claims::VerdictClaims>(verb, Typ::Verdict),
        [verb, "keyset"] => answer_all::<claims::KeySetClaims>(verb, Typ::KeySet),
        [verb, "audit"] => answer_all::<claims::AuditClaims>(verb, Typ::Audit),
        _ => usage(),
    }
}

fn usage() -> io::Result<ExitCode> {
    writeln!(
        io::stderr(),
        "usage: jws sign|verify lease|verdict|keyset|audit, one JSON task in each line of standard input"
    )?;
    Ok(ExitCode::from(2))
}

fn answer_all<T: DeserializeOwned + Serialize>(verb: &str, typ: Typ) -> io::Result<ExitCode> {
    let work = match verb {
        "sign" => sign::<T>,
        "verify" => verify::<T>,
        _ => return usage(),
    };
    let mut end = ExitCode::SUCCESS;
    for task in io::stdin().lock().lines() {
        let answer = work(&task?, typ).unwrap_or_else(|error| {
            end = ExitCode::FAILURE;
            json!({ "error": error.to_string() })
        });
        writeln!(io::stdout(), "{answer}")?;
    }
    Ok(end)
}

fn sign<T: DeserializeOwned + Serialize>(task: &str, typ: Typ) -> Result<Value, Box<dyn Error>> {
    let task: SignTask<T> = serde_json::from_str(task)?;
    let key = SigningKey::from_jwk_d(&task.d)?;
    let jws = jws::sign(typ, &key, &task.claims)?;
    Ok(json!({ "jws": jws, "kid": key.kid(), "x": key.public().jwk_x() }))
}

fn verify<T: DeserializeOwned + Serialize>(task: &str, typ: Typ) -> Result<Value, Box<dyn Error>> {
    let task: VerifyTask = serde_json::from_str(task)?;
    let pinned: Vec<PublicKey> =
        task.keys.iter().map(|x| PublicKey::from_jwk_x(x)).collect::<Result<_, _>>()?;
    let find = |kid: &str| pinned.iter().copied().find(|key| key.thumbprint() == kid);
    let verified = jws::verify::<T>(&task.jws, typ, find)?;
    Ok(json!({ "claims": verified.claims, "kid": verified.kid }))
}
