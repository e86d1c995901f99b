use crate::harness::store;
use seatlock_protocol::{Act, Code, UnixTime};
use seatlock_server::domain::{
    AuditEvent, CallerContext, Decision, Installation, LeaseTerms, License, Plan, PresentedRenewal, Seat,
    SeatAction, SeatAnswer, SeatAuditEntry, SeatEvent, SeatOperation, Verdict, decide,
};
use std::collections::BTreeMap;
use uuid::Uuid;

pub use crate::harness::{DAY, PRODUCT, machine, store::granted};

/// One license with its seats: what a store keeps, in memory, so that decisions can follow one
/// another.
pub struct World {
    pub now: UnixTime,
    pub license: License,
    pub seats: Vec<Seat>,
    pub installs: BTreeMap<(usize, Uuid), Installation>,
    pub audit: Vec<(usize, SeatAuditEntry)>,
    pub user: u128,
    counter: u64,
}

pub fn create_event() -> SeatEvent {
    SeatEvent::Create { seat: Uuid::from_u128(77), shared_with: "a@example.com".to_owned(), identity: None }
}

pub fn verdict(answer: &SeatAnswer) -> &Verdict {
    let SeatAnswer::Verdict(verdict) = answer else { panic!("a verdict was expected: {answer:?}") };
    verdict
}

pub fn code(answer: &SeatAnswer) -> (Code, Act) {
    let verdict = verdict(answer);
    (verdict.code, verdict.act)
}

pub fn lease(answer: &SeatAnswer) -> LeaseTerms {
    let SeatAnswer::Lease { terms: lease, .. } = answer else { panic!("a lease was expected: {answer:?}") };
    *lease
}

pub fn plan(name: &str, carries_seats: bool) -> Plan {
    Plan { name: name.to_owned(), carries_seats, entitlements: granted(&["bridge"]) }
}

impl World {
    pub fn new(seats_max: u32) -> Self {
        let license = License {
            id: Uuid::from_u128(1),
            plan: plan("pro", true),
            entitlements: granted(&["cad"]),
            ..store::license(Uuid::from_u128(2), seats_max)
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
        let event = SeatEvent::Create {
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
    pub fn caller(&mut self, seat: usize, name: &str) -> CallerContext {
        self.counter += 1;
        let install_id = self.install_id(name);
        let install = self.installs.get(&(seat, install_id)).cloned();
        CallerContext {
            terms: self.license.terms.clone(),
            launches: 1,
            install_id,
            renewal: newest(install.as_ref()),
            install,
            jitter: (self.counter * 9973 % 65_536) as u16,
            ..store::caller(name)
        }
    }

    pub fn secret(&self, seat: usize) -> PresentedRenewal {
        newest(self.installs.get(&(seat, self.install_id("a"))))
    }

    pub fn renew_with(&mut self, seat: usize, name: &str, renewal: PresentedRenewal) -> Result<(), Code> {
        self.call_with(seat, SeatOperation::Renew, name, renewal)
    }

    pub fn call_with(
        &mut self,
        seat: usize,
        call: SeatOperation,
        name: &str,
        renewal: PresentedRenewal,
    ) -> Result<(), Code> {
        let caller = CallerContext { renewal, ..self.caller(seat, name) };
        match self.apply(seat, &SeatEvent::Call(call, Box::new(caller))) {
            SeatAnswer::Verdict(verdict) => Err(verdict.code),
            _ => Ok(()),
        }
    }

    pub fn call(&mut self, seat: usize, call: SeatOperation, name: &str) -> SeatAnswer {
        let caller = self.caller(seat, name);
        self.apply(seat, &SeatEvent::Call(call, Box::new(caller)))
    }

    pub fn owner(&mut self, seat: usize, act: SeatAction) -> SeatAnswer {
        self.apply(seat, &SeatEvent::Owner(act))
    }

    pub fn apply(&mut self, seat: usize, event: &SeatEvent) -> SeatAnswer {
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

fn newest(install: Option<&Installation>) -> PresentedRenewal {
    install.map_or(PresentedRenewal::Nothing, |install| PresentedRenewal::Number(install.newest()))
}
