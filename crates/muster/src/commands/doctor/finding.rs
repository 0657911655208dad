//! What a check found, and the checks that need nothing but a file.

use crate::failure::{Failure, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use x509_parser::pem::Pem;

/// How what was looked at is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Fine,
    /// Somebody should look at it.
    Warning,
    /// The service does not work as it should.
    Wrong,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    check: &'static str,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_do: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn fine(check: &'static str, found: String) -> Self {
        Self { check, state: State::Fine, found, to_do: None }
    }

    /// Somebody should look at it.
    pub fn warning(check: &'static str, found: String, to_do: impl Into<String>) -> Self {
        Self { check, state: State::Warning, found, to_do: Some(to_do.into()) }
    }

    /// It is wrong.
    pub fn wrong(check: &'static str, found: String, to_do: impl Into<String>) -> Self {
        Self { check, state: State::Wrong, found, to_do: Some(to_do.into()) }
    }

    /// Whether all is well.
    pub fn is_fine(&self) -> bool {
        self.state == State::Fine
    }
}

/// Whether others may use a file or a folder.
pub fn file_mode(check: &'static str, path: &Path, others: u32, wanted: &str) -> Finding {
    match path.metadata() {
        Ok(metadata) if metadata.permissions().mode() & others == 0 => {
            Finding::fine(check, format!("only the owner uses {}", path.display()))
        }
        Ok(metadata) => Finding::wrong(
            check,
            format!("others may use {} (mode {:o})", path.display(), metadata.permissions().mode() & 0o777),
            format!("`chmod {wanted} {}`", path.display()),
        ),
        Err(error) => Finding::wrong(
            check,
            format!("{} cannot be looked at: {error}", path.display()),
            "run this as the user that serves",
        ),
    }
}

/// How long a certificate is still valid, of the first in a PEM file.
pub fn certificate(path: &Path, pem: &[u8], now: DateTime<Utc>, days_left: i64) -> Finding {
    let end = Pem::iter_from_buffer(pem).next().and_then(|pem| pem.ok()).and_then(|pem| {
        let certificate = pem.parse_x509().ok()?;
        DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
    });
    let Some(end) = end else {
        return Finding::wrong(
            "certificate",
            format!("{} has no certificate in PEM", path.display()),
            "put the service's certificate at the beginning of the file",
        );
    };
    let text =
        format!("{} ends at {}", path.display(), end.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let to_do = "renew it, and restart the service";
    match (end - now).num_days() {
        _ if end <= now => Finding::wrong("certificate", text, to_do),
        days if days < days_left => Finding::warning("certificate", text, to_do),
        _ => Finding::fine("certificate", text),
    }
}

/// The findings for people, the order as it is; what is to be done is in a line of its own.
pub fn text(findings: &[Finding]) -> String {
    let lines = findings.iter().flat_map(|finding| {
        let state = match finding.state {
            State::Fine => "fine",
            State::Warning => "warning",
            State::Wrong => "WRONG",
        };
        let head = format!("{state:<8} {:<15} {}", finding.check, finding.found);
        let to_do = finding.to_do.as_ref().map(|to_do| format!("{:<24} do: {to_do}", ""));
        std::iter::once(head).chain(to_do)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How the command ends.
///
/// # Errors When something is wrong; if `strict`, also when something is to be looked at.
pub fn verdict(findings: &[Finding], strict: bool) -> Result {
    let of = |state| {
        let checks: Vec<_> =
            findings.iter().filter(|finding| finding.state == state).map(|finding| finding.check).collect();
        checks.join(", ")
    };
    let (wrong, warnings) = (of(State::Wrong), of(State::Warning));
    if !wrong.is_empty() {
        return Err(Failure::new(format!("wrong: {wrong}; the lines above say what to do")));
    }
    match strict && !warnings.is_empty() {
        true => Err(Failure::warning(format!("to be looked at: {warnings}; the lines above say what to do"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::failure::ExitStatus;
    use chrono::TimeDelta;

    /// Made by `openssl req -x509 -newkey ed25519 -nodes -subj /CN=localhost -days 396`; its key is not kept. `openssl x509
    /// -noout -enddate` says the end.
    const PEM: &str = include_str!("localhost.pem");

    #[test]
    fn a_certificate_is_to_be_renewed_before_it_ends() {
        let end: DateTime<Utc> = "2027-12-31T08:56:31Z".parse().unwrap();
        for (left, state) in [
            (TimeDelta::days(21), State::Fine),
            (TimeDelta::days(21) - TimeDelta::seconds(1), State::Warning),
            (TimeDelta::seconds(1), State::Warning),
            (TimeDelta::zero(), State::Wrong),
        ] {
            let finding = certificate(Path::new("tls.pem"), PEM.as_bytes(), end - left, 21);
            assert_eq!(finding.state, state, "{left}");
            assert_eq!(finding.found, "tls.pem ends at 2027-12-31T08:56:31Z");
        }
        for pem in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(certificate(Path::new("x"), pem.as_bytes(), end, 21).state, State::Wrong);
        }
    }

    #[test]
    fn what_others_may_read_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.key");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let finding = file_mode("keys", &path, 0o077, "600");
        assert!(finding.state == State::Wrong && finding.found.ends_with("(mode 640)"), "{finding:?}");
        assert_eq!(finding.to_do.unwrap(), format!("`chmod 600 {}`", path.display()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(file_mode("keys", &path, 0o077, "600").is_fine());
    }

    #[test]
    fn the_status_says_the_worst() {
        let fine = Finding::fine("a", String::new());
        let warning = Finding::warning("b", String::new(), "x");
        let wrong = Finding::wrong("c", String::new(), "x");
        let status = |findings: &[&Finding], strict| {
            let findings: Vec<_> = findings.iter().map(|finding| (*finding).clone()).collect();
            verdict(&findings, strict).err().map(|failure| failure.status())
        };
        assert_eq!(status(&[&fine, &warning], false), None);
        assert_eq!(status(&[&fine, &warning], true), Some(ExitStatus::Warning));
        assert_eq!(status(&[&fine, &warning, &wrong], true), Some(ExitStatus::Failed));
        assert_eq!(text(&[warning]), format!("warning  b               \n{:<24} do: x", ""));
    }
}
