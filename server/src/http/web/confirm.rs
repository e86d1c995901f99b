use super::error::{Trouble, sentence};
use super::flash::Done;
use super::form::{Filled, Named, form_key};
use super::letter::{self, Send};
use super::visit::Visit;
use super::{Shown, seat, show, show_as, shown};
use crate::domain::{License, OwnerAct, ReleaseMode, Seat, SeatState, exactly};
use crate::http::web::pages::{ConfirmRefresh, ConfirmRelease, ConfirmRevoke, Moment, ReleaseLimit};
use crate::service::{Acted, Again, Refused};
use crate::store::StoreError;
use axum::http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize)]
pub(super) struct Refresh {
    form_key: String,
    #[serde(default)]
    email: String,
    #[serde(flatten)]
    send: Send,
}

#[derive(Deserialize)]
pub(super) struct Revoke {
    confirm: Option<String>,
}

/// A closed seat has no more questions.
async fn open_seat(visit: &Visit, id: Uuid) -> Result<Option<(Seat, License)>, Trouble> {
    let (listed, license) = visit.desk().seat(id).await?;
    Ok((listed.seat.state != SeatState::Closed).then_some((listed.seat, license)))
}

pub(super) async fn ask_refresh(visit: Visit, Named(id): Named) -> Shown {
    match open_seat(&visit, id).await? {
        Some((seat, _)) if seat.identity.is_some() => Err(StoreError::SignsIn.into()),
        Some((seat, _)) => show(&refresh_page(&visit, &seat).await?),
        None => closed(&visit, id).await,
    }
}

pub(super) async fn refresh(visit: Visit, Named(id): Named, Filled(form): Filled<Refresh>) -> Shown {
    let email = form.email.trim();
    let request = format!("{id} {email}");
    let again = Again { key: &form.form_key, request: request.as_bytes() };
    let acted = match visit.desk().refresh(id, Some(email.to_owned()), false, Some(again)).await {
        Ok(acted) => acted,
        Err(refused) => {
            let (status, email_error, error) = match refused {
                Refused::Invalid { field: "email", reason } => {
                    (StatusCode::UNPROCESSABLE_ENTITY, Some(sentence(&reason)), None)
                }
                other => (StatusCode::CONFLICT, None, Some(told(other)?)),
            };
            return match open_seat(&visit, id).await? {
                Some((seat, _)) => {
                    let page = refresh_page(&visit, &seat).await?;
                    let email = email.to_owned();
                    show_as(status, &ConfirmRefresh { email, email_error, error, ..page })
                }
                None => closed(&visit, id).await,
            };
        }
    };
    let Acted { seat, license, token: Some(token), repeated, .. } = acted else {
        return closed(&visit, id).await;
    };
    let done = match form.send.wanted() {
        _ if repeated => None,
        None => Some(Done::NotAsked),
        Some(what) => {
            let to = &seat.seat.shared_with;
            Some(letter::send(&visit, &seat.seat, &license, &token, to, what).await)
        }
    };
    seat::go_to_token(&visit, id, &form.form_key, done).await
}

async fn refresh_page(visit: &Visit, seat: &Seat) -> Result<ConfirmRefresh, Trouble> {
    let hold = shown::hold(seat, visit.now().await?);
    Ok(ConfirmRefresh {
        shell: visit.shell(),
        seat: shown::name(seat),
        machine: seat.holding().map(|held| held.machine.clone()),
        lease_until: hold.lease_until,
        email: seat.shared_with.clone(),
        email_error: None,
        mail_available: letter::available(&visit.state),
        form_key: form_key(),
        error: None,
    })
}

pub(super) async fn ask_release(visit: Visit, Named(id): Named) -> Shown {
    match open_seat(&visit, id).await? {
        Some((seat, license)) => show(&release_page(&visit, &seat, &license).await?),
        None => closed(&visit, id).await,
    }
}

pub(super) async fn release(visit: Visit, Named(id): Named) -> Shown {
    match visit.desk().act(id, OwnerAct::Release, false).await {
        Ok(acted) if acted.changed => visit.go_and_say(&format!("/seats/{id}"), Done::Released).await,
        Ok(_) => closed(&visit, id).await,
        Err(refused) => {
            let error = told(refused)?;
            let Some((seat, license)) = open_seat(&visit, id).await? else { return closed(&visit, id).await };
            let page = release_page(&visit, &seat, &license).await?;
            // The page says by itself from when on a release is possible.
            let error = page.possible().then_some(error);
            show_as(StatusCode::CONFLICT, &ConfirmRelease { error, ..page })
        }
    }
}

async fn release_page(visit: &Visit, seat: &Seat, license: &License) -> Result<ConfirmRelease, Trouble> {
    let now = visit.now().await?;
    let limit = match license.release_possible_at(now) {
        Some(at) => ReleaseLimit::NotBefore(at.into()),
        None => ReleaseLimit::NextAfter(Moment::from(now.plus(license.release_window))),
    };
    Ok(ConfirmRelease {
        shell: visit.shell(),
        seat: shown::name(seat),
        machine: seat.holding().map(|held| held.machine.clone()),
        lease_until: shown::hold(seat, now).lease_until,
        limit,
        window: exactly(license.release_window),
        drains: license.release_mode == ReleaseMode::Drain,
        relaunch_rebinds: license.relaunch_rebinds,
        error: None,
    })
}

pub(super) async fn ask_revoke(visit: Visit, Named(id): Named) -> Shown {
    match open_seat(&visit, id).await? {
        Some((seat, _)) => show(&revoke_page(&visit, &seat).await?),
        None => closed(&visit, id).await,
    }
}

pub(super) async fn revoke(visit: Visit, Named(id): Named, Filled(form): Filled<Revoke>) -> Shown {
    let (status, error) = if form.confirm.as_deref() == Some("revoke") {
        match visit.desk().act(id, OwnerAct::Revoke, false).await {
            Ok(acted) if acted.changed => {
                return visit.go_and_say(&format!("/seats/{id}"), Done::Revoked).await;
            }
            Ok(_) => return closed(&visit, id).await,
            Err(refused) => (StatusCode::CONFLICT, told(refused)?),
        }
    } else {
        (StatusCode::UNPROCESSABLE_ENTITY, "Nothing was changed: tick the box to confirm.".to_owned())
    };
    match open_seat(&visit, id).await? {
        Some((seat, _)) => {
            show_as(status, &ConfirmRevoke { error: Some(error), ..revoke_page(&visit, &seat).await? })
        }
        None => closed(&visit, id).await,
    }
}

async fn revoke_page(visit: &Visit, seat: &Seat) -> Result<ConfirmRevoke, Trouble> {
    Ok(ConfirmRevoke {
        shell: visit.shell(),
        seat: shown::name(seat),
        machine: seat.holding().map(|held| held.machine.clone()),
        lease_until: shown::hold(seat, visit.now().await?).lease_until,
        error: None,
    })
}

/// There was nothing to do: it was done before, by somebody else or by the same form.
async fn closed(visit: &Visit, id: Uuid) -> Shown {
    visit.go_and_say(&format!("/seats/{id}"), Done::NothingLeft).await
}

/// Why nothing was changed, for the page that asked.
fn told(refused: Refused) -> Result<String, Trouble> {
    match refused {
        refused @ Refused::Verdict(_) => Ok(sentence(&refused)),
        Refused::Store(error @ StoreError::Conflict) => Ok(sentence(&error)),
        other => Err(other.into()),
    }
}
