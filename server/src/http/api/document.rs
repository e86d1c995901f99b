use super::{ApiResult, error::ApiError, json};
use crate::http::api::schema::{
    AccountJson, AirgapResultJson, ApiTokenJson, AuditJson, AuditStateJson, ChangedIssuerJson,
    InvitationJson, IssuedApiTokenJson, IssuedSeatJson, IssuerChangeRequest, IssuerJson, LeaseFileJson,
    LicenseChange, LicenseJson, List, MeJson, NewAccount, NewApiTokenRequest, NewIssuer, NewLicense,
    NewPassword, NewSeatRequest, NewUserRequest, PlanContent, PlanJson, ProblemJson, RecoveryJson,
    RefreshRequest, RemovedIssuerJson, RequestFileJson, SeatActionJson, SeatJson, UsageJson, UsageList,
    UserChangeRequest, UserJson,
};
use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use utoipa::{
    OpenApi,
    openapi::{
        Info, Paths, SecurityRequirement, ServerBuilder, Tag,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

/// Nothing but the page and its style sheet.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(OpenApi)]
#[openapi(components(schemas(
    AccountJson, SeatActionJson, ApiTokenJson, AuditStateJson, AuditJson, ChangedIssuerJson, InvitationJson, IssuedApiTokenJson,
    IssuedSeatJson, IssuerChangeRequest, IssuerJson, LeaseFileJson, LicenseChange, LicenseJson, MeJson, NewAccount,
    NewApiTokenRequest, NewIssuer, NewLicense, NewPassword, NewSeatRequest, NewUserRequest, AirgapResultJson, PlanContent, PlanJson,
    ProblemJson, RecoveryJson, RefreshRequest, RemovedIssuerJson, RequestFileJson, SeatJson, UsageList, UsageJson, UserChangeRequest,
    UserJson,
    List<AccountJson>, List<ApiTokenJson>, List<AuditJson>, List<IssuerJson>, List<LicenseJson>, List<PlanJson>,
    List<SeatJson>, List<UserJson>,
)))]
struct Schemas;

/// The nouns, in the order in which they are shown.
const NOUNS: [(&str, &str); 10] = [
    ("seats", "Seats and their integration tokens"),
    ("usage", "How much of the licenses is used"),
    ("airgap", "Files of machines without a network"),
    ("audit", "What happened, and who did it"),
    ("api-tokens", "The own API tokens"),
    ("accounts", "Accounts, which licenses and users belong to"),
    ("users", "Users of the seat page and of this API"),
    ("licenses", "Limits and policy of subscriptions"),
    ("plans", "What subscriptions contain"),
    ("issuers", "Sign-in services whose access tokens are accepted"),
];

/// What whoever asks may show; of an access token, what it must permit.
pub(super) fn security(scope: &str) -> Vec<SecurityRequirement> {
    let none: [&str; 0] = [];
    vec![
        SecurityRequirement::new("api_token", none),
        SecurityRequirement::new("access_token", [scope]),
        SecurityRequirement::new("session", none),
    ]
}

/// The description of the admin API, written once.
pub(super) struct Document {
    json: String,
    page: Option<String>,
}

impl Document {
    pub(super) fn new(paths: Paths, public_url: &str) -> Self {
        let mut api = Schemas::openapi();
        let mut info = Info::new("seatlock admin API", env!("CARGO_PKG_VERSION"));
        info.description = Some(
            "For account owners and for operators. An owner sees and changes what belongs to the own \
             account, an administrator everything. Refusals are problem documents (RFC 9457) with a `code` for \
             programs. Lists are read part by part: `limit` says how many entries, and `next` of an answer is `after` \
             of the next request. Bodies have at most 64 KiB."
                .to_owned(),
        );
        info.license = None;
        api.info = info;
        api.paths = paths;
        api.servers = Some(vec![ServerBuilder::new().url(public_url).build()]);
        api.tags = Some(
            NOUNS
                .iter()
                .map(|(name, text)| {
                    let mut tag = Tag::new(*name);
                    tag.description = Some((*text).to_owned());
                    tag
                })
                .collect(),
        );
        let mut api_token = Http::new(HttpAuthScheme::Bearer);
        api_token.description = Some("An API token, `sat_...`: made on the page, or by this API.".to_owned());
        let mut access_token = Http::new(HttpAuthScheme::Bearer);
        access_token.bearer_format = Some("JWT".to_owned());
        access_token.description = Some(
            "An access token of one of the server's `issuers` (OAuth 2.0), whose rules give its bearer a role. It needs the \
             scope that is named: `seats:read`, `seats:write` or `audit:read`."
                .to_owned(),
        );
        let session = ApiKeyValue::with_description("__Host-seatlock", "The page's session.");
        let schemes = &mut api.components.get_or_insert_default().security_schemes;
        schemes.insert("api_token".to_owned(), SecurityScheme::Http(api_token).into());
        schemes.insert("access_token".to_owned(), SecurityScheme::Http(access_token).into());
        schemes.insert("session".to_owned(), SecurityScheme::ApiKey(ApiKey::Cookie(session)).into());
        let value = serde_json::to_value(&api).unwrap_or_default();
        Self { json: value.to_string(), page: Page::of(&value).render().ok() }
    }

    pub(super) fn json(&self) -> ApiResult {
        json(StatusCode::OK, self.json.clone().into_bytes())
    }

    pub(super) fn page(&self) -> ApiResult {
        let page = self.page.clone().ok_or_else(|| ApiError::server_error("the page was not made"))?;
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        Ok((headers, page).into_response())
    }
}

/// The style sheet of the page.
pub(super) async fn style() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, include_str!("../../../assets/api-docs.css")).into_response()
}

#[derive(Template)]
#[template(path = "api_docs.html")]
struct Page {
    title: String,
    version: String,
    about: Vec<Piece>,
    nouns: Vec<Noun>,
    schemas: Vec<Shape>,
}

struct Noun {
    name: String,
    about: String,
    endpoints: Vec<Endpoint>,
}

struct Endpoint {
    id: String,
    method: String,
    path: String,
    summary: String,
    about: Vec<Piece>,
    scope: String,
    parameters: Vec<Row>,
    body: Vec<Piece>,
    answers: Vec<Reply>,
    example: String,
}

struct Reply {
    status: String,
    about: Vec<Piece>,
    kind: Vec<Piece>,
}

/// A parameter or a member.
struct Row {
    name: String,
    place: String,
    kind: Vec<Piece>,
    about: Vec<Piece>,
}

struct Shape {
    name: String,
    about: Vec<Piece>,
    parts: Vec<Vec<Piece>>,
    rows: Vec<Row>,
    kind: Vec<Piece>,
}

/// A piece of a text: plain, code, or the name of a schema.
struct Piece {
    text: String,
    code: bool,
    link: bool,
}

impl Piece {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: false, link: false }
    }
}

impl Page {
    fn of(api: &Value) -> Self {
        let nouns = NOUNS.iter().map(|(name, about)| Noun {
            name: (*name).to_owned(),
            about: (*about).to_owned(),
            endpoints: endpoints(api, name),
        });
        let schemas = members(api.pointer("/components/schemas")).map(|(name, schema)| shape(name, schema));
        Self {
            title: text(api, "/info/title"),
            version: text(api, "/info/version"),
            about: marked(&text(api, "/info/description")),
            nouns: nouns.collect(),
            schemas: schemas.collect(),
        }
    }
}

fn members(object: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.and_then(Value::as_object).into_iter().flatten()
}

fn entries(value: &Value, name: &str) -> impl Iterator<Item = Value> {
    value.get(name).and_then(Value::as_array).cloned().unwrap_or_default().into_iter()
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Text between backquotes is code.
fn marked(text: &str) -> Vec<Piece> {
    let pieces = text.split('`').enumerate().filter(|(_, piece)| !piece.is_empty());
    pieces.map(|(at, piece)| Piece { code: at % 2 == 1, ..Piece::plain(piece) }).collect()
}

fn endpoints(api: &Value, noun: &str) -> Vec<Endpoint> {
    let mut found = Vec::new();
    for (path, item) in members(api.get("paths")) {
        for method in ["get", "post", "put", "patch", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            if text(operation, "/tags/0") == noun {
                found.push(endpoint(api, method, path, operation));
            }
        }
    }
    found
}

fn endpoint(api: &Value, method: &str, path: &str, operation: &Value) -> Endpoint {
    let parameters = entries(operation, "parameters").map(|parameter| {
        let needed = parameter.get("required") == Some(&Value::Bool(true));
        Row {
            name: text(&parameter, "/name"),
            place: format!("{}{}", text(&parameter, "/in"), if needed { ", required" } else { "" }),
            kind: parameter.get("schema").map(kind).unwrap_or_default(),
            about: marked(&text(&parameter, "/description")),
        }
    });
    let schema = |content: Option<&Value>| {
        members(content).find_map(|(_, content)| content.get("schema")).map(kind).unwrap_or_default()
    };
    let answers = members(operation.get("responses")).map(|(status, answer)| Reply {
        status: status.clone(),
        about: marked(&text(answer, "/description")),
        kind: schema(answer.get("content")),
    });
    Endpoint {
        id: text(operation, "/operationId"),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(operation, "/summary"),
        about: marked(&text(operation, "/description")),
        scope: entries(operation, "security").map(|accepted| text(&accepted, "/access_token/0")).collect(),
        parameters: parameters.collect(),
        body: schema(operation.pointer("/requestBody/content")),
        answers: answers.collect(),
        example: example(api, method, path, operation),
    }
}

/// A command that can be pasted into a shell. The token stands in a variable.
fn example(api: &Value, method: &str, path: &str, operation: &Value) -> String {
    let mut words = vec!["api".to_owned()];
    if method != "get" {
        words.push(format!("-X {}", method.to_uppercase()));
    }
    if entries(operation, "parameters").any(|parameter| text(&parameter, "/name") == "Idempotency-Key") {
        words.push("-H \"Idempotency-Key: $KEY\"".to_owned());
    }
    let body = text(operation, "/requestBody/content/application~1json/schema/$ref");
    let schema = body.rsplit('/').next().unwrap_or_default();
    match api.pointer(&format!("/components/schemas/{schema}/example")) {
        Some(body) => words.push(format!("--json '{body}'")),
        None if !body.is_empty() => {
            words.push("-H \"content-type: application/json\" --data-binary @bridge.request".to_owned())
        }
        None => {}
    }
    if path.ends_with(".csv") {
        words.push("-o seats.csv".to_owned());
    }
    let path = path.replace("{id}", "$ID").replace("{name}", "studio");
    words.push(format!("\"$SEATLOCK_SERVER_URL{path}\""));
    words.join(" ")
}

fn shape(name: &str, schema: &Value) -> Shape {
    let mut parts = Vec::new();
    let mut rows = rows(schema);
    for part in entries(schema, "allOf") {
        if part.get("$ref").is_some() { parts.push(kind(&part)) } else { rows.extend(self::rows(&part)) }
    }
    let is_object = !rows.is_empty() || !parts.is_empty();
    Shape {
        name: name.to_owned(),
        about: marked(&text(schema, "/description")),
        kind: if is_object { Vec::new() } else { kind(schema) },
        parts,
        rows,
    }
}

fn rows(schema: &Value) -> Vec<Row> {
    let needed: Vec<Value> = entries(schema, "required").collect();
    let row = |(name, member): (&String, &Value)| Row {
        name: name.clone(),
        place: if needed.iter().any(|needed| needed == name) { "always" } else { "" }.to_owned(),
        kind: kind(member),
        about: marked(&text(member, "/description")),
    };
    members(schema.get("properties")).map(row).collect()
}

/// What kind of value a schema describes, in words.
fn kind(schema: &Value) -> Vec<Piece> {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.rsplit('/').next().unwrap_or_default();
        return vec![Piece { link: true, ..Piece::plain(name) }];
    }
    let one_of: Vec<Value> = entries(schema, "oneOf").collect();
    if !one_of.is_empty() {
        return joined(one_of.iter().map(kind), " or ");
    }
    let values: Vec<String> =
        entries(schema, "enum").filter_map(|value| value.as_str().map(str::to_owned)).collect();
    if !values.is_empty() {
        return joined(
            values.into_iter().map(|text| vec![Piece { code: true, ..Piece::plain(text) }]),
            " or ",
        );
    }
    let kinds: Vec<String> = match schema.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => vec!["any".to_owned()],
    };
    let format = text(schema, "/format");
    joined(
        kinds.into_iter().map(|name| match name.as_str() {
            "array" => {
                let mut pieces = vec![Piece::plain("list of ")];
                pieces.extend(schema.get("items").map(kind).unwrap_or_default());
                pieces
            }
            "string" if format == "uuid" => vec![Piece::plain("UUID")],
            "string" if format == "date-time" => vec![Piece::plain("RFC 3339 time")],
            name => vec![Piece::plain(name)],
        }),
        " or ",
    )
}

fn joined(parts: impl Iterator<Item = Vec<Piece>>, word: &str) -> Vec<Piece> {
    let mut whole: Vec<Piece> = Vec::new();
    for part in parts {
        if !whole.is_empty() {
            whole.push(Piece::plain(word));
        }
        whole.extend(part);
    }
    whole
}
