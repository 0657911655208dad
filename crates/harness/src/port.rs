//! Ports for the servers of a run, each given to one server only.

use crate::failure::{Context, Failure, Result};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

/// A port of 127.0.0.1 that the system gives to nobody else while this value exists. A server that is told the port can
/// listen on it: servers set SO_REUSEADDR, as this does, and may bind a port that is bound and that nobody listens on.
#[derive(Debug)]
pub struct ReservedPort {
    socket: Socket,
    number: u16,
}

impl ReservedPort {
    /// Reserves a port from a range that the system does not give to clients by itself.
    ///
    /// Each process of ours begins the search at another number. So if two processes start servers at the same time, the
    /// clients of one do not reach the server of the other.
    ///
    /// # Errors
    /// When no port of the range is free.
    pub fn new() -> Result<Self> {
        const FIRST: u32 = 12_000;
        const PORTS: u32 = 20_000;
        static GIVEN: AtomicU32 = AtomicU32::new(0);
        let begin = std::process::id().wrapping_mul(7_919);
        for _ in 0..PORTS {
            let place = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
            let number = u16::try_from(FIRST + place % PORTS).expect("the last port is below 32,768");
            let reserved = Self { socket: socket()?, number };
            if reserved.is_ours() {
                return Ok(reserved);
            }
        }
        Err(Failure::new("no port on 127.0.0.1 can be had"))
    }

    /// Takes the port, unless somebody uses it or has reserved it.
    fn is_ours(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.number));
        self.socket.bind(&address.into()).and_then(|()| self.socket.set_reuse_address(true)).is_ok()
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

fn socket() -> Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None).context(|| "no socket can be made".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_reserved_port_is_given_to_one_and_listened_on_by_a_server() {
        let port = ReservedPort::new().expect("there are ports");
        let again = ReservedPort { socket: socket().expect("a socket can be made"), number: port.number };
        assert!(!again.is_ours(), "it is taken");
        // The standard library's listeners set SO_REUSEADDR, as servers do.
        let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number()));
        assert!(listening.is_ok(), "{listening:?}");
    }
}
