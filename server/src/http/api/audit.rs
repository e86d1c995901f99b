use super::extract::{Principal, QueryParams, limit};
use super::responses::{BadRequest, Guarded};
use super::{ApiResult, Endpoints, cursor, shown};
use crate::http::AppState;
use crate::http::api::schema::{AuditJson, AuditStateJson, List};
use crate::service::AuditQuery;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use uuid::Uuid;

pub(super) fn add(to: Endpoints) -> Endpoints {
    to.add(__path_list_audit, list_audit).add(__path_verify_audit, verify_audit)
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EntriesQuery {
    /// Of one account; for administrators.
    account: Option<Uuid>,
    /// Of one seat.
    seat: Option<Uuid>,
    /// Where to go on: `next` of the answer before.
    after: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
}

/// How much of the trail is followed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct VerifyQuery {
    /// Only what follows the newest checkpoint that the server keeps.
    #[serde(default)]
    #[param(required = false, default = false)]
    from_checkpoint: bool,
}

/// List the audit trail
///
/// The newest entries first.
#[utoipa::path(
    get, path = "/audit", params(EntriesQuery),
    responses((status = 200, description = "Entries.", body = List<AuditJson>), BadRequest, Guarded)
)]
async fn list_audit(
    State(state): State<Arc<AppState>>,
    who: Principal,
    QueryParams(query): QueryParams<EntriesQuery>,
) -> ApiResult {
    let before = query.after.as_deref().map(cursor::read_number).transpose()?;
    let query = AuditQuery { account: query.account, seat: query.seat, before, limit: limit(query.limit)? };
    let page = who.service(&state).audit(query).await?;
    let next = page.rows.last().filter(|_| page.more).map(|last| cursor::write_number(last.id));
    shown(&List { items: page.rows.iter().map(AuditJson::from).collect(), next })
}

/// Check the audit trail
///
/// Follows the chain of hashes through the whole server's trail. For a trail so long that this
/// takes more time than a request has, ask for what follows the newest checkpoint. For
/// administrators. Note the head elsewhere: it shows whether the newest entries are still there.
#[utoipa::path(
    get, path = "/audit/verify", params(VerifyQuery),
    responses((status = 200, description = "What the chain says.", body = AuditStateJson), BadRequest, Guarded)
)]
async fn verify_audit(
    State(state): State<Arc<AppState>>,
    who: Principal,
    QueryParams(query): QueryParams<VerifyQuery>,
) -> ApiResult {
    shown(&AuditStateJson::from(&who.service(&state).verify_audit(query.from_checkpoint).await?))
}
