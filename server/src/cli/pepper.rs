use super::output::{Output, agreed};
use anyhow::{Context as _, bail};
use clap::Args;
use seatlock_server::crypto::keys::{DataFolder, pepper_check};
use seatlock_server::domain::Issuer;
use seatlock_server::store::{
    Actor, GetServer, ListApiTokens, ListIssuers, ListLicenses, ListUsers, ReplacePepper, Store,
};
use serde_json::json;

#[derive(Args)]
pub(super) struct NewPepper {
    /// Say what would be lost, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

/// What only the old pepper could tell from a guess.
struct Lost {
    /// Seats that are not closed.
    seats: u64,
    api_tokens: usize,
    /// Addresses of issuers whose client secrets are sealed with it.
    issuers: Vec<String>,
}

impl NewPepper {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        if folder.has_pepper() {
            bail!(
                "{} has a file \"pepper\"; nothing was changed. If it is the wrong one, put the right one in its place; if \
                 that is lost for good, move it away",
                folder.path().display()
            );
        }
        let store = super::open(folder).await?;
        let done = self.carry_out(&store, folder).await;
        store.close().await;
        let lost = done?;
        let value = json!({
            "seats": lost.seats, "api_tokens": lost.api_tokens, "issuers": lost.issuers, "dry_run": self.dry_run,
        });
        output.done(&value, &lost.in_words(self.dry_run))
    }

    async fn carry_out(&self, store: &Store, folder: &DataFolder) -> anyhow::Result<Lost> {
        store.run(GetServer).await?;
        let lost = Lost::of(store).await?;
        if self.dry_run {
            return Ok(lost);
        }
        let question = format!("Make {} seats and {} API tokens useless?", lost.seats, lost.api_tokens);
        if !self.yes && !agreed(&question, "no pepper was made")? {
            bail!("no pepper was made");
        }
        folder.create_pepper()?;
        let known = store.run(ReplacePepper(pepper_check(&*folder.pepper()?), Actor::Console)).await;
        if known.is_err() {
            // Nothing was made with it yet.
            folder.remove_pepper()?;
        }
        known.context("the database was not told of the new pepper; nothing was changed")?;
        Ok(lost)
    }
}

impl Lost {
    async fn of(store: &Store) -> anyhow::Result<Self> {
        let seats =
            store.run(ListLicenses(None)).await?.iter().map(|license| u64::from(license.tokens)).sum();
        let mut api_tokens = 0;
        for user in store.run(ListUsers(None)).await? {
            api_tokens += store.run(ListApiTokens(user.id)).await?.len();
        }
        let sealed =
            |issuer: &Issuer| issuer.client.as_ref().is_some_and(|client| client.sealed_secret.is_some());
        let issuers =
            store.run(ListIssuers).await?.issuers.into_iter().filter(sealed).map(|issuer| issuer.url);
        Ok(Self { seats, api_tokens, issuers: issuers.collect() })
    }

    fn in_words(&self, dry_run: bool) -> String {
        let Self { seats, api_tokens, .. } = self;
        let (first, tense) = match dry_run {
            true => ("nothing was changed. With a new pepper", "would be"),
            false => ("a new pepper was made. Copy it to the other servers of this database", "are"),
        };
        let mut text = format!(
            "{first}\n{seats} seats {tense} known by their tokens no more: replace each token with \"seat refresh\"; close those \
             whose users sign in with \"seat revoke\", they get another one by themselves\n\
             {api_tokens} API tokens {tense} useless: their users make new ones\n\
             who signs in and was refused since a seat was closed is let in again, where a rule of the issuer admits him\n\
             licenses of plug-ins go on to their end; passwords and sessions stay"
        );
        for url in &self.issuers {
            text.push_str(&format!(
                "\nthe client secret of {url} {tense} lost: issuer change {url} --client-secret-file FILE"
            ));
        }
        text
    }
}
