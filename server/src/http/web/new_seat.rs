use super::super::AppState;
use super::error::{Trouble, sentence};
use super::flash::Done;
use super::form::{Asked, Filled, form_key};
use super::letter::{self, Send};
use super::visit::Visit;
use super::{Shown, seat, show, show_as, shown};
use crate::domain::License;
use crate::http::web::pages::{Id, LicenseChoice, LicenseState, NewSeatPage, NoSeat, SendAs};
use crate::service::{Again, Refused};
use crate::store::StoreError;
use axum::http::StatusCode;
use seatlock_protocol::UnixTime;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct NewSeat {
    form_key: String,
    email: String,
    license: String,
    #[serde(flatten)]
    send: Send,
}

impl NewSeat {
    /// The page with what was typed, for whoever has to sign in first.
    fn filled_in(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("email", &self.email).append_pair("license", &self.license);
        if let Some(what) = self.send.wanted() {
            query.append_pair("send", "on");
            query.append_pair("send_as", if what == SendAs::Token { "token" } else { "link" });
        }
        format!("/seats/new?{}", query.finish())
    }
}

pub(super) async fn ask(visit: Visit, Asked(mut form): Asked<NewSeat>) -> Shown {
    if form.email.is_empty() {
        form.email.clone_from(&visit.who.user.email);
    }
    show(&page(&visit, &form).await?)
}

pub(super) async fn make(visit: Result<Visit, Trouble>, Filled(form): Filled<NewSeat>) -> Shown {
    let visit = visit.map_err(|trouble| match trouble {
        Trouble::SignedOut(_) => Trouble::SignedOut(form.filled_in()),
        other => other,
    })?;
    let licenses = visit.desk().licenses(visit.account()).await?;
    let license = match (Uuid::parse_str(&form.license).ok(), licenses.as_slice()) {
        (None, [only]) => Some(only.id),
        (named, all) => named.filter(|id| all.iter().any(|license| license.id == *id)),
    };
    let Some(license) = license else {
        let error = Some("No seat was created: choose a license for it.".to_owned());
        return show_as(
            StatusCode::UNPROCESSABLE_ENTITY,
            &NewSeatPage { error, ..page(&visit, &form).await? },
        );
    };
    let email = form.email.trim();
    let request = format!("{license} {email}");
    let again = Again { key: &form.form_key, request: request.as_bytes() };
    let issued = match visit.desk().create_seat(email, Some(license), Some(again)).await {
        Ok(issued) => issued,
        Err(refused) => return refuse(&visit, &form, refused).await,
    };
    let done = match form.send.wanted() {
        _ if issued.repeated => None,
        None => Some(Done::NotAsked),
        Some(what) => {
            Some(letter::send(&visit, &issued.seat.seat, &issued.license, &issued.token, email, what).await)
        }
    };
    seat::go_to_token(&visit, issued.seat.seat.id, &form.form_key, done).await
}

/// The form again, with what was typed and why no seat was made.
async fn refuse(visit: &Visit, form: &NewSeat, refused: Refused) -> Shown {
    let page = page(visit, form).await?;
    let (status, page) = match refused {
        Refused::Invalid { field: "email", reason } => {
            let email_error = Some(sentence(&reason));
            (StatusCode::UNPROCESSABLE_ENTITY, NewSeatPage { email_error, ..page })
        }
        Refused::Invalid { .. } => return Err(Trouble::Unreadable),
        refused @ Refused::Verdict(_) => {
            let error = Some(format!("No seat was created for {}: {refused}", form.email));
            (StatusCode::CONFLICT, NewSeatPage { error, ..page })
        }
        Refused::Store(StoreError::KeyReused) => {
            let error =
                "This form was sent before with something else in it, and that seat was created. Nothing was \
                         created this time. Send it again to create another seat."
                    .to_owned();
            (StatusCode::CONFLICT, NewSeatPage { error: Some(error), ..page })
        }
        other => return Err(other.into()),
    };
    show_as(status, &page)
}

async fn page(visit: &Visit, form: &NewSeat) -> Result<NewSeatPage, Trouble> {
    let now = visit.now().await?;
    let licenses = visit.desk().licenses(visit.account()).await?;
    let named = Uuid::parse_str(&form.license).ok();
    let mut licenses: Vec<LicenseChoice> =
        licenses.iter().map(|license| choice(&visit.state, license, now)).collect();
    let chosen = |choice: &&mut LicenseChoice| match named {
        Some(named) => choice.id.0 == named,
        None => choice.unavailable.is_none(),
    };
    if let Some(choice) = licenses.iter_mut().find(chosen) {
        choice.chosen = true;
    }
    Ok(NewSeatPage {
        shell: visit.shell(),
        licenses,
        email: form.email.clone(),
        email_error: None,
        error: None,
        send: form.send.wanted(),
        mail_available: letter::available(&visit.state),
        form_key: form_key(),
    })
}

fn choice(state: &AppState, license: &License, now: UnixTime) -> LicenseChoice {
    let unavailable = match shown::license_state(license, now) {
        LicenseState::Active if license.tokens < license.seats_max => None,
        LicenseState::Active => Some(NoSeat::AllIssued),
        LicenseState::Suspended(_) => Some(NoSeat::Suspended),
        LicenseState::Ended(end) => Some(NoSeat::Ended(end)),
        LicenseState::WithoutSeats => Some(NoSeat::NotInPlan),
    };
    LicenseChoice {
        id: Id(license.id),
        plan: shown::plan(license),
        tokens: license.tokens,
        seats_max: license.seats_max,
        products: shown::products(state, license),
        chosen: false,
        unavailable,
    }
}
