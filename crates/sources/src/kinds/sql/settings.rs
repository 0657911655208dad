//! What a definition says about a database.

use serde::{Deserialize, Serialize};

use crate::account::AccountSettings;
use crate::secret;
use crate::source_kind::{Fault, SourceSettings};
use crate::total::TotalPlace;

/// The `[sql]` table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlSettings {
    /// `postgres://user@host/database` or `mysql://user@host/database`, with or without a port.
    pub url: String,
    /// Uses a connection that is not secured. Only for servers on this machine.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// PEM certificates of the authorities to trust, and no others; the system's when absent.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// File that holds the password.
    #[serde(default)]
    pub password_file: Option<String>,
    /// Environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// One SELECT. Each row is an account, each column an attribute.
    pub query: String,
    /// Seconds within which the connection must stand.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout_s: u64,
    /// Seconds that the server may spend on a statement: on PostgreSQL each fetch of rows is one, on MySQL the
    /// whole query.
    #[serde(default = "default_statement_timeout")]
    pub statement_timeout_s: u32,
    /// Seconds within which the whole read must have ended.
    #[serde(default = "default_total_timeout")]
    pub total_timeout_s: u64,
    /// What the columns mean.
    pub account: AccountSettings,
}

fn default_connect_timeout() -> u64 {
    10
}

fn default_statement_timeout() -> u32 {
    300
}

fn default_total_timeout() -> u64 {
    3600
}

/// The parts of a URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) system: System,
    pub(super) user: &'a str,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Postgres,
    MySql,
}

impl SqlSettings {
    /// A query with everything else at its default.
    #[must_use]
    pub fn new(url: impl Into<String>, query: impl Into<String>, account: AccountSettings) -> Self {
        Self {
            url: url.into(),
            allow_plaintext: false,
            ca_file: None,
            password_file: None,
            password_env: None,
            query: query.into(),
            connect_timeout_s: default_connect_timeout(),
            statement_timeout_s: default_statement_timeout(),
            total_timeout_s: default_total_timeout(),
            account,
        }
    }

    /// The URL's parts, where it has the expected ones and no others.
    pub(super) fn place(&self) -> Option<Place<'_>> {
        let (scheme, rest) = self.url.split_once("://")?;
        let (system, default_port) = match scheme {
            "postgres" | "postgresql" => (System::Postgres, 5432),
            "mysql" => (System::MySql, 3306),
            _ => return None,
        };
        let (user, rest) = rest.split_once('@')?;
        let (host, database) = rest.split_once('/')?;
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !port.ends_with(']') => (host, port.parse().ok()?),
            Some(_) | None => (host, default_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_plain = |text: &str| !text.is_empty() && !text.contains([':', '/', '?', '#', '@', '%', ' ']);
        let sound =
            is_plain(user) && is_plain(database) && !host.is_empty() && !host.contains(['@', '?', '/']);
        sound.then_some(Place { system, user, host, port, database })
    }
}

impl SourceSettings for SqlSettings {
    fn counts(&self) -> &'static str {
        "row"
    }

    fn fault(&self) -> Option<Fault> {
        let fault = |key: &str, reason: &str| Some((key.to_owned(), reason.to_owned()));
        if self.place().is_none() {
            return fault(
                "url",
                "expected postgres://user@host/database or mysql://user@host/database, with or without a port and \
                 without a password",
            );
        }
        if self.query.trim().is_empty() {
            return fault("query", "must not be blank");
        }
        if self.query.trim_end().ends_with(';') {
            return fault("query", "expected one statement without a semicolon at its end");
        }
        for (key, seconds) in [
            ("connect_timeout_s", self.connect_timeout_s),
            ("statement_timeout_s", u64::from(self.statement_timeout_s)),
            ("total_timeout_s", self.total_timeout_s),
        ] {
            if seconds == 0 || seconds > 2_000_000 {
                return fault(key, "expected 1 to 2000000 seconds");
            }
        }
        secret::fault("password", self.password_file.as_ref(), self.password_env.as_ref())
            .or_else(|| self.account.fault())
    }

    fn totals(&self) -> &'static [TotalPlace] {
        &[TotalPlace::Query]
    }

    fn account(&self) -> Option<&AccountSettings> {
        Some(&self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_url() {
        let place = |url: &str| {
            let settings = SqlSettings::new(url, "SELECT 1", AccountSettings::new("id"));
            settings.place().map(|place| {
                let Place { system, user, host, port, database } = place;
                format!("{system:?} {user} {host} {port} {database}")
            })
        };
        let cases = [
            ("postgres://reader@db.example.org/hr", Some("Postgres reader db.example.org 5432 hr")),
            ("mysql://r@[::1]:3307/hr", Some("MySql r ::1 3307 hr")),
            ("mysql://r@[::1]/hr", Some("MySql r ::1 3306 hr")),
            ("postgres://reader:secret@db/hr", None),
            ("postgres://reader@db/hr?password=secret", None),
            ("postgres://db/hr", None),
            ("postgres://r@db", None),
            ("sqlite://r@db/x", None),
            ("postgres://r@db:x/hr", None),
        ];
        for (url, expected) in cases {
            assert_eq!(place(url).as_deref(), expected, "{url}");
        }
    }
}
