use seatlock_protocol::{
    Act, Code, MachineId, UnixTime,
    claims::{ClockAction, ClockPolicy},
};
use seatlock_server::rules::{
    Answer, Audit, AuditEvent, Call, Caller, ClonePolicy, Decision, Event, Install, LeaseTerms, License,
    OwnerAct, Plan, Presented, ReleaseMode, Seat, Verdict, decide,
};
use std::collections::BTreeMap;
use uuid::Uuid;

pub const DAY: u64 = 86_400;
pub const PRODUCT: &str = "com.example.bridge";

/// One license with its seats: what a store keeps, in memory, so that decisions can follow one another.
pub struct World {
    pub now: UnixTime,
    pub license: License,
    pub seats: Vec<Seat>,
    pub installs: BTreeMap<(usize, Uuid), Install>,
    pub audit: Vec<(usize, Audit)>,
    pub user: u128,
    counter: u64,
}

pub fn machine(name: &str) -> MachineId {
    MachineId::derive(PRODUCT, "linux", name)
}

pub fn create_event() -> Event {
    Event::Create { seat: Uuid::from_u128(77), shared_with: "a@example.com".to_owned(), identity: None }
}

pub fn verdict(answer: &Answer) -> &Verdict {
    let Answer::Verdict(verdict) = answer else { panic!("a verdict was expected: {answer:?}") };
    verdict
}

pub fn code(answer: &Answer) -> (Code, Act) {
    let verdict = verdict(answer);
    (verdict.code, verdict.act)
}

pub fn lease(answer: &Answer) -> LeaseTerms {
    let Answer::Lease { terms: lease, .. } = answer else { panic!("a lease was expected: {answer:?}") };
    *lease
}

pub fn plan(name: &str, carries_seats: bool) -> Plan {
    Plan { name: name.to_owned(), carries_seats, entitlements: vec!["bridge".to_owned()] }
}

impl World {
    pub fn new(seats_max: u32) -> Self {
        let license = License {
            id: Uuid::from_u128(1),
            account: Uuid::from_u128(2),
            plan: plan("pro", true),
            entitlements: vec!["cad".to_owned()],
            products: vec![PRODUCT.to_owned()],
            seats_max,
            in_use: 0,
            tokens: 0,
            offline_ttl: 7 * DAY,
            airgap_ttl: 90 * DAY,
            auto_release: 14 * DAY,
            renew: 6 * 3600,
            warn: 2 * DAY,
            release_window: DAY,
            release_mode: ReleaseMode::Immediate,
            relaunch_rebinds: true,
            clone_policy: ClonePolicy::Flag,
            clock: ClockPolicy { tol: 93_600, act: ClockAction::Freeze },
            terms: None,
            min_client: None,
            suspended_at: None,
            expires_at: None,
            last_manual_release_at: None,
        };
        // 2026-11-22T09:00:00Z
        let now = UnixTime::new(1_795_338_000).unwrap();
        let (seats, audit, installs) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { now, license, seats, installs, audit, user: 1, counter: 0 }
    }

    pub fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(seconds);
    }

    pub fn seat(&self, seat: usize) -> &Seat {
        &self.seats[seat]
    }

    pub fn events(&self, seat: usize) -> Vec<AuditEvent> {
        self.audit.iter().filter(|(of, _)| *of == seat).map(|(_, entry)| entry.event).collect()
    }

    pub fn create(&mut self) -> usize {
        self.try_create().expect("there is room for another token")
    }

    pub fn try_create(&mut self) -> Option<usize> {
        let event = Event::Create {
            seat: Uuid::from_u128(100 + self.seats.len() as u128),
            shared_with: "a@example.com".to_owned(),
            identity: None,
        };
        let decision = decide(&self.license, None, &event, self.now);
        self.seats.push(decision.seat.clone()?);
        self.keep(self.seats.len() - 1, &decision);
        Some(self.seats.len() - 1)
    }

    fn install_id(&self, name: &str) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("{name} {}", self.user).as_bytes())
    }

    /// What a well-behaved client on `name` would send.
    pub fn caller(&mut self, seat: usize, name: &str) -> Caller {
        self.counter += 1;
        let install_id = self.install_id(name);
        let install = self.installs.get(&(seat, install_id)).cloned();
        Caller {
            machine: machine(name),
            token_revoked: false,
            product: PRODUCT.to_owned(),
            client: "1.0.0".to_owned(),
            terms: self.license.terms.clone(),
            epoch: None,
            gave_up: false,
            lost: None,
            launches: 1,
            last_offline: None,
            install_id,
            renewal: newest(install.as_ref()),
            install,
            jitter: (self.counter * 9973 % 65_536) as u16,
        }
    }

    pub fn secret(&self, seat: usize) -> Presented {
        newest(self.installs.get(&(seat, self.install_id("a"))))
    }

    pub fn renew_with(&mut self, seat: usize, name: &str, renewal: Presented) -> Result<(), Code> {
        self.call_with(seat, Call::Renew, name, renewal)
    }

    pub fn call_with(&mut self, seat: usize, call: Call, name: &str, renewal: Presented) -> Result<(), Code> {
        let caller = Caller { renewal, ..self.caller(seat, name) };
        match self.apply(seat, &Event::Call(call, Box::new(caller))) {
            Answer::Verdict(verdict) => Err(verdict.code),
            _ => Ok(()),
        }
    }

    pub fn call(&mut self, seat: usize, call: Call, name: &str) -> Answer {
        let caller = self.caller(seat, name);
        self.apply(seat, &Event::Call(call, Box::new(caller)))
    }

    pub fn owner(&mut self, seat: usize, act: OwnerAct) -> Answer {
        self.apply(seat, &Event::Owner(act))
    }

    pub fn apply(&mut self, seat: usize, event: &Event) -> Answer {
        let decision = decide(&self.license, Some(&self.seats[seat]), event, self.now);
        self.keep(seat, &decision);
        decision.answer
    }

    fn keep(&mut self, seat: usize, decision: &Decision) {
        self.license.apply(decision.license);
        self.seats[seat] = decision.seat.clone().expect("a seat does not vanish");
        if let Some(install) = &decision.install {
            self.installs.insert((seat, install.id), install.clone());
        }
        self.audit.extend(decision.audit.iter().map(|entry| (seat, entry.clone())));
    }
}

fn newest(install: Option<&Install>) -> Presented {
    install.map_or(Presented::Nothing, |install| Presented::Number(install.newest()))
}
