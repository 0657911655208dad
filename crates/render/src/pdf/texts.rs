//! Rows as texts, in the form that people read: booleans as yes and no, times to the minute; everything else as CSV has
//! it, without quotes and without the formula guard.

use std::ops::Range;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;

use super::cell;
use crate::FormulaGuard;
use crate::csv::cells::{Cells, Scratch};

/// Rows as texts: cells one after the other, with their ends.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// What a text of CSV becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    AsItIs,
    /// `yes` and `no`.
    Boolean,
    /// `2026-11-29 02:31`, in UTC.
    Time,
}

impl Form {
    #[expect(clippy::wildcard_enum_match_arm, reason = "Arrow's list of types is not ours")]
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Timestamp(..) => Self::Time,
            _ => Self::AsItIs,
        }
    }

    /// Changes the text that begins at `start`.
    fn apply(self, bytes: &mut Vec<u8>, start: usize) {
        match self {
            Self::AsItIs => {}
            Self::Boolean => {
                let word: &[u8] = match bytes.get(start) {
                    Some(b't') => b"yes",
                    Some(_) => b"no",
                    None => b"",
                };
                bytes.truncate(start);
                bytes.extend_from_slice(word);
            }
            Self::Time => {
                if let Some(at) = bytes[start..].iter().position(|byte| *byte == b'T') {
                    bytes[start + at] = b' ';
                    // Hours and minutes.
                    bytes.truncate(start + at + 6);
                }
            }
        }
    }
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
        let cells: Vec<(Cells<'_>, Form)> = arrays
            .iter()
            .filter_map(|array| Some((Cells::new(array.as_ref())?, Form::of(array.data_type()))))
            .collect();
        let mut scratch = Scratch::default();
        for row in 0..count {
            for (column, form) in &cells {
                let start = self.bytes.len();
                column.push(&mut self.bytes, &mut scratch, row, FormulaGuard::Off);
                cell::unquote(&mut self.bytes, start);
                form.apply(&mut self.bytes, start);
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

    /// Bytes that it takes in memory, about.
    pub(super) fn held(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<usize>()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Date32Array, StringArray, TimestampMicrosecondArray, TimestampSecondArray,
    };

    use super::*;

    #[test]
    fn booleans_and_times_are_written_for_people() {
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_795_919_519_999_999), None, Some(-1)])
                    .with_timezone("UTC"),
            ),
            Arc::new(TimestampSecondArray::from(vec![Some(0), Some(253_402_300_800), None])),
            Arc::new(StringArray::from(vec![Some("true"), Some("a, \"T\""), Some("")])),
            Arc::new(Date32Array::from(vec![Some(0), Some(1), None])),
        ];
        let texts = Texts::of(&arrays, 0..3);
        let cells: Vec<&str> = (0..texts.len()).map(|cell| texts.cell(cell)).collect();
        // date --utc --date=@1795919519; 253402300800 seconds is the first moment of the year 10000.
        let expected = [
            ["yes", "2026-11-29 02:31", "1970-01-01 00:00", "true", "1970-01-01"],
            ["no", "", "+010000-01-01 00:00", "a, \"T\"", "1970-01-02"],
            ["", "1969-12-31 23:59", "", "", ""],
        ];
        assert_eq!(cells, expected.concat());
    }
}
