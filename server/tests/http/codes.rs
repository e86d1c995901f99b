//! Every code that a server can send, produced once, with its status and what it does to a lease.

use crate::harness::{
    Answer, Plugin, Site,
    issuer::{AUDIENCE, Issuers, Key, Manner, with},
};
use seatlock_protocol::{Act, Code};
use serde_json::json;
use std::collections::BTreeSet;

/// Sent by proxies, or by a server that limits tries, which this one does not.
const NOT_OURS: [Code; 2] = [Code::RateLimited, Code::ProxyAuthRequired];

struct Seen(BTreeSet<Code>);

impl Seen {
    fn signed(&mut self, answer: &Answer, code: Code, act: Act) {
        let verdict = answer.refusal();
        assert_eq!((verdict.code, verdict.act, answer.status), (code, act, code.row().http));
        let words = answer.problem();
        assert_eq!(words.detail, code.text(|name| verdict.params.get(name).map(String::as_str)));
        assert!(!words.detail.contains('{') && words.help.is_some());
        self.0.insert(code);
    }

    fn unsigned(&mut self, answer: &Answer, code: Code, status: u16) {
        let problem = answer.problem();
        assert_eq!((problem.code, answer.status), (code, status));
        assert_eq!((problem.verdict, problem.keyset), (None, None));
        self.0.insert(code);
    }
}

#[tokio::test]
async fn every_code_has_a_request_that_produces_it() {
    let site = Site::new(&["--seats", "3", "--terms", "2026-01"]);
    let (seat, token) = site.seat("ada@example.com");
    let (_, second) = site.seat("bob@example.com");
    let (_, third) = site.seat("eve@example.com");
    let server = site.serve();
    let mut seen = Seen(BTreeSet::new());
    let terms = json!({ "terms": "2026-01" });
    let mut ada = Plugin::new(&token, "a").with(terms.clone());
    let bob = Plugin::new(&second, "b").with(terms.clone());

    seen.unsigned(&server.call("ping", &Plugin::new("sit_no", "a")).await, Code::TokenMalformed, 400);
    let api_token = "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";
    seen.unsigned(&server.call("ping", &Plugin::new(api_token, "a")).await, Code::TokenWrongKind, 403);
    let stranger = "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs";
    for call in ["activate", "ping", "release"] {
        let answer = server.call(call, &Plugin::new(stranger, "a")).await;
        seen.signed(&answer, Code::TokenUnknown, Act::Keep);
        assert_eq!(answer.refusal().sub, None);
    }
    let unknown = server.call("status", &Plugin::new(stranger, "a")).await;
    assert_eq!((unknown.status, unknown.verdict().code), (200, Code::TokenUnknown));

    seen.signed(&server.call("activate", &ada.with(json!({}))).await, Code::TermsRequired, Act::Keep);
    server.lease("activate", &mut ada).await;
    seen.0.insert(server.call("status", &ada).await.verdict().code);
    let thief = Plugin { epoch: Some(0), ..Plugin::new(&token, "b").with(terms.clone()) };
    seen.signed(&server.call("activate", &thief).await, Code::SeatInUseElsewhere, Act::Drop);
    let guest = Plugin { epoch: None, ..thief };
    seen.signed(&server.call("activate", &guest).await, Code::SeatInUseElsewhere, Act::Keep);
    let preview = server.call("status", &guest).await;
    assert_eq!((preview.status, preview.verdict().code), (200, Code::SeatInUseElsewhere));

    site.change(&["--seats", "1"]);
    seen.signed(&server.call("activate", &bob).await, Code::SeatLimitReached, Act::Keep);
    site.change(&["--seats", "3"]);

    let other = ada.with(json!({ "terms": "2026-01", "product": "com.example.other" }));
    seen.signed(&server.call("ping", &other).await, Code::PlanNotEntitled, Act::Keep);
    site.change(&["--min-plugin", "1.0.1"]);
    seen.signed(&server.call("ping", &ada).await, Code::PluginTooOld, Act::Keep);
    site.change(&["--min-plugin", "", "--updates-until", "2026-01-31"]);
    let newer = json!({ "terms": "2026-01", "plugin": { "version": "2.4.1", "released": 1_795_338_000 } });
    let not_included = server.call("ping", &ada.with(newer)).await;
    seen.signed(&not_included, Code::UpdateNotIncluded, Act::Keep);
    assert_eq!(not_included.refusal().params["date"], "2026-01-31");
    site.change(&["--updates-until", "never", "--suspend"]);
    seen.signed(&server.call("ping", &ada).await, Code::LicenseSuspended, Act::Drop);
    site.change(&["--resume", "--expires", "2026-01-31"]);
    let expired = server.call("ping", &ada).await;
    seen.signed(&expired, Code::LicenseExpired, Act::Drop);
    assert_eq!(expired.refusal().params["date"], "2026-01-31");
    site.change(&["--expires", "never", "--clone-policy", "enforce"]);
    let copy = Plugin { renewal: Some("copied".to_owned()), ..ada.clone() };
    seen.signed(&server.call("ping", &copy).await, Code::LeaseSuperseded, Act::Drop);
    site.change(&["--supplied-ids", "forbid"]);
    let supplied = json!({ "terms": "2026-01", "machine": { "id": ada.machine, "source": "supplied" } });
    let supplied = server.call("activate", &ada.with(supplied)).await;
    let wanted = if ada.epoch.is_some() { Act::Drop } else { Act::Keep };
    seen.signed(&supplied, Code::MachineIdSupplied, wanted);
    site.change(&["--supplied-ids", "flag"]);

    let mut eve = Plugin::new(&third, "c").with(terms.clone());
    server.lease("activate", &mut eve).await;
    assert_eq!(server.call("release", &eve).await.verdict().code, Code::Ok);
    seen.signed(&server.call("release", &ada).await, Code::ReleaseRateLimited, Act::Keep);
    let renew = eve.with(json!({ "intent": "renew" }));
    seen.signed(&server.call("ping", &renew).await, Code::SeatReleased, Act::Drop);
    site.cli(&["seat", "revoke", &seat, "--yes"]).json();
    seen.signed(&server.call("ping", &ada).await, Code::TokenRevoked, Act::Drop);

    let (issuers, key) = (Issuers::start().await, Key::ed25519("k"));
    for (name, manner) in [("login", Manner::Honest), ("away", Manner::Fails)] {
        issuers.tell(name, manner, &[&key]);
        site.cli(&["issuer", "add", &issuers.url(name), "--audience", AUDIENCE, "--admit", "client=farm"])
            .json();
    }
    let signed_in = |name: &str, more| {
        Plugin::new(&key.access_token(&with(issuers.claims(name, "farm", "seat:use"), more)), "f")
    };
    for (plugin, code) in [
        (signed_in("login", json!({ "exp": 0 })), Code::SignInRequired),
        (signed_in("login", json!({ "scope": "" })), Code::ScopeMissing),
        (signed_in("login", json!({ "client_id": "other" })), Code::IdentityUnknown),
        (signed_in("away", json!({})), Code::IdentityProviderUnavailable),
    ] {
        seen.signed(&server.call("ping", &plugin).await, code, Act::Keep);
    }

    let no_machine = ada.with(json!({ "machine": null }));
    seen.unsigned(&server.call("ping", &no_machine).await, Code::InvalidArgument, 400);

    let hurried = site.serve_with(&["--request-timeout", "1s"]);
    let mut database = site.database().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    // It is carried out when the lock is gone, although nobody waits for it any more: a renewal takes
    // no seat.
    let busy = hurried.call("ping", &renew).await;
    seen.unsigned(&busy, Code::Maintenance, 503);
    assert!(busy.headers.contains_key("retry-after"));
    sqlx::query("ALTER TABLE install RENAME TO lost").execute(&mut database).await.unwrap();
    sqlx::query("COMMIT").execute(&mut database).await.unwrap();
    seen.unsigned(&server.call("activate", &eve).await, Code::ServerError, 500);
    sqlx::query("ALTER TABLE lost RENAME TO install").execute(&mut database).await.unwrap();
    assert_eq!(server.lease("activate", &mut eve).await.0, 201, "and it recovers");

    let expected: BTreeSet<Code> = Code::TABLE
        .iter()
        .filter(|row| row.http != 0 && !NOT_OURS.contains(&row.code))
        .map(|row| row.code)
        .collect();
    assert_eq!(seen.0, expected);
}
