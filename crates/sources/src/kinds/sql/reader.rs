//! The read of a query: the connection's settings, and the database that they name.

use std::time::Duration;

use sqlx::{MySql, Postgres};

use super::SqlSettings;
use super::dialect::Access;
use super::query::read;
use super::settings::System;
use crate::account::AccountSink;
use crate::named_columns::NamedColumns;
use crate::reader::{ReadError, RecordReader};
use crate::remote::RemoteReader;
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
        let total = opening.total.filter(|total| total.query.is_some()).cloned();
        RemoteReader::start(self.url.clone(), time_limit, sink, async move |feed| {
            let place = settings.place().expect("a URL of another form is a fault of the settings");
            let system = place.system;
            let (ca_file, password) = (ca_file.as_deref(), password.as_ref());
            let access = Access { settings: &settings, total: total.as_ref(), place, ca_file, password };
            match system {
                System::Postgres => read::<Postgres>(&access, feed).await,
                System::MySql => read::<MySql>(&access, feed).await,
            }
        })
    }
}
