//! `muster report compare`: compares two runs of one report, which the service does, or two of its CSV files, which
//! this command does.

use super::{connect, show_place, target};
use crate::cli::CompareArgs;
use crate::failure::{Context, Failure, Result};
use crate::output::{Output, count, json, number, print, table};
use crate::part_file::PartFile;
use muster_client::ComparisonFile;
use muster_render::FormulaGuard;
use muster_render::compare::{Compared, compare};
use muster_reports::made::ComparisonCounts;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Compares, and writes the differences if `args` name a file. An incomplete file is removed.
pub async fn run(args: &CompareArgs, output: Output) -> Result {
    match (task(&args.old), task(&args.new)) {
        (Some(old), Some(new)) => return of_runs(args, old, new, output).await,
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            return Err(Failure::usage(
                "one is a task result id, the other a file: expected two of one kind",
            ));
        }
    }
    if args.keys.is_empty() {
        return Err(Failure::usage("two files are compared by columns that tell rows apart: expected --key"));
    }
    let counts = match &args.to {
        None => compare_to(args, std::io::sink())?,
        Some(path) => to_file(args, path)?,
    };
    show(&counts, args.to.as_deref(), output)
}

/// The task result id that an argument is, unless it is a file's name.
fn task(argument: &Path) -> Option<&str> {
    let is_id = |text: &&str| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    argument.to_str().filter(is_id).filter(|_| !argument.exists())
}

async fn of_runs(args: &CompareArgs, old: &str, new: &str, output: Output) -> Result {
    if args.old_raw || args.new_raw {
        return Err(Failure::usage(
            "the covers of two runs say whether they are guarded: expected no --old-raw or --new-raw",
        ));
    }
    let api = connect(&args.service)?;
    let Some(to) = &args.to else {
        let counts = api.compare(old, new, &args.keys).await?;
        let counts = ComparisonCounts {
            keys: counts.keys,
            added: counts.added,
            removed: counts.removed,
            changed: counts.changed,
            unchanged: counts.unchanged,
            columns_added: counts.columns_added,
            columns_removed: counts.columns_removed,
        };
        return show(&counts, None, output);
    };
    let is_page = to.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("html"));
    let file = if is_page { ComparisonFile::Html } else { ComparisonFile::Csv };
    let fetched = api.fetch_comparison(old, new, &args.keys, file, target(Some(to), false)).await?;
    show_place(fetched.as_deref())
}

fn to_file(args: &CompareArgs, path: &Path) -> Result<ComparisonCounts> {
    let (part, file) = PartFile::create(path)?;
    let counts = compare_to(args, file)?;
    part.finish(path)?;
    Ok(counts)
}

fn compare_to(args: &CompareArgs, sink: impl Write) -> Result<ComparisonCounts> {
    let (old, new) = (opened(&args.old, args.old_raw)?, opened(&args.new, args.new_raw)?);
    let keys: Vec<&str> = args.keys.iter().map(String::as_str).collect();
    compare(old, new, &keys, sink, FormulaGuard::On)
        .map(|(counts, _)| counts)
        .context(|| format!("{} and {} cannot be compared", args.old.display(), args.new.display()))
}

fn opened(path: &Path, raw: bool) -> Result<Compared<File>> {
    let content = File::open(path).context(|| format!("{} cannot be opened", path.display()))?;
    Ok(Compared { content, formula_guard: if raw { FormulaGuard::Off } else { FormulaGuard::On } })
}

fn show(counts: &ComparisonCounts, to: Option<&Path>, output: Output) -> Result {
    let ComparisonCounts { keys: _, added, removed, changed, unchanged, columns_added, columns_removed } =
        counts;
    if output == Output::Json {
        return json(&json!({
            "added": added,
            "removed": removed,
            "changed": changed,
            "unchanged": unchanged,
            "columnsAdded": columns_added,
            "columnsRemoved": columns_removed,
            "file": to.map(|path| path.display().to_string()),
        }));
    }
    let columns = [number("added"), number("removed"), number("changed"), number("unchanged")];
    let counts = [added, removed, changed, unchanged].map(|rows| count(*rows)).to_vec();
    let mut text = table(&columns, std::iter::once(counts));
    for (what, names) in
        [("only the new file has", columns_added), ("only the old file has", columns_removed)]
    {
        if !names.is_empty() {
            text.push_str(&format!("\n{what} the columns {}", names.join(", ")));
        }
    }
    print(&text)
}
