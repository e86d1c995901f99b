use crate::environment::variable;
use crate::words::{Message, Phrase};
use reqwest::{Proxy, Url};
use seatlock_protocol::proxy::{ProxyError, of_variables};

/// The proxy that the environment names; `None` when it names none.
///
/// # Errors
/// Names the variable. The password that may stand in it is not repeated, and there is no way
/// around the proxy that was meant.
pub(super) fn of_environment() -> Result<Option<Proxy>, Message> {
    let said =
        |name| variable(name).map_err(|_| Message::from(Phrase::PROXY_NOT_UTF8).with("variable", name));
    let found = of_variables(said, |name, error| {
        let fault = match error {
            ProxyError::Form => Phrase::PROXY_FORM,
            ProxyError::Scheme => Phrase::PROXY_SCHEME,
        };
        Message::from(Phrase::PROXY_UNUSABLE).with("variable", name).because("fault", fault.into())
    })?;
    let Some((_, through, except)) = found else { return Ok(None) };
    Ok(Some(Proxy::custom(move |to: &Url| (!except.holds(to)).then(|| through.clone()))))
}
