use super::output::{Output, agreed};
use anyhow::bail;
use clap::Args;
use seatlock_server::crypto::keys::DataFolder;
use seatlock_server::store::{ErasePerson, Erased};
use serde_json::json;

#[derive(Args)]
pub(super) struct Erase {
    /// The person's e-mail address
    email: String,
    /// Say what would be erased, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

impl Erase {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let email = self.email.escape_debug().to_string();
        let store = super::open(folder).await?;
        let done = async {
            let found = store.run(ErasePerson { email: self.email.clone(), dry_run: true }).await?;
            if found.user.is_none() && found.closed_seats.is_empty() && found.open_seats.is_empty() {
                bail!("{email} has no user and no seat; nothing was erased");
            }
            if let Some(seat) = found.open_seats.first() {
                let seats = found.open_seats.len();
                bail!("{email} has {seats} seats; nothing was erased. Revoke them first: seat revoke {seat}");
            }
            let question = format!("Erase {email} for good?");
            if !self.dry_run && !self.yes && !agreed(&question, &format!("{email} was not erased"))? {
                bail!("{email} was not erased");
            }
            Ok(store.run(ErasePerson { email: self.email.clone(), dry_run: self.dry_run }).await?)
        }
        .await;
        store.close().await;
        tell(output, &email, &done?, self.dry_run)
    }
}

fn tell(output: Output, email: &str, erased: &Erased, dry_run: bool) -> anyhow::Result<()> {
    let what = if dry_run { "would be erased; nothing was changed" } else { "erased" };
    let user = if erased.user.is_some() { "the user with sessions and API tokens" } else { "no user" };
    let text = format!(
        "{email}: {user} and the address of {} closed seats {what}\n\
         {} entries of the audit trail name {email}. They stay until \"retention apply\" removes them",
        erased.closed_seats.len(),
        erased.entries
    );
    let value = json!({
        "user": erased.user, "closed_seats": erased.closed_seats, "entries": erased.entries, "dry_run": dry_run,
    });
    output.done(&value, &text)
}
