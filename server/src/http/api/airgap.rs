use super::extract::{Principal, QueryParams, RawBody};
use super::responses::{BadRequest, Clash, Guarded, NoSuch, NotJson, RateLimited, Terms, TooLarge, TooOld};
use super::{ApiResult, Endpoints, json, shown};
use crate::http::api::schema::{AirgapResultJson, LeaseFileJson, RequestFileJson};
use crate::http::{AppState, api::error::ApiError};
use axum::{extract::State, http::StatusCode};
use seatlock_protocol::file::{AirgapFile as _, FileError, RequestFile};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

pub(super) fn add(to: Endpoints) -> Endpoints {
    to.add(__path_answer_file, answer_file)
}

/// How a file is answered.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FileQuery {
    /// Say what would happen, and change nothing.
    #[serde(default)]
    #[param(required = false, default = false)]
    dry_run: bool,
}

/// Answer the file of a machine without a network
///
/// The body is the request or release file, as the plug-in wrote it. A request is answered by the
/// lease file, which is carried back as it is. Ask with `dry_run` first: the computer that is shown
/// should be the one whose name the artist reads out.
#[utoipa::path(
    post, path = "/airgap", params(FileQuery), request_body = RequestFileJson,
    responses(
        (status = 200, description = "What a release file did, or what the file would do.", body = AirgapResultJson),
        (status = 201, description = "The lease file.", body = LeaseFileJson),
        BadRequest, NoSuch, Clash, TooLarge, NotJson, Terms, TooOld, RateLimited, Guarded
    )
)]
async fn answer_file(
    State(state): State<Arc<AppState>>,
    who: Principal,
    QueryParams(query): QueryParams<FileQuery>,
    RawBody(bytes): RawBody,
) -> ApiResult {
    let file = RequestFile::parse(&bytes).map_err(|error| match error {
        FileError::TooLarge => ApiError::too_large(),
        other => ApiError::invalid("body", &other.to_string()),
    })?;
    let service = who.service(&state);
    if query.dry_run {
        return shown(&AirgapResultJson::new(&file, &service.preview_airgap(&file).await?, true));
    }
    let outcome = service.answer_airgap(state.services.folder(), &file).await?;
    match &outcome.lease {
        Some(lease) => json(StatusCode::CREATED, lease.to_bytes().map_err(ApiError::server_error)?),
        None => shown(&AirgapResultJson::new(&file, &outcome, false)),
    }
}
