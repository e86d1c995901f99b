use super::Consent;
use super::worker::Worker;
use crate::license::{Asked, Credential, Effect, Input, License, Outcome, Reply, State, Trouble, step};
use crate::store::{Asking, Turn};
use seatlock_protocol::{
    Code, Nonce, TokenHash, UnixTime,
    api::{ClockReport, Have, Intent, Machine, SeatCall, SeatRequest},
};
use std::time::Duration;

/// For how many seconds other processes of the installation are waited for without any of them getting an answer. Longer
/// than any request takes; after it this process asks all the same.
const TURN_PATIENCE: u64 = 20;

/// How often it is looked whether that process has ended.
const TURN_PAUSE: Duration = Duration::from_millis(50);

/// How waiting for other processes ended.
pub(super) enum Waited {
    /// It is this one's turn, or nobody answers for the others.
    Turn(#[expect(dead_code, reason = "held until it is dropped")] Option<Asking>),
    /// Another process was given a lease meanwhile.
    Answered,
}

/// Whose answer it was, when that is to be kept.
enum Adopted {
    /// Somebody submitted it just now.
    Submitted(Credential, Consent),
    /// It was set up beside the plug-in.
    Provisioned,
}

/// A judged answer.
struct Answer {
    state: State,
    effects: Vec<Effect>,
    /// The renewal secret that was sent.
    renewal: Option<String>,
}

impl Answer {
    fn outcome(&self) -> Outcome {
        let reported = self.effects.iter().find_map(|effect| match effect {
            Effect::Report(outcome) => Some(outcome.clone()),
            _ => None,
        });
        reported.unwrap_or_else(|| Outcome::of(Code::Internal))
    }
}

/// Asking the server, and keeping what it answers.
impl Worker {
    /// Waits until no other process of the installation is asking the server. Two that ask with the same renewal secret
    /// look like two copies of one installation. The turn is given back when the value is dropped. With `shared`, a lease
    /// that another process gets meanwhile will do.
    pub(super) async fn turn(&mut self, shared: bool) -> Waited {
        let held = |worker: &Self| match &worker.keeper.state.license {
            License::Lease(lease) => Some(lease.claims.jti),
            _ => None,
        };
        let (mut before, mut since) = (held(self), self.shared.clock.since_boot());
        loop {
            let turn = self.keeper.take_turn(self.shared.clock.read());
            self.keeper.refresh();
            let (now, time) = (held(self), self.shared.clock.since_boot());
            match turn {
                Some(Turn::Ours(asking)) => return Waited::Turn(Some(asking)),
                Some(Turn::Others) if shared && now.is_some() && now != before => return Waited::Answered,
                // As long as others get leases, patience begins anew: there are many, and the server answers.
                Some(Turn::Others) if now != before => (before, since) = (now, time),
                Some(Turn::Others) if time.saturating_sub(since) < TURN_PATIENCE => {}
                _ => return Waited::Turn(None),
            }
            tokio::time::sleep(TURN_PAUSE).await;
        }
    }

    pub(super) async fn with_credential(&mut self, call: SeatCall, intent: Intent) -> Outcome {
        match self.keeper.credential.clone() {
            Some(credential) => self.exchange(call, &credential, intent, None).await,
            None => self.nobody(),
        }
    }

    /// Nothing could be shown to the server: to the license that is the same as a server that can not be reached.
    pub(super) fn unprepared(&mut self, call: SeatCall, trouble: Trouble) -> Outcome {
        let known = self.keeper.credential.as_ref().and_then(Credential::hash);
        let nobody = TokenHash::new([0; TokenHash::LEN]);
        let asked = Asked { call, nonce: Nonce::new([0; Nonce::LEN]), token: known.unwrap_or(nobody) };
        if trouble.code == Code::NetworkDisallowed {
            return Outcome::of(trouble.code);
        }
        let answer = self.judged(&asked, &Reply::Failed(trouble), None);
        self.keep(answer, None)
    }

    /// One request and its answer: the way down and the way back.
    pub(super) async fn exchange(
        &mut self,
        call: SeatCall,
        credential: &Credential,
        intent: Intent,
        consent: Option<Consent>,
    ) -> Outcome {
        let mut answer = match self.ask(call, credential, intent).await {
            Ok(answer) => answer,
            Err(code) => return Outcome::of(code),
        };
        let again = match answer.outcome().code {
            Code::LeaseSuperseded => self.has_other_renewal(&answer),
            // The issuer may have changed its keys since; for a person who has just signed in there is nothing to renew.
            Code::SignInRequired if consent.is_none() => match self.renew().await {
                Ok(()) => true,
                Err(trouble) if trouble.code == Code::SignInRequired => false,
                Err(trouble) => return self.unprepared(call, trouble),
            },
            _ => false,
        };
        if again {
            match self.ask(call, credential, intent).await {
                Ok(again) => answer = again,
                Err(code) => return Outcome::of(code),
            }
        }
        // From judging an answer to keeping it nothing waits, so cancelling can not come in between.
        let adopted = match consent {
            _ if answer.outcome().code != Code::Ok => None,
            Some(consent) => Some(Adopted::Submitted(credential.clone(), consent)),
            None if call == SeatCall::Activate => Some(Adopted::Provisioned),
            None => None,
        };
        self.keep(answer, adopted)
    }

    /// Keeps what an answer has led to, and whose answer it was.
    fn keep(&mut self, answer: Answer, adopted: Option<Adopted>) -> Outcome {
        let outcome = answer.outcome();
        self.keeper.answered(answer.state);
        let adopted = match adopted {
            Some(Adopted::Submitted(credential, consent)) => self.keeper.adopt(credential, consent.remember),
            Some(Adopted::Provisioned) => self.keeper.adopt_provisioned(),
            None => Ok(()),
        };
        self.note(adopted);
        if answer.effects.contains(&Effect::ForgetToken) {
            // Done is what is done here too: with the lease on disk the license would be back at the next start.
            return match self.keeper.give_up() {
                Ok(()) => outcome,
                Err(error) => Outcome { http_status: outcome.http_status, ..self.not_given_up(error) },
            };
        }
        for effect in answer.effects {
            let done = match effect {
                Effect::Save => self.keeper.save(),
                Effect::ForgetToken | Effect::Report(_) => Ok(()),
            };
            self.note(done);
        }
        outcome
    }

    /// Sends a request and judges its answer; nothing is kept yet.
    async fn ask(&mut self, call: SeatCall, credential: &Credential, intent: Intent) -> Result<Answer, Code> {
        let presented = self.presented(credential).ok_or(Code::SignInRequired)?;
        let mut nonce = [0; Nonce::LEN];
        getrandom::fill(&mut nonce).map_err(|_| Code::Internal)?;
        let asked = Asked { call, nonce: Nonce::new(nonce), token: presented.hash };
        let request = self.request(&asked, intent);
        let (now, clock) = (self.now(), &self.shared.clock);
        let reply = tokio::select! {
            biased;
            () = self.shared.network_disallowed() => return Err(Code::NetworkDisallowed),
            reply = self.http.call(call, &presented.text, &request, now, |time| clock.sleep(time)) => reply,
        };
        Ok(self.judged(&asked, &reply, request.renewal))
    }

    fn judged(&self, asked: &Asked, reply: &Reply, renewal: Option<String>) -> Answer {
        let random = getrandom::u32().map_or(0, |random| (random >> 16) as u16);
        let input = Input::Answered { asked, reply, random };
        let (state, effects) = step(&self.keeper.state, input, self.shared.clock.read(), &self.keeper.rules);
        Answer { state, effects, renewal }
    }

    /// Whether another process has stored another renewal secret since the request: then the request was overtaken, on a
    /// file system without locks, and the installation was not copied.
    fn has_other_renewal(&mut self, answer: &Answer) -> bool {
        self.keeper.refresh();
        self.keeper.state.renewal.is_some() && self.keeper.state.renewal != answer.renewal
    }

    pub(super) fn request(&self, asked: &Asked, intent: Intent) -> SeatRequest {
        let state = &self.keeper.state;
        let reading = self.shared.clock.read();
        let have = match &state.license {
            License::Lease(lease) if lease.claims.tkh == asked.token => {
                let (jti, epoch) = (Some(lease.claims.jti), lease.claims.epoch);
                Some(Have { jti, epoch, lease: Some(lease.jws.clone()) })
            }
            License::Dropped(verdict) if verdict.claims.tkh == asked.token => {
                verdict.claims.epoch.map(|epoch| Have { jti: None, epoch, lease: None })
            }
            License::HandedBack(given) if given.token == asked.token => {
                Some(Have { jti: None, epoch: given.epoch, lease: None })
            }
            _ => None,
        };
        let holds_lease = have.as_ref().is_some_and(|have| have.jti.is_some());
        SeatRequest {
            nonce: asked.nonce,
            product: self.keeper.rules.trust.product.clone(),
            machine: Machine { id: self.keeper.rules.machine.clone(), source: self.source },
            install_id: state.install_id,
            intent,
            renewal: state.renewal.clone().filter(|_| holds_lease),
            have,
            ks: state.keys().map_or(0, |keys| keys.seq),
            client: self.client.clone(),
            plugin: self.plugin.clone(),
            offline: state.launches.unreported(),
            clock: ClockReport {
                wall: reading.wall.unwrap_or(UnixTime::MIN),
                anomaly: state.time(reading).anomaly.map(|anomaly| anomaly.name().to_owned()),
            },
            // A question is about what activating would say, which the terms decide too.
            terms: matches!(asked.call, SeatCall::Activate | SeatCall::Offline | SeatCall::Status)
                .then(|| self.terms.clone())
                .flatten(),
        }
    }
}
