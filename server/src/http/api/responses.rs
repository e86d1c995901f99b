use crate::http::api::schema::ProblemJson;
use std::collections::BTreeMap;
use utoipa::{
    IntoResponses,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder, Type, response::Response,
    },
};

fn problem(text: &str, headers: &[(&str, Type, &str)]) -> RefOr<Response> {
    let name = <ProblemJson as utoipa::ToSchema>::name();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(name))).build();
    let mut response = ResponseBuilder::new().description(text).content("application/problem+json", content);
    for (name, kind, text) in headers {
        let schema = ObjectBuilder::new().schema_type(kind.clone()).build();
        response = response
            .header(*name, HeaderBuilder::new().schema(Some(schema)).description(Some(*text)).build());
    }
    RefOr::T(response.build())
}

/// Refusals as the documentation names them: one type each, to be listed beside an endpoint's own
/// answers.
macro_rules! refusals {
    ($($(#[doc = $text:literal])+ $name:ident = $($status:literal $about:literal $headers:expr),+;)+) => {$(
        $(#[doc = $text])+
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                BTreeMap::from([$(($status.to_owned(), problem($about, $headers))),+])
            }
        }
    )+};
}

refusals! {
    /// What every guarded endpoint may answer.
    Guarded =
        "401" "`no_token`: nobody is signed in. `token_malformed`, `token_unknown`: the API token is no good, or was deleted. \
               `sign_in_required`: the access token is not believed, or has ended."
            &[("WWW-Authenticate", Type::String, "`Bearer`, for an access token with `error` (RFC 6750, section 3)")],
        "403" "`token_wrong_kind`: a token, but no API token. `admins_only`: only an administrator of this server may do \
               this. `token_revoked`, `license_suspended`, `license_expired`, `plan_not_entitled`: see `detail`. \
               `cross_site`: a browser sends this for another page. `scope_missing`: the access token does not permit this. \
               `identity_unknown`: no rule of the issuer gives its bearer a role."
            &[("WWW-Authenticate", Type::String, "For an access token without the scope: which one is needed.")],
        "500" "`server_error`: the server has a problem, which its log describes under the request's id." &[],
        "503" "`maintenance`: the server has too much to do, or is stopping. `identity_provider_unavailable`: the issuer's keys cannot be had."
            &[("Retry-After", Type::Integer, "Seconds until the next try.")];
    /// A part of the request cannot be so.
    BadRequest = "400" "`invalid_argument`: a part of the request cannot be so; `detail` says which." &[];
    /// There is no such thing.
    NoSuch = "404" "`not_found`: there is no such thing, or it belongs to another account." &[];
    /// It does not fit what is there.
    Clash = "409" "`conflict`, `api_token_limit`, `seat_limit_reached`, `seat_in_use_elsewhere`, `lease_superseded`, \
                   `not_the_holder`: it does not fit what is there; nothing was changed." &[];
    /// The body is too long.
    TooLarge = "413" "`invalid_argument`: the body is larger than 64 KiB." &[];
    /// It claims to be something else than JSON.
    NotJson = "415" "`invalid_argument`: the request must say `content-type: application/json`, with a session even when \
                     it has no body." &[];
    /// A key was used for two requests.
    Reused = "422" "`idempotency_key_reused`: the Idempotency-Key was used for another request within 24 hours." &[];
    /// The terms were not accepted.
    Terms = "422" "`terms_required`: the user must accept the license terms first, and make a new file." &[];
    /// A client library that is not served any more.
    TooOld = "426" "`plugin_too_old`: the plug-in must be updated first." &[];
    /// Once in a while only.
    RateLimited = "429" "`release_rate_limited`: a seat of this license was released a short while ago. `params.time` is \
                         when the next one can be." &[("Retry-After", Type::Integer, "Seconds until then.")];
}
