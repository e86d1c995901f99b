//! The invariants of docs/protocol.md, section 9, during and after random histories: many callers, owners and sweepers on
//! two servers of one database, with leases of seconds.

use crate::harness::{
    join_all,
    stores::{Fresh, Install, PEPPER, token},
};
use seatlock_protocol::{Token, UnixTime};
use seatlock_server::{
    rules::{Answer, Call, OwnerAct},
    store::{Actor, AnyStore, AuditPart, AuditQuery, AuditRow, Made, OwnerOrder, Store as _, TokenHashes},
};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::Mutex,
    time::{Duration, Instant},
};
use uuid::Uuid;

on_every_store!(whatever_happens_the_invariants_hold(6));

const TIME: Duration = Duration::from_secs(12);
/// Seconds in which nobody asks, so that seats are released for inactivity, by many sweeps at once.
const QUIET: Range<u64> = 4..9;
const DOERS: u64 = 12;
const AUTO_RELEASE: u64 = 3;
const WINDOW: u64 = 1;
const MANUAL: [&str; 2] = ["released_by_owner", "released_by_machine"];
const MACHINES: u64 = 3;

/// A lease that was answered.
struct Lease {
    seat: Uuid,
    epoch: u64,
    machine: String,
    call: Call,
    bound: bool,
    iat: UnixTime,
    exp: UnixTime,
}

/// What there is to play with: seats with their present tokens, and every lease that came.
struct Game {
    seats: Vec<(Uuid, Mutex<Token>)>,
    leases: Mutex<Vec<Lease>>,
}

async fn whatever_happens_the_invariants_hold(fresh: Fresh) {
    fresh
        .place
        .run(&format!(
            "UPDATE license SET offline_ttl = 2, auto_release = {AUTO_RELEASE}, renew = 1, warn = 1, \
             release_window = {WINDOW}"
        ))
        .await;
    let other = fresh.place.open().await;
    let mut seats = Vec::new();
    for _ in 0..6 {
        let (id, token) = fresh.seat().await;
        seats.push((id, Mutex::new(token)));
    }
    let old = fresh.store.licenses(None).await.unwrap().remove(0);
    let new = seatlock_server::rules::License { seats_max: 4, ..old.clone() };
    fresh.store.change_license(old, new, Actor::Console).await.unwrap();
    let game = Game { seats, leases: Mutex::default() };
    let begin = Instant::now();
    let doers = (0..DOERS).map(|doer| {
        let store = if doer % 2 == 0 { &fresh.store } else { &other };
        play(&game, store, doer, begin)
    });
    let look = async {
        while begin.elapsed() < TIME {
            at_any_moment(&fresh).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    };
    tokio::join!(join_all(doers.collect()), look);
    at_any_moment(&fresh).await;
    let query = AuditQuery { limit: 1_000_000, ..AuditQuery::default() };
    let trail = fresh.store.audit(query).await.unwrap().rows;
    assert_eq!(fresh.store.verify_audit(AuditPart::ALL).await.unwrap().broken_at, None);
    let leases = game.leases.into_inner().unwrap();
    let happened = |events: &[&str]| trail.iter().any(|row| events.contains(&&*row.event));
    for events in [&["activated"][..], &["rebound"], &["auto_released"], &["refreshed"], &MANUAL] {
        assert!(happened(events), "{events:?} did not happen");
    }
    afterwards(&leases, &trail);
}

/// Does whatever comes to him, until the time is over.
async fn play(game: &Game, store: &AnyStore, doer: u64, begin: Instant) {
    let mut dice = doer.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while begin.elapsed() < TIME {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let (id, present) = &game.seats[usize::try_from(dice % 6).unwrap()];
        let known = present.lock().unwrap().clone();
        let machine = dice >> 8 & 0xff;
        let quiet = QUIET.contains(&begin.elapsed().as_secs());
        match dice >> 16 & 31 {
            _ if quiet => drop(store.sweep().await.unwrap()),
            0 => {
                let order = order(*id, OwnerAct::Release, None);
                drop(store.owner(order).await.unwrap());
            }
            1 => {
                let new = token();
                let order = order(*id, OwnerAct::Refresh, Some(TokenHashes::of(&new, &PEPPER)));
                let Made::New(done) = store.owner(order).await.unwrap() else { panic!("done before") };
                if done.answer == Answer::Done {
                    *present.lock().unwrap() = new;
                }
            }
            2..=5 => drop(store.sweep().await.unwrap()),
            turn => {
                let call = match turn {
                    6 | 7 => Call::Release,
                    8..=12 => Call::Launch,
                    13..=22 => Call::Renew,
                    _ => Call::Activate,
                };
                ask(game, store, &known, machine % MACHINES, call).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(dice >> 32 & 63)).await;
    }
}

async fn ask(game: &Game, store: &AnyStore, token: &Token, machine: u64, call: Call) {
    let mut install = Install::new(token, &machine.to_string());
    install.id = Uuid::from_u128(u128::from(machine) + 1);
    let answered = install.ask(store, call).await.unwrap();
    let (Answer::Lease { terms, .. }, Some((seat, _))) = (&answered.answer, &answered.subject) else {
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

fn order(seat: Uuid, act: OwnerAct, new_token: Option<TokenHashes>) -> OwnerOrder {
    OwnerOrder { seat, act, new_token, shared_with: None, dry_run: false, remember: None, by: Actor::Console }
}

async fn at_any_moment(fresh: &Fresh) {
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
        assert_eq!(fresh.place.number(query).await, 0, "{invariant}: {query}");
    }
}

fn afterwards(leases: &[Lease], trail: &[AuditRow]) {
    let mut holders: BTreeMap<(Uuid, u64), &str> = BTreeMap::new();
    for lease in leases {
        let Lease { seat, epoch, machine, .. } = lease;
        assert!(lease.exp > lease.iat && lease.exp.since(lease.iat) < AUTO_RELEASE, "I2: {seat} {epoch}");
        assert!(!(lease.bound && lease.call == Call::Renew), "I4: {seat} {epoch} was bound by a renewal");
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
