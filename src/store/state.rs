use super::{
    Folder, StoreError,
    file::{self, Content, Kind},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

/// What the state files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded<T> {
    /// There is no state.
    Nothing,
    /// The newest state.
    Current(T),
    /// The newest file is unusable; this is the state before it.
    Previous {
        /// The previous generation.
        state: T,
        /// The unusable file: where it lies, or in [`Folder::update`] where it was set aside.
        corrupt: PathBuf,
    },
    /// No generation is usable.
    Corrupt {
        /// The unusable file, as above.
        path: PathBuf,
    },
}

impl<T> Loaded<T> {
    /// The newest state that can be used.
    pub fn usable(self) -> Option<T> {
        match self {
            Self::Current(state) | Self::Previous { state, .. } => Some(state),
            Self::Nothing | Self::Corrupt { .. } => None,
        }
    }
}

/// What becomes of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays.
    Nothing,
    /// This one takes its place, and the one before it is kept.
    Next(T),
    /// This one takes its place, and nothing of what was before stays on disk.
    Only(T),
}

/// The layout of the state file. A reader of an older library leaves a higher number alone.
const FORMAT: u64 = 1;
/// Some fifty times what a product needs; above it a file is not ours.
pub(super) const LIMIT: u64 = 256 * 1024;
/// No write takes as long, so a temporary file of this age has lost its process.
const ABANDONED: Duration = Duration::from_secs(3600);
/// Begins the name of a file that was set aside.
const ASIDE: &str = "state.corrupt-";
/// Room for what is written, because a buffer that grows leaves copies of the token behind.
const ROOM: usize = 32 * 1024;

#[derive(Serialize, Deserialize)]
struct Document<T> {
    format: u64,
    state: T,
}

#[derive(Deserialize)]
struct Header {
    format: u64,
}

/// One state file.
enum Generation<T> {
    Absent,
    Good(T),
    Unusable,
}

impl Folder {
    pub(super) const STATE: &'static str = "state.json";
    pub(super) const PREVIOUS: &'static str = "state.previous.json";

    /// Reads the newest usable state. Takes no lock, writes nothing, and in the usual case costs
    /// one open and one read, so the host's thread may call it.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] or [`StoreError::NewerFormat`]. A damaged file is no error but a
    /// kind of [`Loaded`].
    pub fn load<T: DeserializeOwned>(&self) -> Result<Loaded<T>, StoreError> {
        let newest = self.path.join(Self::STATE);
        let previous = self.path.join(Self::PREVIOUS);
        Ok(match generation(&newest)? {
            Generation::Good(state) => Loaded::Current(state),
            // Without a newest file the previous one is the newest: the other was set aside, and nothing
            // saved since.
            Generation::Absent => match generation(&previous)? {
                Generation::Good(state) => Loaded::Current(state),
                Generation::Absent => Loaded::Nothing,
                Generation::Unusable => Loaded::Corrupt { path: previous },
            },
            Generation::Unusable => match generation(&previous)? {
                Generation::Good(state) => Loaded::Previous { state, corrupt: newest },
                Generation::Absent | Generation::Unusable => Loaded::Corrupt { path: newest },
            },
        })
    }

    /// Every usable generation, the newest first.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn generations<T: DeserializeOwned>(&self) -> Result<Vec<T>, StoreError> {
        let mut usable = Vec::new();
        for name in [Self::STATE, Self::PREVIOUS] {
            if let Generation::Good(state) = generation(&self.path.join(name))? {
                usable.push(state);
            }
        }
        Ok(usable)
    }

    /// Changes the state under the lock: sets unusable files aside, hands what is left to `change`,
    /// and saves what it answers. The second part of the answer is passed through. `change`
    /// must be quick, since other processes wait for the lock meanwhile, and must not change
    /// this folder.
    ///
    /// # Errors
    /// As [`load`](Self::load); [`StoreError::Busy`] after two seconds; [`StoreError::Unwritable`]
    /// when the folder, the lock or the new state cannot be written. The state on disk is then
    /// the one from before, though `change` may have run.
    pub fn update<T: Serialize + DeserializeOwned, R>(
        &self,
        change: impl FnOnce(Loaded<T>) -> (Change<T>, R),
    ) -> Result<R, StoreError> {
        let _lock = self.lock()?;
        let loaded = match self.load::<T>()? {
            Loaded::Previous { state, corrupt } => {
                let aside =
                    self.set_aside(&corrupt).map_err(|error| StoreError::unwritable(&corrupt, error))?;
                Loaded::Previous { state, corrupt: aside }
            }
            Loaded::Corrupt { path } => {
                let unwritable = |error| StoreError::unwritable(&path, error);
                let aside = self.set_aside(&path).map_err(unwritable)?;
                // The previous generation, if any, is no better, and a later save would overwrite it.
                let previous = self.path.join(Self::PREVIOUS);
                if fs::symlink_metadata(&previous).is_ok() {
                    self.set_aside(&previous).map_err(unwritable)?;
                }
                Loaded::Corrupt { path: aside }
            }
            usable => usable,
        };
        let (changed, answer) = change(loaded);
        match changed {
            Change::Nothing => {}
            Change::Next(state) => self.save(&state, ABANDONED, |newest| self.keep_previous(newest))?,
            Change::Only(state) => self.save(&state, Duration::ZERO, |newest| self.remove_others(newest))?,
        }
        Ok(answer)
    }

    fn save<T: Serialize>(
        &self,
        state: &T,
        abandoned: Duration,
        before: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let path = self.path.join(Self::STATE);
        let unwritable = |error| StoreError::unwritable(&path, error);
        let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
        serde_json::to_writer(&mut *bytes, &Document { format: FORMAT, state })
            .map_err(|error| unwritable(error.into()))?;
        if bytes.len() as u64 > LIMIT {
            return Err(unwritable(io::ErrorKind::FileTooLarge.into()));
        }
        file::sweep(&self.path, Kind::State, abandoned);
        file::replace(&path, Kind::State, &bytes, || before(&path)).map_err(unwritable)
    }

    /// Everything that may hold a token or a lease, the newest state last.
    pub(super) fn generations_and_leftovers(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(&self.path).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let aside = names.filter(|name| name.to_str().is_some_and(|name| name.starts_with(ASIDE)));
        // What was never a file of ours is not ours to remove.
        let is_ours = |path: &PathBuf| {
            fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LIMIT)
        };
        let files = aside.map(|name| self.path.join(name)).filter(is_ours);
        files.chain([Self::PREVIOUS, Self::STATE].map(|name| self.path.join(name))).collect()
    }

    fn remove_others(&self, newest: &Path) -> io::Result<()> {
        let others = self.generations_and_leftovers().into_iter().filter(|path| path != newest);
        others.into_iter().try_for_each(|path| file::remove(&path))
    }

    /// Gives the newest file, which is usable or absent here, a second name. It keeps its first one
    /// until the new state takes it, so there is a usable generation at every instant.
    fn keep_previous(&self, newest: &Path) -> io::Result<()> {
        if fs::symlink_metadata(newest).is_err() {
            return Ok(());
        }
        let previous = self.path.join(Self::PREVIOUS);
        match fs::symlink_metadata(&previous) {
            Ok(metadata) if metadata.is_file() => file::remove(&previous)?,
            // Not a file, so not ours to delete.
            Ok(_) => drop(self.set_aside(&previous)?),
            Err(_) => {}
        }
        fs::hard_link(newest, &previous).or_else(|error| match file::read(newest, LIMIT)? {
            // FAT and some network file systems have no hard links.
            Content::Bytes(bytes) => file::replace(&previous, Kind::State, &bytes, || Ok(())),
            Content::Absent | Content::Foreign => Err(error),
        })
    }

    /// Renames an unusable file, whatever it is, to `state.corrupt-<Unix seconds>.json`.
    fn set_aside(&self, path: &Path) -> io::Result<PathBuf> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        // A name that is taken, by a file of the same second or by a clock set back, must not be
        // overwritten.
        let aside = (now..)
            .map(|seconds| self.path.join(format!("{ASIDE}{seconds}.json")))
            .find(|aside| fs::symlink_metadata(aside).is_err())
            .ok_or(io::ErrorKind::AlreadyExists)?;
        file::patiently(file::MANY, || fs::rename(path, &aside))?;
        file::sync_folder(&self.path);
        Ok(aside)
    }
}

fn generation<T: DeserializeOwned>(path: &Path) -> Result<Generation<T>, StoreError> {
    match file::read(path, LIMIT).map_err(|error| StoreError::unreadable(path, error))? {
        Content::Absent => Ok(Generation::Absent),
        Content::Foreign => Ok(Generation::Unusable),
        Content::Bytes(bytes) => match serde_json::from_slice(&bytes) {
            Ok(Document { format: FORMAT, state }) => Ok(Generation::Good(state)),
            // The state of a newer format may have any shape; only its number is promised.
            _ => match serde_json::from_slice(&bytes) {
                Ok(Header { format }) if format > FORMAT => {
                    Err(StoreError::NewerFormat { path: path.to_owned(), format })
                }
                _ => Ok(Generation::Unusable),
            },
        },
    }
}
