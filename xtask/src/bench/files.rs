//! Writers of PDF files and spreadsheets: examples of the crate `render`, and Python packages on equal rows.

use super::benchmark::{Benchmark, PATIENCE, Row};
use super::entry::{Contender, Entry, OURS, Sample, Unit, in_turn};
use super::process;
use muster_harness::failure::{Context, Failure, Result};
use std::path::Path;
use std::process::Command;

/// The rows.
pub const ROWS: [Row; 2] = [
    Row::new("pdf", "a PDF table of eight columns", pdf),
    Row::new("xlsx", "a spreadsheet of 1,000,000 rows of twelve columns", xlsx),
];
const SPREADSHEET_ROWS: &str = "1000000";
/// Rows of a PDF file that only ours writes: the others would take hours.
const LARGE_ROWS: &str = "1000000";

fn pdf(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let folder = benchmark.folder(row)?;
    let program = benchmark.example("pdf_bench")?;
    let number = benchmark.numbers.pdf_rows.to_string();
    let rows = folder.join("rows.csv");
    process::run(Command::new(&program).arg(&number).arg(&rows), &folder, PATIENCE)?.or_fail("pdf_bench")?;
    let ours = || written(Command::new(&program).arg(&number).arg(folder.join("ours.pdf")), &folder);
    let entry = |who: &str| Entry::new(row.what, who, Unit::Seconds);
    let mut contenders = vec![Contender::new(entry(OURS), ours)];
    for (peer, name) in [("typst", "Typst"), ("reportlab", "ReportLab")] {
        let (rows, folder) = (&rows, &folder);
        let once = move || -> Result<Sample> {
            let mut script = benchmark.script("pdf_peers.py")?;
            script.arg(peer).arg(rows).arg(folder.join(format!("{peer}.pdf")));
            Ok(benchmark.peer(&mut script, folder)?.1)
        };
        contenders.push(Contender::new(entry(name), once));
    }
    let large = || written(Command::new(&program).arg(LARGE_ROWS).arg(folder.join("large.pdf")), &folder);
    let large =
        Contender::new(Entry::new(format!("{}, {LARGE_ROWS} rows", row.what), OURS, Unit::Seconds), large);
    let large = in_turn(1, vec![large]);
    let mut entries = finished(benchmark, &folder, contenders)?;
    entries.extend(large);
    Ok(entries)
}

fn xlsx(benchmark: &Benchmark<'_>, row: &Row) -> Result<Vec<Entry>> {
    let folder = benchmark.folder(row)?;
    let program = benchmark.example("file_rate")?;
    let ours = || written(Command::new(&program).args(["xlsx", SPREADSHEET_ROWS]), &folder);
    let peer = || -> Result<Sample> {
        let mut script = benchmark.script("xlsx_xlsxwriter.py")?;
        script.arg(SPREADSHEET_ROWS).arg(folder.join("peer.xlsx"));
        Ok(benchmark.peer(&mut script, &folder)?.1)
    };
    let entry = |who: &str| Entry::new(row.what, who, Unit::Seconds);
    let contenders = vec![Contender::new(entry(OURS), ours), Contender::new(entry("xlsxwriter"), peer)];
    finished(benchmark, &folder, contenders)
}

/// Runs them all, and compares the numbers of rows.
fn finished(benchmark: &Benchmark<'_>, folder: &Path, contenders: Vec<Contender<'_>>) -> Result<Vec<Entry>> {
    let mut entries = in_turn(benchmark.numbers.runs, contenders);
    let ours = entries.first().and_then(|entry| entry.rows);
    for entry in &mut entries {
        if entry.failed.is_none() && entry.rows != ours {
            entry.failed =
                Some(format!("other numbers of rows: {ours:?} of ours, {:?} of the peer", entry.rows));
        }
    }
    std::fs::remove_dir_all(folder).context(|| format!("{} cannot be removed", folder.display()))?;
    Ok(entries)
}

/// Runs one of our examples, which prints how many rows it wrote.
fn written(command: &mut Command, folder: &Path) -> Result<Sample> {
    let took = process::run(command, folder, PATIENCE)?.or_fail("the example")?;
    let rows = rows_told(&took.printed)
        .ok_or_else(|| Failure::new(format!("the example told no rows: {:?}", took.printed)))?;
    Ok(Sample {
        figure: took.seconds,
        processor: Some(took.processor),
        peak_kib: Some(took.peak_kib),
        rows: Some(rows),
        ..Sample::default()
    })
}

/// The number before the word `rows`.
fn rows_told(printed: &str) -> Option<u64> {
    let words: Vec<&str> = printed.split_whitespace().collect();
    let at = words.iter().position(|word| word.trim_end_matches(',') == "rows")?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_that_an_example_wrote_are_read() {
        assert_eq!(rows_told("100 rows, 0.02 s, 4 pages, 10 bytes"), Some(100));
        assert_eq!(rows_told("xlsx: 1000000 rows of 12 columns, 6 bytes in 9.0 s"), Some(1_000_000));
        assert_eq!(rows_told("rows"), None);
        assert_eq!(rows_told(""), None);
    }
}
