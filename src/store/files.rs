use super::{Folder, file};
use crate::scarcity::reason;
use crate::words::Phrase;
use seatlock_protocol::UnixTime;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file of the folder as it lies there, for people who help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Its name.
    pub name: String,
    /// In bytes.
    pub size: Option<u64>,
    /// When it was written last.
    pub written_at: Option<UnixTime>,
    /// Why it cannot be read.
    pub fault: Option<Phrase>,
}

impl Folder {
    /// The files that are kept here, those that are not there too, and those that were set aside.
    /// Opens each and reads none.
    #[must_use]
    pub fn files(&self) -> Vec<FileState> {
        let kept = [Self::STATE, Self::PREVIOUS, Self::LOCK, Self::ASKING].map(|name| self.path.join(name));
        let aside = self.generations_and_leftovers().into_iter().filter(|path| !kept.contains(path));
        kept.iter().cloned().chain(aside).map(looked_at).collect()
    }
}

fn looked_at(path: PathBuf) -> FileState {
    let opened = file::open_options().read(true).open(&path).and_then(|opened| opened.metadata());
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match opened {
        Ok(metadata) => {
            let written_at = metadata.modified().ok().and_then(unix_time);
            FileState { name, size: Some(metadata.len()), written_at, fault: None }
        }
        Err(error) => FileState { name, size: None, written_at: None, fault: Some(reason(&error).phrase) },
    }
}

fn unix_time(time: SystemTime) -> Option<UnixTime> {
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok().and_then(UnixTime::new)
}
