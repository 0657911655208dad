//! The collector, and what it has received.

use crate::failure::{Context, Failure, Result};
use crate::install;
use crate::workspace::Workspace;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What the collector asks for in a header. It is a secret of the service.
pub(super) const TOKEN: &str = "Bearer 7d1f0c52b6e84a3f9e2c";
/// How long something may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// A span as the collector got it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Span {
    pub(super) span: String,
    pub(super) trace: String,
    pub(super) parent: String,
    pub(super) name: String,
    /// 1 is internal, 2 a server's.
    pub(super) kind: u32,
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) attributes: Value,
    pub(super) resource: Value,
}

/// A set of metrics as the collector got it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Figures {
    pub(super) series: BTreeMap<String, f64>,
    pub(super) kinds: BTreeMap<String, String>,
}

/// A running collector; ended when dropped.
pub(super) struct Collector {
    process: Child,
    port: u16,
    folder: PathBuf,
    /// The file with the header that it asks for.
    pub(super) headers_file: PathBuf,
}

impl Collector {
    pub(super) fn start(workspace: &Workspace, folder: &Path) -> Result<Self> {
        let python = install::python_with_telemetry(workspace)?;
        let headers_file = folder.join("headers");
        let failed = || format!("{} cannot be written", headers_file.display());
        std::fs::write(&headers_file, format!("Authorization: {TOKEN}\n")).context(failed)?;
        let own = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&headers_file, own).context(failed)?;
        let log = File::create(folder.join("collector.log")).context(|| "a log cannot be made".into())?;
        let mut process = Command::new(python)
            .arg(workspace.root.join("tests/telemetry/collector.py"))
            .arg(folder)
            .args(["authorization", TOKEN])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context(|| "the collector cannot be started".into())?;
        let mut line = String::new();
        if let Some(said) = process.stdout.take() {
            BufReader::new(said).read_line(&mut line).context(|| "the collector says nothing".into())?;
        }
        let port = line.trim().parse().context(|| "the collector ended; collector.log says why".into())?;
        Ok(Self { process, port, folder: folder.to_owned(), headers_file })
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn lines(&self) -> Result<Vec<Value>> {
        let Ok(text) = std::fs::read_to_string(self.folder.join("received.jsonl")) else {
            return Ok(Vec::new());
        };
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let read = whole.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>();
        read.context(|| "what the collector wrote is not JSON".into())
    }

    /// All spans so far.
    pub(super) fn spans(&self) -> Result<Vec<Span>> {
        let spans = self.lines()?.into_iter().filter(|line| line.get("span").is_some());
        let read = spans.map(serde_json::from_value).collect::<std::result::Result<_, _>>();
        read.context(|| "a span lacks something".into())
    }

    /// The last metrics, if there are any.
    pub(super) fn figures(&self) -> Result<Option<Figures>> {
        let last = self.lines()?.into_iter().rev().find(|line| line.get("series").is_some());
        last.map(serde_json::from_value).transpose().context(|| "metrics lack something".into())
    }

    /// Every byte of every request.
    pub(super) fn bytes(&self) -> Result<Vec<u8>> {
        std::fs::read(self.folder.join("received.bin")).context(|| "nothing was received".into())
    }

    /// Waits until `find` finds something in the spans.
    pub(super) fn wait<T>(&self, what: &str, find: impl Fn(&[Span]) -> Option<T>) -> Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = find(&self.spans()?) {
                return Ok(found);
            }
            if begun.elapsed() > PATIENCE {
                return Err(Failure::new(format!("{what} has not arrived within {PATIENCE:?}")));
            }
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
