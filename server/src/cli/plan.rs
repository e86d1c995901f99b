use super::output::Output;
use anyhow::{Context as _, bail};
use clap::Subcommand;
use seatlock_server::{
    keys::DataFolder,
    rules::Plan,
    store::{Actor, People as _, Store as _},
};
use serde_json::{Value, json};

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
        /// Entitlement that comes with it, such as "cad"; may be repeated
        #[arg(long = "entitlement", value_name = "NAME")]
        entitlements: Vec<String>,
    },
}

impl PlanCommand {
    pub(super) async fn run(self, folder: &DataFolder, output: Output) -> anyhow::Result<()> {
        let store = super::open(folder).await?;
        match self {
            Self::List => {
                let plans = store.plans().await?;
                let plans: Vec<Value> = plans.iter().map(view).collect();
                output.table(&plans, ["PLAN", "SEATS", "ENTITLEMENTS"], |plan| {
                    let seats = plan.get("carries_seats") == Some(&Value::Bool(true));
                    let words = plan.get("entitlements").and_then(Value::as_array);
                    let words: Vec<&str> = words.into_iter().flatten().filter_map(Value::as_str).collect();
                    let name = plan.get("name").and_then(Value::as_str).unwrap_or_default();
                    [name.to_owned(), if seats { "yes" } else { "no" }.to_owned(), words.join(" ")]
                })?;
            }
            Self::Set { name, no_seats, entitlements } => {
                let words = entitlements.iter().chain([&name]);
                if let Some(word) =
                    words.into_iter().find(|word| word.is_empty() || word.contains(char::is_whitespace))
                {
                    bail!("\"{word}\" is not a name: plans and entitlements have no blanks in them");
                }
                let plan = Plan { name, carries_seats: !no_seats, entitlements };
                let set = store.set_plan(plan.clone(), Actor::Console).await;
                set.with_context(|| format!("plan {} was not set", plan.name))?;
                output.done(&view(&plan), &format!("plan {} set", plan.name))?;
            }
        }
        store.close().await;
        Ok(())
    }
}

fn view(plan: &Plan) -> Value {
    json!({ "name": plan.name, "carries_seats": plan.carries_seats, "entitlements": plan.entitlements })
}
