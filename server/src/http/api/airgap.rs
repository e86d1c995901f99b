use super::extract::{Ask, Raw, Visitor};
use super::responses::{BadRequest, Clash, Guarded, NoSuch, NotJson, RateLimited, Terms, TooLarge, TooOld};
use super::{Answer, Endpoints, json, shown};
use crate::http::api::schema::{AirgapResultView, LeaseFileView, RequestFileView};
use crate::http::{AppState, api::error::Failure};
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
    post, path = "/airgap", params(FileQuery), request_body = RequestFileView,
    responses(
        (status = 200, description = "What a release file did, or what the file would do.", body = AirgapResultView),
        (status = 201, description = "The lease file.", body = LeaseFileView),
        BadRequest, NoSuch, Clash, TooLarge, NotJson, Terms, TooOld, RateLimited, Guarded
    )
)]
async fn answer_file(
    State(state): State<Arc<AppState>>,
    who: Visitor,
    Ask(query): Ask<FileQuery>,
    Raw(bytes): Raw,
) -> Answer {
    let file = RequestFile::parse(&bytes).map_err(|error| match error {
        FileError::TooLarge => Failure::too_large(),
        other => Failure::invalid("body", &other.to_string()),
    })?;
    let desk = who.desk(&state);
    if query.dry_run {
        return shown(&AirgapResultView::new(&file, &desk.preview_airgap(&file).await?, true));
    }
    let outcome = desk.answer_airgap(&state.folder, &file).await?;
    match &outcome.lease {
        Some(lease) => json(StatusCode::CREATED, lease.to_bytes().map_err(Failure::server_error)?),
        None => shown(&AirgapResultView::new(&file, &outcome, false)),
    }
}
