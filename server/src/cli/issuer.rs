use super::account;
use super::client::AdminClient;
use super::output::Output;
use anyhow::{Context as _, bail};
use axum::http::Method;
use clap::{Args, Subcommand};
use seatlock_server::domain::{Admission, Role, Who};
use seatlock_server::http::api::schema::{
    AccountJson, ChangedIssuerJson, IssuerChangeRequest, IssuerJson, LicenseJson, NewIssuer,
    RemovedIssuerJson, SecretText,
};
use seatlock_server::system::files;
use std::path::PathBuf;
use uuid::Uuid;

const RULES: &str = "\
A rule is WHO, then where they belong, between commas:
  subject=alice              one subject of the issuer
  client=farm                whoever shows a token that was given to this client, such as a machine
  domain=example.com         whoever has an e-mail address there that the issuer has verified
  everybody                  whoever the issuer lets in
  account=UUID               their account; may be left out when there is one, or with license=UUID
  license=UUID               the license whose seats they get; without it the account's first with the product
  role=owner, role=admin     what they may do by the admin API and on the seat page; without it, nothing there
The first rule that fits counts. Whom no rule fits is refused.

Example:
  seatlock-server issuer add https://login.example.com --audience https://licenses.example.com \\
    --admit client=farm,role=owner --admit domain=example.com";

#[derive(Subcommand)]
pub(super) enum IssuerCommand {
    /// Accept the access tokens of a sign-in service
    #[command(after_help = RULES)]
    Add {
        /// Its address, exactly as it stands in `iss`, such as https://login.example.com
        url: String,
        /// What `aud` of its access tokens contains for this server
        #[arg(long)]
        audience: String,
        #[command(flatten)]
        more: IssuerOptions,
    },
    /// List issuers and whom they admit
    List,
    /// Change an issuer; what is not named stays
    #[command(after_help = RULES)]
    Change {
        /// Its address
        url: String,
        /// What `aud` of its access tokens contains for this server
        #[arg(long)]
        audience: Option<String>,
        #[command(flatten)]
        more: IssuerOptions,
        /// Take the sign-in with it off the seat page
        #[arg(long, conflicts_with_all = ["client_id", "client_secret_file"])]
        no_client: bool,
        /// Say what it would be, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Refuse the access tokens of an issuer from now on; seats stay, and leases live until they
    /// end
    Remove {
        /// Its address
        url: String,
        /// Say what would happen, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Args)]
pub(super) struct IssuerOptions {
    /// As people call it [default: the host of its address]
    #[arg(long)]
    name: Option<String>,
    /// A rule that admits somebody; may be repeated. With "change" these replace all rules that
    /// there are
    #[arg(long = "admit", value_name = "RULE")]
    admit: Vec<String>,
    /// The seat page's client id at this issuer: people may then sign in with it on the seat page
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// File with the client secret; it is kept sealed
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
}

impl IssuerCommand {
    pub(super) async fn run(self, client: &AdminClient, output: Output) -> anyhow::Result<()> {
        match self {
            Self::List => {
                let head = ["ISSUER", "NAME", "AUDIENCE", "CLIENT", "ADMITS"];
                output.table(&client.all::<IssuerJson>("/issuers").await?, head, |issuer| {
                    let rules: Vec<String> = issuer.admits.iter().map(write_rule).collect();
                    let client = issuer.client_id.clone().unwrap_or_default();
                    let (name, audience) = (issuer.name.clone(), issuer.audience.clone());
                    [issuer.issuer.clone(), name, audience, client, rules.join("; ")]
                })
            }
            Self::Add { url, audience, more } => {
                let (name, client_id, client_secret) =
                    (more.name.clone(), more.client_id.clone(), more.client_secret()?);
                let admits = more.rules(client).await?.unwrap_or_default();
                let new = NewIssuer { issuer: url.clone(), audience, name, admits, client_id, client_secret };
                let added = client.post("/issuers", &new).await;
                let issuer: IssuerJson =
                    added.with_context(|| format!("{} was not added", url.escape_debug()))?;
                let text = in_words(&issuer, "is accepted from now on");
                output.done(&issuer, &text)
            }
            Self::Change { url, audience, more, no_client, dry_run } => {
                let path = path_of(client, &url).await?;
                let client_secret = more.client_secret()?;
                let admits = more.rules(client).await?;
                let client_id = if no_client { Some(None) } else { more.client_id.map(Some) };
                let change =
                    IssuerChangeRequest { name: more.name, audience, admits, client_id, client_secret };
                let query = [("dry_run", Some(dry_run.to_string()))];
                let changed = client.send(Method::PATCH, &path, &query, Some(&change), None).await;
                let changed: ChangedIssuerJson = changed.with_context(|| format!("{url} was not changed"))?;
                let what = if dry_run { "would be so; nothing was changed" } else { "changed" };
                output.done(&changed, &in_words(&changed.issuer, what))
            }
            Self::Remove { url, dry_run } => {
                let path = path_of(client, &url).await?;
                let query = [("dry_run", Some(dry_run.to_string()))];
                let removed = client.send(Method::DELETE, &path, &query, None::<&()>, None).await;
                let removed: RemovedIssuerJson = removed.with_context(|| format!("{url} was not removed"))?;
                let what =
                    if dry_run { "would be refused; nothing was changed" } else { "are refused from now on" };
                let seats = removed.seats;
                let text = format!(
                    "access tokens of {url} {what}. Its users have {seats} open seats, which work until their leases end"
                );
                output.done(&removed, &text)
            }
        }
    }
}

/// Where the issuer with this address is.
async fn path_of(client: &AdminClient, url: &str) -> anyhow::Result<String> {
    let found = client.all::<IssuerJson>("/issuers").await?.into_iter().find(|issuer| issuer.issuer == url);
    let found =
        found.with_context(|| format!("there is no issuer {}; see \"issuer list\"", url.escape_debug()))?;
    Ok(format!("/issuers/{}", found.id))
}

impl IssuerOptions {
    /// The rules, if any are named.
    async fn rules(&self, client: &AdminClient) -> anyhow::Result<Option<Vec<Admission>>> {
        if self.admit.is_empty() {
            return Ok(None);
        }
        let accounts = account::all(client).await?;
        let licenses: Vec<LicenseJson> = client.all("/licenses").await?;
        let read = |rule: &String| {
            read_rule(rule, &accounts, &licenses).with_context(|| format!("--admit {}", rule.escape_debug()))
        };
        self.admit.iter().map(read).collect::<anyhow::Result<_>>().map(Some)
    }

    fn client_secret(&self) -> anyhow::Result<Option<SecretText>> {
        let Some(file) = &self.client_secret_file else { return Ok(None) };
        Ok(Some(files::read_line(file)?.into()))
    }
}

/// What is left out is read from what there is. Whether what is named is there is found out where
/// the rule is kept.
fn read_rule(text: &str, accounts: &[AccountJson], licenses: &[LicenseJson]) -> anyhow::Result<Admission> {
    let mut parts = text.split(',');
    let who = match parts.next().and_then(|who| who.split_once('=')) {
        Some(("subject", subject)) => Who::Subject(subject.to_owned()),
        Some(("client", client)) => Who::Client(client.to_owned()),
        Some(("domain", domain)) => Who::Domain(domain.trim_start_matches('@').to_owned()),
        None if text.split(',').next() == Some("everybody") => Who::Everybody,
        _ => bail!("it begins with subject=, client=, domain= or everybody"),
    };
    let (mut account, mut license, mut role) = (None, None, None);
    for part in parts {
        match part.split_once('=') {
            Some(("account", id)) => account = Some(id.parse::<Uuid>().context("account= needs a UUID")?),
            Some(("license", id)) => license = Some(id.parse::<Uuid>().context("license= needs a UUID")?),
            Some(("role", "owner")) => role = Some(Role::Owner),
            Some(("role", "admin")) => role = Some(Role::Admin),
            _ => bail!("{}: write account=UUID, license=UUID, role=owner or role=admin", part.escape_debug()),
        }
    }
    let of_license = |id| licenses.iter().find(|other| Some(other.id) == id).map(|found| found.account);
    let account = match (account.or_else(|| of_license(license)), accounts) {
        (Some(id), _) => id,
        (None, _) if license.is_some() => bail!("there is no such license"),
        (None, [only]) => only.id,
        (None, _) => bail!("there are several accounts; say which one with account=UUID"),
    };
    Ok(Admission { who, account, license, role })
}

fn write_rule(rule: &Admission) -> String {
    let who = match &rule.who {
        Who::Subject(subject) => format!("subject={subject}"),
        Who::Client(client) => format!("client={client}"),
        Who::Domain(domain) => format!("domain={domain}"),
        Who::Everybody => "everybody".to_owned(),
    };
    let license = rule.license.map(|id| format!(",license={id}")).unwrap_or_default();
    let role = match rule.role {
        Some(Role::Owner) => ",role=owner",
        Some(Role::Admin) => ",role=admin",
        None => "",
    };
    format!("{who},account={}{license}{role}", rule.account)
}

fn in_words(issuer: &IssuerJson, what: &str) -> String {
    let nobody =
        if issuer.admits.is_empty() { "\nNobody is admitted yet: add a rule with --admit." } else { "" };
    format!("{} ({}) {what}{nobody}", issuer.issuer, issuer.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatlock_server::domain::License;
    use seatlock_server::http::api::schema::Timestamp;

    #[test]
    fn rules_as_they_are_typed() {
        let (account, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let license = LicenseJson::from(&License::usual(Uuid::from_u128(3), other, false));
        let read = |text: &str, accounts: &[Uuid]| {
            let view = |id: &Uuid| AccountJson {
                id: *id,
                name: "x".to_owned(),
                created_at: Timestamp(seatlock_protocol::UnixTime::MIN),
            };
            let accounts: Vec<AccountJson> = accounts.iter().map(view).collect();
            read_rule(text, &accounts, std::slice::from_ref(&license))
        };
        for (text, written) in [
            ("everybody", format!("everybody,account={account}")),
            ("subject=a=b", format!("subject=a=b,account={account}")),
            ("domain=@example.com,role=owner", format!("domain=example.com,account={account},role=owner")),
        ] {
            assert_eq!(write_rule(&read(text, &[account]).unwrap()), written);
        }
        let with_license = format!("client=farm,license={},role=admin", license.id);
        let rule = read(&with_license, &[account, other]).unwrap();
        assert_eq!((rule.account, rule.license, rule.role), (other, Some(license.id), Some(Role::Admin)));
        let wrong = [
            String::new(),
            "alice".to_owned(),
            "everyone".to_owned(),
            "everybody,role=king".to_owned(),
            "everybody,account=x".to_owned(),
            format!("everybody,license={}", Uuid::from_u128(9)),
        ];
        for text in wrong {
            assert!(read(&text, &[account, other]).is_err(), "{text}");
        }
        assert!(read("everybody", &[account, other]).is_err(), "which account?");
    }
}
