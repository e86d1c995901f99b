use super::super::AppState;
use super::context::PageContext;
use super::email::{self, Send};
use super::error::{WebError, sentence};
use super::flash::FlashMessage;
use super::form::{FormData, PageQuery, form_key};
use super::{PageResult, convert, seat, show, show_as};
use crate::domain::License;
use crate::http::web::pages::{LicenseChoice, LicenseState, NewSeatPage, NoSeat, SendAs, ShortId};
use crate::service::{IdempotencyKey, ServiceError};
use crate::store::StoreError;
use axum::http::StatusCode;
use seatlock_protocol::UnixTime;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct NewSeatForm {
    form_key: String,
    email: String,
    license: String,
    #[serde(flatten)]
    send: Send,
}

impl NewSeatForm {
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

pub(super) async fn ask(context: PageContext, PageQuery(mut form): PageQuery<NewSeatForm>) -> PageResult {
    if form.email.is_empty() {
        form.email.clone_from(&context.who.user.email);
    }
    show(&page(&context, &form).await?)
}

pub(super) async fn make(
    context: Result<PageContext, WebError>,
    FormData(form): FormData<NewSeatForm>,
) -> PageResult {
    let context = context.map_err(|trouble| match trouble {
        WebError::SignedOut(_) => WebError::SignedOut(form.filled_in()),
        other => other,
    })?;
    let licenses = context.service().licenses(context.account()).await?;
    let license = match (Uuid::parse_str(&form.license).ok(), licenses.as_slice()) {
        (None, [only]) => Some(only.id),
        (named, all) => named.filter(|id| all.iter().any(|license| license.id == *id)),
    };
    let Some(license) = license else {
        let error = Some("No seat was created: choose a license for it.".to_owned());
        return show_as(
            StatusCode::UNPROCESSABLE_ENTITY,
            &NewSeatPage { error, ..page(&context, &form).await? },
        );
    };
    let email = form.email.trim();
    let request = format!("{license} {email}");
    let idempotency_key = IdempotencyKey { key: &form.form_key, request: request.as_bytes() };
    let issued = match context.service().create_seat(email, Some(license), Some(idempotency_key)).await {
        Ok(issued) => issued,
        Err(refused) => return refuse(&context, &form, refused).await,
    };
    let done = match form.send.wanted() {
        _ if issued.repeated => None,
        None => Some(FlashMessage::NotAsked),
        Some(what) => {
            Some(email::send(&context, &issued.seat.seat, &issued.license, &issued.token, email, what).await)
        }
    };
    seat::go_to_token(&context, issued.seat.seat.id, &form.form_key, done).await
}

/// The form again, with what was typed and why no seat was made.
async fn refuse(context: &PageContext, form: &NewSeatForm, refused: ServiceError) -> PageResult {
    let page = page(context, form).await?;
    let (status, page) = match refused {
        ServiceError::Invalid { field: "email", reason } => {
            let email_error = Some(sentence(&reason));
            (StatusCode::UNPROCESSABLE_ENTITY, NewSeatPage { email_error, ..page })
        }
        ServiceError::Invalid { .. } => return Err(WebError::Unreadable),
        refused @ ServiceError::Verdict(_) => {
            let error = Some(format!("No seat was created for {}: {refused}", form.email));
            (StatusCode::CONFLICT, NewSeatPage { error, ..page })
        }
        ServiceError::Store(StoreError::KeyReused) => {
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

async fn page(context: &PageContext, form: &NewSeatForm) -> Result<NewSeatPage, WebError> {
    let now = context.now().await?;
    let licenses = context.service().licenses(context.account()).await?;
    let named = Uuid::parse_str(&form.license).ok();
    let mut licenses: Vec<LicenseChoice> =
        licenses.iter().map(|license| choice(&context.state, license, now)).collect();
    let chosen = |choice: &&mut LicenseChoice| match named {
        Some(named) => choice.id.0 == named,
        None => choice.unavailable.is_none(),
    };
    if let Some(choice) = licenses.iter_mut().find(chosen) {
        choice.chosen = true;
    }
    Ok(NewSeatPage {
        shell: context.shell(),
        licenses,
        email: form.email.clone(),
        email_error: None,
        error: None,
        send: form.send.wanted(),
        mail_available: email::available(&context.state),
        form_key: form_key(),
    })
}

fn choice(state: &AppState, license: &License, now: UnixTime) -> LicenseChoice {
    let unavailable = match convert::license_state(license, now) {
        LicenseState::Active if license.tokens < license.seats_max => None,
        LicenseState::Active => Some(NoSeat::AllIssued),
        LicenseState::Suspended(_) => Some(NoSeat::Suspended),
        LicenseState::Ended(end) => Some(NoSeat::Ended(end)),
        LicenseState::WithoutSeats => Some(NoSeat::NotInPlan),
    };
    LicenseChoice {
        id: ShortId(license.id),
        plan: convert::plan(license),
        tokens: license.tokens,
        seats_max: license.seats_max,
        products: convert::products(state, license),
        chosen: false,
        unavailable,
    }
}
