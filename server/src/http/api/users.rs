use super::extract::{Ask, Body, Id, Visitor, limit};
use super::responses::{BadRequest, Clash, Guarded, NoSuch, NotJson, TooLarge};
use super::{Answer, Endpoints, cursor, made, shown};
use crate::http::api::schema::{InvitedView, List, NewPassword, NewUserRequest, UserChangeRequest, UserView};
use crate::http::{AppState, api::error::Failure};
use crate::service::Invited;
use crate::store::UserChange;
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
    responses((status = 200, description = "Users.", body = List<UserView>), BadRequest, Guarded)
)]
async fn list_users(State(state): State<Arc<AppState>>, who: Visitor, Ask(query): Ask<UsersQuery>) -> Answer {
    let limit = limit(query.limit)?;
    let users = who.desk(&state).users(query.account).await?;
    let views = users.iter().map(UserView::from).collect();
    shown(&cursor::part(views, query.after.as_deref(), limit, |user: &UserView| user.id)?)
}

/// Add a user
///
/// Unless the first password is named, one is made, and the answer holds it, this once. For
/// administrators.
#[utoipa::path(
    post, path = "/users", request_body = NewUserRequest,
    responses(
        (status = 201, description = "The user and the first password.", body = InvitedView,
            headers(("Location" = String, description = "Address of the user, for changes."))),
        BadRequest, NoSuch, Clash, TooLarge, NotJson, Guarded
    )
)]
async fn add_user(
    State(state): State<Arc<AppState>>,
    who: Visitor,
    Body(request): Body<NewUserRequest>,
) -> Answer {
    let NewUserRequest { account, email, role, password } = request;
    let chosen = password.map(Into::into);
    let invited = who.desk(&state).add_user(&state.passwords, account, &email, role, chosen).await?;
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
        (status = 200, description = "The user afterwards.", body = UserView),
        BadRequest, NoSuch, TooLarge, NotJson, Guarded
    )
)]
async fn change_user(
    State(state): State<Arc<AppState>>,
    who: Visitor,
    Id(id): Id,
    Body(request): Body<UserChangeRequest>,
) -> Answer {
    let desk = who.desk(&state);
    let change = match (request.role, request.disabled) {
        (Some(role), None) => UserChange::Role(role),
        (None, Some(true)) => UserChange::Disable,
        (None, Some(false)) => UserChange::Enable,
        _ => return Err(Failure::invalid("body", "say one thing that is to be changed: role or disabled")),
    };
    let user = desk.change_user(id, change).await?;
    shown(&UserView::from(&user))
}

/// Replace a user's password
///
/// Ends the user's sessions. The answer holds the new password, this once. For administrators.
#[utoipa::path(
    post, path = "/users/{id}/password", params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 200, description = "The user and the new password.", body = InvitedView),
        BadRequest, NoSuch, NotJson, Guarded
    )
)]
async fn replace_password(State(state): State<Arc<AppState>>, who: Visitor, Id(id): Id) -> Answer {
    shown(&view(who.desk(&state).replace_password(&state.passwords, id, None).await?))
}

/// Set a user's password
///
/// To one that somebody has chosen. Ends the user's sessions. For administrators.
#[utoipa::path(
    put, path = "/users/{id}/password", request_body = NewPassword,
    params(("id" = Uuid, Path, description = "The user.")),
    responses(
        (status = 200, description = "The user.", body = InvitedView),
        BadRequest, NoSuch, TooLarge, NotJson, Guarded
    )
)]
async fn set_password(
    State(state): State<Arc<AppState>>,
    who: Visitor,
    Id(id): Id,
    Body(request): Body<NewPassword>,
) -> Answer {
    let chosen = Some(request.password.into());
    shown(&view(who.desk(&state).replace_password(&state.passwords, id, chosen).await?))
}

fn view(invited: Invited) -> InvitedView {
    InvitedView { user: (&invited.user).into(), password: invited.password.map(Into::into) }
}
