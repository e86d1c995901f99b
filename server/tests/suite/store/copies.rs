//! One seat on many computers: what its owner sees, as every store must keep it.

use crate::{
    ENGINE,
    harness::{
        database::Database,
        join_all,
        store::{act, call, caller, refused, seats},
    },
};
use seatlock_protocol::{Act, Code, MachineSource, Token};
use seatlock_server::domain::{
    CallerContext, ClonePolicy, License, SeatAction, SeatAnswer, SeatOperation, SuppliedIds,
};
use seatlock_server::store::{
    Actor, AuditQuery, ChangeLicense, CountOutliving, FindSeat, ListOutliving, ListedSeat, SeatCommand,
};
use uuid::Uuid;

/// An installation asks whose computer says this of its id.
async fn ask(
    db: &Database,
    token: &Token,
    computer: &str,
    source: MachineSource,
    install: Uuid,
) -> SeatAnswer {
    let caller = CallerContext { source, install_id: install, ..caller(computer) };
    let token = token.stored_hash(&db.pepper());
    db.store().run(SeatCommand { token, call: SeatOperation::Activate, caller }).await.unwrap().answer
}

async fn change(db: &Database, supplied_ids: SuppliedIds, clone_policy: ClonePolicy) {
    let (_, old) = db.first().await;
    let new = License { supplied_ids, clone_policy, installs_max: 4, ..old.clone() };
    db.store().run(ChangeLicense { old, new, by: Actor::Console }).await.unwrap();
}

async fn listed(db: &Database, id: Uuid) -> ListedSeat {
    db.store().run(FindSeat(id)).await.unwrap().unwrap().0
}

/// What the audit trail says beside the events of a seat, the newest first.
async fn details(db: &Database, seat: Uuid) -> Vec<(String, Option<serde_json::Value>)> {
    let query = AuditQuery { seat: Some(seat), limit: 50, ..AuditQuery::default() };
    let rows = db.store().run(query).await.unwrap().rows;
    rows.into_iter().map(|row| (row.event, row.detail)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_computers_with_one_id_are_counted() {
    use {
        ClonePolicy::Enforce,
        MachineSource::{Os, Supplied},
        SuppliedIds::{Allow, Forbid},
    };
    for (what, computers, source, supplied_ids, clone_policy, served, marked) in [
        ("ten with one supplied id", 10, Supplied, SuppliedIds::Flag, ClonePolicy::Flag, 10, true),
        ("the same, enforced", 10, Supplied, SuppliedIds::Flag, Enforce, 4, true),
        ("the same, forbidden", 10, Supplied, Forbid, ClonePolicy::Flag, 0, false),
        ("five containers with one machine-id", 5, Os, Forbid, ClonePolicy::Flag, 5, true),
        ("the same, enforced", 5, Os, Forbid, Enforce, 4, true),
        ("a computer with four users", 4, Os, Forbid, Enforce, 4, false),
        ("a farm's node", 1, Supplied, Allow, Enforce, 1, false),
    ] {
        let db = Database::new(ENGINE).await;
        change(&db, supplied_ids, clone_policy).await;
        let (seat, token) = seats(&db, 1).await.remove(0);
        let installs: Vec<_> = (0..computers).map(|_| Uuid::new_v4()).collect();
        let answers =
            join_all(installs.iter().map(|install| ask(&db, &token, "one", source, *install))).await;
        let (leases, refusals): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| matches!(answer, SeatAnswer::Lease { .. }));
        assert_eq!(leases.len(), served, "{what}");
        let code = if supplied_ids == Forbid && source == Supplied {
            Code::MachineIdSupplied
        } else {
            Code::SeatInUseElsewhere
        };
        for verdict in refusals.into_iter().map(|answer| refused(answer).unwrap()) {
            assert_eq!((verdict.code, verdict.act), (code, Act::Keep), "{what}");
        }
        let shown = listed(&db, seat).await;
        assert_eq!(shown.installs as usize, served, "{what}");
        assert_eq!(shown.seat.source(), (served > 0).then_some(source), "{what}");
        assert_eq!(shown.seat.clone_suspected_at.is_some(), marked, "{what}");
        let trail = details(&db, seat).await;
        let of = |event: &str| trail.iter().filter(|(name, _)| name == event).collect::<Vec<_>>();
        let (activated, suspected) = (of("activated"), of("clone_suspected"));
        assert_eq!((activated.len(), suspected.len()), ((served > 0).into(), marked.into()), "{what}");
        for (_, detail) in activated {
            let wanted = (source == Supplied).then(|| serde_json::json!({ "machine_source": "supplied" }));
            assert_eq!(*detail, wanted, "{what}");
        }
        for (_, detail) in suspected {
            let counted = detail.as_ref().unwrap()["installations"].as_u64().unwrap();
            assert!((4..=5).contains(&counted), "{what}: {counted}");
        }
        // Who was let in goes on.
        for (install, answer) in installs.iter().zip(&answers) {
            if matches!(answer, SeatAnswer::Lease { .. }) {
                let again = ask(&db, &token, "one", source, *install).await;
                assert!(matches!(again, SeatAnswer::Lease { .. }), "{what}: {again:?}");
            }
        }
    }
}

#[tokio::test]
async fn leases_that_outlive_their_hold_are_counted() {
    let db = Database::new(ENGINE).await;
    let (_, old) = db.first().await;
    let new = License { release_window: 1, seats_max: 1, ..old.clone() };
    db.store().run(ChangeLicense { old, new, by: Actor::Console }).await.unwrap();
    let (_, license) = db.first().await;
    let (seat, token) = seats(&db, 1).await.remove(0);
    let alive = async |later: u64| {
        let now = db.store().ready().await.unwrap().plus(later);
        let of = db.store().run(ListOutliving { seat, now }).await.unwrap();
        let all = db.store().run(CountOutliving(now)).await.unwrap();
        assert_eq!(all.get(&license.id).copied().unwrap_or_default(), of.len() as u64);
        of.len()
    };
    for (step, computer) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let answer = call(&db, SeatOperation::Activate, &token, computer).await.answer;
        assert!(matches!(answer, SeatAnswer::Lease { .. }), "{computer}: {answer:?}");
        assert_eq!(alive(0).await, step, "its own lease is that of the hold");
        let gives_up = if step % 2 == 0 {
            act(&db, seat, SeatAction::Release).await
        } else {
            call(&db, SeatOperation::Release, &token, computer).await.answer
        };
        assert!(!matches!(gives_up, SeatAnswer::Unchanged), "{computer}");
        assert_eq!(alive(0).await, step + 1, "{computer}");
        db.age(2).await;
    }
    let answer = call(&db, SeatOperation::Activate, &token, "a").await.answer;
    assert!(matches!(answer, SeatAnswer::Lease { .. }), "{answer:?}");
    assert_eq!(alive(0).await, 3, "it holds the seat again");
    assert_eq!(act(&db, seat, SeatAction::Revoke).await, SeatAnswer::Done);
    assert_eq!((alive(0).await, alive(8 * 86_400).await), (4, 0));
}
