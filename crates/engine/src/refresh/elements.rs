//! Lists for their owners, out of one sorted file: how documents get their arrays without a table of all
//! elements in memory.
//!
//! Invariants: owners are asked for in the order of the file; what is held is a few batches and the elements
//! of one owner.

use super::work::RowsInOrder;
use crate::error::{EngineError, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{concat_batches, take};
use datafusion::arrow::datatypes::{Field, SchemaRef};
use muster_sources::LIST_ITEM_FIELD;
use std::sync::Arc;

/// Rows of (owner, element), sorted by owner.
pub(super) struct SortedElements {
    schema: SchemaRef,
    rows: RowsInOrder,
    waiting: RecordBatch,
    ended: bool,
}

fn owners_of(batch: &RecordBatch) -> StringArray {
    batch.column(0).as_string::<i32>().clone()
}

impl SortedElements {
    pub(super) fn new(rows: RowsInOrder) -> Self {
        let schema = Arc::clone(rows.schema());
        let waiting = RecordBatch::new_empty(Arc::clone(&schema));
        Self { schema, rows, waiting, ended: false }
    }

    /// One list for each owner, empty where it has no element. `owners` go on where the last call ended.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub(super) fn lists_for(&mut self, owners: &StringArray) -> Result<ArrayRef> {
        let failed = |e| EngineError::data("gathering the elements of documents", e);
        self.read_past(owners)?;
        let known = owners_of(&self.waiting);
        let mut taken = Vec::new();
        let mut lengths = Vec::with_capacity(owners.len());
        let mut at = 0;
        for owner in owners.iter().flatten() {
            // Elements whose owner is asked for nowhere have none.
            while at < known.len() && known.value(at) < owner {
                at += 1;
            }
            let first = at;
            while at < known.len() && known.value(at) == owner {
                at += 1;
            }
            taken.extend((first..at).map(|row| u32::try_from(row).expect("a few batches have few rows")));
            lengths.push(at - first);
        }
        let elements = take(self.waiting.column(1), &UInt32Array::from(taken), None).map_err(failed)?;
        self.waiting = self.waiting.slice(at, self.waiting.num_rows() - at);
        let item = Field::new(LIST_ITEM_FIELD, elements.data_type().clone(), true);
        let list = ListArray::try_new(Arc::new(item), OffsetBuffer::from_lengths(lengths), elements, None);
        Ok(Arc::new(list.map_err(failed)?))
    }

    /// Reads until an element of a later owner waits, or there are no more.
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
        self.waiting = concat_batches(&self.schema, &batches)
            .map_err(|e| EngineError::data("gathering the elements of documents", e))?;
        Ok(())
    }
}
