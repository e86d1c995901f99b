use super::context::PageContext;
use super::error::{WebError, sentence};
use super::form::FormData;
use super::pages::{Moment, SeatName, Shell};
use super::{PageResult, convert, go, show, show_as};
use crate::domain::exactly;
use crate::service::airgap::{AirgapError, AirgapOutcome};
use askama::Template;
use axum::{
    extract::{Multipart, multipart::MultipartRejection},
    http::StatusCode,
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use seatlock_protocol::MachineId;
use seatlock_protocol::file::{AirgapFile as _, RequestFile};
use serde::Deserialize;
use zeroize::Zeroizing;

/// `/airgap`: takes the file of a machine without a network.
#[derive(Debug, Clone, Template)]
#[template(path = "airgap.html")]
pub struct AirgapPage {
    pub shell: Shell,
    /// How long a lease for such a machine lasts, in words; empty without a license.
    pub lease_life: String,
    /// Why the last file was not answered.
    pub error: Option<String>,
}

/// What a file would do, before it is done.
#[derive(Clone, Template)]
#[template(path = "airgap_check.html")]
pub struct AirgapCheck {
    pub shell: Shell,
    /// The seat whose token made the file.
    pub seat: SeatName,
    /// The machine that made it, as the file says.
    pub machine: MachineId,
    /// The product that made it.
    pub product: String,
    /// When the lease would end; `None` for a file that gives a seat back.
    pub lease_until: Option<Moment>,
    /// The file itself, which the form carries on.
    pub file: Zeroizing<String>,
}

/// A file was answered.
#[derive(Clone, Template)]
#[template(path = "airgap_done.html")]
pub struct AirgapDone {
    pub shell: Shell,
    pub seat: SeatName,
    /// The machine that made the file.
    pub machine: MachineId,
    /// The answer to be carried back; `None` when the file gave a seat back.
    pub lease: Option<LeaseResult>,
}

/// A lease file to be saved.
#[derive(Clone)]
pub struct LeaseResult {
    /// Name to save it under.
    pub name: String,
    /// The file in base64, for an address of the kind `data:`.
    pub base64: Zeroizing<String>,
    /// When the lease ends.
    pub until: Moment,
}

#[derive(Deserialize)]
pub(super) struct AirgapForm {
    file: Zeroizing<String>,
}

pub(super) async fn ask(context: PageContext) -> PageResult {
    show(&page(&context, None).await?)
}

/// A person who opens the address of the second form finds the first one.
pub(super) async fn back() -> Response {
    go("/airgap")
}

/// Says what a file would do. Nothing is done yet.
pub(super) async fn check(context: PageContext, form: Result<Multipart, MultipartRejection>) -> PageResult {
    let text = uploaded(form.map_err(|_| WebError::Unreadable)?).await?;
    let file = match RequestFile::parse(text.as_bytes()) {
        Ok(file) => file,
        Err(error) => {
            return refuse(&context, &format!("The file cannot be used: {error}. Nothing was changed."))
                .await;
        }
    };
    match context.service().preview_airgap(&file).await {
        Ok(AirgapOutcome { seat, lease_until, .. }) => show(&AirgapCheck {
            shell: context.shell(),
            seat: convert::name(&seat),
            machine: file.request.machine.id.clone(),
            product: file.request.product.clone(),
            lease_until: lease_until.map(Into::into),
            file: text,
        }),
        Err(error) => refuse(&context, &told(error)?).await,
    }
}

pub(super) async fn answer(context: PageContext, FormData(form): FormData<AirgapForm>) -> PageResult {
    let file = RequestFile::parse(form.file.as_bytes()).map_err(|_| WebError::Unreadable)?;
    let outcome = match context.service().answer_airgap(context.state.services.folder(), &file).await {
        Ok(outcome) => outcome,
        Err(error) => return refuse(&context, &told(error)?).await,
    };
    let machine = file.request.machine.id.clone();
    let lease = match (&outcome.lease, outcome.lease_until) {
        (Some(lease), Some(until)) => Some(LeaseResult {
            name: format!("seatlock-{}.lease.json", machine.short()),
            base64: Zeroizing::new(STANDARD.encode(lease.to_bytes().map_err(WebError::failed)?)),
            until: until.into(),
        }),
        _ => None,
    };
    show(&AirgapDone { shell: context.shell(), seat: convert::name(&outcome.seat), machine, lease })
}

async fn uploaded(mut form: Multipart) -> Result<Zeroizing<String>, WebError> {
    let unreadable = |error: axum::extract::multipart::MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => WebError::TooLarge,
        _ => WebError::Unreadable,
    };
    while let Some(field) = form.next_field().await.map_err(unreadable)? {
        if field.name() == Some("file") {
            let bytes = field.bytes().await.map_err(unreadable)?;
            // What is no text is no file of a plug-in; the parser says so.
            return Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Err(WebError::Unreadable)
}

async fn refuse(context: &PageContext, error: &str) -> PageResult {
    show_as(StatusCode::UNPROCESSABLE_ENTITY, &page(context, Some(error.to_owned())).await?)
}

async fn page(context: &PageContext, error: Option<String>) -> Result<AirgapPage, WebError> {
    let licenses = context.service().licenses(context.account()).await?;
    let lives = || licenses.iter().map(|license| license.airgap_ttl);
    let lease_life = match (lives().min(), lives().max()) {
        (Some(shortest), Some(longest)) if shortest != longest => format!("up to {}", exactly(longest)),
        (_, life) => life.map(exactly).unwrap_or_default(),
    };
    Ok(AirgapPage { shell: context.shell(), lease_life, error })
}

/// Why a file is not answered, for people.
fn told(error: AirgapError) -> Result<String, WebError> {
    match error {
        AirgapError::Store(error) => Err(error.into()),
        AirgapError::Ring(error) => Err(error.into()),
        error @ (AirgapError::OtherIssuer(_) | AirgapError::Refused(_) | AirgapError::NotTheHolder) => {
            Ok(format!("{} Nothing was changed.", sentence(&error)))
        }
        error => Err(WebError::failed(error)),
    }
}
