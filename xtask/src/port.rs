use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};

/// A port of the loopback interface for one program, which has to know it before it listens, and
/// may go away and come back. Until this is dropped nobody else gets it by chance: neither as a
/// free port, nor as that of a connection.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Bound, but it does not listen. Linux lets whoever reuses addresses, as servers do, listen
    /// beside it, and gives the port to nobody who asks for any. Other systems have no such
    /// thing, so there the port is only likely to be free.
    _held: Option<Socket>,
}

impl Port {
    /// Holds a port that is free.
    ///
    /// # Errors
    /// There is none.
    pub fn hold() -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(cfg!(target_os = "linux"))?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket.local_addr()?.as_socket().context("a socket without an address")?;
        Ok(Self { number: address.port(), _held: cfg!(target_os = "linux").then_some(socket) })
    }

    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The address with it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn the_port_can_be_listened_to_again_and_again() {
        let port = Port::hold().unwrap();
        for _ in 0..2 {
            // A process that another test is starting holds every socket of this one until it becomes a
            // program.
            let deadline = Instant::now() + Duration::from_secs(10);
            while TcpStream::connect(port.address()).is_ok() {
                assert!(Instant::now() < deadline, "somebody is there");
                thread::sleep(Duration::from_millis(10));
            }
            let listener = TcpListener::bind(port.address()).unwrap();
            TcpStream::connect(port.address()).unwrap();
            listener.accept().unwrap();
        }
    }
}
