//! How what the server itself asks gets out: directly, or by the proxy that the environment names.

use crate::system::variable::{VariableError, variable};
use reqwest::{ClientBuilder, Proxy};
use seatlock_protocol::{
    address::{Url, is_loopback},
    proxy::of_variables,
};

/// Has a client ask `url` as the environment says. What is on this computer is asked directly.
///
/// # Errors
/// When a variable cannot be used: there is no way around the proxy that was meant.
pub fn by_environment(builder: ClientBuilder, url: &Url) -> Result<ClientBuilder, VariableError> {
    let builder = builder.no_proxy();
    if url.scheme() != "https" || is_loopback(url) {
        return Ok(builder);
    }
    let unusable = |name, error| VariableError::new(name, format!("{error}"));
    match of_variables(variable, unusable)? {
        Some((name, through, except)) if !except.holds(url) => {
            let unusable = |_| VariableError::new(name, "it does not name a proxy");
            Ok(builder.proxy(Proxy::all(through).map_err(unusable)?))
        }
        _ => Ok(builder),
    }
}
