use crate::{address::Url, is_invisible};
use core::net::IpAddr;
use ipnet::IpNet;
use zeroize::Zeroizing;

/// Where requests are sent through by the word of the environment, as curl and others read it. All
/// addresses beyond this computer are https.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// What is reached without a proxy all the same.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Why a text is not the address of a proxy. Repeats nothing of it, because a password may stand in
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Also where a password has characters that end it.
    #[error(
        "it is not like http://user:password@host:port, with what is neither letter nor digit in user and password \
         written as % and two hexadecimal digits"
    )]
    Form,
    /// Another kind of proxy.
    #[error("it is no HTTP proxy; write http:// or https:// before its host")]
    Scheme,
}

/// Reads the address of a proxy: a URL, or a host and its port.
///
/// # Errors
/// See [`ProxyError`].
pub fn proxy(text: &str) -> Result<Url, ProxyError> {
    let text = text.trim();
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c) || c == '\\') {
        return Err(ProxyError::Form);
    }
    let url = match text.split_once("://") {
        Some((scheme, _)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            Url::parse(text)
        }
        Some(_) => return Err(ProxyError::Scheme),
        None if text.starts_with('/') => return Err(ProxyError::Form),
        None => Url::parse(&format!("http://{text}")),
    };
    let url = url.map_err(|_| ProxyError::Form)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let named =
        url.host_str().is_some_and(|host| !host.is_empty() && !host.contains(['"', '\'', ';', ',', '(']));
    if bare && named { Ok(url) } else { Err(ProxyError::Form) }
}

/// The proxy that the environment names, after the variable that does, and what is reached without
/// it. `None` when none is named. `said` tells what a variable is set to; the first that is set
/// decides.
///
/// # Errors
/// What `said` answers, and what `unusable` makes of a variable that names no proxy: there is no
/// way around the one that was meant.
pub fn of_variables<E>(
    said: impl Fn(&'static str) -> Result<Option<Zeroizing<String>>, E>,
    unusable: impl FnOnce(&'static str, ProxyError) -> E,
) -> Result<Option<(&'static str, Url, NoProxy)>, E> {
    let first = |names: &[&'static str]| {
        let mut found = names.iter().map(|name| said(name).map(|text| text.map(|text| (*name, text))));
        found.find_map(Result::transpose).transpose()
    };
    let Some((name, text)) = first(&PROXIES)? else { return Ok(None) };
    let through = proxy(&text).map_err(|error| unusable(name, error))?;
    let except = first(&EXCEPTIONS)?.map(|(_, list)| NoProxy::read(&list)).unwrap_or_default();
    Ok(Some((name, through, except)))
}

/// The hosts that are reached without a proxy, as `NO_PROXY` lists them: names, which hold for
/// everything below them, addresses and networks, with a port or without, between commas or blanks;
/// `*` for everything.
#[derive(Debug, Clone, Default)]
pub struct NoProxy(Vec<String>);

impl NoProxy {
    /// Reads a list. What cannot be meant holds for nobody.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let entries = text.split(|c: char| c == ',' || c == ';' || c.is_whitespace());
        Self(entries.filter_map(crate::setting).map(str::to_ascii_lowercase).collect())
    }

    /// Whether `url` is reached without a proxy.
    #[must_use]
    pub fn holds(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default();
        self.0.iter().any(|entry| holds(entry, host, port))
    }
}

fn holds(entry: &str, host: &str, port: Option<u16>) -> bool {
    if entry == "*" {
        return true;
    }
    let entry = entry.split_once("://").map_or(entry, |(_, rest)| rest).trim_end_matches('/');
    let (name, wanted) = match entry.rsplit_once(':') {
        // An IPv6 address has more colons, and stands in brackets before a port.
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => match digits.parse::<u16>() {
            Ok(digits) => (name, Some(digits)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    };
    if wanted.is_some() && wanted != port {
        return false;
    }
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = host.parse::<IpAddr>() {
        return name.parse::<IpNet>().is_ok_and(|network| network.contains(&ip))
            || name.parse::<IpAddr>().is_ok_and(|other| other == ip);
    }
    let name = name.trim_start_matches('*').trim_matches('.');
    let below = || host.strip_suffix(name).is_some_and(|before| before.ends_with('.'));
    !name.is_empty() && (host == name || below())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies() {
        let (form, scheme) = (Err(ProxyError::Form), Err(ProxyError::Scheme));
        for (text, expected) in [
            ("http://127.0.0.1:3128", Ok("http://127.0.0.1:3128/")),
            ("HTTP://Proxy.Example:3128/", Ok("http://proxy.example:3128/")),
            ("https://proxy.example", Ok("https://proxy.example/")),
            ("proxy.example:3128", Ok("http://proxy.example:3128/")),
            ("127.0.0.1:3128", Ok("http://127.0.0.1:3128/")),
            ("[::1]:3128", Ok("http://[::1]:3128/")),
            (" http://proxy.example:3128\n", Ok("http://proxy.example:3128/")),
            ("http://ada:p%40ss%23@proxy.example:1", Ok("http://ada:p%40ss%23@proxy.example:1/")),
            ("http://ada:p@ss@proxy.example:1", Ok("http://ada:p%40ss@proxy.example:1/")),
            ("http://artist:p@ss:w%rd#1@127.0.0.1:3128", form),
            ("http://artist:pa#ss@127.0.0.1:3128", form),
            ("http://artist:12/ss@127.0.0.1:3128", form),
            ("http://artist:12?ss@127.0.0.1:3128", form),
            ("http://DOMAIN\\artist:pass@127.0.0.1:3128", form),
            ("\"http://127.0.0.1:3128\"", scheme),
            ("http://127.0.0.1:31 28", form),
            ("//127.0.0.1:3128", form),
            ("http://", form),
            ("http://127.0.0.1:99999", form),
            ("PROXY 127.0.0.1:3128; DIRECT", form),
            ("DIRECT;", form),
            ("socks://127.0.0.1:1080", scheme),
            ("socks5h://127.0.0.1:1080", scheme),
            ("ftp://127.0.0.1", scheme),
            ("", form),
        ] {
            assert_eq!(proxy(text).as_ref().map(Url::as_str).map_err(|error| *error), expected, "{text:?}");
        }
    }

    #[test]
    fn errors_repeat_no_password() {
        let said = proxy("socks9://user:hunter2@proxy").unwrap_err();
        assert!(!format!("{said} {said:?}").contains("hunter2"));
    }

    #[test]
    fn hosts_without_a_proxy() {
        // (list, address, whether it is reached directly)
        for (list, url, direct) in [
            ("", "https://license.test", false),
            ("*", "https://license.test", true),
            ("license.test", "https://license.test", true),
            ("LICENSE.Test", "https://license.test", true),
            ("license.test.", "https://license.test", true),
            ("license.test", "https://license.test.", true),
            (".lic.test", "https://sub.lic.test:8443", true),
            ("*.lic.test", "https://sub.lic.test:8443", true),
            ("lic.test", "https://sub.lic.test", true),
            ("lic.test", "https://public.test", false),
            ("lic.test", "https://notlic.test", false),
            ("license.test:8443", "https://license.test:8443", true),
            ("license.test:443", "https://license.test", true),
            ("license.test:8443", "https://license.test", false),
            ("a.test b.test", "https://b.test", true),
            ("a.test, b.test", "https://b.test", true),
            ("a.test;b.test", "https://b.test", true),
            ("\"a.test\",'b.test'", "https://b.test", true),
            ("https://license.test/", "https://license.test", true),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.1.2.3", "https://10.1.2.3:8443", true),
            ("10.1.2.3:8443", "https://10.1.2.3:8443", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("2001:db8::/32", "https://[2001:db8::7]", true),
            ("2001:db8::7", "https://[2001:db8::7]", true),
            ("[2001:db8::7]:443", "https://[2001:db8::7]", true),
            ("[2001:db8::7]:8443", "https://[2001:db8::7]", false),
            (",, .", "https://license.test", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(NoProxy::read(list).holds(&url), direct, "{list:?} {url}");
        }
    }

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let of = |set: &[(&str, &str)]| {
            let said = |name: &'static str| {
                let found = set.iter().find(|(other, _)| *other == name);
                match found.and_then(|(_, text)| crate::setting(text)) {
                    Some("?") => Err(format!("{name} is not UTF-8")),
                    text => Ok(text.map(|text| Zeroizing::new(text.to_owned()))),
                }
            };
            let url = Url::parse("https://login.example.com/x").unwrap();
            of_variables(said, |name, error| format!("{name}: {error}")).map(|found| {
                found.and_then(|(_, through, except)| (!except.holds(&url)).then(|| through.to_string()))
            })
        };
        let through = |host: &str| Ok(Some(format!("http://{host}:3128/")));
        for (what, set, found) in [
            ("nothing", &[][..], Ok(None)),
            ("as it is", &[("HTTPS_PROXY", "http://a:3128")], through("a")),
            ("in quotes, with a line end", &[("HTTPS_PROXY", "\"http://a:3128\"\n")], through("a")),
            ("without a scheme", &[("HTTPS_PROXY", "a:3128")], through("a")),
            ("the first of two", &[("HTTPS_PROXY", "a:3128"), ("https_proxy", "b:3128")], through("a")),
            ("the first that is set", &[("HTTPS_PROXY", " "), ("https_proxy", "b:3128")], through("b")),
            ("for everything", &[("ALL_PROXY", "c:3128")], through("c")),
            ("for plain http", &[("HTTP_PROXY", "d:3128")], Ok(None)),
            ("but not this host", &[("HTTPS_PROXY", "a:3128"), ("NO_PROXY", "*.example.com")], Ok(None)),
            ("but not that host", &[("HTTPS_PROXY", "a:3128"), ("NO_PROXY", "example.net")], through("a")),
        ] {
            assert_eq!(of(set), found, "{what}");
        }
        for bad in
            ["socks5://a", "http://u:p#sesame@h", "PROXY a; DIRECT", "http://DOMAIN\\u:sesame@h:1", "?"]
        {
            let said = of(&[("HTTPS_PROXY", bad), ("ALL_PROXY", "c:3128")]).unwrap_err();
            assert!(said.contains("HTTPS_PROXY") && !said.contains("sesame"), "{said}");
        }
        assert!(of(&[("all_proxy", "c:3128"), ("no_proxy", "?")]).unwrap_err().contains("no_proxy"));
    }
}
