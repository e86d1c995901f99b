use super::extract::{JsonBody, PathId, Principal, QueryParams, limit};
use super::responses::{BadRequest, Clash, Guarded, NoSuch, NotJson, TooLarge};
use super::{ApiResult, Endpoints, cursor, made, shown};
use crate::domain::License;
use crate::http::api::schema::{LicenseChange, LicenseJson, List, NewLicense, license_version};
use crate::http::{AppState, api::error::ApiError};
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use uuid::Uuid;

pub(super) fn add(to: Endpoints) -> Endpoints {
    to.add(__path_list_licenses, list_licenses)
        .add(__path_create_license, create_license)
        .add(__path_get_license, get_license)
        .add(__path_change_license, change_license)
}

/// Which licenses.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LicensesQuery {
    /// Of one account; for administrators.
    account: Option<Uuid>,
    /// Where to go on: `next` of the answer before.
    after: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
}

/// List licenses
///
/// The oldest first. An owner sees those of the own account.
#[utoipa::path(
    get, path = "/licenses", params(LicensesQuery),
    responses((status = 200, description = "Licenses.", body = List<LicenseJson>), BadRequest, Guarded)
)]
async fn list_licenses(
    State(state): State<Arc<AppState>>,
    who: Principal,
    QueryParams(query): QueryParams<LicensesQuery>,
) -> ApiResult {
    let limit = limit(query.limit)?;
    let licenses = who.service(&state).licenses(query.account).await?;
    let views = licenses.iter().map(LicenseJson::from).collect();
    shown(&cursor::part(views, query.after.as_deref(), limit, |license: &LicenseJson| license.id)?)
}

/// Make a license
///
/// For administrators.
#[utoipa::path(
    post, path = "/licenses", request_body = NewLicense,
    responses(
        (status = 201, description = "The license.", body = LicenseJson,
            headers(("Location" = String, description = "Address of the license."))),
        BadRequest, NoSuch, TooLarge, NotJson, Guarded
    )
)]
async fn create_license(
    State(state): State<Arc<AppState>>,
    who: Principal,
    JsonBody(request): JsonBody<NewLicense>,
) -> ApiResult {
    let usual = License::usual(Uuid::new_v4(), request.account, false);
    let license = request.settings.apply(usual, state.services.now().await?);
    let license = LicenseJson::from(&who.service(&state).create_license(license).await?);
    made(&format!("/licenses/{}", license.id), &license)
}

/// Show a license
#[utoipa::path(
    get, path = "/licenses/{id}", params(("id" = Uuid, Path, description = "The license.")),
    responses((status = 200, description = "The license.", body = LicenseJson), NoSuch, Guarded)
)]
async fn get_license(State(state): State<Arc<AppState>>, who: Principal, PathId(id): PathId) -> ApiResult {
    shown(&LicenseJson::from(&who.service(&state).license(id).await?))
}

/// Change a license
///
/// What is not named stays. With `version` the change is refused when somebody else has changed the
/// license since you looked at it. For administrators.
#[utoipa::path(
    patch, path = "/licenses/{id}", request_body = LicenseChange,
    params(("id" = Uuid, Path, description = "The license.")),
    responses(
        (status = 200, description = "The license afterwards.", body = LicenseJson),
        BadRequest, NoSuch, Clash, TooLarge, NotJson, Guarded
    )
)]
async fn change_license(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
    JsonBody(request): JsonBody<LicenseChange>,
) -> ApiResult {
    let service = who.service(&state);
    let old = service.license(id).await?;
    service.admins_only()?;
    let decided_on = request.version;
    let new = request.settings.apply(old.clone(), state.services.now().await?);
    if decided_on.is_some_and(|version| version != license_version(&old)) {
        let detail = "Somebody else has changed this license since; nothing was changed. Look at it again.";
        return Err(ApiError::conflict(detail));
    }
    shown(&LicenseJson::from(&service.change_license(old, new).await?))
}
