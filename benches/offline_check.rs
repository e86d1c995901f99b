//! What a check without the network costs once the files are in memory: read, verify, decide.

/// The library, its hosts, and the table.
mod support;

use anyhow::{Result, ensure};
use seatlock::license::{Binding, LockState, Record, Rules, State, StatusInputs, Trust};
use seatlock::machine::{clock::Clock, seal};
use seatlock::protocol::PublicKey;
use seatlock::store::{Folder, Loaded, Seal};
use std::path::Path;
use std::process::ExitCode;
use support::host::{Computer, Host, Pinned};
use support::lease::{StoredLease, signing_key};
use xtask::server::{Running, Setup};

/// At most this many times the signatures that have to be verified.
const LIMIT: f64 = 2.0;
const RUNS: usize = 201;
const CALLS: u32 = 20;

/// One client: its file and whom it believes.
struct Checked {
    host: Host,
    folder: Folder,
    rules: Rules,
    binding: Binding,
}

impl Checked {
    fn new(computer: &Computer, calls: &Path) -> Result<Self> {
        let product = Setup::default().product;
        let identity = seatlock::machine_identity(&product, Some(&computer.machine()))?;
        let mut host = Host::start(computer, calls)?;
        host.tell("remember")?;
        let seal = Seal { protect: seal::protect, unprotect: seal::unprotect };
        let (root_keys, lease_keys) = match computer.pinned {
            Pinned::Root => (vec![PublicKey::from_jwk_x(computer.server.root_key())?], Vec::new()),
            Pinned::Lease(key) => (Vec::new(), vec![PublicKey::from_jwk_x(key)?]),
        };
        let folder = Folder::new(&computer.state_folder(), &product, &identity.id, seal);
        let issuer = computer.server.issuer().to_owned();
        let trust = Trust { issuer, product, root_keys, lease_keys };
        let rules = Rules { trust, machine: identity.id.clone(), released: None };
        Ok(Self { host, folder, rules, binding: Binding { machine: identity.id, token: None } })
    }

    /// What `seatlock_client_open` does with the file, and `seatlock_client_status` with the
    /// result.
    fn check(&self) -> Result<()> {
        let Loaded::Current(record) = self.read()? else { anyhow::bail!("no state") };
        let token = record.token.as_ref().map(|sealed| self.folder.unseal(sealed)).transpose()?;
        let binding = Binding { token: token.and_then(|token| token.hash()), ..self.binding.clone() };
        let state = State::from_record(record, &self.rules.trust, &binding);
        let reading = Clock::default().read();
        let terms = StatusInputs::of(&state, &self.rules, reading);
        let standing = terms.at(terms.now(reading.since_boot));
        ensure!(standing.lock_state == LockState::Unlocked, "{:?}", standing.reason);
        Ok(())
    }

    /// The same again in a process that has verified these very texts: what the worker does before
    /// each request.
    fn check_again(&self, known: &State) -> Result<()> {
        let Loaded::Current(record) = self.read()? else { anyhow::bail!("no state") };
        ensure!(known.is_stored_as(&record, &self.rules.trust.product), "the file has changed");
        Ok(())
    }

    fn known(&self) -> Result<State> {
        let Loaded::Current(record) = self.read()? else { anyhow::bail!("no state") };
        Ok(State::from_record(record, &self.rules.trust, &self.binding))
    }

    fn read(&self) -> Result<Loaded<Record>> {
        Ok(self.folder.load()?)
    }
}

fn main() -> Result<ExitCode> {
    let (folder, server) = (support::folder()?, Running::start()?);
    let calls = support::program(&folder, "calls", Some(&support::library()?))?;
    let key = signing_key(&server)?;
    let computer = |name, pinned| Computer { server: &server, name, folder: folder.path(), pinned };
    let mut root = Checked::new(&computer("root", Pinned::Root), &calls)?;
    let mut direct = Checked::new(&computer("direct", Pinned::Lease(&key)), &calls)?;
    let lease = StoredLease::read(&root.folder, &key)?;

    let mut runs: [Vec<f64>; 7] = Default::default();
    for _ in 0..RUNS {
        let known = root.known()?; // each opening of the host writes a launch down
        let figures = [
            support::micros(CALLS, || lease.verify())?,
            support::micros(CALLS, || root.read())?,
            support::micros(CALLS, || direct.check())?,
            support::micros(CALLS, || root.check())?,
            support::micros(CALLS, || root.check_again(&known))?,
            direct.host.tell("open")?,
            root.host.tell("open")?,
        ];
        runs.iter_mut().zip(figures).for_each(|(run, figure)| run.push(figure));
    }
    let [verify, read, one, two, again, open_one, open_two] = runs.map(support::median);
    let verify = verify?;

    let mut table = support::Table::new("offline_check: 201 runs, files in memory");
    table.row("one Ed25519 verification (ring)", verify, "us");
    table.row("reading the file", read?, "us");
    table.limit("a pinned lease key, 1 signature", one?, "us", verify, LIMIT);
    let two = two?;
    table.beside("a pinned root key, 2 signatures", two, "us", verify);
    table.limit("  beside two verifications", two, "us", 2.0 * verify, LIMIT);
    table.limit("  again in the same process", again?, "us", verify, LIMIT);
    table.beside("open and status from C, 1 signature", open_one?, "us", verify);
    table.beside("open and status from C, 2 signatures", open_two?, "us", verify);
    Ok(table.end())
}
