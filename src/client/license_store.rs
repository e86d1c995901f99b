use super::snapshot::CredentialDetails;
use crate::license::{
    Binding, Credential, Effect, Input, LeaseState, Reading, Record, RefreshToken, Rules, Sealed, State,
    Submission, step,
};
use crate::machine::{Process, clock::Clock};
use crate::store::{Change, Folder, Holder, Loaded, LockAttempt, StoreError, Uptime};
use crate::words::Phrase;
use seatlock_protocol::{Identity, Token, plain};
use std::io::ErrorKind;
use std::path::PathBuf;
use uuid::Uuid;

/// State and credential of one client, and where they are kept between launches, if the user wants
/// that.
pub(super) struct LicenseStore {
    rules: Rules,
    state: State,
    credential: Option<Credential>,
    /// Whether that was set up beside the plug-in. Then it is never written down.
    provisioned: bool,
    folder: Option<Folder>,
    persistence: Persistence,
    /// What the next save does with the token that is on disk.
    token: TokenOnDisk,
    clock: Clock,
    /// The token whose lease was asked for by a file, and whether it may be kept once that comes.
    asked_for: Option<(Token, bool)>,
    /// Whether what is in memory came from the server or the user and is not on disk yet.
    fresh: bool,
    /// The launch of this process, until it was counted on disk.
    uncounted: Option<Reading>,
    /// Another program held the state when it was read the last time.
    held: bool,
}

/// Whether anything may be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Persistence {
    /// Nothing is there, and the user was not asked here. What another process writes is taken
    /// over.
    Undecided,
    /// The next save writes for the first time; it is tried again with every save while there are
    /// no means to write.
    Due,
    /// The user chose to use the token for future sessions.
    OnDisk,
    /// The user chose not to, or the disk cannot.
    InMemory,
}

/// What becomes of the token that is on disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenOnDisk {
    /// It stays what it is.
    Stays,
    /// The one in use takes its place, whichever it is: somebody has just submitted it.
    Submitted,
    /// The sign-in in use, which has a new refresh token, takes its own place.
    Rotated,
    /// It goes, with every lease of its seat.
    Goes,
}

/// What was wrong with the stored files, to be told to the host.
pub(super) enum LoadWarning {
    /// A file cannot be read and will be set aside when the next one is written.
    Corrupt(PathBuf),
    /// A file or folder cannot be used.
    Store(StoreError),
}

impl LoadWarning {
    /// What there was too little of to read what is stored.
    pub(super) fn scarce(&self) -> Option<Phrase> {
        match self {
            Self::Store(error) => error.scarce(),
            Self::Corrupt(_) => None,
        }
    }
}

impl LicenseStore {
    /// Reads what is stored, without writing anything. What cannot be read is a warning, never a
    /// failure.
    ///
    /// A `provisioned` credential comes before the remembered one. When they differ, what is
    /// remembered stays as it is, and the license of the provisioned one lives in memory.
    pub(super) fn open(
        rules: Rules,
        folder: Option<Folder>,
        provisioned: Option<Credential>,
        install_id: Uuid,
        clock: Clock,
    ) -> (Self, Vec<LoadWarning>) {
        let mut warnings = Vec::new();
        let loaded = folder.as_ref().map_or(Ok(Loaded::Nothing), Folder::load::<Record>);
        if let Ok(Loaded::Previous { corrupt: path, .. } | Loaded::Corrupt { path }) = &loaded {
            warnings.push(LoadWarning::Corrupt(path.clone()));
        }
        let held = matches!(&loaded, Err(error) if error.is_held());
        let record = loaded.map_err(|error| warnings.push(LoadWarning::Store(error))).ok();
        let record = record.and_then(Loaded::usable);
        let remembered = match (&folder, &record) {
            (Some(folder), Some(record)) => remembered(folder, record)
                .map_err(|error| warnings.push(LoadWarning::Store(error)))
                .ok()
                .flatten(),
            _ => None,
        };
        let (persistence, record) = match (&remembered, &provisioned) {
            (Some(remembered), Some(provisioned)) if !remembered.is_same(provisioned) => {
                (Persistence::InMemory, None)
            }
            _ if record.is_some() => (Persistence::OnDisk, record),
            _ => (Persistence::Undecided, None),
        };
        let (provisioned, credential) = (provisioned.is_some(), provisioned.or(remembered));
        let binding = binding(&rules, credential.as_ref());
        let state = match record {
            Some(record) => State::from_record(record, &rules.trust, &binding),
            None => State::new(install_id, &binding),
        };
        let store = Self {
            rules,
            state,
            credential,
            provisioned,
            folder,
            persistence,
            token: TokenOnDisk::Stays,
            clock,
            asked_for: None,
            fresh: false,
            uncounted: None,
            held,
        };
        (store, warnings)
    }

    /// What is known.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Whether it is worth looking at the disk again in a moment: another program held the state.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// What does not change.
    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is shown to the server.
    pub(super) fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// What a host is told of it.
    pub(super) fn credential_details(&self) -> Option<CredentialDetails> {
        self.credential.as_ref().map(|credential| CredentialDetails {
            kind: credential.kind(),
            remembered: !self.provisioned && self.persistence == Persistence::OnDisk,
            provisioned: self.provisioned,
            subject: credential.identity().map(|identity| plain(&identity.subject).into_owned()),
        })
    }

    /// What an input leads to. Nothing has changed yet.
    pub(super) fn step(&self, input: Input<'_>) -> (State, Vec<Effect>) {
        step(&self.state, input, self.clock.read(), &self.rules)
    }

    /// Counts a launch and moves remembered time; written only if there is a lease to protect.
    /// Files that were copied from another computer stay as they are.
    pub(super) fn launch(&mut self) -> Result<(), StoreError> {
        let reading = self.clock.read();
        let (state, _) = step(&self.state, Input::Launched, reading, &self.rules);
        (self.state, self.uncounted) = (state, Some(reading));
        if matches!(self.state.license, LeaseState::Lease(_)) { self.save() } else { Ok(()) }
    }

    /// Takes the state that a step has led to, and answers the one before it. It still has to be
    /// saved.
    pub(super) fn take(&mut self, state: State) -> State {
        self.fresh |= state.license != self.state.license || state.requested != self.state.requested;
        std::mem::replace(&mut self.state, state)
    }

    /// Takes over what other processes of this installation have stored meanwhile: a newer lease,
    /// another token or refresh token, or that everything was forgotten.
    pub(super) fn refresh(&mut self) {
        let shares = matches!(self.persistence, Persistence::Undecided | Persistence::OnDisk);
        let Some(folder) = self.folder.as_ref().filter(|_| shares) else { return };
        let loaded = folder.load::<Record>();
        self.held = matches!(&loaded, Err(error) if error.is_held());
        let (record, whole) = match loaded {
            Ok(Loaded::Current(record)) => (record, true),
            Ok(Loaded::Previous { state, .. }) => (state, false),
            Ok(Loaded::Nothing) => {
                // Forgetting leaves the folder. Without it a disk went away, which costs no license.
                if self.persistence == Persistence::OnDisk && folder.exists() {
                    self.start_anew(self.state.install_id);
                }
                return;
            }
            // What is known here still holds.
            Ok(Loaded::Corrupt { .. }) | Err(_) => return,
        };
        let Ok(remembered) = remembered(folder, &record) else { return };
        let same = match &remembered {
            // Nobody else's token takes the place of the one that was set up for this process.
            Some(other) if self.provisioned && !self.acts_as(other) => return,
            _ if self.provisioned => true,
            Some(other) => self.acts_as(other),
            None => self.credential.is_none(),
        };
        let keeps_its_own = self.provisioned || same && self.token == TokenOnDisk::Rotated;
        let credential = if keeps_its_own { self.credential.clone() } else { remembered };
        if same
            && whole
            && self.credential == credential
            && self.state.is_stored_as(&record, &self.rules.trust.product)
        {
            return;
        }
        self.credential = credential;
        let stored = self.verified(record);
        if same {
            let license = stored.license.clone();
            self.state = self.merged(stored);
            self.fresh &= self.state.license != license;
        } else {
            self.state = match (&stored.license, &self.state.license) {
                // Another product of the family was given another token. The lease for the one before goes on
                // until the next ping, which asks with the new one.
                (LeaseState::Unusable { jws, .. }, LeaseState::Lease(lease)) if *jws == lease.jws => {
                    let (license, pacing) = (self.state.license.clone(), Default::default());
                    State { anchor: self.state.anchor, license, pacing, ..stored }
                }
                _ => State { anchor: self.state.anchor, ..stored },
            };
        }
        self.persistence = Persistence::OnDisk;
    }

    fn verified(&self, record: Record) -> State {
        State::from_record(record, &self.rules.trust, &binding(&self.rules, self.credential.as_ref()))
    }

    /// Takes the turn to ask the server, or tells that another process of this installation has it.
    /// `None` when nothing is kept here that another process could ask with.
    pub(super) fn try_lock_requests(&self) -> Option<LockAttempt> {
        let folder = self.folder.as_ref().filter(|_| self.persistence == Persistence::OnDisk)?;
        let (reading, Process { id: process, space }) = (self.clock.read(), Process::current());
        let is_gone = |holder: Holder| Process { id: holder.process, space: holder.space }.is_gone();
        let now = Uptime { boot: reading.boot, seconds: reading.since_boot };
        folder.try_lock_requests(now, Holder { process, space }, is_gone)
    }

    /// Writes state and token, once, unless nothing may be written. Never undoes what another
    /// process has stored.
    pub(super) fn save(&mut self) -> Result<(), StoreError> {
        let writes = matches!(self.persistence, Persistence::OnDisk | Persistence::Due);
        let Some(folder) = self.folder.as_ref().filter(|_| writes) else { return Ok(()) };
        // Made anew, it would lie below a mount point, or hide that another process was told to forget.
        let saved =
            self.has_its_disk(folder).and_then(|()| folder.update(|loaded| self.next(folder, loaded)));
        match saved.and_then(|merged| merged) {
            Ok(Some(merged)) => {
                if self.token == TokenOnDisk::Goes {
                    self.credential = None;
                }
                (self.state, self.fresh, self.uncounted) = (merged, false, None);
                (self.persistence, self.token) = (Persistence::OnDisk, TokenOnDisk::Stays);
                Ok(())
            }
            // While this process waited for the server, another one was given another token, or told to
            // forget.
            Ok(None) => {
                self.token = TokenOnDisk::Stays;
                self.refresh();
                Ok(())
            }
            Err(error) => {
                // Where nothing can be written the license lives in memory.
                if self.persistence == Persistence::Due && error.scarce().is_none() {
                    self.persistence =
                        if self.provisioned { Persistence::Undecided } else { Persistence::InMemory };
                }
                Err(error)
            }
        }
    }

    /// What takes the place of what is `loaded`, and the state that it leads to here; `None` when
    /// this process was overtaken.
    fn next(
        &self,
        folder: &Folder,
        loaded: Loaded<Record>,
    ) -> (Change<Record>, Result<Option<State>, StoreError>) {
        let lost = matches!(loaded, Loaded::Corrupt { .. });
        let stored = loaded.usable();
        let there = stored.as_ref().map_or(Ok(None), |record| remembered(folder, record));
        let overtaken = match &there {
            _ if self.credential.is_none() || self.token == TokenOnDisk::Submitted || lost => false,
            Ok(Some(other)) => !self.acts_as(other),
            Ok(None) => !self.provisioned,
            Err(_) => false,
        };
        if overtaken {
            return (Change::Nothing, Ok(None));
        }
        let merged = match stored.clone() {
            Some(record) => self.merged(self.counted(self.verified(record))),
            None => self.state.clone(),
        };
        let mut record = merged.to_record(&self.rules.trust.product).beside(stored);
        match (self.token, &self.credential) {
            (TokenOnDisk::Goes, Some(used)) => {
                used.hash().into_iter().for_each(|token| record.give_back(token));
            }
            (TokenOnDisk::Submitted | TokenOnDisk::Rotated, Some(credential)) => {
                match folder.seal(credential) {
                    Ok(sealed) => record.token = Some(sealed),
                    Err(error) => return (Change::Nothing, Err(error)),
                }
            }
            (TokenOnDisk::Stays, Some(credential)) if lost && !self.provisioned => {
                record.token = folder.seal(credential).ok();
            }
            _ => {}
        }
        // What was before holds the lease that a verdict took away, or a token that is not to come back.
        let ends = matches!(merged.license, LeaseState::Dropped(_) | LeaseState::HandedBack(_));
        let only = ends
            || match self.token {
                TokenOnDisk::Stays => false,
                TokenOnDisk::Submitted => {
                    there.is_ok_and(|there| there.is_some() && there != self.credential)
                }
                TokenOnDisk::Rotated | TokenOnDisk::Goes => true,
            };
        (if only { Change::Only(record) } else { Change::Next(record) }, Ok(Some(merged)))
    }

    /// Whether something waits to be kept until there are means to write it.
    pub(super) fn owes(&self) -> bool {
        self.persistence == Persistence::Due
    }

    /// What is stored, with the launch of this process. Only under the lock is nobody else's lost
    /// who starts at the same time.
    fn counted(&self, stored: State) -> State {
        let Some(reading) = self.uncounted else { return stored };
        let launches = stored.launches.launched(stored.time(reading).now);
        State { launches, ..stored }
    }

    /// What is known here and what is stored. Of two leases of the same second the stored one is
    /// the later, unless the one in memory has just come: only the holder of the turn gets one.
    fn merged(&self, stored: State) -> State {
        let (mine, reading, install_id) = (self.state.clone(), self.clock.read(), stored.install_id);
        let merged = if self.fresh {
            mine.merged_with(stored, reading)
        } else {
            State { anchor: mine.anchor, ..stored }.merged_with(mine, reading)
        };
        State { install_id, ..merged }
    }

    /// Whether leases for `other` are leases for the credential in use.
    fn acts_as(&self, other: &Credential) -> bool {
        self.credential.as_ref().is_some_and(|credential| credential.is_same(other))
    }

    /// Makes the credential that was shown the one in use. One that a person wants to be remembered
    /// is written with the next save; of one that they do not, nothing stays on disk. What was
    /// set up beside the plug-in is never written, but its license is kept, so that a machine
    /// that is started again needs no network.
    pub(super) fn adopt(
        &mut self,
        credential: Option<Credential>,
        submission: Submission,
    ) -> Result<(), StoreError> {
        let done = match (submission, &self.folder) {
            (Submission::Nobody, _) => return Ok(()),
            (Submission::Provisioned, folder) => {
                if folder.is_some() && self.persistence == Persistence::Undecided {
                    self.persistence = Persistence::Due;
                }
                return Ok(());
            }
            (Submission::Person { remember: true }, Some(_)) => {
                // Of a token that is remembered already the license stays on disk, even if that is busy at
                // this moment: one in memory beside it would be a copy of the installation.
                let known = self.persistence == Persistence::OnDisk && !self.provisioned;
                if !known || self.credential != credential {
                    self.persistence = Persistence::Due;
                }
                self.token = TokenOnDisk::Submitted;
                Ok(())
            }
            (Submission::Person { remember }, folder) => {
                self.persistence = Persistence::InMemory;
                match folder {
                    Some(folder) => folder.erase(),
                    None if remember => Err(StoreError::NoHome),
                    None => Ok(()),
                }
            }
        };
        (self.credential, self.provisioned, self.asked_for) = (credential, false, None);
        done
    }

    /// Remembers with which token a lease is asked for by a file, and whether it may be kept. Its
    /// sealed form goes with the request.
    pub(super) fn ask_for(&mut self, token: &Token, remember: bool) -> Result<Option<Sealed>, StoreError> {
        self.asked_for = Some((token.clone(), remember));
        if !remember {
            return Ok(None);
        }
        let folder = self.folder.as_ref().ok_or(StoreError::NoHome)?;
        if self.persistence == Persistence::Undecided {
            self.persistence = Persistence::Due;
        }
        folder.seal(&Credential::Token(token.clone())).map(Some)
    }

    /// The token that waits for a lease, and whether it may be kept.
    pub(super) fn waiting_token(&self) -> Option<(Token, bool)> {
        let requested = self.state.requested.as_ref()?;
        let stored = || {
            let Credential::Token(token) = self.folder.as_ref()?.unseal(requested.sealed.as_ref()?).ok()?
            else {
                return None;
            };
            Some((token, true))
        };
        self.asked_for.clone().or_else(stored).filter(|(token, _)| token.hash() == requested.token)
    }

    /// Whether the credential in use was set up beside the plug-in, and nothing is known of it yet.
    pub(super) fn has_unused_token(&self) -> bool {
        let known = match &self.state.license {
            LeaseState::Lease(lease) => Some(lease.claims.tkh),
            LeaseState::Dropped(verdict) => Some(verdict.claims.tkh),
            LeaseState::HandedBack(given) => Some(given.token),
            LeaseState::Missing | LeaseState::Awaited | LeaseState::Unusable { .. } => None,
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

    /// Takes the refresh token that comes after the one that was used, or `None` when there is no
    /// more. Kept before anything is done with the access token that came along, because the
    /// one before it is worth nothing now.
    pub(super) fn rotate(&mut self, next: Option<RefreshToken>) -> Result<(), StoreError> {
        let Some(Credential::Person(sign_in)) = &mut self.credential else { return Ok(()) };
        sign_in.refresh = next;
        if self.token == TokenOnDisk::Stays && !self.provisioned {
            self.token = TokenOnDisk::Rotated;
        }
        let done = self.save();
        if done.as_ref().is_err_and(|error| error.scarce().is_some()) {
            // The one on disk is worth nothing any more, and showing it again would look like theft.
            self.persistence = Persistence::Due;
        }
        done
    }

    /// Whether what is kept of the license could be taken from the disk.
    pub(super) fn can_give_up(&self) -> Result<(), StoreError> {
        match (&self.folder, &self.credential) {
            (Some(folder), Some(used)) if self.is_on_disk(used)? => folder.check_replaceable(),
            _ => Ok(()),
        }
    }

    /// Sees to it that a license which was given up is not on disk any more: where nothing can be
    /// written, because the disk is full, everything is taken away. Not what failed decides,
    /// but what lies there in the end.
    pub(super) fn give_up(&mut self) -> Result<(), StoreError> {
        let used = self.credential.clone();
        self.token = TokenOnDisk::Goes;
        let saved = self.save();
        if let (Some(used), Some(folder)) = (&used, &self.folder)
            && self.is_on_disk(used)?
        {
            folder.erase().map_err(|error| saved.err().unwrap_or(error))?;
        }
        (self.credential, self.token) = (None, TokenOnDisk::Stays);
        Ok(())
    }

    /// As [`give_up`](Self::give_up), before anybody was told: what cannot be taken away is as it
    /// was `before`.
    pub(super) fn hand_back(&mut self, before: Option<State>) -> Result<(), StoreError> {
        self.token = TokenOnDisk::Goes;
        if let Err(error) = self.can_give_up().and_then(|()| self.save()) {
            before.into_iter().for_each(|before| self.state = before);
            self.token = TokenOnDisk::Stays;
            return Err(error);
        }
        (self.credential, self.token) = (None, TokenOnDisk::Stays);
        Ok(())
    }

    /// Whether token or lease of `used` lie on disk. Beside a token of somebody else its lease
    /// counts for nobody.
    fn is_on_disk(&self, used: &Credential) -> Result<bool, StoreError> {
        let Some(folder) = &self.folder else { return Ok(false) };
        self.has_its_disk(folder)?;
        let binding = binding(&self.rules, None);
        for record in folder.generations::<Record>()? {
            let is_its = match remembered(folder, &record)? {
                Some(kept) => kept.is_same(used),
                None => match State::from_record(record, &self.rules.trust, &binding).license {
                    LeaseState::Lease(lease) => used.hash().is_none_or(|used| used == lease.claims.tkh),
                    _ => false,
                },
            };
            if is_its {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A folder that was there and is not any more went away with its disk, and what is in it comes
    /// back.
    fn has_its_disk(&self, folder: &Folder) -> Result<(), StoreError> {
        if self.persistence != Persistence::OnDisk || folder.exists() {
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
        (self.persistence, self.token, self.asked_for) = (Persistence::Undecided, TokenOnDisk::Stays, None);
        self.state = State::new(install_id, &binding(&self.rules, None));
    }
}

fn remembered(folder: &Folder, record: &Record) -> Result<Option<Credential>, StoreError> {
    record.token.as_ref().map(|sealed| folder.unseal(sealed)).transpose()
}

fn binding(rules: &Rules, credential: Option<&Credential>) -> Binding {
    Binding { machine: rules.machine.clone(), token: credential.and_then(Credential::hash) }
}
