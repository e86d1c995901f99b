//! The invariants of docs/protocol.md, section 9, during and after random histories: many callers,
//! owners and sweepers on two servers of one database, with leases of seconds.

use crate::{
    ENGINE,
    harness::{
        database::Database,
        join_all,
        store::{Dice, Install, order, resize, seats, token},
    },
};
use seatlock_protocol::{Token, UnixTime};
use seatlock_server::domain::{SeatAction, SeatAnswer, SeatOperation};
use seatlock_server::store::{
    AuditPart, AuditQuery, AuditRow, Created, ReleaseExpired, SeatActionRequest, Store, TokenHashes,
    VerifyAudit,
};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use uuid::Uuid;

const SECONDS: u64 = 24;
/// Things that happen in a second.
const STEPS: u64 = 80;
/// Seconds in which nobody asks, so that seats are released for inactivity, by many sweeps at once.
const QUIET: Range<u64> = 8..14;
const DOERS: usize = 12;
const AUTO_RELEASE: u64 = 3;
const WINDOW: u64 = 1;
const MANUAL: [&str; 2] = ["released_by_owner", "released_by_machine"];
const MACHINES: u64 = 3;

/// A lease that was answered.
struct Lease {
    seat: Uuid,
    epoch: u64,
    machine: String,
    call: SeatOperation,
    bound: bool,
    iat: UnixTime,
    exp: UnixTime,
}

/// What there is to play with: seats with their present tokens, and every lease that came.
struct Game {
    db: Database,
    pepper: [u8; 32],
    seats: Vec<(Uuid, Mutex<Token>)>,
    leases: Mutex<Vec<Lease>>,
    steps: AtomicU64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_the_invariants_hold() {
    let db = Database::with_seats(ENGINE, 6).await;
    db.run(&format!(
        "UPDATE license SET offline_ttl = 2, auto_release = {AUTO_RELEASE}, renew = 1, warn = 1, \
         release_window = {WINDOW}"
    ))
    .await;
    let other = db.another_store().await;
    let seats = seats(&db, 6).await.into_iter().map(|(id, token)| (id, Mutex::new(token))).collect();
    resize(&db, 4).await;
    // Time goes by the mark from here on, which is ahead of the clock.
    let now = db.store().ready().await.unwrap();
    db.run(&format!("UPDATE clock SET mark = {}", now.plus(1).seconds())).await;
    let (pepper, leases, steps) = (db.pepper(), Mutex::default(), AtomicU64::new(0));
    let game = Game { db, pepper, seats, leases, steps };
    let servers = [game.db.store(), &other];
    join_all((0..DOERS).map(|doer| play(&game, servers[doer % 2], doer))).await;
    at_any_moment(&game.db).await;
    let query = AuditQuery { limit: 1_000_000, ..AuditQuery::default() };
    let trail = game.db.store().run(query).await.unwrap().rows;
    assert_eq!(game.db.store().run(VerifyAudit(AuditPart::ALL)).await.unwrap().broken_at, None);
    let leases = game.leases.into_inner().unwrap();
    let happened = |events: &[&str]| trail.iter().any(|row| events.contains(&&*row.event));
    for events in [&["activated"][..], &["rebound"], &["auto_released"], &["refreshed"], &MANUAL] {
        assert!(happened(events), "{events:?} did not happen");
    }
    afterwards(&leases, &trail);
}

/// Does whatever comes to him, until the time is over.
async fn play(game: &Game, store: &Store, doer: usize) {
    let mut dice = Dice::new(doer);
    loop {
        let step = game.steps.fetch_add(1, Ordering::SeqCst);
        let second = step / STEPS;
        if second >= SECONDS {
            return;
        }
        if step.is_multiple_of(STEPS) {
            game.db.run("UPDATE clock SET mark = mark + 1").await;
            at_any_moment(&game.db).await;
        }
        let dice = dice.roll();
        let (id, present) = &game.seats[usize::try_from(dice % 6).unwrap()];
        let known = present.lock().unwrap().clone();
        let machine = (dice >> 8 & 0xff) % MACHINES;
        match dice >> 16 & 31 {
            _ if QUIET.contains(&second) => drop(store.run(ReleaseExpired).await.unwrap()),
            0 => drop(store.run(order(&game.db, *id, SeatAction::Release)).await.unwrap()),
            1 => {
                let new = token();
                let new_token = Some(TokenHashes::of(&new, &game.pepper));
                let order = SeatActionRequest { new_token, ..order(&game.db, *id, SeatAction::Refresh) };
                let Created::New(done) = store.run(order).await.unwrap() else { panic!("done before") };
                if done.answer == SeatAnswer::Done {
                    *present.lock().unwrap() = new;
                }
            }
            2..=5 => drop(store.run(ReleaseExpired).await.unwrap()),
            6 | 7 => ask(game, store, &known, machine, SeatOperation::Release).await,
            8..=12 => ask(game, store, &known, machine, SeatOperation::Launch).await,
            13..=22 => ask(game, store, &known, machine, SeatOperation::Renew).await,
            _ => ask(game, store, &known, machine, SeatOperation::Activate).await,
        }
    }
}

async fn ask(game: &Game, store: &Store, token: &Token, machine: u64, call: SeatOperation) {
    let mut install = Install::new(token, &game.pepper, &machine.to_string());
    install.id = Uuid::from_u128(u128::from(machine) + 1);
    let answered = install.ask(store, call).await.unwrap();
    let (SeatAnswer::Lease { terms, .. }, Some((seat, _))) = (&answered.answer, &answered.subject) else {
        return;
    };
    game.leases.lock().unwrap().push(Lease {
        seat: seat.id,
        epoch: seat.epoch,
        machine: install.machine.to_string(),
        call,
        bound: terms.bound,
        iat: terms.iat,
        exp: terms.exp,
    });
}

async fn at_any_moment(db: &Database) {
    for (invariant, query) in [
        ("I1", "SELECT count(*) FROM license l WHERE l.in_use > l.seats_max"),
        (
            "I1",
            "SELECT count(*) FROM license l WHERE l.in_use <> (SELECT count(*) FROM seat s WHERE s.license_id = l.id AND \
             s.counted)",
        ),
        (
            "I2",
            "SELECT count(*) FROM seat s JOIN license l ON l.id = s.license_id WHERE s.state = 'in_use' AND \
             s.lease_until >= s.last_ping + l.auto_release",
        ),
        (
            "I4, I10",
            "SELECT count(*) FROM seat s WHERE s.epoch <> (SELECT count(*) FROM audit a WHERE a.seat_id = s.id AND \
             a.event IN ('activated', 'rebound', 'released_by_owner', 'released_by_machine', 'auto_released', \
             'refreshed'))",
        ),
        (
            "I10",
            "SELECT count(*) FROM (SELECT 1 FROM audit WHERE seat_id IS NOT NULL AND event <> 'clone_suspected' GROUP BY \
             seat_id, epoch HAVING count(*) > 1) AS twice",
        ),
    ] {
        assert_eq!(db.number(query).await, 0, "{invariant}: {query}");
    }
}

fn afterwards(leases: &[Lease], trail: &[AuditRow]) {
    let mut holders: BTreeMap<(Uuid, u64), &str> = BTreeMap::new();
    for lease in leases {
        let Lease { seat, epoch, machine, .. } = lease;
        assert!(lease.exp > lease.iat && lease.exp.since(lease.iat) < AUTO_RELEASE, "I2: {seat} {epoch}");
        assert!(
            !(lease.bound && lease.call == SeatOperation::Renew),
            "I4: {seat} {epoch} was bound by a renewal"
        );
        assert_eq!(holders.entry((*seat, *epoch)).or_insert(machine), machine, "I6: {seat} {epoch}");
        let refreshed = trail.iter().filter(|row| row.seat == Some(*seat) && row.event == "refreshed");
        let ended = refreshed.filter(|row| row.epoch > Some(*epoch)).map(|row| row.at).min();
        assert!(
            ended.is_none_or(|at| lease.iat <= at),
            "I5: {seat} {epoch}: a lease by a token that was replaced"
        );
    }
    let of = |seat: Uuid, events: &'static [&str]| {
        trail.iter().filter(move |row| row.seat == Some(seat) && events.contains(&&*row.event))
    };
    for ((seat, epoch), machine) in &holders {
        let binds = of(*seat, &["activated", "rebound"]).filter(|row| row.epoch == Some(*epoch));
        let binds: Vec<_> = binds.map(|row| row.machine.as_ref().unwrap().to_string()).collect();
        assert_eq!(binds, [*machine], "I9, I10: {seat} {epoch} is bound once, to whoever has leases of it");
    }
    for lease in leases {
        for row in of(lease.seat, &["auto_released"]).filter(|row| row.epoch > Some(lease.epoch)) {
            assert!(lease.exp <= row.at, "I3: {} {} outlives {row:?}", lease.seat, lease.epoch);
        }
        let next = holders.range((lease.seat, lease.epoch + 1)..=(lease.seat, u64::MAX)).next();
        let Some((&(seat, epoch), _)) = next else { continue };
        let first = leases
            .iter()
            .filter(|other| (other.seat, other.epoch) == (seat, epoch))
            .map(|other| other.iat)
            .min();
        if first.unwrap() < lease.exp {
            let between = |row: &&AuditRow| row.epoch > Some(lease.epoch) && row.epoch <= Some(epoch);
            let ended =
                of(seat, &["released_by_owner", "released_by_machine", "refreshed"]).any(|row| between(&row));
            assert!(ended, "I7: {seat} has two live leases, of {} and {epoch}", lease.epoch);
        }
    }
    let manual = |row: &&AuditRow| MANUAL.contains(&&*row.event);
    let mut releases: Vec<_> = trail.iter().filter(manual).map(|row| row.at).collect();
    releases.sort();
    assert!(releases.windows(2).all(|pair| pair[0].plus(WINDOW) <= pair[1]), "I8: {releases:?}");
}
