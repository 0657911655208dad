//! Records of one read that name the same account and say different things.
//!
//! Why here: aggregation finds them by a query over what was staged; whoever only looks at a source, before it is
//! registered, has nothing staged. Each record is remembered by two fingerprints.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt64Type;
use arrow::record_batch::RecordBatch;

use crate::reader::Rejection;
use crate::record::column;

/// Accounts that are remembered; some 80 MB.
const REMEMBERED_MAX: usize = 1 << 21;

/// The accounts of a read so far.
pub struct Duplicates {
    /// Records of one account are united, and so none of them is refused.
    unites: bool,
    first: HashMap<u64, First>,
    refused: u64,
    is_partial: bool,
}

struct First {
    line: u64,
    content: u64,
    is_refused: bool,
}

impl Duplicates {
    /// Before the first record; `unites` says that several records of one account are united.
    #[must_use]
    pub fn new(unites: bool) -> Self {
        Self { unites, first: HashMap::new(), refused: 0, is_partial: false }
    }

    /// Notes the records of a batch; gives those that name an account of an earlier record and differ from it. A refresh
    /// refuses them, and the earlier record too, for which of them is right cannot be told.
    pub fn note(&mut self, records: &RecordBatch) -> Vec<Rejection> {
        let text = |name: &str, row: usize| {
            let values = records.column_by_name(name)?.as_string_opt::<i32>()?;
            values.is_valid(row).then(|| values.value(row))
        };
        let lines =
            records.column_by_name(column::LINE).and_then(|lines| lines.as_primitive_opt::<UInt64Type>());
        let mut found = Vec::new();
        for row in 0..records.num_rows() {
            let Some(native_identity) = text(column::NATIVE_IDENTITY, row) else { continue };
            let line = lines.map_or(0, |lines| lines.value(row));
            let content = content(records, row);
            let key = fingerprint(|hasher| native_identity.hash(hasher));
            let has_room = self.first.len() < REMEMBERED_MAX;
            match self.first.get_mut(&key) {
                Some(first) if self.unites || first.content == content => {}
                Some(first) => {
                    self.refused += 1 + u64::from(!std::mem::replace(&mut first.is_refused, true));
                    let place =
                        if first.line == 0 { String::new() } else { format!(" (line {})", first.line) };
                    found.push(Rejection {
                        line,
                        native_identity: Some(native_identity.to_owned()),
                        reason: format!(
                            "an earlier record{place} has this native identity and another content: expected one \
                             record for each account"
                        ),
                    });
                }
                None if has_room => {
                    self.first.insert(key, First { line, content, is_refused: false });
                }
                None => self.is_partial = true,
            }
        }
        found
    }

    /// Accounts that the records name, so far as they are remembered.
    #[must_use]
    pub fn accounts(&self) -> u64 {
        self.first.len() as u64
    }

    /// Records that a refresh refuses for this.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether there were more accounts than are remembered.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }
}

fn fingerprint(feed: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(&mut hasher);
    hasher.finish()
}

/// All that a record says, but for its line.
fn content(records: &RecordBatch, row: usize) -> u64 {
    fingerprint(|hasher| {
        for (field, values) in records.schema_ref().fields().iter().zip(records.columns()) {
            if field.name() != column::LINE {
                feed(values.as_ref(), row, hasher);
            }
        }
    })
}

/// A value of the few types that records have.
fn feed(values: &dyn Array, row: usize, hasher: &mut DefaultHasher) {
    values.is_valid(row).hash(hasher);
    if values.is_null(row) {
        return;
    }
    let feed_all = |elements: &dyn Array, hasher: &mut DefaultHasher| {
        elements.len().hash(hasher);
        (0..elements.len()).for_each(|index| feed(elements, index, hasher));
    };
    if let Some(texts) = values.as_string_opt::<i32>() {
        texts.value(row).hash(hasher);
    } else if let Some(flags) = values.as_boolean_opt() {
        flags.value(row).hash(hasher);
    } else if let Some(lists) = values.as_list_opt::<i32>() {
        feed_all(lists.value(row).as_ref(), hasher);
    } else if let Some(maps) = values.as_map_opt() {
        let entries = maps.value(row);
        feed_all(entries.column(0).as_ref(), hasher);
        feed_all(entries.column(1).as_ref(), hasher);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::record::RecordBuilder;

    fn batch(rows: &[(u64, &str, &str)]) -> RecordBatch {
        let mut builder = RecordBuilder::default();
        for (line, id, group) in rows {
            builder.line(*line);
            builder.native_identity(id);
            builder.names(Some(id), None, None);
            builder.flags([false; 4]);
            builder.attribute("group", std::iter::once(*group), true);
            builder.end_record();
        }
        builder.finish().unwrap()
    }

    #[test]
    fn records_of_one_account_that_differ_are_found_across_batches() {
        let mut duplicates = Duplicates::new(false);
        assert_eq!(duplicates.note(&batch(&[(2, "1", "a"), (3, "2", "a"), (4, "1", "a")])), []);
        let found = duplicates.note(&batch(&[(5, "1", "b"), (6, "3", "a"), (7, "1", "c")]));
        let found: Vec<_> =
            found.iter().map(|found| (found.line, found.native_identity.as_deref())).collect();
        assert_eq!(found, [(5, Some("1")), (7, Some("1"))]);
        // Lines 2, 5 and 7; line 4 says what line 2 does.
        assert_eq!((duplicates.refused(), duplicates.is_partial()), (3, false));
        assert_eq!(duplicates.accounts(), 3);
        let mut united = Duplicates::new(true);
        assert_eq!(united.note(&batch(&[(2, "1", "a"), (3, "2", "a"), (4, "1", "b")])), []);
        assert_eq!((united.refused(), united.accounts()), (0, 2));
    }
}
