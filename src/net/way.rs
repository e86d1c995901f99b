use crate::environment::{NotUtf8, variable};
use reqwest::{Proxy, Url};
use seatlock_protocol::proxy::{NoProxy, proxy};
use zeroize::Zeroizing;

/// Where requests are sent through by the word of the environment, as curl and others read it. All addresses beyond this
/// computer are https.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// What is reached without a proxy all the same.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The proxy that the environment names; `None` when it names none.
///
/// # Errors
/// The end of a sentence that names the variable. The password that may stand in it is not repeated, and there is no way
/// around the proxy that was meant.
pub(super) fn of_environment() -> Result<Option<Proxy>, String> {
    let Some((through, except)) = chosen(variable)? else { return Ok(None) };
    Ok(Some(Proxy::custom(move |to: &Url| (!except.holds(to)).then(|| through.clone()))))
}

type Said = Result<Option<Zeroizing<String>>, NotUtf8>;

fn chosen(said: impl Fn(&'static str) -> Said) -> Result<Option<(Url, NoProxy)>, String> {
    let first = |names: &[&'static str]| {
        let mut found = names.iter().map(|name| said(name).map(|text| text.map(|text| (*name, text))));
        found.find_map(Result::transpose).transpose()
    };
    let unusable = |error: NotUtf8| format!("The environment variable {error}");
    let Some((name, text)) = first(&PROXIES).map_err(unusable)? else { return Ok(None) };
    let through = proxy(&text)
        .map_err(|error| format!("The environment variable {name} does not name a proxy: {error}"))?;
    let except = first(&EXCEPTIONS).map_err(unusable)?;
    Ok(Some((through, except.map(|(_, list)| NoProxy::read(&list)).unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let of = |set: &[(&str, &str)]| {
            let said = |name: &'static str| {
                let found = set.iter().find(|(other, _)| *other == name);
                let text = found.and_then(|(_, text)| seatlock_protocol::setting(text));
                if text == Some("?") {
                    Err(NotUtf8(name))
                } else {
                    Ok(text.map(|text| Zeroizing::new(text.to_owned())))
                }
            };
            chosen(said).map(|found| found.map(|(url, _)| url.to_string()))
        };
        let proxy = |host: &str| Ok(Some(format!("http://{host}:3128/")));
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("HTTPS_PROXY", "a:3128"), ("https_proxy", "b:3128")]), proxy("a"));
        assert_eq!(of(&[("HTTPS_PROXY", " "), ("https_proxy", "b:3128")]), proxy("b"));
        assert_eq!(of(&[("ALL_PROXY", "c:3128")]), proxy("c"));
        assert_eq!(of(&[("HTTP_PROXY", "d:3128")]), Ok(None));
        for bad in ["socks5://a", "http://u:p#sesame@h", "PROXY a; DIRECT", "?"] {
            let said = of(&[("HTTPS_PROXY", bad), ("ALL_PROXY", "c:3128")]).unwrap_err();
            assert!(said.contains("HTTPS_PROXY") && !said.contains("sesame"), "{said}");
        }
        assert!(of(&[("all_proxy", "c:3128"), ("no_proxy", "?")]).unwrap_err().contains("no_proxy"));
    }
}
