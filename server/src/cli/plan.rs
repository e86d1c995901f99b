use super::access::{Access, Place};
use super::output::{Output, entitlements};
use super::units::entitlement;
use anyhow::Context as _;
use clap::Subcommand;
use seatlock_server::view::{EntitlementView, PlanView};

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
        entitlements: Vec<(String, EntitlementView)>,
    },
}

impl PlanCommand {
    pub(super) async fn run(self, place: &Place, output: Output) -> anyhow::Result<()> {
        let access = Access::open(place).await?;
        let done = self.carry_out(&access, output).await;
        access.close().await;
        done
    }

    async fn carry_out(self, access: &Access, output: Output) -> anyhow::Result<()> {
        match self {
            Self::List => output.table(&access.plans().await?, ["PLAN", "SEATS", "ENTITLEMENTS"], |plan| {
                let seats = if plan.carries_seats { "yes" } else { "no" };
                [plan.name.clone(), seats.to_owned(), entitlements(&plan.entitlements)]
            }),
            Self::Set { name, no_seats, entitlements } => {
                let entitlements = entitlements.into_iter().collect();
                let plan = PlanView { name: name.clone(), carries_seats: !no_seats, entitlements };
                let plan = access.set_plan(plan).await;
                let plan = plan.with_context(|| format!("plan {} was not set", name.escape_debug()))?;
                output.done(&plan, &format!("plan {} set", plan.name))
            }
        }
    }
}
