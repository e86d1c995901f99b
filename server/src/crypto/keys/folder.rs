use crate::system::files;
use crate::system::postgres_address::PostgresAddress;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use seatlock_protocol::{
    KeyError, SigningKey,
    edited::{self, EditedError},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Why a file of the data folder could not be used. Never holds what is in it.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file could not be read or written.
    #[error("{}: {}", path.display(), files::in_words(path, error))]
    Io {
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The file is there, but it is not what it should be.
    #[error("{0} is not a key file of this server")]
    NotAKey(PathBuf),
    /// An editor has saved the file in another encoding.
    #[error("{path}: {error}")]
    Encoding { path: PathBuf, error: EditedError },
    /// The key itself is not usable.
    #[error("{path}: {error}")]
    Key {
        path: PathBuf,
        /// What is wrong with the key.
        error: KeyError,
    },
    /// The operating system's random source failed.
    #[error("the operating system gives no random numbers")]
    Random(#[from] getrandom::Error),
}

impl FolderError {
    /// What is the matter with the file, for people who may not know where it is.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Io { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                "this server is not allowed to read it"
            }
            Self::Io { .. } | Self::Random(_) => "it cannot be read",
            Self::NotAKey(_) | Self::Encoding { .. } | Self::Key { .. } => "it is damaged",
        }
    }
}

/// A private key as a JWK (RFC 8037, section 2).
#[derive(Serialize, Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    d: Zeroizing<String>,
}

/// The one folder in which a server keeps its database and its secrets.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf, Option<PostgresAddress>);

impl DataFolder {
    /// Names a folder; nothing is touched.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path, None)
    }

    /// The same, with its database elsewhere.
    #[must_use]
    pub fn with_postgres(self, address: Option<PostgresAddress>) -> Self {
        Self(self.0, address)
    }

    /// Where the database is, unless it is in the folder.
    #[must_use]
    pub fn postgres(&self) -> Option<&PostgresAddress> {
        self.1.as_ref()
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.0.join("seatlock.db")
    }

    /// Where the root key is written unless another place is named: beside the folder, so that no
    /// backup of it has both. `None` when the folder has no name of its own.
    #[must_use]
    pub fn root_key_beside(&self) -> Option<PathBuf> {
        let mut name = self.0.file_name()?.to_owned();
        name.push("-root-key.json");
        Some(self.0.with_file_name(name))
    }

    /// A file of this folder with the private half of the key `kid`. A root key has no business
    /// here.
    #[must_use]
    pub fn holds_key(&self, kid: &str) -> Option<PathBuf> {
        let folders = [self.0.clone(), self.lease_keys()];
        let entries = folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten();
        let mut files =
            entries.map(|entry| entry.path()).filter(|path| path.extension() == Some("json".as_ref()));
        files.find(|path| read_key(path).is_ok_and(|key| key.kid() == kid))
    }

    fn pepper_file(&self) -> PathBuf {
        self.0.join("pepper")
    }

    /// The folder of the lease keys.
    #[must_use]
    pub fn lease_keys(&self) -> PathBuf {
        self.0.join("lease-keys")
    }

    /// Makes the folder, for its owner only, unless it is there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self) -> Result<(), FolderError> {
        for path in [self.0.clone(), self.lease_keys()] {
            files::create_folder(&path).map_err(|error| FolderError::Io { path, error })?;
        }
        Ok(())
    }

    /// Whether a server was set up here, completely or not.
    ///
    /// # Errors
    /// When the folder is somebody else's.
    pub fn is_taken(&self) -> Result<bool, FolderError> {
        let there = |path: PathBuf| files::is_there(&path).map_err(|error| FolderError::Io { path, error });
        Ok(there(self.database())? || there(self.pepper_file())?)
    }

    /// Whether there is a pepper, readable or not.
    #[must_use]
    pub fn has_pepper(&self) -> bool {
        self.pepper_file().exists()
    }

    /// Takes a pepper away with which nothing was made yet.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_pepper(&self) -> Result<(), FolderError> {
        let path = self.pepper_file();
        std::fs::remove_file(&path).map_err(|error| FolderError::Io { path, error })
    }

    /// Makes the pepper.
    ///
    /// # Errors
    /// When it is there already, or cannot be written.
    pub fn create_pepper(&self) -> Result<(), FolderError> {
        let pepper: Zeroizing<[u8; 32]> = random()?;
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*pepper));
        write_secret(&self.pepper_file(), text.as_bytes(), files::create)
    }

    /// Reads the pepper.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn pepper(&self) -> Result<Zeroizing<[u8; 32]>, FolderError> {
        let path = self.pepper_file();
        let text = read(&path)?;
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).map(Zeroizing::new);
        let bytes = bytes.ok().and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        bytes.map(Zeroizing::new).ok_or(FolderError::NotAKey(path))
    }

    /// The files of the lease keys.
    #[must_use]
    pub fn lease_key_files(&self) -> Vec<PathBuf> {
        self.lease_keys().read_dir().into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }

    /// Writes a lease key's file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_lease_key(&self, key: &NewKey) -> Result<(), FolderError> {
        let path = self.lease_key_file(key.key.kid());
        write_secret(&path, &key.jwk(&path)?, files::create)
    }

    /// Reads the lease key with this name; `None` when this server does not have it.
    ///
    /// # Errors
    /// When the file is there and not readable, or nobody can say whether it is there.
    pub fn lease_key(&self, kid: &str) -> Result<Option<SigningKey>, FolderError> {
        match read_key(&self.lease_key_file(kid)) {
            Err(FolderError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// Takes a lease key away that no key set names yet.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_lease_key(&self, kid: &str) -> Result<(), FolderError> {
        let path = self.lease_key_file(kid);
        std::fs::remove_file(&path).map_err(|error| FolderError::Io { path, error })
    }

    /// A `kid` is a thumbprint in base64url, so it is a file name as it is.
    fn lease_key_file(&self, kid: &str) -> PathBuf {
        self.lease_keys().join(format!("{kid}.json"))
    }
}

/// A value that only this pepper gives, and that gives nothing of it away.
#[must_use]
pub fn pepper_check(pepper: &[u8; 32]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, pepper), b"seatlock-pepper-check-v1\0");
    let mut check = [0; 32];
    check.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    check
}

/// A new key together with the seed that its file needs.
pub struct NewKey {
    seed: Zeroizing<[u8; 32]>,
    pub key: SigningKey,
}

/// Makes an Ed25519 key from the operating system's random source.
///
/// # Errors
/// When the random source fails.
pub fn new_key() -> Result<NewKey, FolderError> {
    let seed = random()?;
    let key = SigningKey::from_seed(&*seed)
        .map_err(|error| FolderError::Key { path: PathBuf::from("new key"), error })?;
    Ok(NewKey { seed, key })
}

impl NewKey {
    /// Writes the key as a JWK, readable only by the user who runs this. Never overwrites.
    ///
    /// # Errors
    /// When the file is there already, or cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), FolderError> {
        write_secret(path, &self.jwk(path)?, files::create_own)
    }

    fn jwk(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>, FolderError> {
        let jwk = Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: self.key.kid().to_owned(),
            x: self.key.public().jwk_x(),
            d: Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.seed)),
        };
        let json = serde_json::to_vec_pretty(&jwk).map(Zeroizing::new);
        json.map_err(|_| FolderError::NotAKey(path.to_owned()))
    }
}

/// Reads a JWK with its private half.
///
/// # Errors
/// When the file is missing or is no such key.
pub fn read_key(path: &Path) -> Result<SigningKey, FolderError> {
    let bytes = std::fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| FolderError::Io { path: path.to_owned(), error })?;
    let jwk: Jwk = edited::object(&bytes).map_err(|error| match error {
        EditedError::Utf16 | EditedError::NotUtf8(_) => {
            FolderError::Encoding { path: path.to_owned(), error }
        }
        _ => FolderError::NotAKey(path.to_owned()),
    })?;
    let key =
        SigningKey::from_jwk_d(&jwk.d).map_err(|error| FolderError::Key { path: path.to_owned(), error })?;
    if key.public().jwk_x() == jwk.x { Ok(key) } else { Err(FolderError::NotAKey(path.to_owned())) }
}

/// Bytes of the operating system's random source.
///
/// # Errors
/// When the source fails.
pub fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, FolderError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes)?;
    Ok(bytes)
}

fn read(path: &Path) -> Result<Zeroizing<String>, FolderError> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    text.map_err(|error| FolderError::Io { path: path.to_owned(), error })
}

fn write_secret(path: &Path, bytes: &[u8], create: fn(&Path) -> io::Result<File>) -> Result<(), FolderError> {
    let write = || -> io::Result<()> {
        let mut file = create(path)?;
        // A key that signed must not be lost with the folder's entry of it.
        let written = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| File::open(files::place_of(path))?.sync_all());
        // Half of a key is in the way of the next try.
        written.inspect_err(|_| drop(std::fs::remove_file(path)))
    };
    write().map_err(|error| FolderError::Io { path: path.to_owned(), error })
}
