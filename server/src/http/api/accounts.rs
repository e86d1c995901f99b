use super::extract::{Ask, Body, Visitor, limit};
use super::responses::{BadRequest, Guarded, NotJson, TooLarge};
use super::{Answer, Endpoints, ListQuery, cursor, made, shown};
use crate::http::AppState;
use crate::http::api::schema::{AccountView, List, NewAccount};
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
    responses((status = 200, description = "Accounts.", body = List<AccountView>), BadRequest, Guarded)
)]
async fn list_accounts(
    State(state): State<Arc<AppState>>,
    who: Visitor,
    Ask(query): Ask<ListQuery>,
) -> Answer {
    let limit = limit(query.limit)?;
    let accounts = who.desk(&state).accounts().await?;
    let views = accounts.iter().map(AccountView::from).collect();
    shown(&cursor::part(views, query.after.as_deref(), limit, |account: &AccountView| account.id)?)
}

/// Make an account
///
/// Licenses and users belong to accounts. For administrators.
#[utoipa::path(
    post, path = "/accounts", request_body = NewAccount,
    responses(
        (status = 201, description = "The account.", body = AccountView,
            headers(("Location" = String, description = "Address of the accounts."))),
        BadRequest, TooLarge, NotJson, Guarded
    )
)]
async fn create_account(
    State(state): State<Arc<AppState>>,
    who: Visitor,
    Body(request): Body<NewAccount>,
) -> Answer {
    made("/accounts", &AccountView::from(&who.desk(&state).create_account(&request.name).await?))
}
