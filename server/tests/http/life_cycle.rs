//! Seats from the first activation to the end, through the real program.

use crate::harness::{ISSUER, Plugin, Site, join_all, logged};
use seatlock_protocol::claims::{EntitlementClaim, LeaseClaims};
use seatlock_protocol::{Act, Code, UnixTime};
use seatlock_server::domain::timestamp;
use serde_json::json;
use std::collections::BTreeMap;

#[tokio::test]
async fn a_lease_carries_plan_and_add_ons_and_a_seat_says_when_it_was_used_offline() {
    let site = Site::new(&["--plan", "enterprise", "--entitlement", "usd", "--entitlement", "cad"]);
    let (seat, token) = site.seat("ada@example.com");
    let server = site.serve();
    let mut plugin = Plugin::new(&token, "a");
    let (_, lease) = server.lease("activate", &mut plugin).await;
    let names = |lease: &LeaseClaims| lease.ent.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&lease), ["cad", "usd"], "each once");
    assert_eq!((lease.lic.account.as_str(), lease.lic.email.as_str()), (ISSUER, "ada@example.com"));
    site.cli(&["plan", "set", "enterprise", "--entitlement", "farm"]).json();
    let (_, lease) = server.lease("ping", &mut plugin).await;
    assert_eq!(names(&lease), ["cad", "farm", "usd"], "a plan that was changed is changed at once");

    let now = lease.iat.seconds();
    for reported in [now - 600, now - 60, now + 86_400] {
        plugin.body = json!({ "offline": { "last_used_at": reported, "launches": 2 } });
        let (_, lease) = server.lease("ping", &mut plugin).await;
        let shown = site.show(&seat)["last_offline_at"].as_str().map(str::to_owned);
        let kept = UnixTime::new(reported).unwrap().min(lease.iat);
        assert_eq!(shown, Some(timestamp(kept)), "{reported}, now {now}");
    }
}

#[tokio::test]
async fn a_seat_is_activated_used_given_back_taken_back_and_revoked() {
    let site = Site::new(&["--seats", "2", "--entitlement", "cad"]);
    let (seat, token) = site.seat("ada@example.com");
    let mut server = site.serve();
    let mut plugin = Plugin::new(&token, "a");

    let (status, lease) = server.lease("activate", &mut plugin).await;
    assert_eq!((status, lease.epoch, lease.sub.to_string()), (201, 1, seat.clone()));
    assert_eq!(
        (lease.mid, lease.aud.as_str(), lease.plan.as_str()),
        (plugin.machine.clone(), crate::harness::PRODUCT, "pro")
    );
    assert_eq!(
        (lease.ent, lease.exp.since(lease.iat), lease.warn),
        (BTreeMap::from([("cad".to_owned(), EntitlementClaim::default())]), 604_800, 172_800)
    );

    let (status, again) = server.lease("activate", &mut plugin).await;
    assert_eq!((status, again.epoch), (200, 1), "a lost answer and a retry leave one seat used");
    assert_ne!(again.jti, lease.jti);
    assert_eq!(site.cli(&["license", "show"]).json()[0]["in_use"], 1);

    let (status, renewed) = server.lease("ping", &mut plugin).await;
    assert_eq!((status, renewed.epoch), (200, 1));
    let verdict = server.call("status", &plugin).await.verdict();
    assert_eq!((verdict.code, verdict.act, verdict.epoch), (Code::Ok, Act::Keep, Some(1)));

    let released = server.call("release", &plugin).await.verdict();
    assert_eq!((released.code, released.act, released.epoch), (Code::Ok, Act::Drop, Some(2)));
    assert_eq!(site.show(&seat)["lock_status"], "released");
    let renew = plugin.with(json!({ "intent": "renew" }));
    let refused = server.call("ping", &renew).await.refusal();
    assert_eq!((refused.code, refused.act, refused.epoch), (Code::SeatReleased, Act::Drop, Some(2)));

    let (status, back) = server.lease("ping", &mut plugin).await;
    assert_eq!((status, back.epoch), (200, 3));
    site.cli(&["seat", "revoke", &seat, "--yes"]).json();
    for _ in 0..2 {
        for call in ["activate", "ping", "release"] {
            let answer = server.call(call, &plugin).await;
            let verdict = answer.refusal();
            assert_eq!((answer.status, verdict.code, verdict.act), (403, Code::TokenRevoked, Act::Drop));
            assert_eq!(verdict.epoch, Some(4));
        }
        server.stop();
        server = site.serve();
    }
    let expected = ["created", "activated", "released_by_machine", "rebound", "revoked"];
    assert_eq!(site.audit(&seat).await, expected);
}

#[tokio::test]
async fn a_refreshed_seat_takes_its_new_token_only() {
    let site = Site::new(&[]);
    let (seat, token) = site.seat("ada@example.com");
    let server = site.serve();
    let mut plugin = Plugin::new(&token, "a");
    server.lease("activate", &mut plugin).await;
    let refreshed = site.cli(&["seat", "refresh", &seat]).json();
    assert_eq!(server.call("ping", &plugin).await.refusal().code, Code::TokenRevoked);
    let mut other = Plugin::new(refreshed["token"].as_str().unwrap(), "b");
    let (status, lease) = server.lease("activate", &mut other).await;
    assert_eq!((status, lease.epoch), (201, 3));
}

#[tokio::test]
async fn one_manual_release_in_a_day() {
    let site = Site::new(&["--seats", "2"]);
    let (first, token) = site.seat("ada@example.com");
    let (_, other) = site.seat("bob@example.com");
    let server = site.serve();
    let (mut ada, mut bob) = (Plugin::new(&token, "a"), Plugin::new(&other, "b"));
    server.lease("activate", &mut ada).await;
    server.lease("activate", &mut bob).await;
    site.cli(&["seat", "release", &first]).json();

    let answer = server.call("release", &bob).await;
    let refused = answer.refusal();
    assert_eq!((answer.status, refused.code, refused.act), (429, Code::ReleaseRateLimited, Act::Keep));
    assert_eq!(refused.avail.unwrap().since(refused.iat).div_ceil(3600), 24);
    assert!(refused.params["time"].ends_with(" UTC"));
    server.lease("activate", &mut ada).await;
    let by_owner = site.cli(&["seat", "release", &first]);
    assert!(!by_owner.ok && by_owner.stderr.contains("Again at"), "{}", by_owner.stderr);

    site.age(86_400).await;
    assert_eq!(server.call("release", &bob).await.verdict().code, Code::Ok);
}

#[tokio::test]
async fn a_silent_seat_gives_its_place_to_another_one() {
    let site = Site::new(&["--seats", "2"]);
    let (silent, token) = site.seat("ada@example.com");
    let (_, other) = site.seat("bob@example.com");
    site.change(&["--seats", "1"]);
    let server = site.serve();
    let (mut ada, mut bob) = (Plugin::new(&token, "a"), Plugin::new(&other, "b"));
    server.lease("activate", &mut ada).await;
    let refused = server.call("activate", &bob).await.refusal();
    assert_eq!((refused.code, refused.params["n"].as_str()), (Code::SeatLimitReached, "1"));
    site.age(14 * 86_400).await;
    assert_eq!(server.lease("activate", &mut bob).await.0, 201);
    assert_eq!(site.show(&silent)["lock_status"], "released");
    assert_eq!(site.audit(&silent).await.last().unwrap(), "auto_released");
    let refused = server.call("ping", &ada.with(json!({ "intent": "renew" }))).await.refusal();
    assert_eq!(refused.code, Code::SeatReleased);
}

#[tokio::test]
async fn the_last_place_goes_to_exactly_one_of_sixteen() {
    let site = Site::new(&["--seats", "16"]);
    let tokens: Vec<String> = (0..16).map(|n| site.seat(&format!("user{n}@example.com")).1).collect();
    site.change(&["--seats", "1", "--release-window", "1s"]);
    let server = site.serve();
    for round in 0..20 {
        let plugins: Vec<_> = tokens.iter().map(|token| Plugin::new(token, &format!("{round}"))).collect();
        let calls: Vec<_> = plugins.iter().map(|plugin| server.call("activate", plugin)).collect();
        let answers = join_all(calls).await;
        let winners: Vec<usize> = (0..16).filter(|n| answers[*n].status == 201).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!(answer.refusal().code, Code::SeatLimitReached);
        }
        assert_eq!(site.cli(&["license", "show"]).json()[0]["in_use"], 1);
        site.age(10).await;
        assert_eq!(server.call("release", &plugins[winners[0]]).await.status, 200);
    }
}

#[tokio::test]
async fn those_of_one_batch_see_what_the_ones_before_them_took() {
    let site = Site::new(&["--seats", "16"]);
    let tokens: Vec<String> = (0..16).map(|n| site.seat(&format!("user{n}@example.com")).1).collect();
    site.change(&["--seats", "2"]);
    let server = site.serve();
    let plugins: Vec<_> = tokens.iter().map(|token| Plugin::new(token, "a")).collect();
    // While nobody can write, the first request waits alone and the others gather in the batch behind
    // it.
    let mut database = site.database().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
    let calls = join_all(plugins.iter().map(|plugin| server.call("activate", plugin)));
    let unlock = async {
        logged(&site, "asked", 16).await;
        sqlx::query("COMMIT").execute(&mut database).await.unwrap();
    };
    let (answers, ()) = tokio::join!(calls, unlock);
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    let log = std::fs::read_to_string(site.log()).unwrap();
    assert!(!log.contains("a batch failed"), "nobody tried to take a place that was gone");
}

#[tokio::test]
async fn sixteen_machines_can_not_share_one_seat() {
    let site = Site::new(&["--seats", "5"]);
    let (seat, token) = site.seat("ada@example.com");
    let server = site.serve();
    let plugins: Vec<_> = (0..16).map(|n| Plugin::new(&token, &format!("{n}"))).collect();
    let calls: Vec<_> = plugins.iter().map(|plugin| server.call("activate", plugin)).collect();
    let answers = join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        let refused = answer.refusal();
        assert_eq!((answer.status, refused.code, refused.act), (409, Code::SeatInUseElsewhere, Act::Keep));
    }
    assert_eq!(site.show(&seat)["epoch"], 1);
}

#[tokio::test]
async fn a_copied_installation_is_marked() {
    let site = Site::new(&[]);
    let (seat, token) = site.seat("ada@example.com");
    let server = site.serve();
    let mut plugin = Plugin::new(&token, "a");
    server.lease("activate", &mut plugin).await;
    let mut copy = plugin.clone();
    server.lease("ping", &mut plugin).await;
    server.lease("ping", &mut plugin).await;
    assert_eq!(site.show(&seat)["clone_suspected_at"], serde_json::Value::Null);
    site.age(61).await;
    server.lease("ping", &mut copy).await;
    assert!(site.show(&seat)["clone_suspected_at"].is_string());
    assert_eq!(site.audit(&seat).await.last().unwrap(), "clone_suspected");
}

#[tokio::test]
async fn a_machine_without_a_network_holds_its_seat_for_months() {
    let site = Site::new(&["--seats", "1"]);
    let (seat, token) = site.seat("ada@example.com");
    let server = site.serve();
    let (mut here, mut there) = (Plugin::new(&token, "a"), Plugin::new(&token, "b"));
    for _ in 0..2 {
        let (status, lease) = server.lease("airgap", &mut here).await;
        assert_eq!((status, lease.epoch, lease.exp.since(lease.iat)), (201, 1, 90 * 86_400));
    }
    site.age(80 * 86_400).await;
    let refused = server.call("activate", &there).await.refusal();
    assert_eq!(
        (refused.code, refused.act),
        (Code::SeatInUseElsewhere, Act::Keep),
        "nothing was heard for 80 days"
    );
    site.age(11 * 86_400).await;
    assert_eq!(server.lease("activate", &mut there).await.0, 201, "its lease is over");
    assert_eq!(site.audit(&seat).await, ["created", "activated", "auto_released", "activated"]);
}
