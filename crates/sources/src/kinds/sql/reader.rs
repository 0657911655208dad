//! The read of a query: rows to account records.

use std::time::Duration;

use super::settings::System;
use super::{SqlSettings, mysql, postgres};
use crate::account::{AccountSink, Record};
use crate::named_columns::NamedColumns;
use crate::reader::{ReadError, RecordReader};
use crate::remote::{Feed, RemoteReader, Stop};
use crate::secret;
use crate::source_kind::{Opening, SourceKind, SourceSettings};

impl SourceKind for SqlSettings {
    /// Opens a query for one full read.
    ///
    /// # Errors
    /// The settings are faulty or the password cannot be had; all else comes with the first batch.
    fn open(&self, named: NamedColumns, opening: &Opening<'_>) -> Result<Box<dyn RecordReader>, ReadError> {
        if let Some((key, reason)) = self.fault() {
            return Err(ReadError::Settings { path: self.url.clone(), reason: format!("{key}: {reason}") });
        }
        let password = secret::read(
            "password",
            self.password_file.as_deref(),
            self.password_env.as_deref(),
            opening.base_dir,
            opening.environment,
        )?;
        let ca_file = self.ca_file.as_ref().map(|file| opening.base_dir.join(file));
        let sink = AccountSink::new(self.account.clone(), named);
        let time_limit = Duration::from_secs(self.total_timeout_s);
        let settings = self.clone();
        RemoteReader::start(self.url.clone(), time_limit, sink, async move |feed| {
            let place = settings.place().expect("a URL of another form is a fault of the settings");
            match place.system {
                System::Postgres => {
                    postgres::read(&settings, &place, ca_file.as_deref(), password.as_ref(), feed).await
                }
                System::MySql => {
                    mysql::read(&settings, &place, ca_file.as_deref(), password.as_ref(), feed).await
                }
            }
        })
    }
}

/// Nothing could be read.
pub(super) fn failed(settings: &SqlSettings, reason: String) -> Stop {
    Stop::Failed(ReadError::Remote { place: settings.url.clone(), reason })
}

/// The connection could not be made.
pub(super) fn not_connected(settings: &SqlSettings, error: &sqlx::Error) -> Stop {
    failed(settings, format!("no connection: {error}"))
}

/// The query cannot be run as it is; nothing of the data is in such a message.
pub(super) fn not_runnable(settings: &SqlSettings, error: &sqlx::Error) -> Stop {
    let reason =
        error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    failed(settings, format!("the query cannot be run: {reason}"))
}

/// Rows stopped coming.
pub(super) fn broken_off(error: &sqlx::Error) -> Stop {
    let Some(found) = error.as_database_error() else {
        return Stop::Incomplete(format!("the connection was lost: {error}"));
    };
    let code = found.code().unwrap_or_default();
    let meaning = match code.as_ref() {
        // PostgreSQL's query_canceled; MySQL's and MariaDB's time-outs of a statement.
        "57014" | "HY000" | "70100" => ", its time limit for a statement among the causes",
        _ => "",
    };
    Stop::Incomplete(format!("the server ended the query (SQLSTATE {code}{meaning})"))
}

/// Checks the columns of a query against the settings.
pub(super) fn declare(settings: &SqlSettings, sink: &mut AccountSink, names: &[String]) -> Result<(), Stop> {
    let repeated = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
    if let Some((_, name)) = repeated {
        return Err(failed(settings, format!("the query has two columns {name:?}: expected distinct names")));
    }
    sink.declare(names).map_err(|reason| failed(settings, format!("the query's columns: {reason}")))
}

/// Takes a row; one with a value that cannot be read is refused, with what names its account.
pub(super) fn take_or_refuse(record: Record, fault: Option<String>, feed: &mut Feed) -> Result<(), Stop> {
    match fault {
        None => feed.push(record),
        Some(reason) => {
            let native_identity = record.text(feed.sink.key()).map(str::to_owned);
            feed.sink.reject(0, native_identity, reason);
            Ok(())
        }
    }
}

/// A column cannot be read.
pub(super) fn unknown_type(settings: &SqlSettings, column: &str, kind: &str) -> Stop {
    let reason =
        format!("column {column:?} is of type {kind}, which has no agreed text: expected a cast to text");
    failed(settings, reason)
}
