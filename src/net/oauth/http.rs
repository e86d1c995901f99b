use crate::license::Trouble;
use crate::net::{Route, build, classify};
use oauth2::basic::BasicErrorResponseType;
use oauth2::{ErrorResponse, HttpRequest, HttpResponse, RequestTokenError, StandardErrorResponse};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Request, Response, Url};
use seatlock_protocol::Code;
use seatlock_protocol::api::MAX_BODY;
use std::fmt::Display;

/// Why there is no access token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// What is to be reported.
    #[error("no access token: {}", .0.code.name())]
    Trouble(Trouble),
    /// The refresh token is not taken any more, or there is none: a person has to sign in again.
    #[error("the sign-in has ended")]
    Ended,
}

impl Denied {
    /// The issuer can not be used, for a reason that begins with a capital letter and has no full stop.
    pub(super) fn because(reason: &str) -> Self {
        Self::Trouble(Trouble { detail: Some(reason.to_owned()), ..Trouble::of(Code::IssuerUnusable) })
    }

    /// The issuer said no.
    pub(super) fn refused(reason: &str) -> Self {
        Self::Trouble(Trouble { detail: Some(reason.to_owned()), ..Trouble::of(Code::SignInRefused) })
    }

    /// What is to be reported.
    #[must_use]
    pub fn into_trouble(self) -> Trouble {
        match self {
            Self::Trouble(trouble) => trouble,
            Self::Ended => Trouble::of(Code::SignInRequired),
        }
    }
}

/// The way to an issuer: as to the license server, but made for one grant.
pub(super) struct Wire(Client);

impl Wire {
    pub(super) fn new(route: &Route) -> Result<Self, Denied> {
        build(route).map(Self).map_err(unreached)
    }

    pub(super) async fn get(&self, url: String) -> Result<Vec<u8>, Denied> {
        let answer = self.0.get(url).send().await.map_err(|error| unreached(classify::transport(&error)))?;
        if !answer.status().is_success() {
            return Err(not_json(answer.status().as_u16()));
        }
        Ok(body(answer).await?.0)
    }

    /// Sends a form to which nothing but "done" is an answer.
    pub(super) async fn post(&self, url: Url, form: String) -> Result<(), Denied> {
        let request = self.0.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        let answer = request.send().await.map_err(|error| unreached(classify::transport(&error)))?;
        if answer.status().is_success() { Ok(()) } else { Err(not_json(answer.status().as_u16())) }
    }

    /// For oauth2, which knows no HTTP library. Never follows a redirect.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Denied> {
        let request = Request::try_from(request)
            .map_err(|_| Denied::because("It names an address that is not valid"))?;
        let answer = self.0.execute(request).await.map_err(|error| unreached(classify::transport(&error)))?;
        let status = answer.status();
        // Only these come with an answer of the protocol (RFC 6749, section 5); others are for a proxy to give.
        if !status.is_success() && !matches!(status.as_u16(), 400 | 401 | 403) {
            return Err(not_json(status.as_u16()));
        }
        let (bytes, is_json) = body(answer).await?;
        if !is_json {
            return Err(not_json(status.as_u16()));
        }
        let mut made = HttpResponse::new(bytes);
        *made.status_mut() = status;
        Ok(made)
    }
}

/// The body, and whether it says that it is JSON.
async fn body(mut answer: Response) -> Result<(Vec<u8>, bool), Denied> {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unreached(classify::transport(&error)))? {
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(Denied::because("Its answer is too long"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes, is_json))
}

fn not_json(status: u16) -> Denied {
    Denied::because(&format!("Something else answered, with HTTP status {status}"))
}

/// What stands between here and the issuer. A proxy that asks for a password is the same fault as before the license server.
fn unreached(trouble: Trouble) -> Denied {
    let detail = trouble.detail.as_deref();
    match trouble.code {
        Code::ProxyAuthRequired => Denied::Trouble(trouble),
        Code::TlsUntrusted => Denied::because(&format!(
            "Its certificate is not trusted ({})",
            detail.unwrap_or("no reason is known")
        )),
        Code::NotOurServer => Denied::because("A proxy or login page answered in its place"),
        _ => Denied::because(detail.unwrap_or("It can not be reached")),
    }
}

/// Sorts what oauth2 says. Only the error's name is shown: whatever else an issuer writes may repeat what it was sent.
pub(super) fn denied<T>(error: RequestTokenError<Denied, T>) -> Denied
where
    T: ErrorResponse + Named,
{
    match error {
        RequestTokenError::ServerResponse(answer) => refused(&answer.name()),
        RequestTokenError::Request(denied) => denied,
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Denied::because("Its answer can not be understood")
        }
    }
}

/// The same, when a refresh token was shown.
pub(super) fn denied_renewal(
    error: RequestTokenError<Denied, StandardErrorResponse<BasicErrorResponseType>>,
) -> Denied {
    match error {
        RequestTokenError::ServerResponse(answer)
            if *answer.error() == BasicErrorResponseType::InvalidGrant =>
        {
            Denied::Ended
        }
        other => denied(other),
    }
}

/// An answer that gives an error its name.
pub(super) trait Named {
    fn name(&self) -> String;
}

impl<T: oauth2::ErrorResponseType + Display + 'static> Named for StandardErrorResponse<T> {
    fn name(&self) -> String {
        self.error().to_string()
    }
}

/// Longest name of an error that is shown.
const LONGEST_NAME: usize = 40;

/// What an error's name means (RFC 6749, sections 4.1.2.1 and 5.2; RFC 8628, section 3.5).
pub(super) fn refused(name: &str) -> Denied {
    let words = match name {
        "access_denied" => "It was not allowed",
        "expired_token" => "The code was not used in time",
        "invalid_client" | "unauthorized_client" => "The issuer does not accept this client id or its secret",
        "invalid_grant" => "The issuer does not take this answer any more",
        "invalid_scope" => "The issuer does not know a permission that is asked for",
        "invalid_target" => "The issuer does not know the license server by this audience",
        "server_error" | "temporarily_unavailable" => return Denied::because("It has a problem of its own"),
        _ => "The issuer said no",
    };
    let name: String =
        name.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(LONGEST_NAME).collect();
    Denied::refused(&format!("{words} ({name})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_means() {
        for (name, code, words) in [
            ("access_denied", Code::SignInRefused, "It was not allowed (access_denied)"),
            ("invalid_client", Code::SignInRefused, "client id or its secret (invalid_client)"),
            ("temporarily_unavailable", Code::IssuerUnusable, "It has a problem of its own"),
            ("<script>\nSecret 1{x}", Code::SignInRefused, "The issuer said no (scriptecretx)"),
            (&"x".repeat(999), Code::SignInRefused, "The issuer said no (xxxxxxxxxx"),
        ] {
            let trouble = refused(name).into_trouble();
            let detail = trouble.detail.unwrap();
            assert_eq!(trouble.code, code, "{name:.20}");
            assert!(detail.contains(words) && detail.len() < 120, "{detail}");
        }
    }
}
