//! The life of the keys that sign: rotated, revoked, replaced without the root key on the server,
//! and forged.

use crate::relay::relay;
use crate::support::{AGREED, Computer, end_of, standing};
use seatlock::protocol::claims::{KeySetClaims, LeaseClaims};
use seatlock::protocol::{PublicKey, SigningKey, Typ, jws};
use seatlock::{Client, Code, Intent, LockState};
use serde_json::{Value, json};
use std::cell::Cell;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use xtask::server::{Running, Seat};

const UNLOCKED: (LockState, Code) = (LockState::Unlocked, Code::Ok);
const GRACE: (LockState, Code) = (LockState::Grace, Code::OkOffline);
const DAY: i64 = 86_400;

fn served() -> (Running, Seat) {
    let server = Running::start().unwrap();
    let seat = server.create_seat("artist@example.com").unwrap();
    (server, seat)
}

fn licensed(server: &Running, seat: &Seat, name: &str) -> Computer {
    let computer = Computer::new(name);
    let client = computer.open(server);
    assert_eq!(end_of(&client, client.activate(&seat.token, AGREED)).code, Code::Ok);
    computer
}

fn ping(client: &Client) -> Code {
    end_of(client, client.ping(Intent::Launch)).code
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap().to_owned()
}

/// Seconds from now to the end of the lease.
fn left(client: &Client) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    client.status().unwrap().valid_until.unwrap().seconds() - i64::try_from(now).unwrap()
}

/// The kid in the header of a signed object.
fn signer(signed: &str) -> String {
    let named = Cell::new(String::new());
    let unknown = jws::verify::<Value>(signed, Typ::Lease, |kid| {
        named.set(kid.to_owned());
        None
    });
    assert!(unknown.is_err());
    named.take()
}

/// The newest lease key, as "keys list" names it.
fn signs_now(server: &Running) -> String {
    let keys = parsed(&server.administer(&["keys", "list", "--json"]).unwrap());
    text(keys.as_array().unwrap().iter().find(|key| key["signs"] == true).unwrap(), "/kid")
}

/// The key set that clients of `server` are given.
fn key_set(server: &Running) -> String {
    let taken = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&taken);
    let url = relay(server, move |body| {
        *seen.lock().unwrap() = text(&parsed(&String::from_utf8(body.clone()).unwrap()), "/keyset");
        Some(body)
    });
    let computer = Computer::new("newcomer");
    let client = Client::open(&computer.options_for(&url, server.issuer(), server.root_key())).unwrap();
    let seat = server.create_seat("newcomer@example.com").unwrap();
    end_of(&client, client.preflight(Some(&seat.token)));
    let taken = taken.lock().unwrap().clone();
    assert!(!taken.is_empty());
    taken
}

/// The key set that a computer has stored.
fn stored_key_set(computer: &Computer) -> Option<String> {
    let state = fs::read_to_string(computer.file("state.json")?).unwrap();
    parsed(&state).pointer("/state/key_set").and_then(Value::as_str).map(str::to_owned)
}

fn seq(server: &Running, key_set: &str) -> u64 {
    let root = PublicKey::from_jwk_x(server.root_key()).unwrap();
    jws::verify::<KeySetClaims>(key_set, Typ::KeySet, |_| Some(root)).unwrap().claims.seq
}

/// Answers of `server` in which some member is another one.
fn with_member(
    server: &Running,
    name: &'static str,
    value: impl Fn(&Value) -> String + Send + Sync + 'static,
) -> String {
    relay(server, move |body| {
        let mut body = parsed(&String::from_utf8(body).unwrap());
        let value = value(&body);
        body.as_object_mut().unwrap().insert(name.to_owned(), json!(value));
        Some(body.to_string().into_bytes())
    })
}

#[test]
fn keys_are_rotated_while_a_computer_is_offline() {
    let (mut server, seat) = served();
    let computer = licensed(&server, &seat, "offline");
    let before = signer(&computer.stored_lease().unwrap());
    server.stop().unwrap();
    for _ in 0..3 {
        server.rotate_keys(&[]).unwrap();
    }
    let client = computer.open(&server);
    assert_eq!((ping(&client), standing(&client)), (Code::Unreachable, GRACE));
    server.start_again().unwrap();
    assert_eq!((ping(&client), standing(&client)), (Code::Ok, UNLOCKED));
    let after = signer(&computer.stored_lease().unwrap());
    assert_ne!(after, before);
    assert_eq!(after, signs_now(&server));
    assert_eq!(seq(&server, &stored_key_set(&computer).unwrap()), 4);
}

#[test]
fn a_lease_of_a_revoked_key_is_renewed_within_a_day() {
    let (server, seat) = served();
    let leaked = signs_now(&server);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (proposal, signed, root) = (path("proposal"), path("signed"), server.root_key_file());
    server.administer(&["keys", "propose", "--revoke", &leaked, "--out", &proposal]).unwrap();

    // The leaked key is not to be trusted from the decision on, but signs until the key set is there.
    let computer = licensed(&server, &seat, "in-between");
    let client = computer.open(&server);
    assert_eq!((signer(&computer.stored_lease().unwrap()), standing(&client)), (leaked.clone(), UNLOCKED));
    assert!(left(&client) > 6 * DAY, "{} s", left(&client));

    let root = root.to_str().unwrap();
    server.administer(&["keys", "sign", &proposal, "--root-key", root, "--out", &signed, "--yes"]).unwrap();
    server.administer(&["keys", "install", &signed]).unwrap();
    assert_eq!(end_of(&client, client.preflight(None)).code, Code::Ok, "which brings the news, and no lease");
    let a_day = DAY - 600..=DAY + 600;
    assert!(a_day.contains(&left(&client)), "{} s", left(&client));
    assert_eq!(client.status().unwrap().lock_state, LockState::Unlocked, "rather than dying at once");
    drop(client);
    let client = computer.open(&server);
    assert!(a_day.contains(&left(&client)), "{} s after a restart", left(&client));

    assert_eq!((ping(&client), standing(&client)), (Code::Ok, UNLOCKED));
    assert_ne!(signer(&computer.stored_lease().unwrap()), leaked);
    assert!(left(&client) > 6 * DAY, "{} s", left(&client));
}

#[test]
fn a_key_set_that_is_older_or_another_roots_is_ignored() {
    let (server, seat) = served();
    let old = key_set(&server);
    let computer = licensed(&server, &seat, "deceived");
    server.rotate_keys(&[]).unwrap();
    {
        let client = computer.open(&server);
        assert_eq!(ping(&client), Code::Ok);
    }
    let newest = stored_key_set(&computer).unwrap();
    assert_eq!((seq(&server, &old), seq(&server, &newest)), (1, 2));

    let other = Running::start().unwrap();
    for _ in 0..3 {
        other.rotate_keys(&[]).unwrap();
    }
    for (what, offered) in
        [("older", old), ("another root's", key_set(&other)), ("garbage", "a.b.c".to_owned())]
    {
        let url = with_member(&server, "keyset", move |_| offered.clone());
        let client = Client::open(&computer.options_for(&url, server.issuer(), server.root_key())).unwrap();
        assert_eq!((ping(&client), standing(&client)), (Code::Ok, UNLOCKED), "{what}");
        assert_eq!(stored_key_set(&computer).as_ref(), Some(&newest), "{what}");
    }
}

#[test]
fn a_key_signs_within_its_period_only() {
    let (server, seat) = served();
    let old = signs_now(&server);
    let computer = licensed(&server, &seat, "period");
    server.rotate_keys(&[]).unwrap();
    {
        let client = computer.open(&server);
        assert_eq!(ping(&client), Code::Ok);
    }
    let set = stored_key_set(&computer).unwrap();
    let root = PublicKey::from_jwk_x(server.root_key()).unwrap();
    let set = jws::verify::<KeySetClaims>(&set, Typ::KeySet, |_| Some(root)).unwrap().claims;
    let key = |kid: &str| {
        let file = server.data().join("lease-keys").join(format!("{kid}.json"));
        let file = parsed(&fs::read_to_string(file).unwrap());
        SigningKey::from_jwk_d(&text(&file, "/d")).unwrap()
    };
    // (what, which key, its moment, what comes of it)
    let listed = |kid: &str| set.keys.iter().find(|key| key.kid == kid).unwrap().clone();
    let (replaced, current) = (listed(&old), listed(&signs_now(&server)));
    let rows = [
        ("a second before the key's first", &current, current.nbf.minus(1), Code::BadSignature),
        ("a second after the key's last", &replaced, replaced.exp.plus(1), Code::BadSignature),
        ("the replaced key's last second", &replaced, replaced.exp, Code::Ok),
    ];
    for (what, listed, moment, expected) in rows {
        let (key, kept, signs) = (key(&listed.kid), computer.stored_lease(), current.x);
        let url = with_member(&server, "lease", move |body| {
            let lease = jws::verify::<LeaseClaims>(&text(body, "/lease"), Typ::Lease, |_| Some(signs));
            let mut claims = lease.unwrap().claims;
            claims.iat = moment;
            jws::sign(Typ::Lease, &key, &claims).unwrap()
        });
        let client = Client::open(&computer.options_for(&url, server.issuer(), server.root_key())).unwrap();
        assert_eq!(ping(&client), expected, "{what}");
        assert_eq!(computer.stored_lease() == kept, expected != Code::Ok, "{what}");
    }
}
