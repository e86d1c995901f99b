use super::{NotAnAddress, address};
use crate::system::files::{self, EditedFileError};
use crate::system::variable::{VariableError, variable};
use lettre::{
    message::Mailbox,
    transport::smtp::client::{Certificate, TlsParameters, TlsParametersBuilder},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use seatlock_protocol::{address::is_loopback, is_plain};
use std::{fmt, path::Path, time::Duration};
use url::{Host, Url};
use zeroize::Zeroizing;

/// How long sending may take unless it is said otherwise: connecting, TLS and dialogue together.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// The environment's variable with the mail server's URL.
pub const URL_VARIABLE: &str = "SEATLOCK_SMTP_URL";

/// Why no mail can be sent with these settings. Never holds the URL, because the password stands in
/// it.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file with the URL cannot be read.
    #[error(transparent)]
    File(#[from] EditedFileError),
    /// The variable with the URL cannot be read.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The text is not the URL of a mail server.
    #[error(
        "the mail server's URL is not smtps://USER:PASSWORD@HOST or smtp://USER:PASSWORD@HOST?tls=required; {0}. \
         Characters of user name and password that are neither letters nor digits are written as % and two \
         hexadecimal digits."
    )]
    Url(&'static str),
    /// A password or a token would be readable on the way.
    #[error(
        "mail to {0} would not be encrypted: write smtps://, or ?tls=required at the end. Only a mail server on this \
         computer may do without."
    )]
    Plain(String),
    /// The sender's address is none.
    #[error("the sender: {0}")]
    From(#[from] NotAnAddress),
    /// The extra certificate authority cannot be used.
    #[error("the mail server's certificate authority cannot be used: there is no certificate in PEM in it")]
    Authority,
    /// The system's certificates cannot be used.
    #[error("the system's certificate authorities cannot be used. On Debian install ca-certificates.")]
    Trust,
}

/// Which mail server, and who the sender is.
#[derive(Clone)]
pub struct MailSettings {
    /// `smtps://USER:PASSWORD@HOST:PORT`, `smtp://USER:PASSWORD@HOST:PORT?tls=required` (STARTTLS),
    /// or `smtp://HOST:PORT` on this computer. A path is the name for EHLO, which otherwise is
    /// the sender's domain.
    pub url: Zeroizing<String>,
    /// `licenses@example.com` or `Example Licenses <licenses@example.com>`.
    pub from: String,
    /// Certificate authorities beside those of the operating system, in PEM.
    pub extra_ca: Option<Vec<u8>>,
    /// How long sending one letter may take.
    pub deadline: Duration,
}

impl MailSettings {
    /// Settings with the system's certificate authorities and the usual deadline.
    #[must_use]
    pub fn new(url: Zeroizing<String>, from: String) -> Self {
        Self { url, from, extra_ca: None, deadline: DEADLINE }
    }
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Settings");
        shown.field("from", &self.from).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// Reads the mail server's URL from `file`, or else from the variable [`URL_VARIABLE`]; `None` when
/// there is neither. It holds a password, so it is never an argument.
///
/// # Errors
/// When the file or the variable cannot be read.
pub fn read_url(file: Option<&Path>) -> Result<Option<Zeroizing<String>>, SettingsError> {
    match file {
        Some(path) => Ok(Some(files::read_line(path)?)),
        None => Ok(variable(URL_VARIABLE)?),
    }
}

/// How the connection is protected.
#[derive(Clone)]
pub(super) enum Security {
    /// Not at all: the server is on this computer.
    Plain,
    /// By TLS that is asked for first.
    StartTls(TlsParameters),
    /// By TLS from the start.
    Tls(TlsParameters),
}

#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Zeroizing<String>,
}

/// The mail server as the settings describe it.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) login: Option<Login>,
    pub(super) hello: Option<String>,
}

impl Server {
    pub(super) fn read(settings: &MailSettings) -> Result<Self, SettingsError> {
        let wrong = SettingsError::Url;
        let url = Url::parse(&settings.url).map_err(|_| wrong("it cannot be read"))?;
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            _ => return Err(wrong("it names no host")),
        };
        let queries: Vec<_> = url.query_pairs().collect();
        let tls = match queries.as_slice() {
            [] => None,
            [(name, value)] if name == "tls" && value == "required" => Some(()),
            [(name, _)] if name == "tls" => return Err(wrong("the only value of tls is required")),
            _ => return Err(wrong("it asks for more than tls=required")),
        };
        // A character of the password that is not written as it should be ends up here.
        if url.fragment().is_some() {
            return Err(wrong("it has a #"));
        }
        let hello = Some(url.path().trim_matches('/')).filter(|name| !name.is_empty());
        if hello
            .is_some_and(|name| name.contains(|c: char| !c.is_ascii_alphanumeric() && !".-[]:".contains(c)))
        {
            return Err(wrong("its path is not the name of a computer"));
        }
        let (port, security) = match (url.scheme(), tls) {
            ("smtps", _) => (465, Security::Tls(trust(settings, &host)?)),
            ("smtp", Some(())) => (587, Security::StartTls(trust(settings, &host)?)),
            ("smtp", None) if is_here(&url) => (25, Security::Plain),
            ("smtp", None) => return Err(SettingsError::Plain(host)),
            _ => return Err(wrong("it begins with something else")),
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            ("", _) | (_, None) => return Err(wrong("user name and password come together")),
            (user, Some(password)) => {
                let not_text = |_| wrong("user name or password are not UTF-8");
                let user = decoded(user).map_err(not_text)?.to_string();
                Some(Login { user, password: decoded(password).map_err(not_text)? })
            }
        };
        let (port, hello) = (url.port().unwrap_or(port), hello.map(str::to_owned));
        Ok(Self { host, port, security, login, hello })
    }

    /// For errors: host and port.
    pub(super) fn name(&self) -> String {
        let colon = self.host.contains(':');
        if colon { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }
}

/// Whether e-mail can be sent in this name.
#[must_use]
pub fn is_sender(text: &str) -> bool {
    sender(text).is_ok()
}

/// The sender of every letter.
pub(super) fn sender(text: &str) -> Result<Mailbox, SettingsError> {
    let form =
        || NotAnAddress::new(text, "write licenses@example.com or Example Licenses <licenses@example.com>");
    let mailbox: Mailbox = text.trim().parse().map_err(|_| form())?;
    if !is_plain(text.trim()) {
        return Err(form().into());
    }
    Ok(Mailbox::new(mailbox.name, address(mailbox.email.as_ref())?))
}

/// Addresses of this scheme are read without knowing what their host is.
fn is_here(url: &Url) -> bool {
    let web = url.host_str().and_then(|host| Url::parse(&format!("http://{host}")).ok());
    web.is_some_and(|web| is_loopback(&web))
}

/// `%41` is `A`.
fn decoded(text: &str) -> Result<Zeroizing<String>, ()> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).ok_or(());
                bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| ())?);
                rest = after;
            }
            (b'%', _) => return Err(()),
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    std::str::from_utf8(&bytes).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| ())
}

/// The operating system's trust and the extra authorities. lettre takes no TLS provider; without
/// one that is installed for the process, which this project never does, it takes ring for itself.
fn trust(settings: &MailSettings, host: &str) -> Result<TlsParameters, SettingsError> {
    let mut tls = TlsParametersBuilder::new(host.to_owned());
    if let Some(pem) = &settings.extra_ca {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.ok().filter(|found| !found.is_empty()).ok_or(SettingsError::Authority)?;
        for certificate in found {
            let certificate =
                Certificate::from_der(certificate.to_vec()).map_err(|_| SettingsError::Authority)?;
            tls = tls.add_root_certificate(certificate);
        }
    }
    tls.build().map_err(|_| SettingsError::Trust)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Server, SettingsError> {
        Server::read(&MailSettings::new(Zeroizing::new(url.to_owned()), String::new()))
    }

    #[test]
    fn urls() {
        let shown = |url: &str| {
            let server = read(url).unwrap();
            let security = match server.security {
                Security::Plain => "plain",
                Security::StartTls(_) => "starttls",
                Security::Tls(_) => "tls",
            };
            let login = server.login.as_ref().map(|login| format!("{}/{}", login.user, *login.password));
            let hello = server.hello.clone().unwrap_or_default();
            format!("{} {security} {} {hello}", server.name(), login.unwrap_or_default())
                .trim_end()
                .to_owned()
        };
        assert_eq!(shown("smtps://ada:sesame@mail.example.com"), "mail.example.com:465 tls ada/sesame");
        assert_eq!(
            shown("smtp://a%40b:x%2Fy%25%C3%A9@m.example?tls=required"),
            "m.example:587 starttls a@b/x/y%é"
        );
        assert_eq!(shown("smtp://localhost"), "localhost:25 plain");
        assert_eq!(shown("smtp://127.0.0.2:2525/host.example"), "127.0.0.2:2525 plain  host.example");
        assert_eq!(shown("smtp://[::1]:2525"), "[::1]:2525 plain");
    }

    #[test]
    fn nothing_leaves_this_computer_in_the_clear() {
        for host in
            ["mail.example.com", "192.0.2.1", "[2001:db8::1]", "localhost.example.com", "127.0.0.1.nip.io"]
        {
            let said = read(&format!("smtp://ada:sesame@{host}")).err().unwrap();
            assert!(matches!(said, SettingsError::Plain(_)), "{host}: {said}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_repeating_it() {
        for url in [
            "",
            "mail.example.com",
            "https://ada:sesame@mail.example.com",
            "smtps://ada@mail.example.com",
            "smtps://:sesame@mail.example.com",
            "smtps://ada:sesame%@mail.example.com",
            "smtps://ada:sesame%ff@mail.example.com",
            "smtp://ada:sesame@mail.example.com?tls=opportunistic",
            "smtp://ada:sesame@mail.example.com?tls=required&x=1",
            // Passwords with a character that is not written as it should be.
            "smtps://ada:12/sesame@mail.example.com",
            "smtps://ada:12?sesame@mail.example.com",
            "smtps://ada:12#sesame@mail.example.com",
        ] {
            let said = read(url).err().map(|error| format!("{error} {error:?}")).unwrap();
            assert!(said.contains("Url(") && !said.contains("sesame"), "{url}: {said}");
        }
    }

    #[test]
    fn senders() {
        let shown = |text: &str| sender(text).map(|found| (found.name, found.email.to_string())).ok();
        let address = "licenses@example.com".to_owned();
        assert_eq!(shown("licenses@example.com"), Some((None, address.clone())));
        assert_eq!(shown("Ex, Inc. <licenses@example.com>"), None);
        assert_eq!(
            shown("\"Ex, Inc.\" <licenses@example.com>"),
            Some((Some("Ex, Inc.".to_owned()), address))
        );
        for bad in [
            "",
            "licenses",
            "a@é.example",
            "A\r\nBcc: b@example.com <a@example.com>",
            "a@b.example, c@d.example",
        ] {
            assert_eq!(shown(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn debug_output_has_no_password() {
        let settings = MailSettings::new(
            Zeroizing::new("smtps://ada:sesame@m.example".to_owned()),
            "a@b.example".to_owned(),
        );
        assert_eq!(format!("{settings:?}"), "Settings { from: \"a@b.example\", deadline: 10s, .. }");
    }

    #[test]
    fn an_authority_is_pem() {
        for bad in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let mut settings =
                MailSettings::new(Zeroizing::new("smtps://m.example".to_owned()), String::new());
            settings.extra_ca = Some(bad.as_bytes().to_vec());
            assert!(Server::read(&settings).is_err(), "{bad}");
        }
    }
}
