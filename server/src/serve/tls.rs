use crate::clock::system_time;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use seatlock_protocol::UnixTime;
use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use tokio::sync::Notify;
use x509_cert::{Certificate, der::Decode as _};

/// How long before its end a certificate is warned of.
const WARN: u64 = 14 * 86_400;

/// Why a certificate and its key can not be used. Never holds what is in the key file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can not be read.
    #[error("{}: {}", path.display(), crate::files::in_words(path, error))]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// There is no certificate in the file.
    #[error("{0}: there is no certificate in PEM in it")]
    NoCertificate(PathBuf),
    /// There is no private key in the file.
    #[error("{0}: there is no private key in PEM in it")]
    NoKey(PathBuf),
    /// They can not be used, or not together.
    #[error("the certificate {certificate} and the key {key} can not be used together: {error}")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        error: rustls::Error,
    },
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
    /// Reads both files. A certificate that has ended is taken all the same: clients say so, and whoever looks finds the server.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let current = RwLock::new(Pair::read(&certificate, &key)?);
        Ok(Self { certificate, key, current, wanted: Notify::new() })
    }

    /// Reads both files again. Connections that are open keep what they have; so does everybody if the new pair is not sound.
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

    /// When the certificate in use ends, if it ends so soon, or has ended, that somebody should know.
    #[must_use]
    pub fn ends_soon(&self) -> Option<UnixTime> {
        Some(self.not_after()).filter(|end| *end < system_time().plus(WARN))
    }

    /// Refuses a certificate that has ended.
    ///
    /// # Errors
    /// [`TlsError::Expired`].
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
        let no_certificate = || TlsError::NoCertificate(certificate.to_owned());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(certificate)?).collect();
        let chain = chain.map_err(|_| no_certificate())?;
        let own = chain.first().ok_or_else(no_certificate)?;
        let not_after = Certificate::from_der(own).map_err(|_| no_certificate())?;
        let not_after = not_after.tbs_certificate().validity().not_after.to_unix_duration().as_secs();
        let private = zeroize::Zeroizing::new(read(key)?);
        let private = PrivateKeyDer::from_pem_slice(&private).map_err(|_| TlsError::NoKey(key.to_owned()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
        let mut config = config.map_err(|error| TlsError::Pair {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            error,
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), not_after: UnixTime::MIN.plus(not_after), seen })
    }

    fn alive(self, certificate: &Path) -> Result<Self, TlsError> {
        if self.not_after > system_time() {
            return Ok(self);
        }
        Err(TlsError::Expired(certificate.to_owned(), crate::rules::date(self.not_after)))
    }
}

fn stamp(certificate: &Path, key: &Path) -> Option<Stamp> {
    let one = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
    };
    Some([one(certificate)?, one(key)?])
}
