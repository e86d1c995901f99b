use super::output::{Output, agreed, cell};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use seatlock_protocol::{Token, TokenKind};
use seatlock_server::{
    keys::DataFolder,
    rules::{Answer, OwnerAct, Seat, SeatState, Verdict, check_email, timestamp},
    store::{
        Actor, Answered, AnyStore, ListedSeat, Made, NewSeat, OwnerOrder, SeatQuery, Store as _, StoreError,
        TokenHashes,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Subcommand)]
pub(super) enum SeatCommand {
    /// Make a seat and print its token, this once
    Create {
        /// Who is given the token
        #[arg(long, value_name = "E-MAIL")]
        email: String,
        /// The license, when there are several
        #[arg(long, value_name = "UUID")]
        license: Option<Uuid>,
    },
    /// List seats
    List {
        /// Only those of one license
        #[arg(long, value_name = "UUID")]
        license: Option<Uuid>,
    },
    /// Replace a seat's token and print the new one, this once; the old one never works again
    Refresh(Target),
    /// Take a seat from its machine; once in 24 hours per license
    Release(Target),
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
pub(super) struct Target {
    /// The seat
    seat: Uuid,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl SeatCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        match self {
            Self::Create { email, license } => create(&store, folder, output, email, license).await?,
            Self::List { license } => list(&store, output, license).await?,
            Self::Refresh(target) => act(&store, folder, output, OwnerAct::Refresh, &target).await?,
            Self::Release(target) => act(&store, folder, output, OwnerAct::Release, &target).await?,
            Self::Revoke { target, yes } => {
                if !yes && !target.dry_run {
                    confirm(&store, target.seat).await?;
                }
                act(&store, folder, output, OwnerAct::Revoke, &target).await?;
            }
        }
        store.close().await;
        Ok(())
    }
}

fn new_token() -> anyhow::Result<Token> {
    let token = Token::generate(TokenKind::Integration, getrandom::fill);
    token.context("the operating system gives no random numbers; no token was made")
}

async fn create(
    store: &AnyStore,
    folder: &DataFolder,
    output: Output,
    email: String,
    license: Option<Uuid>,
) -> anyhow::Result<()> {
    if let Err(reason) = check_email(&email) {
        bail!("\"{}\": {reason}; no seat was made", email.escape_debug());
    }
    let token = new_token()?;
    let seat = NewSeat {
        id: Uuid::new_v4(),
        license,
        shared_with: email.clone(),
        token: TokenHashes::of(&token, &*folder.pepper()?),
        remember: None,
        by: Actor::Console,
    };
    let made = store.create_seat(seat).await.with_context(|| format!("no seat was made for {email}"))?;
    let Made::New(answered) = made else { bail!("no seat was made for {email}") };
    let Some((seat, _)) = accepted(&answered).with_context(|| format!("no seat was made for {email}"))?
    else {
        bail!("no seat was made for {email}");
    };
    let value = json!({
        "id": seat.id, "license": seat.license, "shared_with": email, "token": token.expose_secret(),
    });
    let text = format!(
        "seat   {}\nfor    {email}\ntoken  {}\n\nThe token is shown this once. Whoever has it can use the seat.",
        seat.id,
        token.expose_secret()
    );
    output.done(&value, &text)
}

async fn list(store: &AnyStore, output: Output, license: Option<Uuid>) -> anyhow::Result<()> {
    let seats: Vec<Value> = all(store, license).await?.iter().map(|listed| view(&listed.seat)).collect();
    let head = ["SEAT", "FOR", "STATUS", "MACHINE", "EPOCH", "LAST USED", "NOTE"];
    output.table(&seats, head, |seat| {
        let cloned = seat.get("clone_suspected_at").is_some_and(|at| !at.is_null());
        let note = if cloned { "used on two copies of one computer?" } else { "" };
        let [id, email, status] = ["id", "shared_with", "lock_status"].map(|name| cell(seat, name));
        let [machine, epoch, used] = ["machine_short", "epoch", "last_used_at"].map(|name| cell(seat, name));
        [id, email, status, machine, epoch, used, note.to_owned()]
    })
}

/// Every seat, the oldest first.
async fn all(store: &AnyStore, license: Option<Uuid>) -> anyhow::Result<Vec<ListedSeat>> {
    let mut query = SeatQuery { license, limit: 1000, ..SeatQuery::default() };
    let mut seats: Vec<ListedSeat> = Vec::new();
    loop {
        let page = store.seats(query.clone()).await?;
        seats.extend(page.rows);
        if !page.more {
            seats.reverse();
            return Ok(seats);
        }
        query.after = seats.last().map(ListedSeat::cursor);
    }
}

fn view(seat: &Seat) -> Value {
    let (machine, since, lease_until) = match &seat.state {
        SeatState::InUse(held) => (Some(&held.machine), Some(held.since), Some(held.lease_until)),
        SeatState::Released(Some(left)) => (Some(&left.machine), Some(left.since), Some(left.until)),
        _ => (None, None, None),
    };
    json!({
        "id": seat.id,
        "license": seat.license,
        "shared_with": seat.shared_with,
        "lock_status": seat.lock_status(),
        "machine_short": machine.map(|machine| machine.short()),
        "epoch": seat.epoch,
        "since": since.map(timestamp),
        "lease_until": lease_until.map(timestamp),
        "last_used_at": seat.last_used_at.map(timestamp),
        "last_offline_at": seat.last_offline_at.map(timestamp),
        "launches": seat.launches,
        "clone_suspected_at": seat.clone_suspected_at.map(timestamp),
    })
}

async fn act(
    store: &AnyStore,
    folder: &DataFolder,
    output: Output,
    act: OwnerAct,
    target: &Target,
) -> anyhow::Result<()> {
    let (id, dry_run) = (target.seat, target.dry_run);
    let done = match act {
        OwnerAct::Release => "released",
        OwnerAct::Refresh => "refreshed",
        OwnerAct::Revoke => "revoked",
    };
    let token = if act == OwnerAct::Refresh { Some(new_token()?) } else { None };
    let pepper = folder.pepper()?;
    let new_token = token.as_ref().map(|token| TokenHashes::of(token, &pepper));
    let refused = || format!("seat {id} was not {done}");
    let order = OwnerOrder { seat: id, act, new_token, dry_run, remember: None, by: Actor::Console };
    let Made::New(answered) = store.owner(order).await.with_context(refused)? else { bail!(refused()) };
    let Some((seat, changed)) = accepted(&answered).with_context(refused)? else { bail!(refused()) };

    let mut value = view(seat);
    let fields = value.as_object_mut().context("a seat is a JSON object")?;
    fields.insert("changed".to_owned(), json!(changed && !dry_run));
    fields.insert("dry_run".to_owned(), json!(dry_run));
    let (email, epoch) = (&seat.shared_with, seat.epoch);
    let mut text = match (changed, dry_run) {
        (true, false) => format!("seat {id} of {email} {done}, epoch {epoch}"),
        (true, true) => format!("seat {id} of {email} would be {done}; nothing was changed"),
        (false, _) if act == OwnerAct::Release => {
            format!("seat {id} of {email} is not in use; nothing was changed")
        }
        (false, _) => format!("seat {id} of {email} was {done} before; nothing was changed"),
    };
    if let Some(token) = token.filter(|_| changed && !dry_run) {
        fields.insert("token".to_owned(), json!(token.expose_secret()));
        text.push_str(&format!("\ntoken  {}\n\nThe token is shown this once.", token.expose_secret()));
    }
    output.done(&value, &text)
}

/// The seat afterwards and whether it was changed; a refusal in the words of the table of codes.
fn accepted(answered: &Answered) -> anyhow::Result<Option<(&Seat, bool)>> {
    let changed = match &answered.answer {
        Answer::Verdict(verdict) => return Err(refusal(verdict)),
        Answer::Unchanged => false,
        Answer::Done | Answer::Lease(_) => true,
    };
    Ok(answered.subject.as_ref().map(|(seat, _)| (seat, changed)))
}

pub(super) fn refusal(verdict: &Verdict) -> anyhow::Error {
    let text = verdict.code.text(|name| verdict.params.get(name).map(String::as_str));
    anyhow::anyhow!("{text} {}", verdict.code.row().remedy)
}

async fn confirm(store: &AnyStore, id: Uuid) -> anyhow::Result<()> {
    let seat = store.seat(id).await?.ok_or_else(|| StoreError::NotFound(format!("seat {id}")))?;
    let email = seat.0.seat.shared_with;
    let kept = format!("seat {id} of {email} was not revoked; this can not be undone");
    if !agreed(&format!("Close seat {id} of {email} for good?"), &kept)? {
        bail!(kept);
    }
    Ok(())
}
