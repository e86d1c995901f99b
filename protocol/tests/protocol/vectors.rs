//! Checks every row of the golden vectors in `vectors/`, which a Python program wrote without this
//! crate.

use seatlock_protocol::{
    JwsError, KeyError, MachineId, Nonce, PublicKey, SigningKey, Token, TokenError, TokenKind, Typ, UnixTime,
    api, claims, jws,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::HashMap, fs, path::PathBuf};

/// A file of vectors and the check that reads it. `every_file_is_read` compares this list with the
/// folder.
const FILES: &[(&str, Check)] = &[
    ("bodies.json", bodies),
    ("hashes.json", hashes),
    ("jws.json", signed_objects),
    ("keys.json", keys),
    ("machines.json", machines),
    ("tokens.json", tokens),
    ("values.json", values),
];

/// Reads one file.
type Check = fn(&Value) -> Rows;

/// Name of each row with what went wrong, if anything.
type Rows = Vec<(String, Result<(), String>)>;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

#[test]
fn every_row_holds() {
    let mut failures = Vec::new();
    for (file, check) in FILES {
        let document: Value = serde_json::from_slice(&fs::read(folder().join(file)).unwrap()).unwrap();
        let written: usize =
            document.as_object().unwrap().values().filter_map(Value::as_array).map(Vec::len).sum();
        let rows = check(&document);
        assert_eq!(rows.len(), written, "{file}: every row is checked");
        assert!(written > 0, "{file} is empty");
        for (name, outcome) in rows {
            if let Err(problem) = outcome {
                failures.push(format!("{file}: {name}: {problem}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} rows fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_file_is_read() {
    let mut found: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "generate.py" && name != "__pycache__")
        .collect();
    found.sort();
    let read: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
    assert_eq!(found, read);
}

fn each(document: &Value, list: &str, check: impl Fn(&Value) -> Result<(), String>) -> Rows {
    let rows = document[list].as_array().unwrap_or_else(|| panic!("no list {list}"));
    rows.iter().map(|row| (text(row, "name").to_owned(), check(row))).collect()
}

fn text<'a>(row: &'a Value, member: &str) -> &'a str {
    row[member].as_str().unwrap_or_else(|| panic!("{member} of {} is not a text", row["name"]))
}

fn same<T: PartialEq + std::fmt::Debug>(got: T, expected: T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("got {got:?}, expected {expected:?}")) }
}

fn kind(prefix: &str) -> TokenKind {
    let kinds = [TokenKind::Integration, TokenKind::Api, TokenKind::OauthClient];
    kinds.into_iter().find(|kind| kind.prefix().strip_suffix('_') == Some(prefix)).unwrap()
}

fn tokens(document: &Value) -> Rows {
    each(document, "rows", |row| {
        let result = match Token::parse(text(row, "pasted"), kind(text(row, "wanted"))) {
            Ok(token) => {
                same(token.expose_secret(), text(row, "token"))?;
                "ok".to_owned()
            }
            Err(TokenError::Malformed) => "malformed".to_owned(),
            Err(TokenError::WrongKind(kind)) => format!("wrong_kind:{}", &kind.prefix()[..3]),
        };
        same(result.as_str(), text(row, "result"))
    })
}

fn hashes(document: &Value) -> Rows {
    each(document, "rows", |row| {
        let token =
            Token::parse(text(row, "token"), kind(&text(row, "token")[..3])).map_err(|e| e.to_string())?;
        same(token.hash().to_string().as_str(), text(row, "tkh"))?;
        let pepper: [u8; 32] = from_hex(text(row, "pepper_hex")).try_into().unwrap();
        same(token.stored_hash(&pepper).to_vec(), from_hex(text(row, "stored_hash_hex")))
    })
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn machines(document: &Value) -> Rows {
    let mut rows = each(document, "derive", |row| {
        let id = MachineId::derive(text(row, "product"), text(row, "os_tag"), text(row, "os_id"));
        same(id.as_str(), text(row, "id"))?;
        same(id.short().as_str(), text(row, "short"))?;
        same(text(row, "id").parse(), Ok(id))
    });
    rows.extend(each(document, "short", |row| {
        let id: MachineId = text(row, "id").parse().map_err(|_| "refused")?;
        same(id.short().as_str(), text(row, "short"))
    }));
    rows.extend(each(document, "parse", |row| {
        same(text(row, "text").parse::<MachineId>().is_ok(), row["ok"].as_bool().unwrap())
    }));
    rows
}

fn values(document: &Value) -> Rows {
    let mut rows = each(document, "nonces", |row| {
        same(text(row, "text").parse::<Nonce>().is_ok(), row["ok"].as_bool().unwrap())
    });
    rows.extend(each(document, "times", |row| {
        let read = serde_json::from_str::<UnixTime>(text(row, "json"));
        same(read.is_ok(), row["ok"].as_bool().unwrap())
    }));
    rows
}

fn keys(document: &Value) -> Rows {
    each(document, "rows", |row| {
        let key = PublicKey::from_jwk_x(text(row, "x"));
        let result = match key {
            Ok(key) => {
                let signer = SigningKey::from_jwk_d(text(row, "d")).map_err(|e| e.to_string())?;
                same(signer.public(), key)?;
                same(signer.kid(), text(row, "kid"))?;
                same(key.thumbprint().as_str(), text(row, "kid"))?;
                "ok"
            }
            Err(KeyError::Malformed) => "malformed",
            Err(KeyError::LowOrder) => "low_order",
        };
        same(result, text(row, "result"))
    })
}

fn signed_objects(document: &Value) -> Rows {
    let named = &document["keys"];
    each(document, "rows", |row| match text(row, "typ") {
        "lease" => signed_object::<claims::LeaseClaims>(named, row, Typ::Lease),
        "verdict" => signed_object::<claims::VerdictClaims>(named, row, Typ::Verdict),
        "keyset" => signed_object::<claims::KeySetClaims>(named, row, Typ::KeySet),
        "audit" => signed_object::<claims::AuditClaims>(named, row, Typ::Audit),
        other => Err(format!("unknown typ {other}")),
    })
}

fn signed_object<T: DeserializeOwned + Serialize>(
    named: &Value,
    row: &Value,
    typ: Typ,
) -> Result<(), String> {
    let names = row["trusted"].as_array().unwrap().iter().map(|name| &named[name.as_str().unwrap()]);
    let pinned: Result<HashMap<&str, PublicKey>, KeyError> =
        names.map(|key| Ok((text(key, "kid"), PublicKey::from_jwk_x(text(key, "x"))?))).collect();
    let Ok(pinned) = pinned else { return same("key", text(row, "result")) };

    let object = text(row, "jws");
    match jws::verify::<T>(object, typ, |kid| pinned.get(kid).copied()) {
        Ok(verified) => {
            same("ok", text(row, "result"))?;
            same(&serde_json::to_value(&verified.claims).unwrap(), &row["claims"])?;
            let signer = named.as_object().unwrap().values().find(|key| key["kid"] == *verified.kid).unwrap();
            let signer = SigningKey::from_jwk_d(text(signer, "d")).map_err(|e| e.to_string())?;
            let again = jws::sign(typ, &signer, &verified.claims).map_err(|e| e.to_string())?;
            // Ed25519 is deterministic: what we wrote ourselves must come out again, byte for byte.
            same(again == object, text(row, "written_by") == "us")
        }
        Err(error) => same(reason(&error), text(row, "result")),
    }
}

fn reason(error: &JwsError) -> &'static str {
    match error {
        JwsError::TooLong => "too_long",
        JwsError::NotCompact => "not_compact",
        JwsError::Header(_) => "header",
        JwsError::UnknownKey => "unknown_key",
        JwsError::Signature => "signature",
        JwsError::Claims(_) => "claims",
    }
}

fn bodies(document: &Value) -> Rows {
    each(document, "rows", |row| match text(row, "kind") {
        "request" => body::<api::SeatRequest>(row),
        "lease_answer" => body::<api::LeaseAnswer>(row),
        "verdict_answer" => body::<api::VerdictAnswer>(row),
        "problem" => body::<api::Problem>(row),
        "discovery" => body::<api::Discovery>(row),
        other => Err(format!("unknown kind {other}")),
    })
}

fn body<T: for<'de> Deserialize<'de> + Serialize>(row: &Value) -> Result<(), String> {
    let read = serde_json::from_str::<T>(text(row, "json"));
    let written = read.map_or(Value::Null, |body| serde_json::to_value(body).unwrap());
    same(&written, &row["reads_as"])
}
