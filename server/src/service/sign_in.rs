use crate::crypto::password::PasswordHash;
use crate::crypto::password::{PasswordError, Passwords};
use crate::crypto::seal::Hash;
use crate::crypto::seal::Secret;
use crate::domain::{AttemptBy, Issuer, Role, check_email};
use crate::oidc::Claims;
use crate::service::Services;
use crate::service::rate_limits::network;
use crate::store::{
    Actor, AddUser, BeginSession, CountAttempt, EndSessions, FindBearer, FindSession, FindUser, NewSession,
    NewUser, SessionScope, SignedIn, Store, StoreError, User,
};
use ring::hmac;
use seatlock_protocol::{Token, UnixTime};
use std::net::IpAddr;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Characters of what a browser calls itself that are kept.
const AGENT_MAX: usize = 200;

/// Somebody who wants to be let in.
pub struct SignInAttempt {
    /// The e-mail address that was typed.
    pub email: String,
    /// The password that was typed.
    pub password: Zeroizing<String>,
    /// Where it is typed.
    pub browser: Browser,
}

pub struct Browser {
    /// The network address that it comes from.
    pub address: IpAddr,
    /// What the browser calls itself.
    pub agent: String,
}

/// A user whom an issuer has let in, with the password that he has, whether he knows it or not.
pub struct KnownUser {
    pub user: User,
    /// If he has another one by now, no session begins.
    pub password: PasswordHash,
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown, disabled, or another password: nobody learns which.
    #[error("the e-mail address or the password is wrong")]
    Wrong,
    /// Too many attempts by this person, for this e-mail address, or from this network address.
    #[error("too many attempts")]
    TooMany {
        /// When the next one is possible.
        until: UnixTime,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password could not be compared.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The operating system's random source failed.
    #[error("the operating system gives no random numbers")]
    Random(#[from] getrandom::Error),
}

impl Services {
    /// Begins a session: see [`sign_in`].
    pub(crate) async fn sign_in(
        &self,
        asking: SignInAttempt,
        shown: Option<Hash>,
    ) -> Result<Secret, SignInError> {
        sign_in(&self.store, &self.passwords, &self.pepper, asking, shown).await
    }

    /// Begins a session for somebody whom an issuer has let in.
    pub(crate) async fn sign_in_known(
        &self,
        known: KnownUser,
        browser: Browser,
        shown: Option<Hash>,
    ) -> Result<Secret, SignInError> {
        let by_person = by_person(&self.pepper, browser.address, &known.user.email.to_lowercase());
        begin(&self.store, known, browser, by_person, shown).await
    }

    /// Ends the session of a cookie, if it has not ended.
    pub(crate) async fn sign_out(&self, session: Hash) -> Result<(), StoreError> {
        self.store.run(EndSessions(SessionScope::Hash(session))).await
    }

    /// Who shows the cookie of a session.
    pub(crate) async fn signed_in_by(&self, session: Hash) -> Result<Option<SignedIn>, StoreError> {
        self.store.run(FindSession(session)).await
    }

    /// Who shows an API token.
    pub(crate) async fn signed_in_with(&self, token: &Token) -> Result<Option<SignedIn>, StoreError> {
        self.store.run(FindBearer(token.stored_hash(&self.pepper))).await
    }

    /// The user who is let in: the one with that verified e-mail address in the account that the
    /// rule names, added now if there is none. An issuer that is trusted with one account must not
    /// reach into another, nor make more of somebody than the rule says.
    pub(crate) async fn admit(
        &self,
        issuer: &Issuer,
        claims: &Claims,
    ) -> Result<Option<KnownUser>, StoreError> {
        let admission = issuer.admit(claims.bearer());
        let Some((account, role)) = admission.and_then(|rule| Some((rule.account, rule.role?))) else {
            return Ok(None);
        };
        let Some(email) = claims.email.as_ref().filter(|email| check_email(email).is_ok()) else {
            return Ok(None);
        };
        let fits = |user: &User| {
            user.account == account
                && user.disabled_at.is_none()
                && (user.role == Role::Owner || role == Role::Admin)
        };
        if let Some((user, password)) = self.store.run(FindUser(email.clone())).await? {
            return Ok(fits(&user).then_some(KnownUser { user, password }));
        }
        let (id, password) = (Uuid::new_v4(), PasswordHash::nobodys());
        let new = NewUser { id, account, email: email.clone(), role, password: password.clone() };
        let by = Actor::User(format!("{} at {}", claims.identity.subject, claims.identity.issuer));
        let user = self.store.run(AddUser(new, by)).await?;
        Ok(Some(KnownUser { user, password }))
    }
}

/// By what a session is found.
#[must_use]
pub fn session_hash(secret: &Secret) -> Hash {
    secret.hash(b"seatlock-session-v1\0")
}

/// Begins a session, with a secret that nobody had before, and ends the one that the browser
/// showed.
pub async fn sign_in(
    store: &Store,
    passwords: &Passwords,
    pepper: &[u8; 32],
    asking: SignInAttempt,
    shown: Option<Hash>,
) -> Result<Secret, SignInError> {
    let email = asking.email.trim().to_lowercase();
    let network = network(asking.browser.address);
    let by_person = by_person(pepper, asking.browser.address, &email);
    let by_email = name(pepper, b"email\0", email.as_bytes());
    let by_address = name(pepper, b"address\0", &network);
    // Counted before the password is looked at, so that nobody tries a thousand at once.
    let names =
        vec![(AttemptBy::Person, by_person), (AttemptBy::Email, by_email), (AttemptBy::Address, by_address)];
    if let Some(until) = store.run(CountAttempt(names)).await? {
        return Err(SignInError::TooMany { until });
    }
    let found = store.run(FindUser(email.clone())).await?.filter(|(user, _)| user.disabled_at.is_none());
    if !passwords.verify(asking.password, found.as_ref().map(|(_, kept)| kept)).await? {
        return Err(SignInError::Wrong);
    }
    let (user, password) = found.ok_or(SignInError::Wrong)?;
    begin(store, KnownUser { user, password }, asking.browser, by_person, shown).await
}

async fn begin(
    store: &Store,
    known: KnownUser,
    browser: Browser,
    by_person: Hash,
    shown: Option<Hash>,
) -> Result<Secret, SignInError> {
    let secret = Secret::generate()?;
    let session = NewSession {
        hash: session_hash(&secret),
        id: Uuid::new_v4(),
        user: known.user.id,
        password: known.password,
        agent: browser.agent.chars().filter(|c| !c.is_control()).take(AGENT_MAX).collect(),
        address: browser.address.to_string(),
    };
    store.run(BeginSession { session, forget: by_person }).await?;
    if let Some(before) = shown {
        store.run(EndSessions(SessionScope::Hash(before))).await?;
    }
    Ok(secret)
}

/// The name under which one person's attempts from one network are counted.
fn by_person(pepper: &[u8; 32], address: IpAddr, email: &str) -> Hash {
    name(pepper, b"person\0", &[&network(address), email.as_bytes()].concat())
}

/// People type their password where the e-mail address belongs: the names are hashed.
pub(super) fn name(pepper: &[u8; 32], domain: &[u8], text: &[u8]) -> Hash {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, pepper));
    for part in [b"seatlock-attempt-v1\0".as_slice(), domain, text] {
        mac.update(part);
    }
    super::idempotency::bytes(&mac.sign())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{AddAccount, ChangeUser, UserChange, sqlite::SqliteStore};
    use std::sync::atomic::Ordering;

    /// Whoever could tell by the time which addresses are known would have half of what he needs.
    #[tokio::test]
    async fn a_password_is_compared_whoever_asks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seatlock.db");
        let store = SqliteStore::open(&file, true).await.unwrap();
        let passwords = Passwords::new();
        let account = store
            .run(AddAccount { id: Uuid::new_v4(), name: "A".to_owned(), by: Actor::Console })
            .await
            .unwrap()
            .id;
        for (email, disabled) in [("ada@example.com", false), ("bob@example.com", true)] {
            let password = passwords.hash(Zeroizing::new("a long password".to_owned())).await.unwrap();
            let (id, role) = (Uuid::new_v4(), Role::Owner);
            let new = NewUser { id, account, email: email.to_owned(), role, password };
            store.run(AddUser(new, Actor::Console)).await.unwrap();
            if disabled {
                store
                    .run(ChangeUser { id, change: UserChange::Disable, keep: None, by: Actor::Console })
                    .await
                    .unwrap();
            }
        }
        let ask = async |email: &str, password: &str| {
            let asking = SignInAttempt {
                email: email.to_owned(),
                password: Zeroizing::new(password.to_owned()),
                browser: Browser { address: IpAddr::from([192, 0, 2, 1]), agent: String::new() },
            };
            let before = passwords.compared.load(Ordering::Relaxed);
            let let_in = sign_in(&store, &passwords, &[7; 32], asking, None).await;
            (let_in.is_ok(), passwords.compared.load(Ordering::Relaxed) - before)
        };
        for (email, password, let_in) in [
            ("ada@example.com", "a long password", true),
            ("ada@example.com", "another password", false),
            ("nobody@example.com", "a long password", false),
            ("bob@example.com", "a long password", false),
            ("", "", false),
        ] {
            assert_eq!(ask(email, password).await, (let_in, 1), "{email:?} {password:?}");
        }
        for _ in 0..9 {
            ask("nobody@example.com", "x").await;
        }
        assert_eq!(
            ask("nobody@example.com", "x").await,
            (false, 0),
            "nothing is worked on that cannot succeed"
        );
        store.close().await;
    }

    #[test]
    fn a_household_is_one_address() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        for (a, b, wanted) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            assert_eq!(same(a, b), wanted, "{a} {b}");
        }
    }
}
