//! Passwords: argon2id (RFC 9106), a few at a time.

use crate::store::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Passwords that are worked on at once: each takes 19 MiB and some milliseconds of a core, and the plug-ins want theirs.
const AT_ONCE: usize = 2;
/// Random bytes of a generated password: 20 characters.
const GENERATED: usize = 15;

/// Why a password could not be hashed. Says nothing of the password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The operating system's random source failed.
    #[error("the operating system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// argon2 failed, for want of memory for example.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

/// Hashes and compares passwords, a few at a time and away from the threads that serve requests.
pub struct Passwords {
    turns: Semaphore,
    /// For users who do not exist: comparing takes the same time.
    nobody: PasswordHash,
    /// How often a password was compared.
    #[cfg(test)]
    pub(crate) compared: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Passwords {
    /// Ready to work.
    ///
    /// # Errors
    /// When the operating system gives no random numbers or no memory.
    pub fn new() -> Result<Self, PasswordError> {
        Ok(Self {
            turns: Semaphore::new(AT_ONCE),
            nobody: hash(&generate()?)?,
            #[cfg(test)]
            compared: std::sync::Arc::default(),
        })
    }

    /// What is kept of a password.
    ///
    /// # Errors
    /// When the operating system gives no random numbers or no memory.
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<PasswordHash, PasswordError> {
        self.in_turn(move || hash(&password)).await.unwrap_or_else(|| Err(ended()))
    }

    /// Whether `password` is the one of which `kept` is left. Takes as long when there is no such user.
    pub async fn verify(&self, password: Zeroizing<String>, kept: Option<&PasswordHash>) -> bool {
        let kept = kept.filter(|kept| kept.is_somebodys());
        let against = kept.unwrap_or(&self.nobody).clone();
        #[cfg(test)]
        let compared = self.compared.clone();
        let same = self.in_turn(move || {
            #[cfg(test)]
            compared.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Argon2::default().verify_password(password.as_bytes(), against.0.as_str()).is_ok()
        });
        same.await.unwrap_or(false) && kept.is_some()
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _turn = self.turns.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }
}

fn ended() -> PasswordError {
    PasswordError::Hash("the server is stopping".to_owned())
}

fn hash(password: &str) -> Result<PasswordHash, PasswordError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)?;
    let hash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(PasswordHash(hash.to_string()))
}

/// A password that nobody has to think of: 20 characters.
///
/// # Errors
/// When the operating system gives no random numbers.
pub fn generate() -> Result<Zeroizing<String>, PasswordError> {
    let mut random = Zeroizing::new([0; GENERATED]);
    getrandom::fill(&mut *random)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_passes() {
        let passwords = Passwords::new().unwrap();
        let word = generate().unwrap();
        assert_eq!(word.len(), 20);
        let kept = passwords.hash(word.clone()).await.unwrap();
        assert!(kept.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.0);
        assert!(!format!("{kept:?}").contains('$'));
        assert!(passwords.verify(word.clone(), Some(&kept)).await);
        assert!(!passwords.verify(generate().unwrap(), Some(&kept)).await);
        assert!(!passwords.verify(word.clone(), None).await);
        let broken = PasswordHash("$argon2id$".to_owned());
        assert!(!passwords.verify(word, Some(&broken)).await);
    }
}
