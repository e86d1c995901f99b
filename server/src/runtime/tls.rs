use crate::system::clock::system_time;
use rustls::{
    InconsistentKeys, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use seatlock_protocol::{
    UnixTime,
    edited::{EditedError, without_mark},
};
use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use tokio::sync::Notify;
use x509_cert::{Certificate, der::Decode as _};

/// By what a private key that needs a password is known (RFC 7468, section 11; RFC 1421).
const LOCKED: [&str; 2] = ["ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"];
/// How long before its end a certificate is warned of.
const WARN: u64 = 14 * 86_400;

/// Why a certificate and its key cannot be used. Never holds what is in the key file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {}", path.display(), crate::system::files::in_words(path, error))]
    File {
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A file is of another encoding.
    #[error("{0}: {1}")]
    Encoding(PathBuf, EditedError),
    /// There is no certificate in the file.
    #[error("{0}: there is no certificate in PEM in it")]
    NoCertificate(PathBuf),
    /// There is no private key in the file.
    #[error("{0}: there is no private key in PEM in it")]
    NoKey(PathBuf),
    /// Nobody is there to type its password.
    #[error(
        "{0}: the private key has a password, which a server cannot type. Write one without: openssl pkey -in {0} -out NEW-FILE"
    )]
    Locked(PathBuf),
    /// The key is none that TLS knows.
    #[error(
        "{0}: the private key is damaged, or of a kind that is not used here: make one of RSA, P-256, P-384 or Ed25519"
    )]
    Key(PathBuf),
    /// The key belongs to a certificate further down.
    #[error(
        "{0}: the server's own certificate stands behind another one. Put it first, and those that signed it behind it"
    )]
    Order(PathBuf),
    /// The key belongs to none of the certificates.
    #[error(
        "the private key {key} does not belong to the certificate {certificate}. Name the two that were made together"
    )]
    Pair { certificate: PathBuf, key: PathBuf },
    /// Something else is wrong with the certificates.
    #[error("{0}: TLS cannot use these certificates")]
    Chain(PathBuf),
    /// Its time is over.
    #[error("the certificate {0} ended on {1}. Renew it")]
    Expired(PathBuf, String),
}

/// A certificate chain and its key in two files (PEM), read again when they change.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Pair>,
    wanted: Notify,
}

/// What was read last, and what the files looked like then.
#[derive(Debug, Clone)]
struct Pair {
    config: Arc<ServerConfig>,
    not_after: UnixTime,
    seen: Option<Stamp>,
}

/// Tells that a file was written or exchanged, without reading it.
type Stamp = [(u64, u64, i64, i64); 2];

impl Tls {
    /// Reads both files. A certificate that has ended is taken all the same: clients say so, and
    /// whoever looks finds the server.
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let current = RwLock::new(Pair::read(&certificate, &key)?);
        Ok(Self { certificate, key, current, wanted: Notify::new() })
    }

    /// Reads both files again. Connections that are open keep what they have; so does everybody if
    /// the new pair is not sound.
    ///
    /// # Errors
    /// See [`TlsError`]; one that has ended is no better than the one in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let pair = Pair::read(&self.certificate, &self.key);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let taken = pair.and_then(|pair| pair.alive(&self.certificate));
        match taken {
            Ok(pair) => *current = pair,
            Err(error) => {
                // Not tried again until the files change once more.
                current.seen = stamp(&self.certificate, &self.key);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Has the running server read both files again, whether they look changed or not.
    pub fn reload_soon(&self) {
        self.wanted.notify_one();
    }

    pub(super) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Whether the files are others than those that were read last.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        stamp(&self.certificate, &self.key) != self.current().seen
    }

    /// The end of the certificate in use.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.current().not_after
    }

    /// When the certificate in use ends, if it ends so soon, or has ended, that somebody should
    /// know.
    #[must_use]
    pub fn ends_soon(&self) -> Option<UnixTime> {
        Some(self.not_after()).filter(|end| *end < system_time().plus(WARN))
    }

    /// Refuses a certificate that has ended.
    pub fn alive(&self) -> Result<(), TlsError> {
        self.current().alive(&self.certificate).map(drop)
    }

    /// For the next connection.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.current().config
    }

    fn current(&self) -> Pair {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Pair {
    fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        // Before the files, so that what is written meanwhile is seen as a change.
        let seen = stamp(certificate, key);
        let read =
            |path: &Path| fs::read(path).map_err(|error| TlsError::File { path: path.to_owned(), error });
        let encoding = |path: &Path| {
            let path = path.to_owned();
            move |error| TlsError::Encoding(path, error)
        };
        let no_certificate = || TlsError::NoCertificate(certificate.to_owned());
        let pem = read(certificate)?;
        let pem = without_mark(&pem).map_err(encoding(certificate))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let chain = chain.map_err(|_| no_certificate())?;
        let own = chain.first().ok_or_else(no_certificate)?;
        let not_after = Certificate::from_der(own).map_err(|_| no_certificate())?;
        let not_after = not_after.tbs_certificate().validity().not_after.to_unix_duration().as_secs();
        let private = zeroize::Zeroizing::new(read(key)?);
        let private = without_mark(&private).map_err(encoding(key))?;
        if LOCKED.iter().any(|mark| private.windows(mark.len()).any(|part| part == mark.as_bytes())) {
            return Err(TlsError::Locked(key.to_owned()));
        }
        let private = PrivateKeyDer::from_pem_slice(private).map_err(|_| TlsError::NoKey(key.to_owned()))?;
        let signing = ring::sign::any_supported_type(&private).map_err(|_| TlsError::Key(key.to_owned()))?;
        // What a key of a kind that does not say so belongs to is found out by whoever connects.
        let fits = |one: &CertificateDer<'static>| {
            let keys = CertifiedKey::new(vec![one.clone()], signing.clone()).keys_match();
            !matches!(keys, Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)))
        };
        if !fits(own) {
            return Err(match chain.iter().any(fits) {
                true => TlsError::Order(certificate.to_owned()),
                false => TlsError::Pair { certificate: certificate.to_owned(), key: key.to_owned() },
            });
        }
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
        let mut config = config.map_err(|_| TlsError::Chain(certificate.to_owned()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), not_after: UnixTime::MIN.plus(not_after), seen })
    }

    fn alive(self, certificate: &Path) -> Result<Self, TlsError> {
        if self.not_after > system_time() {
            return Ok(self);
        }
        Err(TlsError::Expired(certificate.to_owned(), crate::domain::date(self.not_after)))
    }
}

fn stamp(certificate: &Path, key: &Path) -> Option<Stamp> {
    let one = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
    };
    Some([one(certificate)?, one(key)?])
}
