use super::super::AppState;
use super::context::PageContext;
use super::convert;
use super::error::sentence;
use super::flash::FlashMessage;
use crate::crypto::seal;
use crate::domain::{License, Seat};
use crate::mail::{Letter, LetterSecret, MailFault, address};
use crate::service::ServiceError;
use crate::service::StoreError;
use seatlock_protocol::{Token, UnixTime};
use serde::Deserialize;

/// What an e-mail carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendAs {
    /// A link by which its receiver sees the token once.
    Link,
    Token,
}

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
    context: &PageContext,
    seat: &Seat,
    license: &License,
    token: &Token,
    to: &str,
    what: SendAs,
) -> FlashMessage {
    let failed = |why: String| FlashMessage::NotSent { to: to.to_owned(), why };
    let Some(mailer) = &context.state.mailer else {
        return failed("This server sends no e-mail.".to_owned());
    };
    let (receiver, shared_by) = match (address(to), address(&context.who.user.email)) {
        (Ok(receiver), Ok(shared_by)) => (receiver, shared_by),
        (Err(error), _) | (_, Err(error)) => return failed(sentence(&error)),
    };
    let link = match link(context, seat, token, what).await {
        Ok(link) => link,
        Err(error @ (ServiceError::Store(StoreError::Conflict) | ServiceError::Verdict(_))) => {
            return failed(sentence(&error));
        }
        Err(error) => {
            tracing::error!(seat = %seat.id, %error, "no one-time link was made");
            return failed("The server could not make a one-time link.".to_owned());
        }
    };
    let secret = match &link {
        Some((secret, until)) => {
            LetterSecret::Link { origin: &context.state.settings.public_url, secret, until: *until }
        }
        None => LetterSecret::Token(token),
    };
    let product = convert::products(&context.state, license).join(", ");
    let support = context.state.services.info().support.as_deref();
    let letter = Letter { to: &receiver, shared_by: &shared_by, product: &product, support, secret };
    if let Err(error) = mailer.send(&letter).await {
        tracing::warn!(seat = %seat.id, %error, "an e-mail was not sent");
        return match error.fault() {
            MailFault::Unconfirmed => FlashMessage::MaybeSent { to: to.to_owned() },
            MailFault::Recipient => {
                failed("The address was not accepted. Check it for a typing error.".to_owned())
            }
            MailFault::NotNow => failed("The address was not accepted for now. Try again later.".to_owned()),
            MailFault::Server => failed(
                "This server cannot send e-mail at the moment. Its administrator finds the reason in the log."
                    .to_owned(),
            ),
        };
    }
    let to = to.to_owned();
    match link {
        Some((_, until)) => FlashMessage::LinkSent { to, until },
        None => FlashMessage::TokenSent { to },
    }
}

/// The one-time link, if one is wanted.
async fn link(
    context: &PageContext,
    seat: &Seat,
    token: &Token,
    what: SendAs,
) -> Result<Option<(seal::Secret, UnixTime)>, ServiceError> {
    let service = context.service();
    service.may_send(seat.id, token).await?;
    Ok(match what {
        SendAs::Token => None,
        SendAs::Link => Some(service.share(seat.id, token).await?),
    })
}
