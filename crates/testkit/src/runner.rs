//! The fake of the report runner: writes a small CSV file.

use async_trait::async_trait;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{TaskId, hex};
use muster_reports::kind::FileFormat;
use muster_reports::message::Message;
use muster_reports::ports::{ProgressCell, ReportRunner, RunOutcome};
use muster_reports::task::{Claim, PublishedFile, TaskResult};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;

/// What a run does.
#[derive(Debug, Clone)]
pub enum FakeRun {
    /// Write this many rows and leave these messages.
    Rows(u64, Vec<Message>),
    /// Report this many rows, half of those expected, then run for ever until cancelled.
    Forever(u64),
    /// Fail temporarily: another attempt may succeed.
    Unavailable(String),
    /// Fail permanently.
    Broken(String),
}

/// A runner that writes `id\n1\n2\n...` into `<task>.<epoch>.report.csv` in its folder.
#[derive(Debug)]
pub struct FakeRunner {
    dir: PathBuf,
    otherwise: FakeRun,
    told: Mutex<HashMap<TaskId, Vec<FakeRun>>>,
}

impl FakeRunner {
    /// A runner in the folder `dir`. Runs do `otherwise` unless a task has orders of its own.
    pub fn new(dir: impl Into<PathBuf>, otherwise: FakeRun) -> Self {
        Self { dir: dir.into(), otherwise, told: Mutex::default() }
    }

    /// Makes the attempts of `task` do `runs`, one after another. Later attempts do the default.
    pub fn tell(&self, task: TaskId, mut runs: Vec<FakeRun>) {
        runs.reverse();
        self.told.lock().expect("no holder of the orders panics").insert(task, runs);
    }
}

#[async_trait]
impl ReportRunner for FakeRunner {
    async fn run(&self, claim: &Claim, progress: &ProgressCell) -> Result<RunOutcome> {
        let told = self
            .told
            .lock()
            .expect("no holder of the orders panics")
            .get_mut(&claim.task.id)
            .and_then(Vec::pop);
        match told.unwrap_or_else(|| self.otherwise.clone()) {
            FakeRun::Rows(rows, messages) => {
                progress.expect(rows);
                let mut text = String::from("id\n");
                for row in 1..=rows {
                    text.push_str(&format!("{row}\n"));
                }
                progress.add(rows);
                let stored_name = format!("{}.{}.report.csv", claim.task.id, claim.lease.epoch);
                std::fs::write(self.dir.join(&stored_name), &text)
                    .map_err(|error| Error::internal("the result file could not be written", error))?;
                let file = PublishedFile {
                    format: FileFormat::Csv,
                    stored_name,
                    media_type: "application/csv".into(),
                    extension: "csv".into(),
                    bytes: text.len() as u64,
                    rows,
                    sha256: hex(Sha256::digest(text.as_bytes())),
                };
                let cover = format!("{{\"taskId\":\"{}\",\"rows\":{rows}}}", claim.task.id);
                Ok(RunOutcome { result: TaskResult { rows, files: vec![file], cover }, messages })
            }
            FakeRun::Forever(rows) => {
                progress.expect(rows * 2);
                progress.add(rows);
                std::future::pending().await
            }
            FakeRun::Unavailable(text) => Err(Error::unavailable(text)),
            FakeRun::Broken(text) => Err(Error::internal(text, "told to break")),
        }
    }
}
