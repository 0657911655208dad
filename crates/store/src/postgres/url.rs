//! Where a PostgreSQL database is, as a URL that never shows its password.

use muster_reports::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::str::FromStr;

/// Parameters that the URL may have; others are refused, because a mistyped one could be a password.
const PARAMETERS: [&str; 11] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
];

/// A checked `postgres://user:password@host:port/database?sslmode=verify-full`.
///
/// What it does not name is taken from the variables and the password file that PostgreSQL's own
/// programs use (`PGHOST`, `PGPASSWORD`, `~/.pgpass`). Shown without password, in errors and logs too.
#[derive(Clone)]
pub struct PostgresUrl {
    /// As it was given, password and all.
    text: String,
    options: Box<PgConnectOptions>,
    shown: String,
}

impl PostgresUrl {
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

impl FromStr for PostgresUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const EXPECTED: &str = "expected postgres://user:password@host:port/database";
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(Error::invalid(format!(
                "the text is not the URL of a PostgreSQL database: {EXPECTED}"
            )));
        }
        let query = text.split_once('?').map_or("", |(_, query)| query);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
            if !PARAMETERS.contains(&name) {
                let known = PARAMETERS.join(", ");
                return Err(Error::invalid(format!(
                    "the URL of a PostgreSQL database has a parameter that is not known: \
                     expected only {known}"
                )));
            }
        }
        // The parser's own words may quote parts of the URL.
        let options = PgConnectOptions::from_str(text).map_err(|_| {
            Error::invalid(format!("the URL of a PostgreSQL database cannot be read: {EXPECTED}"))
        })?;
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let database = options.get_database().unwrap_or(options.get_username());
        let shown = format!("postgres://{}@{host}:{}/{database}", options.get_username(), options.get_port());
        Ok(Self { text: text.to_owned(), options: Box::new(options), shown })
    }
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PostgresUrl {}

/// As it may be shown.
impl Serialize for PostgresUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PostgresUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let text = "postgres://muster:s3cret%20word@db.example:6543/reports?sslmode=verify-full";
        let url: PostgresUrl = text.parse().unwrap();
        assert_eq!(url.to_string(), "postgres://muster@db.example:6543/reports");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert_eq!(serde_json::to_string(&url).unwrap(), format!("\"{url}\""));
        let url: PostgresUrl = "postgres://m@h/d?password=s3cret".parse().unwrap();
        assert!(!format!("{url} {url:?}").contains("s3cret"));
    }

    #[test]
    fn errors_quote_nothing_of_a_wrong_url() {
        for wrong in [
            "mysql://muster:s3cret@db/reports",
            "postgres://muster:s3cret@db:port/reports",
            "postgres://muster:s3cret@[/reports",
            "postgres://muster@db/reports?pasword=s3cret",
            "postgres://muster@db/reports?s3cret",
            "postgres://muster:s3cret@db/reports?sslmode=perhaps",
            "s3cret",
        ] {
            let error = wrong.parse::<PostgresUrl>().unwrap_err();
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
            assert!(error.message.contains("expected"), "{}", error.message);
        }
    }
}
