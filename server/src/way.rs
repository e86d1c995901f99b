//! How what the server itself asks gets out: directly, or by the proxy that the environment names.

use crate::variable::{VariableError, variable};
use reqwest::{ClientBuilder, Proxy};
use seatlock_protocol::{
    address::{Url, is_loopback},
    proxy::{NoProxy, proxy},
};
use zeroize::Zeroizing;

/// Where requests are sent through, as curl and others read it. What leaves this computer with a secret is https.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// What is reached without a proxy all the same.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Has a client ask `url` as the environment says. What is on this computer is asked directly.
///
/// # Errors
/// When a variable can not be used: there is no way around the proxy that was meant.
pub fn by_environment(builder: ClientBuilder, url: &Url) -> Result<ClientBuilder, VariableError> {
    let builder = builder.no_proxy();
    if url.scheme() != "https" || is_loopback(url) {
        return Ok(builder);
    }
    let Some((name, through)) = chosen(variable, url)? else { return Ok(builder) };
    let unusable = |_| VariableError::new(name, "it does not name a proxy");
    Ok(builder.proxy(Proxy::all(through).map_err(unusable)?))
}

type Said = Result<Option<Zeroizing<String>>, VariableError>;

fn chosen(
    said: impl Fn(&'static str) -> Said,
    url: &Url,
) -> Result<Option<(&'static str, Url)>, VariableError> {
    let first = |names: &[&'static str]| {
        let mut found = names.iter().map(|name| said(name).map(|text| text.map(|text| (*name, text))));
        found.find_map(Result::transpose).transpose()
    };
    let Some((name, text)) = first(&PROXIES)? else { return Ok(None) };
    let through = proxy(&text).map_err(|error| VariableError::new(name, error.to_string()))?;
    let except = first(&EXCEPTIONS)?.map(|(_, list)| NoProxy::read(&list)).unwrap_or_default();
    Ok((!except.holds(url)).then_some((name, through)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_proxies() {
        let way = |set: &[(&'static str, &str)]| {
            let said = |name: &'static str| {
                let found = set.iter().find(|(other, _)| *other == name);
                let text = found.and_then(|(_, text)| seatlock_protocol::setting(text));
                Ok(text.map(|text| Zeroizing::new(text.to_owned())))
            };
            let url = Url::parse("https://login.example.com/x").unwrap();
            chosen(said, &url)
                .map(|found| found.map(|(_, url)| url.to_string()))
                .map_err(|error| error.to_string())
        };
        let through = |host: &str| Ok(Some(format!("http://{host}:3128/")));
        for (what, set, found) in [
            ("nothing", &[][..], Ok(None)),
            ("as it is", &[("HTTPS_PROXY", "http://a:3128")], through("a")),
            ("in quotes, with a line end", &[("HTTPS_PROXY", "\"http://a:3128\"\n")], through("a")),
            ("without a scheme", &[("HTTPS_PROXY", "a:3128")], through("a")),
            ("the first that is set", &[("HTTPS_PROXY", " "), ("https_proxy", "b:3128")], through("b")),
            ("for everything", &[("ALL_PROXY", "c:3128")], through("c")),
            ("for plain http", &[("HTTP_PROXY", "d:3128")], Ok(None)),
            ("but not this host", &[("HTTPS_PROXY", "a:3128"), ("NO_PROXY", "*.example.com")], Ok(None)),
            ("but not that host", &[("HTTPS_PROXY", "a:3128"), ("NO_PROXY", "example.net")], through("a")),
        ] {
            assert_eq!(way(set), found, "{what}");
        }
        for bad in ["socks5://a", "http://u:p#sesame@h", "PROXY a; DIRECT", "http://DOMAIN\\u:sesame@h:1"] {
            let said = way(&[("HTTPS_PROXY", bad), ("ALL_PROXY", "c:3128")]).unwrap_err();
            assert!(said.contains("HTTPS_PROXY") && !said.contains("sesame"), "{said}");
        }
    }
}
