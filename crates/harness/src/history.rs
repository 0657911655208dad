//! A history: the requests of clients, their answers, and what the database had at certain moments.
//!
//! Why: every part makes histories, and `rules.rs` checks them against the ten rules, so no part has its own idea of what
//! is right. A history is plain data. Its moments are numbers of one counter, so "before" means that one thing had ended
//! when the other began.

use crate::api::{self, Answer, Api, Called, Report, Trouble};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a client requested. Tasks are named by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Start the report with this key. Starts with the same key must become the same task.
    Start(String),
    /// The state of a task.
    Poll(String),
    /// Cancel a task.
    Cancel(String),
    /// The file of a task.
    Download {
        /// The task.
        task: String,
        /// With `auditable=true`.
        audited: bool,
    },
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// No complete answer arrived.
    Lost,
    /// A start was accepted with this id.
    Accepted(String),
    /// The task is known and has not ended.
    Live,
    /// The task has ended: SUCCESS, WARNING, FAILURE or TERMINATED.
    Ended(String),
    /// The task is not known (an empty result, or a 404 to a cancel).
    Unknown,
    /// 204 to a cancel.
    Cancelled,
    /// 400 to a cancel: it had ended.
    TooLate,
    /// A complete file with this SHA-256.
    File(String),
    /// 404 to a download.
    NoFile,
    /// 5xx with the contract's body.
    Failed(u16),
    /// 401, 403 or 429.
    Refused(u16),
    /// Anything that the contract does not allow.
    Wrong(String),
}

/// One call of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The caller's tenant.
    pub tenant: String,
    /// When it was sent.
    pub begun: u64,
    /// When its answer had arrived.
    pub ended: u64,
    /// The request.
    pub request: Request,
    /// The answer.
    pub reply: Reply,
}

/// A published file: what its record says, and what the folder has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Name in the folder of results: `<task>.<epoch>.<rest>`.
    pub name: String,
    /// The SHA-256 in the record.
    pub sha256: String,
    /// The SHA-256 of the file; `None` if there is no file, or if files were not read.
    pub found: Option<String>,
}

/// A task's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// Its id.
    pub task: String,
    /// Its tenant.
    pub tenant: String,
    /// Its de-duplication key, as the service made it.
    pub key: String,
    /// `pending`, `running`, `succeeded`, `warned`, `failed` or `terminated`.
    pub state: String,
    /// Fencing number.
    pub epoch: u64,
    /// When it was created, in microseconds.
    pub created: i64,
    /// When it completed, in microseconds.
    pub completed: Option<i64>,
    /// Published files.
    pub files: Vec<StoredFile>,
}

/// What the service did when the database was inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The service was running.
    Running,
    /// The process that had worked was dead, and no other had been started.
    Dead,
    /// The service was running, every task had been given time to end, and files were read.
    Settled,
}

/// What the database had at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// When the inspection began.
    pub begun: u64,
    /// When the inspection ended.
    pub ended: u64,
    /// What the service did.
    pub phase: Phase,
    /// Every task since the history began.
    pub rows: Vec<TaskRow>,
    /// Audited downloads by task.
    pub downloads: Vec<(String, u64)>,
}

/// A history that clients add to, and its counter.
#[derive(Debug, Default)]
pub struct History {
    moment: AtomicU64,
    recorded: Mutex<Recorded>,
}

/// What was recorded.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Calls, in the order of their ends.
    pub calls: Vec<Call>,
    /// Inspections, in order.
    pub inspections: Vec<Inspection>,
}

impl History {
    /// Continues after what another history recorded.
    pub fn after(recorded: Recorded) -> Self {
        let calls = recorded.calls.iter().map(|call| call.ended);
        let last = calls.chain(recorded.inspections.iter().map(|inspection| inspection.ended)).max();
        Self { moment: AtomicU64::new(last.map_or(0, |last| last + 1)), recorded: Mutex::new(recorded) }
    }

    /// The next moment.
    pub fn moment(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an inspection.
    pub fn add_inspection(&self, inspection: Inspection) {
        self.lock().inspections.push(inspection);
    }

    /// What was recorded so far.
    pub fn recorded(&self) -> Recorded {
        self.lock().clone()
    }

    fn record(&self, tenant: &str, begun: u64, request: Request, reply: Reply) -> Reply {
        let ended = self.moment();
        self.lock().calls.push(Call { tenant: tenant.into(), begun, ended, request, reply: reply.clone() });
        reply
    }
}

/// A client whose calls are recorded.
#[derive(Debug, Clone)]
pub struct RecordingClient<'a> {
    history: &'a History,
    api: Api,
    tenant: &'a str,
}

impl<'a> RecordingClient<'a> {
    /// Records the calls of `api`, whose credentials belong to `tenant`.
    pub fn new(history: &'a History, api: Api, tenant: &'a str) -> Self {
        Self { history, api, tenant }
    }

    fn call(
        &self,
        request: Request,
        send: impl FnOnce(&Api) -> Called<Answer>,
        read: fn(&Answer) -> Reply,
    ) -> Reply {
        let begun = self.history.moment();
        let reply = match send(&self.api) {
            Err(Trouble::Broken(_)) => Reply::Lost,
            Err(Trouble::Wrong(text)) => Reply::Wrong(text),
            Ok(answer) => common(&answer).unwrap_or_else(|| read(&answer)),
        };
        self.history.record(self.tenant, begun, request, reply)
    }

    /// Starts a report.
    pub fn start(&self, report: &Report) -> Reply {
        let key = format!("{} {}", report.kind, report.arguments);
        self.call(
            Request::Start(key),
            |api| api.run(report),
            |answer| match api::json(answer) {
                Some(body) if answer.status == 200 && body["id"].is_string() => {
                    Reply::Accepted(body["id"].as_str().unwrap_or_default().into())
                }
                _ => unexpected(answer),
            },
        )
    }

    /// Asks for the state of a task.
    pub fn poll(&self, task: &str) -> Reply {
        self.call(
            Request::Poll(task.into()),
            |api| api.result(task),
            |answer| match api::json(answer) {
                Some(body) if answer.status == 200 => match (body["id"].as_str(), body["status"].as_str()) {
                    (None, _) => Reply::Unknown,
                    (Some(_), None) => Reply::Live,
                    (Some(_), Some(status)) => Reply::Ended(status.into()),
                },
                _ => unexpected(answer),
            },
        )
    }

    /// Cancels a task.
    pub fn cancel(&self, task: &str) -> Reply {
        let read = |answer: &Answer| match answer.status {
            204 => Reply::Cancelled,
            400 => Reply::TooLate,
            404 => Reply::Unknown,
            _ => unexpected(answer),
        };
        self.call(Request::Cancel(task.into()), |api| api.cancel_answer(task), read)
    }

    /// Fetches the CSV file of a task.
    pub fn download(&self, task: &str, audited: bool) -> Reply {
        let read = |answer: &Answer| match answer.status {
            200 => Reply::File(hex(&Sha256::digest(&answer.body))),
            404 => Reply::NoFile,
            _ => unexpected(answer),
        };
        let request = Request::Download { task: task.into(), audited };
        self.call(request, |api| if audited { api.audited_csv(task) } else { api.csv(task) }, read)
    }
}

/// The reply for answers that mean the same for every request.
fn common(answer: &Answer) -> Option<Reply> {
    match answer.status {
        401 | 403 | 429 => Some(Reply::Refused(answer.status)),
        500..=599 => {
            let body = api::json(answer).unwrap_or_default();
            let clean = body["trackingId"].is_string() && body["detailCode"].is_string();
            Some(if clean { Reply::Failed(answer.status) } else { unexpected(answer) })
        }
        _ => None,
    }
}

fn unexpected(answer: &Answer) -> Reply {
    let text = String::from_utf8_lossy(&answer.body);
    Reply::Wrong(format!("{} {}", answer.status, text.chars().take(200).collect::<String>()))
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
