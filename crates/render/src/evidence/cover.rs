//! A cover against itself and against the files it names.

use serde_json::Value;

use super::measure::{Measured, Rows};
use super::verify::Finding;

/// A file as its cover describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) format: String,
    pub(super) bytes: u64,
    pub(super) rows: u64,
    pub(super) sha256: String,
}

/// The files of a cover; an error in words where it has none.
pub(super) fn files(cover: &Value) -> Result<Vec<Described>, String> {
    let files = cover.get("files").and_then(Value::as_array).ok_or("the cover lists no files")?;
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

/// A file against its description.
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
            let format = &described.format;
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
        Ok(faults) => findings.extend(faults.into_iter().map(Finding::fails)),
        Err(missing) => {
            findings.push(Finding::fails(format!(
                "the cover's reconciliation cannot be read: expected {missing}"
            )));
        }
    }
}

fn sums(cover: &Value) -> Result<Vec<String>, &'static str> {
    let reconciliation = cover.get("reconciliation").ok_or("reconciliation")?;
    let number = |name: &'static str| reconciliation.get(name).and_then(Value::as_u64).ok_or(name);
    let (population, expected, reported) = (number("population")?, number("expected")?, number("reported")?);
    let excluded = total(reconciliation.get("excluded")).ok_or("excluded")?;
    let mut faults = Vec::new();
    if u128::from(population) != u128::from(expected) + excluded {
        faults.push(format!(
            "the rows do not add up: a population of {population} less {excluded} left out is not the expected {expected}"
        ));
    }
    if reported != expected {
        faults.push(format!("the rows do not add up: {reported} were reported, {expected} expected"));
    }
    let subtotals = reconciliation.get("subtotals").and_then(Value::as_array).ok_or("subtotals")?;
    for subtotal in subtotals {
        let by = subtotal.get("by").and_then(Value::as_str).ok_or("subtotals.by")?;
        let parts = total(subtotal.get("parts")).ok_or("subtotals.parts")?;
        if parts != u128::from(reported) {
            faults
                .push(format!("the subtotals by {by} do not add up: {parts}, but {reported} were reported"));
        }
    }
    for file in files(cover).unwrap_or_default() {
        if file.rows != reported {
            let (name, rows) = (&file.name, file.rows);
            faults.push(format!("{name}: the cover says {rows} rows, but {reported} were reported"));
        }
    }
    Ok(faults)
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
        cover["reconciliation"]["excluded"] = json!([{"label": "x"}]);
        assert_eq!(sums(&cover), Err("excluded"));
        assert_eq!(sums(&json!({})), Err("reconciliation"));
    }
}
