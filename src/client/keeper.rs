use crate::license::{
    Binding, Credential, Input, License, Reading, Record, RefreshToken, Rules, State, step,
};
use crate::machine::{Process, clock::Clock};
use crate::store::{Asker, Folder, Loaded, StoreError, Turn, Uptime};
use crate::words::Phrase;
use seatlock_protocol::{Identity, Token, TokenHash};
use std::io::ErrorKind;
use std::path::PathBuf;
use uuid::Uuid;

/// State and credential of one client, and where they are kept between launches, if the user wants that.
pub(super) struct Keeper {
    pub(super) rules: Rules,
    pub(super) state: State,
    pub(super) credential: Option<Credential>,
    /// Whether that was set up beside the plug-in. Then it is never written down.
    provisioned: bool,
    folder: Option<Folder>,
    keeping: Keeping,
    clock: Clock,
    /// The token whose lease was asked for by a file, and whether it may be kept once that comes.
    asked_for: Option<(Token, bool)>,
    /// Whether the license in memory came from the server and is not on disk yet.
    fresh: bool,
    /// The launch of this process, until it was counted on disk.
    uncounted: Option<Reading>,
}

/// Whether anything may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeping {
    /// Nothing is there, and the user was not asked here. What another process writes is taken over.
    Undecided,
    /// The user chose to use the token for future sessions.
    OnDisk,
    /// The user chose not to, or the disk can not.
    InMemory,
    /// As if the disk could not, because there were no means to write: it is tried again with every save.
    Owed,
}

/// What was wrong with the stored files, to be told to the host.
pub(super) enum Complaint {
    /// A file can not be read and will be set aside when the next one is written.
    Corrupt(PathBuf),
    /// A file or folder can not be used.
    Store(StoreError),
}

impl Complaint {
    /// What there was too little of to read what is stored.
    pub(super) fn scarce(&self) -> Option<Phrase> {
        match self {
            Self::Store(error) => error.scarce(),
            Self::Corrupt(_) => None,
        }
    }
}

impl Keeper {
    /// Reads what is stored, without writing anything. What can not be read is a complaint, never a failure.
    ///
    /// A `provisioned` credential comes before the remembered one. When they differ, what is remembered stays as it is, and
    /// the license of the provisioned one lives in memory.
    pub(super) fn open(
        rules: Rules,
        folder: Option<Folder>,
        provisioned: Option<Credential>,
        install_id: Uuid,
        clock: Clock,
    ) -> (Self, Vec<Complaint>) {
        let mut complaints = Vec::new();
        let remembered = folder.as_ref().and_then(|folder| {
            folder.read_token().map_err(|error| complaints.push(Complaint::Store(error))).ok().flatten()
        });
        let keeping = match (&remembered, &provisioned) {
            (Some(remembered), Some(provisioned)) if !remembered.is_same(provisioned) => Keeping::InMemory,
            (Some(_), _) => Keeping::OnDisk,
            (None, _) => Keeping::Undecided,
        };
        let (provisioned, credential) = (provisioned.is_some(), provisioned.or(remembered));
        let state = State::new(install_id, &binding(&rules, credential.as_ref()));
        let mut keeper = Self {
            rules,
            state,
            credential,
            provisioned,
            folder,
            keeping,
            clock,
            asked_for: None,
            fresh: false,
            uncounted: None,
        };
        if keeping == Keeping::InMemory {
            return (keeper, complaints);
        }
        match keeper.folder.as_ref().map(Folder::load) {
            Some(Ok(loaded)) => {
                if let Loaded::Previous { corrupt: path, .. } | Loaded::Corrupt { path } = &loaded {
                    complaints.push(Complaint::Corrupt(path.clone()));
                }
                if let Some(stored) = keeper.verify(loaded) {
                    keeper.state = stored;
                    keeper.keeping = Keeping::OnDisk;
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
                &binding(&self.rules, self.credential.as_ref()),
            )),
            Loaded::Nothing | Loaded::Corrupt { .. } => None,
        }
    }

    /// Counts a launch and moves remembered time; written only if there is a lease to protect. Files that were copied
    /// from another computer stay as they are.
    pub(super) fn launch(&mut self, reading: Reading) -> Result<(), StoreError> {
        let (state, _) = step(&self.state, Input::Launched, reading, &self.rules);
        (self.state, self.uncounted) = (state, Some(reading));
        if matches!(self.state.license, License::Lease(_)) { self.save() } else { Ok(()) }
    }

    /// Takes over what other processes of this installation have stored meanwhile: a newer lease, another token or
    /// refresh token, or that everything was forgotten.
    pub(super) fn refresh(&mut self) {
        let shares = matches!(self.keeping, Keeping::Undecided | Keeping::OnDisk);
        let Some(folder) = self.folder.as_ref().filter(|_| shares) else { return };
        let (Ok(remembered), Ok(loaded)) = (folder.read_token(), folder.load()) else { return };
        let nothing = remembered.is_none() && matches!(loaded, Loaded::Nothing);
        let credential = match remembered {
            // Nobody else's token takes the place of the one that was set up for this process.
            Some(other) if self.provisioned && !self.acts_as(&other) => return,
            _ if self.provisioned => self.credential.clone(),
            remembered => remembered,
        };
        if nothing {
            // Forgetting leaves the folder. Without it a disk went away, which costs no license.
            if self.keeping == Keeping::OnDisk && folder.exists() {
                self.start_anew(self.state.install_id);
            }
            return;
        }
        let same = match &credential {
            Some(credential) => self.provisioned || self.acts_as(credential),
            None => self.credential.is_none(),
        };
        if same
            && self.credential == credential
            && matches!(&loaded, Loaded::Current(record) if self.state.is_stored_as(record))
        {
            return;
        }
        let before = std::mem::replace(&mut self.credential, credential);
        match self.verify(loaded) {
            Some(stored) if same => {
                let license = stored.license.clone();
                self.state = self.merged(stored);
                self.fresh &= self.state.license != license;
            }
            // Another process is between its two writes, or the file is damaged: what is known here still holds.
            None | Some(State { license: License::Unusable { .. }, .. }) if same => return,
            None | Some(State { license: License::Unusable { .. }, .. }) => return self.credential = before,
            Some(stored) => self.state = State { anchor: self.state.anchor, ..stored },
        }
        self.keeping = Keeping::OnDisk;
    }

    /// Takes the turn to ask the server, or tells that another process of this installation has it. `None` when nothing
    /// is kept here that another process could ask with.
    pub(super) fn take_turn(&self, reading: Reading) -> Option<Turn> {
        let folder = self.folder.as_ref().filter(|_| self.keeping == Keeping::OnDisk)?;
        let Process { id: process, space } = Process::current();
        let is_gone = |asker: Asker| Process { id: asker.process, space: asker.space }.is_gone();
        let now = Uptime { boot: reading.boot, seconds: reading.since_boot };
        folder.take_turn(now, Asker { process, space }, is_gone)
    }

    /// Writes the state, unless nothing may be written. Never undoes what another process has stored.
    pub(super) fn save(&mut self) -> Result<(), StoreError> {
        self.begin_keeping()?;
        let Some(folder) = self.folder.as_ref().filter(|_| self.keeping == Keeping::OnDisk) else {
            return Ok(());
        };
        // Made anew, it would lie below a mount point, or hide that another process was told to forget.
        self.has_its_disk(folder)?;
        let merged = folder.update(|loaded| {
            let overtaken = |remembered: Option<Credential>| match remembered {
                None => !self.provisioned,
                Some(remembered) => !self.acts_as(&remembered),
            };
            if self.credential.is_some() && folder.read_token().is_ok_and(overtaken) {
                return (None, None);
            }
            let merged = match self.verify(loaded) {
                Some(stored) => self.merged(self.counted(stored)),
                None => self.state.clone(),
            };
            (Some(merged.to_record()), Some(merged))
        })?;
        match merged {
            Some(merged) => {
                // The generation before a verdict holds the lease that it took away.
                let done = match merged.license {
                    License::Dropped(_) | License::HandedBack(_) => folder.remove_previous(),
                    _ => Ok(()),
                };
                (self.state, self.fresh, self.uncounted) = (merged, false, None);
                done
            }
            // While this process waited for the server, another one was given another token, or told to forget.
            None => {
                self.refresh();
                Ok(())
            }
        }
    }

    /// Whether something waits to be kept until there are means to write it.
    pub(super) fn owes(&self) -> bool {
        self.keeping == Keeping::Owed
    }

    /// Does what there were no means for when the credential was adopted.
    fn begin_keeping(&mut self) -> Result<(), StoreError> {
        match (&self.folder, &self.credential) {
            _ if !self.owes() => return Ok(()),
            (Some(folder), Some(_)) if self.provisioned => folder.create()?,
            (Some(folder), Some(credential)) => folder.write_token(credential)?,
            _ => return Ok(()),
        }
        (self.keeping, self.fresh) = (Keeping::OnDisk, true);
        Ok(())
    }

    /// Takes the state that an answer of the server has led to. It still has to be saved.
    pub(super) fn answered(&mut self, state: State) {
        self.fresh |= state.license != self.state.license;
        self.state = state;
    }

    /// What is stored, with the launch of this process. Only under the lock is nobody else's lost who starts at the same time.
    fn counted(&self, stored: State) -> State {
        let Some(reading) = self.uncounted else { return stored };
        let launches = stored.launches.launched(stored.time(reading).now);
        State { launches, ..stored }
    }

    /// What is known here and what is stored. Of two leases of the same second the stored one is the later, unless the one
    /// in memory has just come: only the holder of the turn gets one.
    fn merged(&self, stored: State) -> State {
        let (mine, reading) = (self.state.clone(), self.clock.read());
        if self.fresh {
            mine.merged_with(stored, reading)
        } else {
            State { anchor: mine.anchor, ..stored }.merged_with(mine, reading)
        }
    }

    /// Whether leases for `other` are leases for the credential in use.
    pub(super) fn acts_as(&self, other: &Credential) -> bool {
        self.credential.as_ref().is_some_and(|credential| credential.is_same(other))
    }

    /// Makes `credential` the one in use. With `remember` it is written down; without, nothing stays on disk.
    pub(super) fn adopt(&mut self, credential: Credential, remember: bool) -> Result<(), StoreError> {
        let done = match &self.folder {
            // Written once more it could fail, for a folder that is busy at this moment, and this process would go on with
            // a license in memory beside the one on disk: two copies of one installation.
            Some(folder)
                if remember && folder.read_token().is_ok_and(|kept| kept.as_ref() == Some(&credential)) =>
            {
                Ok(())
            }
            Some(folder) if remember => folder.write_token(&credential),
            Some(folder) => folder.erase(),
            None if remember => Err(StoreError::NoHome),
            None => Ok(()),
        };
        (self.credential, self.provisioned) = (Some(credential), false);
        // Where the token can not be written nothing is: the license then lives in memory.
        self.keeping = match &done {
            Ok(()) if remember => Keeping::OnDisk,
            Err(error) if remember && error.scarce().is_some() => Keeping::Owed,
            _ => Keeping::InMemory,
        };
        done
    }

    /// Keeps the license of the provisioned token, so that a machine that is started again needs no network. The token
    /// itself is never written.
    pub(super) fn adopt_provisioned(&mut self) -> Result<(), StoreError> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.keeping == Keeping::Undecided) else {
            return Ok(());
        };
        let done = folder.create();
        match &done {
            Ok(()) => self.keeping = Keeping::OnDisk,
            Err(error) if error.scarce().is_some() => self.keeping = Keeping::Owed,
            Err(_) => {}
        }
        done
    }

    /// Takes a state that has asked for a lease by a file. With `remember` request and token wait on disk, else in memory.
    pub(super) fn requested(&mut self, state: State, token: Token, remember: bool) -> Result<(), StoreError> {
        self.state = state;
        self.fresh = true;
        self.asked_for = Some((token.clone(), remember));
        let Some(folder) = self.folder.as_ref().filter(|_| remember) else {
            return if remember { Err(StoreError::NoHome) } else { Ok(()) };
        };
        folder.write_requested_token(&token)?;
        if self.keeping == Keeping::Undecided {
            self.keeping = Keeping::OnDisk;
        }
        self.save()
    }

    /// The token that waits for a lease, and whether it may be kept.
    pub(super) fn waiting_token(&self, wanted: TokenHash) -> Option<(Token, bool)> {
        let stored = || Some((self.folder.as_ref()?.read_requested_token().ok()??, true));
        self.asked_for.clone().or_else(stored).filter(|(token, _)| token.hash() == wanted)
    }

    /// Takes a state whose lease came by a file; the token that waited for it is now the one in use.
    pub(super) fn adopt_requested(
        &mut self,
        state: State,
        token: Token,
        remember: bool,
    ) -> Result<(), StoreError> {
        self.asked_for = None;
        self.answered(state);
        let adopted = self.adopt(Credential::Token(token), remember);
        let removed = self.folder.as_ref().map_or(Ok(()), Folder::remove_requested_token);
        adopted.and(removed).and(self.save())
    }

    /// Whether the credential in use was set up beside the plug-in, and nothing is known of it yet.
    pub(super) fn has_unused_token(&self) -> bool {
        let known = match &self.state.license {
            License::Lease(lease) => Some(lease.claims.tkh),
            License::Dropped(verdict) => Some(verdict.claims.tkh),
            License::HandedBack(given) => Some(given.token),
            License::Missing | License::Awaited | License::Unusable { .. } => None,
        };
        let used = self.credential.as_ref().and_then(Credential::hash);
        self.provisioned && (known.is_none() || known != used)
    }

    /// What the machine is called by its issuer, now that it has signed in.
    pub(super) fn is_machine(&mut self, identity: Identity) {
        if let Some(Credential::Machine(known)) = &mut self.credential {
            *known = Some(identity);
        }
    }

    /// Takes the refresh token that comes after the one that was used, or `None` when there is no more. Kept before
    /// anything is done with the access token that came along, because the one before it is worth nothing now.
    pub(super) fn rotate(&mut self, next: Option<RefreshToken>) -> Result<(), StoreError> {
        let Some(Credential::Person(sign_in)) = &mut self.credential else { return Ok(()) };
        sign_in.refresh = next;
        let rotated = Credential::Person(sign_in.clone());
        let done = match self.folder.as_ref().filter(|_| self.keeping == Keeping::OnDisk) {
            // Another process may have signed in as somebody else, or out.
            Some(folder) => folder.read_token().and_then(|kept| {
                if kept.is_some_and(|kept| kept.is_same(&rotated)) {
                    folder.write_token(&rotated)
                } else {
                    Ok(())
                }
            }),
            None => Ok(()),
        };
        if done.as_ref().is_err_and(|error| error.scarce().is_some()) {
            // The one on disk is worth nothing any more, and showing it again would look like theft.
            self.keeping = Keeping::Owed;
        }
        done
    }

    /// Forgets the token, after the seat was given back. A token that another process has remembered since stays.
    fn forget_token(&mut self) -> Result<(), StoreError> {
        if let (Some(used), Some(folder)) = (&self.credential, &self.folder) {
            let is_others = |stored: Credential| !stored.is_same(used);
            if !folder.read_token().is_ok_and(|stored| stored.is_some_and(is_others)) {
                folder.remove_token()?;
            }
        }
        self.credential = None;
        Ok(())
    }

    /// Whether what is kept of the license could be taken from the disk.
    pub(super) fn can_give_up(&self) -> Result<(), StoreError> {
        match (&self.folder, &self.credential) {
            (Some(folder), Some(used)) if self.is_on_disk(used)? => folder.check_replaceable(),
            _ => Ok(()),
        }
    }

    /// Sees to it that a license which was given up is not on disk any more: where nothing can be written, because the disk
    /// is full, everything is taken away. Not what failed decides, but what lies there in the end.
    pub(super) fn give_up(&mut self) -> Result<(), StoreError> {
        let used = self.credential.clone();
        let (saved, forgotten) = (self.save(), self.forget_token());
        if let (Some(used), Some(folder)) = (&used, &self.folder)
            && self.is_on_disk(used)?
        {
            folder.erase().map_err(|error| saved.and(forgotten).err().unwrap_or(error))?;
        }
        self.credential = None;
        Ok(())
    }

    /// Takes a state in which the lease was given up, to be confirmed by a file, once that is on disk; again, as long as
    /// something is left there.
    pub(super) fn hand_back(&mut self, state: State) -> Result<(), StoreError> {
        self.can_give_up()?;
        let before = (self.state.clone(), self.fresh);
        self.answered(state);
        if let Err(error) = self.save() {
            (self.state, self.fresh) = before;
            return Err(error);
        }
        self.forget_token()
    }

    /// Whether token or lease of `used` lie on disk. Beside a token of somebody else its lease counts for nobody.
    fn is_on_disk(&self, used: &Credential) -> Result<bool, StoreError> {
        let Some(folder) = &self.folder else { return Ok(false) };
        self.has_its_disk(folder)?;
        if let Some(kept) = folder.read_token()? {
            return Ok(kept.is_same(used));
        }
        let binding = binding(&self.rules, None);
        let is_its = |record: Record| match State::from_record(record, &self.rules.trust, &binding).license {
            License::Lease(lease) => used.hash().is_none_or(|used| used == lease.claims.tkh),
            _ => false,
        };
        Ok(folder.generations()?.into_iter().any(is_its))
    }

    /// A folder that was there and is not any more went away with its disk, and what is in it comes back.
    fn has_its_disk(&self, folder: &Folder) -> Result<(), StoreError> {
        if self.keeping != Keeping::OnDisk || folder.exists() {
            return Ok(());
        }
        let (path, source) = (folder.path().to_owned(), ErrorKind::NotFound.into());
        Err(StoreError::Unwritable { path, source })
    }

    /// Forgets everything, on disk and then here: while it is kept, the license goes on.
    pub(super) fn forget_all(&mut self, install_id: Uuid) -> Result<(), StoreError> {
        if let Some(folder) = &self.folder {
            self.has_its_disk(folder)?;
            folder.erase()?;
        }
        self.start_anew(install_id);
        Ok(())
    }

    fn start_anew(&mut self, install_id: Uuid) {
        (self.credential, self.provisioned, self.fresh, self.uncounted) = (None, false, false, None);
        self.keeping = Keeping::Undecided;
        self.state = State::new(install_id, &binding(&self.rules, None));
    }
}

fn binding(rules: &Rules, credential: Option<&Credential>) -> Binding {
    Binding { machine: rules.machine.clone(), token: credential.and_then(Credential::hash) }
}
