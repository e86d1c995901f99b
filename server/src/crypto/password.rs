//! Passwords: argon2id (RFC 9106), a few at a time.

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Output, ParamsString, Salt},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use zeroize::Zeroizing;

/// Passwords that are worked on at once: each takes 19 MiB and some milliseconds of a core, and the
/// plug-ins want theirs.
const AT_ONCE: usize = 2;
/// Longest wait for one of these turns.
const PATIENCE: Duration = Duration::from_secs(5);
/// Blocks of 1 KiB that are reserved for one password; no more of them are used than it takes.
/// glibc gives memory back as soon as it is freed when it was asked for more than 32 MiB at once
/// (`M_MMAP_THRESHOLD` in mallopt(3)). A smaller piece stays with whichever thread freed it, and a
/// flood of sign-ins goes through very many threads.
const RESERVED: usize = 34 * 1024;
/// Of no password: the end is random. For users who do not exist, so that comparing takes the same
/// time.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2VhdGxvY2sgbm9ib2R5IQ$CoTYPEMwXQn+FqAt+wufQ12ix8vslBAVYzhdJAXRjMc";
/// Random bytes of a generated password: 20 characters.
const GENERATED: usize = 15;

/// A password as it is kept: argon2id in the PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl PasswordHash {
    /// Of no password: a user who has it is let in by a sign-in service only. It is no PHC string.
    #[must_use]
    pub fn nobodys() -> Self {
        Self("!".to_owned())
    }

    /// Whether there is a password of which this is the hash.
    #[must_use]
    pub fn is_somebodys(&self) -> bool {
        *self != Self::nobodys()
    }
}

/// It may be guessed from.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// Why a password could not be hashed. Says nothing of the password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The operating system's random source failed.
    #[error("the operating system gives no random numbers")]
    Random(#[from] getrandom::Error),
    /// argon2 failed, for want of memory for example.
    #[error("the password could not be hashed")]
    Hash,
    /// Others are worked on, and there was no turn in time.
    #[error("a password waited too long for its turn: {AT_ONCE} are worked on at once")]
    Busy,
    /// There is no memory for it.
    #[error("there is no memory to hash a password")]
    NoMemory,
}

impl PasswordError {
    /// Whether the same may succeed later.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Busy | Self::NoMemory)
    }
}

/// Hashes and compares passwords, a few at a time and away from the threads that serve requests.
pub struct Passwords {
    turns: Arc<Semaphore>,
    patience: Duration,
    /// How often a password was compared.
    #[cfg(test)]
    pub(crate) compared: Arc<std::sync::atomic::AtomicUsize>,
}

impl Passwords {
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is the work that is new, not a value")]
    pub fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            patience: PATIENCE,
            #[cfg(test)]
            compared: Arc::default(),
        }
    }

    /// With less patience, where a whole request has little time: most of it is left for the rest.
    #[must_use]
    pub fn within(self, request: Duration) -> Self {
        Self { patience: self.patience.min(request / 4), ..self }
    }

    /// What is kept of a password.
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<PasswordHash, PasswordError> {
        self.in_turn(move || hash(&password)).await
    }

    /// Whether `password` is the one of which `kept` is left. Takes as long when there is no such
    /// user.
    pub async fn verify(
        &self,
        password: Zeroizing<String>,
        kept: Option<&PasswordHash>,
    ) -> Result<bool, PasswordError> {
        let kept = kept.filter(|kept| kept.is_somebodys());
        let against = kept.map_or(NOBODY, |kept| &kept.0).to_owned();
        #[cfg(test)]
        let compared = self.compared.clone();
        let same = self.in_turn(move || {
            #[cfg(test)]
            compared.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            is_of(&password, &against)
        });
        Ok(same.await? && kept.is_some())
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let ended = || PasswordError::Hash;
        let turn = timeout(self.patience, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| PasswordError::Busy)?.map_err(|_| ended())?;
        let worked = tokio::task::spawn_blocking(move || {
            // Kept to the end of the work, which goes on when whoever asked has hung up.
            let _turn = turn;
            work()
        });
        worked.await.map_err(|_| ended())?
    }
}

fn hash(password: &str) -> Result<PasswordHash, PasswordError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)?;
    let (algorithm, version, params) = (Algorithm::default(), Version::default(), Params::default());
    let written = || {
        Ok(phc::PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(Salt::new(&salt)?),
            hash: None,
        })
    };
    let written: Result<_, argon2::password_hash::Error> = written();
    let written = written.map_err(|_| PasswordError::Hash)?;
    let output = worked(Argon2::new(algorithm, version, params.clone()), &params, password, &salt)?;
    Ok(PasswordHash(phc::PasswordHash { hash: Some(output), ..written }.to_string()))
}

/// Whether `password` is the one that was hashed. What cannot be read is nobody's.
fn is_of(password: &str, hashed: &str) -> Result<bool, PasswordError> {
    let read = || {
        let hashed = phc::PasswordHash::new(hashed).ok()?;
        let params = Params::try_from(&hashed).ok()?;
        let version = hashed.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let argon2 =
            Argon2::new(Algorithm::try_from(hashed.algorithm.as_str()).ok()?, version, params.clone());
        Some((argon2, params, hashed.salt?, hashed.hash?))
    };
    let Some((argon2, params, salt, expected)) = read() else { return Ok(false) };
    // They are compared in constant time.
    Ok(worked(argon2, &params, password, &salt)? == expected)
}

/// The work, in memory of its own.
fn worked(argon2: Argon2<'_>, params: &Params, password: &str, salt: &[u8]) -> Result<Output, PasswordError> {
    let failed = |_: argon2::Error| PasswordError::Hash;
    let (mut memory, blocks) = (Vec::new(), params.block_count());
    memory.try_reserve_exact(blocks.max(RESERVED)).map_err(|_| PasswordError::NoMemory)?;
    memory.resize(blocks, Block::new());
    let mut output = [0; Output::MAX_LENGTH];
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let output = output.get_mut(..length).ok_or_else(|| failed(argon2::Error::OutputTooLong))?;
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, &mut memory).map_err(failed)?;
    Output::new(output).map_err(|_| PasswordError::Hash)
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
        let passwords = Passwords::new();
        let word = generate().unwrap();
        assert_eq!(word.len(), 20);
        let kept = passwords.hash(word.clone()).await.unwrap();
        let cost = |kept: &str| kept.split('$').take(4).collect::<Vec<_>>().join("$");
        assert!(kept.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.0);
        assert_eq!((cost(NOBODY), NOBODY.len()), (cost(&kept.0), kept.0.len()), "nobody costs as much");
        assert!(!format!("{kept:?}").contains('$'));
        assert!(passwords.verify(word.clone(), Some(&kept)).await.unwrap());
        assert!(!passwords.verify(generate().unwrap(), Some(&kept)).await.unwrap());
        assert!(!passwords.verify(word.clone(), None).await.unwrap());
        let broken = PasswordHash("$argon2id$".to_owned());
        assert!(!passwords.verify(word, Some(&broken)).await.unwrap());
    }

    /// What is in databases since the first version, and what any other program makes of the same
    /// password.
    #[tokio::test]
    async fn passwords_of_other_programs_and_versions_are_known() {
        let passwords = Passwords::new();
        for (kept, expected) in [
            // Made by the reference implementation.
            (
                "$argon2id$v=19$m=19456,t=2,p=1$c2VhdGxvY2tzYWx0$zyo9cZbZGJx8JBJ9MxGTZsF0TXt6zmiP9B83SN4rT1A",
                true,
            ),
            (
                "$argon2id$v=19$m=65536,t=3,p=4$c2VhdGxvY2tzYWx0$BbVwmC+jeIM51zsO5dyPrkRnL9TSCX/kX8fq/kigPII",
                true,
            ),
            (
                "$argon2i$v=19$m=4096,t=3,p=1$c2VhdGxvY2tzYWx0$MdJi9YDBJ9acxZtsJEjHGqRNg6vOQcKQLg5lN/L9Lmo",
                true,
            ),
            (
                "$argon2id$v=19$m=19456,t=2,p=1$c2VhdGxvY2tzYWx1$zyo9cZbZGJx8JBJ9MxGTZsF0TXt6zmiP9B83SN4rT1A",
                false,
            ),
        ] {
            let word = Zeroizing::new("a long password".to_owned());
            let kept = PasswordHash(kept.to_owned());
            assert_eq!(passwords.verify(word, Some(&kept)).await.unwrap(), expected, "{}", kept.0);
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let passwords = Passwords::new().within(Duration::from_millis(80));
        let turns = Arc::clone(&passwords.turns).acquire_many_owned(2).await.unwrap();
        let word = generate().unwrap();
        assert!(matches!(passwords.verify(word.clone(), None).await, Err(PasswordError::Busy)));
        assert!(matches!(passwords.hash(word.clone()).await, Err(PasswordError::Busy)));
        drop(turns);
        assert!(passwords.hash(word).await.is_ok());
    }
}
