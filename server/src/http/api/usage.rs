use super::extract::{Principal, QueryParams};
use super::responses::{BadRequest, Guarded};
use super::{ApiResult, Endpoints, shown};
use crate::http::AppState;
use crate::http::api::schema::UsageList;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use uuid::Uuid;

pub(super) fn add(to: Endpoints) -> Endpoints {
    to.add(__path_get_usage, get_usage)
}

/// Of what.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UsageQuery {
    /// Of one account; for administrators.
    account: Option<Uuid>,
    /// Of one license.
    license: Option<Uuid>,
}

/// Show how much is used
///
/// One entry for each license, the oldest first. `recovery` says whether a restored database still
/// learns from machines what happened since its backup.
#[utoipa::path(
    get, path = "/usage", params(UsageQuery),
    responses((status = 200, description = "Use of the licenses.", body = UsageList), BadRequest, Guarded)
)]
async fn get_usage(
    State(state): State<Arc<AppState>>,
    who: Principal,
    QueryParams(query): QueryParams<UsageQuery>,
) -> ApiResult {
    let service = who.service(&state);
    let licenses = service.licenses(query.account).await?;
    let wanted = licenses.iter().filter(|license| query.license.is_none_or(|id| license.id == id));
    shown(&UsageList::new(wanted, &service.outliving().await?, service.recovery().await?.as_ref()))
}
