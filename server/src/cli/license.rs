use super::account;
use super::client::AdminClient;
use super::output::Output;
use super::units::{End, duration, entitlement, in_words};
use anyhow::{Context as _, bail};
use axum::http::Method;
use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use seatlock_protocol::{UnixTime, claims::ClockAction, json};
use seatlock_server::domain::{ClonePolicy, ReleaseMode, SuppliedIds};
use seatlock_server::http::api::schema::{
    ClockSettings, EntitlementJson, EntitlementsJson, LicenseChange, LicenseJson, LicenseSettings,
    NewLicense, Timestamp,
};
use serde_json::{Map, Value};
use uuid::Uuid;

#[derive(Subcommand)]
pub(super) enum LicenseCommand {
    /// Make a license
    Create {
        /// The account that holds it, when there are several
        #[arg(long, value_name = "UUID")]
        account: Option<Uuid>,
        #[command(flatten)]
        settings: LicenseOptions,
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
        settings: LicenseOptions,
    },
    /// Show all licenses, or one
    Show {
        /// The license
        id: Option<Uuid>,
    },
}

/// Limits and policy.
#[derive(Clone, Args)]
pub(super) struct LicenseOptions {
    /// Product that may be activated; may be repeated
    #[arg(long = "product", value_name = "NAME")]
    products: Vec<String>,
    /// Seats that may be in use, and tokens that may exist [default: 1]
    #[arg(long)]
    seats: Option<u32>,
    /// Plan, see "plan list"; "starter" carries no seats [default: pro]
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Entitlement beside those of the plan: "cad", "export.max=25" with a value,
    /// "trial@2027-01-31" with an end; may be repeated. What is named takes the place of all
    /// those before
    #[arg(long = "entitlement", value_name = "NAME[=NUMBER][@DATE]", value_parser = entitlement)]
    entitlements: Vec<(String, EntitlementJson)>,
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
    /// What a machine meets whose id was supplied by its host or by SEATLOCK_MACHINE_ID
    /// [default: flag]
    #[arg(long)]
    supplied_ids: Option<SuppliedIds>,
    /// Installations that may use one hold at a time, users of one computer and plug-ins beside
    /// each other; 64 for any number [default: 4]
    #[arg(long, value_name = "N")]
    installs_max: Option<u32>,
    /// How far a computer's clock may be behind what is known [default: 26h]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    clock_tolerance: Option<u64>,
    /// What follows when it is further behind: time stands still, or the plug-in is locked until
    /// the date is set right or the server is reached [default: freeze]
    #[arg(long, value_parser = PossibleValuesParser::new(["freeze", "lock"]).map(clock_action))]
    clock_action: Option<ClockAction>,
    /// Oldest version of the plug-in that is served, such as 2.4.1; "" for any
    #[arg(long, value_name = "VERSION")]
    min_plugin: Option<String>,
    /// End of the subscription: a date, a time or "never" [default: never]
    #[arg(long, value_name = "DATE")]
    expires: Option<End>,
    /// End of the updates: versions of the plug-in that were released later are not included. A
    /// date, a time or "never" [default: never]
    #[arg(long, value_name = "DATE")]
    updates_until: Option<End>,
    /// The vendor's own JSON object, which every lease carries: at most 2,048 bytes; "" for none
    #[arg(long, value_name = "JSON", value_parser = vendor_data)]
    vendor_data: Option<VendorData>,
}

/// The vendor's own data, or that there is none.
#[derive(Clone)]
struct VendorData(Option<Map<String, Value>>);

fn vendor_data(text: &str) -> Result<VendorData, String> {
    if text.is_empty() {
        return Ok(VendorData(None));
    }
    let read = json::from_slice(text.as_bytes()).map(|data| VendorData(Some(data)));
    read.map_err(|_| {
        "write a JSON object, such as {\"rack\":7}, in quotes that your shell takes away".to_owned()
    })
}

fn clock_action(name: String) -> ClockAction {
    if name == "lock" { ClockAction::Lock } else { ClockAction::Freeze }
}

impl LicenseOptions {
    /// Whether an end was named that has passed.
    pub(super) fn ended(&self, now: UnixTime) -> bool {
        self.expires.is_some_and(|end| end.0.is_some_and(|end| end <= now))
    }

    /// What was named on the command line.
    pub(super) fn named(self) -> LicenseSettings {
        let words = |named: Vec<String>| Some(named).filter(|named| !named.is_empty());
        let text = |named: Option<String>| named.map(|named| Some(named).filter(|named| !named.is_empty()));
        let clock = ClockSettings { tol: self.clock_tolerance, act: self.clock_action };
        LicenseSettings {
            products: words(self.products),
            plan: self.plan,
            entitlements: Some(self.entitlements.into_iter().collect())
                .filter(|named: &EntitlementsJson| !named.is_empty()),
            seats_max: self.seats,
            offline_ttl: self.offline_ttl,
            airgap_ttl: self.airgap_ttl,
            auto_release: self.auto_release,
            renew: self.renew,
            warn: self.warn,
            release_window: self.release_window,
            release_mode: self.release_mode,
            relaunch_rebinds: self.relaunch_rebinds,
            clone_policy: self.clone_policy,
            supplied_ids: self.supplied_ids,
            installs_max: self.installs_max,
            clock: Some(clock).filter(|clock| *clock != ClockSettings::default()),
            terms: text(self.terms),
            min_plugin: text(self.min_plugin),
            expires_at: self.expires.map(|end| end.0.map(Timestamp)),
            updates_until: self.updates_until.map(|end| end.0.map(Timestamp)),
            data: self.vendor_data.map(|VendorData(data)| data),
            suspended: None,
        }
    }
}

impl LicenseCommand {
    pub(super) async fn run(self, client: &AdminClient, output: Output) -> anyhow::Result<()> {
        match self {
            Self::Create { account, settings } => {
                let account = account::chosen(client, account).await?.id;
                let new = NewLicense { account, settings: settings.named() };
                let made = client.post("/licenses", &new).await;
                let license: LicenseJson = made.context("the license was not made")?;
                output.done(&license, &format!("license {} made", license.id))
            }
            Self::Change { id, suspend, resume, settings } => {
                let suspended = if suspend || resume { Some(suspend) } else { None };
                let settings = LicenseSettings { suspended, ..settings.named() };
                let (path, change) = (format!("/licenses/{id}"), LicenseChange { settings, version: None });
                let changed = client.send(Method::PATCH, &path, &[], Some(&change), None).await;
                let license: LicenseJson =
                    changed.with_context(|| format!("license {id} was not changed"))?;
                output.done(&license, &format!("license {id} changed{}", too_many(&license)))
            }
            Self::Show { id } => {
                let mut shown: Vec<LicenseJson> = client.all("/licenses").await?;
                if let Some(id) = id {
                    shown.retain(|license| license.id == id);
                    if shown.is_empty() {
                        bail!("there is no license {id}");
                    }
                }
                let head =
                    ["LICENSE", "PLAN", "PRODUCTS", "SEATS", "IN USE", "TOKENS", "LEASE", "RELEASE", "ENDS"];
                output.table(&shown, head, |license| {
                    let settings = license.settings.clone();
                    [
                        license.id.to_string(),
                        settings.plan.unwrap_or_default(),
                        settings.products.unwrap_or_default().join(" "),
                        settings.seats_max.unwrap_or_default().to_string(),
                        license.in_use.to_string(),
                        license.tokens.to_string(),
                        in_words(settings.offline_ttl.unwrap_or_default()),
                        in_words(settings.auto_release.unwrap_or_default()),
                        ends(license),
                    ]
                })
            }
        }
    }
}

/// What becomes of tokens for which there is no seat any more.
fn too_many(license: &LicenseJson) -> String {
    let (tokens, seats) = (license.tokens, license.settings.seats_max.unwrap_or_default());
    if tokens <= seats {
        return String::new();
    }
    format!(
        "\n\n{tokens} tokens exist, but the license has {seats} seats: no more than that are in use at a time, and no token \
         can be made. To have as many tokens as seats, revoke {} seats.",
        tokens - seats
    )
}

fn ends(license: &LicenseJson) -> String {
    match (license.suspended_at, license.settings.expires_at.flatten()) {
        (Some(_), _) => "paused".to_owned(),
        (None, Some(end)) => end.to_string(),
        (None, None) => "never".to_owned(),
    }
}
