use super::context::PageContext;
use super::error::{WebError, sentence};
use super::flash::FlashMessage;
use super::form::FormData;
use super::pages::{Moment, Shell};
use super::sign_in::signed_out;
use super::{PageResult, go, show_as};
use crate::domain::PASSWORD_MIN;
use crate::service::ServiceError;
use crate::service::Session;
use askama::Template;
use axum::{http::StatusCode, response::Response};
use serde::Deserialize;
use zeroize::Zeroizing;

/// `/account`.
#[derive(Debug, Clone, Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// The frame. Its user is the one that is shown.
    pub shell: Shell,
    /// Fewest characters of a password.
    pub password_min: u32,
    /// Whether the user has a password, and is not only let in by a sign-in service.
    pub has_password: bool,
    /// Why the password was not changed.
    pub password_error: Option<String>,
    /// Where the user is signed in, this session first.
    pub sessions: Vec<SessionRow>,
}

/// A browser in which the user is signed in.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Such as "Firefox on Linux".
    pub device: String,
    /// Address that it came from last.
    pub address: String,
    /// When it was seen last.
    pub last_seen_at: Moment,
    /// When it was signed in.
    pub signed_in_at: Moment,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl AccountPage {
    /// How many sessions there are besides this one.
    #[must_use]
    pub fn others(&self) -> usize {
        self.sessions.iter().filter(|session| !session.current).count()
    }
}

#[derive(Deserialize)]
pub(super) struct NewPasswordForm {
    current: Zeroizing<String>,
    new: Zeroizing<String>,
    again: Zeroizing<String>,
}

pub(super) async fn show(context: PageContext) -> PageResult {
    context.once(super::show(&page(&context, None).await?))
}

/// A person who opens the address of a form finds its page.
pub(super) async fn back() -> Response {
    go("/account")
}

pub(super) async fn password(context: PageContext, FormData(form): FormData<NewPasswordForm>) -> PageResult {
    let error = if form.new == form.again {
        match context
            .service()
            .change_password(context.state.services.passwords(), form.current, form.new)
            .await
        {
            Ok(()) => return context.go_and_say("/account", FlashMessage::PasswordChanged).await,
            Err(ServiceError::Invalid { reason, .. }) => sentence(&reason),
            Err(other) => return Err(other.into()),
        }
    } else {
        "The new passwords are not the same.".to_owned()
    };
    let error = Some(format!("The password was not changed. {error}"));
    show_as(StatusCode::UNPROCESSABLE_ENTITY, &page(&context, error).await?)
}

pub(super) async fn sign_out_everywhere(context: PageContext) -> PageResult {
    context.service().sign_out_everywhere().await?;
    signed_out(&context.state, FlashMessage::SignedOutEverywhere).await
}

async fn page(context: &PageContext, password_error: Option<String>) -> Result<AccountPage, WebError> {
    let own = context.who.session;
    let mut sessions = context.service().sessions().await?;
    sessions.sort_by_key(|session| Some(session.id) != own);
    let row = |session: Session| SessionRow {
        device: device(&session.agent),
        current: Some(session.id) == own,
        address: session.address,
        last_seen_at: session.seen_at.into(),
        signed_in_at: session.created_at.into(),
    };
    Ok(AccountPage {
        shell: context.shell(),
        password_min: u32::try_from(PASSWORD_MIN).map_err(WebError::failed)?,
        password_error,
        has_password: context.service().has_password().await?,
        sessions: sessions.into_iter().map(row).collect(),
    })
}

/// Words of a browser's name for itself, and what people call it. Each also names the ones below
/// it.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

/// The same for systems.
const SYSTEMS: [(&str, &str); 6] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// A browser as people call it, such as "Firefox on Linux".
fn device(agent: &str) -> String {
    let find = |names: &[(&str, &'static str)]| {
        names.iter().find(|(word, _)| agent.contains(word)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_called_as_people_call_them() {
        for (agent, name) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.5.0", "curl"),
            ("", "Unknown browser"),
        ] {
            assert_eq!(device(agent), name);
        }
    }
}
