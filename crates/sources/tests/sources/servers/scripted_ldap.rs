//! A directory server that does what a test tells it, for faults that a real one cannot be asked for.
//!
//! It knows the few messages that it needs in BER, written by hand from RFC 4511 and RFC 2696.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// What to send for a search.
#[derive(Clone)]
pub enum Reply {
    /// An entry with attributes.
    Entry(&'static str, Vec<(&'static str, Vec<&'static str>)>),
    /// A reference to another server.
    Reference,
    /// The end, with a result code and the cookie of a next page; `None` leaves the paging control out.
    Done(u8, Option<&'static str>),
    /// Bytes that are no answer.
    Noise,
    /// Closes the connection.
    Close,
    /// Says nothing more and keeps the connection.
    Silence,
}

/// Starts a server whose answer to a search is `answer`'s, given how many searches it answered before and the
/// search request as it came. Gives the URL. It ends with the process.
pub fn start(answer: impl Fn(usize, &[u8]) -> Vec<Reply> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let answer = std::sync::Arc::new((answer, std::sync::atomic::AtomicUsize::new(0)));
        for stream in listener.incoming() {
            let answer = std::sync::Arc::clone(&answer);
            std::thread::spawn(move || {
                let count = || answer.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                // A client that goes away ends the conversation.
                let _ = converse(&mut stream.unwrap(), |request| (answer.0)(count(), request));
            });
        }
    });
    url
}

fn converse(stream: &mut TcpStream, answer: impl Fn(&[u8]) -> Vec<Reply>) -> std::io::Result<()> {
    while let Some(message) = read_message(stream)? {
        // SEQUENCE contents: INTEGER id, then the operation.
        let (id, operation) =
            (&message[..2 + usize::from(message[1])], &message[2 + usize::from(message[1])..]);
        let send = |stream: &mut TcpStream, parts: &[&[u8]]| {
            stream.write_all(&tagged(0x30, &[&[id], parts].concat()))
        };
        match operation[0] {
            0x60 => send(stream, &[&result(0x61, 0)])?,
            0x63 => {
                for reply in answer(operation) {
                    match reply {
                        Reply::Entry(dn, attributes) => send(stream, &[&entry(dn, &attributes)])?,
                        Reply::Reference => {
                            send(stream, &[&tagged(0x73, &[&text("ldap://other.example/")])])?;
                        }
                        Reply::Done(code, None) => send(stream, &[&result(0x65, code)])?,
                        Reply::Done(code, Some(cookie)) => {
                            let value = tagged(0x30, &[&[2, 1, 0], &text(cookie)]);
                            let value = tagged(4, &[&value]);
                            let control = tagged(0x30, &[&text("1.2.840.113556.1.4.319"), &value]);
                            send(stream, &[&result(0x65, code), &tagged(0xa0, &[&control])])?;
                        }
                        Reply::Noise => send(stream, &[&tagged(0x64, &[&text("x")])])?,
                        Reply::Close => return Ok(()),
                        Reply::Silence => {}
                    }
                }
            }
            _ => return Ok(()),
        }
    }
    Ok(())
}

fn read_message(stream: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut head = [0; 2];
    if stream.read_exact(&mut head).is_err() {
        return Ok(None);
    }
    let mut length = usize::from(head[1]);
    if length >= 0x80 {
        let mut bytes = vec![0; length - 0x80];
        stream.read_exact(&mut bytes)?;
        length = bytes.iter().fold(0, |value, byte| value << 8 | usize::from(*byte));
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message)?;
    Ok(Some(message))
}

fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut bytes = vec![tag, 0x82];
    bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend(content);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    tagged(4, &[text.as_bytes()])
}

fn result(tag: u8, code: u8) -> Vec<u8> {
    tagged(tag, &[&[0x0a, 1, code], &text(""), &text("")])
}

fn entry(dn: &str, attributes: &[(&str, Vec<&str>)]) -> Vec<u8> {
    let attributes: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(name, values)| {
            let values: Vec<Vec<u8>> = values.iter().map(|value| text(value)).collect();
            tagged(0x30, &[&text(name), &tagged(0x31, &[&values.concat()])])
        })
        .collect();
    tagged(0x64, &[&text(dn), &tagged(0x30, &[&attributes.concat()])])
}
