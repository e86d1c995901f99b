use super::error::{Trouble, sentence};
use super::form::Filled;
use super::visit::Visit;
use super::{Shown, go, show, show_as, shown};
use crate::domain::exactly;
use crate::http::web::pages::{AirgapCheck, AirgapDone, AirgapPage, LeaseResult};
use crate::service::airgap::{AirgapError, Outcome};
use axum::{
    extract::{Multipart, multipart::MultipartRejection},
    http::StatusCode,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use seatlock_protocol::file::{AirgapFile as _, RequestFile};
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize)]
pub(super) struct Carried {
    file: Zeroizing<String>,
}

pub(super) async fn ask(visit: Visit) -> Shown {
    show(&page(&visit, None).await?)
}

/// Whoever opens the address of the second form finds the first one.
pub(super) async fn back() -> Response {
    go("/airgap")
}

/// Says what a file would do. Nothing is done yet.
pub(super) async fn check(visit: Visit, form: Result<Multipart, MultipartRejection>) -> Shown {
    let text = uploaded(form.map_err(|_| Trouble::Unreadable)?).await?;
    let file = match RequestFile::parse(text.as_bytes()) {
        Ok(file) => file,
        Err(error) => {
            return refuse(&visit, &format!("The file cannot be used: {error}. Nothing was changed.")).await;
        }
    };
    match visit.desk().preview_airgap(&file).await {
        Ok(Outcome { seat, lease_until, .. }) => show(&AirgapCheck {
            shell: visit.shell(),
            seat: shown::name(&seat),
            machine: file.request.machine.id.clone(),
            product: file.request.product.clone(),
            lease_until: lease_until.map(Into::into),
            file: text,
        }),
        Err(error) => refuse(&visit, &told(error)?).await,
    }
}

/// Does it.
pub(super) async fn answer(visit: Visit, Filled(form): Filled<Carried>) -> Shown {
    let file = RequestFile::parse(form.file.as_bytes()).map_err(|_| Trouble::Unreadable)?;
    let outcome = match visit.desk().answer_airgap(&visit.state.folder, &file).await {
        Ok(outcome) => outcome,
        Err(error) => return refuse(&visit, &told(error)?).await,
    };
    let machine = file.request.machine.id.clone();
    let lease = match (&outcome.lease, outcome.lease_until) {
        (Some(lease), Some(until)) => Some(LeaseResult {
            name: format!("seatlock-{}.lease.json", machine.short()),
            base64: Zeroizing::new(STANDARD.encode(lease.to_bytes().map_err(Trouble::failed)?)),
            until: until.into(),
        }),
        _ => None,
    };
    show(&AirgapDone { shell: visit.shell(), seat: shown::name(&outcome.seat), machine, lease })
}

async fn uploaded(mut form: Multipart) -> Result<Zeroizing<String>, Trouble> {
    let unreadable = |error: axum::extract::multipart::MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Trouble::TooLarge,
        _ => Trouble::Unreadable,
    };
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        if field.name() == Some("file") {
            let bytes = field.bytes().await.map_err(unreadable)?;
            // What is no text is no file of a plug-in; the parser says so.
            return Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Err(Trouble::Unreadable)
}

async fn refuse(visit: &Visit, error: &str) -> Shown {
    show_as(StatusCode::UNPROCESSABLE_ENTITY, &page(visit, Some(error.to_owned())).await?)
}

async fn page(visit: &Visit, error: Option<String>) -> Result<AirgapPage, Trouble> {
    let licenses = visit.desk().licenses(visit.account()).await?;
    let lives = || licenses.iter().map(|license| license.airgap_ttl);
    let lease_life = match (lives().min(), lives().max()) {
        (Some(shortest), Some(longest)) if shortest != longest => format!("up to {}", exactly(longest)),
        (_, life) => life.map(exactly).unwrap_or_default(),
    };
    Ok(AirgapPage { shell: visit.shell(), lease_life, error })
}

/// Why a file is not answered, for people.
fn told(error: AirgapError) -> Result<String, Trouble> {
    match error {
        AirgapError::Store(error) => Err(error.into()),
        AirgapError::Ring(error) => Err(error.into()),
        error @ (AirgapError::OtherIssuer(_) | AirgapError::Refused(_) | AirgapError::NotTheHolder) => {
            Ok(format!("{} Nothing was changed.", sentence(&error)))
        }
        error => Err(Trouble::failed(error)),
    }
}
