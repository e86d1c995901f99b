use super::Worker;
use crate::client::Consent;
use crate::license::{
    AirgapRequest, Credential, HandedBack, Input, LeaseState, Outcome, SentRequest, Signed, SignedObject,
    Submission,
};
use crate::scarcity::reason;
use crate::store::{read_chosen_file, write_chosen_file};
use crate::words::{Message, Phrase};
use seatlock_protocol::{
    Code, Nonce, Token, TokenHash,
    api::{Have, Intent, SeatCall, SeatRequest},
    edited::EditedError,
    file::{AirgapFile, FileCall, FileError, LeaseFile, MAX_FILE, RequestFile},
};
use std::path::Path;

/// What machines without a network do by files that a person carries. Nothing here waits, or sends
/// anything.
impl Worker {
    /// Asks for a lease by a file. Changes no license: that is for the file that comes back.
    pub(super) fn airgap_request(&mut self, token: &Token, consent: Consent, path: &Path) -> Outcome {
        let Ok(request) = self.new_request(SeatCall::Airgap, token.hash(), Intent::Launch) else {
            return Outcome::of(Code::Internal);
        };
        let nonce = request.nonce;
        // The secret proves nothing here, and files get lost.
        let request = SeatRequest { renewal: None, ..request };
        let written = self.write(path, FileCall::Lease, token.hash(), request);
        if written.code == Code::Ok {
            let sealed = self.store.ask_for(token, consent.remember).unwrap_or_else(|error| {
                self.note(Err(error));
                None
            });
            let requested = AirgapRequest { nonce, token: token.hash(), sealed };
            self.carry_out(self.store.step(Input::Requested(requested)), None);
        }
        written
    }

    /// Takes the lease of a file, if it answers the request that was made here last.
    pub(super) fn airgap_import(&mut self, path: &Path) -> Outcome {
        let bytes = match read_chosen_file(path, MAX_FILE) {
            Ok(bytes) => bytes,
            Err(error) => return unusable(path, reason(&error)),
        };
        let LeaseFile { lease, renewal, keyset } = match LeaseFile::parse(&bytes) {
            Ok(file) => file,
            Err(error) => return unusable(path, fault(&error)),
        };
        let signed = Signed {
            object: SignedObject::Lease(lease),
            key_set: keyset,
            renewal: Some(renewal),
            http_status: 0,
        };
        let (token, waiting) = self.store.waiting_token().unzip();
        let decided = self.store.step(Input::Imported { signed: &signed, waiting });
        let mut outcome = self.carry_out(decided, token.map(Credential::Token));
        if outcome.code == Code::FileUnusable {
            outcome.params.insert("path".to_owned(), path.display().to_string());
        }
        outcome
    }

    /// Gives the lease up, and then writes the file that confirms it; again as often as it is asked
    /// for.
    pub(super) fn airgap_release(&mut self, path: &Path) -> Outcome {
        // While the disk still has the lease, confirming that it is gone would not be true.
        let outcome = self.carry_out(self.store.step(Input::HandedBack), None);
        if outcome.code != Code::Ok {
            return outcome;
        }
        let LeaseState::HandedBack(given) = self.store.state().license.clone() else {
            return Outcome::of(Code::NoToken); // another process has taken a lease meanwhile
        };
        let HandedBack { epoch, jti, token, renewal, .. } = *given;
        match self.new_request(SeatCall::Release, token, Intent::Renew) {
            Ok(request) => {
                let have = Some(Have { jti: Some(jti), epoch, lease: None });
                let request = SeatRequest { have, renewal, ..request };
                self.write(path, FileCall::Release, token, request)
            }
            Err(code) => Outcome::of(code),
        }
    }

    fn new_request(&self, call: SeatCall, token: TokenHash, intent: Intent) -> Result<SeatRequest, Code> {
        let mut nonce = [0; Nonce::LEN];
        getrandom::fill(&mut nonce).map_err(|_| Code::Internal)?;
        let asked = SentRequest { call, nonce: Nonce::new(nonce), token, submission: Submission::Nobody };
        Ok(self.request(&asked, intent))
    }

    fn write(&self, path: &Path, call: FileCall, token_hash: TokenHash, request: SeatRequest) -> Outcome {
        let issuer = self.store.rules().trust.issuer.clone();
        let file = RequestFile { call, issuer, token_hash, request };
        let written = file.to_bytes().map_err(Into::into).and_then(|bytes| write_chosen_file(path, &bytes));
        match written {
            Ok(()) => Outcome::of(Code::Ok),
            Err(error) => unusable(path, reason(&error)),
        }
    }
}

fn unusable(path: &Path, reason: Message) -> Outcome {
    let message = Message::from(Code::FileUnusable).because("reason", reason).with("path", path.display());
    Outcome { params: message.values, ..Outcome::of(Code::FileUnusable) }
}

/// What is wrong with a file.
fn fault(error: &FileError) -> Message {
    let at = |phrase: Phrase, line, column| Message::from(phrase).with("line", line).with("column", column);
    match *error {
        FileError::TooLarge => Phrase::FILE_TOO_LARGE.into(),
        FileError::OtherFormat(format) => Message::from(Phrase::FILE_OTHER_FORMAT).with("format", format),
        FileError::Newer(version) => Message::from(Phrase::FILE_NEWER).with("version", version),
        FileError::Unreadable(EditedError::Utf16) => Phrase::FILE_UTF16.into(),
        FileError::Unreadable(EditedError::Empty) => Phrase::FILE_EMPTY.into(),
        FileError::Unreadable(EditedError::NotUtf8(line)) => {
            Message::from(Phrase::FILE_NOT_UTF8).with("line", line)
        }
        FileError::Unreadable(EditedError::MoreLines(line)) => at(Phrase::FILE_GOES_ON, line, 1),
        FileError::Unreadable(EditedError::GoesOn { line, column }) => at(Phrase::FILE_GOES_ON, line, column),
        FileError::Unreadable(EditedError::NotJson { line, column }) => {
            at(Phrase::FILE_NOT_JSON, line, column)
        }
        FileError::Unreadable(EditedError::OtherShape { line, column })
        | FileError::Damaged { line, column } => at(Phrase::FILE_DAMAGED, line, column),
    }
}
