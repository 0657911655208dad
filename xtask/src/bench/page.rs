//! docs/performance.md: the table of everything that was measured, and what is kept of it between runs.

use super::benchmark::Row;
use super::data::read_json;
use super::entry::{Entry, OURS, Unit};
use muster_harness::command;
use muster_harness::failure::{Context, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEAD: &str = "\
# Performance

`cargo xtask bench` writes this page; change `xtask/src/bench/page.rs` for the text.

The benchmark runs Muster and other programs in turn on one machine, on equal data, and compares what they wrote.

- **Data.** The sample organisation of `muster demo` (seed 1): five accounts for each person, in sources whose sizes fall as one \
over their rank, and ten access items for each person. It is made once and kept below the target folder; another binary first \
writes its tables again.
- **Time.** Seconds of the clock. The time of a report of Muster's is that from its start to the SUCCESS that a client sees over HTTP: \
the second count, the hash, the sync and the records are in it. The other programs write a CSV file and do none of this; a second \
line has their time with `sync -f` of that file. The start of a Python interpreter is not counted.
- **The first report.** The first report over a snapshot checks the hashes of the tables' files and computes counts and charts, \
which later reports over the same snapshot use again. It is not in the median; the remarks have its time.
- **Median, lowest, highest** of three runs of each program, in turn; where there are others, the remarks say so. *Ratio* is Muster's median divided by the program's: \
below 1, Muster is faster, or for requests in a second, slower.
- **Processor.** The median of the seconds of processor; for a service, of the server alone.
- **Memory.** The sum of `VmHWM` over the processes of the tree: the most that each process ever held. For Muster's reports it is \
that of the server since its start, warm-up included.
- **Equal rows.** Refreshes must give the same number of rows in each table. Reports must give the same cells: the sum of the hashes \
of all rows, in any order, with times compared to the millisecond. A program that gives other rows has failed.
- **Failures.** A row that could not be measured says why.
- **Measured.** The date, the commit (with a `+` if files differed from it), the number of people, and how long the whole row took.
- **Load.** The figures of commit ec84f656 were taken on a quiet machine. Those of other commits were taken while compilers \
ran beside, at a lower priority than the benchmark and its peers: the disk and the caches were shared, which \
tells in what is synced and in single runs. Compare ratios there.

";

/// The key of what organisations have, among those of rows.
const ORGANISATIONS: &str = "organisations";

/// What is kept of everything that was measured: for each row and each number of people what was measured last.
pub struct Kept {
    file: PathBuf,
    rows: Map<String, Value>,
}

/// What came out of a row.
pub struct Measured<'a> {
    /// People in the organisation.
    pub identities: u64,
    /// The commit that was measured.
    pub commit: &'a str,
    /// Seconds that the whole row took.
    pub seconds: u64,
    /// The figures.
    pub entries: Vec<Entry>,
}

impl Kept {
    /// Reads what earlier runs left in this file, if there is one.
    pub fn read(file: PathBuf) -> Result<Self> {
        let rows = if file.is_file() { read_json(&file)?.as_object().cloned() } else { None };
        Ok(Self { file, rows: rows.unwrap_or_default() })
    }

    /// Replaces what is kept of a row for this number of people.
    pub fn put(&mut self, row: &str, measured: &Measured<'_>) -> Result<()> {
        let date = command::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
        let entries: Vec<Value> = measured.entries.iter().map(Entry::to_json).collect();
        let value = json!({
            "date": date.trim(), "commit": measured.commit, "seconds": measured.seconds, "machine": machine(),
            "entries": entries,
        });
        self.replace(row, measured.identities, value)
    }

    /// Replaces what is kept of an organisation.
    pub fn put_organisation(&mut self, identities: u64, facts: &Value) -> Result<()> {
        let value = json!({
            "accounts": facts["live"]["accounts"], "identities": facts["live"]["identities"],
            "access_items": facts["access_items"],
        });
        self.replace(ORGANISATIONS, identities, value)
    }

    fn replace(&mut self, key: &str, identities: u64, value: Value) -> Result<()> {
        let of_sizes = self.rows.entry(key).or_insert_with(|| json!({}));
        of_sizes[identities.to_string()] = value;
        let text =
            serde_json::to_string_pretty(&self.rows).context(|| "the measurements cannot be kept".into())?;
        std::fs::write(&self.file, text + "\n")
            .context(|| format!("{} cannot be written", self.file.display()))
    }

    /// Whether a row was measured for this number of people and commit. A commit with changes is never the same.
    pub fn has(&self, row: &str, identities: u64, commit: &str) -> bool {
        let kept = self.rows.get(row).map_or(&Value::Null, |row| &row[identities.to_string()]);
        kept["commit"] == json!(commit) && !commit.ends_with('+')
    }

    /// What is kept under a key, by the number of people.
    fn of(&self, key: &str) -> Vec<(u64, &Value)> {
        let of_sizes = self.rows.get(key).and_then(Value::as_object).into_iter().flatten();
        let mut sizes: Vec<_> =
            of_sizes.filter_map(|(people, kept)| Some((people.parse().ok()?, kept))).collect();
        sizes.sort_by_key(|(people, _)| *people);
        sizes
    }
}

/// The page. A command that repeats a row names the number of people unless it is `usual`.
pub fn text(kept: &Kept, rows: &[&Row], usual: u64) -> Result<String> {
    let mut text = HEAD.to_owned();
    let machines: BTreeSet<_> = rows
        .iter()
        .flat_map(|row| kept.of(row.name))
        .filter_map(|(_, kept)| kept["machine"].as_str())
        .collect();
    let machines: Vec<_> = machines.into_iter().collect();
    let machines = if machines.is_empty() { "not measured yet".to_owned() } else { machines.join("; ") };
    text.push_str(&format!("Machine: {machines}.\n\n"));
    for (_, organisation) in kept.of(ORGANISATIONS) {
        let number = |key: &str| grouped(organisation[key].as_u64().unwrap_or(0));
        let (people, accounts, items) = (number("identities"), number("accounts"), number("access_items"));
        text.push_str(&format!(
            "Organisation: {people} people, {accounts} accounts, {items} access items.\n\n"
        ));
    }
    text.push_str(
        "| repeat with | measured | what | program | rows | median | lowest | highest | ratio | processor | peak memory | remarks |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let sizes = kept.of(row.name);
        if sizes.is_empty() {
            let what = row.what;
            text.push_str(&format!(
                "| `cargo xtask bench --only {}` | not measured yet | {what} | | | | | | | | | |\n",
                row.name
            ));
        }
        for (people, kept) in sizes {
            let flags = if people == usual { String::new() } else { format!(" --identities {people}") };
            let repeat = format!("`cargo xtask bench{flags} --only {}`", row.name);
            let of = |key: &str| kept[key].as_str().unwrap_or_default();
            let seconds = kept["seconds"].as_u64().unwrap_or(0);
            let measured =
                format!("{}, {}, {} people; took {seconds} s", of("date"), of("commit"), grouped(people));
            let entries = kept["entries"].as_array().into_iter().flatten().map(Entry::from_json);
            let entries = entries.collect::<Result<Vec<_>>>()?;
            for (number, entry) in entries.iter().enumerate() {
                let (repeat, measured) =
                    if number == 0 { (repeat.as_str(), measured.as_str()) } else { ("", "") };
                text.push_str(&line(repeat, measured, row, entry, &entries));
            }
        }
    }
    Ok(text)
}

fn line(repeat: &str, measured: &str, row: &Row, entry: &Entry, all: &[Entry]) -> String {
    let what = if entry.what.is_empty() { row.what } else { entry.what.as_str() };
    let cell = |number: Option<f64>| number.map_or_else(String::new, |number| figure(number, entry.unit));
    let of = |choose: fn(f64, f64) -> f64| entry.samples.iter().copied().reduce(choose);
    let processor = super::entry::median(&entry.processor);
    let cells = match &entry.failed {
        Some(why) => ["", "", "", "", ""]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("**failed**: {}", one_line(why))]),
        None => [
            cell(entry.median()),
            cell(of(f64::min)),
            cell(of(f64::max)),
            ratio(entry, all).map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            processor.map_or_else(String::new, |seconds| figure(seconds, Unit::Seconds)),
        ]
        .into_iter()
        .chain([entry.note.clone()]),
    };
    let mut cells: Vec<String> = cells.collect();
    let peak = entry.peak_kib.map_or_else(String::new, |kib| format!("{} MiB", grouped(kib.div_ceil(1_024))));
    cells.insert(5, peak);
    let rows = entry.rows.map_or_else(String::new, grouped);
    format!("| {repeat} | {measured} | {what} | {} | {rows} | {} |\n", entry.who, cells.join(" | "))
}

/// Our median divided by that of another program that did the same.
fn ratio(entry: &Entry, all: &[Entry]) -> Option<f64> {
    let ours =
        all.iter().find(|ours| ours.who == OURS && ours.what == entry.what && ours.unit == entry.unit)?;
    if entry.who == OURS || ours.failed.is_some() {
        return None;
    }
    Some(ours.median()? / entry.median()?)
}

/// A figure with its unit.
pub fn figure(number: f64, unit: Unit) -> String {
    let text = match unit {
        Unit::Seconds => format!("{number:.2}"),
        Unit::Milliseconds => format!("{number:.1}"),
        Unit::PerSecond | Unit::Mebibytes => format!("{number:.0}"),
    };
    format!("{text} {}", unit.sign())
}

/// A whole number in groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text as a cell has it.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Processors and memory of this machine.
fn machine() -> String {
    let value = |file: &str, name: &str| {
        let text = std::fs::read_to_string(Path::new("/proc").join(file)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        line.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let kib = value("meminfo", "MemTotal");
    let gib = kib.trim_end_matches("kB").trim().parse::<f64>().unwrap_or_default() / f64::from(1 << 20);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{processors} processors ({}), {gib:.0} GiB", value("cpuinfo", "model name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::entry::Sample;

    const ROW: Row = Row { name: "a", what: "the row", is_extra: false, measure: |_, _| Ok(Vec::new()) };

    fn entry(who: &str, samples: &[f64]) -> Entry {
        let mut entry = Entry::new("the row", who, Unit::Seconds);
        for figure in samples {
            entry.add(&Sample { figure: *figure, rows: Some(1_234_567), ..Sample::default() });
        }
        entry
    }

    #[test]
    fn a_line_has_the_figures_and_the_ratio_of_medians() {
        let entries = [entry(OURS, &[3.0, 1.0, 2.0]), entry("DuckDB", &[4.0, 4.0, 5.0])];
        assert_eq!(
            line("", "", &ROW, &entries[1], &entries),
            "|  |  | the row | DuckDB | 1,234,567 | 4.00 s | 4.00 s | 5.00 s | 0.50 |  |  |  |\n"
        );
        assert_eq!(
            line("`x`", "d", &ROW, &entries[0], &entries),
            "| `x` | d | the row | Muster | 1,234,567 | 2.00 s | 1.00 s | 3.00 s |  |  |  |  |\n"
        );
    }

    #[test]
    fn a_failure_says_why_and_has_no_figure() {
        let mut failed = entry("Polars", &[1.0]);
        failed.failed = Some("out of\nmemory".into());
        assert_eq!(
            line("", "", &ROW, &failed, &[]),
            "|  |  | the row | Polars | 1,234,567 |  |  |  |  |  |  | **failed**: out of memory |\n"
        );
    }

    #[test]
    fn rows_that_were_not_measured_are_on_the_page() {
        let kept = Kept { file: PathBuf::new(), rows: Map::new() };
        let text = text(&kept, &[&ROW], 3).expect("it is written");
        assert!(text.contains("| `cargo xtask bench --only a` | not measured yet | the row |"), "{text}");
    }

    /// A row of two sizes has both on the page, in order, and a later measurement replaces the one of its size.
    #[test]
    fn what_was_measured_before_stays_on_the_page() {
        let file = std::env::temp_dir().join(format!("muster-bench-page-{}.json", std::process::id()));
        let mut kept = Kept::read(file.clone()).expect("there is none");
        for (identities, commit, figure) in [(1_000, "aaa", 9.0), (1_000, "bbb", 8.0), (300, "ccc", 7.0)] {
            let entries = vec![entry(OURS, &[figure])];
            let measured = Measured { identities, commit, seconds: 5, entries };
            kept.put("a", &measured).expect("it can be written");
        }
        let kept = Kept::read(file.clone()).expect("it is there");
        std::fs::remove_file(&file).expect("it is there");
        let text = text(&kept, &[&ROW], 1_000).expect("it is written");
        let lines: Vec<_> = text.lines().filter(|line| line.contains("Muster |")).collect();
        let [small, large] = lines[..] else { panic!("{text}") };
        assert!(small.starts_with("| `cargo xtask bench --identities 300 --only a` |"), "{small}");
        assert!(small.contains(", ccc, 300 people; took 5 s |") && small.contains("| 7.00 s |"), "{small}");
        assert!(large.starts_with("| `cargo xtask bench --only a` |"), "{large}");
        assert!(large.contains(", bbb, 1,000 people; took 5 s |") && large.contains("| 8.00 s |"), "{large}");
        assert!(kept.has("a", 300, "ccc") && !kept.has("a", 300, "aaa") && !kept.has("b", 300, "ccc"));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
    }
}
