use super::access::{Access, Place, Wanted};
use super::many::{Many, preview};
use super::output::{Output, agreed, cell};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use seatlock_server::{
    rules::{OwnerAct, Verdict, check_email},
    view::SeatStatus,
};
use serde_json::json;
use uuid::Uuid;

#[derive(Subcommand)]
pub(super) enum SeatCommand {
    /// Make a seat and print its token, this once; or many seats, and write their tokens to a file
    Create(Create),
    /// List seats
    List {
        /// Only those of one license
        #[arg(long, value_name = "UUID")]
        license: Option<Uuid>,
        /// Only those in one lock status
        #[arg(long)]
        status: Option<SeatStatus>,
        /// Only those with this part of an e-mail address, or this beginning of a seat's or a
        /// computer's id
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Replace a seat's token and print the new one, this once; the old one never works again
    Refresh(Target),
    /// Take a seat from its machine; once in 24 hours per license
    Release(Target),
    /// Let the user of a closed seat, who signs in, have another one
    Allow(Target),
    /// Close a seat for good; its token never works again
    Revoke {
        #[command(flatten)]
        target: Target,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(super) struct Create {
    /// Who is given the token
    #[arg(long, value_name = "E-MAIL", required_unless_present = "emails", conflicts_with = "emails")]
    email: Option<String>,
    /// The license, when there are several
    #[arg(long, value_name = "UUID")]
    license: Option<Uuid>,
    #[command(flatten)]
    many: Many,
}

#[derive(Args)]
pub(super) struct Target {
    /// The seat
    seat: Uuid,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl SeatCommand {
    pub(super) async fn run(self, place: &Place, output: Output) -> anyhow::Result<()> {
        let access = Access::open(place).await?;
        let done = self.carry_out(&access, output).await;
        access.close().await;
        done
    }

    async fn carry_out(self, access: &Access, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Create(Create { email: Some(email), license, many }) => {
                let email = email.trim();
                check(email)?;
                if many.dry_run {
                    preview(access, output, license).await
                } else {
                    create(access, output, email, license).await
                }
            }
            Self::Create(Create { license, many, .. }) => many.create(access, output, license).await,
            Self::List { license, status, search } => {
                list(access, output, Wanted { license, status, search }).await
            }
            Self::Refresh(target) => act(access, output, OwnerAct::Refresh, &target).await,
            Self::Allow(target) => act(access, output, OwnerAct::Allow, &target).await,
            Self::Release(target) => act(access, output, OwnerAct::Release, &target).await,
            Self::Revoke { target, yes } => {
                if !yes && !target.dry_run {
                    confirm(access, target.seat).await?;
                }
                act(access, output, OwnerAct::Revoke, &target).await
            }
        }
    }
}

fn check(email: &str) -> anyhow::Result<()> {
    if let Err(reason) = check_email(email) {
        bail!("\"{}\": {reason}; no seat was made", email.escape_debug());
    }
    Ok(())
}

async fn create(access: &Access, output: Output, email: &str, license: Option<Uuid>) -> anyhow::Result<()> {
    let made = access.create_seat(email, license, None).await.map_err(|trouble| trouble.error);
    let issued = made.with_context(|| format!("no seat was made for {email}"))?;
    let text = format!(
        "seat   {}\nfor    {email}\ntoken  {}\n\nThe token is shown this once. Whoever has it can use the seat.",
        issued.seat.id,
        issued.token.expose()
    );
    output.done(&issued, &text)
}

async fn list(access: &Access, output: Output, wanted: Wanted) -> anyhow::Result<()> {
    let head = ["SEAT", "FOR", "STATUS", "MACHINE", "EPOCH", "LAST USED", "NOTE"];
    output.table(&access.seats(wanted).await?, head, |seat| {
        let cloned = seat.clone_suspected_at.is_some();
        let note = if cloned { "used on two copies of one computer?" } else { "" };
        let seat = serde_json::to_value(seat).unwrap_or_default();
        let [id, email, status] = ["id", "shared_with", "lock_status"].map(|name| cell(&seat, name));
        let [machine, epoch, used] = ["machine_short", "epoch", "last_used_at"].map(|name| cell(&seat, name));
        [id, email, status, machine, epoch, used, note.to_owned()]
    })
}

async fn act(access: &Access, output: Output, act: OwnerAct, target: &Target) -> anyhow::Result<()> {
    let (id, dry_run) = (target.seat, target.dry_run);
    let done = match act {
        OwnerAct::Release => "released",
        OwnerAct::Refresh => "refreshed",
        OwnerAct::Revoke => "revoked",
        OwnerAct::Allow => "allowed another seat",
    };
    let acted = access.act(id, act, dry_run).await;
    let acted = acted.with_context(|| format!("seat {id} was not {done}"))?;
    let (email, epoch) = (&acted.seat.shared_with, acted.seat.epoch);
    let mut text = match (acted.would_change, dry_run) {
        (true, false) => format!("seat {id} of {email} {done}, epoch {epoch}"),
        (true, true) => format!("seat {id} of {email} would be {done}; nothing was changed"),
        (false, _) if act == OwnerAct::Release => {
            format!("seat {id} of {email} is not in use; nothing was changed")
        }
        (false, _) if act == OwnerAct::Allow => {
            format!("seat {id} of {email} is in nobody's way; nothing was changed")
        }
        (false, _) => format!("seat {id} of {email} was {done} before; nothing was changed"),
    };
    if let Some(token) = &acted.token {
        text.push_str(&format!("\ntoken  {}\n\nThe token is shown this once.", token.expose()));
    }
    output.done(&json!(acted), &text)
}

pub(super) fn refusal(verdict: &Verdict) -> anyhow::Error {
    let text = verdict.code.text(|name| verdict.params.get(name).map(String::as_str));
    anyhow::anyhow!("{text} {}", verdict.code.row().remedy)
}

async fn confirm(access: &Access, id: Uuid) -> anyhow::Result<()> {
    let email = access.seat(id).await?.shared_with;
    let kept = format!("seat {id} of {email} was not revoked; this cannot be undone");
    if !agreed(&format!("Close seat {id} of {email} for good?"), &kept)? {
        bail!(kept);
    }
    Ok(())
}
