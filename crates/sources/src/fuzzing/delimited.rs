//! Delimited files.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::rows::{Outcome, check_line, drain};
use super::scratch::with_file;
use crate::kinds::delimited::{DelimitedReader, DelimitedSettings, FlagRule};
use crate::named_columns::NamedColumns;
use crate::reader::{ReadError, hex};

const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
const ENCODINGS: [&str; 4] = ["utf-8", "utf-16le", "windows-1252", "shift_jis"];

/// A byte that chooses delimiter, encoding and flag, and a file.
///
/// What holds for every reader; besides, the summary tells bytes and digest, lines are lines of the file, and what was
/// accepted, written in another dialect, is accepted again as the same.
pub fn delimited_file(data: &[u8]) {
    let Some((choice, file)) = data.split_first() else { return };
    let mut settings = settings();
    settings.delimiter = DELIMITERS[usize::from(choice & 3)];
    ENCODINGS[usize::from((choice >> 2) & 3)].clone_into(&mut settings.encoding);
    if choice & 16 != 0 {
        settings.disabled = Some(FlagRule { column: "off".to_owned(), values: None });
    }
    let outcome = match read(&settings, file) {
        Ok(outcome) => outcome,
        Err(ReadError::Header { reason, .. }) => return check_line(&reason),
        Err(error) => panic!("{error}: a file that is there is refused for its header alone"),
    };
    let Outcome { rows, rejections, summary } = &outcome;
    assert_eq!(summary.bytes, file.len() as u64);
    assert_eq!(summary.digest_sha256, hex(Sha256::digest(file)));
    let lines = rows.iter().map(|row| row.line).chain(rejections.iter().map(|rejection| rejection.line));
    let ends = file.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64;
    // The header has a line of its own. In UTF-16 other units than line ends have such bytes, but none lacks them.
    assert!(lines.clone().all(|line| (2..=ends + 1).contains(&line)), "{:?}", lines.collect::<Vec<_>>());

    let written = with_quotes(&outcome);
    let again = read(&self::settings(), written.as_bytes()).expect("what was written has a header");
    assert_eq!(again.rejections, [], "{written}");
    let content = |outcome: &Outcome| -> Vec<_> {
        let rows = outcome.rows.iter();
        rows.map(|row| format!("{:?} {:?}", row.native_identity, row.attributes)).collect()
    };
    assert_eq!(content(&again), content(&outcome), "{written}");
}

fn settings() -> DelimitedSettings {
    DelimitedSettings {
        multi_valued: vec!["groups".to_owned()],
        entitlements: vec!["groups".to_owned(), "role".to_owned()],
        ..DelimitedSettings::new("the scratch file", "id")
    }
}

fn read(settings: &DelimitedSettings, bytes: &[u8]) -> Result<Outcome, ReadError> {
    with_file(bytes, |path| {
        let settings = DelimitedSettings { path: path.display().to_string(), ..settings.clone() };
        drain(Box::new(DelimitedReader::open(&settings, path, &NamedColumns::default(), None)?))
    })
}

/// The accepted rows as a file in which every field is quoted.
fn with_quotes(outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut line = |fields: &mut dyn Iterator<Item = String>| {
        let fields: Vec<_> = fields.map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
        writeln!(text, "{}", fields.join(",")).expect("a string takes every text");
    };
    line(&mut outcome.summary.schema.iter().cloned());
    for row in &outcome.rows {
        line(&mut outcome.summary.schema.iter().map(|name| {
            let found = row.attributes.iter().find(|(attribute, _)| attribute == name);
            found.map_or_else(String::new, |(_, values)| values.join(";"))
        }));
    }
    text
}
