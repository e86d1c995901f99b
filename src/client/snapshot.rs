use crate::license::{
    Anomaly, Contents, CredentialKind, Entitlement, LeaseState, LockState, Reading, Rules, Standing, State,
    StatusInputs,
};
use crate::words::{Message, Phrase, Values};
use seatlock_protocol::{Code, UnixTime, claims::Licensee, plain};

/// What a status call answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What the plug-in may do.
    pub lock_state: LockState,
    /// Why it is locked, or how it is licensed.
    pub reason: Code,
    /// Whether the user should be told that the offline period ends soon.
    pub warn: bool,
    /// End of the license unless it is renewed; `None` when locked.
    pub valid_until: Option<UnixTime>,
    /// When locked, the moment from which a new try makes sense; else, when the next ping is due.
    pub next_try: Option<UnixTime>,
    /// Issue time of the newest signed answer.
    pub confirmed_at: Option<UnixTime>,
    /// While it is the same as before, nothing has changed but the time.
    pub generation: u64,
}

impl Status {
    /// What holds under `terms`, `since_boot` seconds after the computer was started.
    pub(super) fn at(terms: &StatusInputs, since_boot: u64, generation: u64) -> Self {
        let Standing { lock_state, reason, warn, valid_until } = terms.at(terms.now(since_boot));
        let StatusInputs { next_try, confirmed_at, .. } = *terms;
        Self { lock_state, reason, warn, valid_until, next_try, confirmed_at, generation }
    }
}

/// What the client asks the server with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialDetails {
    /// What kind of credential it is.
    pub kind: CredentialKind,
    /// Whether it is kept on disk for the next start of the host. Never one that was set up beside
    /// the plug-in.
    pub remembered: bool,
    /// Whether it was set up beside the plug-in: by the environment, an account file or a client
    /// secret.
    pub provisioned: bool,
    /// Who is signed in, as their sign-in service calls them. `None` with a token.
    pub subject: Option<String>,
}

/// What the license says of itself, as it was when the server was reached last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseDetails {
    /// Name of the account that holds it.
    pub account: String,
    /// E-mail address of whoever has the seat, or what their sign-in service calls them.
    pub email: String,
    /// End of the subscription; `None` when none is set.
    pub ends: Option<UnixTime>,
    /// Versions of the plug-in that were released later are not included; `None` when all are.
    pub updates_until: Option<UnixTime>,
    /// Version of the terms that the seat's user accepted last; `None` when the server knows of
    /// none.
    pub terms: Option<String>,
    /// The vendor's own data, a JSON object of at most a few kilobytes. `None` when there is none,
    /// and while the plug-in is locked.
    pub data: Option<String>,
}

/// What the worker last published: the terms, and the texts that go with them.
pub(super) struct Snapshot {
    pub(super) terms: StatusInputs,
    pub(super) seat: Option<String>,
    pub(super) credential: Option<CredentialDetails>,
    contents: Option<Contents>,
    /// Signed words of the verdict that locks the client.
    params: Values,
    /// What is wrong with the computer's clock.
    pub(super) anomaly: Option<Anomaly>,
    /// The latest moment that was believed here.
    pub(super) high_water: UnixTime,
    /// When the lease was signed.
    pub(super) issued_at: Option<UnixTime>,
}

impl Snapshot {
    pub(super) fn of(
        state: &State,
        rules: &Rules,
        credential: Option<CredentialDetails>,
        reading: Reading,
    ) -> Self {
        let (seat, params) = match &state.license {
            LeaseState::Lease(lease) => (Some(lease.claims.sub.to_string()), Values::new()),
            LeaseState::Dropped(verdict) => {
                let message = Message::of(verdict.claims.code, verdict.claims.params.clone());
                let message = match verdict.claims.avail {
                    Some(at) => message.with("time", at.seconds()),
                    None => message,
                };
                (None, message.values)
            }
            _ => (None, Values::new()),
        };
        let issued_at = match &state.license {
            LeaseState::Lease(lease) => Some(lease.claims.iat),
            _ => None,
        };
        Self {
            terms: StatusInputs::of(state, rules, reading),
            seat,
            credential,
            contents: Contents::of(state),
            params,
            anomaly: state.time(reading).anomaly,
            high_water: state.clock.high_water,
            issued_at,
        }
    }

    /// Name of the plan.
    pub(super) fn plan(&self) -> Option<String> {
        self.contents.as_ref().map(|contents| plain(&contents.plan).into_owned())
    }

    pub(super) fn entitlement(&self, name: &str, since_boot: u64) -> Entitlement {
        let (standing, now) = (self.standing(since_boot), self.terms.now(since_boot));
        self.contents
            .as_ref()
            .map_or_else(Entitlement::default, |said| said.entitlement(name, &standing, now))
    }

    /// Names of the entitlements that are included, with spaces between them; `None` without a
    /// lease.
    pub(super) fn entitlements(&self, since_boot: u64) -> Option<String> {
        let (standing, now) = (self.standing(since_boot), self.terms.now(since_boot));
        let names = |said: &Contents| said.included(&standing, now).collect::<Vec<_>>().join(" ");
        self.contents.as_ref().map(|said| plain(&names(said)).into_owned())
    }

    pub(super) fn license(&self, since_boot: u64) -> Option<LicenseDetails> {
        let (contents, standing) = (self.contents.as_ref()?, self.standing(since_boot));
        let Licensee { account, email, ends, updates_until, terms } = &contents.licensee;
        Some(LicenseDetails {
            account: plain(account).into_owned(),
            email: plain(email).into_owned(),
            ends: *ends,
            updates_until: *updates_until,
            terms: terms.as_deref().map(|terms| plain(terms).into_owned()),
            data: contents.data(&standing).map(str::to_owned),
        })
    }

    pub(super) fn standing(&self, since_boot: u64) -> Standing {
        self.terms.at(self.terms.now(since_boot))
    }

    /// What a person is to be told of the status.
    pub(super) fn message(&self, since_boot: u64, wall: Option<UnixTime>) -> Message {
        let standing = self.standing(since_boot);
        let message = Message::of(standing.reason, self.params.clone());
        match (standing.reason, wall, self.terms.lease_end()) {
            (Code::ClockError, Some(wall), _) => message.with("date", wall.seconds()),
            (Code::ClockError, None, _) => message.because("date", Phrase::CLOCK_UNREADABLE.into()),
            (Code::UpdateNotIncluded, _, _) => {
                match self.contents.as_ref().and_then(|contents| contents.licensee.updates_until) {
                    Some(end) => message.with("date", end.seconds()),
                    None => message,
                }
            }
            (_, _, Some(end)) => {
                let days = end.since(self.terms.now(since_boot)) / (24 * 3600);
                message.with("n", days).with("date", end.seconds())
            }
            _ => message,
        }
    }
}
