//! What every kind of source gives: batches of records, rejections, and a summary at the end.

use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::total::summed::{ColumnSum, Stated, Summed};

/// Lower-case hexadecimal digits of bytes.
pub(crate) use hex::encode as hex;

/// A record of the source that could not become an account record, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// Physical line on which the record begins, counted from 1; for sources without lines the number of the record in
    /// this read.
    pub line: u64,
    /// The record's native identity where it could be read: enough not to take that account for vanished, not enough
    /// to load it. With a wrong number of fields it is what stood in the native identity's place. A record without
    /// it could be anybody's.
    pub native_identity: Option<String>,
    /// What is wrong and what was expected, for the person who mends the source; holds no cell's content.
    pub reason: String,
}

/// The next records of a source, in the source's order.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Accepted records, of [`record_schema`](crate::record_schema); may have no row when all were rejected.
    pub records: RecordBatch,
    /// Rejected records met on the way.
    pub rejections: Vec<Rejection>,
    /// Native identities of accounts that are there, in a read of changes: their records are given only where they
    /// changed.
    pub present: Vec<String>,
    /// What each accepted record adds to the sum that its owner states, with a point before the decimals; empty where no sum
    /// is stated.
    pub summed: Vec<String>,
}

/// What one read of a source came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSummary {
    /// Records seen, rejected ones included; blank lines are not records.
    pub read: u64,
    /// Records rejected. `read - rejected` rows were given in batches.
    pub rejected: u64,
    /// Rejected records whose native identity could not be read: each could be anybody's, so a read with one of them
    /// tells of nobody that the account is gone. The others have it in [`Rejection::native_identity`].
    pub rejected_without_key: u64,
    /// How many records the source itself says it holds, where it says so (a delimited file does not, a Parquet file
    /// and a SCIM service do).
    pub reported_total: Option<u64>,
    /// The sum of a column that the owner states, beside what was read, where the definition wants it (`total.sum_of`).
    pub sum: Option<ColumnSum>,
    /// What the owner states with the records, such as a trailer record; or why it is no number.
    pub(crate) stated: Option<Result<Stated, String>>,
    /// The sum of the column over all records, for `sum`.
    pub(crate) summed: Option<Summed>,
    /// The input was read to its end and did not change meanwhile. Only then may an absent account be taken
    /// for a vanished one.
    pub complete: bool,
    /// Why `complete` is false; `None` exactly when it is true.
    pub incomplete_reason: Option<String>,
    /// SHA-256 of the raw bytes read, in lower-case hex; where there are no raw bytes that two reads would share
    /// (a directory, a database), of the names and values in the order in which they came.
    pub digest_sha256: String,
    /// Raw bytes read, or those of the names and values.
    pub bytes: u64,
    /// Names of the attributes a record may have, in schema order; a listed attribute that the source lacks
    /// is not among them.
    pub schema: Vec<String>,
    /// What the reader of a report must know though nothing failed, such as a listed column that is missing.
    pub warnings: Vec<String>,
    /// Values of typed columns (`[account.columns]`, `[profile.dates]`) that could not be read: how many of each column,
    /// where the first is, and what was expected. Their records were given, without these values.
    pub refused_values: Vec<String>,
    /// The time that the data is of, where the definition says that it carries one.
    pub as_of: Option<DateTime<Utc>>,
    /// Only records that changed since the read that `cursor` came from were given, and every account that is there
    /// is among [`Batch::present`]. Otherwise every record was given.
    pub changes_only: bool,
    /// What the next read can go on from, for [`open_source_after`](crate::open_source_after); `None` where the next
    /// read must be of everything. To be kept with what was read, and only if that is kept. Holds no secret.
    pub cursor: Option<String>,
}

/// The whole source failed: nothing that was read of it may be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was being done: `open`, `read`, `examine`.
        action: &'static str,
        /// The file.
        path: String,
        /// What the file system answered.
        #[source]
        source: std::io::Error,
    },
    /// The head of the source, or what all its records share, does not fit the definition.
    #[error("{path}:{line}:{column}: {reason}")]
    Header {
        /// The file.
        path: String,
        /// Physical line, counted from 1.
        line: u64,
        /// Number of the column (field), counted from 1; 0 where the whole line is meant.
        column: u64,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A setting that a definition read from a file cannot have, for definitions made by other means.
    #[error("{path}: {reason}")]
    Settings {
        /// The file that was to be read.
        path: String,
        /// What is wrong and what was expected.
        reason: String,
    },
    /// A source that is not a file, or what opens it, could not be used.
    #[error("{place}: {reason}")]
    Remote {
        /// The server, without credentials, or the place of a secret.
        place: String,
        /// What is wrong and what was expected; holds no secret.
        reason: String,
    },
    /// Arrow refused to build a batch; a defect of the reader.
    #[error("record batch could not be built")]
    Batch(#[from] arrow::error::ArrowError),
}

/// One full read of one source, in order, with memory that does not grow with the source.
pub trait RecordReader: Send {
    /// The next records; `None` after the last.
    ///
    /// # Errors
    /// [`ReadError`] when the whole source has failed; the reader must not be used further.
    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError>;

    /// Ends the read and says what it came to. Before `next_batch` has given `None` the read is incomplete.
    ///
    /// # Errors
    /// [`ReadError`] when the source cannot be examined any more.
    fn finish(self: Box<Self>) -> Result<ReadSummary, ReadError>;
}

/// A name from outside as a message shows it: quoted, and not longer than a line, for there may be a message for each
/// record.
pub(crate) fn shown(name: &str) -> String {
    /// Most characters of a name that are shown.
    const CHARACTERS_MAX: usize = 80;
    match name.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{:?}...", &name[..end]),
        None => format!("{name:?}"),
    }
}

/// An error and its causes, in one line.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
