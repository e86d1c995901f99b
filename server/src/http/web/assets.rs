use super::WebError;
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// Nothing but what this server serves itself, no page in a frame, and no form that leaves.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A file that pages refer to, built into the program.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    pub path: &'static str,
    pub content_type: &'static str,
    pub body: &'static str,
}

pub const ASSETS: [Asset; 3] = [
    Asset {
        path: "/assets/style.css",
        content_type: "text/css; charset=utf-8",
        body: include_str!("../../../assets/style.css"),
    },
    Asset {
        path: "/assets/copy.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("../../../assets/copy.js"),
    },
    Asset {
        path: "/assets/icon.svg",
        content_type: "image/svg+xml",
        body: include_str!("../../../assets/icon.svg"),
    },
];

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
