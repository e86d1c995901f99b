use super::resolver::aside;
use super::{SystemProxy, system_proxy};
use crate::environment::variable;
use crate::words::{Message, Phrase};
use reqwest::{Proxy, Url};
use seatlock_protocol::proxy::{ProxyError, of_variables};
use std::time::Duration;

/// Longest wait for a setup script that the operating system looks for in the network. After that
/// what is written down counts.
const DISCOVERY: Duration = Duration::from_secs(5);

/// The proxy that the environment names; `None` when it names none.
///
/// # Errors
/// Names the variable. The password that may stand in it is not repeated, and there is no way
/// around the proxy that was meant.
pub(super) fn of_environment() -> Result<Option<Proxy>, Message> {
    let said =
        |name| variable(name).map_err(|_| Message::from(Phrase::PROXY_NOT_UTF8).with("variable", name));
    let found = of_variables(said, |name, error| {
        Message::from(Phrase::PROXY_UNUSABLE).with("variable", name).because("fault", words(error).into())
    })?;
    let Some((_, through, except)) = found else { return Ok(None) };
    Ok(Some(Proxy::custom(move |to: &Url| (!except.holds(to)).then(|| through.clone()))))
}

/// The proxy that the operating system has for `server`; `None` when it has none.
///
/// # Errors
/// There is one that cannot be used. No way around it is looked for.
pub(super) async fn of_system(ask: SystemProxy, server: &Url) -> Result<Option<Proxy>, Message> {
    let asking = |scripts| {
        let asked = server.to_string();
        async move { Some(tokio::time::timeout(DISCOVERY, aside(move || ask(&asked, scripts)).ok()?).await) }
    };
    let mut said = asking(true).await;
    if matches!(said, Some(Err(_))) {
        said = asking(false).await;
    }
    let Some(Ok(Ok(Some((list, except))))) = said else { return Ok(None) };
    let unusable = |error| Message::from(Phrase::PROXY_SYSTEM).because("fault", words(error).into());
    let through = system_proxy::through(&list, &except, server).map_err(unusable)?;
    Ok(through.map(|through| Proxy::custom(move |_| Some(through.clone()))))
}

fn words(error: ProxyError) -> Phrase {
    match error {
        ProxyError::Form => Phrase::PROXY_FORM,
        ProxyError::Scheme => Phrase::PROXY_SCHEME,
    }
}
