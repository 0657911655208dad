//! The first rows of a report's CSV file, without the rest of it.

use crate::failure::{Context, Failure, Result};
use muster_client::FileStream;
use serde::Serialize;
use std::io::{Cursor, Read};

/// Bytes of a file that are fetched for its first rows.
const FETCHED_MOST: usize = 8 << 20;
/// Characters of a cell that are shown.
const CELL_MOST: usize = 300;
/// Bytes of all cells that are shown.
const SHOWN_MOST: usize = 32 << 10;
/// Files of an archive that are shown.
const FILES_MOST: usize = 8;

/// What is wanted of a file.
pub struct Wanted<'a> {
    /// How many rows.
    pub rows: usize,
    /// The names of the columns; all if it is empty.
    pub columns: &'a [String],
}

/// A table's first rows.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FirstRows {
    /// The file's name.
    pub file: String,
    /// The columns that are shown.
    pub columns: Vec<String>,
    /// Their cells as the file has them.
    pub rows: Vec<Vec<String>>,
    /// Whether the file has more rows than these.
    pub more_rows: bool,
}

/// Fetches as much as is needed of a CSV file, or of an archive of them.
///
/// # Errors `broken` says why a transfer broke. Otherwise when the file is not what it should be, or an archive is too large.
pub async fn fetch(
    mut file: FileStream,
    wanted: &Wanted<'_>,
    broken: impl Fn(&muster_client::Error) -> Failure,
) -> Result<Vec<FirstRows>> {
    let name = file.file_name().unwrap_or_else(|| "report.csv".into());
    let mut bytes = Vec::new();
    let mut look_at = 16 << 10;
    let mut whole = false;
    while bytes.len() < FETCHED_MOST {
        let Some(chunk) = file.chunk().await.map_err(|error| broken(&error))? else {
            whole = true;
            break;
        };
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= look_at && !is_archive(&bytes) {
            if complete_records(&bytes) > wanted.rows + 1 {
                break;
            }
            // Looking at twice as much each time costs no more than looking at all of it twice.
            look_at = bytes.len() * 2;
        }
    }
    if !is_archive(&bytes) {
        return Ok(vec![rows(name, &bytes, whole, wanted)?]);
    }
    if !whole {
        return Err(Failure::new(format!(
            "the report's archive has more than {FETCHED_MOST} bytes: fetch it with `muster report get`, or narrow the query"
        )));
    }
    of_archive(bytes, wanted)
}

fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// Records that end within these bytes, the header included.
fn complete_records(bytes: &[u8]) -> usize {
    reader(bytes).into_byte_records().filter(std::result::Result::is_ok).count().saturating_sub(1)
}

fn reader(bytes: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes)
}

fn of_archive(bytes: Vec<u8>, wanted: &Wanted<'_>) -> Result<Vec<FirstRows>> {
    let damaged = || "the report's archive cannot be read".into();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).context(damaged)?;
    let mut files = Vec::new();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).context(damaged)?;
        let name = entry.name().context(damaged)?.into_owned();
        if !name.ends_with(".csv") || files.len() == FILES_MOST {
            continue;
        }
        // A small archive may hold a large file.
        let mut bytes = Vec::new();
        let read = entry.by_ref().take(FETCHED_MOST as u64).read_to_end(&mut bytes).context(damaged)?;
        files.push(rows(name, &bytes, read < FETCHED_MOST, wanted)?);
    }
    Ok(files)
}

/// The first rows of these bytes; `whole` if they are all of the file.
fn rows(file: String, bytes: &[u8], whole: bool, wanted: &Wanted<'_>) -> Result<FirstRows> {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // The last record of a part may go on.
    let records = if whole { usize::MAX } else { complete_records(text) };
    let mut records = reader(text).into_byte_records().take(records);
    let damaged = || format!("{file} is not a CSV file");
    let header = records.next().transpose().context(damaged)?.unwrap_or_default();
    let names: Vec<String> = header.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
    let shown = shown(&names, wanted.columns, &file)?;
    let mut found = FirstRows {
        columns: shown.iter().filter_map(|at| names.get(*at).cloned()).collect(),
        file,
        rows: Vec::new(),
        more_rows: false,
    };
    let mut bytes = 0;
    for record in records {
        let record = record.context(|| format!("{} is not a CSV file", found.file))?;
        let cells: Vec<String> = shown.iter().map(|at| cut(record.get(*at).unwrap_or_default())).collect();
        bytes += cells.iter().map(|cell| cell.len() + 3).sum::<usize>();
        if found.rows.len() == wanted.rows || bytes > SHOWN_MOST {
            found.more_rows = true;
            return Ok(found);
        }
        found.rows.push(cells);
    }
    found.more_rows = !whole;
    Ok(found)
}

/// The places of the wanted columns.
fn shown(names: &[String], wanted: &[String], file: &str) -> Result<Vec<usize>> {
    if wanted.is_empty() {
        return Ok((0..names.len()).collect());
    }
    let place = |name: &String| {
        names.iter().position(|found| found == name).ok_or_else(|| {
            let near = muster_reports::nearest::hint(name, names.iter().map(String::as_str));
            Failure::new(format!(
                "{file} has no column {name:?}{near}; expected some of {}",
                names.join(", ")
            ))
        })
    };
    wanted.iter().map(place).collect()
}

/// A cell as text, cut if it is long.
fn cut(cell: &[u8]) -> String {
    let text = String::from_utf8_lossy(cell);
    match text.char_indices().nth(CELL_MOST) {
        Some((at, _)) => format!("{}… (+{} bytes)", &text[..at], text.len() - at),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn first(text: &str, whole: bool, most: usize, columns: &[&str]) -> Result<FirstRows> {
        let columns: Vec<_> = columns.iter().map(|name| (*name).to_owned()).collect();
        rows("a.csv".into(), text.as_bytes(), whole, &Wanted { rows: most, columns: &columns })
    }

    #[test]
    fn rows_are_shown_up_to_the_number() {
        let text = "\u{feff}id,name\r\n1,\"Ada, the\nfirst\"\r\n2,Bob\r\n3,Cy\r\n";
        let two = first(text, true, 2, &[]).unwrap();
        assert_eq!(two.columns, ["id", "name"]);
        assert_eq!(two.rows, [["1", "Ada, the\nfirst"], ["2", "Bob"]]);
        assert!(two.more_rows);
        let three = first(text, true, 3, &[]).unwrap();
        assert_eq!((three.rows.len(), three.more_rows), (3, false));
        assert_eq!(first("id,name\r\n", true, 3, &[]).unwrap().rows.len(), 0);
    }

    /// A file that was fetched in part ends anywhere, also in the middle of a cell.
    #[test]
    fn what_may_go_on_is_not_shown() {
        let part = first("id,name\r\n1,Ada\r\n2,\"Bob, the\r\n", false, 9, &[]).unwrap();
        assert_eq!(part.rows, [["1", "Ada"]]);
        assert!(part.more_rows);
    }

    #[test]
    fn columns_are_chosen_by_name() {
        let text = "id,name,city\r\n1,Ada,London\r\n";
        let chosen = first(text, true, 9, &["city", "id"]).unwrap();
        assert_eq!(chosen.columns, ["city", "id"]);
        assert_eq!(chosen.rows, [["London", "1"]]);
        let wrong = first(text, true, 9, &["ctiy"]).unwrap_err().to_string();
        assert_eq!(
            wrong,
            "a.csv has no column \"ctiy\": the nearest name is \"city\"; expected some of id, name, city"
        );
    }

    #[test]
    fn much_text_is_cut() {
        let long = "ä".repeat(400);
        let cell = &first(&format!("id\r\n{long}\r\n"), true, 9, &[]).unwrap().rows[0][0];
        assert_eq!(*cell, format!("{}… (+200 bytes)", "ä".repeat(300)));
        let many: String = (0..1_000).map(|_| format!("{}\r\n", "x".repeat(290))).collect();
        let shown = first(&format!("id\r\n{many}"), true, 1_000, &[]).unwrap();
        assert!(shown.more_rows);
        assert_eq!(shown.rows.len(), 32 * 1024 / 293);
    }
}
