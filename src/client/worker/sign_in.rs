use super::Worker;
use super::exchange::Presented;
use crate::client::event::EventKind;
use crate::client::journal::Exchange;
use crate::client::shared::Shared;
use crate::client::{Consent, OperationId};
use crate::license::{
    Credential, LeaseState, Outcome, RefreshToken, RequestError, SignIn, Submission, credential,
};
use crate::machine;
use crate::net::oauth::{Denied, Grant, IssuerRegistration, Prompt};
use crate::store::StoreError;
use crate::words::{Message, Phrase};
use seatlock_protocol::api::{Intent, SeatCall};
use seatlock_protocol::{AccessToken, Code, UnixTime};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long renewing an access token may take: less than what other processes wait for.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long telling the issuer of a sign-out may take.
const SIGN_OUT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a new refresh token is tried to be kept, each time for as long as the folder's lock is
/// waited for.
const KEEPING_TRIES: u32 = 4;

/// How a person signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum SignInMethod {
    /// In a browser of this computer, which is opened here or by the host.
    Browser { open: bool },
    /// At another device.
    Device,
}

impl SignInMethod {
    /// Its name in the log.
    fn name(self) -> &'static str {
        match self {
            Self::Browser { .. } => "sign_in_browser",
            Self::Device => "sign_in_device",
        }
    }
}

/// A sign-in that somebody was asked for.
pub(in crate::client) struct SignInRequest {
    pub(in crate::client) method: SignInMethod,
    pub(in crate::client) consent: Consent,
    pub(in crate::client) timeout: Duration,
}

/// What came of it; `None` when the operation was cancelled meanwhile.
type Granted = Option<Result<Grant, Denied>>;

/// A person who is signing in, while everything else goes on.
pub(super) struct Pending {
    operation: OperationId,
    consent: Consent,
    granted: Pin<Box<dyn Future<Output = Granted>>>,
}

/// How a sign-in at an issuer ended.
pub(super) struct Ended {
    pub(super) operation: OperationId,
    consent: Consent,
    granted: Granted,
}

impl Pending {
    /// Ends with the sign-in that is going on; never, while there is none.
    pub(super) async fn ended(pending: &mut Option<Self>) -> Ended {
        let Some(Self { operation, consent, granted }) = pending else { return std::future::pending().await };
        let ended = Ended { operation: *operation, consent: *consent, granted: granted.await };
        *pending = None;
        ended
    }
}

/// An access token, and for how long it is to be shown.
pub(super) struct Access {
    token: AccessToken,
    /// Seconds since the computer was started, when it came.
    since_boot: u64,
    lifetime: u64,
}

impl Access {
    /// Of a grant that came just now, by both clocks.
    fn of(grant: Grant, now: UnixTime, since_boot: u64) -> Self {
        let said = grant.access.expires_at().map(|end| end.since(now));
        let lifetime = grant.lifetime.or(said).unwrap_or(0);
        Self { token: grant.access, since_boot, lifetime }
    }

    fn is_fresh(&self, since_boot: u64) -> bool {
        credential::is_fresh(self.lifetime, since_boot.saturating_sub(self.since_boot))
    }

    fn is_for(&self, credential: &Credential) -> bool {
        credential.hash() == Some(self.token.identity().hash())
    }
}

/// Signing in, and access tokens.
impl Worker {
    /// Begins a sign-in beside everything else; one at a time.
    pub(super) fn begin_sign_in(
        &self,
        operation: OperationId,
        asked: SignInRequest,
        pending: &mut Option<Pending>,
    ) {
        let SignInRequest { method, consent, timeout } = asked;
        let issuer = match &self.issuer {
            _ if !self.shared.mailbox.is_running(operation) => return,
            _ if pending.is_some() => return self.end(operation, Outcome::of(Code::Busy), Code::Ok.into()),
            _ if !self.shared.has_network() => {
                return self.end(operation, Outcome::of(Code::NetworkDisallowed), Code::Ok.into());
            }
            None => return self.end(operation, Outcome::of(Code::InvalidArgument), Code::Ok.into()),
            Some(issuer) => issuer.clone(),
        };
        let (shared, begin) = (Arc::clone(&self.shared), Instant::now());
        shared.journal.began(operation, method.name());
        let granted = async move {
            let granted = async {
                let granted = tokio::select! {
                    biased;
                    () = shared.network_disallowed() => Err(Denied::RequestError(RequestError::of(Code::NetworkDisallowed))),
                    granted = grant(&issuer, method, &shared) => granted,
                    () = shared.clock.sleep(timeout) => Err(nobody_came()),
                };
                let error = granted.as_ref().err().cloned().map(Denied::into_error);
                asked_issuer(&shared, &issuer, method.name(), begin, error.as_ref());
                granted
            };
            let granted = tokio::select! {
                biased;
                () = shared.given_up(operation) => None,
                granted = granted => Some(granted),
            };
            shared.set_prompt(None);
            granted
        };
        *pending = Some(Pending { operation, consent, granted: Box::pin(granted) });
    }

    /// Somebody has signed in: takes the seat, as a token would.
    pub(super) async fn signed_in(&mut self, ended: Ended) {
        let Ended { operation, consent, granted } = ended;
        let outcome = match granted {
            None => return,
            Some(Err(denied)) => Outcome::of_error(&denied.into_error()),
            Some(Ok(grant)) => {
                let shared = Arc::clone(&self.shared);
                tokio::select! {
                    biased;
                    () = shared.interrupted(Some(operation)) => Outcome::of(Code::Cancelled),
                    outcome = self.take_seat(grant, consent) => outcome,
                }
            }
        };
        self.publish();
        self.end(operation, outcome, Code::Ok.into());
    }

    async fn take_seat(&mut self, grant: Grant, consent: Consent) -> Outcome {
        let identity = grant.access.identity().clone();
        let credential = Credential::Person(SignIn { identity, refresh: grant.refresh.clone() });
        self.access = Some(Access::of(grant, self.now(), self.shared.clock.since_boot()));
        let _turn = self.turn(false).await;
        let submission = Submission::Person { remember: consent.remember };
        self.exchange(SeatCall::Activate, &credential, Intent::Launch, submission).await
    }

    /// Forgets sign-in and license on this computer, and tells the issuer, if it can be told.
    pub(super) async fn sign_out(&mut self) -> Outcome {
        let refresh = match self.store.credential() {
            Some(Credential::Person(sign_in)) => sign_in.refresh.clone(),
            _ => None,
        };
        let outcome = self.forget();
        if let (Some(refresh), Some(issuer)) = (refresh, self.issuer.clone())
            && self.shared.has_network()
        {
            let begin = Instant::now();
            let revoked = tokio::time::timeout(SIGN_OUT_TIMEOUT, issuer.revoke(&refresh)).await;
            let revoked = revoked.unwrap_or_else(|_| Err(Denied::RequestError(late())));
            let error = revoked.as_ref().err().cloned().map(Denied::into_error);
            asked_issuer(&self.shared, &issuer, "revoke", begin, error.as_ref());
            if !matches!(revoked, Ok(()) | Err(Denied::Ended)) {
                self.notice(Code::IdentityProviderUnavailable, Phrase::SIGN_OUT_UNTOLD.into());
            }
        }
        outcome
    }

    /// What to show the server for a sign-in. An access token that was fresh before other processes
    /// had their turn is shown whatever its age is now: a server that does not believe it says
    /// so, and then it is renewed.
    pub(super) fn access_token(&self, signed_in: &Credential) -> Option<Presented> {
        let access = self.access.as_ref().filter(|access| access.is_for(signed_in))?;
        let (text, hash) = (access.token.expose_secret(), access.token.identity().hash());
        Some(Presented { text: text.to_owned().into(), hash })
    }

    /// Sees to it that a sign-in can be shown to the server.
    pub(super) async fn sign_in_again(&mut self, signed_in: &Credential) -> Result<(), RequestError> {
        let now = self.shared.clock.since_boot();
        let fresh = |access: &Access| access.is_for(signed_in) && access.is_fresh(now);
        if self.access.as_ref().is_some_and(fresh) {
            return Ok(());
        }
        // Two processes that use one refresh token look like a thief and his victim.
        let shares = matches!(signed_in, Credential::Person(_));
        let _turn = if shares { Some(self.turn(false).await) } else { None };
        self.renew().await
    }

    /// Gets an access token for the sign-in in use. Whoever calls it has the turn.
    pub(super) async fn renew(&mut self) -> Result<(), RequestError> {
        self.access = None;
        let (shared, begin) = (Arc::clone(&self.shared), Instant::now());
        let renewed = tokio::select! {
            biased;
            () = shared.network_disallowed() => Err(RequestError::of(Code::NetworkDisallowed)),
            renewed = self.renewed() => renewed,
            () = shared.clock.sleep(RENEWAL_TIMEOUT) => Err(late()),
        };
        if let Some(issuer) = &self.issuer {
            asked_issuer(&shared, issuer, "renew_sign_in", begin, renewed.as_ref().err());
        }
        renewed
    }

    async fn renewed(&mut self) -> Result<(), RequestError> {
        let issuer = self.issuer.clone().ok_or(RequestError::of(Code::SignInRequired))?;
        let grant = match self.store.credential() {
            Some(Credential::Machine(_)) => issuer.machine().await.map_err(Denied::into_error)?,
            Some(Credential::Person(_)) => self.renewed_sign_in(&issuer).await?,
            // Another process was given a token meanwhile, or told to forget.
            Some(Credential::Token(_)) | None => return Err(RequestError::of(Code::SignInRequired)),
        };
        self.store.is_machine(grant.access.identity().clone());
        self.access = Some(Access::of(grant, self.now(), self.shared.clock.since_boot()));
        Ok(())
    }

    async fn renewed_sign_in(&mut self, issuer: &IssuerRegistration) -> Result<Grant, RequestError> {
        let mut used = None;
        loop {
            self.store.refresh();
            let Some(Credential::Person(sign_in)) = self.store.credential().cloned() else {
                return Err(RequestError::of(Code::SignInRequired));
            };
            // One of another issuer or client stays for the day on which that is set up again.
            let fits = |refresh: &RefreshToken| refresh.secret_for(&issuer.url, &issuer.client_id).is_some();
            let Some(refresh) = sign_in.refresh.filter(fits) else {
                return Err(RequestError::of(Code::SignInRequired));
            };
            if used.as_ref() == Some(&refresh) {
                // It is worth nothing any more, and showing it again looks like theft.
                self.keep_rotated(None);
                return Err(RequestError::of(Code::SignInRequired));
            }
            match issuer.renew(&refresh).await {
                Ok(grant) if *grant.access.identity() != sign_in.identity => {
                    return Err(RequestError::because(
                        Code::IdentityProviderUnavailable,
                        Phrase::OIDC_SOMEBODY_ELSE,
                    ));
                }
                Ok(grant) => {
                    self.keep_rotated(grant.refresh.clone());
                    return Ok(grant);
                }
                // Where files have no locks, another process may have used it at the same time, and stored
                // the next one.
                Err(Denied::Ended) => used = Some(refresh),
                Err(other) => return Err(other.into_error()),
            }
        }
    }

    /// What was used is worth nothing any more, so a folder that is busy is asked again before that
    /// is given up.
    fn keep_rotated(&mut self, next: Option<RefreshToken>) {
        for _ in 1..KEEPING_TRIES {
            match self.store.rotate(next.clone()) {
                Err(StoreError::Busy { .. }) => {}
                kept => return self.note(kept),
            }
        }
        let kept = self.store.rotate(next);
        self.note(kept);
    }

    /// Whether the license in memory belongs to nobody who is signed in.
    pub(super) fn nobody(&self) -> Outcome {
        let handed_back = matches!(self.store.state().license, LeaseState::HandedBack(_));
        let code = if self.issuer.is_some() && !handed_back { Code::SignInRequired } else { Code::NoToken };
        Outcome::of(code)
    }
}

fn late() -> RequestError {
    RequestError::because(Code::IdentityProviderUnavailable, Phrase::OIDC_LATE)
}

/// Notes what an issuer was asked for, and how it has answered.
fn asked_issuer(
    shared: &Shared,
    issuer: &IssuerRegistration,
    what: &str,
    begin: Instant,
    error: Option<&RequestError>,
) {
    let outcome = error.map_or_else(|| Outcome::of(Code::Ok), Outcome::of_error);
    shared.journal.exchanged(&Exchange {
        what,
        url: &issuer.url,
        begin,
        request_id: None,
        outcome: &outcome,
    });
}

fn nobody_came() -> Denied {
    Denied::RequestError(RequestError::because(Code::SignInRefused, Phrase::OIDC_NOBODY_CAME))
}

async fn grant(issuer: &IssuerRegistration, method: SignInMethod, shared: &Shared) -> Result<Grant, Denied> {
    let show = |prompt: Prompt, message: Message| {
        shared.set_prompt(Some(prompt));
        shared.post(shared.event(EventKind::SignIn, Code::SignInRequired, message));
    };
    match method {
        SignInMethod::Browser { open } => {
            let show = |prompt: Prompt| {
                let opened = open && machine::open_browser(&prompt.url);
                let phrase = match (open, opened) {
                    (true, true) => Phrase::SIGN_IN_SHOWN,
                    (true, false) => Phrase::SIGN_IN_NO_BROWSER,
                    (false, _) => Phrase::SIGN_IN_TO_OPEN,
                };
                show(prompt, phrase.into());
            };
            issuer.browser(show).await
        }
        SignInMethod::Device => {
            let show = |prompt: Prompt| {
                let code = prompt.code.clone().unwrap_or_default();
                let message =
                    Message::from(Phrase::SIGN_IN_DEVICE).with("url", &prompt.url).with("code", code);
                show(prompt, message);
            };
            issuer.device(show, |time| shared.clock.sleep(time)).await
        }
    }
}
