//! Where a long run is, so that it can be broken off and taken up again.
//!
//! Written when everything had ended and was checked, so nothing that matters is lost with the program.

use super::Options;
use crate::failure::{Context, Failure, Result};
use crate::tally::Tally;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn place(folder: &Path) -> PathBuf {
    folder.join("progress.json")
}

fn of(options: &Options) -> Value {
    json!({"rounds": options.rounds, "seed": options.seed, "identities": options.identities})
}

/// Notes how many rounds are done.
pub fn write(folder: &Path, options: &Options, tally: &Tally) -> Result<()> {
    let path = place(folder);
    let text = json!({"run": of(options), "passed": tally.passed, "failed": tally.failed}).to_string();
    let aside = path.with_extension("tmp");
    std::fs::write(&aside, text)
        .and_then(|()| std::fs::rename(&aside, &path))
        .context(|| format!("{} cannot be written", path.display()))
}

/// The rounds that the run in `folder` has done.
///
/// # Errors
/// When there is none, or it was another run.
pub fn read(folder: PathBuf, options: &Options) -> Result<(PathBuf, Tally)> {
    let path = place(&folder);
    let text = std::fs::read_to_string(&path)
        .context(|| format!("there is nothing to resume: {} cannot be read", path.display()))?;
    let noted: Value = serde_json::from_str(&text).context(|| path.display().to_string())?;
    if noted["run"] != of(options) {
        return Err(Failure::new(format!("{} is of another run: {}", path.display(), noted["run"])));
    }
    let count = |name: &str| noted[name].as_u64().unwrap_or_default();
    Ok((folder, Tally { passed: count("passed"), failed: count("failed"), skipped: 0 }))
}
