use super::keeper::{Complaint, Keeper};
use super::shared::Shared;
use super::sign_in::{Access, Asked as SignInAsked, Pending};
use super::{Consent, OperationId, words};
use crate::client::event::{Event, EventKind};
use crate::license::{Asked, Credential, Effect, Input, License, Outcome, Reply, State, Trouble, step};
use crate::machine;
use crate::net::Http;
use crate::net::oauth::Issuer;
use crate::store::{Asking, StoreError, Turn};
use seatlock_protocol::{
    Code, Nonce, Token, TokenHash, UnixTime,
    api::{ClientInfo, ClockReport, Have, Intent, Machine, SeatCall, SeatRequest},
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use uuid::Uuid;

/// How often the passing of time is looked at.
const TICK: Duration = Duration::from_secs(60);

/// How long resolver threads may take to end when the client closes; one that hangs in name resolution is left.
const RESOLVER_PATIENCE: Duration = Duration::from_millis(100);

/// How long other processes of the installation are waited for without any of them getting an answer. Longer than any
/// request takes; after it this process asks all the same.
const TURN_PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked whether that process has ended.
const TURN_PAUSE: Duration = Duration::from_millis(50);

/// Work for the worker.
pub(super) struct Command {
    pub(super) operation: OperationId,
    pub(super) work: Work,
}

/// What to do.
pub(super) enum Work {
    Activate { token: Token, consent: Consent },
    Ping(Intent),
    Release,
    Preflight(Option<Token>),
    SignIn(SignInAsked),
    SignOut,
    Forget,
    RequestFile { token: Token, consent: Consent, path: PathBuf },
    ImportFile(PathBuf),
    ReleaseFile(PathBuf),
}

impl Work {
    /// What a user is told when it is done.
    fn success(&self) -> &'static str {
        match self {
            Self::Activate { .. } | Self::Ping(_) | Self::ImportFile(_) | Self::SignIn(_) => {
                Code::Ok.row().text
            }
            Self::RequestFile { .. } => "The request was written. Import the file that is made from it.",
            Self::ReleaseFile(_) => {
                "The license was given up. The seat is free once the file was brought back."
            }
            Self::Release => "The seat was given back.",
            Self::Preflight(_) => "Activating would succeed.",
            Self::SignOut => "You are signed out on this computer.",
            Self::Forget => "Token and license were forgotten on this computer.",
        }
    }
}

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

/// What the worker is made of. It lives on one thread and nothing else touches it.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) keeper: Keeper,
    pub(super) http: Http,
    pub(super) issuer: Option<Arc<Issuer>>,
    pub(super) access: Option<Access>,
    pub(super) client: ClientInfo,
    pub(super) source: seatlock_protocol::MachineSource,
    pub(super) terms: Option<String>,
    pub(super) background: bool,
}

/// Runs until the client closes. The runtime is this thread's own, so that closing cancels whatever is in flight.
pub(super) fn run(mut worker: Worker, mut commands: UnboundedReceiver<Command>, complaints: Vec<Complaint>) {
    machine::block_signals();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime.map(Patient::new) else { return };
    runtime.block_on(async move {
        complaints.into_iter().for_each(|complaint| worker.complain(complaint));
        let launched = worker.keeper.launch(machine::clock::read());
        worker.note(launched);
        worker.publish();
        let shared = Arc::clone(&worker.shared);
        let mut next_tick = Instant::now() + TICK;
        let mut signing_in: Option<Pending> = None;
        loop {
            tokio::select! {
                biased;
                () = shared.closed() => break,
                command = commands.recv() => match command {
                    Some(Command { operation, work: Work::SignIn(asked) }) => {
                        worker.begin_sign_in(operation, asked, &mut signing_in);
                    }
                    Some(command) => worker.carry_out(command).await,
                    None => break,
                },
                ended = Pending::ended(&mut signing_in) => worker.signed_in(ended).await,
                () = tokio::time::sleep_until(next_tick.min(worker.renewal())) => {
                    worker.tick().await;
                    next_tick = Instant::now() + TICK;
                }
            }
        }
    });
}

/// A runtime that ends in time, also while unwinding: dropped, it would wait for name resolution without a limit.
struct Patient(Option<Runtime>);

impl Patient {
    fn new(runtime: Runtime) -> Self {
        Self(Some(runtime))
    }

    fn block_on(&self, work: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(work);
        }
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(RESOLVER_PATIENCE);
        }
    }
}

impl Worker {
    async fn carry_out(&mut self, Command { operation, work }: Command) {
        let shared = Arc::clone(&self.shared);
        if !shared.mailbox.is_running(operation) {
            return; // cancelled while it waited for its turn
        }
        let success = work.success();
        let outcome = tokio::select! {
            biased;
            () = shared.interrupted(Some(operation)) => Outcome::of(Code::Cancelled),
            outcome = self.work(work) => outcome,
        };
        self.publish();
        self.end(operation, outcome, success);
    }

    /// Tells the host how an operation ended.
    pub(super) fn end(&self, operation: OperationId, outcome: Outcome, success: &str) {
        let Outcome { code, http_status, available_at, params } = outcome;
        let message = match code {
            Code::Ok => success.to_owned(),
            Code::OkOffline | Code::OkWarn => self.shared.words(machine::clock::read()),
            _ => words::sentence(code, &params),
        };
        let event = Event::new(EventKind::Operation, code, message);
        self.shared.post(Event { operation: Some(operation), http_status, available_at, ..event });
    }

    async fn work(&mut self, work: Work) -> Outcome {
        self.keeper.refresh();
        match work {
            Work::Activate { token, consent } => {
                let _turn = self.turn(false).await;
                let token = Credential::Token(token);
                self.exchange(SeatCall::Activate, &token, Intent::Launch, Some(consent)).await
            }
            // It waits for a person beside everything else; see `run`.
            Work::SignIn(_) => Outcome::of(Code::Internal),
            Work::SignOut => self.sign_out().await,
            Work::Ping(intent) => self.ping(intent).await,
            Work::Release => match self.prepare().await {
                Ok(()) => {
                    let _turn = self.turn(false).await;
                    self.with_credential(SeatCall::Release, Intent::Renew).await
                }
                Err(trouble) => self.unprepared(SeatCall::Release, trouble),
            },
            Work::Preflight(Some(token)) => {
                self.exchange(SeatCall::Status, &Credential::Token(token), Intent::Renew, None).await
            }
            Work::Preflight(None) => match self.prepare().await {
                Ok(()) => self.with_credential(SeatCall::Status, Intent::Renew).await,
                Err(trouble) => self.unprepared(SeatCall::Status, trouble),
            },
            Work::RequestFile { token, consent, path } => self.request_file(&token, consent, &path),
            Work::ImportFile(path) => self.import_file(&path),
            Work::ReleaseFile(path) => self.release_file(&path),
            Work::Forget => self.forget(),
        }
    }

    pub(super) fn forget(&mut self) -> Outcome {
        self.access = None;
        let forgotten = self.keeper.forget_all(Uuid::new_v4());
        let code = if forgotten.is_ok() { Code::Ok } else { Code::StoreUnwritable };
        self.note(forgotten);
        Outcome::of(code)
    }

    async fn tick(&mut self) {
        self.keeper.refresh();
        let (state, effects) =
            step(&self.keeper.state, Input::Ticked, machine::clock::read(), &self.keeper.rules);
        self.keeper.state = state;
        if effects.contains(&Effect::Save) {
            let saved = self.keeper.save();
            self.note(saved);
        }
        self.publish();
        if self.renews() && self.is_due() {
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                biased;
                () = shared.closed() => {}
                _ = self.ping(Intent::Renew) => self.publish(),
            }
        }
    }

    /// Whether the lease is kept alive without being asked.
    fn renews(&self) -> bool {
        let has_lease = matches!(self.keeper.state.license, License::Lease(_));
        self.background && self.shared.has_network() && has_lease && self.keeper.credential.is_some()
    }

    /// When to look at the lease next, at the latest after a tick: the runtime's clock stops while the computer sleeps.
    fn renewal(&self) -> Instant {
        let wait = self.keeper.state.pacing.not_before.since(self.now());
        let wait = if self.renews() { Duration::from_secs(wait.max(1)) } else { TICK };
        Instant::now() + wait
    }

    pub(super) fn now(&self) -> UnixTime {
        self.keeper.state.time(machine::clock::read()).now
    }

    fn is_due(&self) -> bool {
        self.now() >= self.keeper.state.pacing.not_before
    }

    fn standing_code(&self) -> Code {
        self.publish();
        self.shared.standing().reason
    }

    /// Pings, unless another process of the installation has just done so.
    async fn ping(&mut self, intent: Intent) -> Outcome {
        if intent == Intent::Renew && !self.is_due() {
            return Outcome::of(self.standing_code());
        }
        if let Err(trouble) = self.prepare().await {
            return self.unprepared(SeatCall::Ping, trouble);
        }
        let turn = self.turn(true).await;
        match intent {
            _ if matches!(turn, Waited::Answered) => Outcome::of(self.standing_code()),
            Intent::Renew if !self.is_due() => Outcome::of(self.standing_code()),
            Intent::Launch if self.keeper.has_unused_token() => {
                self.with_credential(SeatCall::Activate, Intent::Launch).await
            }
            _ => self.with_credential(SeatCall::Ping, intent).await,
        }
    }

    /// Waits until no other process of the installation is asking the server. Two that ask with the same renewal secret
    /// look like two copies of one installation. The turn is given back when the value is dropped. With `shared`, a lease
    /// that another process gets meanwhile will do.
    pub(super) async fn turn(&mut self, shared: bool) -> Waited {
        let held = |worker: &Self| match &worker.keeper.state.license {
            License::Lease(lease) => Some(lease.claims.jti),
            _ => None,
        };
        let (mut before, mut since) = (held(self), Instant::now());
        loop {
            let turn = self.keeper.take_turn(machine::clock::read());
            self.keeper.refresh();
            let now = held(self);
            match turn {
                Some(Turn::Ours(asking)) => return Waited::Turn(Some(asking)),
                Some(Turn::Others) if shared && now.is_some() && now != before => return Waited::Answered,
                // As long as others get leases, patience begins anew: there are many, and the server answers.
                Some(Turn::Others) if now != before => (before, since) = (now, Instant::now()),
                Some(Turn::Others) if since.elapsed() < TURN_PATIENCE => {}
                _ => return Waited::Turn(None),
            }
            tokio::time::sleep(TURN_PAUSE).await;
        }
    }

    async fn with_credential(&mut self, call: SeatCall, intent: Intent) -> Outcome {
        match self.keeper.credential.clone() {
            Some(credential) => self.exchange(call, &credential, intent, None).await,
            None => self.nobody(),
        }
    }

    /// Nothing could be shown to the server: to the license that is the same as a server that can not be reached.
    fn unprepared(&mut self, call: SeatCall, trouble: Trouble) -> Outcome {
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
        for effect in answer.effects {
            let done = match effect {
                Effect::Save => self.keeper.save(),
                Effect::ForgetToken => self.keeper.forget_token(),
                Effect::Report(_) => Ok(()),
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
        let now = self.now();
        let reply = tokio::select! {
            biased;
            () = self.shared.network_disallowed() => return Err(Code::NetworkDisallowed),
            reply = self.http.call(call, &presented.text, &request, now) => reply,
        };
        Ok(self.judged(&asked, &reply, request.renewal))
    }

    fn judged(&self, asked: &Asked, reply: &Reply, renewal: Option<String>) -> Answer {
        let random = getrandom::u32().map_or(0, |random| (random >> 16) as u16);
        let input = Input::Answered { asked, reply, random };
        let (state, effects) = step(&self.keeper.state, input, machine::clock::read(), &self.keeper.rules);
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
        let reading = machine::clock::read();
        let have = match &state.license {
            License::Lease(lease) if lease.claims.tkh == asked.token => {
                Some(Have { jti: Some(lease.claims.jti), epoch: lease.claims.epoch })
            }
            License::Dropped(verdict) if verdict.claims.tkh == asked.token => {
                verdict.claims.epoch.map(|epoch| Have { jti: None, epoch })
            }
            License::HandedBack(given) if given.token == asked.token => {
                Some(Have { jti: None, epoch: given.epoch })
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
            offline: state.offline.clone(),
            clock: ClockReport {
                wall: reading.wall.unwrap_or(UnixTime::MIN),
                anomaly: state.time(reading).anomaly.map(|anomaly| anomaly.name().to_owned()),
            },
            terms: matches!(asked.call, SeatCall::Activate | SeatCall::Offline)
                .then(|| self.terms.clone())
                .flatten(),
        }
    }

    pub(super) fn publish(&self) {
        self.shared.publish(&self.keeper.state, machine::clock::read());
    }

    fn complain(&self, complaint: Complaint) {
        match complaint {
            Complaint::Store(error) => self.note(Err(error)),
            Complaint::Corrupt(path) => {
                let params = BTreeMap::from([("path".to_owned(), path.display().to_string())]);
                self.notice(Code::StoreCorrupt, words::sentence(Code::StoreCorrupt, &params));
            }
        }
    }

    /// A disk that fails is told to the host; the license in memory is not touched by it.
    pub(super) fn note(&self, done: Result<(), StoreError>) {
        if let Err(error) = done {
            self.notice(Code::StoreUnwritable, format!("{error}."));
        }
    }

    pub(super) fn notice(&self, code: Code, message: String) {
        self.shared.post(Event::new(EventKind::Notice, code, message));
    }
}
