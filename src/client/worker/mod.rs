/// Requests and leases that a person carries.
mod airgap;
/// One request to the server, in its turn, and what its answer leads to.
mod exchange;
/// People and machines that sign in instead of entering a token.
mod sign_in;

pub(super) use sign_in::{SignInMethod, SignInRequest};

use super::environment::who_is_offline;
use super::license_store::{LicenseStore, LoadWarning};
use super::shared::Shared;
use super::{Consent, OperationId};
use crate::client::event::{Event, EventKind};
use crate::client::snapshot::Snapshot;
use crate::license::{Credential, Effect, Input, Outcome, Submission};
use crate::machine;
use crate::net::Http;
use crate::net::oauth::IssuerRegistration;
use crate::store::StoreError;
use crate::words::{Message, Phrase};
use exchange::LockWait;
use seatlock_protocol::{
    Code, MachineSource, Token, UnixTime,
    api::{ClientInfo, Intent, Plugin, SeatCall},
};
use sign_in::{Access, Pending};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;
use uuid::Uuid;

/// How often the passing of time is looked at.
const TICK: u64 = 60 * SECOND;
/// In milliseconds, in which the worker counts.
const SECOND: u64 = 1000;

/// How long resolver threads may take to end when the client closes; one that hangs in name
/// resolution is left, and so is every one that may not be waited for.
const RESOLVER_PATIENCE: Duration = Duration::from_millis(if machine::CAN_JOIN { 100 } else { 0 });

/// How long the worker rests after a defect, so that one that comes again at once does not fill the
/// processor.
const AFTER_DEFECT: Duration = Duration::from_secs(1);

/// Work for the worker.
pub(super) struct Command {
    pub(super) operation: OperationId,
    pub(super) task: Task,
}

/// What to do.
pub(super) enum Task {
    /// To wait for a person, beside everything else.
    SignIn(SignInRequest),
    /// One after the other.
    Work(Work),
}

impl From<Work> for Task {
    fn from(work: Work) -> Self {
        Self::Work(work)
    }
}

/// What is done in its turn.
pub(super) enum Work {
    Activate { token: Token, consent: Consent },
    Ping(Intent),
    Release,
    Preflight(Option<Token>),
    SignOut,
    Forget,
    AirgapRequest { token: Token, consent: Consent, path: PathBuf },
    AirgapImport(PathBuf),
    AirgapRelease(PathBuf),
}

impl Work {
    /// Its name in the log, and what a user is told when it is done.
    fn kind(&self) -> (&'static str, Phrase) {
        match self {
            Self::Activate { .. } => ("activate", Code::Ok.into()),
            Self::Ping(Intent::Launch) => ("ping_at_launch", Code::Ok.into()),
            Self::Ping(Intent::Renew) => ("ping", Code::Ok.into()),
            Self::AirgapImport(_) => ("airgap_import", Code::Ok.into()),
            Self::AirgapRequest { .. } => ("airgap_request", Phrase::REQUEST_WRITTEN),
            Self::AirgapRelease(_) => ("airgap_release", Phrase::LICENSE_GIVEN_UP),
            Self::Release => ("release", Phrase::SEAT_GIVEN_BACK),
            Self::Preflight(_) => ("preflight", Phrase::WOULD_SUCCEED),
            Self::SignOut => ("sign_out", Phrase::SIGNED_OUT),
            Self::Forget => ("forget", Phrase::FORGOTTEN),
        }
    }
}

/// What the worker is made of. It lives on one thread and nothing else touches it.
pub(super) struct Worker {
    shared: Arc<Shared>,
    store: LicenseStore,
    http: Http,
    issuer: Option<Arc<IssuerRegistration>>,
    access: Option<Access>,
    caller: Caller,
    auto_renew: bool,
}

/// What every request says of the client.
pub(super) struct Caller {
    pub(super) client: ClientInfo,
    pub(super) plugin: Option<Plugin>,
    pub(super) source: MachineSource,
    pub(super) terms: Option<String>,
}

/// What the worker works with: made by the one who opens the client, who can be told when there are
/// no means for it, and then the thread's own, so that closing cancels whatever is in flight.
pub(super) fn runtime() -> io::Result<BoundedRuntime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map(BoundedRuntime::new)
}

/// Runs until the client closes.
pub(super) fn run(
    mut worker: Worker,
    runtime: &BoundedRuntime,
    mut commands: UnboundedReceiver<Command>,
    warnings: Vec<LoadWarning>,
) {
    warnings.into_iter().for_each(|warning| worker.complain(warning));
    let launched = worker.store.launch();
    worker.note(launched);
    worker.publish();
    let shared = Arc::clone(&worker.shared);
    // A defect, be it in a library, costs what was under way, and not the client.
    let survives = |work: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(work)).is_ok();
    while !survives(&mut || runtime.block_on(worker.serve(&mut commands))) {
        shared.end_running(Code::Internal);
        survives(&mut || {
            runtime.block_on(async {
                tokio::select! {
                    () = shared.closed() => {}
                    () = tokio::time::sleep(AFTER_DEFECT) => {}
                }
            });
        });
    }
    shared.journal.closed();
}

/// A runtime that ends in time, also while unwinding: dropped, it would wait for name resolution
/// without a limit.
pub(super) struct BoundedRuntime(Option<Runtime>);

impl BoundedRuntime {
    fn new(runtime: Runtime) -> Self {
        Self(Some(runtime))
    }

    fn block_on(&self, work: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(work);
        }
    }
}

impl Drop for BoundedRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(RESOLVER_PATIENCE);
        }
    }
}

impl Worker {
    /// With `auto_renew` it keeps a lease alive without being asked.
    pub(super) fn new(
        shared: Arc<Shared>,
        store: LicenseStore,
        http: Http,
        issuer: Option<IssuerRegistration>,
        caller: Caller,
        auto_renew: bool,
    ) -> Self {
        Self { shared, store, http, issuer: issuer.map(Arc::new), access: None, caller, auto_renew }
    }

    async fn serve(&mut self, commands: &mut UnboundedReceiver<Command>) {
        let shared = Arc::clone(&self.shared);
        let mut next_tick = self.next_tick();
        let mut signing_in: Option<Pending> = None;
        loop {
            tokio::select! {
                biased;
                () = shared.closed() => break,
                command = commands.recv() => match command {
                    Some(Command { operation, task: Task::SignIn(asked) }) => {
                        self.begin_sign_in(operation, asked, &mut signing_in);
                    }
                    Some(Command { operation, task: Task::Work(work) }) => self.operate(operation, work).await,
                    None => break,
                },
                ended = Pending::ended(&mut signing_in) => self.signed_in(ended).await,
                () = shared.clock.sleep_until(next_tick.min(self.renewal())) => {
                    self.tick().await;
                    next_tick = self.next_tick();
                }
            }
        }
    }

    async fn operate(&mut self, operation: OperationId, work: Work) {
        let shared = Arc::clone(&self.shared);
        if !shared.mailbox.is_running(operation) {
            return; // cancelled while it waited for its turn
        }
        let (what, success) = work.kind();
        shared.journal.began(operation, what);
        let outcome = tokio::select! {
            biased;
            () = shared.interrupted(Some(operation)) => Outcome::of(Code::Cancelled),
            outcome = self.work(work) => outcome,
        };
        self.publish();
        self.end(operation, outcome, success);
    }

    /// Tells the host how an operation ended.
    fn end(&self, operation: OperationId, outcome: Outcome, success: Phrase) {
        let Outcome { code, http_status, available_at, params } = outcome;
        let mut message = match code {
            Code::Ok => success.into(),
            Code::OkOffline | Code::OkWarn => self.shared.message(self.shared.clock.read()),
            Code::NetworkDisallowed => Message::from(code).because("reason", who_is_offline().into()),
            _ => Message::of(code, params),
        };
        if let Some(at) = available_at {
            message = message.with("time", at.seconds());
        }
        let event = self.shared.event(EventKind::Operation, code, message);
        self.shared.post(Event { operation: Some(operation), http_status, available_at, ..event });
    }

    async fn work(&mut self, work: Work) -> Outcome {
        // With a token the one that takes the turn looks then.
        let looks_later = matches!(work, Work::Activate { .. } | Work::Ping(Intent::Launch));
        if !(looks_later && self.store.credential().is_some_and(Credential::is_a_token)) {
            self.store.refresh();
        }
        match work {
            Work::Activate { token, consent } => {
                let _turn = self.turn(false).await;
                let token = Credential::Token(token);
                let submission = Submission::Person { remember: consent.remember };
                self.exchange(SeatCall::Activate, &token, Intent::Launch, submission).await
            }
            Work::SignOut => self.sign_out().await,
            Work::Ping(intent) => {
                let outcome = self.ping(intent).await;
                if outcome.code == Code::NetworkDisallowed {
                    self.take(Input::Unasked);
                }
                outcome
            }
            Work::Release => self.release().await,
            Work::Preflight(Some(token)) => {
                let (token, nobody) = (Credential::Token(token), Submission::Nobody);
                self.exchange(SeatCall::Status, &token, Intent::Renew, nobody).await
            }
            Work::Preflight(None) => match self.prepare().await {
                Ok(()) => self.with_credential(SeatCall::Status, Intent::Renew).await,
                Err(error) => self.unprepared(SeatCall::Status, error),
            },
            Work::AirgapRequest { token, consent, path } => self.airgap_request(&token, consent, &path),
            Work::AirgapImport(path) => self.airgap_import(&path),
            Work::AirgapRelease(path) => self.airgap_release(&path),
            Work::Forget => self.forget(),
        }
    }

    /// Nothing is sent when the license would stay here: the seat would be free for another
    /// computer, and this one go on.
    async fn release(&mut self) -> Outcome {
        if let Err(error) = self.store.can_give_up() {
            return self.not_given_up(error);
        }
        match self.prepare().await {
            Ok(()) => {
                let _turn = self.turn(false).await;
                self.with_credential(SeatCall::Release, Intent::Renew).await
            }
            Err(error) => self.unprepared(SeatCall::Release, error),
        }
    }

    fn forget(&mut self) -> Outcome {
        self.access = None;
        match self.store.forget_all(Uuid::new_v4()) {
            Ok(()) => Outcome::of(Code::Ok),
            Err(error) => self.not_given_up(error),
        }
    }

    /// The license is still on disk.
    fn not_given_up(&self, error: StoreError) -> Outcome {
        let path = error.path().map(|path| ("path".to_owned(), path.display().to_string()));
        self.note(Err(error));
        Outcome { params: path.into_iter().collect(), ..Outcome::of(Code::StoreUnwritable) }
    }

    async fn tick(&mut self) {
        self.store.refresh();
        self.take(Input::Ticked);
        self.shared.call_again();
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

    /// Takes what needs no answer.
    fn take(&mut self, input: Input<'_>) {
        let (state, effects) = self.store.step(input);
        self.store.take(state);
        let owed = self.store.owes();
        if owed || effects.contains(&Effect::Save) {
            let saved = self.store.save();
            // Of what is still owed the host was told when it was first tried.
            if !(owed && self.store.owes()) {
                self.note(saved);
            }
        }
    }

    /// Whether the lease is kept alive without being asked. A token that was set up beside the
    /// plug-in waits for the launch ping that activates it.
    fn renews(&self) -> bool {
        let renewable = self.store.state().license.is_renewable() && !self.store.has_unused_token();
        self.auto_renew && self.shared.has_network() && renewable && self.store.credential().is_some()
    }

    /// When the passing of time is looked at next, in milliseconds since the computer was started;
    /// soon while another program holds what is on disk.
    fn next_tick(&self) -> u64 {
        let wait = if self.store.is_held() { SECOND } else { TICK };
        self.shared.clock.since_boot_millis().saturating_add(wait)
    }

    /// When to look at the lease next, at the latest after a tick: waiting stands still while the
    /// computer sleeps.
    fn renewal(&self) -> u64 {
        let wait = self.store.state().pacing.not_before.since(self.now()).max(1).saturating_mul(SECOND);
        let wait = if self.renews() { wait } else { TICK };
        self.shared.clock.since_boot_millis().saturating_add(wait)
    }

    fn now(&self) -> UnixTime {
        self.store.state().time(self.shared.clock.read()).now
    }

    fn is_due(&self) -> bool {
        self.now() >= self.store.state().pacing.not_before
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
        if intent == Intent::Launch && self.store.credential().is_none() {
            return Outcome::of(Code::NotActivated); // a host that starts has asked for nothing yet
        }
        if let Err(error) = self.prepare().await {
            return self.unprepared(SeatCall::Ping, error);
        }
        let turn = self.turn(true).await;
        match intent {
            _ if matches!(turn, LockWait::Answered) => Outcome::of(self.standing_code()),
            Intent::Launch if self.store.credential().is_none() => Outcome::of(Code::NotActivated),
            Intent::Renew if !self.is_due() => Outcome::of(self.standing_code()),
            Intent::Launch if self.store.has_unused_token() => {
                self.with_credential(SeatCall::Activate, Intent::Launch).await
            }
            _ => self.with_credential(SeatCall::Ping, intent).await,
        }
    }

    fn publish(&self) {
        let reading = self.shared.clock.read();
        let (state, rules) = (self.store.state(), self.store.rules());
        let snapshot = Snapshot::of(state, rules, self.store.credential_details(), reading);
        self.shared.publish(snapshot, reading);
    }

    fn complain(&self, warning: LoadWarning) {
        match warning {
            LoadWarning::Store(error) => self.note(Err(error)),
            LoadWarning::Corrupt(path) => {
                let message = Message::from(Code::StoreCorrupt).with("path", path.display());
                self.notice(Code::StoreCorrupt, message);
            }
        }
    }

    /// A disk that fails is told to the host; the license in memory is not touched by it.
    fn note(&self, done: Result<(), StoreError>) {
        if let Err(error) = done {
            self.notice(Code::StoreUnwritable, error.message());
        }
    }

    fn notice(&self, code: Code, message: Message) {
        self.shared.post(self.shared.event(EventKind::Notice, code, message));
    }
}
