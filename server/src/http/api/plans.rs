use super::extract::{JsonBody, Principal};
use super::responses::{BadRequest, Guarded, NotJson, TooLarge};
use super::{ApiResult, Endpoints, shown};
use crate::domain::Plan;
use crate::http::api::schema::{List, PlanContent, PlanJson, entitlements_of};
use crate::http::{AppState, api::error::ApiError};
use axum::extract::{Path, State};
use std::sync::Arc;

pub(super) fn add(to: Endpoints) -> Endpoints {
    to.add(__path_list_plans, list_plans).add(__path_set_plan, set_plan)
}

/// List plans
///
/// By name.
#[utoipa::path(
    get, path = "/plans",
    responses((status = 200, description = "Plans.", body = List<PlanJson>), Guarded)
)]
async fn list_plans(State(state): State<Arc<AppState>>, who: Principal) -> ApiResult {
    shown(&List::whole(who.service(&state).plans().await?.iter().map(PlanJson::from).collect()))
}

/// Make a plan, or replace what it contains
///
/// For every license that has it. For administrators.
#[utoipa::path(
    put, path = "/plans/{name}", request_body = PlanContent,
    params(("name" = String, Path, description = "Its name, without blanks.")),
    responses(
        (status = 200, description = "The plan.", body = PlanJson),
        BadRequest, TooLarge, NotJson, Guarded
    )
)]
async fn set_plan(
    State(state): State<Arc<AppState>>,
    who: Principal,
    name: Result<Path<String>, axum::extract::rejection::PathRejection>,
    JsonBody(content): JsonBody<PlanContent>,
) -> ApiResult {
    let Path(name) = name.map_err(|_| ApiError::invalid("name", "it is not UTF-8"))?;
    let entitlements = entitlements_of(content.entitlements);
    let plan = Plan { name, carries_seats: content.carries_seats, entitlements };
    who.service(&state).set_plan(plan.clone()).await?;
    shown(&PlanJson::from(&plan))
}
