//! Rows as texts: what CSV would have in its cells, without quotes and without the formula guard.

use std::ops::Range;

use arrow::array::ArrayRef;

use super::cell;
use crate::FormulaGuard;
use crate::csv::cells::{Cells, Scratch};

/// Rows as texts: cells one after the other, with their ends.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    /// The texts of some rows, whose columns have types that CSV has a form for.
    pub(super) fn of(arrays: &[ArrayRef], rows: Range<usize>) -> Self {
        let mut texts = Self::default();
        texts.push_rows(arrays, rows, |_| true);
        texts
    }

    /// Adds rows as long as `more` says so after each of them; returns how many were added.
    pub(super) fn push_rows(
        &mut self,
        arrays: &[ArrayRef],
        rows: Range<usize>,
        more: impl Fn(&Self) -> bool,
    ) -> usize {
        let count = rows.len();
        let arrays: Vec<ArrayRef> = arrays.iter().map(|array| array.slice(rows.start, count)).collect();
        let cells: Vec<Cells<'_>> = arrays.iter().filter_map(|array| Cells::new(array.as_ref())).collect();
        let mut scratch = Scratch::default();
        for row in 0..count {
            for column in &cells {
                let start = self.bytes.len();
                column.push(&mut self.bytes, &mut scratch, row, FormulaGuard::Off);
                cell::unquote(&mut self.bytes, start);
                self.ends.push(self.bytes.len());
            }
            if !more(self) {
                return row + 1;
            }
        }
        count
    }

    /// Cells.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all cells.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The text of a cell.
    pub(super) fn cell(&self, cell: usize) -> &str {
        std::str::from_utf8(&self.bytes[self.start(cell)..self.ends[cell]]).expect("a cell is text")
    }

    /// Some of the cells.
    pub(super) fn part(&self, cells: Range<usize>) -> Self {
        let start = self.start(cells.start);
        let ends: Vec<usize> = self.ends[cells].iter().map(|end| end - start).collect();
        let end = start + ends.last().copied().unwrap_or(0);
        Self { bytes: self.bytes[start..end].to_vec(), ends }
    }

    fn start(&self, cell: usize) -> usize {
        if cell == 0 { 0 } else { self.ends[cell - 1] }
    }
}
