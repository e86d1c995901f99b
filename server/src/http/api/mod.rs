//! The admin API: `/admin/v1/...`, for scripts and for the commands, which have it in their own
//! process too. Whatever it does is done at a [`crate::service`], with the authority of the caller.
//! Its description is made from these files: see `document`.

#![allow(unused_qualifications, reason = "utoipa's macro writes them")]

/// `accounts`.
mod accounts;
/// `airgap`.
mod airgap;
/// `api-tokens`, and `me`.
mod api_tokens;
/// `audit`.
mod audit;
/// The same API in the process of a command.
mod console;
/// Places in lists.
mod cursor;
/// The description: `openapi.json`, and a page for people.
mod document;
/// Refusals as problem documents.
mod error;
/// Parts of requests, read strictly.
mod extract;
/// `issuers`.
mod issuers;
/// `licenses`.
mod licenses;
/// `plans`.
mod plans;
/// Refusals as the description names them.
mod responses;
/// The shapes of JSON, of requests and responses.
pub mod schema;
/// `seats`.
mod seats;
/// `usage`.
mod usage;
/// `users`.
mod users;

pub use console::Console;
pub use error::Cause;

use super::AppState;
use super::problem::RequestId;
use axum::{
    Router,
    extract::Request,
    handler::Handler,
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
    routing::{MethodFilter, get, on},
};
use error::ApiError;
use seatlock_protocol::api::JSON;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use utoipa::{
    IntoParams, Path,
    openapi::path::{HttpMethod, Paths},
};

/// Below this everything lies.
const ROOT: &str = "/admin/v1";

/// What an endpoint answers.
type ApiResult<T = Response> = Result<T, ApiError>;

/// Adds the endpoints of one noun.
type Add = fn(Endpoints) -> Endpoints;

/// Every endpoint of the admin API.
pub(super) fn router(state: &Arc<AppState>) -> Router<Arc<AppState>> {
    let mut endpoints = Endpoints { noun: "", router: Router::new(), paths: Paths::new() };
    let nouns: [(&str, Add); 10] = [
        ("seats", seats::add),
        ("usage", usage::add),
        ("airgap", airgap::add),
        ("audit", audit::add),
        ("api-tokens", api_tokens::add),
        ("accounts", accounts::add),
        ("users", users::add),
        ("licenses", licenses::add),
        ("plans", plans::add),
        ("issuers", issuers::add),
    ];
    for (noun, add) in nouns {
        endpoints = add(Endpoints { noun, ..endpoints });
    }
    let document = Arc::new(document::Document::new(endpoints.paths, &state.settings.public_url));
    let written = document.clone();
    let router = endpoints
        .router
        .route("/openapi.json", get(async move || written.json()))
        .route("/docs", get(async move || document.page()))
        .route("/docs.css", get(document::style))
        .fallback(async || ApiError::not_found("There is nothing at this address. See /admin/v1/docs."))
        .method_not_allowed_fallback(async || ApiError::wrong_method())
        .layer(same_site(&state.settings.public_url))
        .layer(from_fn(in_words));
    Router::new().nest(ROOT, router)
}

/// Refuses what a browser sends for a page of another site, whatever cookies it sends along: such a
/// page cannot write the headers that are looked at. Proxies may tell the server another name than
/// the browser's; the public address is known to be the own one.
pub(super) fn same_site(public_url: &str) -> CsrfLayer {
    let origin = public_url.split_once("://").map(|(scheme, rest)| {
        let host = rest.split('/').next().unwrap_or_default();
        format!("{scheme}://{}", host.to_lowercase())
    });
    let layer = CsrfLayer::new();
    let trusting = origin.and_then(|origin| layer.clone().add_trusted_origin(origin).ok());
    trusting.unwrap_or(layer)
}

/// Writes refusals, here where the request's id is known.
async fn in_words(id: RequestId, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let failure = match response.extensions_mut().remove::<ApiError>() {
        Some(failure) => failure,
        None if response.extensions().get::<ProtectionError>().is_some() => ApiError::forbidden(
            "cross_site",
            "The browser sends this for a page of another site. Nothing was changed.",
        ),
        None => return response,
    };
    let allowed = response.headers_mut().remove(header::ALLOW);
    let mut written = failure.respond(id);
    if let Some(methods) = allowed {
        written.headers_mut().insert(header::ALLOW, methods);
    }
    written
}

/// Endpoints and their description, which are added together so that neither is without the other.
struct Endpoints {
    noun: &'static str,
    router: Router<Arc<AppState>>,
    paths: Paths,
}

impl Endpoints {
    fn add<P, H, T>(mut self, _: P, handler: H) -> Self
    where
        P: Path,
        H: Handler<T, Arc<AppState>>,
        T: 'static,
    {
        let path = P::path();
        for method in P::methods() {
            let filter = match method {
                HttpMethod::Post => MethodFilter::POST,
                HttpMethod::Put => MethodFilter::PUT,
                HttpMethod::Patch => MethodFilter::PATCH,
                HttpMethod::Delete => MethodFilter::DELETE,
                _ => MethodFilter::GET,
            };
            self.router = self.router.route(&path, on(filter, handler.clone()));
        }
        let mut operation = P::operation();
        operation.tags = Some(vec![self.noun.to_owned()]);
        let only_looks = P::methods().contains(&HttpMethod::Get);
        operation.security = Some(document::security(extract::needed_scope(only_looks, &path)));
        self.paths.add_path_operation(format!("{ROOT}{path}"), P::methods(), operation);
        self
    }
}

/// Which part of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Where to go on: `next` of the answer before.
    after: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
}

fn json(status: StatusCode, body: Vec<u8>) -> ApiResult {
    Ok((status, [(header::CONTENT_TYPE, JSON)], body).into_response())
}

fn shown<T: Serialize>(body: &T) -> ApiResult {
    json(StatusCode::OK, serde_json::to_vec(body).map_err(ApiError::server_error)?)
}

/// Something new, and its address.
fn made<T: Serialize>(place: &str, body: &T) -> ApiResult {
    let mut response = json(StatusCode::CREATED, serde_json::to_vec(body).map_err(ApiError::server_error)?)?;
    if let Ok(place) = format!("{ROOT}{place}").parse() {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_public_addresses_are_no_error() {
        for url in
            ["https://licenses.example.com", "http://127.0.0.1:8787/sub", "https://É.example.com", "", "x"]
        {
            let _ = same_site(url);
        }
    }
}
