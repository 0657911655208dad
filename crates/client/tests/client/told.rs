//! A service that answers each request as a test tells it to, and remembers what it was asked.

use muster_client::{Client, Configuration, Credentials};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST /reports/v1/run`, with the query.
    pub line: String,
    /// The head, one header a line, names in small letters.
    pub headers: Vec<String>,
    /// The body, if it is JSON; otherwise a text.
    pub body: Value,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let begin = format!("{name}: ");
        self.headers.iter().find_map(|header| header.strip_prefix(&begin))
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Bytes of the body after which the connection breaks.
    cut: Option<usize>,
}

pub fn status(status: u16) -> Answer {
    Answer { status, headers: Vec::new(), body: Vec::new(), cut: None }
}

pub fn answer(body: Value) -> Answer {
    bytes(body.to_string().into_bytes()).with("content-type", "application/json")
}

pub fn bytes(body: impl Into<Vec<u8>>) -> Answer {
    Answer { body: body.into(), ..status(200) }
}

impl Answer {
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub fn cut_after(self, bytes: usize) -> Self {
        Self { cut: Some(bytes), ..self }
    }
}

/// The service. It grants tokens by itself.
pub struct Service {
    pub base_url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    arrivals: mpsc::UnboundedReceiver<Asked>,
}

type Answers = dyn Fn(&Asked, usize) -> Answer + Send + Sync;

impl Service {
    /// `answers` gets each request but those for tokens, and how many there were before it.
    pub async fn start(answers: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let (log, answers): (_, Arc<Answers>) = (asked.clone(), Arc::new(answers));
        // Ends with the test's runtime.
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, answers.clone(), log.clone(), arrived.clone()));
            }
        });
        Self { base_url, asked, arrivals }
    }

    pub fn client(&self) -> Client {
        let configuration = Configuration::new(&self.base_url, Credentials::client("ada", "hush"))
            .with_retries(3, Duration::from_millis(1));
        Client::new(configuration).unwrap()
    }

    /// What was asked until now, without the requests for tokens.
    pub fn lines(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| asked.line.clone()).collect()
    }

    pub fn asked(&self, number: usize) -> Asked {
        self.asked.lock().unwrap()[number].clone()
    }

    /// The next request, tokens included, that has not been taken by this yet.
    pub async fn next(&mut self) -> Asked {
        self.arrivals.recv().await.unwrap()
    }
}

async fn serve(
    connection: TcpStream,
    answers: Arc<Answers>,
    log: Arc<Mutex<Vec<Asked>>>,
    arrived: mpsc::UnboundedSender<Asked>,
) {
    let mut connection = BufReader::new(connection);
    while let Some(asked) = read(&mut connection).await {
        let answer = if asked.line == "POST /oauth/token" {
            answer(json!({"access_token": "granted", "token_type": "bearer", "expires_in": 3600}))
        } else {
            let number = {
                let mut log = log.lock().unwrap();
                log.push(asked.clone());
                log.len() - 1
            };
            answers(&asked, number)
        };
        // The test may have seen enough.
        let _ = arrived.send(asked);
        let mut head =
            format!("HTTP/1.1 {} told\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let body = &answer.body[..answer.cut.unwrap_or(answer.body.len())];
        let sent = connection.write_all(&[head.as_bytes(), body].concat()).await;
        if sent.is_err() || connection.flush().await.is_err() || answer.cut.is_some() {
            return;
        }
    }
}

async fn read(connection: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.remove(0);
    let headers = lines.iter().filter_map(|line| line.split_once(": "));
    let headers: Vec<_> =
        headers.map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase())).collect();
    let asked = Asked { line: line.trim_end_matches(" HTTP/1.1").to_owned(), headers, body: Value::Null };
    let length = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    let text = String::from_utf8(body).unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Some(Asked { body, ..asked })
}
