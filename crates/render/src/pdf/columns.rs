//! How wide the table's columns are, and how many lines its rows will take.
//!
//! The widths are decided once, from rows that are spread over all that are held: the table must look the same on every
//! page, and pages that were written cannot be taken back.

use super::style::CELL_SIDE;
use super::text_widths::TextWidths;

/// A column is at least this wide, where there is room at all.
const WIDTH_MIN: f32 = 20.0;
/// A part of a word without punctuation stays whole up to this width.
const PIECE_MAX: f32 = 120.0;
/// A usual word stays whole up to this width; a longer or a rare one may be divided, after its punctuation.
const WORD_MAX: f32 = 80.0;
/// The part of the room beyond which a text is wrapped rather than making its column wider.
const LINE_PART: f32 = 0.6;
/// By how much a column is made narrower at once, and the part of what is to be saved, if that is more.
const STEP: f32 = 3.0;
const STEP_PART: f32 = 0.025;
/// The part of a line that a divided word fills.
const FILLED: f32 = 0.85;
/// A space, in thousandths of the font size.
const SPACE: f32 = 260.0;

/// The widths of a column's header and of its cells in a sample of rows, one for each row.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnSample {
    pub(super) header: TextWidths,
    pub(super) cells: Vec<TextWidths>,
}

/// The width of each column; together they are as wide as the room.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fitted {
    pub(super) widths: Vec<f32>,
    /// Lines of a row, on average.
    pub(super) lines: f32,
    /// Whether no word has to be divided except very long ones.
    pub(super) is_comfortable: bool,
}

/// Divides the room among the columns of a text of this size, so that the rows take few lines.
pub(super) fn fit(samples: &[ColumnSample], room: f32, size: f32) -> Fitted {
    let wishes: Vec<Wish> = samples.iter().map(|sample| wish(sample, room, size)).collect();
    let least: f32 = wishes.iter().map(|wish| wish.least).sum();
    let is_comfortable = least <= room;
    let widths = if is_comfortable { narrowed(samples, &wishes, room, size) } else { capped(&wishes, room) };
    let lines = average(&row_lines(samples, &widths, size));
    Fitted { widths, lines, is_comfortable }
}

/// What a column would like, in points.
#[derive(Debug, Clone, Copy)]
struct Wish {
    /// Without dividing words.
    least: f32,
    /// On one line.
    most: f32,
}

fn wish(sample: &ColumnSample, room: f32, size: f32) -> Wish {
    let points = |width: f32| width * size / 1000.0;
    // Usual words stay whole, and of the others the parts between punctuation.
    let word = points(high(sample.cells.iter().map(TextWidths::longest_word))).min(WORD_MAX);
    let pieces = sample.cells.iter().map(|cell| points(cell.piece)).filter(|piece| *piece <= PIECE_MAX);
    let header = points(sample.header.longest_word()).min(PIECE_MAX);
    let word = pieces.fold(word.max(header), f32::max);
    let least = (word + sides(size)).max(WIDTH_MIN);
    let line = points(high(sample.cells.iter().map(|cell| cell.line))).min(room * LINE_PART);
    // A header may take two lines.
    let most = (line.max(points(sample.header.line) * 0.6) + sides(size)).max(least);
    Wish { least, most }
}

/// The free space of a cell. It is a little more than needed, so that rounding never breaks a line that fits.
fn sides(size: f32) -> f32 {
    2.0 * CELL_SIDE * size + 0.2
}

/// A width that all but a few texts keep to.
fn high(widths: impl Iterator<Item = f32>) -> f32 {
    let mut sorted: Vec<f32> = widths.collect();
    sorted.sort_by(f32::total_cmp);
    sorted.get(sorted.len().saturating_sub(1 + sorted.len() / 50)).copied().unwrap_or(0.0)
}

/// Every column as wide as it would like, or narrower where that costs the fewest lines.
#[expect(clippy::cast_precision_loss, reason = "a report has few columns")]
fn narrowed(samples: &[ColumnSample], wishes: &[Wish], room: f32, size: f32) -> Vec<f32> {
    let mut widths: Vec<f32> = wishes.iter().map(|wish| wish.most).collect();
    let mut rows = row_lines(samples, &widths, size);
    let mut total: f32 = widths.iter().sum();
    while total > room {
        let step = STEP.max((total - room) * STEP_PART).min(total - room);
        let cost = |column: usize| {
            let slack = widths[column] - wishes[column].least;
            let added = added(&samples[column], &rows, widths[column] - step.min(slack), size);
            (slack > 0.0).then_some((column, added, slack))
        };
        let costs = (0..widths.len()).filter_map(cost);
        let best = costs.min_by(|one, two| one.1.total_cmp(&two.1).then(two.2.total_cmp(&one.2)));
        // All columns are as narrow as they may be, so they fit but for rounding.
        let Some((best, _, slack)) = best else { break };
        let width = widths[best] - step.min(slack);
        total -= widths[best] - width;
        widths[best] = width;
        for (row, cell) in rows.iter_mut().zip(&samples[best].cells) {
            *row = row.max(lines(cell, width, size));
        }
    }
    // What is left goes to all: half of it evenly, half by width.
    let rest = ((room - total) / 2.0).max(0.0);
    let each = rest / widths.len().max(1) as f32;
    widths.iter().map(|width| width + each + rest * width / total).collect()
}

/// Lines of each row of the sample.
fn row_lines(samples: &[ColumnSample], widths: &[f32], size: f32) -> Vec<f32> {
    let count = samples.iter().map(|sample| sample.cells.len()).max().unwrap_or(0);
    let mut rows = vec![1.0_f32; count];
    for (sample, width) in samples.iter().zip(widths) {
        for (row, cell) in rows.iter_mut().zip(&sample.cells) {
            *row = row.max(lines(cell, *width, size));
        }
    }
    rows
}

/// By how many lines rows grow if a column gets this width.
fn added(sample: &ColumnSample, rows: &[f32], width: f32, size: f32) -> f32 {
    rows.iter().zip(&sample.cells).map(|(row, cell)| (lines(cell, width, size) - row).max(0.0)).sum()
}

/// Lines of a text, about.
fn lines(text: &TextWidths, width: f32, size: f32) -> f32 {
    let inner = (width - sides(size) + 0.2) * 1000.0 / size;
    if text.line <= inner {
        return 1.0;
    }
    let (mut lines, mut pen) = (1.0, 0.0);
    for word in &text.words {
        if pen > 0.0 && pen + SPACE + word > inner {
            lines += 1.0;
            pen = 0.0;
        }
        if *word > inner {
            // It is divided, and what follows is beside its end.
            let more = ((word - inner) / (inner * FILLED)).ceil();
            lines += more;
            pen = (word - inner) - (more - 1.0) * inner * FILLED;
        } else {
            pen += if pen > 0.0 { SPACE + word } else { *word };
        }
    }
    lines
}

#[expect(clippy::cast_precision_loss, reason = "a sample has some hundred rows")]
fn average(rows: &[f32]) -> f32 {
    if rows.is_empty() { 1.0 } else { rows.iter().sum::<f32>() / rows.len() as f32 }
}

/// The widths where there is too little room: short words stay whole and long ones are divided.
#[expect(clippy::cast_precision_loss, reason = "a report has few columns")]
fn capped(wishes: &[Wish], room: f32) -> Vec<f32> {
    let mut sorted: Vec<f32> = wishes.iter().map(|wish| wish.least).collect();
    sorted.sort_by(f32::total_cmp);
    let (mut rest, mut most) = (room, room);
    for (place, width) in sorted.iter().enumerate() {
        let each = rest / (sorted.len() - place) as f32;
        if *width > each {
            most = each;
            break;
        }
        rest -= width;
    }
    wishes.iter().map(|wish| wish.least.min(most)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text of words that are equally long.
    fn text(line: f32, word: f32) -> TextWidths {
        let mut words = Vec::new();
        while words.is_empty() || words.iter().sum::<f32>() < line {
            words.push(word);
        }
        TextWidths { line, words, piece: word }
    }

    fn sample(header: f32, word: f32, line: f32) -> ColumnSample {
        ColumnSample { header: text(header, header), cells: vec![text(line, word); 100] }
    }

    #[test]
    fn the_columns_fill_the_room_exactly() {
        let narrow = [sample(3000.0, 2000.0, 4000.0), sample(3000.0, 5000.0, 9000.0)];
        let many = vec![sample(4000.0, 9000.0, 12_000.0); 40];
        for columns in [narrow.as_slice(), many.as_slice()] {
            let fitted = fit(columns, 770.0, 7.0);
            assert!((fitted.widths.iter().sum::<f32>() - 770.0).abs() < 0.1, "{fitted:?}");
        }
        assert!(fit(&narrow, 770.0, 8.0).is_comfortable);
        assert!(!fit(&many, 770.0, 7.0).is_comfortable);
    }

    #[test]
    fn short_words_stay_whole_where_there_is_too_little_room() {
        let mut columns = vec![sample(2000.0, 2000.0, 2000.0); 12];
        columns.extend(vec![sample(2000.0, 30_000.0, 30_000.0); 12]);
        let fitted = fit(&columns, 770.0, 7.0);
        // Two sizes of 7 points and the sides, 2 times 0.44 sizes and 0.2, are 20.36 points; the others share the rest.
        let short = 14.0 + 6.16 + 0.2;
        assert!((fitted.widths[0] - short).abs() < 0.01, "{fitted:?}");
        assert!((fitted.widths[23] - (770.0 - 12.0 * short) / 12.0).abs() < 0.01, "{fitted:?}");
    }

    #[test]
    fn a_longer_text_gets_more_room_and_one_very_long_cell_does_not_matter() {
        let mut outlier = sample(3000.0, 4000.0, 8000.0);
        outlier.cells[0] = text(1_000_000.0, 1_000_000.0);
        let with = fit(&[sample(3000.0, 2000.0, 3000.0), outlier], 770.0, 8.0);
        let plain = fit(&[sample(3000.0, 2000.0, 3000.0), sample(3000.0, 4000.0, 8000.0)], 770.0, 8.0);
        assert_eq!(with.widths, plain.widths);
        assert!(with.widths[1] > with.widths[0]);
    }

    #[test]
    fn the_column_that_costs_the_fewest_lines_is_made_narrower() {
        // Together they want 334 points. A hundred rows have a long first cell, one row has a long second one.
        let mut rare = sample(1000.0, 1000.0, 1000.0);
        for cell in &mut rare.cells[..3] {
            *cell = text(20_000.0, 3000.0);
        }
        let fitted = fit(&[sample(1000.0, 3000.0, 20_000.0), rare], 300.0, 8.0);
        assert!(fitted.widths[0] > 160.0, "{fitted:?}");
        assert!(fitted.lines < 1.3, "{fitted:?}");
    }

    #[test]
    fn lines_are_counted_by_words() {
        // Of 8 points: words of 40 points, spaces of 2.08. 100 points hold two of them, 45 hold one.
        let four = TextWidths { line: 20_780.0, words: vec![5000.0; 4], piece: 5000.0 };
        let of = |text: &TextWidths, inner: f32| lines(text, inner + 2.0 * CELL_SIDE * 8.0, 8.0);
        assert_eq!([170.0, 100.0, 45.0].map(|inner| of(&four, inner)), [1.0, 2.0, 4.0]);
        // A word of 200 points is divided: 100, then two pieces of at most 85.
        let long = text(25_000.0, 25_000.0);
        assert_eq!(of(&long, 100.0), 3.0);
    }
}
