//! The pages of seat management, for people with a browser. Whatever they do is done at a
//! [`crate::service`], with the authority of the signed-in user; what they show is filled in from
//! [`crate::http::web::pages`].

/// `/account`: password and sessions.
mod account;
/// `/airgap`: files of machines without a network.
mod airgap;
/// `/assets/...`: style, script and icon.
mod assets;
/// `/audit`: what happened, page by page.
mod audit;
/// `/seats/{id}/refresh`, `release` and `revoke`: asked first, then done.
mod confirm;
/// Who is signed in, and what is done for them.
mod context;
/// What the store knows, as pages show it.
mod convert;
/// E-mail to the person who is given a token.
mod email;
/// Why a page is not shown.
mod error;
/// What was done on the page before.
mod flash;
/// Parts of requests, whose failures are pages too.
mod form;
/// What all pages have in common: headers, and failures as pages.
mod layout;
/// `/seats/new`.
mod new_seat;
/// `/sign-in/with` and `/sign-in/back`: by a sign-in service.
mod oidc;
/// `/open/{secret}`: a one-time link, for whoever has it.
mod open;
/// What pages show: a struct for each template.
pub mod pages;
/// `/seats/{id}`, and sending its token once more.
mod seat;
/// `/seats`, and the same as a table.
mod seats;
/// `/sign-in` and `/sign-out`.
mod sign_in;
/// `/tokens`: API tokens.
mod tokens;

pub use account::{AccountPage, SessionRow};
pub use airgap::{AirgapCheck, AirgapDone, AirgapPage, LeaseResult};
pub use assets::{ASSETS, Asset, CONTENT_SECURITY_POLICY};
pub use audit::{AuditPage, Chain};
pub use confirm::{ConfirmRefresh, ConfirmRelease, ConfirmRevoke, ReleaseLimit};
pub use convert::{AuditActor, AuditEntry, LicenseCard, LicenseState, SeatRow};
pub use email::SendAs;
pub use error::{MessagePage, NextStep};
pub use flash::MailOutcome;
pub use new_seat::{LicenseChoice, NewSeatPage, NoSeat};
pub use open::{LinkState, OneTimeLinkPage};
pub use seat::{SeatPage, SeatRelease, SeatTokenPage, TokenReason};
pub use seats::{EmptyList, RecoveryNotice, SeatFilter, SeatsPage};
pub use sign_in::{SignInOption, SignInPage};
pub use tokens::{ApiTokenRow, ConfirmDeleteToken, TokenCreatedPage, TokensPage};

use super::problem::{ProblemResponse, RequestId};
use super::{AppState, api::same_site};
use crate::service::Unavailable;
use askama::Template;
use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, Uri, header},
    middleware::from_fn_with_state,
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use axum_extra::extract::cookie::{Cookie, CookieJar};
use error::WebError;
use layout::{dress, finish};
use std::sync::Arc;

/// What a page answers.
type PageResult = Result<Response, WebError>;

/// Largest form with a file of a machine without a network: 64 KiB, each byte written as three.
const FILE_FORM: usize = 256 * 1024;

/// What programs ask for, who are answered by problem documents.
const PROGRAMS: [&str; 3] = ["/v1", "/admin", "/.well-known"];

pub(super) fn router(state: &Arc<AppState>) -> Router<Arc<AppState>> {
    // Whoever knows the link may use it, from wherever: there is nothing that another site could do in
    // his name.
    let open = Router::new().route("/open/{secret}", get(open::look).post(open::take));
    let files = Router::new()
        .route("/airgap", get(airgap::ask).post(airgap::check))
        .route("/airgap/answer", get(airgap::back).post(airgap::answer))
        .layer(DefaultBodyLimit::max(FILE_FORM));
    let pages = Router::new()
        .route("/", get(|| async { Redirect::to("/seats") }))
        .route("/sign-in", get(sign_in::ask).post(sign_in::enter))
        .route("/sign-in/with", get(oidc::leave))
        .route("/sign-in/back", get(oidc::enter))
        .route("/sign-out", post(sign_in::leave))
        .route("/seats", get(seats::list))
        .route("/seats.csv", get(seats::table))
        .route("/seats/new", get(new_seat::ask).post(new_seat::make))
        .route("/seats/{id}", get(seat::show))
        .route("/seats/{id}/token", get(seat::token))
        .route("/seats/{id}/share", get(seat::back).post(seat::share))
        .route("/seats/{id}/refresh", get(confirm::ask_refresh).post(confirm::refresh))
        .route("/seats/{id}/release", get(confirm::ask_release).post(confirm::release))
        .route("/seats/{id}/revoke", get(confirm::ask_revoke).post(confirm::revoke))
        .route("/tokens", get(tokens::list).post(tokens::make))
        .route("/tokens/{id}/token", get(tokens::token))
        .route("/tokens/{id}/delete", get(tokens::ask_delete).post(tokens::delete))
        .route("/account", get(account::show))
        .route("/account/password", get(account::back).post(account::password))
        .route("/account/sign-out-everywhere", get(account::back).post(account::sign_out_everywhere))
        .route("/audit", get(audit::list))
        .route("/assets/{name}", get(assets::asset))
        .merge(files)
        .method_not_allowed_fallback(|| async { WebError::WrongMethod })
        .route_layer(same_site(&state.settings.public_url));
    pages
        .merge(open.method_not_allowed_fallback(|| async { WebError::WrongMethod }))
        .route_layer(from_fn_with_state(state.clone(), dress))
}

/// Nothing is there: for people a page, for programs a problem document. The address is not logged;
/// it may be that of a one-time link, mistyped.
pub(super) async fn nothing(State(state): State<Arc<AppState>>, id: RequestId, uri: Uri) -> Response {
    if is_for_programs(uri.path()) {
        return ProblemResponse::not_found().respond(id);
    }
    finish(&state, id, WebError::NotFound.into_response(), layout::Referrer::Own, None)
}

/// A page took too long.
pub(super) fn late(state: &AppState, id: RequestId) -> Response {
    let trouble = WebError::Unavailable { text: Unavailable::Busy.text(), cause: String::new() };
    finish(state, id, trouble.into_response(), layout::Referrer::None, None)
}

/// Whether no person looks at this address.
pub(super) fn is_for_programs(path: &str) -> bool {
    let below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PROGRAMS.iter().any(|root| below(root)) || ["/healthz", "/readyz"].contains(&path)
}

fn show<T: Template>(page: &T) -> PageResult {
    show_as(StatusCode::OK, page)
}

fn show_as<T: Template>(status: StatusCode, page: &T) -> PageResult {
    let html = page.render().map_err(WebError::failed)?;
    Ok((status, Html(html)).into_response())
}

/// On to another page of this server, by GET. `path` is visible ASCII.
fn go(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

fn with_cookie(cookie: Cookie<'static>, response: Response) -> Response {
    (CookieJar::new().add(cookie), response).into_response()
}
