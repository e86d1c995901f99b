use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};

/// A free port of the loopback interface for a server that is started later, or again and again. On Linux the system gives
/// it to nobody who asks for any port, nor to a connection, as long as this value lives; elsewhere it was free a moment ago.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    /// Bound and never listening, with an option that lets a server listen beside it.
    _kept: Option<Socket>,
}

impl Port {
    /// Finds one.
    ///
    /// # Errors
    /// There is none.
    pub fn reserve() -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket().context("a socket without an address")?;
        Ok(Self { address, _kept: cfg!(target_os = "linux").then_some(socket) })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.address.port()
    }

    /// Where to listen, such as `127.0.0.1:40123`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_server_may_listen_again_and_again_and_nobody_else_is_given_the_port() {
        let port = Port::reserve().unwrap();
        for _ in 0..3 {
            let listener = TcpListener::bind(port.address()).unwrap();
            TcpStream::connect(port.address()).unwrap();
            listener.accept().unwrap();
        }
        assert!(TcpStream::connect(port.address()).is_err(), "nobody listens between two servers");
        // Whoever does not ask for this port has no use of the option.
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address: SocketAddr = port.address().parse().unwrap();
        assert!(other.bind(&address.into()).is_err());
        drop(port);
        other.bind(&address.into()).unwrap();
    }
}
