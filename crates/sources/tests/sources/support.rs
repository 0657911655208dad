//! Reads a source whole and puts its records into text that a person can read.

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt64Type;
use arrow::record_batch::RecordBatch;
use muster_sources::{
    AccountColumns, DelimitedSettings, ReadError, ReadSummary, ReaderSettings, RecordReader, Rejection,
    SourceDefinition, column, record_schema,
};

/// All that one read gave.
pub struct Outcome {
    /// Records as text, see [`record_text`].
    pub records: Vec<String>,
    pub rejections: Vec<Rejection>,
    /// What a read of changes found to be there.
    pub present: Vec<String>,
    pub summary: ReadSummary,
}

impl Outcome {
    /// Rejections as `line native-identity: reason`, a missing identity being `-`.
    pub fn rejection_texts(&self) -> Vec<String> {
        let text = |rejection: &Rejection| {
            let identity = rejection.native_identity.as_deref().unwrap_or("-");
            format!("{} {identity}: {}", rejection.line, rejection.reason)
        };
        self.rejections.iter().map(text).collect()
    }
}

/// A definition around settings.
pub fn definition(settings: DelimitedSettings) -> SourceDefinition {
    definition_of(settings)
}

/// A definition around settings of any kind.
pub fn definition_of(reader: impl Into<ReaderSettings>) -> SourceDefinition {
    SourceDefinition {
        id: SourceDefinition::derived_id("Test"),
        name: "Test".to_owned(),
        owner: None,
        delete_threshold_percent: 10,
        refused_max_percent: 10,
        accounts_missing_max: None,
        reader: reader.into(),
        profile: None,
        correlation: Vec::new(),
        lifecycle: None,
        optional: Vec::new(),
        total: None,
        never_kept: Vec::new(),
        columns: AccountColumns::default(),
    }
}

/// Writes `bytes` to a file and reads it with settings that `adjust` has changed; the native identity is `id`.
pub fn read_bytes(bytes: &[u8], adjust: impl FnOnce(&mut DelimitedSettings)) -> Result<Outcome, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("input.csv"), bytes).unwrap();
    let mut settings = DelimitedSettings::new("input.csv", "id");
    adjust(&mut settings);
    read(&definition(settings), folder.path())
}

/// Reads a source to its end.
pub fn read(definition: &SourceDefinition, base_dir: &Path) -> Result<Outcome, ReadError> {
    let reader = muster_sources::open(definition, base_dir)?;
    read_all(reader)
}

/// Reads a source on from the cursor of an earlier read.
pub fn read_after(
    definition: &SourceDefinition,
    base_dir: &Path,
    cursor: Option<&str>,
) -> Result<Outcome, ReadError> {
    read_all(muster_sources::open_source_after(definition, base_dir, &|_| None, cursor)?)
}

/// Reads what is left and checks what holds for every read.
pub fn read_all(mut reader: Box<dyn RecordReader>) -> Result<Outcome, ReadError> {
    let (mut records, mut rejections, mut present) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(batch) = reader.next_batch()? {
        assert_eq!(batch.records.schema(), record_schema());
        assert!(
            batch.records.num_rows() + batch.rejections.len() + batch.present.len() > 0,
            "a batch holds something"
        );
        records.extend((0..batch.records.num_rows()).map(|row| record_text(&batch.records, row)));
        rejections.extend(batch.rejections);
        present.extend(batch.present);
    }
    let summary = reader.finish()?;
    assert_eq!(summary.read, (records.len() + rejections.len()) as u64);
    assert_eq!(summary.rejected, rejections.len() as u64);
    assert_eq!(summary.complete, summary.incomplete_reason.is_none());
    assert!(summary.changes_only || present.is_empty());
    Ok(Outcome { records, rejections, present, summary })
}

/// `line identity [flags] name/display/uuid {attribute=value|value, ...} entitlement|entitlement`, where flags
/// are letters of disabled, locked, system, privileged, absent names are `-`, and the names and the entitlements
/// are left out where they say nothing (the name is the identity; no entitlement).
pub fn record_text(batch: &RecordBatch, row: usize) -> String {
    let text = |name: &str| {
        let values = batch.column_by_name(name).unwrap().as_string::<i32>();
        values.is_valid(row).then(|| values.value(row).to_owned())
    };
    let list = |values: &dyn Array| values.as_string::<i32>().iter().flatten().collect::<Vec<_>>().join("|");
    let line = batch.column_by_name(column::LINE).unwrap().as_primitive::<UInt64Type>().value(row);
    let identity = text(column::NATIVE_IDENTITY).unwrap();
    let mut result = format!("{line} {identity}");
    let flags: String =
        [(column::DISABLED, 'd'), (column::LOCKED, 'l'), (column::SYSTEM, 's'), (column::PRIVILEGED, 'p')]
            .into_iter()
            .filter(|(name, _)| batch.column_by_name(name).unwrap().as_boolean().value(row))
            .map(|(_, letter)| letter)
            .collect();
    if !flags.is_empty() {
        result += &format!(" [{flags}]");
    }
    let names = [text(column::NAME), text(column::DISPLAY_NAME), text(column::UUID)];
    if names != [Some(identity), None, None] {
        let names: Vec<_> = names.into_iter().map(|name| name.unwrap_or_else(|| "-".to_owned())).collect();
        result += &format!(" {}", names.join("/"));
    }
    let entries = batch.column_by_name(column::ATTRIBUTES).unwrap().as_map().value(row);
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_list::<i32>());
    let attributes: Vec<_> = (0..entries.len())
        .map(|entry| format!("{}={}", keys.value(entry), list(&values.value(entry))))
        .collect();
    result += &format!(" {{{}}}", attributes.join(", "));
    let entitlements = batch.column_by_name(column::ENTITLEMENTS).unwrap().as_list::<i32>().value(row);
    if !entitlements.is_empty() {
        result += &format!(" {}", list(&entitlements));
    }
    result
}

/// A folder of real input next to the repository, if there is one.
pub fn real_data(folder: &str) -> Option<PathBuf> {
    let path = format!("data/{folder}");
    let found = std::env::current_dir()
        .unwrap()
        .ancestors()
        .skip(3)
        .map(|outside| outside.join("shared").join(&path))
        .find(|candidate| candidate.exists());
    if found.is_none() {
        println!("SKIPPED: ../shared/{path} does not exist next to the repository");
    }
    found
}

/// A file's text, whatever its encoding.
pub fn lossy_text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}
