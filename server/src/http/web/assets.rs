use super::WebError;
use crate::http::web::pages::ASSETS;
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// A file that pages refer to. Browsers keep it and ask whether it is still the same, so a new
/// release shows at once.
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, WebError> {
    let named = |path: &str| path.strip_prefix("/assets/") == Some(&*name);
    let asset = ASSETS.iter().find(|asset| named(asset.path)).ok_or(WebError::NotFound)?;
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(asset.body)));
    let kept = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "public, max-age=0, must-revalidate")];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    if known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    Ok((kept, [(header::CONTENT_TYPE, asset.content_type)], asset.body).into_response())
}
