//! `muster report compare`: two CSV files of one report. No service is asked.

use crate::api::partial;
use crate::cli::CompareArgs;
use crate::failure::{Context, Result};
use crate::output::{Output, count, json, number, print, table};
use muster_render::FormulaGuard;
use muster_render::compare::{Compared, Comparison, compare};
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Compares, and writes what differs where `args` ask for it. A file that is not whole is not left behind.
pub fn run(args: &CompareArgs, output: Output) -> Result {
    let comparison = match &args.to {
        None => compare_to(args, std::io::sink())?,
        Some(path) => to_file(args, path)?,
    };
    show(&comparison, args.to.as_deref(), output)
}

fn to_file(args: &CompareArgs, path: &Path) -> Result<Comparison> {
    let unwritable = || format!("{} cannot be written", path.display());
    let partial = partial(path);
    let file = File::create(&partial).context(unwritable)?;
    let written = compare_to(args, file).and_then(|comparison| {
        std::fs::rename(&partial, path).context(unwritable)?;
        Ok(comparison)
    });
    if written.is_err() {
        // What cannot be removed is not under the asked name.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

fn compare_to(args: &CompareArgs, sink: impl Write) -> Result<Comparison> {
    let (old, new) = (opened(&args.old, args.old_raw)?, opened(&args.new, args.new_raw)?);
    let keys: Vec<&str> = args.keys.iter().map(String::as_str).collect();
    compare(old, new, &keys, sink, FormulaGuard::On)
        .context(|| format!("{} and {} cannot be compared", args.old.display(), args.new.display()))
}

fn opened(path: &Path, raw: bool) -> Result<Compared<File>> {
    let content = File::open(path).context(|| format!("{} cannot be opened", path.display()))?;
    Ok(Compared { content, formula_guard: if raw { FormulaGuard::Off } else { FormulaGuard::On } })
}

fn show(comparison: &Comparison, to: Option<&Path>, output: Output) -> Result {
    let Comparison { came, went, changed, unchanged, columns_came, columns_went, written: _ } = comparison;
    if output == Output::Json {
        return json(&json!({
            "came": came,
            "went": went,
            "changed": changed,
            "unchanged": unchanged,
            "columnsCame": columns_came,
            "columnsWent": columns_went,
            "file": to.map(|path| path.display().to_string()),
        }));
    }
    let columns = [number("came"), number("went"), number("changed"), number("unchanged")];
    let counts = [came, went, changed, unchanged].map(|rows| count(*rows)).to_vec();
    let mut text = table(&columns, std::iter::once(counts));
    for (what, names) in [("only the new file has", columns_came), ("only the old file has", columns_went)] {
        if !names.is_empty() {
            text.push_str(&format!("\n{what} the columns {}", names.join(", ")));
        }
    }
    print(&text)
}
