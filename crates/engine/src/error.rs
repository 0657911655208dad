//! Errors of the engine, and what callers are told about them.

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;
use muster_reports::error::Error as ReportsError;

/// Damage to a table of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The table.
    pub table: String,
    /// The file and its fault.
    pub fault: String,
}

/// A failure of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A plan could not be made or run.
    #[error("the plan {step:?} failed")]
    Plan {
        /// Name of the plan.
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
        /// The action that failed.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Record batches or Parquet files that do not have the expected form.
    #[error("{what} failed")]
    Data {
        /// The action that failed.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A table differs from what was written.
    #[error("table {:?} of snapshot {snapshot} is damaged: {}", .damage.table, .damage.fault)]
    Damaged {
        /// The snapshot.
        snapshot: String,
        /// What is wrong.
        damage: Damage,
    },
    /// A refresh cannot use the last snapshot. The text says what to do.
    #[error("{0}")]
    Unrecoverable(String),
    /// Rows are not in the required order.
    #[error("{0}")]
    Disorder(String),
    /// The definition or the arguments ask for something that the snapshot does not have.
    #[error("{0}")]
    Invalid(String),
    /// The memory limit is too low for the plan. The plan may succeed when other plans have ended.
    #[error("the plan {step:?} needs more memory than engine.memory_limit allows")]
    OutOfMemory {
        /// Which plan.
        step: String,
        /// The error of the memory pool.
        #[source]
        source: Box<DataFusionError>,
    },
    /// A task on the engine's runtime ended without a result.
    #[error("the engine stopped while working")]
    Stopped,
}

impl EngineError {
    /// The error of a failed plan. Running out of memory has a variant of its own.
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
            EngineError::Plan { ref step, ref source } => match for_its_author(source) {
                Some(QueryFault { reason, is_of_values }) => {
                    let mut invalid =
                        Self::invalid(format!("the query {step:?} of the report failed: {reason}"));
                    // The text of the cause may have a value of a row, which the log must not have.
                    invalid.source = (!is_of_values).then(|| Box::new(error) as _);
                    invalid
                }
                None => Self::internal("the report's data could not be read", error),
            },
            EngineError::Table { .. }
            | EngineError::Io { .. }
            | EngineError::Data { .. }
            | EngineError::Stopped => Self::internal("the report's data could not be read", error),
        }
    }
}

/// Why a query failed through its author's fault.
struct QueryFault {
    /// For the author, without a value of a row.
    reason: String,
    /// Whether a row was read, so that the engine's own text may have one of its values.
    is_of_values: bool,
}

/// What the author of a query may be told about its failure: errors in the query itself in full, but never a value of a
/// row, because the author may not be allowed to see it. `None` if the query is not the cause.
fn for_its_author(error: &DataFusionError) -> Option<QueryFault> {
    use ArrowError::{
        ArithmeticOverflow, CastError, ComputeError, DivideByZero, InvalidArgumentError, ParseError,
    };
    use DataFusionError::{Execution, NotImplemented, Plan, SQL, SchemaError};
    let root = error.find_root();
    // These errors are found before a row is read.
    if matches!(root, SQL(..) | Plan(_) | SchemaError(..) | NotImplemented(_)) {
        return Some(QueryFault { reason: root.strip_backtrace(), is_of_values: false });
    }
    let of_values = if let DataFusionError::ArrowError(error, _) = root { Some(&**error) } else { None };
    let reason = if let Some(DivideByZero) = of_values {
        "a number is divided by zero"
    } else if let Some(ArithmeticOverflow(_)) = of_values {
        "a number is too large for its type"
    } else if let Some(CastError(_) | ParseError(_)) = of_values {
        "a value cannot be converted to the type that the query asks for"
    } else if matches!(root, Execution(_))
        || matches!(of_values, Some(ComputeError(_) | InvalidArgumentError(_)))
    {
        "a value does not fit what is done with it"
    } else {
        return None;
    };
    Some(QueryFault { reason: reason.to_owned(), is_of_values: true })
}

/// The crate's result.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;
    use muster_reports::error::error_chain;

    fn told(error: DataFusionError) -> String {
        ReportsError::from(EngineError::plan("population", error)).message
    }

    fn logged(error: DataFusionError) -> String {
        error_chain(&ReportsError::from(EngineError::plan("population", error)))
    }

    #[test]
    fn the_author_of_a_query_and_the_log_are_told_its_fault_and_no_value() {
        let unknown = || DataFusionError::Plan("table 'peeple' not found".into()).context("planning");
        assert!(logged(unknown()).contains("planning"), "the log has the chain of causes");
        let text = told(unknown());
        assert!(text.starts_with("the query \"population\" of the report failed: "), "{text}");
        assert!(text.contains("table 'peeple' not found"), "{text}");
        let values = || {
            [
                ArrowError::CastError("Cannot cast string 'Lovelace' to value of Int64 type".into()).into(),
                ArrowError::ParseError("Error parsing timestamp from 'Lovelace'".into()).into(),
                DataFusionError::Execution("no function for Lovelace".into()),
                DataFusionError::from(ArrowError::ComputeError("Lovelace".into())).context("filter"),
            ]
        };
        for text in values().map(told).into_iter().chain(values().map(logged)) {
            assert!(text.contains("a value ") && !text.contains("Lovelace"), "{text}");
        }
        assert!(told(ArrowError::DivideByZero.into()).contains("divided by zero"));
        // A disk that cannot be read is not an error of the query.
        let broken = DataFusionError::IoError(std::io::Error::other("disk"));
        assert_eq!(told(broken), "the report's data could not be read");
    }
}
