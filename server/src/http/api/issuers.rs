use super::extract::{JsonBody, PathId, Principal, QueryParams, limit};
use super::responses::{BadRequest, Clash, Guarded, NoSuch, NotJson, TooLarge};
use super::{ApiResult, Endpoints, ListQuery, cursor, made, shown};
use crate::http::AppState;
use crate::http::api::schema::{
    ChangedIssuerJson, IssuerChangeRequest, IssuerJson, List, NewIssuer, RemovedIssuerJson,
};
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

pub(super) fn add(to: Endpoints) -> Endpoints {
    to.add(__path_list_issuers, list_issuers)
        .add(__path_add_issuer, add_issuer)
        .add(__path_get_issuer, get_issuer)
        .add(__path_change_issuer, change_issuer)
        .add(__path_remove_issuer, remove_issuer)
}

/// How an issuer is changed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ChangeQuery {
    /// Say what would happen, and change nothing.
    #[serde(default)]
    #[param(default = false)]
    dry_run: bool,
}

/// List issuers and whom they admit
///
/// The oldest first, without their client secrets. For administrators.
#[utoipa::path(
    get, path = "/issuers", params(ListQuery),
    responses((status = 200, description = "Issuers.", body = List<IssuerJson>), BadRequest, Guarded)
)]
async fn list_issuers(
    State(state): State<Arc<AppState>>,
    who: Principal,
    QueryParams(query): QueryParams<ListQuery>,
) -> ApiResult {
    let limit = limit(query.limit)?;
    let issuers = who.service(&state).issuers()?.list().await?;
    let views = issuers.iter().map(IssuerJson::from).collect();
    shown(&cursor::part(views, query.after.as_deref(), limit, |issuer: &IssuerJson| issuer.id)?)
}

/// Accept the access tokens of an issuer
///
/// At once, on all servers of the database. Whom its rules admit gets seats, and by a role more
/// than that. For administrators.
#[utoipa::path(
    post, path = "/issuers", request_body = NewIssuer,
    responses(
        (status = 201, description = "The issuer.", body = IssuerJson,
            headers(("Location" = String, description = "Address of the issuer."))),
        BadRequest, Clash, TooLarge, NotJson, Guarded
    )
)]
async fn add_issuer(
    State(state): State<Arc<AppState>>,
    who: Principal,
    JsonBody(request): JsonBody<NewIssuer>,
) -> ApiResult {
    let (url, settings) = request.into_parts();
    let issuer = IssuerJson::from(&who.service(&state).issuers()?.add(url, settings).await?);
    made(&format!("/issuers/{}", issuer.id), &issuer)
}

/// Show an issuer
///
/// For administrators.
#[utoipa::path(
    get, path = "/issuers/{id}", params(("id" = Uuid, Path, description = "The issuer.")),
    responses((status = 200, description = "The issuer.", body = IssuerJson), NoSuch, Guarded)
)]
async fn get_issuer(State(state): State<Arc<AppState>>, who: Principal, PathId(id): PathId) -> ApiResult {
    shown(&IssuerJson::from(&who.service(&state).issuers()?.find(id).await?))
}

/// Change an issuer
///
/// What is not named stays. Whom the rules admit no more is refused from now on; the own seat
/// stays. For administrators.
#[utoipa::path(
    patch, path = "/issuers/{id}", request_body = IssuerChangeRequest,
    params(("id" = Uuid, Path, description = "The issuer."), ChangeQuery),
    responses(
        (status = 200, description = "The issuer afterwards.", body = ChangedIssuerJson),
        BadRequest, NoSuch, TooLarge, NotJson, Guarded
    )
)]
async fn change_issuer(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
    QueryParams(query): QueryParams<ChangeQuery>,
    JsonBody(request): JsonBody<IssuerChangeRequest>,
) -> ApiResult {
    let issuer = who.service(&state).issuers()?.change(id, request.into(), query.dry_run).await?;
    shown(&ChangedIssuerJson { issuer: (&issuer).into(), dry_run: query.dry_run })
}

/// Refuse the access tokens of an issuer from now on
///
/// Seats stay, and leases live until they end. Whoever signs in with it loses the seat page and the
/// admin API. For administrators.
#[utoipa::path(
    delete, path = "/issuers/{id}",
    params(("id" = Uuid, Path, description = "The issuer."), ChangeQuery),
    responses(
        (status = 200, description = "What it was.", body = RemovedIssuerJson),
        BadRequest, NoSuch, NotJson, Guarded
    )
)]
async fn remove_issuer(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
    QueryParams(query): QueryParams<ChangeQuery>,
) -> ApiResult {
    let (issuer, seats) = who.service(&state).issuers()?.remove(id, query.dry_run).await?;
    shown(&RemovedIssuerJson { issuer: (&issuer).into(), seats, dry_run: query.dry_run })
}
