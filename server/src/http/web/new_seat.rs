use super::super::AppState;
use super::context::PageContext;
use super::convert::LicenseState;
use super::email::{self, Send, SendAs};
use super::error::{WebError, sentence};
use super::flash::FlashMessage;
use super::form::{FormData, PageQuery, form_key};
use super::pages::{Moment, Shell, ShortId};
use super::{PageResult, convert, seat, show, show_as};
use crate::domain::License;
use crate::service::StoreError;
use crate::service::{IdempotencyKey, ServiceError};
use askama::Template;
use axum::http::StatusCode;
use seatlock_protocol::UnixTime;
use serde::Deserialize;
use uuid::Uuid;

/// `/seats/new`.
#[derive(Debug, Clone, Template)]
#[template(path = "new_seat.html")]
pub struct NewSeatPage {
    pub shell: Shell,
    /// Licenses that the account has; the form asks only when there are several.
    pub licenses: Vec<LicenseChoice>,
    /// Who is given the token: at first the user's own address.
    pub email: String,
    /// What is wrong with the address.
    pub email_error: Option<String>,
    /// Why no seat was made, when it is not the address.
    pub error: Option<String>,
    /// Whether an e-mail is to be sent, and with what in it.
    pub send: Option<SendAs>,
    /// Whether the server can send e-mail.
    pub mail_available: bool,
    /// Random, so that a form that is sent twice makes one seat.
    pub form_key: String,
}

/// A license in the form.
#[derive(Debug, Clone)]
pub struct LicenseChoice {
    pub id: ShortId,
    /// Name of its plan.
    pub plan: String,
    /// What it is for.
    pub products: Vec<String>,
    pub tokens: u32,
    /// Tokens that may exist.
    pub seats_max: u32,
    /// Whether it is the chosen one.
    pub chosen: bool,
    /// Why it cannot be chosen.
    pub unavailable: Option<NoSeat>,
}

/// Why a license has no seat to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSeat {
    /// Each of its seats has a token.
    AllIssued,
    /// The subscription is paused.
    Suspended,
    /// The subscription is over.
    Ended(Moment),
    /// Its plan carries no seats.
    NotInPlan,
}

impl NoSeat {
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::AllIssued => "all tokens are issued",
            Self::Suspended => "suspended",
            Self::Ended(_) => "ended",
            Self::NotInPlan => "its plan does not include plug-ins",
        }
    }
}

impl NewSeatPage {
    /// Whether the e-mail shall hold the token itself.
    #[must_use]
    pub fn sends_token(&self) -> bool {
        self.send == Some(SendAs::Token)
    }

    /// Whether a seat can be made at all.
    #[must_use]
    pub fn possible(&self) -> bool {
        self.licenses.iter().any(|license| license.unavailable.is_none())
    }
}

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
    /// The page with what was typed, for a person who has to sign in first.
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
