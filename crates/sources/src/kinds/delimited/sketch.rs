//! What a delimited file looks like, for somebody who has no definition of it yet: its encoding, its delimiter, its
//! columns and what their values look like.
//!
//! It is a suggestion made from the beginning of the file. A check of the source (`check_source`) reads all of it.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use chrono::{DateTime, NaiveDate};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::splitter::Splitter;
use crate::files::open_file;
use crate::reader::ReadError;

/// Bytes of the file that are looked at.
const SAMPLE_BYTES: usize = 1 << 20;
/// Records that are looked at.
const SAMPLE_RECORDS: usize = 1_000;
/// Delimiters that are tried, the most usual first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// What is looked for between the values of a cell.
const SEPARATORS: [char; 2] = [';', '|'];
/// Forms of dates that are known.
const DATES: [&str; 4] = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d"];
/// What a flag says.
const FLAGS: [&str; 6] = ["true", "false", "yes", "no", "1", "0"];

/// What all values of a column look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// There is none.
    None,
    /// Yes or no.
    Flag,
    /// A whole number.
    Number,
    /// A date, or a date and a time.
    Date,
    /// An e-mail address.
    Email,
    /// Anything.
    Text,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSketch {
    /// Its name in the header.
    pub name: String,
    /// Records with a value.
    pub filled: usize,
    /// Whether no two records have the same value.
    pub distinct: bool,
    /// What the values look like.
    pub kind: ValueKind,
    /// What seems to separate several values of a cell.
    pub separator: Option<char>,
}

/// What a file looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// The label of its encoding.
    pub encoding: String,
    /// What stands between fields.
    pub delimiter: char,
    /// Its columns.
    pub columns: Vec<ColumnSketch>,
    /// Records that were looked at.
    pub records: usize,
    /// Whether these are all.
    pub is_whole: bool,
}

/// Looks at the beginning of a file.
///
/// # Errors
/// When it cannot be read, or has no header.
pub fn sketch(path: &Path) -> Result<Sketch, ReadError> {
    let (bytes, is_whole) = beginning(open_file(path)?, path)?;
    let encoding = encoding_of(&bytes, is_whole);
    let (text, _, _) = encoding.decode(&bytes);
    let text = if is_whole { &text[..] } else { up_to_last_line(&text) };
    let tried = DELIMITERS.map(|delimiter| (delimiter, records(text, delimiter)));
    let best = tried.iter().rev().max_by_key(|(_, records)| fitness(records));
    let Some((delimiter, [header, rows @ ..])) = best.map(|(delimiter, records)| (*delimiter, &records[..]))
    else {
        return Err(ReadError::Header {
            path: path.display().to_string(),
            line: 1,
            column: 0,
            reason: "expected a header and found the end of the file".to_owned(),
        });
    };
    let delimiter = char::from(delimiter);
    let columns = header.iter().enumerate().map(|(at, name)| column(name, at, rows, delimiter)).collect();
    Ok(Sketch {
        encoding: encoding.name().to_ascii_lowercase(),
        delimiter,
        columns,
        records: rows.len(),
        is_whole: is_whole && rows.len() < SAMPLE_RECORDS,
    })
}

/// The first bytes, and whether they are all.
fn beginning(file: File, path: &Path) -> Result<(Vec<u8>, bool), ReadError> {
    let mut bytes = Vec::new();
    let most = SAMPLE_BYTES as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(|source| ReadError::Io {
        action: "read",
        path: path.display().to_string(),
        source,
    })?;
    let is_whole = bytes.len() <= SAMPLE_BYTES;
    bytes.truncate(SAMPLE_BYTES);
    Ok((bytes, is_whole))
}

fn encoding_of(bytes: &[u8], is_whole: bool) -> &'static Encoding {
    if let Some((marked, _)) = Encoding::for_bom(bytes) {
        return marked;
    }
    // Of a text in Latin letters, every other byte is zero.
    let zeros = |first: usize| bytes.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let most = bytes.len() * 2 / 5;
    if bytes.len() > 3 && zeros(1) > most {
        return UTF_16LE;
    }
    if bytes.len() > 3 && zeros(0) > most {
        return UTF_16BE;
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        // The sample may end inside of a letter.
        Err(fault) if !is_whole && fault.error_len().is_none() => UTF_8,
        Err(_) => WINDOWS_1252,
    }
}

fn up_to_last_line(text: &str) -> &str {
    text.rfind(['\n', '\r']).map_or(text, |at| &text[..=at])
}

/// The header and the first records.
fn records(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    let mut splitter = Splitter::new(delimiter, 0, &[]);
    let mut rest = text.as_bytes();
    let mut records = Vec::new();
    while records.len() <= SAMPLE_RECORDS {
        let (used, complete) = splitter.feed(rest);
        rest = &rest[used..];
        let is_whole = complete || rest.is_empty() && splitter.end();
        if !is_whole {
            break;
        }
        let fields = (0..splitter.record.field_count).map_while(|at| splitter.record.field(at));
        records.push(fields.map(str::to_owned).collect());
        if rest.is_empty() && !complete {
            break;
        }
    }
    records
}

/// How well a delimiter fits: how many tenths of the records have as many fields as the header, then how many those are.
fn fitness(records: &[Vec<String>]) -> (usize, usize) {
    let Some((header, rows)) = records.split_first() else { return (0, 0) };
    if header.len() < 2 {
        return (0, header.len());
    }
    let same = rows.iter().filter(|row| row.len() == header.len()).count();
    let tenths = if rows.is_empty() { 10 } else { same * 10 / rows.len() };
    (tenths, header.len())
}

fn column(name: &str, at: usize, rows: &[Vec<String>], delimiter: char) -> ColumnSketch {
    let values: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.get(at))
        .map(|cell| cell.trim())
        .filter(|cell| !cell.is_empty())
        .collect();
    let separator = SEPARATORS.into_iter().filter(|separator| *separator != delimiter).find(|separator| {
        values.iter().filter(|value| value.contains(*separator)).count() * 10 > values.len()
    });
    ColumnSketch {
        name: name.to_owned(),
        filled: values.len(),
        distinct: values.iter().collect::<HashSet<_>>().len() == values.len(),
        kind: kind(&values),
        separator,
    }
}

fn kind(values: &[&str]) -> ValueKind {
    let all = |is: fn(&str) -> bool| values.iter().all(|value| is(value));
    let is_flag = |value: &str| FLAGS.iter().any(|flag| value.eq_ignore_ascii_case(flag));
    let is_number = |value: &str| value.bytes().all(|byte| byte.is_ascii_digit());
    let is_date = |value: &str| {
        DateTime::parse_from_rfc3339(value).is_ok()
            || DATES.iter().any(|form| NaiveDate::parse_from_str(value, form).is_ok())
    };
    let is_email = |value: &str| {
        value.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty()
                && host.contains('.')
                && !value.contains(char::is_whitespace)
                && !host.contains('@')
        })
    };
    if values.is_empty() {
        ValueKind::None
    } else if all(is_flag) {
        ValueKind::Flag
    } else if all(is_date) {
        ValueKind::Date
    } else if all(is_number) {
        ValueKind::Number
    } else if all(is_email) {
        ValueKind::Email
    } else {
        ValueKind::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketched(bytes: &[u8]) -> Sketch {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let path = dir.path().join("people.csv");
        std::fs::write(&path, bytes).expect("a file can be written");
        sketch(&path).expect("it has a header")
    }

    fn names(sketch: &Sketch) -> Vec<&str> {
        sketch.columns.iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn delimiters_are_found() {
        for (text, delimiter, columns) in [
            ("id,name\n1,Ada\n", ',', vec!["id", "name"]),
            ("id;name;note\n1;Ada;a, b, c\n2;Bob;x, y\n", ';', vec!["id", "name", "note"]),
            ("id\tname\r\n1\tAda\r\n", '\t', vec!["id", "name"]),
            ("id|groups\n1|a;b\n2|c;d;e\n", '|', vec!["id", "groups"]),
            ("id,\"a;b;c\"\n1,\"x;y\"\n", ',', vec!["id", "a;b;c"]),
            ("only\nAda\n", ',', vec!["only"]),
        ] {
            let found = sketched(text.as_bytes());
            assert_eq!((found.delimiter, names(&found)), (delimiter, columns), "{text:?}");
        }
    }

    #[test]
    fn encodings_are_found() {
        let text = "id,name\n1,Zo\u{e9}\n";
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&[0xff, 0xfe][..], &wide].concat();
        for (bytes, encoding) in [
            (text.as_bytes(), "utf-8"),
            (b"id,name\n1,Zo\xe9\n", "windows-1252"),
            (&marked, "utf-16le"),
            (&wide, "utf-16le"),
            (b"\xef\xbb\xbfid,name\n1,Ada\n", "utf-8"),
        ] {
            let found = sketched(bytes);
            assert_eq!((found.encoding.as_str(), names(&found)), (encoding, vec!["id", "name"]));
        }
    }

    #[test]
    fn columns_say_what_their_values_look_like() {
        let found = sketched(
            b"num,mail,active,since,groups,note,empty\n\
              1,ada@example.com,yes,2024-01-31,a;b,x,\n\
              2,bob@example.com,no,2024-02-29,c,,\n\
              3,cy@example.com,no,2023-12-01,d;e,x,\n",
        );
        let columns: Vec<_> =
            found.columns.iter().map(|c| (c.kind, c.filled, c.distinct, c.separator)).collect();
        assert_eq!(
            columns,
            [
                (ValueKind::Number, 3, true, None),
                (ValueKind::Email, 3, true, None),
                (ValueKind::Flag, 3, false, None),
                (ValueKind::Date, 3, true, None),
                (ValueKind::Text, 3, true, Some(';')),
                (ValueKind::Text, 2, false, None),
                (ValueKind::None, 0, true, None),
            ]
        );
        assert_eq!((found.records, found.is_whole), (3, true));
    }

    #[test]
    fn a_long_file_is_sampled() {
        let mut text = String::from("id,name\n");
        (0..200_000).for_each(|id| text.push_str(&format!("{id},n{id}\n")));
        let found = sketched(text.as_bytes());
        assert_eq!((found.records, found.is_whole), (1_000, false));
        assert!(found.columns[0].distinct);
    }

    #[test]
    fn an_empty_file_is_refused() {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let path = dir.path().join("empty.csv");
        std::fs::write(&path, "").expect("a file can be written");
        let error = sketch(&path).map(drop).expect_err("it has no header").to_string();
        assert!(error.ends_with("empty.csv:1:0: expected a header and found the end of the file"), "{error}");
    }
}
