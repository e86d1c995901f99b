use super::fetch::fetch;
use super::{Claims, Endpoints, Expected, FetchPlan, HeldKeys, KeySet, TokenRejection, plan, verify};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use seatlock_protocol::{AccessToken, UnixTime};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::OwnedMutexGuard;

/// Why what an issuer says cannot be verified at the moment: the beginning of a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub(super) String);

impl Unusable {
    pub(super) fn new(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The keys of every issuer that was asked for, until they are too old.
pub struct Keys {
    /// Time since some moment.
    clock: Clock,
    issuers: Mutex<HashMap<String, Arc<Issuer>>>,
}

#[derive(Default)]
struct Issuer {
    /// Whoever fetches has it; the others wait and then look again.
    fetching: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
}

#[derive(Default, Clone)]
struct State {
    held: HeldKeys,
    published: Option<Arc<(Endpoints, KeySet)>>,
    failure: Option<Unusable>,
}

impl Default for Keys {
    fn default() -> Self {
        let start = Instant::now();
        Self::by(move || start.elapsed())
    }
}

impl Keys {
    /// None yet. `clock` tells the time since some moment, and never goes back.
    #[must_use]
    pub fn by(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), issuers: Mutex::default() }
    }

    /// What `token` says, by the keys that its issuer has now or had a short time ago.
    ///
    /// # Errors
    /// [`Unusable`] when there are no keys; the inner error when the token is not to be believed.
    pub async fn verify(
        &self,
        token: &AccessToken,
        expected: Expected<'_>,
        now: UnixTime,
    ) -> Result<Result<Claims, TokenRejection>, Unusable> {
        let kid = kid_of(token);
        let published = self.published(expected.issuer, Some(kid.as_deref())).await?;
        Ok(verify(token, expected, &published.1, now))
    }

    /// Where an issuer does what.
    pub async fn endpoints(&self, issuer: &str) -> Result<Endpoints, Unusable> {
        Ok(self.published(issuer, None).await?.0.clone())
    }

    /// What an issuer has published; fetched if the key is wanted and not there.
    async fn published(
        &self,
        url: &str,
        kid: Option<Option<&str>>,
    ) -> Result<Arc<(Endpoints, KeySet)>, Unusable> {
        let issuer = lock(&self.issuers).entry(url.to_owned()).or_default().clone();
        let look = || {
            let state = lock(&issuer.state).clone();
            let known = |published: &Arc<(Endpoints, KeySet)>| kid.is_none_or(|kid| published.1.knows(kid));
            let known = state.published.as_ref().is_some_and(known);
            (plan(state.held, known, (self.clock)()), state)
        };
        let (mut planned, mut state) = look();
        if planned == FetchPlan::Fetch {
            let turn = issuer.fetching.clone().lock_owned().await;
            (planned, state) = look();
            if planned == FetchPlan::Fetch {
                // A task of its own: who hangs up meanwhile does not make the next one ask once more.
                let fetched =
                    tokio::spawn(issuer.clone().fetch(url.to_owned(), self.clock.clone(), turn)).await;
                fetched.map_err(|_| Unusable::new("it could not be asked"))?;
                (planned, state) = look();
            }
        }
        if planned == FetchPlan::UseAndFetch
            && let Ok(turn) = issuer.fetching.clone().try_lock_owned()
        {
            tokio::spawn(issuer.clone().fetch(url.to_owned(), self.clock.clone(), turn));
        }
        let usable = matches!(planned, FetchPlan::Use | FetchPlan::UseAndFetch);
        let none = || state.failure.clone().unwrap_or_else(|| Unusable::new("it is not reachable"));
        state.published.clone().filter(|_| usable).ok_or_else(none)
    }
}

impl Issuer {
    async fn fetch(self: Arc<Self>, url: String, clock: Clock, turn: OwnedMutexGuard<()>) {
        let fetched = fetch(&url).await;
        let mut state = lock(&self.state);
        state.held.tried_at = Some(clock());
        match fetched {
            Ok(published) => {
                state.held.fetched_at = state.held.tried_at;
                state.published = Some(Arc::new(published));
                state.failure = None;
            }
            Err(failure) => {
                tracing::warn!(issuer = url, reason = %failure, "an issuer's keys could not be fetched");
                state.failure = Some(failure);
            }
        }
        drop((state, turn));
    }
}

/// Which key a token names. What is wrong with its header is found when it is verified.
fn kid_of(token: &AccessToken) -> Option<String> {
    #[derive(Deserialize)]
    struct Header {
        kid: Option<String>,
    }
    let (header, _) = token.expose_secret().split_once('.')?;
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    header.kid
}

/// What these locks guard is whole at any time, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
