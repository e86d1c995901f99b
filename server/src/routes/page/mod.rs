//! The pages of seat management, for people with a browser. Whatever they do is done at a
//! [`crate::desk`], with the authority of whoever is signed in; what they show is filled in from
//! [`crate::page`].

/// `/account`: password and sessions.
mod account;
/// `/airgap`: files of machines without a network.
mod airgap;
/// `/assets/...`: style, script and icon.
mod assets;
/// `/audit`: what happened, page by page.
mod audit;
/// `/sign-in/with` and `/sign-in/back`: by a sign-in service.
mod by_issuer;
/// `/seats/{id}/refresh`, `release` and `revoke`: asked first, then done.
mod confirm;
/// What all pages have in common: headers, and failures as pages.
mod dress;
/// What was done on the page before.
mod flash;
/// Parts of requests, whose failures are pages too.
mod form;
/// E-mail to whoever is given a token.
mod letter;
/// `/seats/new`.
mod new_seat;
/// `/open/{secret}`: a one-time link, for whoever has it.
mod open;
/// `/seats/{id}`, and sending its token once more.
mod seat;
/// `/seats`, and the same as a table.
mod seats;
/// What the store knows, as pages show it.
mod shown;
/// `/sign-in` and `/sign-out`.
mod sign_in;
/// `/tokens`: API tokens.
mod tokens;
/// Why a page is not shown.
mod trouble;
/// Whoever is signed in, and his desk.
mod visit;

use super::problem::{Refusal, RequestId};
use super::{AppState, admin::same_site};
use crate::page::Template;
use crate::store::{self, Store};
use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, Uri, header},
    middleware::from_fn_with_state,
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use dress::{dress, finish};
use std::sync::Arc;
use trouble::Trouble;

/// What a page answers.
type Shown = Result<Response, Trouble>;

/// Largest form with a file of a machine without a network: 64 KiB, each byte written as three.
const FILE_FORM: usize = 256 * 1024;

/// What programs ask for, who are answered by problem documents.
const PROGRAMS: [&str; 3] = ["/v1", "/admin", "/.well-known"];

/// Every page.
pub(super) fn router<S: Store>(state: &Arc<AppState<S>>) -> Router<Arc<AppState<S>>> {
    // Whoever knows the link may use it, from wherever: there is nothing that another site could do in
    // his name.
    let open = Router::new().route("/open/{secret}", get(open::look::<S>).post(open::take::<S>));
    let files = Router::new()
        .route("/airgap", get(airgap::ask::<S>).post(airgap::check::<S>))
        .route("/airgap/answer", get(airgap::back).post(airgap::answer::<S>))
        .layer(DefaultBodyLimit::max(FILE_FORM));
    let pages = Router::new()
        .route("/", get(|| async { Redirect::to("/seats") }))
        .route("/sign-in", get(sign_in::ask::<S>).post(sign_in::enter::<S>))
        .route("/sign-in/with", get(by_issuer::leave::<S>))
        .route("/sign-in/back", get(by_issuer::enter::<S>))
        .route("/sign-out", post(sign_in::leave::<S>))
        .route("/seats", get(seats::list::<S>))
        .route("/seats.csv", get(seats::table::<S>))
        .route("/seats/new", get(new_seat::ask::<S>).post(new_seat::make::<S>))
        .route("/seats/{id}", get(seat::show::<S>))
        .route("/seats/{id}/token", get(seat::token::<S>))
        .route("/seats/{id}/share", get(seat::back).post(seat::share::<S>))
        .route("/seats/{id}/refresh", get(confirm::ask_refresh::<S>).post(confirm::refresh::<S>))
        .route("/seats/{id}/release", get(confirm::ask_release::<S>).post(confirm::release::<S>))
        .route("/seats/{id}/revoke", get(confirm::ask_revoke::<S>).post(confirm::revoke::<S>))
        .route("/tokens", get(tokens::list::<S>).post(tokens::make::<S>))
        .route("/tokens/{id}/token", get(tokens::token::<S>))
        .route("/tokens/{id}/delete", get(tokens::ask_delete::<S>).post(tokens::delete::<S>))
        .route("/account", get(account::show::<S>))
        .route("/account/password", get(account::back).post(account::password::<S>))
        .route("/account/sign-out-everywhere", get(account::back).post(account::sign_out_everywhere::<S>))
        .route("/audit", get(audit::list::<S>))
        .route("/assets/{name}", get(assets::asset))
        .merge(files)
        .method_not_allowed_fallback(|| async { Trouble::WrongMethod })
        .route_layer(same_site(&state.settings.public_url));
    pages
        .merge(open.method_not_allowed_fallback(|| async { Trouble::WrongMethod }))
        .route_layer(from_fn_with_state(state.clone(), dress::<S>))
}

/// Nothing is there: for people a page, for programs a problem document. The address is not logged;
/// it may be that of a one-time link, mistyped.
pub(super) async fn nothing<S: Store>(
    State(state): State<Arc<AppState<S>>>,
    id: RequestId,
    uri: Uri,
) -> Response {
    if is_for_programs(uri.path()) {
        return Refusal::not_found().respond(id);
    }
    finish(&state, id, Trouble::NotFound.into_response(), dress::Referrer::Own, None)
}

/// A page took too long.
pub(super) fn late<S: Store>(state: &AppState<S>, id: RequestId) -> Response {
    let trouble = Trouble::Unavailable { text: store::Trouble::Busy.text(), cause: String::new() };
    finish(state, id, trouble.into_response(), dress::Referrer::None, None)
}

/// Whether no person looks at this address.
pub(super) fn is_for_programs(path: &str) -> bool {
    let below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PROGRAMS.iter().any(|root| below(root)) || ["/healthz", "/readyz"].contains(&path)
}

fn show<T: Template>(page: &T) -> Shown {
    show_as(StatusCode::OK, page)
}

fn show_as<T: Template>(status: StatusCode, page: &T) -> Shown {
    let html = page.render().map_err(Trouble::failed)?;
    Ok((status, Html(html)).into_response())
}

/// On to another page of this server, by GET. `path` is visible ASCII.
fn go(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}
