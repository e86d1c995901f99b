//! What support needs to know of a client, and no secret: no token, no e-mail address, no name of a
//! person. It is plain text, a name and a value on each line, because it travels by mail and is
//! read by people.

use super::journal::Recent;
use super::options::{Options, Required};
use super::snapshot::{CredentialDetails, Snapshot};
use super::worker::Caller;
use crate::license::{CredentialKind, LockState, Reading, Record, Standing};
use crate::machine::MachineIdentity;
use crate::store::{FileState, Folder, Loaded};
use crate::words::timestamp;
use seatlock_protocol::{MachineSource, UnixTime, address::spelled, plain};
use std::collections::VecDeque;

/// Lines of names and values.
pub(super) struct Report(String);

impl Report {
    /// What does not change while a client is open.
    pub(super) fn about(
        options: &Options,
        required: &Required,
        identity: &MachineIdentity,
        caller: &Caller,
        oidc_issuer: Option<&str>,
    ) -> Self {
        let client = &caller.client;
        let plugin = caller.plugin.as_ref();
        let version = plugin.and_then(|plugin| plugin.version.as_deref());
        let source = match identity.source {
            MachineSource::Os => "the operating system's",
            MachineSource::Supplied => "supplied",
        };
        let trust = &required.trust;
        Self(String::new())
            .row("library", &client.lib)
            .row("system", &[&client.os, " ", &client.arch].concat())
            .row("product", &trust.product)
            .row("family", &required.family)
            .row("plug-in", version.unwrap_or("-"))
            .moment("plug-in released", plugin.and_then(|plugin| plugin.released))
            .row("host", &[&client.host, " ", &client.host_version].concat())
            .row("machine", identity.id.as_str())
            .row("machine id is", source)
            .row("server", spelled(&required.server))
            .row("license issuer", &trust.issuer)
            .row("sign-in issuer", oidc_issuer.unwrap_or("-"))
            .row("renews by itself", yes_or_no(options.auto_renew))
    }

    /// Names and values.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.lines().filter_map(|line| line.split_once(": "))
    }

    /// The whole of it, as it is at `reading`.
    pub(super) fn of(
        about: &Self,
        snapshot: &Snapshot,
        recent: &Recent,
        folder: Option<&Folder>,
        network: bool,
        reading: Reading,
    ) -> String {
        let Standing { lock_state, reason, valid_until, .. } = snapshot.standing(reading.since_boot);
        let state = match lock_state {
            LockState::Unlocked => "unlocked",
            LockState::Grace => "grace",
            LockState::Locked => "locked",
        };
        let believed = snapshot.terms.now(reading.since_boot);
        let offset = reading.wall.map(|wall| wall.seconds().saturating_sub(believed.seconds()).to_string());
        let report = Self("seatlock report\n\n".to_owned() + &about.0)
            .row("network", if network { "allowed" } else { "off" })
            .row("proxy", &recent.proxy)
            .row("own certificate authorities", &recent.authorities.to_string())
            .row("token", kept(snapshot.credential.as_ref()))
            .gap()
            .row("status", &[state, ", ", reason.name()].concat())
            .row("seat", snapshot.seat.as_deref().unwrap_or("-"))
            .moment("lease signed", snapshot.issued_at)
            .moment("lease ends", snapshot.terms.lease_end().or(valid_until))
            .moment("next try", snapshot.terms.next_try)
            .moment("last signed answer", snapshot.terms.confirmed_at)
            .gap()
            .moment("clock of the computer", reading.wall)
            .moment("time that counts", Some(believed))
            .row("clock ahead by seconds", offset.as_deref().unwrap_or("-"))
            .moment("latest time seen", Some(snapshot.high_water))
            .row("clock finding", snapshot.anomaly.map_or("none", |anomaly| anomaly.name()))
            .gap();
        let report = match folder {
            Some(folder) => report.files(folder),
            None => report.row("state folder", "-"),
        };
        report.lines("answers", &recent.answers).lines("what else happened", &recent.others).0
    }

    /// What is kept on disk, and how the files lie there.
    fn files(self, folder: &Folder) -> Self {
        let state = match folder.load::<Record>() {
            Ok(Loaded::Nothing) => "none",
            Ok(Loaded::Current(_)) => "whole",
            Ok(Loaded::Previous { .. }) => "damaged, but for the one before",
            Ok(Loaded::Corrupt { .. }) => "damaged",
            Err(error) => error.message().phrase.id,
        };
        let report = self.row("state folder", &folder.path().display().to_string()).row("state", state);
        folder.files().into_iter().fold(report, |report, FileState { name, size, written_at, fault }| {
            let said = match (size, written_at.map(timestamp), fault) {
                (Some(size), Some(written), _) => [&size.to_string(), " bytes, ", &written].concat(),
                (_, _, fault) => fault.map_or("-", |phrase| phrase.id).to_owned(),
            };
            report.row(&["  ", &name].concat(), &said)
        })
    }

    fn gap(mut self) -> Self {
        self.0.push('\n');
        self
    }

    /// A value on one line.
    fn row(mut self, name: &str, value: &str) -> Self {
        for part in [name, ": ", &plain(value), "\n"] {
            self.0.push_str(part);
        }
        self
    }

    fn moment(self, name: &str, time: Option<UnixTime>) -> Self {
        let time = time.filter(|time| *time > UnixTime::MIN);
        self.row(name, &time.map_or_else(|| "-".to_owned(), timestamp))
    }

    fn lines(mut self, name: &str, lines: &VecDeque<String>) -> Self {
        for part in ["\n", name, ":\n"].into_iter().chain(lines.iter().flat_map(|line| [line.as_str(), "\n"]))
        {
            self.0.push_str(part);
        }
        self
    }
}

/// Which credential is in use, and where it is kept.
fn kept(credential: Option<&CredentialDetails>) -> &'static str {
    let Some(CredentialDetails { kind, remembered, provisioned, .. }) = credential else { return "none" };
    match (kind, provisioned, remembered) {
        (CredentialKind::Machine, ..) => "client secret, set up beside the plug-in",
        (_, true, _) => "token, set up beside the plug-in",
        (CredentialKind::Token, _, true) => "token, remembered",
        (CredentialKind::Token, ..) => "token, in memory",
        (CredentialKind::Person, _, true) => "sign-in, remembered",
        (CredentialKind::Person, ..) => "sign-in, in memory",
    }
}

fn yes_or_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}
