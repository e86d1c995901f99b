use super::resolver::aside;
use super::{ProxyChoice, Route, SystemProxy, system_proxy};
use crate::environment::variable;
use crate::words::{Message, Phrase};
use reqwest::{ClientBuilder, Proxy, Url};
use seatlock_protocol::address::is_loopback;
use seatlock_protocol::proxy::{NoProxy, ProxyError, of_variables};
use std::fmt;
use std::time::Duration;

/// Longest wait for a setup script that the operating system looks for in the network. After that
/// what is written down counts.
const DISCOVERY: Duration = Duration::from_secs(5);

/// What requests to a server go through, and who has said so.
pub enum ProxyInUse {
    /// Straight to it.
    Direct(&'static str),
    /// Through a proxy, but for some hosts.
    Through {
        /// Its address, which may hold user and password.
        proxy: Url,
        /// What is reached without it.
        except: NoProxy,
        /// Where it is named.
        from: &'static str,
    },
    /// As the operating system says, which the function knows; where there is none, the HTTP
    /// library does.
    System(Option<SystemProxy>),
}

impl ProxyInUse {
    /// That of a route. The proxy of the environment comes before the operating system's.
    ///
    /// # Errors
    /// Names the variable of the environment that cannot be used. The password that may stand in it
    /// is not repeated, and there is no way around the proxy that was meant.
    pub fn of(route: &Route) -> Result<Self, Message> {
        match &route.way.proxy {
            ProxyChoice::Explicit(proxy) => {
                Ok(Self::Through { proxy: proxy.clone(), except: NoProxy::default(), from: "option" })
            }
            ProxyChoice::Direct => Ok(Self::Direct("option")),
            ProxyChoice::System(_) if is_loopback(&route.server) => Ok(Self::Direct("loopback")),
            ProxyChoice::System(ask) => match of_environment()? {
                Some((_, _, except)) if except.holds(&route.server) => Ok(Self::Direct("NO_PROXY")),
                Some((from, proxy, except)) => Ok(Self::Through { proxy, except, from }),
                None => Ok(Self::System(*ask)),
            },
        }
    }

    /// Has requests to `server` go this way.
    ///
    /// # Errors
    /// The operating system names a proxy that cannot be used.
    pub(super) async fn applied(
        self,
        builder: ClientBuilder,
        server: &Url,
    ) -> Result<ClientBuilder, Message> {
        Ok(match self {
            Self::Direct(_) => builder.no_proxy(),
            Self::Through { proxy, except, .. } => {
                builder.proxy(Proxy::custom(move |to: &Url| (!except.holds(to)).then(|| proxy.clone())))
            }
            Self::System(Some(ask)) => {
                of_system(ask, server).await?.into_iter().fold(builder.no_proxy(), ClientBuilder::proxy)
            }
            Self::System(None) => builder,
        })
    }
}

/// Without user and password.
impl fmt::Display for ProxyInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(from) => write!(f, "none ({from})"),
            Self::Through { proxy, from, .. } => {
                let host = proxy.host_str().unwrap_or_default();
                let port = proxy.port_or_known_default().unwrap_or_default();
                write!(f, "{}://{host}:{port} ({from})", proxy.scheme())
            }
            Self::System(_) => f.write_str("that of the operating system, if it names one"),
        }
    }
}

fn of_environment() -> Result<Option<(&'static str, Url, NoProxy)>, Message> {
    let said =
        |name| variable(name).map_err(|_| Message::from(Phrase::PROXY_NOT_UTF8).with("variable", name));
    of_variables(said, |name, error| {
        Message::from(Phrase::PROXY_UNUSABLE).with("variable", name).because("fault", words(error).into())
    })
}

/// The proxy that the operating system has for `server`; `None` when it has none.
///
/// # Errors
/// There is one that cannot be used. No way around it is looked for.
async fn of_system(ask: SystemProxy, server: &Url) -> Result<Option<Proxy>, Message> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Way;

    #[test]
    fn a_proxy_is_told_without_its_secrets() {
        let url = |text: &str| Url::parse(text).unwrap();
        let explicit = |text| ProxyChoice::Explicit(url(text));
        for (server, proxy, expected) in [
            ("https://a.example", explicit("http://ada:hunter2@proxy"), "http://proxy:80 (option)"),
            ("https://a.example", explicit("https://ada:x@proxy:8443"), "https://proxy:8443 (option)"),
            (
                "https://a.example",
                explicit("http://[2001:db8::1]:3128"),
                "http://[2001:db8::1]:3128 (option)",
            ),
            ("https://a.example", ProxyChoice::Direct, "none (option)"),
            ("http://127.0.0.1:1", ProxyChoice::System(None), "none (loopback)"),
        ] {
            let route = Route { server: url(server), way: Way { proxy, extra_ca: Vec::new() } };
            assert_eq!(ProxyInUse::of(&route).unwrap().to_string(), expected);
        }
    }
}
