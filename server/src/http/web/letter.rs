use super::super::AppState;
use super::error::sentence;
use super::flash::Done;
use super::shown;
use super::visit::Visit;
use crate::crypto::seal;
use crate::domain::{License, Seat};
use crate::http::web::pages::SendAs;
use crate::mail::{Fault, Letter, Secret, address};
use crate::service::Refused;
use crate::store::StoreError;
use seatlock_protocol::{Token, UnixTime};
use serde::Deserialize;

/// Whether an e-mail is wanted, as forms say it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Send {
    send: Option<String>,
    send_as: String,
}

impl Send {
    /// What is to be sent, when its box is ticked.
    pub(super) fn wanted(&self) -> Option<SendAs> {
        self.send.is_some().then(|| contents(&self.send_as))
    }
}

/// What an e-mail carries. A one-time link unless somebody wants it otherwise.
pub(super) fn contents(text: &str) -> SendAs {
    if text == "token" { SendAs::Token } else { SendAs::Link }
}

/// Whether this server sends e-mail.
pub(super) fn available(state: &AppState) -> bool {
    state.mailer.is_some()
}

/// Sends a token, or a link to it, and says what became of it. The token stands on the page all the
/// same. What went wrong between this server and the mail server is for the log.
pub(super) async fn send(
    visit: &Visit,
    seat: &Seat,
    license: &License,
    token: &Token,
    to: &str,
    what: SendAs,
) -> Done {
    let failed = |why: String| Done::NotSent { to: to.to_owned(), why };
    let Some(mailer) = &visit.state.mailer else {
        return failed("This server sends no e-mail.".to_owned());
    };
    let (receiver, shared_by) = match (address(to), address(&visit.who.user.email)) {
        (Ok(receiver), Ok(shared_by)) => (receiver, shared_by),
        (Err(error), _) | (_, Err(error)) => return failed(sentence(&error)),
    };
    let link = match link(visit, seat, token, what).await {
        Ok(link) => link,
        Err(error @ (Refused::Store(StoreError::Conflict) | Refused::Verdict(_))) => {
            return failed(sentence(&error));
        }
        Err(error) => {
            tracing::error!(seat = %seat.id, %error, "no one-time link was made");
            return failed("The server could not make a one-time link.".to_owned());
        }
    };
    let secret = match &link {
        Some((secret, until)) => {
            Secret::Link { origin: &visit.state.settings.public_url, secret, until: *until }
        }
        None => Secret::Token(token),
    };
    let product = shown::products(&visit.state, license).join(", ");
    let support = visit.state.info.support.as_deref();
    let letter = Letter { to: &receiver, shared_by: &shared_by, product: &product, support, secret };
    if let Err(error) = mailer.send(&letter).await {
        tracing::warn!(seat = %seat.id, %error, "an e-mail was not sent");
        return match error.fault() {
            Fault::Unconfirmed => Done::MaybeSent { to: to.to_owned() },
            Fault::Recipient => {
                failed("The address was not accepted. Check it for a typing error.".to_owned())
            }
            Fault::NotNow => failed("The address was not accepted for now. Try again later.".to_owned()),
            Fault::Server => failed(
                "This server cannot send e-mail at the moment. Its administrator finds the reason in the log."
                    .to_owned(),
            ),
        };
    }
    let to = to.to_owned();
    match link {
        Some((_, until)) => Done::LinkSent { to, until },
        None => Done::TokenSent { to },
    }
}

/// The one-time link, if one is wanted.
async fn link(
    visit: &Visit,
    seat: &Seat,
    token: &Token,
    what: SendAs,
) -> Result<Option<(seal::Secret, UnixTime)>, Refused> {
    let desk = visit.desk();
    desk.may_send(seat.id, token).await?;
    Ok(match what {
        SendAs::Token => None,
        SendAs::Link => Some(desk.share(seat.id, token).await?),
    })
}
