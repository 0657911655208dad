//! A receiver of webhooks on this machine: it accepts every one and remembers its id.

use crate::failure::{Context, Result};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a sender may take for its request.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running receiver. Dropping it ends it.
pub struct Receiver {
    address: SocketAddr,
    ids: Arc<Mutex<Vec<String>>>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When there is no port.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context(|| "no port can be listened on".into())?;
        let address = listener.local_addr().context(|| "the port is not known".into())?;
        let (ids, ending) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (kept, told) = (ids.clone(), ending.clone());
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream
                    && let Some(id) = accepted(stream)
                {
                    kept.lock().expect("nobody panics with the ids").push(id);
                }
            }
        });
        Ok(Self { address, ids, ending, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/told", self.address)
    }

    /// The ids of what it has accepted, in order.
    pub fn ids(&self) -> Vec<String> {
        self.ids.lock().expect("nobody panics with the ids").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        // It wakes the thread, which then ends.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads one request and answers it. Its `webhook-id`; `None` for a request that broke off.
fn accepted(mut stream: TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut id, mut bytes) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            break;
        }
        // The first line has no name.
        let Some((name, value)) = line.trim_end().split_once(": ") else { continue };
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => id = Some(value.to_owned()),
            "content-length" => bytes = value.parse().ok()?,
            _ => {}
        }
    }
    reader.take(bytes).read_to_end(&mut Vec::new()).ok()?;
    // It counts as accepted whether or not the sender lives to read the answer.
    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_is_remembered() {
        let receiver = Receiver::start().expect("there are ports");
        for id in ["a", "b", "a"] {
            let answer = ureq::post(receiver.url()).header("webhook-id", id).send("{}").expect("it answers");
            assert_eq!(answer.status(), 204);
        }
        assert_eq!(receiver.ids(), ["a", "b", "a"]);
    }
}
