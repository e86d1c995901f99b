use super::extract::{JsonBody, Principal, QueryParams, limit};
use super::responses::{BadRequest, Guarded, NotJson, TooLarge};
use super::{ApiResult, Endpoints, ListQuery, cursor, made, shown};
use crate::http::AppState;
use crate::http::api::schema::{AccountJson, List, NewAccount};
use axum::extract::State;
use std::sync::Arc;

pub(super) fn add(to: Endpoints) -> Endpoints {
    to.add(__path_list_accounts, list_accounts).add(__path_create_account, create_account)
}

/// List accounts
///
/// The oldest first. An owner sees the own one.
#[utoipa::path(
    get, path = "/accounts", params(ListQuery),
    responses((status = 200, description = "Accounts.", body = List<AccountJson>), BadRequest, Guarded)
)]
async fn list_accounts(
    State(state): State<Arc<AppState>>,
    who: Principal,
    QueryParams(query): QueryParams<ListQuery>,
) -> ApiResult {
    let limit = limit(query.limit)?;
    let accounts = who.service(&state).accounts().await?;
    let views = accounts.iter().map(AccountJson::from).collect();
    shown(&cursor::part(views, query.after.as_deref(), limit, |account: &AccountJson| account.id)?)
}

/// Make an account
///
/// Licenses and users belong to accounts. For administrators.
#[utoipa::path(
    post, path = "/accounts", request_body = NewAccount,
    responses(
        (status = 201, description = "The account.", body = AccountJson,
            headers(("Location" = String, description = "Address of the accounts."))),
        BadRequest, TooLarge, NotJson, Guarded
    )
)]
async fn create_account(
    State(state): State<Arc<AppState>>,
    who: Principal,
    JsonBody(request): JsonBody<NewAccount>,
) -> ApiResult {
    made("/accounts", &AccountJson::from(&who.service(&state).create_account(&request.name).await?))
}
