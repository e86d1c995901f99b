//! Runs. A [`Client`] is one product's license on one computer: operations go in and return at
//! once, one worker thread carries them out, events and a status snapshot come back.

/// What the person who runs the host decides, by the environment and by files.
mod environment;
/// Events, and the mailbox between worker and host.
mod event;
/// Why a call could not be carried out.
mod failure;
/// Clients by numbers that outlast them.
mod handle;
/// What is told to a log, and remembered for a report.
mod journal;
/// State and token, in memory and on disk.
mod license_store;
/// How a client is to be opened.
mod options;
/// How the product is known to an issuer.
mod registration;
/// What support needs to know.
mod report;
/// Numbers that any thread reads without a lock.
mod seq_lock;
/// What host threads and the worker share.
mod shared;
/// What a status call answers.
mod snapshot;
/// The worker's thread, from its start to its end.
mod thread;
/// What the one thread does.
mod worker;

pub use event::{Event, EventKind, OperationId, Wake};
pub use failure::{Failure, Words};
pub use handle::Handle;
pub use options::{ForeignLog, ForeignWake, Log, Options};
pub use snapshot::{CredentialDetails, LicenseDetails, Status};

use crate::license::{Credential, Entitlement, Rules};
use crate::machine::{self, LogCall, Logger, MachineIdentity};
use crate::net::{Http, Way};
use crate::scarcity::{reason, scarce};
use crate::store::{Folder, Seal};
use crate::words::{Message, Phrase};
use environment::Provision;
use event::Mailbox;
use handle::Reservation;
use journal::Journal;
use license_store::{LicenseStore, LoadWarning};
use registration::Registration;
use report::Report;
use seatlock_protocol::{
    Code, Token, TokenKind,
    api::{ClientInfo, Intent},
};
use shared::Shared;
use snapshot::Snapshot;
use std::ffi::CStr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thread::WorkerThread;
use tokio::sync::watch;
use uuid::Uuid;
use worker::{Caller, Command, SignInMethod, SignInRequest, Task, Work, Worker};

/// What a time limit beyond the clock's range means.
const LONGEST_CLOSE: Duration = Duration::from_secs(365 * 24 * 3600);
/// Longest time that dropping a client without [`Client::close`] takes.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a person who signs in is waited for, unless the host says otherwise.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(300);

/// What the user ticked when entering a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// "I have read and agree".
    pub terms: bool,
    /// "Use token for future sessions".
    pub remember: bool,
}

/// Texts about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// The machine id.
    MachineId,
    /// Its short form for people.
    MachineShort,
    /// The seat's UUID.
    Seat,
    /// Name of the plan.
    Plan,
    /// The entitlements that are included now, separated by single spaces.
    Entitlements,
    /// The lock state in words.
    Status,
    /// Folder in which state is kept.
    StateFolder,
    /// The page to open, while a person is signing in.
    SignInUrl,
    /// What to type on that page, when it is opened on another device.
    SignInCode,
    /// What the event said that was taken last.
    Event,
    /// Name of the account that holds the license.
    Account,
    /// E-mail address of whoever has the seat.
    Email,
    /// The vendor's own data, a JSON object.
    Data,
    /// Version of the terms that were accepted last.
    Terms,
    /// Who is signed in, as their sign-in service calls them.
    Subject,
}

/// Derives this computer's machine id for `product`, or for the family that it belongs to;
/// `supplied`, or `SEATLOCK_MACHINE_ID` before it, takes the place of the operating system's
/// identifier. Any thread; no client, file of ours or network is involved.
///
/// # Errors
/// [`Code::MachineIdUnavailable`], [`Code::InvalidArgument`].
pub fn machine_identity(product: &str, supplied: Option<&str>) -> Result<MachineIdentity, Failure> {
    let product = options::check_name("the product", product)?;
    Ok(machine::identify(product, environment::machine_id(supplied)?.as_deref())?)
}

/// An open license of one product on one computer. May be used from any thread.
pub struct Client {
    shared: Arc<Shared>,
    identity: MachineIdentity,
    folder: Option<Folder>,
    about: Report,
    has_issuer: bool,
    way: watch::Sender<Way>,
    thread: Mutex<Option<WorkerThread>>,
    /// Set when a call panicked: what it left behind is not to be trusted.
    poisoned: AtomicBool,
}

impl Client {
    /// Opens a client: derives the machine id, reads and verifies what is stored, and starts the
    /// worker. The status is known when it returns. One small file is read; the network is not
    /// touched.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] when something required is not set,
    /// [`Code::MachineIdUnavailable`], [`Code::Internal`] when the operating system refuses a
    /// file descriptor, a thread or memory. That passes: opening again is a new try;
    /// [`Code::Busy`] when 1024 clients are open.
    pub fn open(options: &Options) -> Result<Self, Failure> {
        let client = Self::open_quiet(options)?;
        client.shared.begin_calls();
        Ok(client)
    }

    /// Opens a client that calls no wake function yet.
    fn open_quiet(options: &Options) -> Result<Self, Failure> {
        let provision = Provision::read(options.account_folder.as_deref())?;
        let required = options.required(provision.server.as_ref())?;
        let identity = machine_identity(&required.family, options.machine_id.as_deref())?;
        // Without the pin, unloading the library would pull code away under threads that have run it.
        machine::pin_image().map_err(|error| refused(&error))?;
        let reservation = Reservation::take()?;
        // Made before anything is promised: without it the worker could do nothing, and say so to nobody.
        let runtime = worker::runtime().map_err(|error| refused(&error))?;

        let seal = Seal { protect: machine::seal::protect, unprotect: machine::seal::unprotect };
        let root =
            environment::state_folder(options.state_folder.clone())?.or_else(|| Folder::default_root().ok());
        let folder = root.map(|root| Folder::new(&root, &required.family, &identity.id, seal));
        let registration = Registration::of_environment()?.or(options.registration.clone());
        let way = watch::Sender::new(options.way.clone());
        let issuer = registration.issuer(way.subscribe(), Arc::clone(&options.language))?;
        let caller = Caller {
            client: client_info(options),
            plugin: options.plugin.clone(),
            source: identity.source,
            terms: options.terms.clone(),
        };
        let at = issuer.as_ref().map(|issuer| issuer.url.as_str());
        let about = Report::about(options, &required, &identity, &caller, at);
        let released = options.plugin.as_ref().and_then(|plugin| plugin.released);
        let rules = Rules { trust: required.trust, machine: identity.id.clone(), released };
        let machine = issuer.as_ref().filter(|issuer| issuer.client_secret.is_some());
        let provisioned =
            provision.token.map(Credential::Token).or(machine.map(|_| Credential::Machine(None)));
        let clock = options.clock.clone();
        let kept = folder.clone();
        let (store, warnings) = LicenseStore::open(rules, kept, provisioned, Uuid::new_v4(), clock.clone());
        if let Some(short) = warnings.iter().find_map(LoadWarning::scarce) {
            // What lies there is not known, so it cannot be said that there is no license.
            return Err(out_of(short));
        }
        let reading = clock.read();
        let snapshot = Snapshot::of(store.state(), store.rules(), store.credential_details(), reading);
        let network = !environment::is_offline()? && !options.offline;
        let handle = reservation.handle();
        let wake = options.wake.clone().map(|wake| Arc::new(move || wake(handle)) as Wake);
        let log = options.log.clone().map(|(level, log)| {
            let call = move |level, line: &CStr| log(handle, level, line);
            (level, Logger::new(Arc::new(call) as LogCall))
        });
        let http = Http::new(required.server, way.subscribe());
        let journal = Journal::new(clock.clone(), log);
        journal.opened(&about, snapshot.standing(reading.since_boot).reason);
        if snapshot.anomaly.is_some() {
            journal.clock(snapshot.anomaly, reading, snapshot.terms.now(reading.since_boot));
        }
        journal.route(&http.route());
        let shared = Arc::new(Shared::new(
            reservation,
            snapshot,
            Mailbox::new(wake),
            journal,
            network,
            clock,
            Arc::clone(&options.language),
        ));
        let has_issuer = issuer.is_some();
        let worker = Worker::new(Arc::clone(&shared), store, http, issuer, caller, options.auto_renew);
        let thread = WorkerThread::start(Arc::clone(&shared), move |commands| {
            worker::run(worker, &runtime, commands, warnings)
        })?;
        let (thread, poisoned) = (Mutex::new(Some(thread)), AtomicBool::new(false));
        Ok(Self { shared, identity, folder, about, has_issuer, way, thread, poisoned })
    }

    /// The lock state now, a second ago at most. Never blocks, allocates nothing, touches neither
    /// disk nor network, and needs no worker.
    ///
    /// # Errors
    /// [`Code::Forked`].
    pub fn status(&self) -> Result<Status, Failure> {
        self.same_process()?;
        Ok(self.shared.status())
    }

    /// Submits a token. Returns at once.
    ///
    /// # Errors
    /// [`Code::TokenMalformed`], [`Code::TokenWrongKind`] or [`Code::TermsRequired`] before
    /// anything is sent; [`Code::Busy`].
    pub fn activate(&self, token: &str, consent: Consent) -> Result<OperationId, Failure> {
        let token = self.submitted(token, consent)?;
        self.start(Work::Activate { token, consent })
    }

    /// Tells the server that this machine uses its seat. Returns at once.
    ///
    /// # Errors
    /// [`Code::Busy`].
    pub fn ping(&self, intent: Intent) -> Result<OperationId, Failure> {
        self.start(Work::Ping(intent))
    }

    /// Gives the seat back and forgets the token. Returns at once.
    ///
    /// # Errors
    /// [`Code::Busy`]. The operation ends with [`Code::StoreUnwritable`] when the license cannot be
    /// taken off the disk; then the server is not asked, and nothing has changed.
    pub fn release(&self) -> Result<OperationId, Failure> {
        self.start(Work::Release)
    }

    /// Asks what activating would say. Returns at once.
    ///
    /// # Errors
    /// [`Code::TokenMalformed`], [`Code::TokenWrongKind`], [`Code::Busy`].
    pub fn preflight(&self, token: Option<&str>) -> Result<OperationId, Failure> {
        let token = token.map(|token| Token::parse(token, TokenKind::Integration)).transpose()?;
        self.start(Work::Preflight(token))
    }

    /// Lets a person sign in with a browser of this computer and then takes a seat, as
    /// [`Client::activate`] does with a token. With `open` the browser is opened here; without,
    /// the host opens the page of [`Text::SignInUrl`] when an event
    /// of kind [`EventKind::SignIn`] comes. Without a `timeout` the operation ends after five
    /// minutes. Returns at once; everything else goes on meanwhile. One sign-in at a time:
    /// another one ends with [`Code::Busy`].
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] when no issuer is set, [`Code::TermsRequired`], [`Code::Busy`].
    /// The operation ends as an activation does, or with [`Code::SignInRefused`] or
    /// [`Code::IdentityProviderUnavailable`].
    pub fn sign_in_browser(
        &self,
        consent: Consent,
        open: bool,
        timeout: Option<Duration>,
    ) -> Result<OperationId, Failure> {
        self.sign_in(SignInMethod::Browser { open }, consent, timeout)
    }

    /// Lets a person sign in at another device, such as a telephone: an event of kind
    /// [`EventKind::SignIn`] says where, and what to type there. Otherwise as
    /// [`Client::sign_in_browser`].
    ///
    /// # Errors
    /// As [`Client::sign_in_browser`].
    pub fn sign_in_device(
        &self,
        consent: Consent,
        timeout: Option<Duration>,
    ) -> Result<OperationId, Failure> {
        self.sign_in(SignInMethod::Device, consent, timeout)
    }

    fn sign_in(
        &self,
        method: SignInMethod,
        consent: Consent,
        timeout: Option<Duration>,
    ) -> Result<OperationId, Failure> {
        self.same_process()?;
        if !self.has_issuer {
            return Err(Failure::new(Code::InvalidArgument, "no issuer is set to sign in at"));
        }
        if !consent.terms {
            return Err(Failure::of(Code::TermsRequired));
        }
        let timeout = timeout.unwrap_or(SIGN_IN_TIMEOUT);
        self.start(Task::SignIn(SignInRequest { method, consent, timeout }))
    }

    /// Forgets sign-in and license on this computer, as [`Client::forget`] does, and tells the
    /// issuer that the sign-in is over (RFC 7009), if it can be told. Release the seat first if
    /// another computer should have it. Returns at once.
    ///
    /// # Errors
    /// [`Code::Busy`]. The operation ends with [`Code::StoreUnwritable`] when the license is still
    /// on disk.
    pub fn sign_out(&self) -> Result<OperationId, Failure> {
        self.start(Work::SignOut)
    }

    /// Forgets token and license on this computer. Returns at once.
    ///
    /// # Errors
    /// [`Code::Busy`]. The operation ends with [`Code::StoreUnwritable`] when the license is still
    /// on disk.
    pub fn forget(&self) -> Result<OperationId, Failure> {
        self.start(Work::Forget)
    }

    /// Asks for a lease by a file, for a machine without a network: somebody carries it to the
    /// server, whose answer [`Client::airgap_import`] takes. A file at `path` is replaced.
    /// Returns at once; the present license stays as it is.
    ///
    /// # Errors
    /// As [`Client::activate`]. The operation ends with [`Code::FileUnusable`] when the file cannot
    /// be written.
    pub fn airgap_request(&self, token: &str, consent: Consent, path: &Path) -> Result<OperationId, Failure> {
        let token = self.submitted(token, consent)?;
        self.start(Work::AirgapRequest { token, consent, path: path.to_owned() })
    }

    /// Takes the lease that answers the last request file. Returns at once.
    ///
    /// # Errors
    /// [`Code::Busy`]. The operation ends with [`Code::FileUnusable`], or with what is wrong with
    /// the lease: [`Code::ReplayedResponse`] when it answers another request,
    /// [`Code::MachineMismatch`], [`Code::BadSignature`], [`Code::LeaseExpired`]. Nothing
    /// stored has changed then.
    pub fn airgap_import(&self, path: &Path) -> Result<OperationId, Failure> {
        self.start(Work::AirgapImport(path.to_owned()))
    }

    /// Gives the license up and writes the file that confirms it to the server, for a machine
    /// without a network. May be repeated until another license is taken. Returns at once.
    ///
    /// # Errors
    /// [`Code::Busy`]. The operation ends with [`Code::NoToken`] when there is no license to give
    /// up, with [`Code::StoreUnwritable`] when it cannot be given up, and with
    /// [`Code::FileUnusable`] when it was and the file cannot be written.
    pub fn airgap_release(&self, path: &Path) -> Result<OperationId, Failure> {
        self.start(Work::AirgapRelease(path.to_owned()))
    }

    /// Allows or forbids all use of the network, from now on and until the next call: for hosts
    /// with a switch of their own. Forbidding ends what is on its way with
    /// [`Code::NetworkDisallowed`] and takes no license away. Once allowed again, a renewal
    /// that is due follows within a minute. Never blocks.
    ///
    /// # Errors
    /// [`Code::NetworkDisallowed`] when it is to be allowed and `SEATLOCK_OFFLINE` forbids it;
    /// [`Code::Forked`], [`Code::Internal`].
    pub fn allow_network(&self, allowed: bool) -> Result<(), Failure> {
        self.same_process()?;
        if allowed && environment::is_offline()? {
            let code = Code::NetworkDisallowed;
            let message = Message::from(code).because("reason", Phrase::OFFLINE_BY_ENVIRONMENT.into());
            return Err(Failure::told(code, message));
        }
        self.shared.allow_network(allowed);
        Ok(())
    }

    /// Sets another proxy, as [`Options::set_proxy`] does, for every request that begins from now
    /// on. Never blocks.
    ///
    /// # Errors
    /// As [`Options::set_proxy`]; [`Code::Forked`].
    pub fn set_proxy(&self, url: Option<&str>) -> Result<(), Failure> {
        self.same_process()?;
        let proxy = Options::checked_proxy(url)?;
        self.way.send_modify(|way| way.proxy = proxy);
        Ok(())
    }

    /// Trusts further certificate authorities, as [`Options::add_ca_certificates`] does, for every
    /// request that begins from now on. Never blocks.
    ///
    /// # Errors
    /// As [`Options::add_ca_certificates`]; [`Code::Forked`].
    pub fn add_ca_certificates(&self, pem: &[u8]) -> Result<(), Failure> {
        self.same_process()?;
        let more = Options::checked_certificates(pem)?;
        self.way.send_modify(|way| way.trust(more));
        Ok(())
    }

    /// Cancels an operation that has not ended.
    ///
    /// # Errors
    /// [`Code::UnknownOperation`].
    pub fn cancel(&self, operation: OperationId) -> Result<(), Failure> {
        self.same_process()?;
        if self.shared.cancel(operation) { Ok(()) } else { Err(Failure::of(Code::UnknownOperation)) }
    }

    /// Takes the oldest event, waiting up to `timeout`; zero never blocks.
    ///
    /// # Errors
    /// [`Code::Forked`], [`Code::Internal`], [`Code::Closed`] when the client is closed meanwhile.
    pub fn next_event(&self, timeout: Duration) -> Result<Option<Event>, Failure> {
        self.same_process()?;
        match self.shared.mailbox.take(timeout).map_err(Failure::of)? {
            None if self.shared.is_broken() => Err(Failure::of(Code::Internal)),
            event => Ok(event),
        }
    }

    /// Waits up to `timeout` for the end of an operation and takes its event, which
    /// [`Client::next_event`] shows to no other thread meanwhile.
    ///
    /// # Errors
    /// [`Code::UnknownOperation`], [`Code::Closed`] when the client is closed meanwhile.
    pub fn wait(&self, operation: OperationId, timeout: Duration) -> Result<Option<Event>, Failure> {
        self.same_process()?;
        self.shared.mailbox.take_of(operation, timeout).map_err(Failure::of)
    }

    /// What a poll loop can watch in place of a wake function: a descriptor that is readable, on
    /// Windows a `HANDLE` that is signalled, while [`Client::next_event`] has something to
    /// answer. It is the client's: never read, reset or close it, and do not watch it any
    /// longer than the client lives.
    ///
    /// # Errors
    /// [`Code::Forked`], [`Code::Internal`] when the operating system refuses one.
    pub fn event_handle(&self) -> Result<isize, Failure> {
        self.same_process()?;
        self.shared.mailbox.readiness().map_err(|error| refused(&error))
    }

    /// A text about the client; `None` when there is none now.
    ///
    /// # Errors
    /// [`Code::Forked`], [`Code::Internal`].
    pub fn text(&self, what: Text) -> Result<Option<String>, Failure> {
        self.same_process()?;
        let snapshot = self.shared.snapshot();
        let license = || snapshot.license(self.shared.clock.since_boot());
        Ok(match what {
            Text::MachineId => Some(self.identity.id.to_string()),
            Text::MachineShort => Some(self.identity.id.short()),
            Text::Seat => snapshot.seat.clone(),
            Text::Plan => snapshot.plan(),
            Text::Entitlements => snapshot.entitlements(self.shared.clock.since_boot()),
            Text::Status => Some(self.shared.language.say(&self.shared.message(self.shared.clock.read()))),
            Text::StateFolder => self.folder.as_ref().map(|folder| folder.path().display().to_string()),
            Text::SignInUrl => self.shared.prompt().map(|prompt| prompt.url),
            Text::SignInCode => self.shared.prompt().and_then(|prompt| prompt.code),
            Text::Event => self.shared.mailbox.message(),
            Text::Account => license().map(|license| license.account),
            Text::Email => license().map(|license| license.email),
            Text::Data => license().and_then(|license| license.data),
            Text::Terms => license().and_then(|license| license.terms),
            Text::Subject => snapshot.credential.as_ref().and_then(|held| held.subject.clone()),
        })
    }

    /// A value of what [`Text::Status`] says, by the name of its blank; `None` when it has none of
    /// that name.
    ///
    /// # Errors
    /// [`Code::Forked`].
    pub fn status_value(&self, name: &str) -> Result<Option<String>, Failure> {
        self.same_process()?;
        Ok(self.shared.message(self.shared.clock.read()).values.remove(name))
    }

    /// The text of a code in the language of the client, with its blanks.
    ///
    /// # Errors
    /// [`Code::Forked`].
    pub fn code_text(&self, code: Code) -> Result<&str, Failure> {
        self.same_process()?;
        Ok(self.shared.language.text(code.into()))
    }

    /// What a person can do about a code, in the language of the client.
    ///
    /// # Errors
    /// [`Code::Forked`].
    pub fn code_remedy(&self, code: Code) -> Result<&str, Failure> {
        self.same_process()?;
        Ok(self.shared.language.remedy(code))
    }

    /// A failure of a call in the language of the client.
    #[must_use]
    pub fn in_words(&self, failure: Failure) -> Failure {
        failure.in_words(&self.shared.language)
    }

    /// What the license says of an entitlement right now. Nothing is included while the plug-in is
    /// locked. Needs no network, and never blocks.
    ///
    /// # Errors
    /// [`Code::Forked`].
    pub fn entitlement(&self, name: &str) -> Result<Entitlement, Failure> {
        self.same_process()?;
        Ok(self.shared.snapshot().entitlement(name, self.shared.clock.since_boot()))
    }

    /// What the license says of itself; `None` when none is held. It says so when the plug-in is
    /// locked too, but for the vendor's data. Needs no network, and never blocks.
    ///
    /// # Errors
    /// [`Code::Forked`].
    pub fn license(&self) -> Result<Option<LicenseDetails>, Failure> {
        self.same_process()?;
        Ok(self.shared.snapshot().license(self.shared.clock.since_boot()))
    }

    /// What the client asks the server with; `None` before a token was entered or somebody signed
    /// in, and after it was forgotten. Needs no network, and never blocks.
    ///
    /// # Errors
    /// [`Code::Forked`].
    pub fn credential(&self) -> Result<Option<CredentialDetails>, Failure> {
        self.same_process()?;
        Ok(self.shared.snapshot().credential.clone())
    }

    /// What support needs to know: versions, the machine id, addresses, the proxy and who named it,
    /// clock, files, and the last answers with their request ids, as lines of plain text in
    /// English. It has no token, no other secret and no e-mail address. A few small files are
    /// looked at; the network is not touched.
    ///
    /// # Errors
    /// [`Code::Forked`].
    pub fn report(&self) -> Result<String, Failure> {
        self.same_process()?;
        let (recent, snapshot) = (self.shared.journal.recent(), self.shared.snapshot());
        let (network, reading) = (self.shared.has_network(), self.shared.clock.read());
        Ok(Report::of(&self.about, &snapshot, &recent, self.folder.as_ref(), network, reading))
    }

    /// Closes the client within `timeout`: no call of the wake function or the log function begins
    /// afterwards, network work is cancelled. Answers [`Code::StillRunning`] when a call that had
    /// begun has not returned, else [`Code::Ok`].
    pub fn close(self, timeout: Duration) -> Code {
        if self.shut_down(deadline(timeout)) { Code::Ok } else { Code::StillRunning }
    }

    /// Ends what runs, and those who wait. False when a function of the host has not returned.
    fn shut_down(&self, deadline: Instant) -> bool {
        if machine::is_ending() {
            return true;
        }
        let Some(thread) = lock(&self.thread).take() else { return true };
        if self.same_process().is_err() {
            // The worker exists in the parent only; whatever it held here stays as it is.
            std::mem::forget(thread);
            return true;
        }
        self.shared.begin_closing();
        let quiet = self.shared.mailbox.disable_wake(deadline);
        thread.join_until(deadline);
        self.shared.journal.finish(deadline) && quiet
    }

    fn submitted(&self, token: &str, consent: Consent) -> Result<Token, Failure> {
        self.same_process()?;
        let token = Token::parse(token, TokenKind::Integration)?;
        if consent.terms { Ok(token) } else { Err(Failure::of(Code::TermsRequired)) }
    }

    fn start(&self, task: impl Into<Task>) -> Result<OperationId, Failure> {
        self.same_process()?;
        if self.shared.is_broken() {
            return Err(Failure::of(Code::Internal));
        }
        let operation = self.shared.mailbox.begin().ok_or(Failure::of(Code::Busy))?;
        let command = Command { operation, task: task.into() };
        match lock(&self.thread).as_ref().map(|thread| thread.commands.send(command)) {
            Some(Ok(())) => Ok(operation),
            Some(Err(_)) => Err(Failure::of(Code::Internal)),
            None => Err(Failure::of(Code::Closed)),
        }
    }

    fn same_process(&self) -> Result<(), Failure> {
        let forked = self.shared.reservation.front().is_forked();
        if forked { Err(Failure::of(Code::Forked)) } else { Ok(()) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shut_down(deadline(DROP_TIMEOUT));
    }
}

fn deadline(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + LONGEST_CLOSE)
}

/// A panic elsewhere leaves the contents whole: every change under these locks is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the operating system does not give.
fn refused(error: &std::io::Error) -> Failure {
    match scarce(error) {
        Some(short) => out_of(short),
        None => {
            let why = reason(error);
            Failure::new(Code::Internal, format!("the library does not get what it needs to run: {why}"))
        }
    }
}

/// What there is too little of, for the moment.
fn out_of(short: Phrase) -> Failure {
    Failure::new(Code::Internal, format!("{short}. Close what is not needed and try again."))
}

fn client_info(options: &Options) -> ClientInfo {
    ClientInfo {
        lib: env!("CARGO_PKG_VERSION").to_owned(),
        host: options.host.clone(),
        host_version: options.host_version.clone(),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
    }
}
