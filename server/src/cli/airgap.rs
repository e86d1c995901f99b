use super::output::Output;
use super::seat::refusal;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use seatlock_protocol::file::{AirgapFile as _, FileCall, MAX_FILE, RequestFile};
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::domain::timestamp;
use seatlock_server::service::airgap::{AirgapError, AirgapOutcome, answer, preview};
use seatlock_server::store::Store;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub(super) enum AirgapCommand {
    /// Answer the request file of a machine by a lease file, which its plug-in imports
    ///
    /// The computer that is shown should be the one whose name the artist reads out: the request
    /// does not prove it.
    Sign {
        #[command(flatten)]
        file: AirgapInput,
        /// Where to write the lease; never overwritten. Default: the request's name with .lease
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Free the seat of a machine by the confirmation file that its plug-in wrote when it gave the
    /// seat back
    Release(#[command(flatten)] AirgapInput),
}

#[derive(Args)]
pub(super) struct AirgapInput {
    /// What the plug-in wrote
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl AirgapCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        match self {
            Self::Sign { file, out } => sign(&store, folder, output, &file, out).await?,
            Self::Release(file) => release(&store, folder, output, &file).await?,
        }
        store.close().await;
        Ok(())
    }
}

async fn sign(
    store: &Store,
    folder: &DataFolder,
    output: Output,
    file: &AirgapInput,
    out: Option<PathBuf>,
) -> anyhow::Result<()> {
    let request = read(&file.path, FileCall::Lease)?;
    let out = out.unwrap_or_else(|| {
        let mut name = file.path.clone().into_os_string();
        name.push(".lease");
        name.into()
    });
    let failed = || format!("no lease was made for {}", file.path.display());
    if file.dry_run {
        let outcome = preview(store, &request).await.map_err(in_words).with_context(failed)?;
        return tell(output, &request, &outcome, "would get a lease; nothing was changed", None);
    }
    // Before the seat is bound: a lease that cannot be written would be lost.
    let mut to =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&out).with_context(|| {
            format!("{}: {} cannot be made. Name a new file with --out", failed(), out.display())
        })?;
    let answered = answer(store, folder, &request).await.map_err(in_words).with_context(failed);
    let written = answered.and_then(|outcome| {
        let lease = outcome.lease.as_ref().context("the server gave no lease")?;
        to.write_all(&lease.to_bytes()?)?;
        to.sync_all()?;
        Ok(outcome)
    });
    let outcome = written.inspect_err(|_| drop(std::fs::remove_file(&out)))?;
    tell(output, &request, &outcome, "has a lease", Some(&out))
}

async fn release(
    store: &Store,
    folder: &DataFolder,
    output: Output,
    file: &AirgapInput,
) -> anyhow::Result<()> {
    let request = read(&file.path, FileCall::Release)?;
    let failed = || format!("no seat was released by {}", file.path.display());
    if file.dry_run {
        let outcome = preview(store, &request).await.map_err(in_words).with_context(failed)?;
        return tell(output, &request, &outcome, "would give its seat back; nothing was changed", None);
    }
    let outcome = answer(store, folder, &request).await.map_err(in_words).with_context(failed)?;
    tell(output, &request, &outcome, "has given its seat back", None)
}

fn tell(
    output: Output,
    file: &RequestFile,
    outcome: &AirgapOutcome,
    what: &str,
    out: Option<&Path>,
) -> anyhow::Result<()> {
    let (seat, machine) = (&outcome.seat, file.request.machine.id.short());
    let until = outcome.lease_until.map(timestamp);
    let value = json!({
        "seat": seat.id, "shared_with": seat.shared_with, "machine_short": machine,
        "machine_source": file.request.machine.source, "product": file.request.product,
        "epoch": seat.epoch, "lease_until": until, "file": out,
    });
    let mut text = format!(
        "seat      {} of {}\ncomputer  {machine}\nproduct   {}\n",
        seat.id, seat.shared_with, file.request.product
    );
    if let Some(until) = until {
        text.push_str(&format!("until     {until}\n"));
    }
    if let Some(out) = out {
        text.push_str(&format!("file      {}\n", out.display()));
    }
    text.push_str(&format!("\nComputer {machine} {what}."));
    output.done(&value, &text)
}

fn read(path: &Path, wanted: FileCall) -> anyhow::Result<RequestFile> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let file = RequestFile::parse(&bytes)
        .map_err(|error| anyhow::anyhow!("{} cannot be used: {error}", path.display()))?;
    match (file.call, wanted) {
        (FileCall::Lease, FileCall::Release) => {
            bail!("{} asks for a lease. Use: airgap sign", path.display())
        }
        (FileCall::Release, FileCall::Lease) => {
            bail!("{} gives a seat back. Use: airgap release", path.display())
        }
        _ => Ok(file),
    }
}

fn in_words(error: AirgapError) -> anyhow::Error {
    match error {
        AirgapError::Refused(verdict) => refusal(&verdict),
        other => other.into(),
    }
}
