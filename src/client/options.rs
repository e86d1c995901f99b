use super::event::Wake;
use super::failure::Failure;
use super::handle::Handle;
use super::registration::Registration;
use crate::license::Trust;
use crate::machine::{self, LogLevel, clock::Clock};
use crate::net::{Certificate, ProxyChoice, Way, certificates};
use crate::words::Language;
use reqwest::Url;
use seatlock_protocol::{Code, PublicKey, UnixTime, address, api::Plugin, is_invisible, is_plain, proxy};
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

/// Most keys of both kinds that can be pinned.
const MOST_KEYS: usize = 8;

/// A wake function that is told which client has an event.
pub type ForeignWake = Arc<dyn Fn(Handle) + Send + Sync>;

/// A log function.
pub type Log = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;

/// A log function that is told which client has a line. The text has no NUL in it.
pub type ForeignLog = Arc<dyn Fn(Handle, LogLevel, &CStr) + Send + Sync>;

/// How a client is to be opened. Setters check their arguments at once.
#[derive(Clone, Default)]
pub struct Options {
    pub(super) product: Option<String>,
    pub(super) family: Option<String>,
    pub(super) server: Option<Url>,
    pub(super) issuer: Option<String>,
    pub(super) root_keys: Vec<PublicKey>,
    pub(super) lease_keys: Vec<PublicKey>,
    pub(super) state_folder: Option<PathBuf>,
    pub(super) machine_id: Option<String>,
    pub(super) way: Way,
    pub(super) host: String,
    pub(super) host_version: String,
    pub(super) plugin: Option<Plugin>,
    pub(super) terms: Option<String>,
    pub(super) auto_renew: bool,
    pub(super) offline: bool,
    pub(super) account_folder: Option<PathBuf>,
    pub(super) registration: Registration,
    pub(super) wake: Option<ForeignWake>,
    pub(super) log: Option<(LogLevel, ForeignLog)>,
    pub(super) clock: Clock,
    pub(super) language: Arc<Language>,
}

/// What the environment and the operating system say.
impl Default for Way {
    fn default() -> Self {
        Self { proxy: ProxyChoice::System(machine::SYSTEM_PROXY), extra_ca: Vec::new() }
    }
}

impl Options {
    /// Options with nothing set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the product, 1 to 128 characters of `a-z A-Z 0-9 . - _`. Required.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn set_product(&mut self, product: &str) -> Result<(), Failure> {
        self.product = Some(check_name("the product", product)?.to_owned());
        Ok(())
    }

    /// Sets the family of the product, written as a product is: one vendor's plug-ins that share
    /// machine id, seat and remembered token on a computer. They have one server and pin the
    /// same keys. The product alone by default.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn set_family(&mut self, family: &str) -> Result<(), Failure> {
        self.family = Some(check_name("the family", family)?.to_owned());
        Ok(())
    }

    /// Sets the server's base address. Required. `http` is for loopback addresses only.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn set_server(&mut self, url: &str) -> Result<(), Failure> {
        self.server = Some(Self::server_address(url)?);
        Ok(())
    }

    /// For tests, which cannot wait: where the client takes the time from. C has no way to it.
    #[doc(hidden)]
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    pub(super) fn server_address(url: &str) -> Result<Url, Failure> {
        safe_address("the server's address", url)
    }

    /// Sets the issuer's name that leases must carry; the server's address by default.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for an empty name.
    pub fn set_license_issuer(&mut self, issuer: &str) -> Result<(), Failure> {
        let issuer = not_empty("the issuer", issuer.trim())?;
        if issuer.contains(|c: char| c.is_control() || is_invisible(c)) {
            return Err(invalid("the issuer has an invisible character in it"));
        }
        self.issuer = Some(address::issuer_name(&issuer));
        Ok(())
    }

    /// Pins a key that signs key sets: the JWK member `x`. At least one key of either kind is
    /// required.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for a malformed or weak key, or the ninth.
    pub fn add_root_key(&mut self, x: &str) -> Result<(), Failure> {
        let key = self.next_key(x)?;
        self.root_keys.push(key);
        Ok(())
    }

    /// Pins a key that signs leases.
    ///
    /// # Errors
    /// As [`Options::add_root_key`].
    pub fn add_lease_key(&mut self, x: &str) -> Result<(), Failure> {
        let key = self.next_key(x)?;
        self.lease_keys.push(key);
        Ok(())
    }

    fn next_key(&self, x: &str) -> Result<PublicKey, Failure> {
        if self.root_keys.len() + self.lease_keys.len() >= MOST_KEYS {
            return Err(invalid("no more than 8 keys can be pinned"));
        }
        PublicKey::from_jwk_x(x).map_err(|error| invalid(error.to_string()))
    }

    /// Sets the absolute path of the folder below which state is kept.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for a relative path.
    pub fn set_state_folder(&mut self, path: &str) -> Result<(), Failure> {
        self.state_folder = Some(Self::checked_state_folder(path)?);
        Ok(())
    }

    pub(super) fn checked_state_folder(path: impl Into<PathBuf>) -> Result<PathBuf, Failure> {
        absolute("the state folder", path)
    }

    /// Supplies the machine's identity, for containers and farms: 8 to 256 printable characters.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for a text that cannot stand for one computer.
    pub fn set_machine_id(&mut self, id: &str) -> Result<(), Failure> {
        self.machine_id = Some(Self::checked_machine_id(id)?);
        Ok(())
    }

    pub(super) fn checked_machine_id(id: &str) -> Result<String, Failure> {
        // The product does not matter for whether the text will do.
        machine::identify("", Some(id))?;
        Ok(id.to_owned())
    }

    /// Sets the proxy's address, `""` for none, or `None` for what the environment and the
    /// operating system say, which is the default.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`]; the address, which may hold a password, is not repeated.
    pub fn set_proxy(&mut self, url: Option<&str>) -> Result<(), Failure> {
        self.way.proxy = Self::checked_proxy(url)?;
        Ok(())
    }

    pub(super) fn checked_proxy(url: Option<&str>) -> Result<ProxyChoice, Failure> {
        Ok(match url {
            None => Way::default().proxy,
            Some("") => ProxyChoice::Direct,
            Some(url) => ProxyChoice::Explicit(
                proxy::proxy(url).map_err(|error| invalid(format!("the proxy's address: {error}")))?,
            ),
        })
    }

    /// Trusts further certificate authorities, in PEM.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn add_ca_certificates(&mut self, pem: &[u8]) -> Result<(), Failure> {
        self.way.trust(Self::checked_certificates(pem)?);
        Ok(())
    }

    pub(super) fn checked_certificates(pem: &[u8]) -> Result<Vec<Certificate>, Failure> {
        certificates(pem).map_err(invalid)
    }

    /// Names the host application and its version.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for texts of more than 64 characters.
    pub fn set_host(&mut self, name: &str, version: &str) -> Result<(), Failure> {
        if name.chars().count() > 64 || version.chars().count() > 64 {
            return Err(invalid("host name and version have at most 64 characters each"));
        }
        (self.host, self.host_version) = (name.to_owned(), version.to_owned());
        Ok(())
    }

    /// Names the version of the vendor's plug-in, 1 to 64 characters beginning with a number such
    /// as `2.4.1` or `2027.1-beta`, and the moment at which that version was released. Both are
    /// compiled in. A license may ask for a version of at least so much, and end its updates at
    /// a date: without `released_at` every license includes this version.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn set_plugin(&mut self, version: &str, released_at: Option<UnixTime>) -> Result<(), Failure> {
        let fits = version.starts_with(|c: char| c.is_ascii_digit()) && is_plain(version);
        if !fits || version.chars().count() > 64 {
            return Err(invalid("the plug-in's version has 1 to 64 characters and begins with a number"));
        }
        self.plugin = Some(Plugin { version: Some(version.to_owned()), released: released_at });
        Ok(())
    }

    /// Sets the version of the terms that the host shows, 1 to 255 bytes.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn set_terms(&mut self, version: &str) -> Result<(), Failure> {
        if !(1..=255).contains(&version.len()) {
            return Err(invalid("the version of the terms has 1 to 255 bytes"));
        }
        self.terms = Some(version.to_owned());
        Ok(())
    }

    /// Whether the client pings by itself when its lease is due, and for its first lease when its
    /// family has a token already.
    pub fn set_auto_renew(&mut self, enabled: bool) {
        self.auto_renew = enabled;
    }

    /// Whether the network may be used from the start; see [`crate::Client::allow_network`]. It may
    /// by default.
    pub fn set_network_allowed(&mut self, allowed: bool) {
        self.offline = !allowed;
    }

    /// Names the folder in which `rpd_account.json` and `credentials.json` may lie, an absolute
    /// path. They are read when a client is opened.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for a relative path.
    pub fn set_account_folder(&mut self, path: &str) -> Result<(), Failure> {
        self.account_folder = Some(absolute("the account folder", path)?);
        Ok(())
    }

    /// Sets the address of the issuer at which people sign in, or this machine does, an OpenID
    /// provider. `http` is for loopback addresses only. `SEATLOCK_OIDC_ISSUER` comes before it,
    /// as the variable of each of the options below does.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn set_oidc_issuer(&mut self, url: &str) -> Result<(), Failure> {
        self.registration.set_oidc_issuer(url)
    }

    /// Sets what the issuer calls this product. Required with an issuer.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for an empty text.
    pub fn set_client_id(&mut self, id: &str) -> Result<(), Failure> {
        self.registration.set_client_id(id)
    }

    /// Sets the secret of a machine that signs in by itself, which then needs no token and no
    /// person. The first ping of intent [`Launch`](seatlock_protocol::api::Intent::Launch)
    /// activates it. Never a part of a product that is handed out.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for an empty text.
    pub fn set_client_secret(&mut self, secret: &str) -> Result<(), Failure> {
        self.registration.set_client_secret(secret)
    }

    /// Sets the scopes to ask for, separated by spaces; `seat:use` by default. What makes a
    /// person's sign-in last (`openid`, `offline_access`) is added where the issuer has it.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn set_scopes(&mut self, scopes: &str) -> Result<(), Failure> {
        self.registration.set_scopes(scopes)
    }

    /// Sets for whom the access tokens are to be, for issuers that want to be told: `resource` (RFC
    /// 8707) or `audience`.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for an empty text.
    pub fn set_audience(&mut self, audience: &str) -> Result<(), Failure> {
        self.registration.set_audience(audience)
    }

    /// Sets what to call when an event is waiting. A panic in it ends that call and nothing else.
    pub fn set_wake(&mut self, wake: Option<Wake>) {
        self.set_foreign_wake(
            wake.map(|wake| {
                Arc::new(move |_| drop(catch_unwind(AssertUnwindSafe(|| wake())))) as ForeignWake
            }),
        );
    }

    /// As [`set_wake`](Self::set_wake), for a function that may end its thread: no frame may catch
    /// what unwinds it. It is told which client has the event.
    pub fn set_foreign_wake(&mut self, wake: Option<ForeignWake>) {
        self.wake = wake;
    }

    /// Sets what is told, line by line, what happens, as far as it matters as much as `level`. It
    /// is called on a thread of its own, and may block; lines that come meanwhile wait, and
    /// after 256 of them are left out. A panic in it ends that call and nothing else. Without
    /// one nothing is told to anybody.
    pub fn set_log(&mut self, level: LogLevel, log: Log) {
        let call = move |_: Handle, level: LogLevel, line: &CStr| {
            let line = line.to_str().unwrap_or_default();
            drop(catch_unwind(AssertUnwindSafe(|| log(level, line))));
        };
        self.set_foreign_log(Some((level, Arc::new(call))));
    }

    /// As [`set_log`](Self::set_log), for a function that may end its thread: no frame may catch
    /// what unwinds it. It is told which client has the line.
    pub fn set_foreign_log(&mut self, log: Option<(LogLevel, ForeignLog)>) {
        self.log = log;
    }

    /// Largest catalogue, in bytes.
    pub const LARGEST_CATALOGUE: usize = Language::LARGEST_CATALOGUE;

    /// Sets the texts of another language: a JSON object of ids and texts, as the files in
    /// `catalogues/` are, of at most 256 KiB. What is missing in it is said in English, which
    /// is what is said without one; what it has beyond does not count.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for what is none, or has other blanks than the English texts.
    pub fn set_catalogue(&mut self, json: &[u8]) -> Result<(), Failure> {
        let set = Arc::make_mut(&mut self.language).set_catalogue(json);
        set.map_err(|error| invalid(format!("the catalogue: {error}")))
    }

    /// Sets in which time zone moments are said, in minutes ahead of UTC: -840 to 840. UTC by
    /// default.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn set_utc_offset(&mut self, minutes: i32) -> Result<(), Failure> {
        let offset = i16::try_from(minutes).ok().filter(|minutes| minutes.unsigned_abs() <= 14 * 60);
        let offset = offset.ok_or(invalid("a time zone is at most 840 minutes from UTC"))?;
        Arc::make_mut(&mut self.language).set_utc_offset(offset);
        Ok(())
    }

    /// What every client needs; `provisioned` is the server that was set up beside the plug-in and
    /// comes first. It does not change whom the plug-in believes, unless the plug-in names no
    /// server and no issuer at all.
    pub(super) fn required(&self, provisioned: Option<&Url>) -> Result<Required, Failure> {
        let product = self.product.clone().ok_or(invalid("the product is not set"))?;
        let server = provisioned.or(self.server.as_ref()).ok_or(invalid("the server is not set"))?.clone();
        if self.root_keys.is_empty() && self.lease_keys.is_empty() {
            return Err(invalid("no key is pinned: add a root key or a lease key"));
        }
        let named = self.server.as_ref().unwrap_or(&server);
        let issuer = self.issuer.clone().unwrap_or_else(|| address::spelled(named).to_owned());
        let family = self.family.clone().unwrap_or_else(|| product.clone());
        let trust =
            Trust { issuer, product, root_keys: self.root_keys.clone(), lease_keys: self.lease_keys.clone() };
        Ok(Required { family, server, trust })
    }
}

/// What every client needs.
pub(super) struct Required {
    pub(super) family: String,
    pub(super) server: Url,
    pub(super) trust: Trust,
}

/// Of a product or a family.
pub(super) fn check_name<'a>(what: &str, name: &'a str) -> Result<&'a str, Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if (1..=128).contains(&name.len()) && name.chars().all(fits) {
        Ok(name)
    } else {
        Err(invalid(format!("{what} has 1 to 128 characters of a-z, A-Z, 0-9, '.', '-', '_'")))
    }
}

/// An address that secrets may be sent to.
pub(super) fn safe_address(what: &str, url: &str) -> Result<Url, Failure> {
    address::address(url).map_err(|error| invalid(format!("{what}: {error}")))
}

fn absolute(what: &str, path: impl Into<PathBuf>) -> Result<PathBuf, Failure> {
    let path = path.into();
    if path.is_absolute() { Ok(path) } else { Err(invalid(format!("{what} must be an absolute path"))) }
}

pub(super) fn not_empty(what: &str, text: &str) -> Result<String, Failure> {
    if text.is_empty() { Err(invalid(format!("{what} is empty"))) } else { Ok(text.to_owned()) }
}

pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(Code::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, accepted) in [
            ("https://license.example.com", true),
            ("https://license.example.com/base/", true),
            ("http://127.0.0.1:8787", true),
            ("http://[::1]:8787", true),
            ("http://localhost:1", true),
            ("http://license.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("ftp://127.0.0.1", false),
            ("https://user:secret@license.example.com", false),
            ("https://license.example.com?x=1", false),
            ("license.example.com", false),
            ("", false),
        ] {
            assert_eq!(Options::new().set_server(url).is_ok(), accepted, "{url}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut options = Options::new();
        let missing = |options: &Options| options.required(None).err().map(|failure| failure.to_string());
        assert!(missing(&options).unwrap().contains("product"));
        options.set_product("com.example.bridge").unwrap();
        assert!(missing(&options).unwrap().contains("server"));
        options.set_server("https://license.example.com/").unwrap();
        assert!(missing(&options).unwrap().contains("key"));
        options.add_root_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let required = options.required(None).unwrap();
        assert_eq!(required.trust.issuer, "https://license.example.com");
        assert_eq!(required.family, "com.example.bridge", "the product alone");
        options.set_family("com.example").unwrap();
        let required = options.required(None).unwrap();
        assert_eq!((&*required.family, &*required.trust.product), ("com.example", "com.example.bridge"));
        assert!(options.set_family("").is_err() && options.set_family("a b").is_err());
    }

    #[test]
    fn keys_are_checked_and_counted() {
        let mut options = Options::new();
        assert!(options.add_lease_key(&"A".repeat(43)).is_err(), "low order");
        for _ in 0..8 {
            options.add_root_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        }
        assert!(options.add_lease_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").is_err(), "the ninth");
    }

    #[test]
    fn a_password_in_a_proxy_is_not_repeated() {
        let failure = Options::new().set_proxy(Some("socks9://user:hunter2@proxy")).unwrap_err();
        assert!(!failure.to_string().contains("hunter2"));
    }
}
