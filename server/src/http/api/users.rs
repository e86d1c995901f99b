use super::extract::{JsonBody, PathId, Principal, QueryParams, limit};
use super::responses::{BadRequest, Clash, Guarded, NoSuch, NotJson, TooLarge};
use super::{ApiResult, Endpoints, cursor, made, shown};
use crate::http::api::schema::{
    InvitationJson, List, NewPassword, NewUserRequest, UserChangeRequest, UserJson,
};
use crate::http::{AppState, api::error::ApiError};
use crate::service::Invitation;
use crate::service::UserChange;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use uuid::Uuid;

pub(super) fn add(to: Endpoints) -> Endpoints {
    to.add(__path_list_users, list_users)
        .add(__path_add_user, add_user)
        .add(__path_change_user, change_user)
        .add(__path_replace_password, replace_password)
        .add(__path_set_password, set_password)
}

/// Which users.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UsersQuery {
    /// Of one account; for administrators.
    account: Option<Uuid>,
    /// Where to go on: `next` of the answer before.
    after: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
}

/// List users
///
/// The oldest first. An owner sees those of the own account.
#[utoipa::path(
    get, path = "/users", params(UsersQuery),
    responses((status = 200, description = "Users.", body = List<UserJson>), BadRequest, Guarded)
)]
async fn list_users(
    State(state): State<Arc<AppState>>,
    who: Principal,
    QueryParams(query): QueryParams<UsersQuery>,
) -> ApiResult {
    let limit = limit(query.limit)?;
    let users = who.service(&state).users(query.account).await?;
    let views = users.iter().map(UserJson::from).collect();
    shown(&cursor::part(views, query.after.as_deref(), limit, |user: &UserJson| user.id)?)
}

/// Add a user
///
/// Unless the first password is named, one is made, and the answer holds it, this once. For
/// administrators.
#[utoipa::path(
    post, path = "/users", request_body = NewUserRequest,
    responses(
        (status = 201, description = "The user and the first password.", body = InvitationJson,
            headers(("Location" = String, description = "Address of the user, for changes."))),
        BadRequest, NoSuch, Clash, TooLarge, NotJson, Guarded
    )
)]
async fn add_user(
    State(state): State<Arc<AppState>>,
    who: Principal,
    JsonBody(request): JsonBody<NewUserRequest>,
) -> ApiResult {
    let NewUserRequest { account, email, role, password } = request;
    let chosen = password.map(Into::into);
    let invited =
        who.service(&state).add_user(state.services.passwords(), account, &email, role, chosen).await?;
    made(&format!("/users/{}", invited.user.id), &view(invited))
}

/// Change a user
///
/// Another role, or an end, for anybody but yourself. Ends the user's sessions; whoever is disabled
/// loses the API tokens as well. For administrators.
#[utoipa::path(
    patch, path = "/users/{id}", request_body = UserChangeRequest,
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 200, description = "The user afterwards.", body = UserJson),
        BadRequest, NoSuch, TooLarge, NotJson, Guarded
    )
)]
async fn change_user(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
    JsonBody(request): JsonBody<UserChangeRequest>,
) -> ApiResult {
    let service = who.service(&state);
    let change = match (request.role, request.disabled) {
        (Some(role), None) => UserChange::Role(role),
        (None, Some(true)) => UserChange::Disable,
        (None, Some(false)) => UserChange::Enable,
        _ => return Err(ApiError::invalid("body", "say one thing that is to be changed: role or disabled")),
    };
    let user = service.change_user(id, change).await?;
    shown(&UserJson::from(&user))
}

/// Replace a user's password
///
/// Ends the user's sessions. The answer holds the new password, this once. For administrators.
#[utoipa::path(
    post, path = "/users/{id}/password", params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 200, description = "The user and the new password.", body = InvitationJson),
        BadRequest, NoSuch, NotJson, Guarded
    )
)]
async fn replace_password(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
) -> ApiResult {
    shown(&view(who.service(&state).replace_password(state.services.passwords(), id, None).await?))
}

/// Set a user's password
///
/// To one that somebody has chosen. Ends the user's sessions. For administrators.
#[utoipa::path(
    put, path = "/users/{id}/password", request_body = NewPassword,
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 200, description = "The user.", body = InvitationJson),
        BadRequest, NoSuch, TooLarge, NotJson, Guarded
    )
)]
async fn set_password(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
    JsonBody(request): JsonBody<NewPassword>,
) -> ApiResult {
    let chosen = Some(request.password.into());
    shown(&view(who.service(&state).replace_password(state.services.passwords(), id, chosen).await?))
}

fn view(invited: Invitation) -> InvitationJson {
    InvitationJson { user: (&invited.user).into(), password: invited.password.map(Into::into) }
}
