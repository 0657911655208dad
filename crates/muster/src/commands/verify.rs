//! `muster verify`: an evidence package or a report's file, checked without a network and without a data directory.

use crate::cli::VerifyArgs;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, json, print};
use muster_render::evidence::{CheckOutcome, PublicKey, Verification, verify_bag, verify_file};
use serde_json::{Value, json};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Checks, and prints everything that was checked.
///
/// # Errors
/// When something does not hold, or a file cannot be read.
pub fn run(args: &VerifyArgs, output: Output) -> Result {
    let verification = check(args)?;
    match output {
        Output::Json => json(&as_json(&verification))?,
        Output::Table => print(verification.to_string().trim_end())?,
    }
    if verification.holds() {
        return Ok(());
    }
    let failures = verification.failures().count();
    Err(Failure::new(format!(
        "{} is not what it should be (checks that failed: {failures})",
        args.file.display()
    )))
}

/// Checks what `args` name.
///
/// # Errors
/// When a file cannot be read, or is not of its kind.
pub fn check(args: &VerifyArgs) -> Result<Verification> {
    let file = File::open(&args.file).context(|| format!("{} cannot be opened", args.file.display()))?;
    match (&args.key, &args.cover) {
        (Some(path), _) => {
            let text = String::from_utf8(read(path)?)
                .map_err(|_| Failure::usage(format!("{}: expected a public key in PEM", path.display())))?;
            let key = PublicKey::from_pem(&text)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
            Ok(verify_bag(BufReader::new(file), &key))
        }
        (None, Some(cover)) => {
            let name = args.file.file_name().unwrap_or_default().to_string_lossy();
            Ok(verify_file(&name, file, &read(cover)?))
        }
        (None, None) => Err(Failure::usage("expected --key for an evidence package, or --cover for a file")),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).context(|| format!("{} cannot be read", path.display()))
}

/// What was checked, for programs.
pub fn as_json(verification: &Verification) -> Value {
    let findings = verification.findings.iter().map(|finding| {
        let outcome = match finding.outcome {
            CheckOutcome::Holds => "holds",
            CheckOutcome::Fails => "fails",
            CheckOutcome::Unchecked => "unchecked",
        };
        json!({ "outcome": outcome, "text": finding.text })
    });
    json!({ "holds": verification.holds(), "findings": findings.collect::<Vec<_>>() })
}
