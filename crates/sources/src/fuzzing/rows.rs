//! What holds for the batches and the summary of every reader of accounts.

use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt64Type;
use arrow::record_batch::RecordBatch;
use std::collections::BTreeSet;

use crate::reader::{Batch, ReadError, ReadSummary, RecordReader, Rejection};
use crate::record::column;

/// No text that tells what was wrong is longer, in bytes: there may be one for each record. Names from outside are cut
/// at 80 characters, each of which may be escaped.
const REASON_BYTES_MAX: usize = 1200;
/// No warning is, of which there are a few.
const WARNING_BYTES_MAX: usize = 32 * 1024;

/// An account record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) native_identity: String,
    pub(crate) attributes: Vec<(String, Vec<String>)>,
    pub(crate) entitlements: Vec<String>,
}

/// All that a source gave.
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) summary: ReadSummary,
}

/// Reads a source to its end.
pub(crate) fn drain(mut reader: Box<dyn RecordReader>) -> Result<Outcome, ReadError> {
    let (mut rows, mut rejections) = (Vec::new(), Vec::new());
    while let Some(batch) = reader.next_batch()? {
        assert!(batch.records.num_rows() + batch.rejections.len() > 0, "a batch of nothing");
        take(batch, &mut rows, &mut rejections);
    }
    assert!(reader.next_batch()?.is_none(), "a batch after the last one");
    let outcome = Outcome { rows, rejections, summary: reader.finish()? };
    check(&outcome);
    Ok(outcome)
}

/// Adds what a batch holds.
pub(crate) fn take(batch: Batch, rows: &mut Vec<Row>, rejections: &mut Vec<Rejection>) {
    rows.extend((0..batch.records.num_rows()).map(|row| self::row(&batch.records, row)));
    rejections.extend(batch.rejections);
}

/// Every record is a row or a rejection; names and values are there, once, and of the schema; reasons are short lines.
pub(crate) fn check(outcome: &Outcome) {
    let Outcome { rows, rejections, summary } = outcome;
    assert_eq!(summary.read, (rows.len() + rejections.len()) as u64, "records that are neither");
    assert_eq!(summary.rejected, rejections.len() as u64);
    let without_key = rejections.iter().filter(|rejection| rejection.native_identity.is_none());
    assert_eq!(summary.rejected_without_key, without_key.count() as u64);
    assert_eq!(summary.complete, summary.incomplete_reason.is_none());
    let schema: BTreeSet<_> = summary.schema.iter().collect();
    assert_eq!(schema.len(), summary.schema.len(), "a name twice in {:?}", summary.schema);
    for row in rows {
        assert!(!row.native_identity.trim().is_empty(), "a blank native identity");
        let names: BTreeSet<_> = row.attributes.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), row.attributes.len(), "a name twice in {row:?}");
        assert!(names.is_subset(&schema), "{row:?} is not of {schema:?}");
        for (_, values) in &row.attributes {
            assert!(!values.is_empty() && values.iter().all(|value| !value.is_empty()), "{row:?}");
        }
        let values: BTreeSet<_> = row.attributes.iter().flat_map(|(_, values)| values).collect();
        assert!(row.entitlements.iter().all(|value| values.contains(value)), "{row:?}");
    }
    for lines in [
        rows.iter().map(|row| row.line).collect::<Vec<_>>(),
        rejections.iter().map(|rejection| rejection.line).collect(),
    ] {
        assert!(lines.is_sorted_by(|one, next| one < next || (*one, *next) == (0, 0)), "{lines:?}");
    }
    let reasons = rejections.iter().map(|rejection| &rejection.reason);
    reasons.chain(&summary.incomplete_reason).for_each(|text| check_reason(text));
    for warning in &summary.warnings {
        assert!(warning.len() <= WARNING_BYTES_MAX, "a warning of {} bytes", warning.len());
    }
}

/// A short line.
pub(crate) fn check_reason(text: &str) {
    assert!(text.len() <= REASON_BYTES_MAX, "a reason of {} bytes", text.len());
    check_line(text);
}

/// A line, of which a source has one.
pub(crate) fn check_line(text: &str) {
    assert!(text.len() <= WARNING_BYTES_MAX, "a line of {} bytes", text.len());
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?} is not a line");
}

fn row(records: &RecordBatch, at: usize) -> Row {
    let column = |name: &str| records.column_by_name(name).expect("the record schema has it");
    let texts = |values: &dyn Array| -> Vec<String> {
        values.as_string::<i32>().iter().map(|value| value.expect("no value is null").to_owned()).collect()
    };
    let entries = column(column::ATTRIBUTES).as_map().value(at);
    let lists = entries.column(1).as_list::<i32>();
    let attributes = texts(entries.column(0).as_ref())
        .into_iter()
        .enumerate()
        .map(|(entry, name)| (name, texts(lists.value(entry).as_ref())))
        .collect();
    Row {
        line: column(column::LINE).as_primitive::<UInt64Type>().value(at),
        native_identity: column(column::NATIVE_IDENTITY).as_string::<i32>().value(at).to_owned(),
        attributes,
        entitlements: texts(column(column::ENTITLEMENTS).as_list::<i32>().value(at).as_ref()),
    }
}
