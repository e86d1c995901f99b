use super::client::AdminClient;
use super::output::{Output, entitlements};
use super::units::entitlement;
use anyhow::Context as _;
use axum::http::Method;
use clap::Subcommand;
use reqwest::Url;
use seatlock_server::http::api::schema::{EntitlementJson, List, PlanContent, PlanJson};

#[derive(Subcommand)]
pub(super) enum PlanCommand {
    /// List plans
    List,
    /// Make a plan, or replace what it contains, for every license that has it
    Set {
        /// Its name, such as "pro"
        name: String,
        /// It carries no seats: nobody can make tokens for plug-ins
        #[arg(long)]
        no_seats: bool,
        /// Entitlement that comes with it: "cad", "export.max=25" with a value, "trial@2027-01-31"
        /// with an end; may be repeated
        #[arg(long = "entitlement", value_name = "NAME[=NUMBER][@DATE]", value_parser = entitlement)]
        entitlements: Vec<(String, EntitlementJson)>,
    },
}

impl PlanCommand {
    pub(super) async fn run(self, client: &AdminClient, output: Output) -> anyhow::Result<()> {
        match self {
            Self::List => {
                let plans: List<PlanJson> = client.get("/plans", &[]).await?;
                output.table(&plans.items, ["PLAN", "SEATS", "ENTITLEMENTS"], |plan| {
                    let seats = if plan.carries_seats { "yes" } else { "no" };
                    [plan.name.clone(), seats.to_owned(), entitlements(&plan.entitlements)]
                })
            }
            Self::Set { name, no_seats, entitlements } => {
                let entitlements = entitlements.into_iter().collect();
                let content = PlanContent { carries_seats: !no_seats, entitlements };
                let mut path = Url::parse("http://localhost/plans")?;
                if let Ok(mut segments) = path.path_segments_mut() {
                    segments.push(&name);
                }
                let set = client.send(Method::PUT, path.path(), &[], Some(&content), None).await;
                let plan: PlanJson =
                    set.with_context(|| format!("plan {} was not set", name.escape_debug()))?;
                output.done(&plan, &format!("plan {} set", plan.name))
            }
        }
    }
}
