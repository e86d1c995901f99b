//! What Windows writes about proxies, as its own programs read it.

use reqwest::Url;
use seatlock_protocol::proxy::{ProxyError, proxy};

/// The proxy of `list` for an address, `None` when it is reached without one.
///
/// A list has one proxy for everything, or one for each scheme: `http=a:80;https=b:80;socks=c:1`.
/// `except` lists hosts with `*` for any characters, with a scheme or port or without, and
/// `<local>` for names without a dot. Both have semicolons or blanks between their entries.
///
/// # Errors
/// What is named for the address is no HTTP proxy.
pub fn through(list: &str, except: &str, to: &Url) -> Result<Option<Url>, ProxyError> {
    if entries(except).any(|entry| holds(&entry.to_ascii_lowercase(), to)) {
        return Ok(None);
    }
    let of = |wanted: &str| {
        entries(list).find_map(|entry| match entry.split_once('=') {
            Some((scheme, proxy)) if scheme.eq_ignore_ascii_case(wanted) => Some(proxy),
            None if wanted.is_empty() => Some(entry),
            _ => None,
        })
    };
    match of(to.scheme()).or_else(|| of("")) {
        Some(found) => proxy(found).map(Some),
        None if of("socks").is_some() => Err(ProxyError::Scheme),
        None => Ok(None),
    }
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ';' || c.is_whitespace()).filter(|entry| !entry.is_empty())
}

fn holds(entry: &str, to: &Url) -> bool {
    let host = to.host_str().unwrap_or_default().trim_end_matches('.');
    if entry == "<local>" {
        return !host.contains(['.', ':']);
    }
    let (scheme, entry) =
        entry.split_once("://").map_or((None, entry), |(scheme, rest)| (Some(scheme), rest));
    if scheme.is_some_and(|scheme| scheme != to.scheme()) {
        return false;
    }
    let entry = entry.trim_end_matches('/');
    // An IPv6 address has colons of its own, and stands in brackets in an address.
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (entry, None),
    };
    if port.is_some_and(|port| port != "*" && port.parse().ok() != to.port_or_known_default()) {
        return false;
    }
    let bare = |text: &str| text.trim_start_matches('[').trim_end_matches(']').to_owned();
    fits(bare(name).as_bytes(), bare(host).as_bytes())
}

/// Whether a text fits a pattern in which `*` stands for any characters.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where the last `*` stands, and up to where it has eaten.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, from));
            at += 1;
        } else if pattern.get(at) == text.get(from) {
            (at, from) = (at + 1, from + 1);
        } else if let Some((place, eaten)) = star {
            star = Some((place, eaten + 1));
            (at, from) = (place + 1, eaten + 1);
        } else {
            return false;
        }
    }
    pattern.iter().skip(at).all(|left| *left == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_proxies() {
        // (list, address, the proxy)
        let (https, http) = ("https://license.example.com", "http://license.example.com");
        for (list, to, found) in [
            ("p:3128", https, Ok(Some("http://p:3128/"))),
            ("http://p:3128", https, Ok(Some("http://p:3128/"))),
            ("u:w@p:3128", https, Ok(Some("http://u:w@p:3128/"))),
            ("p", https, Ok(Some("http://p/"))),
            ("http=a:1;https=b:2;ftp=c:3", https, Ok(Some("http://b:2/"))),
            ("http=a:1;https=b:2;ftp=c:3", http, Ok(Some("http://a:1/"))),
            ("http=a:1 HTTPS=http://b:2", https, Ok(Some("http://b:2/"))),
            ("https=b:2 ; socks=c:3", https, Ok(Some("http://b:2/"))),
            ("http=a:1", https, Ok(None)),
            ("http=a:1;p:9", https, Ok(Some("http://p:9/"))),
            // What a setup script has named, the first first.
            ("a:1;b:2", https, Ok(Some("http://a:1/"))),
            ("socks=c:3", https, Err(ProxyError::Scheme)),
            ("http=a:1;socks=c:3", https, Err(ProxyError::Scheme)),
            ("https=socks://c:3", https, Err(ProxyError::Scheme)),
            ("https=", https, Err(ProxyError::Form)),
            ("", https, Ok(None)),
            (" ; ", https, Ok(None)),
        ] {
            let to = Url::parse(to).unwrap();
            let proxy = through(list, "", &to);
            assert_eq!(
                proxy.as_ref().map(|url| url.as_ref().map(Url::as_str)),
                found.as_ref().map(|f| *f),
                "{list:?} {to}"
            );
        }
    }

    #[test]
    fn what_is_reached_without_a_proxy() {
        // (exceptions, address, whether it is reached directly)
        for (except, to, direct) in [
            ("", "https://license.example.com", false),
            ("*", "https://license.example.com", true),
            ("*.example.com", "https://license.example.com", true),
            ("*.example.com", "https://example.com", false),
            ("LICENSE.Example.com", "https://license.example.com", true),
            ("license.example.com", "https://license.example.com.", true),
            ("example.com", "https://license.example.com", false),
            ("*example*", "https://license.example.com", true),
            ("license.*", "https://license.example.com", true),
            ("l*e.ex*le.com", "https://license.example.com", true),
            ("l*x.com", "https://license.example.com", false),
            ("<local>", "https://license", true),
            ("<LOCAL>", "https://license:8443", true),
            ("<local>", "https://license.example.com", false),
            ("<local>", "https://[2001:db8::7]", false),
            ("10.*", "https://10.1.2.3", true),
            ("10.*", "https://license.10.example", false),
            ("license.example.com:443", "https://license.example.com", true),
            ("license.example.com:8443", "https://license.example.com", false),
            ("*:8443", "https://license.example.com:8443", true),
            ("license.example.com:*", "https://license.example.com:8443", true),
            ("https://license.example.com", "https://license.example.com", true),
            ("http://license.example.com", "https://license.example.com", false),
            ("[2001:db8::7]:443", "https://[2001:db8::7]", true),
            ("2001:db8::7", "https://[2001:db8::7]", true),
            ("a;b license.example.com\tc", "https://license.example.com", true),
            ("<-loopback>;a", "https://license.example.com", false),
        ] {
            let url = Url::parse(to).unwrap();
            let found = through("p:3128", except, &url).unwrap();
            assert_eq!(found.is_none(), direct, "{except:?} {to}");
        }
    }
}
