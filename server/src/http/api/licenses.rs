use super::extract::{Ask, Body, Id, Visitor, limit};
use super::responses::{BadRequest, Clash, Guarded, NoSuch, NotJson, TooLarge};
use super::{Answer, Endpoints, cursor, made, shown};
use crate::domain::License;
use crate::http::api::schema::{LicenseChange, LicenseView, List, NewLicense, license_version};
use crate::http::{AppState, api::error::Failure};
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
    responses((status = 200, description = "Licenses.", body = List<LicenseView>), BadRequest, Guarded)
)]
async fn list_licenses(
    State(state): State<Arc<AppState>>,
    who: Visitor,
    Ask(query): Ask<LicensesQuery>,
) -> Answer {
    let limit = limit(query.limit)?;
    let licenses = who.desk(&state).licenses(query.account).await?;
    let views = licenses.iter().map(LicenseView::from).collect();
    shown(&cursor::part(views, query.after.as_deref(), limit, |license: &LicenseView| license.id)?)
}

/// Make a license
///
/// For administrators.
#[utoipa::path(
    post, path = "/licenses", request_body = NewLicense,
    responses(
        (status = 201, description = "The license.", body = LicenseView,
            headers(("Location" = String, description = "Address of the license."))),
        BadRequest, NoSuch, TooLarge, NotJson, Guarded
    )
)]
async fn create_license(
    State(state): State<Arc<AppState>>,
    who: Visitor,
    Body(request): Body<NewLicense>,
) -> Answer {
    let usual = License::usual(Uuid::new_v4(), request.account, false);
    let license = request.settings.apply(usual, state.store.ready().await?);
    let license = LicenseView::from(&who.desk(&state).create_license(license).await?);
    made(&format!("/licenses/{}", license.id), &license)
}

/// Show a license
#[utoipa::path(
    get, path = "/licenses/{id}", params(("id" = Uuid, Path, description = "The license.")),
    responses((status = 200, description = "The license.", body = LicenseView), NoSuch, Guarded)
)]
async fn get_license(State(state): State<Arc<AppState>>, who: Visitor, Id(id): Id) -> Answer {
    shown(&LicenseView::from(&who.desk(&state).license(id).await?))
}

/// Change a license
///
/// What is not named stays. With `version` the change is refused when somebody else has changed the
/// license since you looked at it. For administrators.
#[utoipa::path(
    patch, path = "/licenses/{id}", request_body = LicenseChange,
    params(("id" = Uuid, Path, description = "The license.")),
    responses(
        (status = 200, description = "The license afterwards.", body = LicenseView),
        BadRequest, NoSuch, Clash, TooLarge, NotJson, Guarded
    )
)]
async fn change_license(
    State(state): State<Arc<AppState>>,
    who: Visitor,
    Id(id): Id,
    Body(request): Body<LicenseChange>,
) -> Answer {
    let desk = who.desk(&state);
    let old = desk.license(id).await?;
    desk.admins_only()?;
    let decided_on = request.version;
    let new = request.settings.apply(old.clone(), state.store.ready().await?);
    if decided_on.is_some_and(|version| version != license_version(&old)) {
        let detail = "Somebody else has changed this license since; nothing was changed. Look at it again.";
        return Err(Failure::conflict(detail));
    }
    shown(&LicenseView::from(&desk.change_license(old, new).await?))
}
