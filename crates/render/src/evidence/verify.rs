//! Checks a package, or compares one file with its cover, and says in plain words what holds and what does not.
//!
//! Nothing is unpacked: members are read one after another. Everything is checked even if something fails, so that one
//! check shows all faults.

mod bag;
mod layout;

use std::fmt;
use std::io::{Read, Seek};

use serde_json::Value;

use super::PublicKey;
use super::cover::{self, Described};
use super::finding::{CheckOutcome, Finding};
use super::measure::measure;

/// Everything that was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// Whether nothing failed.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.findings.is_empty() && self.failures().next().is_none()
    }

    /// What failed.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.findings
            .iter()
            .filter(|finding| finding.outcome == CheckOutcome::Fails)
            .map(|finding| finding.text.as_str())
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let mark = match finding.outcome {
                CheckOutcome::Holds => "holds    ",
                CheckOutcome::Fails => "FAILS    ",
                CheckOutcome::Unchecked => "unchecked",
            };
            writeln!(formatter, "{mark}  {}", finding.text)?;
        }
        Ok(())
    }
}

/// Checks a package with the public key of the service that is said to have made it.
#[must_use]
pub fn verify_bag(bag: impl Read + Seek, key: &PublicKey) -> Verification {
    let mut findings = Vec::new();
    bag::check(bag, key, &mut findings);
    Verification { findings }
}

/// Checks one file of a result against the result's cover, a second file.
#[must_use]
pub fn verify_file(name: &str, content: impl Read, cover: &[u8]) -> Verification {
    let mut findings = Vec::new();
    if let Err(fault) = check_file(name, content, cover, &mut findings) {
        findings.push(Finding::fails(fault));
    }
    findings.push(Finding::unchecked(
        "the cover is not signed by itself: only an evidence package shows who made it",
    ));
    Verification { findings }
}

fn check_file(
    name: &str,
    content: impl Read,
    cover: &[u8],
    findings: &mut Vec<Finding>,
) -> Result<(), String> {
    let cover: Value =
        serde_json::from_slice(cover).map_err(|error| format!("the cover is not JSON: {error}"))?;
    let described = cover::files(&cover)?;
    let unread = |error| format!("{name}: it cannot be read: {error}");
    // A renamed file is recognised by its digest. To count its rows, its format must be known.
    let by_name = described.iter().find(|file| file.name == name);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let measured = measure(content, by_name.map_or(ending, Described::measured_as)).map_err(unread)?;
    let file = by_name.or_else(|| described.iter().find(|file| file.sha256 == measured.sha256));
    let names = || described.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ");
    let file = file
        .ok_or_else(|| format!("{name}: neither its name nor its SHA-256 is in the cover ({})", names()))?;
    cover::compare(file, &measured, findings);
    cover::reconcile(&cover, findings);
    Ok(())
}
