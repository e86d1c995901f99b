use crate::is_invisible;
pub use url::Url;

/// Why a text is not the address of a server. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It begins without a scheme.
    #[error("https:// is missing before it")]
    NoScheme,
    /// It cannot be read.
    #[error("that is no address such as https://licenses.example.com")]
    Form,
    /// Browsers and libraries drop some of these, others do not.
    #[error("there is white space or an invisible character in it")]
    Blank,
    /// Secrets travel to it.
    #[error("https is required, except for loopback addresses")]
    Insecure,
    /// Everybody would see them.
    #[error("a host without user name or password is required")]
    User,
    /// Paths are put behind it.
    #[error("no query and no fragment can be part of it")]
    Query,
    /// Where only a host will do.
    #[error("no path can be part of it")]
    Path,
}

/// Reads the base address of a server that secrets may be sent to: `https`, or `http` on this
/// computer.
///
/// # Errors
/// See [`AddressError`].
pub fn address(text: &str) -> Result<Url, AddressError> {
    let url = any_address(text)?;
    if url.scheme() == "https" || is_loopback(&url) { Ok(url) } else { Err(AddressError::Insecure) }
}

/// Reads the address at which people find pages. They may decide for `http`, and pages live below
/// no path.
///
/// # Errors
/// See [`AddressError`].
pub fn public_address(text: &str) -> Result<Url, AddressError> {
    let url = any_address(text)?;
    if url.path() == "/" { Ok(url) } else { Err(AddressError::Path) }
}

fn any_address(text: &str) -> Result<Url, AddressError> {
    let text = text.trim();
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c)) {
        return Err(AddressError::Blank);
    }
    if !text.contains("://") {
        return Err(if looks_like_a_host(text) { AddressError::NoScheme } else { AddressError::Form });
    }
    let url = Url::parse(text).map_err(|_| AddressError::Form)?;
    match url.scheme() {
        "https" | "http" => {}
        _ => return Err(AddressError::Insecure),
    }
    if url.host_str().is_none_or(str::is_empty) || !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::User);
    }
    if url.query().is_some() || url.fragment().is_some() { Err(AddressError::Query) } else { Ok(url) }
}

fn looks_like_a_host(text: &str) -> bool {
    !text.is_empty() && Url::parse(&format!("https://{text}")).is_ok()
}

/// The one spelling of an address: as [`Url`] writes it, without slashes at its end. A server signs
/// with it as its issuer, and a plug-in that only knows the server's address makes the same of it.
#[must_use]
pub fn spelled(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// The one spelling of an issuer's name: that of its address, or the name itself where it is none.
#[must_use]
pub fn issuer_name(text: &str) -> String {
    address(text).map_or_else(|_| text.to_owned(), |url| spelled(&url).to_owned())
}

/// Whether two names are those of one issuer, each in its own spelling.
#[must_use]
pub fn is_same_issuer(one: &str, other: &str) -> bool {
    one == other || issuer_name(one) == issuer_name(other)
}

/// Whether an address stays on this computer.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_addresses() {
        const PLAIN: &str = "https://license.example.com";
        // (address, what a server and a plug-in make of it, and whether people may be sent there)
        for (text, spelling, public) in [
            (PLAIN, Ok(PLAIN), Ok(())),
            ("https://license.example.com/", Ok(PLAIN), Ok(())),
            ("https://license.example.com//", Ok(PLAIN), Err(AddressError::Path)),
            ("https://LICENSE.Example.com", Ok(PLAIN), Ok(())),
            ("HTTPS://license.example.com:443", Ok(PLAIN), Ok(())),
            (" https://license.example.com\n", Ok(PLAIN), Ok(())),
            ("https://license.example.com:8443/", Ok("https://license.example.com:8443"), Ok(())),
            (
                "https://license.example.com/lic/",
                Ok("https://license.example.com/lic"),
                Err(AddressError::Path),
            ),
            ("https://bücher.example", Ok("https://xn--bcher-kva.example"), Ok(())),
            ("http://127.0.0.1:8787", Ok("http://127.0.0.1:8787"), Ok(())),
            ("http://[::1]:8787/", Ok("http://[::1]:8787"), Ok(())),
            ("http://localhost:1", Ok("http://localhost:1"), Ok(())),
            ("http://license.example.com", Err(AddressError::Insecure), Ok(())),
            ("http://127.0.0.1.example.com", Err(AddressError::Insecure), Ok(())),
            ("ftp://license.example.com", Err(AddressError::Insecure), Err(AddressError::Insecure)),
            ("license.example.com", Err(AddressError::NoScheme), Err(AddressError::NoScheme)),
            ("license.example.com:8443", Err(AddressError::NoScheme), Err(AddressError::NoScheme)),
            ("mailto:ada", Err(AddressError::Form), Err(AddressError::Form)),
            ("", Err(AddressError::Form), Err(AddressError::Form)),
            ("https://", Err(AddressError::Form), Err(AddressError::Form)),
            ("https://a b.example", Err(AddressError::Blank), Err(AddressError::Blank)),
            ("https://license\n.example.com", Err(AddressError::Blank), Err(AddressError::Blank)),
            ("https://license\u{200b}.example.com", Err(AddressError::Blank), Err(AddressError::Blank)),
            ("https://ada:sesame@license.example.com", Err(AddressError::User), Err(AddressError::User)),
            ("https://license.example.com?x=1", Err(AddressError::Query), Err(AddressError::Query)),
            ("https://license.example.com/#x", Err(AddressError::Query), Err(AddressError::Query)),
        ] {
            let found = address(text);
            assert_eq!(found.as_ref().map(spelled), spelling.as_ref().copied(), "{text:?}");
            assert_eq!(public_address(text).map(drop), public, "{text:?}");
            if let Ok(spelling) = spelling {
                assert_eq!(issuer_name(text), spelling, "{text:?}");
            }
        }
        assert_eq!(issuer_name("Example Licenses"), "Example Licenses");
    }

    #[test]
    fn table_of_issuers() {
        for (one, other, same) in [
            ("https://license.example.com", "https://license.example.com", true),
            ("https://license.example.com", "https://license.example.com/", true),
            ("https://license.example.com", "HTTPS://License.Example.COM:443//", true),
            ("http://127.0.0.1:8787", " http://127.0.0.1:8787/", true),
            ("Example Licenses", "Example Licenses", true),
            ("license.example.com", "license.example.com", true),
            // Of which address that is the name, nobody knows.
            ("https://license.example.com", "license.example.com", false),
            ("https://license.example.com", "https://license.example.com:8443", false),
            ("https://license.example.com", "https://license.example.com/lic", false),
            ("https://license.example.com/Lic", "https://license.example.com/lic", false),
            ("https://license.example.com", "http://license.example.com", false),
            ("https://license.example.com", "https://ada@license.example.com", false),
            ("https://license.example.com", "https://license.example.com/?x", false),
            ("https://license.example.com", "", false),
            ("Example Licenses", "example licenses", false),
        ] {
            assert_eq!(is_same_issuer(one, other), same, "{one:?} {other:?}");
            assert_eq!(is_same_issuer(other, one), same, "{one:?} {other:?}");
        }
    }
}
