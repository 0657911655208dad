//! What the handlers ask of the rest of the service; the binary wires it.

use async_trait::async_trait;
use muster_reports::Result;
use muster_reports::ids::ClientId;
use muster_reports::service::Download;
use muster_reports::task::Task;
use muster_wire::ReportComparison;
use std::any::Any;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Opens published files.
pub trait FileOpener: Send + Sync {
    /// The file under this stored name, for reading from its start. Called where blocking is allowed.
    ///
    /// # Errors
    /// When there is no such file or it cannot be read.
    fn open(&self, stored_name: &str) -> io::Result<File>;
}

/// A file made for answers, whole and open. Only they know it: it is gone when the last of them closes it.
#[derive(Debug, Clone)]
pub struct MadeFile {
    /// Its content; the position in it does not matter.
    pub file: Arc<File>,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
    /// The room that it takes; given back when the last answer with it is sent or given up.
    pub held: Option<Arc<dyn Any + Send + Sync>>,
}

/// Makes evidence packages.
#[async_trait]
pub trait EvidenceMaker: Send + Sync {
    /// The package of a task that has a result, for `client`. Each request gets a new one, because the task's audit
    /// events go on; a package that was made a moment ago and is still being sent is used again.
    ///
    /// # Errors
    /// `Unavailable` when another attempt may succeed; `Internal` when something that belongs in it is damaged or gone.
    async fn package(&self, client: &ClientId, task: &Task) -> Result<MadeFile>;

    /// The key that checks its signatures: PEM, with a line end.
    fn public_key_pem(&self) -> String;
}

/// What is wanted of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonForm {
    /// The counts alone.
    Counts,
    /// A CSV file.
    Csv,
    /// A page of HTML.
    Page,
}

/// The result of a comparison.
#[derive(Debug)]
pub struct Compared {
    /// The counts.
    pub counts: ReportComparison,
    /// The file, in the form that was asked for; none for counts alone.
    pub file: Option<MadeFile>,
}

/// Compares the files of two runs.
#[async_trait]
pub trait Comparer: Send + Sync {
    /// What differs between the CSV files `old` and `new`. `keys` are columns that together tell rows apart; without
    /// any, those of the report's definition are taken.
    ///
    /// # Errors
    /// `Invalid` where there are no keys, or the files are too large for it; `Unavailable` when another attempt may
    /// succeed; `Internal` when a file is damaged or gone.
    async fn compare(
        &self,
        client: &ClientId,
        old: &Download,
        new: &Download,
        keys: Vec<String>,
        form: ComparisonForm,
    ) -> Result<Compared>;

    /// What a browser may do with a page of it (the header Content-Security-Policy): nothing but show it.
    fn page_policy(&self) -> &'static str;
}

/// Whether the service can do its work now.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Succeeds when requests may be sent here.
    ///
    /// # Errors
    /// `Unavailable` with the reason: the store does not answer, or the service drains.
    async fn ready(&self) -> Result<()>;
}
