//! Files that are made for one answer: evidence packages, and comparisons of two runs. The ports through which the HTTP
//! face asks for them.

use crate::error::Result;
use crate::ids::ClientId;
pub use crate::made_file::MadeFile;
use crate::service::Download;
use crate::task::{PublishedFile, Task};
use async_trait::async_trait;

/// Makes evidence packages, and archives of single files.
#[async_trait]
pub trait EvidenceMaker: Send + Sync {
    /// The package of a task that has a result, for `client`. It is made again, because the task has new audit events,
    /// unless one was made a moment ago and is still being sent.
    ///
    /// # Errors
    /// `Unavailable` when another attempt may succeed; `Internal` when what belongs into it is damaged or gone.
    async fn package(&self, client: &ClientId, task: &Task) -> Result<MadeFile>;

    /// A zip archive of the file of a result, named `name` in it, for `client`.
    ///
    /// # Errors
    /// `Unavailable` when another attempt may succeed; `Internal` when the file is damaged or gone.
    async fn archive(&self, client: &ClientId, file: &PublishedFile, name: &str) -> Result<MadeFile>;

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

/// How two runs differ, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComparisonCounts {
    /// The columns that rows were told apart by.
    pub keys: Vec<String>,
    /// Rows that only the later run has.
    pub added: u64,
    /// Rows that only the earlier run has.
    pub removed: u64,
    /// Rows that both have, with other cells.
    pub changed: u64,
    /// Rows that both have as they are.
    pub unchanged: u64,
    /// Columns that only the later run has; they are not compared.
    pub columns_added: Vec<String>,
    /// Columns that only the earlier run has; they are not compared.
    pub columns_removed: Vec<String>,
}

/// What a comparison came to.
#[derive(Debug)]
pub struct Compared {
    /// The counts.
    pub counts: ComparisonCounts,
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
