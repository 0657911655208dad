//! How wide the table's columns are.
//!
//! The widths are decided once, from the first rows: the table must look the same on every page, and rows that were
//! written cannot be taken back.

use super::style::CELL_SIDE;

/// Sizes that are tried, from the most readable on.
const SIZES: [f32; 7] = [8.0, 7.5, 7.0, 6.5, 6.0, 5.5, 5.0];
/// A column is at least this wide, where there is room at all.
const WIDTH_MIN: f32 = 22.0;
/// A longer word is divided rather than making its column wider, in points.
const WORD_MAX: f32 = 150.0;
/// A header's word is not divided up to this width.
const HEADER_WORD_MAX: f32 = 140.0;
/// A text longer than this on one line is wrapped rather than making its column wider.
const LINE_MAX: f32 = 260.0;
/// Lines that a cell of usual length may take before the text is made smaller.
const LINES: f32 = 2.0;

/// The widths of a column's header and of a sample of its cells, in thousandths of the font size.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnSample {
    pub(super) header: f32,
    pub(super) header_word: f32,
    /// Width of each sampled cell on one line.
    pub(super) lines: Vec<f32>,
    /// Width of each sampled cell's longest word.
    pub(super) words: Vec<f32>,
}

/// The size of the text, and the width of each column; together they are `room` wide.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fitted {
    pub(super) size: f32,
    pub(super) widths: Vec<f32>,
}

/// Divides the room among the columns.
pub(super) fn fit(samples: &[ColumnSample], room: f32) -> Fitted {
    let last = SIZES.len() - 1;
    for (index, size) in SIZES.into_iter().enumerate() {
        let wishes: Vec<Wish> = samples.iter().map(|sample| wish(sample, size)).collect();
        let comfortable: f32 = wishes.iter().map(|wish| wish.least.max(wish.most / LINES)).sum();
        if comfortable <= room || index == last {
            return Fitted { size, widths: divide(&wishes, room) };
        }
    }
    unreachable!("the last size is taken in any case")
}

/// What a column would like, in points.
#[derive(Debug, Clone, Copy)]
struct Wish {
    /// Without dividing words.
    least: f32,
    /// On one line.
    most: f32,
}

fn wish(sample: &ColumnSample, size: f32) -> Wish {
    let points = |width: f32| width * size / 1000.0;
    let word = points(high(&sample.words)).min(WORD_MAX).max(points(sample.header_word).min(HEADER_WORD_MAX));
    // A little more than measured, so that rounding never breaks a line that fits.
    let sides = 2.0 * CELL_SIDE * size + 0.2;
    let least = (word + sides).max(WIDTH_MIN);
    let most = (points(high(&sample.lines)).min(LINE_MAX).max(points(sample.header)) + sides).max(least);
    Wish { least, most }
}

/// A width that all but a few cells keep to.
fn high(widths: &[f32]) -> f32 {
    let mut sorted = widths.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len().saturating_sub(1 + sorted.len() / 50)).copied().unwrap_or(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "a report has few columns")]
fn divide(wishes: &[Wish], room: f32) -> Vec<f32> {
    let least: f32 = wishes.iter().map(|wish| wish.least).sum();
    let most: f32 = wishes.iter().map(|wish| wish.most).sum();
    if most <= room {
        // What is left goes to all: half of it evenly, half by width.
        let rest = (room - most) / 2.0;
        let each = rest / wishes.len().max(1) as f32;
        return wishes.iter().map(|wish| wish.most + each + rest * wish.most / most).collect();
    }
    if least <= room {
        let share = (room - least) / (most - least);
        return wishes.iter().map(|wish| wish.least + share * (wish.most - wish.least)).collect();
    }
    let most = highest(wishes, room);
    wishes.iter().map(|wish| wish.least.min(most)).collect()
}

/// The width that no column may pass so that all have room: short words stay whole and long ones are divided.
#[expect(clippy::cast_precision_loss, reason = "a report has few columns")]
fn highest(wishes: &[Wish], room: f32) -> f32 {
    let mut sorted: Vec<f32> = wishes.iter().map(|wish| wish.least).collect();
    sorted.sort_by(f32::total_cmp);
    let mut rest = room;
    for (place, width) in sorted.iter().enumerate() {
        let each = rest / (sorted.len() - place) as f32;
        if *width > each {
            return each;
        }
        rest -= width;
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(header: f32, word: f32, line: f32) -> ColumnSample {
        ColumnSample { header, header_word: header, lines: vec![line; 100], words: vec![word; 100] }
    }

    #[test]
    fn the_columns_fill_the_room_exactly() {
        let narrow = [sample(3000.0, 2000.0, 4000.0), sample(3000.0, 5000.0, 9000.0)];
        let many = vec![sample(4000.0, 9000.0, 12_000.0); 40];
        for columns in [narrow.as_slice(), many.as_slice()] {
            let fitted = fit(columns, 770.0);
            assert!((fitted.widths.iter().sum::<f32>() - 770.0).abs() < 0.1, "{fitted:?}");
        }
        assert!((fit(&narrow, 770.0).size - 8.0).abs() < f32::EPSILON);
        assert!((fit(&many, 770.0).size - 5.0).abs() < f32::EPSILON);
    }

    #[test]
    fn short_words_stay_whole_where_there_is_too_little_room() {
        let mut columns = vec![sample(2000.0, 2500.0, 2500.0); 12];
        columns.extend(vec![sample(2000.0, 30_000.0, 30_000.0); 12]);
        let fitted = fit(&columns, 770.0);
        // 2.5 sizes of 5 points and the sides are 17.1 points, so the least width, 22, is kept; the others share the rest.
        assert!((fitted.widths[0] - 22.0).abs() < 0.01, "{fitted:?}");
        assert!((fitted.widths[23] - (770.0 - 12.0 * 22.0) / 12.0).abs() < 0.01, "{fitted:?}");
    }

    #[test]
    fn a_longer_text_gets_more_room_and_one_very_long_cell_does_not_matter() {
        let mut outlier = sample(3000.0, 4000.0, 8000.0);
        outlier.lines[0] = 1_000_000.0;
        outlier.words[0] = 1_000_000.0;
        let fitted = fit(&[sample(3000.0, 2000.0, 3000.0), outlier], 770.0);
        let plain = fit(&[sample(3000.0, 2000.0, 3000.0), sample(3000.0, 4000.0, 8000.0)], 770.0);
        assert_eq!(fitted, plain);
        assert!(fitted.widths[1] > fitted.widths[0]);
    }
}
