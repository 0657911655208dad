//! Builds a list of elements for each owner from one sorted file, so that the arrays of documents are made without
//! holding all elements in memory.
//!
//! Invariants: owners and elements are in the order of owners; anything else is an error. Every element gets into the
//! list of its owner, or the step fails. Memory holds a few batches and the elements of one owner.

use super::work::{self, RowsInOrder};
use crate::error::{EngineError, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{concat_batches, partition, take_record_batch};
use datafusion::arrow::datatypes::{Field, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::physical_plan::PhysicalExpr;
use muster_sources::LIST_ITEM_FIELD;
use std::sync::Arc;

/// Rows sorted by the owner in their first column. Elements are built from rows when their list is needed.
pub(super) struct SortedElements {
    /// What the elements are, for errors.
    name: &'static str,
    schema: SchemaRef,
    rows: RowsInOrder,
    /// The expression that builds an element.
    element: Arc<dyn PhysicalExpr>,
    /// Whether a row that is equal to the row before it is left out.
    once: bool,
    waiting: RecordBatch,
    ended: bool,
    /// The last owner that was requested.
    last: Option<String>,
}

fn owners_of(batch: &RecordBatch) -> StringArray {
    batch.column(0).as_string::<i32>().clone()
}

impl SortedElements {
    pub(super) fn new(name: &'static str, rows: RowsInOrder, element: Arc<dyn PhysicalExpr>) -> Self {
        let schema = Arc::clone(rows.schema());
        let waiting = RecordBatch::new_empty(Arc::clone(&schema));
        Self { name, schema, rows, element, once: false, waiting, ended: false, last: None }
    }

    /// The same, without rows that are equal to the row before them.
    pub(super) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// One list for each owner; the list is empty if the owner has no element. `owners` continue after those of the
    /// last call.
    ///
    /// # Errors
    /// When the rows cannot be read, an owner is not after the one before it, or an element's owner was not requested
    /// in order.
    pub(super) fn lists_for(&mut self, owners: &StringArray) -> Result<ArrayRef> {
        let failed = |e| EngineError::data("gathering the elements of documents", e);
        self.read_past(owners)?;
        let known = owners_of(&self.waiting);
        let mut lengths = Vec::with_capacity(owners.len());
        let mut at = 0;
        let mut last = self.last.as_deref();
        for owner in owners {
            let Some(owner) = owner else {
                return Err(self.disorder("a document has no id"));
            };
            if last.is_some_and(|last| last >= owner) {
                return Err(self.disorder(&format!("document {owner} is not after the one before it")));
            }
            last = Some(owner);
            if at < known.len() && known.value(at) < owner {
                return Err(self.unclaimed(known.value(at)));
            }
            let first = at;
            while at < known.len() && known.value(at) == owner {
                at += 1;
            }
            lengths.push(at - first);
        }
        let last = last.map(str::to_owned);
        // Every row before this one belongs to an owner.
        let elements = work::made(&self.element, &self.waiting.slice(0, at))?;
        self.waiting = self.waiting.slice(at, self.waiting.num_rows() - at);
        self.last = last;
        let item = Field::new(LIST_ITEM_FIELD, elements.data_type().clone(), true);
        let list = ListArray::try_new(Arc::new(item), OffsetBuffer::from_lengths(lengths), elements, None);
        Ok(Arc::new(list.map_err(failed)?))
    }

    /// Checks that no element is left.
    ///
    /// # Errors
    /// When an element's owner was not requested in order.
    pub(super) fn finish(mut self) -> Result<()> {
        while self.waiting.num_rows() == 0 {
            match self.rows.next()? {
                Some(batch) => self.waiting = batch,
                None => return Ok(()),
            }
        }
        Err(self.unclaimed(owners_of(&self.waiting).value(0)))
    }

    fn unclaimed(&self, owner: &str) -> EngineError {
        self.disorder(&format!("an element of {owner} has no document in its turn"))
    }

    fn disorder(&self, what: &str) -> EngineError {
        EngineError::Disorder(format!(
            "gathering the {} of documents: {what}: expected documents and elements in the order of ids",
            self.name
        ))
    }

    /// Reads until there is an element of a later owner, or no more rows.
    fn read_past(&mut self, owners: &StringArray) -> Result<()> {
        let Some(last) = owners.iter().flatten().next_back() else { return Ok(()) };
        let mut batches = vec![self.waiting.clone()];
        let beyond = |batch: &RecordBatch| {
            let known = owners_of(batch);
            known.len() > 0 && known.value(known.len() - 1) > last
        };
        while !self.ended && !batches.last().is_some_and(beyond) {
            match self.rows.next()? {
                Some(batch) => batches.push(batch),
                None => self.ended = true,
            }
        }
        // All rows of an owner are among these.
        let rows = concat_batches(&self.schema, &batches);
        let rows = if self.once { rows.and_then(|rows| without_repeats(&rows)) } else { rows };
        self.waiting = rows.map_err(|e| EngineError::data("gathering the elements of documents", e))?;
        Ok(())
    }
}

/// The rows without those that are equal to the row before them.
fn without_repeats(rows: &RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
    let equal = partition(rows.columns())?.ranges();
    if equal.len() == rows.num_rows() {
        return Ok(rows.clone());
    }
    let firsts: UInt32Array = equal.iter().map(|rows| u32::try_from(rows.start).ok()).collect();
    take_record_batch(rows, &firsts)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::refresh::work::RowsFile;
    use datafusion::arrow::array::Int64Array;
    use datafusion::physical_expr::expressions::Column;

    /// Elements 0, 1, 2... of these owners, from a file.
    fn elements(dir: &std::path::Path, owners: &[&str]) -> SortedElements {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..owners.len() as i64));
        let owners: ArrayRef = Arc::new(StringArray::from_iter_values(owners));
        let batch = RecordBatch::try_from_iter([("owner", owners), ("element", numbers)]).unwrap();
        let mut file = RowsFile::create(dir.join("elements"), &batch.schema()).unwrap();
        for first in (0..batch.num_rows()).step_by(2) {
            file.write(&batch.slice(first, 2.min(batch.num_rows() - first))).unwrap();
        }
        SortedElements::new("accounts", file.close().unwrap(), Arc::new(Column::new("element", 1)))
    }

    /// The lists of several calls, or the text of the first error.
    fn lists(owners: &[&str], calls: &[&[&str]]) -> Result<Vec<Vec<i64>>, String> {
        let dir = tempfile::tempdir().unwrap();
        let mut elements = elements(dir.path(), owners);
        let mut lists = Vec::new();
        for call in calls {
            let made =
                elements.lists_for(&StringArray::from_iter_values(*call)).map_err(|e| e.to_string())?;
            let made = made.as_list::<i32>().clone();
            lists.extend(made.iter().map(|list| {
                let list = list.unwrap();
                list.as_primitive::<datafusion::arrow::datatypes::Int64Type>().values().to_vec()
            }));
        }
        elements.finish().map_err(|e| e.to_string())?;
        Ok(lists)
    }

    #[test]
    fn each_owner_gets_its_elements() {
        let made = lists(&["b", "b", "c", "e", "e", "e"], &[&["a", "b"], &["c"], &["d", "e", "f"]]).unwrap();
        let expected: [&[i64]; 6] = [&[], &[0, 1], &[2], &[], &[3, 4, 5], &[]];
        assert_eq!(made, expected);
        assert_eq!(lists(&[], &[&["a"]]).unwrap(), [Vec::<i64>::new()]);
    }

    #[test]
    fn a_row_that_is_repeated_is_one_element() {
        let dir = tempfile::tempdir().unwrap();
        let rows = [("a", 1), ("a", 1), ("a", 2), ("b", 2), ("b", 2), ("b", 2), ("c", 2), ("d", 1), ("d", 3)];
        let owners: ArrayRef = Arc::new(StringArray::from_iter_values(rows.map(|(owner, _)| owner)));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.map(|(_, number)| number)));
        let batch = RecordBatch::try_from_iter([("owner", owners), ("element", numbers)]).unwrap();
        // Whatever rows are in one batch.
        for size in 1..=rows.len() {
            let mut file = RowsFile::create(dir.path().join("elements"), &batch.schema()).unwrap();
            for first in (0..rows.len()).step_by(size) {
                file.write(&batch.slice(first, size.min(rows.len() - first))).unwrap();
            }
            let element = Arc::new(Column::new("element", 1));
            let mut elements = SortedElements::new("access", file.close().unwrap(), element).once();
            let mut lengths = Vec::new();
            for owners in [&["a", "b"][..], &["c"], &["d"]] {
                let lists = elements.lists_for(&StringArray::from_iter_values(owners)).unwrap();
                lengths.extend(lists.as_list::<i32>().offsets().lengths());
            }
            elements.finish().unwrap();
            assert_eq!(lengths, [2, 1, 1, 2], "{size}");
        }
    }

    #[test]
    fn whatever_is_out_of_order_is_an_error() {
        for (owners, calls, words) in [
            // Owners out of order, within a call and between two calls.
            (vec!["b"], vec![vec!["b", "a"]], "document a is not after the one before it"),
            (vec!["a", "b"], vec![vec!["a", "b"], vec!["a"]], "document a is not after the one before it"),
            (vec!["a"], vec![vec!["a", "a"]], "document a is not after the one before it"),
            // Elements out of order.
            (vec!["b", "a"], vec![vec!["a", "b"]], "an element of a has no document"),
            (vec!["a", "c", "b"], vec![vec!["a"], vec!["b"], vec!["c"]], "an element of b has no document"),
            // Elements whose owner is not requested: before, between and after the requested ones.
            (vec!["a", "b"], vec![vec!["b"]], "an element of a has no document"),
            (vec!["a", "b", "c"], vec![vec!["a", "c"]], "an element of b has no document"),
            (vec!["a", "b"], vec![vec!["a"]], "an element of b has no document"),
        ] {
            let calls: Vec<&[&str]> = calls.iter().map(Vec::as_slice).collect();
            let refused = lists(&owners, &calls).unwrap_err();
            assert!(refused.contains(words), "{owners:?}: {refused}");
        }
    }
}
