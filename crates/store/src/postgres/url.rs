//! Where a PostgreSQL database is, as a URL that never shows its password.

use muster_reports::error::{Error, Result};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
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
    /// As PostgreSQL's own programs may be told it, where other users see it: without the password.
    plain: String,
    password: Option<String>,
}

impl PostgresUrl {
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Whether the text has a password.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// The same with this password.
    #[must_use]
    pub fn with_password(&self, password: &str) -> Self {
        let options = self.options.as_ref().clone().password(password);
        Self { options: Box::new(options), password: Some(password.to_owned()), ..self.clone() }
    }

    /// Another database of the same server, in which names without a schema are of `schema`.
    ///
    /// # Errors
    /// As for a text that cannot be read.
    pub fn with_database(&self, name: &str, schema: &str) -> Result<Self> {
        let (server, query) = self.plain.split_once('?').unwrap_or((&self.plain, ""));
        let scheme = server.find("://").map_or(0, |at| at + 3);
        let end = server[scheme..].find('/').map_or(server.len(), |at| scheme + at);
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        // Within the option, a backslash keeps a space from ending it.
        let path: String = format!("\"{}\"", schema.replace('"', "\"\""))
            .chars()
            .flat_map(|c| matches!(c, ' ' | '\\').then_some('\\').into_iter().chain([c]))
            .collect();
        let option = format!("-csearch_path={path}");
        let others = query.split('&').filter(|parameter| {
            let of = |name: &str| parameter.split_once('=').is_some_and(|(is, _)| is == name);
            !parameter.is_empty() && !of("dbname") && !of("options")
        });
        let query: Vec<String> = others
            .map(str::to_owned)
            .chain([format!("options={}", utf8_percent_encode(&option, NON_ALPHANUMERIC))])
            .collect();
        let other: Self = format!("{}/{name}?{}", &server[..end], query.join("&")).parse()?;
        Ok(match &self.password {
            Some(password) => other.with_password(password),
            None => other,
        })
    }

    /// What a program of PostgreSQL is told: the URL without its password, and the password, which goes into a variable.
    pub(crate) fn for_programs(&self) -> (&str, Option<&str>) {
        (&self.plain, self.password.as_deref())
    }
}

/// The text without its password, and the password.
fn parted(text: &str) -> (String, Option<String>) {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut password = None;
    let (start, query) = text.split_once('?').map_or((text, None), |(start, query)| (start, Some(query)));
    let scheme = start.find("://").map_or(0, |at| at + 3);
    let end = start[scheme..].find('/').map_or(start.len(), |at| scheme + at);
    let mut plain = match start[scheme..end].rsplit_once('@') {
        Some((user, host)) => {
            let (user, given) =
                user.split_once(':').map_or((user, None), |(user, given)| (user, Some(given)));
            password = given.map(decoded);
            format!("{}{user}@{host}{}", &start[..scheme], &start[end..])
        }
        None => start.to_owned(),
    };
    let mut others = Vec::new();
    for parameter in query.into_iter().flat_map(|query| query.split('&')) {
        match parameter.strip_prefix("password=") {
            Some(given) => password = Some(decoded(given)),
            None => others.push(parameter),
        }
    }
    if !others.is_empty() {
        plain.push('?');
        plain.push_str(&others.join("&"));
    }
    (plain, password)
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
        let (plain, password) = parted(text);
        Ok(Self { text: text.to_owned(), options: Box::new(options), shown, plain, password })
    }
}

impl PartialEq for PostgresUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.password == other.password
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
    fn the_password_is_parted_from_what_programs_are_told() {
        for (text, plain, password) in [
            (
                "postgres://muster:s3%40ret%2f@db:6543/reports?sslmode=require&password=",
                "postgres://muster@db:6543/reports?sslmode=require",
                Some(""),
            ),
            ("postgres://m:a:b@h/d", "postgres://m@h/d", Some("a:b")),
            (
                "postgres://m@h/d?password=p%20w&options=-cx%3Dy",
                "postgres://m@h/d?options=-cx%3Dy",
                Some("p w"),
            ),
            ("postgres://h", "postgres://h", None),
            ("postgres:///d?host=/run/postgresql", "postgres:///d?host=/run/postgresql", None),
        ] {
            let url: PostgresUrl = text.parse().unwrap();
            assert_eq!(url.for_programs(), (plain, password), "{text}");
        }
        let url: PostgresUrl = "postgres://m@h/d".parse().unwrap();
        assert!(!url.has_password());
        let url = url.with_password("s3cret");
        assert_eq!(url.for_programs(), ("postgres://m@h/d", Some("s3cret")));
        assert!(!format!("{url} {url:?}").contains("s3cret"));
    }

    #[test]
    fn another_database_of_the_server_is_named() {
        let url: PostgresUrl =
            "postgres://m:p@h:6543/reports?sslmode=require&options=-csearch_path%3Done".parse().unwrap();
        let other = url.with_database("muster_1", "a b").unwrap();
        let expected =
            "postgres://m@h:6543/muster%5F1?sslmode=require&options=%2Dcsearch%5Fpath%3D%22a%5C%20b%22";
        assert_eq!(other.for_programs(), (expected, Some("p")));
        assert_eq!(other.to_string(), "postgres://m@h:6543/muster_1");
        let other = "postgres://h".parse::<PostgresUrl>().unwrap().with_database("d", "public").unwrap();
        assert_eq!(other.for_programs().0, "postgres://h/d?options=%2Dcsearch%5Fpath%3D%22public%22");
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
