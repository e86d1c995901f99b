use super::output::Output;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use seatlock_server::{
    identity::check_url,
    keys::DataFolder,
    rules::{Admission, Client, Issuer, License, Role, Who},
    seal::client_secret_key,
    store::{Actor, AnyStore, People as _, Store as _},
};
use serde_json::{Value, json};
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
        more: More,
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
        more: More,
    },
    /// Refuse the access tokens of an issuer from now on; seats stay, and leases live until they end
    Remove {
        /// Its address
        url: String,
    },
}

#[derive(Args)]
pub(super) struct More {
    /// As people call it [default: the host of its address]
    #[arg(long)]
    name: Option<String>,
    /// A rule that admits somebody; may be repeated. With "change" these replace all rules that there are
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
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let (store, pepper) = (super::open(folder).await?, folder.pepper()?);
        let done = self.carry_out(&store, &pepper, output).await;
        store.close().await;
        done
    }

    async fn carry_out(self, store: &AnyStore, pepper: &[u8; 32], output: Output) -> anyhow::Result<()> {
        match self {
            Self::List => {
                let issuers: Vec<Value> = store.issuers().await?.issuers.iter().map(view).collect();
                output.table(&issuers, ["ISSUER", "NAME", "AUDIENCE", "CLIENT", "ADMITS"], |issuer| {
                    let [url, name, audience, client] = ["issuer", "name", "audience", "client_id"]
                        .map(|member| super::output::cell(issuer, member));
                    let rules = issuer.get("admits").and_then(Value::as_array);
                    let rules = rules.map(|rules| rules.iter().filter_map(Value::as_str).collect::<Vec<_>>());
                    [url, name, audience, client, rules.unwrap_or_default().join("; ")]
                })
            }
            Self::Add { url, audience, more } => {
                let address = check_url(&url).map_err(|reason| anyhow::anyhow!("{url}: {reason}"))?;
                let name = address.host_str().unwrap_or(&url).to_owned();
                let new = Issuer { url, name, audience, client: None, admissions: Vec::new() };
                let issuer = more.apply(new, store, pepper).await?;
                store.add_issuer(issuer.clone(), Actor::Console).await?;
                tell(output, &issuer, "is accepted from now on")
            }
            Self::Change { url, audience, more } => {
                let found = store.issuers().await?.issuers.into_iter().find(|issuer| issuer.url == url);
                let old = found.with_context(|| format!("there is no issuer {url}; see \"issuer list\""))?;
                let audience = audience.unwrap_or_else(|| old.audience.clone());
                let issuer = more.apply(Issuer { audience, ..old }, store, pepper).await?;
                store.change_issuer(issuer.clone(), Actor::Console).await?;
                tell(output, &issuer, "changed")
            }
            Self::Remove { url } => {
                store.remove_issuer(url.clone(), Actor::Console).await?;
                output.done(
                    &json!({ "removed": url }),
                    &format!("access tokens of {url} are refused from now on"),
                )
            }
        }
    }
}

impl More {
    async fn apply(self, old: Issuer, store: &AnyStore, pepper: &[u8; 32]) -> anyhow::Result<Issuer> {
        let mut issuer = Issuer { name: self.name.unwrap_or(old.name), ..old };
        if !self.admit.is_empty() {
            let accounts: Vec<Uuid> = store.accounts().await?.iter().map(|account| account.id).collect();
            let licenses = store.licenses(None).await?;
            let read = |rule: &String| {
                read_rule(rule, &accounts, &licenses)
                    .with_context(|| format!("--admit {}", rule.escape_debug()))
            };
            issuer.admissions = self.admit.iter().map(read).collect::<anyhow::Result<_>>()?;
        }
        if let Some(id) = self.client_id {
            issuer.client = Some(Client { id, sealed_secret: None });
        }
        if let Some(file) = self.client_secret_file {
            let client = issuer.client.as_mut().context("a client secret needs --client-id")?;
            let secret = std::fs::read_to_string(&file);
            let secret = zeroize::Zeroizing::new(
                secret.with_context(|| format!("{} can not be read", file.display()))?,
            );
            let sealed = client_secret_key(pepper).seal(issuer.url.as_bytes(), secret.trim().as_bytes())?;
            client.sealed_secret = Some(sealed);
        }
        if let Err((member, reason)) = issuer.check() {
            bail!("{member}: {reason}");
        }
        Ok(issuer)
    }
}

fn read_rule(text: &str, accounts: &[Uuid], licenses: &[License]) -> anyhow::Result<Admission> {
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
    let owner = match license {
        Some(id) => {
            let found = licenses.iter().find(|license| license.id == id);
            Some(found.with_context(|| format!("there is no license {id}"))?.account)
        }
        None => None,
    };
    let account = match (account.or(owner), accounts) {
        (Some(id), all) if all.contains(&id) && owner.is_none_or(|owner| owner == id) => id,
        (Some(id), _) if owner.is_some() => bail!("the license is not of the account {id}"),
        (Some(id), _) => bail!("there is no account {id}"),
        (None, [only]) => *only,
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

fn view(issuer: &Issuer) -> Value {
    let client = issuer.client.as_ref();
    json!({
        "issuer": issuer.url, "name": issuer.name, "audience": issuer.audience,
        "client_id": client.map(|client| &client.id),
        "client_secret": client.is_some_and(|client| client.sealed_secret.is_some()),
        "admits": issuer.admissions.iter().map(write_rule).collect::<Vec<_>>(),
    })
}

fn tell(output: Output, issuer: &Issuer, what: &str) -> anyhow::Result<()> {
    let nobody =
        if issuer.admissions.is_empty() { "\nNobody is admitted yet: add a rule with --admit." } else { "" };
    output.done(&view(issuer), &format!("{} ({}) {what}{nobody}", issuer.url, issuer.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_as_they_are_typed() {
        let (account, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let license = License::usual(Uuid::from_u128(3), other, false);
        let read = |text: &str, accounts: &[Uuid]| read_rule(text, accounts, std::slice::from_ref(&license));
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
            format!("everybody,account={}", Uuid::from_u128(9)),
            format!("everybody,license={}", Uuid::from_u128(9)),
            format!("everybody,license={},account={account}", license.id),
        ];
        for text in wrong {
            assert!(read(&text, &[account, other]).is_err(), "{text}");
        }
        assert!(read("everybody", &[account, other]).is_err(), "which account?");
    }
}
