use crate::license::{Binding, Input, License, Reading, Record, Rules, State, step};
use crate::store::{Folder, Loaded, StoreError};
use seatlock_protocol::Token;
use std::path::PathBuf;
use uuid::Uuid;

/// State and token of one client, and where they are kept between launches, if the user wants that.
pub(super) struct Keeper {
    pub(super) rules: Rules,
    pub(super) state: State,
    pub(super) token: Option<Token>,
    folder: Option<Folder>,
    /// Whether anything may be written: the user chose to use the token for future sessions.
    persistent: bool,
}

/// What was wrong with the stored files, to be told to the host.
pub(super) enum Complaint {
    /// A file can not be read and will be set aside when the next one is written.
    Corrupt(PathBuf),
    /// A file or folder can not be used.
    Store(StoreError),
}

impl Keeper {
    /// Reads what is stored, without writing anything. What can not be read is a complaint, never a failure.
    pub(super) fn open(rules: Rules, folder: Option<Folder>, install_id: Uuid) -> (Self, Vec<Complaint>) {
        let mut complaints = Vec::new();
        let token = folder.as_ref().and_then(|folder| {
            folder.read_token().map_err(|error| complaints.push(Complaint::Store(error))).ok().flatten()
        });
        let state = State::new(install_id, &binding(&rules, token.as_ref()));
        let mut keeper = Self { rules, state, persistent: token.is_some(), token, folder };
        match keeper.folder.as_ref().map(Folder::load) {
            Some(Ok(loaded)) => {
                if let Loaded::Previous { corrupt: path, .. } | Loaded::Corrupt { path } = &loaded {
                    complaints.push(Complaint::Corrupt(path.clone()));
                }
                if let Some(stored) = keeper.verify(loaded) {
                    keeper.state = stored;
                    keeper.persistent = true;
                }
            }
            Some(Err(error)) => complaints.push(Complaint::Store(error)),
            None => {}
        }
        (keeper, complaints)
    }

    fn verify(&self, loaded: Loaded<Record>) -> Option<State> {
        match loaded {
            Loaded::Current(record) | Loaded::Previous { state: record, .. } => Some(State::from_record(
                record,
                &self.rules.trust,
                &binding(&self.rules, self.token.as_ref()),
            )),
            Loaded::Nothing | Loaded::Corrupt { .. } => None,
        }
    }

    /// Counts a launch and moves remembered time; written only if there is a lease to protect. Files that were copied
    /// from another computer stay as they are.
    pub(super) fn launch(&mut self, reading: Reading) -> Result<(), StoreError> {
        let (state, _) = step(&self.state, Input::Launched, reading, &self.rules);
        self.state = state;
        if matches!(self.state.license, License::Lease(_)) { self.save() } else { Ok(()) }
    }

    /// Takes over what other processes of this installation have stored meanwhile: a newer lease, another token, or
    /// that everything was forgotten.
    pub(super) fn refresh(&mut self) {
        let Some(folder) = self.folder.as_ref().filter(|_| self.persistent) else { return };
        let (Ok(token), Ok(loaded)) = (folder.read_token(), folder.load()) else { return };
        let same_token = self.token == token;
        if same_token && matches!(&loaded, Loaded::Current(record) if self.state.is_stored_as(record)) {
            return;
        }
        self.token = token;
        match self.verify(loaded) {
            Some(stored) if same_token => self.state = self.state.clone().merged_with(stored),
            Some(stored) => self.state = State { anchor: self.state.anchor, ..stored },
            None if self.token.is_none() => self.start_anew(self.state.install_id),
            None => {}
        }
    }

    /// Writes the state, unless nothing may be written. Never undoes what another process has stored.
    pub(super) fn save(&mut self) -> Result<(), StoreError> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.persistent) else { return Ok(()) };
        let mine = self.state.clone();
        self.state = folder.update(|loaded| {
            let merged = match self.verify(loaded) {
                Some(stored) => mine.merged_with(stored),
                None => mine,
            };
            (Some(merged.to_record()), merged)
        })?;
        Ok(())
    }

    /// Makes `token` the token in use. With `remember` it is written down; without, nothing stays on disk.
    pub(super) fn adopt(&mut self, token: Token, remember: bool) -> Result<(), StoreError> {
        let done = match &self.folder {
            Some(folder) if remember => folder.write_token(&token),
            Some(folder) => folder.erase(),
            None if remember => Err(StoreError::NoHome),
            None => Ok(()),
        };
        self.token = Some(token);
        // Where the token can not be written nothing is: the license then lives in memory.
        self.persistent = remember && done.is_ok();
        done
    }

    /// Forgets the token, after the seat was given back.
    pub(super) fn forget_token(&mut self) -> Result<(), StoreError> {
        self.token = None;
        self.folder.as_ref().map_or(Ok(()), Folder::remove_token)
    }

    /// Forgets everything, here and on disk.
    pub(super) fn forget_all(&mut self, install_id: Uuid) -> Result<(), StoreError> {
        self.start_anew(install_id);
        self.folder.as_ref().map_or(Ok(()), Folder::erase)
    }

    fn start_anew(&mut self, install_id: Uuid) {
        self.token = None;
        self.persistent = false;
        self.state = State::new(install_id, &binding(&self.rules, None));
    }
}

fn binding(rules: &Rules, token: Option<&Token>) -> Binding {
    Binding { machine: rules.machine.clone(), token: token.map(Token::hash) }
}
