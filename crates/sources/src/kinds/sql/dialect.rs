//! What differs between the databases that a query can be read from.

use std::path::Path;

use sqlx::{Connection, Database};

use super::SqlSettings;
use super::settings::Place;
use super::values::Form;
use crate::secret::Secret;
use crate::total::TotalDefinition;

/// With what a connection is opened.
pub(super) struct Access<'a> {
    pub(super) settings: &'a SqlSettings,
    /// The owner's total, where a query gives it.
    pub(super) total: Option<&'a TotalDefinition>,
    pub(super) place: Place<'a>,
    pub(super) ca_file: Option<&'a Path>,
    pub(super) password: Option<&'a Secret>,
}

/// A database as queries are read from it.
pub(super) trait Dialect: Database {
    /// Whether closing a connection first reads the rest of a query that was left early.
    const CLOSING_READS_ON: bool;

    /// How the server is reached.
    fn options(access: &Access<'_>) -> <Self::Connection as Connection>::Options;

    /// Begins a transaction that cannot write and sees one state of the database, in which a statement may take
    /// `time_limit_s` and values have one form; gives what the reader of a report must know of it.
    async fn begin(
        connection: &mut Self::Connection,
        time_limit_s: u32,
    ) -> Result<Option<&'static str>, sqlx::Error>;

    /// Declares a cursor over the query, and gives the statement that fetches its next `rows`; `None` where a query is
    /// run as it is, and its rows are read as they come.
    async fn declare_cursor(
        connection: &mut Self::Connection,
        query: &str,
        rows: usize,
    ) -> Result<Option<String>, sqlx::Error>;

    /// Closes the cursor, so that another one can be declared.
    async fn close_cursor(connection: &mut Self::Connection) -> Result<(), sqlx::Error>;

    /// How values of a type are read, and whether they are arrays; `None` for types without an agreed text.
    fn form(kind: &Self::TypeInfo) -> Option<(Form, bool)>;

    /// The text that the server gave for a value which is not null.
    ///
    /// # Errors
    /// What the column is instead, for values that are no text.
    fn text<'r>(value: Self::ValueRef<'r>) -> Result<&'r str, &'static str>;
}
