//! The service's HTTP API, as any client sees it.

use crate::failure::Failure;
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Why a call failed.
#[derive(Debug)]
pub enum Trouble {
    /// No complete answer arrived: the server is not there, or ended in the middle.
    Broken(String),
    /// An answer arrived that the contract does not allow.
    Wrong(String),
}

/// The result of a call.
pub type Called<T> = Result<T, Trouble>;

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Broken(text) | Trouble::Wrong(text) => Self::new(text),
        }
    }
}

/// A client id and its secret.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Client id.
    pub id: String,
    /// Client secret.
    pub secret: String,
}

/// A report to start: its kind and its arguments.
#[derive(Debug, Clone)]
pub struct Report {
    /// The published kind.
    pub kind: &'static str,
    /// The `arguments` object.
    pub arguments: Value,
}

/// The result of a task, from get-report-result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskOutcome {
    /// SUCCESS, WARNING, FAILURE or TERMINATED.
    pub status: String,
    /// Rows of the file.
    pub rows: u64,
}

impl TaskOutcome {
    /// Whether there is a file.
    pub fn has_file(&self) -> bool {
        matches!(self.status.as_str(), "SUCCESS" | "WARNING")
    }
}

/// An answer: the status and the complete body.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body. If it had not been complete, there would be no answer.
    pub body: Vec<u8>,
}

/// One client with a token.
#[derive(Debug, Clone)]
pub struct Api {
    origin: String,
    token: String,
    agent: ureq::Agent,
}

/// No request to a server on this machine takes longer, not even a large download.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Connections that are kept for the next request.
const IDLE_MAX: usize = 64;

fn agent() -> ureq::Agent {
    // A proxy in the environment is for other machines.
    let config =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).proxy(None);
    // As many as there are clients in a race, so that ports do not run out.
    let config = config.max_idle_connections(IDLE_MAX).max_idle_connections_per_host(IDLE_MAX);
    config.build().into()
}

/// Whether a server at this base URL says that it is ready.
pub fn is_ready(base: &str) -> bool {
    agent().get(format!("{base}/health/ready")).call().is_ok_and(|answer| answer.status().as_u16() == 200)
}

impl Api {
    /// Gets a token.
    pub fn connect(base: &str, credentials: &Credentials) -> Called<Self> {
        let agent = agent();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", credentials.id.as_str()),
            ("client_secret", credentials.secret.as_str()),
        ];
        let answer = read("the token", agent.post(format!("{base}/oauth/token")).send_form(form))?;
        let body = answer.expect_json(200, "the token")?;
        let token =
            body["access_token"].as_str().ok_or_else(|| wrong("the token's answer has no access_token"))?;
        Ok(Self { origin: base.to_owned(), token: format!("Bearer {token}"), agent })
    }

    /// The value of its `Authorization` header.
    pub fn bearer(&self) -> &str {
        &self.token
    }

    /// Starts a report; the task result id.
    pub fn start(&self, report: &Report) -> Called<String> {
        id_of(&self.run(report)?.expect_json(200, report.kind)?)
    }

    /// The answer to a start, whatever it is.
    pub fn run(&self, report: &Report) -> Called<Answer> {
        let body = json!({"reportType": report.kind, "arguments": report.arguments});
        let request = self.agent.post(self.published("run")).header("Authorization", &self.token);
        read(report.kind, request.send_json(body))
    }

    /// Starts a report in the trace of this `traceparent`; the task result id.
    pub fn start_within(&self, report: &Report, parent: &str) -> Called<String> {
        let body = json!({"reportType": report.kind, "arguments": report.arguments});
        let request = self.agent.post(self.published("run")).header("Authorization", &self.token);
        let answer = read(report.kind, request.header("traceparent", parent).send_json(body))?;
        id_of(&answer.expect_json(200, report.kind)?)
    }

    /// Starts a report by the id of its definition; the task result id.
    pub fn start_defined(&self, report: &str) -> Called<String> {
        let request = self.agent.post(self.ours(&format!("reports/{report}/run")));
        let answer = read(report, request.header("Authorization", &self.token).send_json(json!({})))?;
        id_of(&answer.expect_json(200, report)?)
    }

    /// The same, and a webhook is told how it ends.
    pub fn start_notified(&self, report: &str, webhook: &str) -> Called<String> {
        let request = self.agent.post(self.ours(&format!("reports/{report}/run")));
        let body = json!({"notify": [{"webhook": webhook}]});
        let answer = read(report, request.header("Authorization", &self.token).send_json(body))?;
        id_of(&answer.expect_json(200, report)?)
    }

    /// The answer to get-report-result, whatever it is.
    pub fn result(&self, id: &str) -> Called<Answer> {
        self.get(&format!("{id}/result"))
    }

    /// The whole task, from our own route: the published result does not say when the task completed.
    pub fn task(&self, id: &str) -> Called<Value> {
        self.get_ours(&format!("reports/{id}/result"))?.expect_json(200, "the task")
    }

    /// The outcome of a task; `None` while it runs.
    ///
    /// An id that the service does not know is a failure; the service answers `{}` then.
    pub fn outcome(&self, id: &str) -> Called<Option<TaskOutcome>> {
        let body = self.result(id)?.expect_json(200, "the result")?;
        if body["id"] != json!(id) {
            return Err(wrong(format!("the service does not know task {id}: its result is {body}")));
        }
        Ok(body["status"].as_str().map(|status| TaskOutcome {
            status: status.to_owned(),
            rows: body["rows"].as_u64().unwrap_or(0),
        }))
    }

    /// The outcome of a task, once it has one.
    pub fn ended(&self, id: &str, patience: Duration) -> Result<TaskOutcome, Failure> {
        let begun = Instant::now();
        loop {
            if let Some(outcome) = self.outcome(id)? {
                return Ok(outcome);
            }
            if begun.elapsed() > patience {
                return Err(Failure::new(format!("task {id} has not ended within {patience:?}")));
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// The CSV file of a task, or the error's answer.
    pub fn csv(&self, id: &str) -> Called<Answer> {
        self.get(&format!("{id}?fileFormat=csv"))
    }

    /// The CSV file of a task, with `auditable=true`.
    pub fn audited_csv(&self, id: &str) -> Called<Answer> {
        self.get(&format!("{id}?fileFormat=csv&auditable=true"))
    }

    /// The same in the trace of this `traceparent`.
    pub fn audited_csv_within(&self, id: &str, parent: &str) -> Called<Answer> {
        let path = format!("{id}?fileFormat=csv&auditable=true");
        read(&path, self.getting(&path).header("traceparent", parent).call())
    }

    /// The file of a task in this format, or the error's answer.
    pub fn file(&self, id: &str, format: &str) -> Called<Answer> {
        self.get_ours(&format!("reports/{id}/files/{format}"))
    }

    /// The evidence package of a task, or the error's answer.
    pub fn evidence(&self, id: &str) -> Called<Answer> {
        self.get_ours(&format!("reports/{id}/evidence"))
    }

    /// The key that evidence packages are checked with, or the error's answer.
    pub fn evidence_key(&self) -> Called<Answer> {
        self.get_ours("evidence-key")
    }

    /// A page of a search, of at most so many documents.
    pub fn search(&self, search: &Value, limit: usize) -> Called<Value> {
        let request = self.agent.post(format!("{}/v2024/search?limit={limit}", self.origin));
        let answer = read("the search", request.header("Authorization", &self.token).send_json(search))?;
        answer.expect_json(200, "the search")
    }

    /// Cancels a task; the HTTP status.
    pub fn cancel(&self, id: &str) -> Called<u16> {
        Ok(self.cancel_answer(id)?.status)
    }

    /// The answer to a cancel, whatever it is.
    pub fn cancel_answer(&self, id: &str) -> Called<Answer> {
        let request =
            self.agent.post(self.published(&format!("{id}/cancel"))).header("Authorization", &self.token);
        read("cancel", request.send_empty())
    }

    fn get(&self, path: &str) -> Called<Answer> {
        read(path, self.getting(path).call())
    }

    fn getting(&self, path: &str) -> ureq::RequestBuilder<ureq::typestate::WithoutBody> {
        self.agent.get(self.published(path)).header("Authorization", &self.token)
    }

    fn get_ours(&self, path: &str) -> Called<Answer> {
        read(path, self.agent.get(self.ours(path)).header("Authorization", &self.token).call())
    }

    /// The address of an operation of our own.
    fn ours(&self, path: &str) -> String {
        format!("{}/muster/v1/{path}", self.origin)
    }

    /// The address of a published operation.
    fn published(&self, path: &str) -> String {
        format!("{}/v2024/reports/{path}", self.origin)
    }
}

impl Answer {
    fn expect_json(&self, status: u16, what: &str) -> Called<Value> {
        let text = String::from_utf8_lossy(&self.body);
        if self.status != status {
            return Err(wrong(format!("{what}: answer {} instead of {status}: {text}", self.status)));
        }
        serde_json::from_str(&text).map_err(|error| wrong(format!("{what}: the answer is not JSON: {error}")))
    }
}

/// The id of a started task.
fn id_of(started: &Value) -> Called<String> {
    Ok(started["id"].as_str().ok_or_else(|| wrong("a started task has no id"))?.to_owned())
}

/// The body as JSON, if it is JSON.
pub fn json(answer: &Answer) -> Option<Value> {
    serde_json::from_slice(&answer.body).ok()
}

fn wrong(text: impl Into<String>) -> Trouble {
    Trouble::Wrong(text.into())
}

/// The complete answer; an error if the connection ended before it.
fn read(what: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Called<Answer> {
    let whole = || {
        let mut answer = answer?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(u64::MAX).read_to_vec()?;
        Ok(Answer { status, body })
    };
    whole().map_err(|error: ureq::Error| Trouble::Broken(format!("{what}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// Serves one connection with these bytes and closes it.
    fn served(answer: &'static [u8]) -> Called<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let server = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("the client connects");
            let mut request = [0; 1_024];
            let read = connection.read(&mut request).expect("the client sends");
            assert!(read > 0, "a request came");
            connection.write_all(answer).expect("the client reads");
        });
        let called = read("test", agent().get(format!("http://{address}/")).call());
        server.join().expect("the server ends");
        called
    }

    /// The kills rely on this: half a body is never taken for a body.
    #[test]
    fn a_body_cut_off_is_no_answer() {
        let whole = served(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd");
        assert_eq!(whole.expect("it is whole").body, b"abcd");
        let cut: [&'static [u8]; 3] = [
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Le",
        ];
        for answer in cut {
            let called = served(answer);
            assert!(matches!(called, Err(Trouble::Broken(_))), "{called:?}");
        }
    }
}
