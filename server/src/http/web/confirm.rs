use super::context::PageContext;
use super::email::{self, Send};
use super::error::{WebError, sentence};
use super::flash::FlashMessage;
use super::form::{FormData, PagePathId, form_key};
use super::pages::{Moment, SeatName, Shell};
use super::{PageResult, convert, seat, show, show_as};
use crate::domain::{License, ReleaseMode, Seat, SeatAction, SeatState, exactly};
use crate::service::StoreError;
use crate::service::{IdempotencyKey, SeatActionResult, ServiceError};
use askama::Template;
use axum::http::StatusCode;
use seatlock_protocol::MachineId;
use serde::Deserialize;
use uuid::Uuid;

/// `/seats/{id}/refresh`: asks before a token is replaced.
#[derive(Debug, Clone, Template)]
#[template(path = "confirm_refresh.html")]
pub struct ConfirmRefresh {
    pub shell: Shell,
    pub seat: SeatName,
    /// The machine that holds it.
    pub machine: Option<MachineId>,
    /// Until when that machine may work offline.
    pub lease_until: Option<Moment>,
    /// Whom the new token is for: at first the person who had the old one.
    pub email: String,
    /// What is wrong with the address.
    pub email_error: Option<String>,
    /// Whether the server can send e-mail.
    pub mail_available: bool,
    /// Random, so that a form that is sent twice makes one token.
    pub form_key: String,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// `/seats/{id}/release`: asks before a seat is taken from its machine.
#[derive(Debug, Clone, Template)]
#[template(path = "confirm_release.html")]
pub struct ConfirmRelease {
    pub shell: Shell,
    pub seat: SeatName,
    /// The machine that holds it; `None` when none does.
    pub machine: Option<MachineId>,
    /// Until when that machine may work offline.
    pub lease_until: Option<Moment>,
    /// What the license allows.
    pub limit: ReleaseLimit,
    /// Time between two releases, in words.
    pub window: String,
    /// Whether the place stays taken until `lease_until` (release mode `drain`).
    pub drains: bool,
    /// Whether the machine takes the seat back when its host is started (`relaunch_rebinds`).
    pub relaunch_rebinds: bool,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// Whether the license allows a release now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseLimit {
    /// It does; the one after that from then on.
    NextAfter(Moment),
    /// A seat was released already; the next from then on.
    NotBefore(Moment),
}

impl ConfirmRelease {
    /// Whether the form is shown.
    #[must_use]
    pub fn possible(&self) -> bool {
        self.machine.is_some() && matches!(self.limit, ReleaseLimit::NextAfter(_))
    }
}

/// `/seats/{id}/revoke`: asks before a seat is closed for good.
#[derive(Debug, Clone, Template)]
#[template(path = "confirm_revoke.html")]
pub struct ConfirmRevoke {
    pub shell: Shell,
    pub seat: SeatName,
    /// The machine that holds it.
    pub machine: Option<MachineId>,
    /// Until when that machine may work offline.
    pub lease_until: Option<Moment>,
    /// Why the last try failed, such as an empty box.
    pub error: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RefreshForm {
    form_key: String,
    #[serde(default)]
    email: String,
    #[serde(flatten)]
    send: Send,
}

#[derive(Deserialize)]
pub(super) struct RevokeForm {
    confirm: Option<String>,
}

/// A closed seat has no more questions.
async fn open_seat(context: &PageContext, id: Uuid) -> Result<Option<(Seat, License)>, WebError> {
    let (listed, license) = context.service().seat(id).await?;
    Ok((listed.seat.state != SeatState::Closed).then_some((listed.seat, license)))
}

pub(super) async fn ask_refresh(context: PageContext, PagePathId(id): PagePathId) -> PageResult {
    match open_seat(&context, id).await? {
        Some((seat, _)) if seat.identity.is_some() => Err(StoreError::SignsIn.into()),
        Some((seat, _)) => show(&refresh_page(&context, &seat).await?),
        None => closed(&context, id).await,
    }
}

pub(super) async fn refresh(
    context: PageContext,
    PagePathId(id): PagePathId,
    FormData(form): FormData<RefreshForm>,
) -> PageResult {
    let email = form.email.trim();
    let request = format!("{id} {email}");
    let idempotency_key = IdempotencyKey { key: &form.form_key, request: request.as_bytes() };
    let acted =
        match context.service().refresh(id, Some(email.to_owned()), false, Some(idempotency_key)).await {
            Ok(acted) => acted,
            Err(refused) => {
                let (status, email_error, error) = match refused {
                    ServiceError::Invalid { field: "email", reason } => {
                        (StatusCode::UNPROCESSABLE_ENTITY, Some(sentence(&reason)), None)
                    }
                    other => (StatusCode::CONFLICT, None, Some(told(other)?)),
                };
                return match open_seat(&context, id).await? {
                    Some((seat, _)) => {
                        let page = refresh_page(&context, &seat).await?;
                        let email = email.to_owned();
                        show_as(status, &ConfirmRefresh { email, email_error, error, ..page })
                    }
                    None => closed(&context, id).await,
                };
            }
        };
    let SeatActionResult { seat, license, token: Some(token), repeated, .. } = acted else {
        return closed(&context, id).await;
    };
    let done = match form.send.wanted() {
        _ if repeated => None,
        None => Some(FlashMessage::NotAsked),
        Some(what) => {
            let to = &seat.seat.shared_with;
            Some(email::send(&context, &seat.seat, &license, &token, to, what).await)
        }
    };
    seat::go_to_token(&context, id, &form.form_key, done).await
}

async fn refresh_page(context: &PageContext, seat: &Seat) -> Result<ConfirmRefresh, WebError> {
    let hold = convert::hold(seat, context.now().await?);
    Ok(ConfirmRefresh {
        shell: context.shell(),
        seat: convert::name(seat),
        machine: seat.holding().map(|held| held.machine.clone()),
        lease_until: hold.lease_until,
        email: seat.shared_with.clone(),
        email_error: None,
        mail_available: email::available(&context.state),
        form_key: form_key(),
        error: None,
    })
}

pub(super) async fn ask_release(context: PageContext, PagePathId(id): PagePathId) -> PageResult {
    match open_seat(&context, id).await? {
        Some((seat, license)) => show(&release_page(&context, &seat, &license).await?),
        None => closed(&context, id).await,
    }
}

pub(super) async fn release(context: PageContext, PagePathId(id): PagePathId) -> PageResult {
    match context.service().act(id, SeatAction::Release, false).await {
        Ok(acted) if acted.changed => {
            context.go_and_say(&format!("/seats/{id}"), FlashMessage::Released).await
        }
        Ok(_) => closed(&context, id).await,
        Err(refused) => {
            let error = told(refused)?;
            let Some((seat, license)) = open_seat(&context, id).await? else {
                return closed(&context, id).await;
            };
            let page = release_page(&context, &seat, &license).await?;
            // The page says by itself from when on a release is possible.
            let error = page.possible().then_some(error);
            show_as(StatusCode::CONFLICT, &ConfirmRelease { error, ..page })
        }
    }
}

async fn release_page(
    context: &PageContext,
    seat: &Seat,
    license: &License,
) -> Result<ConfirmRelease, WebError> {
    let now = context.now().await?;
    let limit = match license.release_possible_at(now) {
        Some(at) => ReleaseLimit::NotBefore(at.into()),
        None => ReleaseLimit::NextAfter(Moment::from(now.plus(license.release_window))),
    };
    Ok(ConfirmRelease {
        shell: context.shell(),
        seat: convert::name(seat),
        machine: seat.holding().map(|held| held.machine.clone()),
        lease_until: convert::hold(seat, now).lease_until,
        limit,
        window: exactly(license.release_window),
        drains: license.release_mode == ReleaseMode::Drain,
        relaunch_rebinds: license.relaunch_rebinds,
        error: None,
    })
}

pub(super) async fn ask_revoke(context: PageContext, PagePathId(id): PagePathId) -> PageResult {
    match open_seat(&context, id).await? {
        Some((seat, _)) => show(&revoke_page(&context, &seat).await?),
        None => closed(&context, id).await,
    }
}

pub(super) async fn revoke(
    context: PageContext,
    PagePathId(id): PagePathId,
    FormData(form): FormData<RevokeForm>,
) -> PageResult {
    let (status, error) = if form.confirm.as_deref() == Some("revoke") {
        match context.service().act(id, SeatAction::Revoke, false).await {
            Ok(acted) if acted.changed => {
                return context.go_and_say(&format!("/seats/{id}"), FlashMessage::Revoked).await;
            }
            Ok(_) => return closed(&context, id).await,
            Err(refused) => (StatusCode::CONFLICT, told(refused)?),
        }
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "Nothing was changed: tick the box to confirm.".to_owned())
    };
    match open_seat(&context, id).await? {
        Some((seat, _)) => {
            show_as(status, &ConfirmRevoke { error: Some(error), ..revoke_page(&context, &seat).await? })
        }
        None => closed(&context, id).await,
    }
}

async fn revoke_page(context: &PageContext, seat: &Seat) -> Result<ConfirmRevoke, WebError> {
    Ok(ConfirmRevoke {
        shell: context.shell(),
        seat: convert::name(seat),
        machine: seat.holding().map(|held| held.machine.clone()),
        lease_until: convert::hold(seat, context.now().await?).lease_until,
        error: None,
    })
}

/// There was nothing to do: it was done before, by somebody else or by the same form.
async fn closed(context: &PageContext, id: Uuid) -> PageResult {
    context.go_and_say(&format!("/seats/{id}"), FlashMessage::NothingLeft).await
}

/// Why nothing was changed, for the page that asked.
fn told(refused: ServiceError) -> Result<String, WebError> {
    match refused {
        refused @ ServiceError::Verdict(_) => Ok(sentence(&refused)),
        ServiceError::Store(error @ StoreError::Conflict) => Ok(sentence(&error)),
        other => Err(other.into()),
    }
}
