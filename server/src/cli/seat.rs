use super::bulk::{BulkSeats, preview};
use super::client::{AdminApiError, AdminClient, Query};
use super::output::{Output, agreed, cell};
use anyhow::{Context as _, bail};
use axum::http::Method;
use clap::{Args, Subcommand};
use seatlock_server::domain::{SeatAction, Verdict};
use seatlock_server::http::api::schema::{
    IdSource, IssuedSeatJson, NewSeatRequest, RefreshRequest, SeatActionJson, SeatJson, SeatStatus,
    UsedLately,
};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

#[derive(Subcommand)]
pub(super) enum SeatSubcommand {
    /// Make a seat and print its token, this once; or many seats, and write their tokens to a file
    Create(CreateSeat),
    /// List seats
    List {
        /// Only those of one license
        #[arg(long, value_name = "UUID")]
        license: Option<Uuid>,
        /// Only those in one lock status
        #[arg(long)]
        status: Option<SeatStatus>,
        /// Only those that were used in the last 14 days, or were not
        #[arg(long)]
        used: Option<UsedLately>,
        /// Only those with this part of an e-mail address, or this beginning of a seat's or a
        /// computer's id
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Replace a seat's token and print the new one, this once; the old one never works again
    Refresh {
        #[command(flatten)]
        target: SeatTarget,
        /// Who is given the new token [default: whom the seat was shared with]
        #[arg(long, value_name = "E-MAIL")]
        email: Option<String>,
    },
    /// Take a seat from its machine; once in 24 hours per license
    Release(SeatTarget),
    /// Let the user of a closed seat, who signs in, have another one
    Allow(SeatTarget),
    /// Close a seat for good; its token never works again
    Revoke {
        #[command(flatten)]
        target: SeatTarget,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(super) struct CreateSeat {
    /// Who is given the token
    #[arg(long, value_name = "E-MAIL", required_unless_present = "emails", conflicts_with = "emails")]
    email: Option<String>,
    /// The license, when there are several
    #[arg(long, value_name = "UUID")]
    license: Option<Uuid>,
    #[command(flatten)]
    many: BulkSeats,
}

#[derive(Args)]
pub(super) struct SeatTarget {
    /// The seat
    seat: Uuid,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl SeatSubcommand {
    pub(super) async fn run(self, client: &AdminClient, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Create(CreateSeat { email: Some(email), license, many }) => {
                let email = email.trim();
                if many.dry_run {
                    preview(client, output, email, license).await
                } else {
                    create(client, output, email, license).await
                }
            }
            Self::Create(CreateSeat { license, many, .. }) => many.create(client, output, license).await,
            Self::List { license, status, used, search } => {
                let license = license.map(|id| id.to_string());
                let (status, used) = (named(status)?, named(used)?);
                let wanted = [("license", license), ("status", status), ("used", used), ("search", search)];
                list(client, output, &wanted).await
            }
            Self::Refresh { target, email } => {
                let request = RefreshRequest { email: email.map(|email| email.trim().to_owned()) };
                act(client, output, SeatAction::Refresh, &target, Some(&request)).await
            }
            Self::Allow(target) => act(client, output, SeatAction::Allow, &target, None).await,
            Self::Release(target) => act(client, output, SeatAction::Release, &target, None).await,
            Self::Revoke { target, yes } => {
                if !yes && !target.dry_run {
                    confirm(client, target.seat).await?;
                }
                act(client, output, SeatAction::Revoke, &target, None).await
            }
        }
    }
}

/// A choice as the address has it.
fn named(choice: Option<impl Serialize>) -> anyhow::Result<Option<String>> {
    let name = choice.map(serde_json::to_value).transpose()?;
    Ok(name.as_ref().and_then(|name| name.as_str()).map(str::to_owned))
}

/// One seat. With a `key`, the same request is carried out once, and answered again.
pub(super) async fn make(
    client: &AdminClient,
    email: &str,
    license: Option<Uuid>,
    key: Option<&str>,
) -> Result<IssuedSeatJson, AdminApiError> {
    let request = NewSeatRequest { email: email.to_owned(), license };
    client.send(Method::POST, "/seats", &[], Some(&request), key).await
}

async fn create(
    client: &AdminClient,
    output: Output,
    email: &str,
    license: Option<Uuid>,
) -> anyhow::Result<()> {
    let made = make(client, email, license, None).await;
    let issued = made.with_context(|| format!("no seat was made for {email}"))?;
    let text = format!(
        "seat   {}\nfor    {email}\ntoken  {}\n\nThe token is shown this once. Whoever has it can use the seat.",
        issued.seat.id,
        issued.token.expose()
    );
    output.done(&issued, &text)
}

async fn list(client: &AdminClient, output: Output, wanted: Query<'_>) -> anyhow::Result<()> {
    let head = ["SEAT", "FOR", "STATUS", "MACHINE", "EPOCH", "LAST USED", "NOTE"];
    let mut seats: Vec<SeatJson> = client.list("/seats", wanted, usize::MAX).await?;
    // The oldest first.
    seats.reverse();
    output.table(&seats, head, |seat| {
        let cloned = seat.clone_suspected_at.map(|_| "used on two copies of one computer?");
        let supplied = seat.machine_source.filter(|source| *source == IdSource::Supplied);
        let note =
            [cloned, supplied.map(|_| "supplied id")].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let seat = serde_json::to_value(seat).unwrap_or_default();
        let [id, email, status] = ["id", "shared_with", "lock_status"].map(|name| cell(&seat, name));
        let [machine, epoch, used] = ["machine_short", "epoch", "last_used_at"].map(|name| cell(&seat, name));
        [id, email, status, machine, epoch, used, note]
    })
}

async fn act(
    client: &AdminClient,
    output: Output,
    act: SeatAction,
    target: &SeatTarget,
    body: Option<&RefreshRequest>,
) -> anyhow::Result<()> {
    let (id, dry_run) = (target.seat, target.dry_run);
    let (name, done) = match act {
        SeatAction::Release => ("release", "released"),
        SeatAction::Refresh => ("refresh", "refreshed"),
        SeatAction::Revoke => ("revoke", "revoked"),
        SeatAction::Allow => ("allow", "allowed another seat"),
    };
    let (path, query) = (format!("/seats/{id}/{name}"), [("dry_run", Some(dry_run.to_string()))]);
    let acted = client.send(Method::POST, &path, &query, body, None).await;
    let acted: SeatActionJson = acted.with_context(|| format!("seat {id} was not {done}"))?;
    let (email, epoch) = (&acted.seat.shared_with, acted.seat.epoch);
    let mut text = match (acted.would_change, dry_run) {
        (true, false) => format!("seat {id} of {email} {done}, epoch {epoch}"),
        (true, true) => format!("seat {id} of {email} would be {done}; nothing was changed"),
        (false, _) if act == SeatAction::Release => {
            format!("seat {id} of {email} is not in use; nothing was changed")
        }
        (false, _) if act == SeatAction::Allow => {
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

async fn confirm(client: &AdminClient, id: Uuid) -> anyhow::Result<()> {
    let email = client.get::<SeatJson>(&format!("/seats/{id}"), &[]).await?.shared_with;
    let kept = format!("seat {id} of {email} was not revoked; this cannot be undone");
    if !agreed(&format!("Close seat {id} of {email} for good?"), &kept)? {
        bail!(kept);
    }
    Ok(())
}
