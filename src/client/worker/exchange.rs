use super::Worker;
use crate::client::journal::Exchange;
use crate::license::{
    Credential, Effect, Input, LeaseState, Outcome, Reply, RequestError, SentRequest, State, Submission,
};
use crate::net::Response;
use crate::store::{LockAttempt, RequestLock};
use seatlock_protocol::{
    Code, Nonce, TokenHash, UnixTime,
    address::spelled,
    api::{ClockReport, Have, Intent, Machine, SeatCall, SeatRequest},
};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// For how many seconds other processes of the installation are waited for without any of them
/// getting an answer. Longer than any request takes; after it this process asks all the same.
const TURN_PATIENCE: u64 = 20;

/// How often it is looked whether that process has ended.
const TURN_PAUSE: Duration = Duration::from_millis(50);

/// How waiting for other processes ended.
pub(super) enum LockWait {
    /// It is this one's turn, or nobody answers for the others.
    Turn(#[expect(dead_code, reason = "held until it is dropped")] Option<RequestLock>),
    /// Another process was given a lease meanwhile.
    Answered,
}

/// A judged answer.
struct JudgedReply {
    /// What it leads to.
    decided: (State, Vec<Effect>),
    /// The token that was shown.
    token: TokenHash,
    /// The renewal secret that was sent.
    renewal: Option<String>,
}

impl JudgedReply {
    fn code(&self) -> Option<Code> {
        Effect::reported(&self.decided.1).map(|outcome| outcome.code)
    }
}

/// What goes into the `Authorization` header, and what answers to it carry.
pub(super) struct Presented {
    pub(super) text: Zeroizing<String>,
    pub(super) hash: TokenHash,
}

/// Asking the server, and keeping what it answers.
impl Worker {
    /// Waits until no other process of the installation is asking the server. Two that ask with the
    /// same renewal secret look like two copies of one installation. The turn is given back
    /// when the value is dropped. With `shared`, a lease that another process gets meanwhile
    /// will do.
    pub(super) async fn turn(&mut self, shared: bool) -> LockWait {
        let held = |worker: &Self| match &worker.store.state().license {
            LeaseState::Lease(lease) => Some(lease.claims.jti),
            _ => None,
        };
        // Other products of the family get leases of their own.
        let (mut seats, mut since) = (self.store.state().seats.clone(), self.shared.clock.since_boot());
        let before = held(self);
        loop {
            let turn = self.store.try_lock_requests();
            self.store.refresh();
            let (now, time) = (held(self), self.shared.clock.since_boot());
            match turn {
                Some(LockAttempt::Acquired(lock)) => return LockWait::Turn(Some(lock)),
                Some(LockAttempt::HeldElsewhere) if shared && now.is_some() && now != before => {
                    return LockWait::Answered;
                }
                // As long as others get leases, patience begins anew: there are many, and the server answers.
                Some(LockAttempt::HeldElsewhere) if self.store.state().seats != seats => {
                    (seats, since) = (self.store.state().seats.clone(), time);
                }
                Some(LockAttempt::HeldElsewhere) if time.saturating_sub(since) < TURN_PATIENCE => {}
                _ => return LockWait::Turn(None),
            }
            tokio::time::sleep(TURN_PAUSE).await;
        }
    }

    /// Sees to it that the credential in use can be shown to the server.
    pub(super) async fn prepare(&mut self) -> Result<(), RequestError> {
        match self.store.credential().cloned() {
            Some(Credential::Token(_)) | None => Ok(()),
            Some(signed_in) => self.sign_in_again(&signed_in).await,
        }
    }

    fn presented(&self, credential: &Credential) -> Option<Presented> {
        match credential {
            Credential::Token(token) => {
                Some(Presented { text: token.expose_secret().to_owned().into(), hash: token.hash() })
            }
            signed_in => self.access_token(signed_in),
        }
    }

    pub(super) async fn with_credential(&mut self, call: SeatCall, intent: Intent) -> Outcome {
        let submission = match call {
            SeatCall::Activate => Submission::Provisioned,
            _ => Submission::Nobody,
        };
        match self.store.credential().cloned() {
            Some(credential) => self.exchange(call, &credential, intent, submission).await,
            None => self.nobody(),
        }
    }

    /// Nothing could be shown to the server: to the license that is the same as a server that
    /// cannot be reached.
    pub(super) fn unprepared(&mut self, call: SeatCall, error: RequestError) -> Outcome {
        if error.code == Code::NetworkDisallowed {
            return Outcome::of(error.code);
        }
        let known = self.store.credential().and_then(Credential::hash);
        let token = known.unwrap_or(TokenHash::new([0; TokenHash::LEN]));
        let nonce = Nonce::new([0; Nonce::LEN]);
        let asked = SentRequest { call, nonce, token, submission: Submission::Nobody };
        let decided = self.judged(&asked, &Reply::Failed(error));
        self.carry_out(decided, None)
    }

    /// One request and its answer: the way down and the way back.
    pub(super) async fn exchange(
        &mut self,
        call: SeatCall,
        credential: &Credential,
        intent: Intent,
        submission: Submission,
    ) -> Outcome {
        let mut answer = match self.ask(call, credential, intent, submission).await {
            Ok(answer) => answer,
            Err(code) => return Outcome::of(code),
        };
        let again = match answer.code() {
            Some(Code::LeaseSuperseded) => self.has_other_renewal(&answer),
            // The issuer may have changed its keys since; for a person who has just signed in there is
            // nothing to renew.
            Some(Code::SignInRequired) if submission.is_by_a_person() || credential.is_a_token() => false,
            Some(Code::SignInRequired) => match self.renew().await {
                Ok(()) => true,
                Err(error) if error.code == Code::SignInRequired => false,
                Err(error) => return self.unprepared(call, error),
            },
            _ => false,
        };
        if again {
            match self.ask(call, credential, intent, submission).await {
                Ok(again) => answer = again,
                Err(code) => return Outcome::of(code),
            }
        }
        // From judging an answer to keeping it nothing waits, so cancelling cannot come in between.
        self.carry_out(answer.decided, Some(credential.clone()))
    }

    /// Carries out what a step has decided, in its order, and tells how that ended. `credential` is
    /// the one that was shown.
    pub(super) fn carry_out(
        &mut self,
        (state, effects): (State, Vec<Effect>),
        credential: Option<Credential>,
    ) -> Outcome {
        let before = self.store.take(state);
        let (mut before, mut credential) = (Some(before), credential);
        let (mut reported, mut kept) = (Outcome::of(Code::Ok), None);
        for effect in effects {
            match effect {
                Effect::Adopt(submission) => {
                    let adopted = self.store.adopt(credential.take(), submission);
                    self.note(adopted);
                }
                Effect::Save => {
                    let saved = self.store.save();
                    self.note(saved);
                }
                // Done is what is done here too: with the lease on disk the license would be back at the next
                // start.
                Effect::ForgetToken => kept = self.store.give_up().err(),
                Effect::HandBack => kept = self.store.hand_back(before.take()).err(),
                Effect::Report(outcome) => reported = outcome,
            }
        }
        match kept {
            Some(error) => Outcome { http_status: reported.http_status, ..self.not_given_up(error) },
            None => reported,
        }
    }

    /// Sends a request and judges its answer; nothing is kept yet.
    async fn ask(
        &mut self,
        call: SeatCall,
        credential: &Credential,
        intent: Intent,
        submission: Submission,
    ) -> Result<JudgedReply, Code> {
        let presented = self.presented(credential).ok_or(Code::SignInRequired)?;
        let mut nonce = [0; Nonce::LEN];
        getrandom::fill(&mut nonce).map_err(|_| Code::Internal)?;
        let asked = SentRequest { call, nonce: Nonce::new(nonce), token: presented.hash, submission };
        let request = self.request(&asked, intent);
        let route = self.http.route();
        self.shared.journal.route(&route);
        let (now, clock, begin) = (self.now(), &self.shared.clock, Instant::now());
        let response = tokio::select! {
            biased;
            () = self.shared.network_disallowed() => None,
            response = self.http.call(call, &presented.text, &request, now, |time| clock.sleep(time)) => {
                Some(response)
            }
        };
        let (request_id, decided) = match response {
            None => (None, Err(Code::NetworkDisallowed)),
            Some(Response { reply, request_id }) => (request_id, Ok(self.judged(&asked, &reply))),
        };
        let not_sent = Outcome::of(Code::NetworkDisallowed);
        let outcome = decided.as_ref().ok().and_then(|(_, effects)| Effect::reported(effects));
        self.shared.journal.exchanged(&Exchange {
            what: call.name(),
            url: spelled(&route.server),
            begin,
            request_id,
            outcome: outcome.unwrap_or(&not_sent),
        });
        Ok(JudgedReply { decided: decided?, token: asked.token, renewal: request.renewal })
    }

    fn judged(&self, asked: &SentRequest, reply: &Reply) -> (State, Vec<Effect>) {
        let random = getrandom::u32().map_or(0, |random| (random >> 16) as u16);
        self.store.step(Input::Answered { asked, reply, random })
    }

    /// Whether another process has stored another renewal secret since the request: then the
    /// request was overtaken, on a file system without locks, and the installation was not
    /// copied.
    fn has_other_renewal(&mut self, answer: &JudgedReply) -> bool {
        self.store.refresh();
        let known = self.store.state().seats.renewal(answer.token);
        known.is_some() && known != answer.renewal.as_deref()
    }

    pub(super) fn request(&self, asked: &SentRequest, intent: Intent) -> SeatRequest {
        let state = self.store.state();
        let reading = self.shared.clock.read();
        let have = match &state.license {
            LeaseState::Lease(lease) if lease.claims.tkh == asked.token => {
                let (jti, epoch) = (Some(lease.claims.jti), lease.claims.epoch);
                Some(Have { jti, epoch, lease: Some(lease.jws.clone()) })
            }
            LeaseState::Dropped(verdict) if verdict.claims.tkh == asked.token => {
                verdict.claims.epoch.map(|epoch| Have { jti: None, epoch, lease: None })
            }
            LeaseState::HandedBack(given) if given.token == asked.token => {
                Some(Have { jti: None, epoch: given.epoch, lease: None })
            }
            _ => None,
        };
        SeatRequest {
            nonce: asked.nonce,
            product: self.store.rules().trust.product.clone(),
            machine: Machine { id: self.store.rules().machine.clone(), source: self.caller.source },
            install_id: state.install_id(asked.token),
            intent,
            renewal: state.seats.renewal(asked.token).map(str::to_owned),
            have,
            ks: state.keys().map_or(0, |keys| keys.seq),
            client: self.caller.client.clone(),
            plugin: self.caller.plugin.clone(),
            offline: state.launches.unreported(),
            clock: ClockReport {
                wall: reading.wall.unwrap_or(UnixTime::MIN),
                anomaly: state.time(reading).anomaly.map(|anomaly| anomaly.name().to_owned()),
            },
            // A question is about what activating would say, which the terms decide too.
            terms: matches!(asked.call, SeatCall::Activate | SeatCall::Airgap | SeatCall::Status)
                .then(|| self.caller.terms.clone())
                .flatten(),
        }
    }
}
