//! The cells of one column of one batch, as what a spreadsheet can hold.

#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow's list of types is not ours")]

use std::borrow::Cow;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use crate::csv::cells::join_list;
use crate::json::{is_scalar, is_text, is_writable, push_json, push_scalar, text};

/// Widest column, in characters.
pub(super) const WIDTH_MAX: usize = 60;
/// Most UTF-16 units of a text.
const TEXT_UNITS_MAX: usize = 32_767;
/// Largest whole number that a spreadsheet shows with all its digits.
const EXACT_MAX: u64 = 999_999_999_999_999;
/// Digits that a spreadsheet keeps of a number.
const DIGITS_MAX: usize = 15;
/// Spreadsheets count days from 1899-12-30, as they have it, to 1970-01-01.
const DAYS_TO_1970: i64 = 25_569;
/// 1900-03-01, the first day that all spreadsheets number alike, and the day after 9999-12-31, from 1970 on.
const DAYS: std::ops::Range<i64> = -25_508..2_932_897;
const MILLISECONDS_PER_DAY: i64 = 86_400_000;

/// The content of one cell.
#[derive(Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Empty,
    Text(Cow<'a, str>),
    Number(f64),
    Boolean(bool),
    /// Days since 1899-12-30, with a part of a day.
    Time(f64),
    /// Days since 1899-12-30.
    Date(f64),
}

/// A column.
pub(super) struct SheetColumn<'a> {
    array: &'a dyn Array,
    kind: CellKind,
}

#[derive(Clone, Copy)]
enum CellKind {
    Text,
    Boolean,
    Int32,
    Int64,
    Double,
    /// Any other number.
    Decimal,
    Time(TimeUnit),
    Date32,
    Date64,
    List,
    LargeList,
    Json,
}

impl<'a> SheetColumn<'a> {
    /// `None` for a type that has no form in a spreadsheet.
    pub(super) fn new(array: &'a dyn Array) -> Option<Self> {
        let kind = match array.data_type() {
            data_type if is_text(data_type) => CellKind::Text,
            DataType::Boolean => CellKind::Boolean,
            DataType::Int32 => CellKind::Int32,
            DataType::Int64 => CellKind::Int64,
            DataType::Float64 => CellKind::Double,
            DataType::Timestamp(unit, _) => CellKind::Time(*unit),
            DataType::Date32 => CellKind::Date32,
            DataType::Date64 => CellKind::Date64,
            DataType::List(item) if is_text(item.data_type()) => CellKind::List,
            DataType::LargeList(item) if is_text(item.data_type()) => CellKind::LargeList,
            data_type if is_scalar(data_type) => CellKind::Decimal,
            data_type if is_writable(data_type) => CellKind::Json,
            _ => return None,
        };
        Some(Self { array, kind })
    }

    /// The cell of a row.
    pub(super) fn cell(&self, row: usize) -> Cell<'a> {
        let array = self.array;
        if array.is_null(row) {
            return Cell::Empty;
        }
        match self.kind {
            CellKind::Text => text_cell(Cow::Borrowed(text(array, row).unwrap_or_default())),
            CellKind::Boolean => Cell::Boolean(array.as_boolean().value(row)),
            CellKind::Int32 => Cell::Number(array.as_primitive::<Int32Type>().value(row).into()),
            CellKind::Int64 => {
                let value = array.as_primitive::<Int64Type>().value(row);
                if value.unsigned_abs() <= EXACT_MAX {
                    // Below 2^53.
                    Cell::Number(value as f64)
                } else {
                    Cell::Text(Cow::Owned(value.to_string()))
                }
            }
            CellKind::Double => {
                let value = array.as_primitive::<Float64Type>().value(row);
                if value.is_finite() { Cell::Number(value) } else { self.written(row) }
            }
            CellKind::Decimal => self.decimal(row),
            CellKind::Time(unit) => self.time(row, unit),
            CellKind::Date32 => self.date(row, array.as_primitive::<Date32Type>().value(row).into()),
            CellKind::Date64 => {
                let milliseconds = array.as_primitive::<Date64Type>().value(row);
                self.date(row, milliseconds.div_euclid(MILLISECONDS_PER_DAY))
            }
            CellKind::List => {
                let mut joined = String::new();
                join_list(&mut joined, array.as_list::<i32>(), row);
                text_cell(Cow::Owned(joined))
            }
            CellKind::LargeList => {
                let mut joined = String::new();
                join_list(&mut joined, array.as_list::<i64>(), row);
                text_cell(Cow::Owned(joined))
            }
            CellKind::Json => {
                let mut json = Vec::new();
                push_json(&mut json, array, row);
                text_cell(Cow::Owned(String::from_utf8_lossy(&json).into_owned()))
            }
        }
    }

    /// The text that the CSV cell would have.
    fn written(&self, row: usize) -> Cell<'a> {
        let mut text = Vec::new();
        push_scalar(&mut text, self.array, row);
        text_cell(Cow::Owned(String::from_utf8_lossy(&text).into_owned()))
    }

    fn decimal(&self, row: usize) -> Cell<'a> {
        let written = self.written(row);
        let Cell::Text(text) = &written else { return written };
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let digits = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && digits <= DIGITS_MAX => Cell::Number(number),
            Ok(_) | Err(_) => written,
        }
    }

    fn time(&self, row: usize, unit: TimeUnit) -> Cell<'a> {
        let (value, per_second) = match unit {
            TimeUnit::Second => (self.array.as_primitive::<TimestampSecondType>().value(row), 1),
            TimeUnit::Millisecond => {
                (self.array.as_primitive::<TimestampMillisecondType>().value(row), 1_000)
            }
            TimeUnit::Microsecond => {
                (self.array.as_primitive::<TimestampMicrosecondType>().value(row), 1_000_000)
            }
            TimeUnit::Nanosecond => {
                (self.array.as_primitive::<TimestampNanosecondType>().value(row), 1_000_000_000)
            }
        };
        let (seconds, part) = (value.div_euclid(per_second), value.rem_euclid(per_second));
        let (day, second_of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        if !DAYS.contains(&day) {
            return self.written(row);
        }
        let milliseconds = second_of_day * 1_000 + part * 1_000 / per_second;
        // Both are far below 2^53.
        Cell::Time((day + DAYS_TO_1970) as f64 + milliseconds as f64 / MILLISECONDS_PER_DAY as f64)
    }

    fn date(&self, row: usize, day: i64) -> Cell<'a> {
        // Far below 2^53.
        if DAYS.contains(&day) { Cell::Date((day + DAYS_TO_1970) as f64) } else { self.written(row) }
    }
}

fn text_cell(text: Cow<'_, str>) -> Cell<'_> {
    if text.is_empty() { Cell::Empty } else { Cell::Text(text) }
}

/// Columns of a fixed-width display that a text takes, about: wide scripts take two a letter.
pub(super) fn display_width(text: &str) -> usize {
    let lines = text.lines().map(|line| {
        line.chars().take(WIDTH_MAX).map(|letter| if letter >= '\u{1100}' { 2 } else { 1 }).sum::<usize>()
    });
    lines.max().unwrap_or(0)
}

/// The text as a cell can hold it, and whether it was cut; then its end says how many characters are left out.
pub(super) fn fit(text: &str) -> (Cow<'_, str>, bool) {
    // A text never has more UTF-16 units than bytes.
    if text.len() <= TEXT_UNITS_MAX || text.chars().map(char::len_utf16).sum::<usize>() <= TEXT_UNITS_MAX {
        return (Cow::Borrowed(text), false);
    }
    let letters = text.chars().count();
    // The note has at most as many units as for all letters.
    let note = |left_out: usize| format!("… [{left_out} more characters]");
    let mut room = TEXT_UNITS_MAX - note(letters).chars().count();
    let mut kept = String::new();
    let mut kept_letters = 0;
    for letter in text.chars() {
        if letter.len_utf16() > room {
            break;
        }
        room -= letter.len_utf16();
        kept.push(letter);
        kept_letters += 1;
    }
    kept.push_str(&note(letters - kept_letters));
    (Cow::Owned(kept), true)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, StringArray,
        TimestampMicrosecondArray, UInt64Array,
    };

    use super::*;

    fn cells(array: &ArrayRef) -> Vec<Cell<'_>> {
        let column = SheetColumn::new(array.as_ref()).expect("a type that is written");
        (0..array.len()).map(|row| column.cell(row)).collect()
    }

    fn text(text: &str) -> Cell<'_> {
        Cell::Text(Cow::Borrowed(text))
    }

    #[test]
    fn numbers_are_numbers_while_they_are_exact() {
        let whole: ArrayRef =
            Arc::new(Int64Array::from(vec![-1, 999_999_999_999_999, -1_000_000_000_000_000]));
        let expected = [Cell::Number(-1.0), Cell::Number(999_999_999_999_999.0), text("-1000000000000000")];
        assert_eq!(cells(&whole), expected);
        let unsigned: ArrayRef = Arc::new(UInt64Array::from(vec![7, u64::MAX]));
        assert_eq!(cells(&unsigned), [Cell::Number(7.0), text("18446744073709551615")]);
        let double: ArrayRef = Arc::new(Float64Array::from(vec![0.5, f64::NAN]));
        assert_eq!(cells(&double), [Cell::Number(0.5), text("NaN")]);
        let single: ArrayRef = Arc::new(Float32Array::from(vec![0.1]));
        assert_eq!(cells(&single), [Cell::Number(0.1)]);
        let decimal = Decimal128Array::from(vec![-12_345, 1_234_567_890_123_456])
            .with_precision_and_scale(20, 2)
            .expect("a valid scale");
        let decimal: ArrayRef = Arc::new(decimal);
        assert_eq!(cells(&decimal), [Cell::Number(-123.45), text("12345678901234.56")]);
    }

    /// Serial numbers as spreadsheets give them for these days.
    #[test]
    fn days_are_numbered_as_spreadsheets_do() {
        // 1900-03-01, the day before, 2024-10-04, 9999-12-31, the day after.
        let days: ArrayRef =
            Arc::new(Date32Array::from(vec![-25_508, -25_509, 20_000, 2_932_896, 2_932_897]));
        let expected = [
            Cell::Date(61.0),
            text("1900-02-28"),
            Cell::Date(45_569.0),
            Cell::Date(2_958_465.0),
            text("+010000-01-01"),
        ];
        assert_eq!(cells(&days), expected);
        let noon = TimestampMicrosecondArray::from(vec![20_000 * 86_400_000_000 + 43_200_000_000]);
        let noon: ArrayRef = Arc::new(noon.with_timezone("UTC"));
        assert_eq!(cells(&noon), [Cell::Time(45_569.5)]);
    }

    #[test]
    fn empty_text_is_an_empty_cell() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some(""), None, Some("=1")]));
        assert_eq!(cells(&texts), [Cell::Empty, Cell::Empty, text("=1")]);
    }

    #[test]
    fn long_texts_say_what_is_left_out() {
        let fits = "é".repeat(TEXT_UNITS_MAX);
        assert_eq!(fit(&fits), (Cow::Borrowed(fits.as_str()), false));
        let long = "x".repeat(40_000);
        let (text, cut) = fit(&long);
        assert!(cut && text.chars().count() == TEXT_UNITS_MAX - 1, "{}", text.chars().count());
        // 32767 less the 25 characters that a note of five digits has.
        assert!(text.ends_with("xx… [7258 more characters]"), "{}", &text[32_700..]);
        let wide = "😀".repeat(16_384);
        let (text, cut) = fit(&wide);
        assert!(cut && text.chars().map(char::len_utf16).sum::<usize>() <= TEXT_UNITS_MAX);
        assert_eq!(text.chars().filter(|letter| *letter == '😀').count(), 16_371);
    }
}
