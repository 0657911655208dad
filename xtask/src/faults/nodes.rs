//! Several nodes on one PostgreSQL database: whether the binary has them at all.

use crate::failure::{Context, Result};
use crate::server::muster;
use std::path::Path;

/// Why the binary takes no `store.url`; `None` if it does.
pub fn refusal(binary: &Path, folder: &Path) -> Result<Option<String>> {
    let mut ask = muster(binary, &folder.join("data"));
    ask.args(["config", "show"]).env("MUSTER__STORE__URL", "postgres://127.0.0.1:1/none");
    let answer = ask.output().context(|| format!("{} cannot be run", binary.display()))?;
    let said = String::from_utf8_lossy(&answer.stderr);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok((!answer.status.success()).then(|| format!("the binary refuses `store.url`: {words}")))
}
