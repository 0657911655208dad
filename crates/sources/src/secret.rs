//! Passwords and tokens: where a definition says they are, and a holder that shows them to nobody.
//!
//! A definition never holds a secret, only the name of a file or of an environment variable, so definitions may
//! be shown, stored and compared. [`Secret`] prints as a placeholder, so that no log line or error can hold one.

use std::fmt;
use std::path::Path;

use crate::reader::ReadError;

/// Looks an environment variable up; given by the caller, for only the wiring reads the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A secret in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

impl Secret {
    /// Takes a secret in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// A text of the other side, in which the secret is not shown, for careless servers repeat what they were told.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "[secret]") }
    }

    /// The secret itself, for the protocol that needs it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

/// Reads the secret that a definition names; `None` when it names neither a file nor a variable.
///
/// A relative file is taken from `base_dir`; one line end at its end is not part of the secret.
///
/// # Errors
/// The file cannot be read, the variable is not set, or what they hold is empty or more than one line.
pub(crate) fn read(
    key: &str,
    file: Option<&str>,
    variable: Option<&str>,
    base_dir: &Path,
    environment: Environment<'_>,
) -> Result<Option<Secret>, ReadError> {
    let (place, text) = match (file, variable) {
        (Some(file), _) => {
            let path = base_dir.join(file).display().to_string();
            let text = std::fs::read_to_string(&path).map_err(|source| ReadError::Io {
                action: "read",
                path: path.clone(),
                source,
            })?;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            (path, text.strip_suffix('\r').unwrap_or(text).to_owned())
        }
        (None, Some(name)) => {
            let place = format!("environment variable {name}");
            let Some(text) = environment(name) else {
                let reason = format!("is not set: expected the {key}");
                return Err(ReadError::Remote { place, reason });
            };
            (place, text)
        }
        (None, None) => return Ok(None),
    };
    if text.is_empty() || text.contains(['\n', '\r', '\0']) {
        let reason = format!("expected the {key}, one line that is not empty");
        return Err(ReadError::Remote { place, reason });
    }
    Ok(Some(Secret(text)))
}

/// The fault of a pair of keys that name a secret, as the key and what is wrong with it.
pub(crate) fn fault(key: &str, file: Option<&String>, variable: Option<&String>) -> Option<(String, String)> {
    if file.is_some() && variable.is_some() {
        let wanted = format!("expected either `{key}_file` or `{key}_env`");
        return Some((format!("{key}_file"), wanted));
    }
    for (name, value) in [("file", file), ("env", variable)] {
        if value.is_some_and(|value| value.trim().is_empty()) {
            return Some((format!("{key}_{name}"), "must not be blank".to_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test's failure is its message")]

    use super::*;

    #[test]
    fn a_secret_is_the_file_without_its_line_end_and_prints_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let none = |_: &str| None;
        for (text, expected) in [("pass word\r\n", "pass word"), ("x", "x"), (" y \n", " y ")] {
            std::fs::write(folder.path().join("password"), text).unwrap();
            let secret = read("password", Some("password"), None, folder.path(), &none).unwrap().unwrap();
            assert_eq!(secret.reveal(), expected);
            assert_eq!(format!("{secret:?}"), "[secret]");
        }
    }

    #[test]
    fn a_secret_that_is_repeated_is_not_shown() {
        let secret = Secret::new("pass".to_owned());
        assert_eq!(secret.hidden_in("pass and passport"), "[secret] and [secret]port");
        assert_eq!(Secret::new(String::new()).hidden_in("ab"), "ab");
    }

    #[test]
    fn what_is_not_one_line_is_refused_without_being_shown() {
        let set = |name: &str| (name == "HELD").then(|| "first\nsecond".to_owned());
        let text =
            |variable| read("password", None, Some(variable), Path::new("."), &set).unwrap_err().to_string();
        let expected = "environment variable HELD: expected the password, one line that is not empty";
        assert_eq!(text("HELD"), expected);
        assert_eq!(text("OTHER"), "environment variable OTHER: is not set: expected the password");
    }
}
