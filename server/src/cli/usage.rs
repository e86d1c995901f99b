use super::client::AdminClient;
use super::output::{Output, entitlements, note};
use clap::Args;
use seatlock_server::http::api::schema::UsageList;

#[derive(Args)]
pub(super) struct Usage {}

impl Usage {
    pub(super) async fn run(self, client: &AdminClient, output: Output) -> anyhow::Result<()> {
        let UsageList { items, recovery, .. } = client.get("/usage", &[]).await?;
        if let Some(recovery) = recovery {
            note(&format!(
                "recovering until {}: the restored database knows what happened until {}; {} seats were proved since",
                recovery.until, recovery.known_until, recovery.recovered
            ))?;
        }
        let head = ["LICENSE", "PLAN", "IN USE", "TOKENS", "SEATS", "OUTLIVING", "ENTITLEMENTS"];
        output.table(&items, head, |usage| {
            [
                usage.license.to_string(),
                usage.plan.clone(),
                usage.in_use.to_string(),
                usage.tokens.to_string(),
                usage.seats_max.to_string(),
                usage.outliving_leases.to_string(),
                entitlements(&usage.entitlements),
            ]
        })
    }
}
