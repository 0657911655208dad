//! A service that answers what a test tells it, for faults that a real one cannot be asked for.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

/// Starts a service; `answer` gives status line, further headers and body for the number of a request, counted from
/// 0, and its head: the first line and the headers, one a line. Gives its URL. It ends with the process.
pub fn start<Headers: AsRef<str>>(
    answer: impl Fn(usize, &str) -> (&'static str, Headers, String) + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let (status, headers, body) = answer(number, &head.join("\n"));
            let headers = headers.as_ref();
            // A client that goes away does not matter.
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}
