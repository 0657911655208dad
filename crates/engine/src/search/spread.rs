//! Converts the rows of a plan into rows of a file: names the columns, and writes one row for each element of a spread
//! list.
//!
//! If several lists are spread, the rows of each list form a block. The blocks follow one another. They are never
//! combined into a cross product.

use super::cells::CellFunction;
use super::flatten::{entered, index};
use crate::error::{EngineError, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array, new_null_array};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::SchemaRef;
use std::ops::Range;
use std::sync::Arc;

/// Rows of an output batch. It has more only if a single document has more elements.
const ROWS_MAX: usize = 8192;

/// How a batch of the plan becomes a batch of the file.
pub(super) struct Arrangement {
    /// The file's columns: the cells, then those of each spread.
    pub(super) schema: SchemaRef,
    /// Number of cells. They are the first columns of the plan.
    pub(super) cells: usize,
    /// The list that is spread in this block. It is the column after the cells.
    pub(super) spread: Option<Spread>,
}

/// A list that is spread.
pub(super) struct Spread {
    /// Number of columns of other spread lists between the cells and this list's columns. They are empty in this block.
    pub(super) before: usize,
    /// The shown fields of an element, in file order.
    pub(super) elements: Vec<CellFunction>,
}

impl Arrangement {
    /// The rows of the file for a batch of the plan.
    ///
    /// # Errors
    /// When the batch is not of the plan's types.
    pub(super) fn arrange(&self, batch: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let cells = &batch.columns()[..self.cells];
        match &self.spread {
            None => Ok(vec![self.batch(cells.to_vec())?]),
            Some(spread) => {
                let list = batch.column(self.cells);
                pieces(list).into_iter().map(|rows| self.spread(spread, cells, list, rows)).collect()
            }
        }
    }

    fn spread(
        &self,
        spread: &Spread,
        cells: &[ArrayRef],
        list: &ArrayRef,
        rows: Range<usize>,
    ) -> Result<RecordBatch> {
        let failed = |e| EngineError::data("spreading a list", e);
        let first = u32::try_from(rows.start).expect("a batch has few rows");
        let piece = list.slice(rows.start, rows.len());
        let (offsets, elements) = entered(piece.as_list::<i32>());
        let mut documents = Vec::with_capacity(elements.len());
        let mut places = Vec::with_capacity(elements.len());
        for (row, ends) in (first..).zip(offsets.windows(2)) {
            let valid = piece.is_valid((row - first) as usize);
            let range = if valid { ends[0]..ends[1] } else { 0..0 };
            if range.is_empty() {
                documents.push(row);
                places.push(None);
            }
            for place in range {
                documents.push(row);
                places.push(u32::try_from(place).ok());
            }
        }
        let (documents, places) = (UInt32Array::from(documents), UInt32Array::from(places));
        let mut columns = cells
            .iter()
            .map(|cell| take(cell, &documents, None))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let empty = |at: usize| new_null_array(self.schema.field(at).data_type(), documents.len());
        columns.extend((self.cells..self.cells + spread.before).map(empty));
        for element in &spread.elements {
            let shown = element.make(&elements).map_err(|e| EngineError::plan("spreading a list", e))?;
            columns.push(take(&shown, &places, None).map_err(failed)?);
        }
        columns.extend((columns.len()..self.schema.fields().len()).map(empty));
        self.batch(columns)
    }

    fn batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        let failed = |e| EngineError::data("arranging the columns of a search", e);
        let types = self.schema.fields().iter().map(|field| field.data_type());
        let columns = columns.iter().zip(types).map(|(column, data_type)| cast(column, data_type));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(failed)
    }
}

/// Ranges of rows that have few enough elements for one batch.
fn pieces(list: &ArrayRef) -> Vec<Range<usize>> {
    let offsets = list.as_list::<i32>().value_offsets();
    let mut pieces = Vec::new();
    let (mut start, mut rows) = (0, 0);
    for (row, ends) in offsets.windows(2).enumerate() {
        let more = index(ends[1] - ends[0]).max(1);
        if rows > 0 && rows + more > ROWS_MAX {
            pieces.push(start..row);
            (start, rows) = (row, 0);
        }
        rows += more;
    }
    if start < list.len() {
        pieces.push(start..list.len());
    }
    pieces
}
