//! Renewal secrets over random histories: an honest installation is never taken for two, two copies
//! always are.

use crate::rules_support::*;
use proptest::prelude::*;
use seatlock_protocol::Code;
use seatlock_server::domain::{ClonePolicy, PresentedRenewal, SeatOperation};

/// One copy of an installation's files.
#[derive(Clone, Copy)]
struct Copy {
    secret: PresentedRenewal,
    /// Answers that it has stored.
    answers: u32,
}

impl Copy {
    /// Asks, and stores the answer unless it is lost on its way or the process is killed before it
    /// was stored.
    fn ask(&mut self, world: &mut World, call: SeatOperation, arrives: bool) -> Result<(), Code> {
        world.call_with(0, call, "a", self.secret)?;
        if arrives {
            self.secret = world.secret(0);
            self.answers += 1;
        }
        Ok(())
    }
}

fn activated(policy: ClonePolicy) -> (World, Copy) {
    let mut world = World::new(1);
    world.license.clone_policy = policy;
    world.create();
    world.call(0, SeatOperation::Activate, "a");
    let secret = world.secret(0);
    (world, Copy { secret, answers: 0 })
}

/// Copies that ask within a minute of each other, round after round.
#[test]
fn copies_that_ask_together_are_found_in_their_third_round() {
    for (copies, rounds) in [(2, 3), (5, 2)] {
        for policy in [ClonePolicy::Flag, ClonePolicy::Enforce] {
            let (mut world, files) = activated(policy);
            let mut copies = vec![files; copies];
            for round in 1.. {
                world.pass(75);
                let answers: Vec<_> = copies
                    .iter_mut()
                    .map(|copy| {
                        world.pass(1);
                        copy.ask(&mut world, SeatOperation::Renew, true)
                    })
                    .collect();
                let refused = answers.contains(&Err(Code::LeaseSuperseded));
                // A refusal leaves no trace in the seat.
                let found = world.seat(0).clone_suspected_at.is_some() || refused;
                assert_eq!(found, round > rounds - 1 && round > 1, "{policy:?} {} {round}", copies.len());
                assert_eq!(refused, found && policy == ClonePolicy::Enforce);
                if found {
                    break;
                }
            }
        }
    }
}

fn call() -> impl Strategy<Value = SeatOperation> {
    prop::sample::select(vec![
        SeatOperation::Renew,
        SeatOperation::Renew,
        SeatOperation::Launch,
        SeatOperation::Activate,
        SeatOperation::Airgap,
    ])
}

fn policy() -> impl Strategy<Value = ClonePolicy> {
    prop::sample::select(vec![ClonePolicy::Flag, ClonePolicy::Enforce])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_honest_installation_never_looks_like_two(
        policy in policy(),
        asked in prop::collection::vec((call(), any::<bool>(), 0..13u64), 1..60),
    ) {
        let (mut world, mut computer) = activated(policy);
        for (call, arrives, days) in asked {
            world.pass(days * DAY);
            prop_assert_eq!(computer.ask(&mut world, call, arrives), Ok(()));
            prop_assert_eq!(world.seat(0).clone_suspected_at, None);
        }
    }

    /// Hosts that share one file ask at once, some of them before the answers of others were stored.
    #[test]
    fn hosts_that_share_their_file_never_look_like_two(
        policy in policy(),
        rounds in prop::collection::vec((61..200_000u64, prop::collection::vec((any::<bool>(), any::<bool>(), 0..6u64), 1..8)), 1..20),
    ) {
        let (mut world, mut file) = activated(policy);
        for (pause, hosts) in rounds {
            world.pass(pause);
            let mut before = file;
            for (late, arrives, seconds) in hosts {
                world.pass(seconds);
                let mut host = if late { before } else { file };
                // An answer of a late request that is lost as well leaves an outdated file behind.
                let arrives = arrives || late;
                prop_assert_eq!(host.ask(&mut world, SeatOperation::Launch, arrives), Ok(()));
                if arrives {
                    (before, file) = (file, host);
                }
                prop_assert_eq!(world.seat(0).clone_suspected_at, None);
            }
        }
    }

    #[test]
    fn two_copies_that_both_get_answers_are_found(
        policy in policy(),
        asked in prop::collection::vec((any::<bool>(), call(), any::<bool>()), 1..200),
    ) {
        let (mut world, files) = activated(policy);
        let mut copies = [files, files];
        for (which, call, arrives) in asked {
            world.pass(61); // within a minute the other copy's request could as well be late
            let refused = copies[usize::from(which)].ask(&mut world, call, arrives);
            let found = world.seat(0).clone_suspected_at.is_some();
            prop_assert!(found || refused.is_ok());
            let both = copies.iter().all(|copy| copy.answers >= 2);
            prop_assert!(found || !both, "two answers to each of two copies, and nobody noticed");
        }
    }
}
