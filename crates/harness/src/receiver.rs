//! A receiver of webhooks on this machine. It remembers what was delivered, and between which kills of the service. It can
//! refuse some, and withhold an answer so that the sender can be killed before it gets one.
//!
//! It reads one request after another. So after a request of its own was answered, it has read everything that was sent
//! before, also by a process that is dead.

use crate::failure::{Context, Failure, Result};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a sender may take for its request, and how long an answer is withheld at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// A webhook as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: String,
    /// `webhook-signature`.
    pub signature: String,
    /// The body.
    pub body: String,
    /// Whether it was answered 2xx.
    pub accepted: bool,
    /// How many processes had been killed when it came.
    pub kills: u64,
}

#[derive(Debug, Default)]
struct State {
    deliveries: Vec<Delivery>,
    kills: u64,
    /// One of so many is refused; 0 for none.
    refused_one_of: u64,
    withholds: bool,
    /// Whether somebody waits for a withheld answer.
    waits: bool,
    ending: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until this is so; whether it was in time.
    fn wait(&self, within: Duration, is_so: impl Fn(&State) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), within, |state| !is_so(state));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Notes what came, and answers it, now or when answers are no longer withheld.
    fn answer(&self, mut stream: TcpStream, mut delivery: Delivery) {
        let mut state = self.lock();
        let number = state.deliveries.len() as u64 + 1;
        delivery.accepted = state.refused_one_of == 0 || !number.is_multiple_of(state.refused_one_of);
        delivery.kills = state.kills;
        let status = if delivery.accepted { "204 No Content" } else { "503 Service Unavailable" };
        state.waits = delivery.accepted;
        state.deliveries.push(delivery);
        drop(state);
        self.changed.notify_all();
        self.wait(PATIENCE, |state| !state.withholds || !state.waits || state.ending);
        self.change(|state| state.waits = false);
        // It counts as accepted whether or not the sender lives to read the answer.
        let _ = reply(&mut stream, status);
    }
}

/// A running receiver. Dropping it ends it.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
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
        let shared = Arc::<Shared>::default();
        let told = shared.clone();
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if told.lock().ending {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                match read(&stream) {
                    Some(delivery) if !delivery.id.is_empty() => told.answer(stream, delivery),
                    Some(_) => drop(reply(&mut stream, "204 No Content")),
                    None => {}
                }
            }
        });
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Lets it refuse one of so many.
    pub fn refuse_one_of(&self, number: u64) {
        self.shared.change(|state| state.refused_one_of = number);
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/told", self.address)
    }

    /// What has come, in order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.lock().deliveries.clone()
    }

    /// The ids of what it has accepted, in order.
    pub fn ids(&self) -> Vec<String> {
        let accepted = self.deliveries().into_iter().filter(|delivery| delivery.accepted);
        accepted.map(|delivery| delivery.id).collect()
    }

    /// Lets it withhold its answers, or not any more.
    pub fn withhold(&self, withholds: bool) {
        self.shared.change(|state| state.withholds = withholds);
    }

    /// Waits until something was accepted whose answer is withheld; whether it came in time.
    pub fn has_withheld(&self, within: Duration) -> bool {
        self.shared.wait(within, |state| state.withholds && state.waits)
    }

    /// Notes that so many processes have been killed, after everything that they had sent.
    ///
    /// # Errors
    /// When the receiver does not answer.
    pub fn killed(&self, processes: u64) -> Result<()> {
        let unanswered = || "the receiver does not answer".to_owned();
        let mut stream = TcpStream::connect(self.address).context(unanswered)?;
        stream.set_read_timeout(Some(2 * PATIENCE)).context(unanswered)?;
        stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n").context(unanswered)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).context(unanswered)?;
        if answer.is_empty() {
            return Err(Failure::new(unanswered()));
        }
        self.shared.change(|state| state.kills += processes);
        Ok(())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.change(|state| state.ending = true);
        // It wakes the thread, which then ends.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn reply(stream: &mut TcpStream, status: &str) -> std::io::Result<()> {
    stream
        .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes())
}

/// Reads one request; `None` for one that broke off.
fn read(stream: &TcpStream) -> Option<Delivery> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut delivery, mut bytes) = (Delivery::default(), 0);
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
            "webhook-id" => delivery.id = value.to_owned(),
            "webhook-timestamp" => delivery.timestamp = value.to_owned(),
            "webhook-signature" => delivery.signature = value.to_owned(),
            "content-length" => bytes = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = Vec::new();
    reader.take(bytes).read_to_end(&mut body).ok()?;
    if body.len() as u64 != bytes {
        return None;
    }
    delivery.body = String::from_utf8(body).ok()?;
    Some(delivery)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(receiver: &Receiver, id: &str) -> u16 {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        let agent: ureq::Agent = config.build().into();
        let sent = agent.post(receiver.url()).header("webhook-id", id).send("{}");
        sent.expect("it answers").status().as_u16()
    }

    #[test]
    fn what_comes_is_remembered_with_its_answer() {
        let receiver = Receiver::start().expect("there are ports");
        receiver.refuse_one_of(3);
        assert_eq!(["a", "b", "c"].map(|id| post(&receiver, id)), [204, 204, 503]);
        receiver.killed(2).expect("it answers");
        assert_eq!(post(&receiver, "c"), 204);
        assert_eq!(receiver.ids(), ["a", "b", "c"]);
        let seen: Vec<_> = receiver.deliveries().into_iter().map(|d| (d.accepted, d.kills, d.body)).collect();
        let body = || "{}".to_owned();
        assert_eq!(seen, [(true, 0, body()), (true, 0, body()), (false, 0, body()), (true, 2, body())]);
    }

    #[test]
    fn an_answer_is_withheld_until_it_may_go() {
        let receiver = Receiver::start().expect("there are ports");
        receiver.withhold(true);
        assert!(!receiver.has_withheld(Duration::ZERO));
        thread::scope(|scope| {
            let sender = scope.spawn(|| post(&receiver, "a"));
            assert!(receiver.has_withheld(PATIENCE) && !sender.is_finished());
            receiver.withhold(false);
            assert_eq!(sender.join().expect("it sends"), 204);
        });
    }
}
