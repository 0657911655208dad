//! Real servers for tests, on free loopback ports and with a folder of their own. They are stopped by their process id.
//!
//! If a server is not installed, its tests are skipped and print a line.

pub mod buckets;
pub mod certificates;
pub mod slapd;
pub mod smtpd;

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;
use tokio::net::TcpSocket;

/// How long a server may take to start or end, in steps of [`LOOK_EVERY`]: longer than on any busy machine.
const LOOKS_MAX: u32 = 6_000;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The first of these paths that exists; otherwise prints a line that tests are skipped.
pub fn program(paths: &[&str]) -> Option<PathBuf> {
    let found = paths.iter().map(PathBuf::from).find(|path| path.is_file());
    if found.is_none() {
        println!("SKIPPED: {} is not installed", paths[0]);
    }
    found
}

/// A port that the system gives to nobody else while this value exists. Only a server that is told to use the port
/// listens on it: servers set SO_REUSEADDR, as this does, and can bind a port that is bound but not listened on.
///
/// Why: when many tests run, a port that was free a moment ago may be in use the next moment.
#[derive(Debug)]
pub struct ReservedPort {
    _socket: TcpSocket,
    number: u16,
}

impl ReservedPort {
    /// A port of every address of this machine.
    ///
    /// # Panics
    /// When there is none.
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket.set_reuseaddr(true).expect("a new socket takes options");
        socket.bind(([0, 0, 0, 0], 0).into()).expect("there are free ports");
        let number = socket.local_addr().expect("it is bound").port();
        Self { _socket: socket, number }
    }

    /// The port.
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl Default for ReservedPort {
    fn default() -> Self {
        Self::new()
    }
}

/// A server process. Dropping this value stops it.
#[derive(Debug)]
pub struct Server(pub Child);

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Waits until the server has written to `log`. If the log contains `text`, waits until the server ends.
    ///
    /// # Panics
    /// When the process cannot be waited for.
    pub fn ended_with(&mut self, text: &str, log: &Path) -> bool {
        for _ in 0..LOOKS_MAX {
            let written = std::fs::read_to_string(log).unwrap_or_default();
            if written.contains(text) {
                self.0.wait().expect("a child can be waited for");
                return true;
            }
            if !written.is_empty() && !written.starts_with("usage") {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        false
    }

    /// Waits until the port answers. If it does not, shows the server's `log`.
    ///
    /// # Panics
    /// When the server ends, or does not answer for five minutes.
    pub fn await_port(&mut self, port: u16, log: &Path) {
        self.await_address(([127, 0, 0, 1], port).into(), log);
    }

    /// Like [`await_port`](Self::await_port), at another address.
    ///
    /// # Panics
    /// As [`await_port`](Self::await_port).
    pub fn await_address(&mut self, address: SocketAddr, log: &Path) {
        for _ in 0..LOOKS_MAX {
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return;
            }
            let ended = self.0.try_wait().expect("a child can be asked");
            let text = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(ended.is_none(), "the server ended with {ended:?}: {}", text());
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("no answer at {address}: {}", std::fs::read_to_string(log).unwrap_or_default());
    }
}
