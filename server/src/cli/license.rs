use super::account::chosen;
use super::output::Output;
use super::units::{End, duration, in_words};
use anyhow::{Context as _, bail};
use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use seatlock_protocol::claims::{ClockAction, ClockPolicy};
use seatlock_server::{
    keys::DataFolder,
    rules::{ClonePolicy, License, Plan, ReleaseMode, timestamp},
    store::{Actor, Store as _, StoreError},
};
use uuid::Uuid;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

#[derive(Subcommand)]
pub(super) enum LicenseCommand {
    /// Make a license
    Create {
        /// The account that holds it, when there are several
        #[arg(long, value_name = "UUID")]
        account: Option<Uuid>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Change a license; what is not named stays
    Change {
        /// The license
        id: Uuid,
        /// Pause the subscription: every call is refused, and machines forget their leases
        #[arg(long, conflicts_with = "resume")]
        suspend: bool,
        /// End the pause
        #[arg(long)]
        resume: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Show all licenses, or one
    Show {
        /// The license
        id: Option<Uuid>,
    },
}

/// Limits and policy.
#[derive(Args)]
pub(super) struct Settings {
    /// Product that may be activated; may be repeated
    #[arg(long = "product", value_name = "NAME")]
    products: Vec<String>,
    /// Seats that may be in use, and tokens that may exist [default: 1]
    #[arg(long)]
    seats: Option<u32>,
    /// Plan, see "plan list"; "starter" carries no seats [default: pro]
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Entitlement such as "cad" beside those of the plan; may be repeated
    #[arg(long = "entitlement", value_name = "NAME")]
    entitlements: Vec<String>,
    /// Version of the terms that must be accepted; "" for none
    #[arg(long, value_name = "VERSION")]
    terms: Option<String>,
    /// Longest life of a lease without the server [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    offline_ttl: Option<u64>,
    /// Life of a lease for a machine without a network [default: 90d]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    airgap_ttl: Option<u64>,
    /// A seat without a ping for this long is released [default: 14d]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    auto_release: Option<u64>,
    /// Time between two pings, give or take 20 % [default: 6h]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    renew: Option<u64>,
    /// How long before a lease's end the user is warned [default: 48h]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    warn: Option<u64>,
    /// Time between two manual releases [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    release_window: Option<u64>,
    /// Whether a manually released seat is free at once
    #[arg(long)]
    release_mode: Option<ReleaseMode>,
    /// Whether a released machine takes its seat back at the next launch [default: true]
    #[arg(long, value_name = "BOOL")]
    relaunch_rebinds: Option<bool>,
    /// What a second copy of an installation meets
    #[arg(long)]
    clone_policy: Option<ClonePolicy>,
    /// How far a computer's clock may be behind what is known [default: 26h]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    clock_tolerance: Option<u64>,
    /// What follows when it is further behind: time stands still, or the plug-in is locked until the date is set right or
    /// the server is reached [default: freeze]
    #[arg(long, value_parser = PossibleValuesParser::new(["freeze", "lock"]).map(clock_action))]
    clock_action: Option<ClockAction>,
    /// Oldest client library that is served; "" for any
    #[arg(long, value_name = "VERSION")]
    min_client: Option<String>,
    /// End of the subscription: a date, a time or "never" [default: never]
    #[arg(long, value_name = "DATE")]
    expires: Option<End>,
}

fn clock_action(name: String) -> ClockAction {
    if name == "lock" { ClockAction::Lock } else { ClockAction::Freeze }
}

/// A license with the usual values. An ephemeral one is for farms and containers, which come and go by the hour.
pub(super) fn usual(account: Uuid, ephemeral: bool) -> License {
    let (offline_ttl, auto_release) = if ephemeral { (30 * MINUTE, HOUR) } else { (7 * DAY, 14 * DAY) };
    License {
        id: Uuid::new_v4(),
        account,
        plan: named("pro".to_owned()),
        entitlements: Vec::new(),
        products: Vec::new(),
        seats_max: 1,
        in_use: 0,
        tokens: 0,
        offline_ttl,
        airgap_ttl: 90 * DAY,
        auto_release,
        renew: if ephemeral { offline_ttl / 3 } else { 6 * HOUR },
        warn: 48 * HOUR,
        release_window: DAY,
        release_mode: ReleaseMode::Immediate,
        relaunch_rebinds: true,
        clone_policy: ClonePolicy::Flag,
        clock: ClockPolicy { tol: 26 * HOUR, act: ClockAction::Freeze },
        terms: None,
        min_client: None,
        suspended_at: None,
        expires_at: None,
        last_manual_release_at: None,
    }
}

/// A plan of which only the name is known yet; the store knows what it contains.
fn named(name: String) -> Plan {
    Plan { name, carries_seats: true, entitlements: Vec::new() }
}

impl Settings {
    /// `license` with what was named on the command line.
    pub(super) fn apply(self, license: License) -> anyhow::Result<License> {
        let words = |named: Vec<String>, old| if named.is_empty() { old } else { named };
        let text = |named: Option<String>, old| match named {
            Some(named) => Some(named).filter(|named| !named.is_empty()),
            None => old,
        };
        let changed = License {
            products: words(self.products, license.products),
            seats_max: self.seats.unwrap_or(license.seats_max),
            plan: self.plan.map_or(license.plan, named),
            entitlements: words(self.entitlements, license.entitlements),
            terms: text(self.terms, license.terms),
            offline_ttl: self.offline_ttl.unwrap_or(license.offline_ttl),
            airgap_ttl: self.airgap_ttl.unwrap_or(license.airgap_ttl),
            auto_release: self.auto_release.unwrap_or(license.auto_release),
            renew: self.renew.unwrap_or(license.renew),
            warn: self.warn.unwrap_or(license.warn),
            release_window: self.release_window.unwrap_or(license.release_window),
            release_mode: self.release_mode.unwrap_or(license.release_mode),
            relaunch_rebinds: self.relaunch_rebinds.unwrap_or(license.relaunch_rebinds),
            clone_policy: self.clone_policy.unwrap_or(license.clone_policy),
            clock: ClockPolicy {
                tol: self.clock_tolerance.unwrap_or(license.clock.tol),
                act: self.clock_action.unwrap_or(license.clock.act),
            },
            min_client: text(self.min_client, license.min_client),
            expires_at: self.expires.map_or(license.expires_at, |end| end.0),
            ..license
        };
        if changed.products.is_empty() {
            bail!("a license needs a product. Name it with --product");
        }
        let names = changed.products.iter().chain(&changed.entitlements);
        if let Some(name) =
            names.into_iter().find(|name| name.is_empty() || name.contains(char::is_whitespace))
        {
            bail!("\"{name}\" is not a name: products and entitlements have no blanks in them");
        }
        if changed.auto_release < 2 {
            bail!("--auto-release must be 2s or more, so that a lease can end before it");
        }
        Ok(changed)
    }
}

impl LicenseCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        match self {
            Self::Create { account, settings } => {
                let account = chosen(&store, account).await?.id;
                let license = settings.apply(usual(account, false))?;
                let made = store.add_license(license, Actor::Console).await;
                let license = made.context("the license was not made")?;
                output.done(&license, &format!("license {} made", license.id))?;
            }
            Self::Change { id, suspend, resume, settings } => {
                let old = find(store.licenses(None).await?, id)?;
                let mut license = settings.apply(old.clone())?;
                if suspend {
                    license.suspended_at = license.suspended_at.or(Some(store.ready().await?));
                }
                if resume {
                    license.suspended_at = None;
                }
                let changed = store.change_license(old, license, Actor::Console).await;
                let license = changed.with_context(|| format!("license {id} was not changed"))?;
                output.done(&license, &format!("license {id} changed"))?;
            }
            Self::Show { id } => {
                let all = store.licenses(None).await?;
                let shown = match id {
                    Some(id) => vec![find(all, id)?],
                    None => all,
                };
                let head =
                    ["LICENSE", "PLAN", "PRODUCTS", "SEATS", "IN USE", "TOKENS", "LEASE", "RELEASE", "ENDS"];
                output.table(&shown, head, |license| {
                    [
                        license.id.to_string(),
                        license.plan.name.clone(),
                        license.products.join(" "),
                        license.seats_max.to_string(),
                        license.in_use.to_string(),
                        license.tokens.to_string(),
                        in_words(license.offline_ttl),
                        in_words(license.auto_release),
                        ends(license),
                    ]
                })?;
            }
        }
        store.close().await;
        Ok(())
    }
}

fn ends(license: &License) -> String {
    match (license.suspended_at, license.expires_at) {
        (Some(_), _) => "paused".to_owned(),
        (None, Some(end)) => timestamp(end),
        (None, None) => "never".to_owned(),
    }
}

fn find(licenses: Vec<License>, id: Uuid) -> anyhow::Result<License> {
    let found = licenses.into_iter().find(|license| license.id == id);
    found.ok_or_else(|| StoreError::NotFound(format!("license {id}")).into())
}
