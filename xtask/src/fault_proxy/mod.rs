//! A network that lies, hangs and breaks, in front of a real server. Tests put clients before it,
//! and `cargo xtask fault-proxy` a vendor's plug-in.

/// Every case, with what a client must make of it.
mod cases;
/// Forged requests and answers.
mod forge;
/// As much of HTTP as it takes to break it.
mod http;
/// Runs one case for a person.
pub mod interactive;
/// Real answers in unusual forms.
mod rewrite;
/// Certificates, most of them bad.
mod tls;
/// The real server behind it all.
mod upstream;
/// Bad connections.
mod wire;

pub use cases::{CASES, Case};
pub use upstream::Upstream;

use anyhow::{Context as _, Result};
use http::{Request, ServerAnswer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Weak};
use std::thread;

/// What a fault proxy does with its connections.
#[derive(Clone, Copy)]
enum Scene {
    /// Answers every request with this status, these headers and this body.
    Says(&'static str, &'static [&'static str], &'static str),
    /// Answers every request with these bytes, which may be no HTTP at all.
    Sends(&'static str),
    /// Treats the connection so.
    Does(fn(TcpStream) -> Result<()>),
    /// The same at an address that begins with https.
    DoesOnTls(fn(TcpStream) -> Result<()>),
    Refuses,
    /// The system drops what comes.
    Swallows,
    /// Asks the real server something else than the client does.
    Asks(fn(&Upstream, &mut Request)),
    /// Changes what the real server said.
    Forges(fn(&Upstream, &mut ServerAnswer) -> Result<()>),
    /// Says what the real server said in another form.
    Rewrites(fn(&ServerAnswer) -> Vec<u8>),
    /// Says over TLS what the real server said.
    Tls(tls::Fault),
    /// Is a proxy that answers CONNECT with this head, and what comes through the tunnel with the
    /// rest.
    Proxy(&'static str),
    /// Is a proxy that is not there.
    ProxyGone,
}

/// Where a client finds a fault proxy.
#[derive(Debug, Clone)]
pub struct Route {
    pub server: String,
    /// The proxy's address, when there is one.
    pub proxy: Option<String>,
    /// A certificate authority that the client is to trust.
    pub ca: Option<String>,
}

/// A case that is going on, on a free port of this computer.
pub struct FaultProxy {
    route: Route,
    _place: Place,
}

/// What has to stay as long as the proxy runs.
enum Place {
    Closed {
        _socket: wire::Closed,
    },
    BlackHole {
        _socket: wire::BlackHole,
    },
    /// Its thread listens until the process ends, but does not keep the real server alive.
    Thread,
}

impl FaultProxy {
    /// Begins.
    ///
    /// # Errors
    /// No port or no certificate can be had.
    pub fn start(case: &Case, upstream: &Arc<Upstream>) -> Result<Self> {
        let (scene, mut ca) = (case.scene, None);
        let (address, place) = match scene {
            Scene::Refuses | Scene::ProxyGone => {
                let closed = wire::Closed::new()?;
                (closed.address()?, Place::Closed { _socket: closed })
            }
            Scene::Swallows => {
                let hole = wire::BlackHole::new()?;
                (hole.address()?, Place::BlackHole { _socket: hole })
            }
            Scene::Tls(fault) => {
                let (config, trusted) = tls::configuration(fault)?;
                ca = Some(trusted);
                let upstream = Arc::downgrade(upstream);
                (listen(move |stream| secured(stream, &config, &upstream))?, Place::Thread)
            }
            _ => {
                let upstream = Arc::downgrade(upstream);
                (listen(move |stream| treat(stream, scene, &upstream))?, Place::Thread)
            }
        };
        let (server, proxy) = match scene {
            // Only the proxy could resolve this name, and it does not.
            Scene::Proxy(_) | Scene::ProxyGone => {
                ("https://license.invalid".to_owned(), Some(format!("http://{address}")))
            }
            Scene::Tls(_) | Scene::DoesOnTls(_) => (format!("https://{address}"), None),
            _ => (format!("http://{address}"), None),
        };
        Ok(Self { route: Route { server, proxy, ca }, _place: place })
    }

    /// Where a client finds it.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }
}

/// Treats every connection in a thread of its own. One that fails is the client's problem, as
/// intended.
fn listen(treat: impl Fn(TcpStream) -> Result<()> + Send + Sync + 'static) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let treat = Arc::new(treat);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let treat = Arc::clone(&treat);
            thread::spawn(move || treat(stream));
        }
    });
    Ok(address)
}

/// The real server, as long as somebody else holds it.
fn real(upstream: &Weak<Upstream>) -> Result<Arc<Upstream>> {
    upstream.upgrade().context("the real server was stopped")
}

fn treat(mut stream: TcpStream, scene: Scene, upstream: &Weak<Upstream>) -> Result<()> {
    match scene {
        Scene::Does(act) | Scene::DoesOnTls(act) => act(stream),
        Scene::Says(status, headers, body) => {
            http::read(&mut stream)?;
            Ok(stream.write_all(&http::answer("HTTP/1.1", status, headers, body.as_bytes()))?)
        }
        Scene::Sends(bytes) => {
            http::read(&mut stream)?;
            Ok(stream.write_all(bytes.as_bytes())?)
        }
        Scene::Proxy(bytes) => {
            http::read_head(&mut BufReader::new(&stream))?;
            let (head, body) = bytes.split_once("\r\n\r\n").unwrap_or((bytes, ""));
            write!(stream, "{head}\r\n\r\n")?;
            // What follows answers what the client says through the tunnel, if it believes that there is one.
            let said = stream.read(&mut [0; 4096])?;
            if said > 0 {
                stream.write_all(body.as_bytes())?;
                return wire::until_gone(stream);
            }
            Ok(())
        }
        Scene::Asks(change) => {
            let mut request = http::read(&mut stream)?;
            let answer = {
                let upstream = real(upstream)?;
                change(&upstream, &mut request);
                upstream.ask(&request)?
            };
            Ok(stream.write_all(&rewrite::nothing(&answer))?)
        }
        Scene::Forges(forge) => {
            let request = http::read(&mut stream)?;
            let answer = {
                let upstream = real(upstream)?;
                let mut answer = upstream.ask(&request)?;
                forge(&upstream, &mut answer)?;
                answer
            };
            Ok(stream.write_all(&rewrite::nothing(&answer))?)
        }
        Scene::Rewrites(rewrite) => {
            let request = http::read(&mut stream)?;
            let answer = real(upstream)?.ask(&request)?;
            Ok(stream.write_all(&rewrite(&answer))?)
        }
        // They have no connections of their own.
        Scene::Tls(_) | Scene::Refuses | Scene::Swallows | Scene::ProxyGone => Ok(()),
    }
}

fn secured(stream: TcpStream, config: &Arc<ServerConfig>, upstream: &Weak<Upstream>) -> Result<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config))?, stream);
    let request = http::read(&mut stream)?;
    let answer = real(upstream)?.ask(&request)?;
    stream.write_all(&rewrite::nothing(&answer))?;
    stream.conn.send_close_notify();
    Ok(stream.flush()?)
}
