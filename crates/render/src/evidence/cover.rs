//! Compares a cover with itself and with the files that it names.

use serde_json::Value;

use super::finding::Finding;
use super::measure::{Measured, Rows};

/// A file as its cover describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) format: String,
    pub(super) bytes: u64,
    pub(super) rows: u64,
    pub(super) sha256: String,
}

impl Described {
    /// The format whose rows can be counted. What is called the CSV of a search is an archive.
    pub(super) fn measured_as(&self) -> &str {
        let is_archive =
            self.name.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("zip"));
        if is_archive { "ZIP" } else { &self.format }
    }
}

/// Most files that a cover may list, and most faults of a cover that are listed.
const LISTED_MAX: usize = 10_000;

/// The files of a cover; an error in words where it has none.
pub(super) fn files(cover: &Value) -> Result<Vec<Described>, String> {
    let files = cover.get("files").and_then(Value::as_array).ok_or("the cover lists no files")?;
    if files.len() > LISTED_MAX {
        return Err(format!("the cover lists {} files: expected at most {LISTED_MAX}", files.len()));
    }
    let describe = |file: &Value| {
        let text = |name: &str| file.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| file.get(name).and_then(Value::as_u64);
        Some(Described {
            name: text("name")?,
            format: text("format")?,
            bytes: number("bytes")?,
            rows: number("rows")?,
            sha256: text("sha256")?,
        })
    };
    let described: Option<Vec<_>> = files.iter().map(describe).collect();
    described
        .ok_or_else(|| "the cover does not give name, format, bytes, rows and sha256 of each file".to_owned())
}

/// Compares a file with its description.
pub(super) fn compare(described: &Described, file: &Measured, findings: &mut Vec<Finding>) {
    let name = &described.name;
    let mut same = true;
    let mut differs = |what: &str, found: &dyn std::fmt::Display, expected: &dyn std::fmt::Display| {
        findings
            .push(Finding::fails(format!("{name}: it has {what} {found}, but the cover says {expected}")));
        same = false;
    };
    if file.bytes != described.bytes {
        differs("bytes", &file.bytes, &described.bytes);
    }
    if file.sha256 != described.sha256.to_ascii_lowercase() {
        differs("SHA-256", &file.sha256, &described.sha256);
    }
    let counted = match &file.rows {
        Rows::Counted(rows) if *rows != described.rows => {
            differs("rows", rows, &described.rows);
            String::new()
        }
        Rows::Counted(rows) => format!(", {rows} rows counted"),
        Rows::Uncounted => {
            let format = described.measured_as();
            findings.push(Finding::unchecked(format!(
                "{name}: rows are not counted in a file of format {format}"
            )));
            String::new()
        }
        Rows::Malformed(fault) => {
            findings.push(Finding::fails(format!("{name}: it is not {}: {fault}", described.format)));
            return;
        }
    };
    if same {
        let bytes = file.bytes;
        findings.push(Finding::holds(format!("{name}: it is the file of the cover: {bytes} bytes{counted}")));
    }
}

/// Whether the numbers of a cover add up.
pub(super) fn reconcile(cover: &Value, findings: &mut Vec<Finding>) {
    match sums(cover) {
        Ok(faults) if faults.is_empty() => {
            findings.push(Finding::holds(
                "the rows add up: the population less what was left out is what was expected and what was reported",
            ));
        }
        Ok(faults) => findings.extend(faults.into_iter().take(LISTED_MAX).map(Finding::fails)),
        Err(missing) => {
            findings.push(Finding::fails(format!(
                "the cover's reconciliation cannot be read: expected {missing}"
            )));
        }
    }
}

fn sums(cover: &Value) -> Result<Vec<String>, &'static str> {
    let mut faults = Vec::new();
    let reported = sum("", cover.get("reconciliation").ok_or("reconciliation")?, &mut faults)?;
    let parts = cover.get("parts").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut of_parts = 0;
    for part in parts {
        let name = part.get("name").and_then(Value::as_str).ok_or("parts.name")?;
        let reconciliation = part.get("reconciliation").ok_or("parts.reconciliation")?;
        of_parts += u128::from(sum(&format!("{name}: "), reconciliation, &mut faults)?);
    }
    if !parts.is_empty() && of_parts != u128::from(reported) {
        faults.push(format!(
            "the parts do not add up: they have {of_parts} rows, but {reported} were reported"
        ));
    }
    for file in files(cover).unwrap_or_default() {
        if file.rows != reported {
            let (name, rows) = (&file.name, file.rows);
            faults.push(format!("{name}: the cover says {rows} rows, but {reported} were reported"));
        }
    }
    Ok(faults)
}

/// Adds one reconciliation up and returns what was reported. Each fault begins with `of`.
fn sum(of: &str, reconciliation: &Value, faults: &mut Vec<String>) -> Result<u64, &'static str> {
    let number = |name: &'static str| reconciliation.get(name).and_then(Value::as_u64).ok_or(name);
    let (population, expected, reported) = (number("population")?, number("expected")?, number("reported")?);
    let excluded = total(reconciliation.get("excluded")).ok_or("excluded")?;
    let added = match reconciliation.get("added") {
        None => 0,
        added => total(added).ok_or("added")?,
    };
    if u128::from(population) + added != u128::from(expected) + excluded {
        let with = if added == 0 { String::new() } else { format!(" with {added} added") };
        faults.push(format!(
            "{of}the rows do not add up: a population of {population} less {excluded} left out{with} is not the expected {expected}"
        ));
    }
    if reported != expected {
        faults.push(format!("{of}the rows do not add up: {reported} were reported, {expected} expected"));
    }
    let subtotals = reconciliation.get("subtotals").and_then(Value::as_array).ok_or("subtotals")?;
    for subtotal in subtotals {
        let by = subtotal.get("by").and_then(Value::as_str).ok_or("subtotals.by")?;
        let parts = total(subtotal.get("parts")).ok_or("subtotals.parts")?;
        if parts != u128::from(reported) {
            faults.push(format!(
                "{of}the subtotals by {by} do not add up: {parts}, but {reported} were reported"
            ));
        }
    }
    Ok(reported)
}

fn total(counts: Option<&Value>) -> Option<u128> {
    let rows = |count: &Value| count.get("rows").and_then(Value::as_u64).map(u128::from);
    counts?.as_array()?.iter().map(rows).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_add_up_is_named() {
        let mut cover = json!({
            "files": [{"name": "a.csv", "format": "CSV", "bytes": 1, "rows": 7, "sha256": "0"}],
            "reconciliation": {
                "population": 10,
                "excluded": [{"label": "system accounts", "rows": 1}, {"label": "other", "rows": 2}],
                "expected": 7,
                "reported": 7,
                "subtotals": [{"by": "status", "parts": [{"label": "ACTIVE", "rows": 5}, {"label": "", "rows": 2}]}],
            },
        });
        assert_eq!(sums(&cover), Ok(vec![]));
        cover["reconciliation"]["population"] = json!(11);
        cover["reconciliation"]["reported"] = json!(8);
        let expected = [
            "the rows do not add up: a population of 11 less 3 left out is not the expected 7",
            "the rows do not add up: 8 were reported, 7 expected",
            "the subtotals by status do not add up: 7, but 8 were reported",
            "a.csv: the cover says 7 rows, but 8 were reported",
        ];
        assert_eq!(sums(&cover), Ok(expected.map(str::to_owned).to_vec()));
        // Elements of lists that are spread are rows beyond one for each of the population.
        cover["reconciliation"]["reported"] = json!(7);
        cover["reconciliation"]["population"] = json!(8);
        cover["reconciliation"]["added"] = json!([{"label": "further accounts", "rows": 2}]);
        assert_eq!(sums(&cover), Ok(vec![]));
        cover["reconciliation"]["added"][0]["rows"] = json!(1);
        let expected =
            "the rows do not add up: a population of 8 less 3 left out with 1 added is not the expected 7";
        assert_eq!(sums(&cover), Ok(vec![expected.to_owned()]));
        cover["reconciliation"]["excluded"] = json!([{"label": "x"}]);
        assert_eq!(sums(&cover), Err("excluded"));
        assert_eq!(sums(&json!({})), Err("reconciliation"));
    }

    #[test]
    fn the_parts_of_an_archive_add_up() {
        let counts = |rows: u64| json!({"population": rows, "excluded": [], "expected": rows, "reported": rows, "subtotals": []});
        let mut cover = json!({
            "files": [{"name": "Search.zip", "format": "CSV", "bytes": 1, "rows": 5, "sha256": "0"}],
            "reconciliation": counts(5),
            "parts": [
                {"name": "Identity", "reconciliation": counts(3)},
                {"name": "Account", "reconciliation": counts(2)},
            ],
        });
        assert_eq!(sums(&cover), Ok(vec![]));
        cover["parts"][1]["reconciliation"]["population"] = json!(4);
        cover["parts"][0]["reconciliation"] = counts(1);
        let expected = [
            "Account: the rows do not add up: a population of 4 less 0 left out is not the expected 2",
            "the parts do not add up: they have 3 rows, but 5 were reported",
        ];
        assert_eq!(sums(&cover), Ok(expected.map(str::to_owned).to_vec()));
        // It is called CSV and is none.
        let files = files(&cover).expect("the cover lists files");
        assert_eq!(files[0].measured_as(), "ZIP");
    }
}
