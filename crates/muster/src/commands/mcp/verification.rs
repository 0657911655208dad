//! Whether a report's files are what the service signed, for a program that asks.

use crate::api::Api;
use crate::cli::VerifyArgs;
use crate::commands::verify;
use crate::failure::{Context, Failure, Result};
use muster_render::evidence::{PublicKey, Verification, verify_bag};
use serde_json::{Value, json};
use std::io::{BufReader, Seek, Write};
use tokio::task::spawn_blocking;

/// Bytes of an evidence package that is fetched.
const PACKAGE_MOST: u64 = 1 << 30;
/// Findings that are shown.
const SHOWN_MOST: usize = 100;

/// Fetches the evidence package of a report, and checks it with the key that the service names.
///
/// # Errors
/// As [`Api::start`]; when the package is too large.
pub async fn of_report(api: &Api, id: &str) -> Result<Value> {
    let key = PublicKey::from_pem(&api.evidence_key().await?)
        .map_err(|error| Failure::new(format!("the service's public key cannot be used: {error}")))?;
    let mut file = tempfile::tempfile().context(|| "a file for the package cannot be made".into())?;
    api.evidence_into(id, Limited { to: &mut file, left: PACKAGE_MOST }).await?;
    file.rewind().context(|| "the package cannot be read again".into())?;
    let verified = spawn_blocking(move || verify_bag(BufReader::new(file), &key)).await;
    let verification = verified.context(|| "the package could not be checked".into())?;
    let mut shown = shown(&verification);
    shown["limits"] =
        "the package and the key came from the same service: to rule out a forger there, check the package \
                       with a key that you got in another way (`muster verify PACKAGE --key public.pem`)"
            .into();
    Ok(shown)
}

/// Checks files of this machine, as `muster verify` does.
///
/// # Errors
/// As `muster verify`.
pub async fn of_files(args: VerifyArgs) -> Result<Value> {
    let checked = spawn_blocking(move || verify::check(&args)).await;
    Ok(shown(&checked.context(|| "the file could not be checked".into())??))
}

/// What was found; of very much, what fails and then the first.
fn shown(verification: &Verification) -> Value {
    let all = verify::as_json(verification);
    let mut findings = all["findings"].as_array().cloned().unwrap_or_default();
    let left = findings.len().saturating_sub(SHOWN_MOST);
    findings.sort_by_key(|finding| finding["outcome"] != "fails");
    findings.truncate(SHOWN_MOST);
    json!({ "holds": all["holds"], "findings": findings, "findingsLeftOut": left })
}

/// A writer that takes so many bytes and no more.
struct Limited<W> {
    to: W,
    left: u64,
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            std::io::Error::other(format!(
                "the package has more than {PACKAGE_MOST} bytes: expected `muster report evidence` and `muster verify` for it"
            ))
        })?;
        self.to.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_package_that_is_too_large_is_not_kept() {
        let mut kept = Vec::new();
        let mut limited = Limited { to: &mut kept, left: 5 };
        limited.write_all(b"12345").unwrap();
        let refused = limited.write_all(b"6").unwrap_err().to_string();
        assert!(refused.starts_with("the package has more than 1073741824 bytes"), "{refused}");
        assert_eq!(kept, b"12345");
    }
}
