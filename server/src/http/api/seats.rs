use super::extract::{IdempotencyKeyHeader, JsonBody, MaybeBody, PathId, Principal, QueryParams, limit};
use super::responses::{BadRequest, Clash, Guarded, NoSuch, NotJson, RateLimited, Reused, TooLarge};
use super::{ApiResult, Endpoints, cursor, made, shown};
use crate::domain::{EMAIL_MAX, SeatAction};
use crate::http::api::schema::{
    IssuedSeatJson, List, NewSeatRequest, RefreshRequest, SeatActionJson, SeatJson, SeatStatus, UsedLately,
};
use crate::http::{AppState, csv};
use crate::service::{SeatQuery, Services};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::IntoParams;
use uuid::Uuid;

pub(super) fn add(to: Endpoints) -> Endpoints {
    to.add(__path_list_seats, list_seats)
        .add(__path_create_seat, create_seat)
        .add(__path_get_seat, get_seat)
        .add(__path_release_seat, release_seat)
        .add(__path_refresh_seat, refresh_seat)
        .add(__path_revoke_seat, revoke_seat)
        .add(__path_allow_seat, allow_seat)
        .add(__path_seats_csv, seats_csv)
}

/// Which seats.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SeatsQuery {
    /// Of one account; for administrators.
    account: Option<Uuid>,
    /// Of one license.
    license: Option<Uuid>,
    /// In one lock status.
    #[param(inline)]
    status: Option<SeatStatus>,
    /// Used in the last 14 days, or not.
    #[param(inline)]
    used: Option<UsedLately>,
    /// Part of an e-mail address, or the beginning of a seat's id or of a machine's id, full or
    /// short.
    #[param(max_length = 254)]
    search: Option<String>,
    /// Where to go on: `next` of the answer before.
    after: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
}

/// Which seats, all of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AllSeatsQuery {
    /// Of one account; for administrators.
    account: Option<Uuid>,
    /// Of one license.
    license: Option<Uuid>,
    /// In one lock status.
    #[param(inline)]
    status: Option<SeatStatus>,
    /// Used in the last 14 days, or not.
    #[param(inline)]
    used: Option<UsedLately>,
    /// Part of an e-mail address, or the beginning of a seat's id or of a machine's id, full or
    /// short.
    #[param(max_length = 254)]
    search: Option<String>,
}

impl AllSeatsQuery {
    async fn read(self, services: &Services) -> ApiResult<SeatQuery> {
        let search = self.search;
        if search.as_ref().is_some_and(|words| words.chars().count() > EMAIL_MAX) {
            return Err(super::error::ApiError::invalid(
                "search",
                &format!("at most {EMAIL_MAX} characters"),
            ));
        }
        let (account, license, status) = (self.account, self.license, self.status.map(Into::into));
        let used = match self.used {
            Some(used) => Some(used.at(services.now().await?)),
            None => None,
        };
        Ok(SeatQuery { account, license, status, search, used, ..SeatQuery::default() })
    }
}

/// How something is done to a seat.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ActQuery {
    /// Say what would happen, and change nothing.
    #[serde(default)]
    #[param(required = false, default = false)]
    dry_run: bool,
}

/// List seats
///
/// The newest first. An owner sees those of the own account.
#[utoipa::path(
    get, path = "/seats", params(SeatsQuery),
    responses((status = 200, description = "Seats.", body = List<SeatJson>), BadRequest, Guarded)
)]
async fn list_seats(
    State(state): State<Arc<AppState>>,
    who: Principal,
    QueryParams(query): QueryParams<SeatsQuery>,
) -> ApiResult {
    let (after, limit) = (query.after.as_deref().map(cursor::read_seat).transpose()?, limit(query.limit)?);
    let all = AllSeatsQuery {
        account: query.account,
        license: query.license,
        status: query.status,
        used: query.used,
        search: query.search,
    };
    let query = SeatQuery { after, limit, ..all.read(&state.services).await? };
    let page = who.service(&state).seats(query).await?;
    let next = page.rows.last().filter(|_| page.more).map(|last| cursor::write_seat(last.cursor()));
    shown(&List { items: page.rows.iter().map(SeatJson::from).collect(), next })
}

/// Make a seat
///
/// The answer holds the integration token, this once. Give it to the person who is to use the seat.
/// Send an `Idempotency-Key`, and a lost answer can be had again within 24 hours without a second
/// seat.
#[utoipa::path(
    post, path = "/seats", request_body = NewSeatRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Random, 1 to 255 visible ASCII characters.",
        min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    responses(
        (status = 201, description = "The seat and its token.", body = IssuedSeatJson,
            headers(("Location" = String, description = "Address of the seat."))),
        BadRequest, NoSuch, Clash, TooLarge, NotJson, Reused, Guarded
    )
)]
async fn create_seat(
    State(state): State<Arc<AppState>>,
    who: Principal,
    key: IdempotencyKeyHeader,
    JsonBody(request): JsonBody<NewSeatRequest>,
) -> ApiResult {
    let repeatable = key.of(&request)?;
    let issued = who
        .service(&state)
        .create_seat(&request.email, request.license, repeatable.idempotency_key())
        .await?;
    let seat = SeatJson::from(&issued.seat);
    let place = format!("/seats/{}", seat.id);
    made(&place, &IssuedSeatJson { seat, token: issued.token.into() })
}

/// Show a seat
#[utoipa::path(
    get, path = "/seats/{id}", params(("id" = Uuid, Path, description = "The seat.")),
    responses((status = 200, description = "The seat.", body = SeatJson), NoSuch, Guarded)
)]
async fn get_seat(State(state): State<Arc<AppState>>, who: Principal, PathId(id): PathId) -> ApiResult {
    let (seat, _) = who.service(&state).seat(id).await?;
    shown(&SeatJson::from(&seat))
}

/// Take a seat from its machine
///
/// Once in 24 hours per license, unless the license says otherwise. The machine may work offline
/// until its lease ends.
#[utoipa::path(
    post, path = "/seats/{id}/release",
    params(("id" = Uuid, Path, description = "The seat."), ActQuery),
    responses(
        (status = 200, description = "What became of it.", body = SeatActionJson),
        BadRequest, NoSuch, NotJson, RateLimited, Guarded
    )
)]
async fn release_seat(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
    QueryParams(query): QueryParams<ActQuery>,
) -> ApiResult {
    act(&state, &who, id, SeatAction::Release, query.dry_run).await
}

/// Replace a seat's token
///
/// The old token never works again. The answer holds the new one, this once. With an `email` the
/// seat is that person's from now on. Send an `Idempotency-Key`, and a lost answer can be had again
/// within 24 hours. A seat whose user signs in has no token (`conflict`). Without an active license
/// whose plan has seats there is no new token: revoke the seat to make the old one useless.
#[utoipa::path(
    post, path = "/seats/{id}/refresh", request_body = Option<RefreshRequest>,
    params(
        ("id" = Uuid, Path, description = "The seat."), ActQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "Random, 1 to 255 visible ASCII characters.",
        min_length = 1, max_length = 255, pattern = "^[!-~]+$")
    ),
    responses(
        (status = 200, description = "What became of it.", body = SeatActionJson),
        BadRequest, NoSuch, Clash, TooLarge, NotJson, Reused, Guarded
    )
)]
async fn refresh_seat(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
    QueryParams(query): QueryParams<ActQuery>,
    key: IdempotencyKeyHeader,
    MaybeBody(request): MaybeBody<RefreshRequest>,
) -> ApiResult {
    let email = request.and_then(|request| request.email);
    let repeatable = key.of(&(&query, &email))?;
    let done = who.service(&state).refresh(id, email, query.dry_run, repeatable.idempotency_key()).await?;
    shown(&acted(done, query.dry_run))
}

/// Close a seat for good
///
/// Its token never works again, and its place in the license is free.
#[utoipa::path(
    post, path = "/seats/{id}/revoke",
    params(("id" = Uuid, Path, description = "The seat."), ActQuery),
    responses(
        (status = 200, description = "What became of it.", body = SeatActionJson),
        BadRequest, NoSuch, NotJson, Guarded
    )
)]
async fn revoke_seat(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
    QueryParams(query): QueryParams<ActQuery>,
) -> ApiResult {
    act(&state, &who, id, SeatAction::Revoke, query.dry_run).await
}

/// Let the user of a closed seat have another one
///
/// For seats whose users sign in: at the next activation the user gets a new seat, if there is a
/// place.
#[utoipa::path(
    post, path = "/seats/{id}/allow",
    params(("id" = Uuid, Path, description = "The closed seat."), ActQuery),
    responses(
        (status = 200, description = "What became of it.", body = SeatActionJson),
        BadRequest, NoSuch, NotJson, Guarded
    )
)]
async fn allow_seat(
    State(state): State<Arc<AppState>>,
    who: Principal,
    PathId(id): PathId,
    QueryParams(query): QueryParams<ActQuery>,
) -> ApiResult {
    act(&state, &who, id, SeatAction::Allow, query.dry_run).await
}

async fn act(state: &AppState, who: &Principal, id: Uuid, act: SeatAction, dry_run: bool) -> ApiResult {
    let done = who.service(state).act(id, act, dry_run).await?;
    shown(&acted(done, dry_run))
}

fn acted(done: crate::service::SeatActionResult, dry_run: bool) -> SeatActionJson {
    SeatActionJson {
        seat: (&done.seat).into(),
        changed: done.changed && !dry_run,
        would_change: done.changed,
        dry_run,
        token: done.token.map(Into::into),
    }
}

/// All seats as a table
///
/// For spreadsheets: RFC 4180, UTF-8, one line for each seat and one with the names before them. A
/// cell that a spreadsheet would take for a formula begins with an apostrophe.
#[utoipa::path(
    get, path = "/seats.csv", params(AllSeatsQuery),
    responses(
        (status = 200, description = "The table.", body = String, content_type = "text/csv"),
        BadRequest, Guarded
    )
)]
async fn seats_csv(
    State(state): State<Arc<AppState>>,
    who: Principal,
    QueryParams(query): QueryParams<AllSeatsQuery>,
) -> ApiResult {
    let query = query.read(&state.services).await?;
    Ok(csv::seats(state, who.who, query).await?)
}
