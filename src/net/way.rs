use crate::environment::variable;
use reqwest::{Proxy, Url};
use seatlock_protocol::proxy::of_variables;

/// The proxy that the environment names; `None` when it names none.
///
/// # Errors
/// The end of a sentence that names the variable. The password that may stand in it is not repeated, and there is no way
/// around the proxy that was meant.
pub(super) fn of_environment() -> Result<Option<Proxy>, String> {
    let said = |name| variable(name).map_err(|error| format!("The environment variable {error}"));
    let found = of_variables(said, |name, error| {
        format!("The environment variable {name} does not name a proxy: {error}")
    })?;
    let Some((_, through, except)) = found else { return Ok(None) };
    Ok(Some(Proxy::custom(move |to: &Url| (!except.holds(to)).then(|| through.clone()))))
}
