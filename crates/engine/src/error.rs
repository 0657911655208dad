//! Failures of the engine, and what they mean to its callers.

use crate::digests::Damage;
use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;
use muster_reports::error::Error as ReportsError;

/// A failure of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A plan could not be made or run.
    #[error("the plan {step:?} failed")]
    Plan {
        /// Which plan.
        step: String,
        /// Why.
        #[source]
        source: Box<DataFusionError>,
    },
    /// A table could not be read or written.
    #[error("table {table:?} could not be {action}")]
    Table {
        /// Which table.
        table: String,
        /// `opened`, `written`.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// A file of the work folder could not be written.
    #[error("{what} failed")]
    Io {
        /// What was being done.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Record batches or Parquet files that do not fit.
    #[error("{what} failed")]
    Data {
        /// What was being done.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A table is not what was written.
    #[error("table {:?} of snapshot {snapshot} is damaged: {}", .damage.table, .damage.fault)]
    Damaged {
        /// The snapshot.
        snapshot: String,
        /// What is wrong.
        damage: Damage,
    },
    /// A refresh cannot go on from the last snapshot; the text says what to do.
    #[error("{0}")]
    Unrecoverable(String),
    /// Rows that are not in the order that they must have.
    #[error("{0}")]
    Disorder(String),
    /// The definition or the arguments ask for what the snapshot does not have.
    #[error("{0}")]
    Invalid(String),
    /// The memory limit does not suffice; the same plan may pass when others have ended.
    #[error("the plan {step:?} needs more memory than engine.memory_limit allows")]
    OutOfMemory {
        /// Which plan.
        step: String,
        /// What the pool said.
        #[source]
        source: Box<DataFusionError>,
    },
    /// A task of the engine's own runtime ended without an answer.
    #[error("the engine stopped while working")]
    Stopped,
}

impl EngineError {
    /// A failed plan, told apart from one that ran out of memory.
    pub(crate) fn plan(step: &str, source: DataFusionError) -> Self {
        if let DataFusionError::ResourcesExhausted(_) = source.find_root() {
            return Self::OutOfMemory { step: step.to_owned(), source: Box::new(source) };
        }
        Self::Plan { step: step.to_owned(), source: Box::new(source) }
    }

    pub(crate) fn table(table: &str, action: &'static str, source: DeltaTableError) -> Self {
        Self::Table { table: table.to_owned(), action, source: Box::new(source) }
    }

    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    pub(crate) fn data(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Data { what: what.into(), source: source.into() }
    }
}

impl From<EngineError> for ReportsError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Invalid(message) | EngineError::Unrecoverable(message) => Self::invalid(message),
            EngineError::Disorder(message) => {
                Self::internal(format!("{message}: nothing is published"), "the order of rows was not kept")
            }
            EngineError::OutOfMemory { .. } => {
                let mut unavailable = Self::unavailable(error.to_string());
                unavailable.source = Some(Box::new(error));
                unavailable
            }
            EngineError::Damaged { .. } => Self::internal(
                "a table of the snapshot is damaged: `muster check` lists what is, and `muster refresh` makes again what \
                 can be made",
                error,
            ),
            EngineError::Plan { .. }
            | EngineError::Table { .. }
            | EngineError::Io { .. }
            | EngineError::Data { .. }
            | EngineError::Stopped => Self::internal("the report's data could not be read", error),
        }
    }
}

/// The crate's result.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;
