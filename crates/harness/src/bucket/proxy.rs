//! A proxy in front of an object store that breaks what it passes on: it waits, refuses, cuts connections in the middle of an
//! upload or of a download, and keeps answers to itself.
//!
//! Each connection carries one request. What happens to it is decided by a seed and the number of the request, so that a
//! request that is sent again meets something else.

use crate::failure::{Context, Result};
use crate::random::Random;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The longest head of a request.
const HEAD_MAX: usize = 64 << 10;
/// Bytes that are passed on at once.
const PIECE: usize = 4 << 10;
/// The pause after each piece of a slow answer.
const SLOWNESS: Duration = Duration::from_millis(20);
/// The longest time for which a request gets no answer.
const SILENCE: Duration = Duration::from_secs(30);

/// What happens to some of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// 503 SlowDown with Retry-After, without passing the request on.
    SlowDown,
    /// No answer until the client goes away.
    Silence,
    /// The connection ends in the middle of the request's content.
    CutRequest,
    /// The request is passed on, and the connection ends before its answer.
    LostAnswer,
    /// The connection ends in the middle of the answer.
    CutAnswer,
    /// The answer arrives slowly.
    SlowAnswer,
}

/// A running proxy. It ends when dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    port: u16,
}

struct Shared {
    store: u16,
    trouble: Mutex<(Trouble, Random)>,
    /// One of so many requests is in trouble.
    one_of: u64,
    hit: AtomicU64,
    over: AtomicBool,
}

impl Proxy {
    /// Begins to pass requests on to the store at this port.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(store: u16, one_of: u64, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context(|| "the proxy has no port".into())?;
        let port = listener.local_addr().context(|| "the proxy has no port".into())?.port();
        let shared = Arc::new(Shared {
            store,
            trouble: Mutex::new((Trouble::None, Random::new(seed))),
            one_of,
            hit: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(io::Result::ok) {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // Its failure is one that the client sees.
                thread::spawn(move || drop(shared.pass_on(client)));
            }
        });
        Ok(Self { shared, port })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What happens from now on.
    pub fn set(&self, trouble: Trouble) {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).0 = trouble;
    }

    /// How many requests were in trouble.
    pub fn hit(&self) -> u64 {
        self.shared.hit.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A request as far as its head.
struct Head {
    text: String,
    /// What has arrived of the content.
    begun: Vec<u8>,
    /// Bytes of the content.
    length: usize,
}

impl Shared {
    /// What happens to this request.
    fn next(&self, head: &Head) -> Trouble {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (kind, random) = &mut *trouble;
        let fits = match kind {
            Trouble::None => false,
            Trouble::CutRequest => head.length > 0,
            Trouble::CutAnswer | Trouble::SlowAnswer => head.text.starts_with("GET "),
            Trouble::SlowDown | Trouble::Silence | Trouble::LostAnswer => true,
        };
        if fits && random.below(self.one_of) == 0 {
            self.hit.fetch_add(1, Ordering::SeqCst);
            return *kind;
        }
        Trouble::None
    }

    fn pass_on(&self, mut client: TcpStream) -> io::Result<()> {
        let head = read_head(&mut client)?;
        let trouble = self.next(&head);
        match trouble {
            Trouble::SlowDown => {
                let mut content = head.begun;
                read_content(&mut client, &mut content, head.length)?;
                let body =
                    "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
                let answer = format!(
                    "HTTP/1.1 503 Slow Down\r\nRetry-After: 1\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n{body}",
                    body.len()
                );
                return client.write_all(answer.as_bytes());
            }
            Trouble::Silence => {
                client.set_read_timeout(Some(SILENCE))?;
                let mut left = vec![0; PIECE];
                while client.read(&mut left)? > 0 {}
                return Ok(());
            }
            Trouble::None
            | Trouble::CutRequest
            | Trouble::LostAnswer
            | Trouble::CutAnswer
            | Trouble::SlowAnswer => {}
        }
        let mut store = TcpStream::connect(("127.0.0.1", self.store))?;
        let mut content = head.begun;
        if trouble == Trouble::CutRequest {
            read_content(&mut client, &mut content, head.length / 2)?;
            store.write_all(head.text.as_bytes())?;
            store.write_all(&content[..head.length / 2])?;
            store.shutdown(Shutdown::Both)?;
            return client.shutdown(Shutdown::Both);
        }
        read_content(&mut client, &mut content, head.length)?;
        store.write_all(head.text.as_bytes())?;
        store.write_all(&content)?;
        let mut answer = Vec::new();
        store.read_to_end(&mut answer)?;
        match trouble {
            Trouble::LostAnswer => client.shutdown(Shutdown::Both),
            Trouble::CutAnswer => {
                client.write_all(&answer[..answer.len() / 2])?;
                client.shutdown(Shutdown::Both)
            }
            Trouble::SlowAnswer => {
                for piece in answer.chunks(PIECE) {
                    client.write_all(piece)?;
                    thread::sleep(SLOWNESS);
                }
                Ok(())
            }
            Trouble::None | Trouble::SlowDown | Trouble::Silence | Trouble::CutRequest => {
                client.write_all(&answer)
            }
        }
    }
}

/// Reads the head, and has the store close the connection after its answer.
fn read_head(client: &mut TcpStream) -> io::Result<Head> {
    let (mut read, mut piece) = (Vec::new(), vec![0; PIECE]);
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let bytes = client.read(&mut piece)?;
        if bytes == 0 || read.len() > HEAD_MAX {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&piece[..bytes]);
    };
    let begun = read.split_off(end + 4);
    let text = String::from_utf8_lossy(&read[..end]).into_owned();
    let (mut lines, mut length) = (Vec::new(), 0);
    for line in text.split("\r\n") {
        match line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim())) {
            Some((name, _)) if name == "connection" => continue,
            Some((name, value)) if name == "content-length" => length = value.parse().unwrap_or_default(),
            Some(_) | None => {}
        }
        lines.push(line);
    }
    Ok(Head { text: format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n")), begun, length })
}

/// Reads the content until it has so many bytes.
fn read_content(client: &mut TcpStream, content: &mut Vec<u8>, length: usize) -> io::Result<()> {
    let missing = length.saturating_sub(content.len()) as u64;
    let read = client.take(missing).read_to_end(content)? as u64;
    if read < missing { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
