//! Lines of JSON as accounts.

use serde_json::Value;

use super::rows::drain;
use super::scratch::with_file;
use crate::account::{AccountSettings, FlagCondition};
use crate::files::FileSettings;
use crate::kinds::ndjson::NdjsonSettings;
use crate::named_columns::NamedColumns;
use crate::source_kind::{Opening, SourceKind};

/// A file.
///
/// What holds for every reader; besides, exactly the lines that are not blank are records, none that is not an object is
/// accepted, and a file that begins as an array is refused.
pub fn json_lines(data: &[u8]) {
    let disabled = FlagCondition { attribute: "off".to_owned(), values: None, present: false };
    let account = AccountSettings {
        entitlements: vec!["groups".to_owned()],
        disabled: Some(disabled),
        ..AccountSettings::new("id")
    };
    let outcome = with_file(data, |path| {
        let settings =
            NdjsonSettings(FileSettings { path: path.display().to_string(), as_of: None, account });
        let opening = Opening { base_dir: path, environment: &|_| None, total: None, cursor: None };
        drain(settings.open(NamedColumns::default(), &opening).expect("a file that is there is opened"))
    });
    let lines = data.split(|byte| *byte == b'\n').zip(1..);
    let lines = lines.map(|(line, number)| (line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line), number));
    let lines: Vec<_> = lines.filter(|(line, _)| !line.trim_ascii().is_empty()).collect();
    let is_array = lines.first().is_some_and(|(line, _)| line.trim_ascii().starts_with(b"["));
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            assert!(is_array, "{error}: a file that is there is refused for being an array alone");
            return;
        }
    };
    assert!(!is_array && outcome.summary.complete);
    let mut numbers: Vec<_> = outcome.rows.iter().map(|row| row.line).collect();
    numbers.extend(outcome.rejections.iter().map(|rejection| rejection.line));
    numbers.sort_unstable();
    assert_eq!(numbers, lines.iter().map(|(_, number)| *number).collect::<Vec<_>>());
    for row in &outcome.rows {
        let (line, _) = lines.iter().find(|(_, number)| *number == row.line).expect("it was counted");
        let object = serde_json::from_slice::<Value>(line.trim_ascii()).expect("an accepted line is JSON");
        assert!(object.is_object(), "{object} is accepted");
    }
}
