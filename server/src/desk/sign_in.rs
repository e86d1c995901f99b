use crate::password::Passwords;
use crate::rules::AttemptBy;
use crate::seal::Secret;
use crate::store::{Ending, Hash, NewSession, Store, StoreError};
use ring::hmac;
use seatlock_protocol::UnixTime;
use std::net::IpAddr;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Characters of what a browser calls itself that are kept.
const AGENT_MAX: usize = 200;

/// Somebody who wants to be let in.
pub struct SignIn {
    /// The e-mail address that was typed.
    pub email: String,
    /// The password that was typed.
    pub password: Zeroizing<String>,
    /// The network address that it comes from.
    pub address: IpAddr,
    /// What the browser calls itself.
    pub agent: String,
}

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// Unknown, disabled, or another password: nobody learns which.
    #[error("the e-mail address or the password is wrong")]
    Wrong,
    /// Too many attempts for this e-mail address or from this network address.
    #[error("too many attempts")]
    TooMany {
        /// When the next one is possible.
        until: UnixTime,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system's random source failed.
    #[error("the operating system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// By what a session is found.
#[must_use]
pub fn session_hash(secret: &Secret) -> Hash {
    secret.hash(b"seatlock-session-v1\0")
}

/// Begins a session, with a secret that nobody had before, and ends the one that the browser showed.
///
/// # Errors
/// See [`Denied`].
pub async fn sign_in<S: Store>(
    store: &S,
    passwords: &Passwords,
    pepper: &[u8; 32],
    asking: SignIn,
    shown: Option<Hash>,
) -> Result<Secret, Denied> {
    let email = asking.email.trim().to_lowercase();
    let by_email = name(pepper, b"email\0", email.as_bytes());
    let by_address = name(pepper, b"address\0", &network(asking.address));
    // Counted before the password is looked at, so that nobody tries a thousand at once.
    let names = vec![(AttemptBy::Email, by_email), (AttemptBy::Address, by_address)];
    if let Some(until) = store.attempt(names).await? {
        return Err(Denied::TooMany { until });
    }
    let found = store.user(&email).await?.filter(|(user, _)| user.disabled_at.is_none());
    if !passwords.verify(asking.password, found.as_ref().map(|(_, kept)| kept)).await {
        return Err(Denied::Wrong);
    }
    let (user, password) = found.ok_or(Denied::Wrong)?;
    let secret = Secret::generate()?;
    let session = NewSession {
        hash: session_hash(&secret),
        id: Uuid::new_v4(),
        user: user.id,
        password,
        agent: asking.agent.chars().filter(|c| !c.is_control()).take(AGENT_MAX).collect(),
        address: asking.address.to_string(),
    };
    store.sign_in(session, by_email).await?;
    if let Some(before) = shown {
        store.end_sessions(Ending::Hash(before)).await?;
    }
    Ok(secret)
}

/// People type their password where the e-mail address belongs: the names are hashed.
pub(super) fn name(pepper: &[u8; 32], domain: &[u8], text: &[u8]) -> Hash {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, pepper));
    for part in [b"seatlock-attempt-v1\0".as_slice(), domain, text] {
        mac.update(part);
    }
    super::again::bytes(&mac.sign())
}

/// One household has as many IPv6 addresses as it likes, in one /64 network.
fn network(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
    }
}
