//! Draws charts: bars, stacked bars, shares and lines, with their axes and legends.
//!
//! What a reader should look at has the accent colour and a bold name, the rest is grey. A chart that says nothing about
//! that has a colour for each series.

use super::canvas::{Canvas, TextSide};
use super::faces::Weight;
use super::style::{ACCENT, INK, MUTED, Rgb};
use super::time_axis::TimeAxis;
use crate::chart::numbers::{number, ticks};
use crate::chart::{Chart, ChartKind};

const PAPER: Rgb = (0xff, 0xff, 0xff);
const GRID: Rgb = (0xdd, 0xe3, 0xeb);
const AXIS: Rgb = (0x94, 0xa3, 0xb8);
/// Colours of series, told apart by lightness too.
const SERIES: [Rgb; 6] = [
    ACCENT,
    (0xd9, 0x8c, 0x2b),
    (0x3b, 0x9c, 0x94),
    (0xb0, 0x48, 0x3a),
    (0x8f, 0xb3, 0xe0),
    (0x8a, 0x94, 0xa6),
];
/// Colours of series to look at.
const ACCENTS: [Rgb; 3] = [ACCENT, (0x4a, 0x72, 0xb8), (0x8f, 0xb3, 0xe0)];
/// Colours of the others.
const GREYS: [Rgb; 3] = [(0xb4, 0xbd, 0xca), (0x8a, 0x94, 0xa6), (0xd5, 0xdb, 0xe3)];
const ROW: f64 = 18.0;
const BAR: f64 = 11.0;
const LEGEND_ROW: f64 = 13.0;
const AXIS_ROOM: f64 = 28.0;
const LINE_HEIGHT: f64 = 190.0;
/// The part of the width that the names of bars may take.
const NAMES_PART: f64 = 0.38;
/// Space between two texts of an axis.
const BETWEEN: f64 = 10.0;

/// The height at which rows have their proper distance, on a canvas this wide.
pub(super) fn height(chart: &Chart, width: f32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a chart has few categories")]
    let rows = chart.categories.len().max(1) as f64;
    let body = if chart.kind == ChartKind::Line { LINE_HEIGHT } else { rows * ROW };
    #[expect(clippy::cast_possible_truncation, reason = "some hundred points")]
    let height = (body + AXIS_ROOM + legend_height(chart, width.into())) as f32;
    height
}

/// Draws a chart that was checked and shortened over the whole of a canvas.
pub(super) fn draw(chart: &Chart, canvas: &mut Canvas<'_>) {
    let top = if has_legend(chart) { legend(canvas, chart) } else { 4.0 };
    match chart.kind {
        ChartKind::Bars | ChartKind::StackedBars | ChartKind::Share => bars(canvas, chart, top),
        ChartKind::Line => lines(canvas, chart, top),
    }
}

fn has_legend(chart: &Chart) -> bool {
    chart.kind != ChartKind::Bars && chart.series.len() > 1
}

fn is_accent(chart: &Chart, name: &str) -> bool {
    chart.accent.iter().any(|accent| accent == name)
}

/// The colour of a series, in the bar of a category if there are bars.
fn colour(chart: &Chart, series: usize, category: Option<&str>) -> Rgb {
    if category.is_some_and(|category| is_accent(chart, category)) {
        return ACCENT;
    }
    if chart.accent.is_empty() {
        return SERIES[series % SERIES.len()];
    }
    let accented = is_accent(chart, &chart.series[series].name);
    let before =
        chart.series[..series].iter().filter(|other| is_accent(chart, &other.name) == accented).count();
    if accented { ACCENTS[before % ACCENTS.len()] } else { GREYS[before % GREYS.len()] }
}

/// The bold text of what a reader should look at.
fn weight(chart: &Chart, name: &str) -> Weight {
    if is_accent(chart, name) { Weight::Bold } else { Weight::Regular }
}

/// Where each name of the legend is: its row, and its left side. It depends on the numbers of letters only, so that the
/// height is known before anything is drawn.
fn legend_places(chart: &Chart, width: f64) -> Vec<(usize, f64)> {
    let mut places = Vec::with_capacity(chart.series.len());
    let (mut row, mut x) = (0, 0.0);
    for series in &chart.series {
        // No letter is wider than its size on average, and few texts are as wide as half of it.
        let wide = |letter: char| if u32::from(letter) < 0x2e80 { 4.9 } else { 8.0 };
        let needed = 11.0 + series.name.chars().map(wide).sum::<f64>() + BETWEEN;
        if x > 0.0 && x + needed > width {
            (row, x) = (row + 1, 0.0);
        }
        places.push((row, x));
        x += needed;
    }
    places
}

fn legend_height(chart: &Chart, width: f64) -> f64 {
    if !has_legend(chart) {
        return 0.0;
    }
    let rows = legend_places(chart, width).last().map_or(1, |(row, _)| row + 1);
    #[expect(clippy::cast_precision_loss, reason = "a chart has few series")]
    let height = rows as f64 * LEGEND_ROW + 5.0;
    height
}

fn legend(canvas: &mut Canvas<'_>, chart: &Chart) -> f64 {
    let width = canvas.width();
    for (place, (row, x)) in legend_places(chart, width).into_iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a chart has few series")]
        let y = 7.0 + row as f64 * LEGEND_ROW;
        let name = &chart.series[place].name;
        canvas.rectangle(x, y - 4.0, x + 8.0, y + 4.0, colour(chart, place, None));
        let shown = canvas.shortened(name, width - x - 11.0);
        canvas.text(&shown, x + 11.0, y, MUTED, TextSide::Left, weight(chart, name));
    }
    legend_height(chart, width)
}

/// Horizontal bars: long names have room, and the eye compares lengths.
fn bars(canvas: &mut Canvas<'_>, chart: &Chart, top: f64) {
    let drawn = if chart.kind == ChartKind::Bars { chart.series.len().min(1) } else { chart.series.len() };
    let series = &chart.series[..drawn];
    let sums: Vec<f64> = (0..chart.categories.len())
        .map(|category| series.iter().map(|series| series.values[category]).sum())
        .collect();
    let share = chart.kind == ChartKind::Share;
    let most = if share { 100.0 } else { sums.iter().copied().fold(0.0, f64::max) };

    let mut names = 0.0_f64;
    for name in &chart.categories {
        names = names.max(canvas.text_width(name));
    }
    let left = (names + 12.0).min(canvas.width() * NAMES_PART);
    let totals: Vec<String> = (0..sums.len()).map(|category| total(chart, &sums, category)).collect();
    let mut labels = 0.0_f64;
    for label in &totals {
        // They are bold.
        labels = labels.max(canvas.text_width(label) * 1.08);
    }
    let right = (canvas.width() - labels - 8.0).max(left + 10.0);
    let bottom = canvas.height() - AXIS_ROOM;
    let tick_text = |tick: f64| if share { format!("{} %", number(tick)) } else { number(tick) };
    let ticks = ticks_with_room(canvas, most, right - left, tick_text);
    let last = ticks.last().copied().unwrap_or(1.0);
    let x = |value: f64| left + (right - left) * value / last;

    for tick in &ticks {
        canvas.line(x(*tick), top, x(*tick), bottom, if *tick == 0.0 { AXIS } else { GRID }, 0.6);
        canvas.text(&tick_text(*tick), x(*tick), bottom + 8.0, MUTED, TextSide::Center, Weight::Regular);
    }
    let caption = if share { format!("share of {}", chart.unit) } else { chart.unit.clone() };
    canvas.text(&caption, (left + right) / 2.0, bottom + 19.0, MUTED, TextSide::Center, Weight::Regular);

    #[expect(clippy::cast_precision_loss, reason = "a chart has few categories")]
    let row = (bottom - top) / sums.len().max(1) as f64;
    let bar = BAR.min(row * 0.8);
    let mut middle = top + row / 2.0;
    for (category, sum) in sums.iter().enumerate() {
        let name = &chart.categories[category];
        let parts = canvas.divided(name, left - 10.0);
        for (place, part) in parts.iter().enumerate() {
            let y = match (parts.len(), place) {
                (1, _) => middle,
                (_, 0) => middle - 4.2,
                _ => middle + 4.2,
            };
            canvas.text(part, left - 6.0, y, INK, TextSide::Right, weight(chart, name));
        }
        let mut from = 0.0;
        for (place, series) in series.iter().enumerate() {
            let value = series.values[category];
            let part = if !share {
                value
            } else if *sum > 0.0 {
                value / sum * 100.0
            } else {
                0.0
            };
            if part > 0.0 {
                let (start, end) = (x(from), x(from + part));
                let of = colour(chart, place, Some(name));
                canvas.rectangle(start, middle - bar / 2.0, end, middle + bar / 2.0, of);
            }
            from += part;
        }
        // Blank paper under the number: a line of the grid may run there.
        let width = canvas.text_width(&totals[category]);
        let end = x(from) + 3.0;
        canvas.rectangle(end, middle - 5.0, end + width + 5.0, middle + 5.0, PAPER);
        canvas.text(&totals[category], end + 2.0, middle, INK, TextSide::Left, Weight::Bold);
        middle += row;
    }
}

/// What is written at the end of a bar: its sum, or the part to look at of it.
fn total(chart: &Chart, sums: &[f64], category: usize) -> String {
    let sum = sums[category];
    let looked_at = chart.series.iter().filter(|series| is_accent(chart, &series.name));
    let part: f64 = looked_at.clone().map(|series| series.values[category]).sum();
    if chart.kind != ChartKind::Share || looked_at.count() == 0 || sum <= 0.0 {
        return number(sum);
    }
    format!("{} % of {}", number((part / sum * 1000.0).round() / 10.0), number(sum))
}

/// Ticks whose texts have room side by side.
fn ticks_with_room(canvas: &mut Canvas<'_>, most: f64, room: f64, text: impl Fn(f64) -> String) -> Vec<f64> {
    let mut found = Vec::new();
    for count in [6.0, 5.0, 4.0, 3.0, 2.0, 1.0] {
        found = ticks(most, count);
        let widths = found.iter().map(|tick| canvas.text_width(&text(*tick)) + BETWEEN);
        // The texts at the ends are half outside.
        if widths.skip(1).sum::<f64>() <= room {
            break;
        }
    }
    found
}

fn lines(canvas: &mut Canvas<'_>, chart: &Chart, top: f64) {
    let most = chart.series.iter().flat_map(|series| &series.values).copied().fold(0.0, f64::max);
    let ticks = ticks(most, 5.0);
    let last = ticks.last().copied().unwrap_or(1.0);
    let mut labels = 0.0_f64;
    for tick in &ticks {
        labels = labels.max(canvas.text_width(&number(*tick)));
    }
    let left = labels + 10.0;
    let right = canvas.width() - 24.0;
    let (top, bottom) = (top + 6.0, canvas.height() - AXIS_ROOM);
    let y = |value: f64| bottom - (bottom - top) * value / last;
    for tick in &ticks {
        canvas.line(left, y(*tick), right, y(*tick), if *tick == 0.0 { AXIS } else { GRID }, 0.6);
        canvas.text(&number(*tick), left - 6.0, y(*tick), MUTED, TextSide::Right, Weight::Regular);
    }
    let axis = TimeAxis::new(&chart.categories);
    let x = |moment: usize| left + (right - left) * axis.places[moment];
    // From the last moment to the first: as many labels as have room, none twice.
    let (mut free, mut said) = (f64::INFINITY, "");
    for (moment, label) in axis.labels.iter().enumerate().rev() {
        let half = canvas.text_width(label) / 2.0;
        let middle = x(moment).min(canvas.width() - half).max(half);
        if middle + half + BETWEEN > free || label == said {
            continue;
        }
        canvas.line(x(moment), bottom, x(moment), bottom + 3.0, AXIS, 0.6);
        canvas.text(label, middle, bottom + 9.0, MUTED, TextSide::Center, Weight::Regular);
        (free, said) = (middle - half, label);
    }
    let caption = match &axis.day {
        Some(day) => format!("{}, {day} (UTC)", chart.unit),
        None => chart.unit.clone(),
    };
    canvas.text(&caption, (left + right) / 2.0, bottom + 20.0, MUTED, TextSide::Center, Weight::Regular);
    for (place, series) in chart.series.iter().enumerate() {
        let of = colour(chart, place, None);
        let points: Vec<(f64, f64)> =
            series.values.iter().enumerate().map(|(moment, value)| (x(moment), y(*value))).collect();
        for pair in points.windows(2) {
            canvas.line(pair[0].0, pair[0].1, pair[1].0, pair[1].1, of, 1.4);
        }
        for (px, py) in points {
            canvas.rectangle(px - 1.6, py - 1.6, px + 1.6, py + 1.6, of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fonts::FontSet;
    use super::super::page::Sheet;
    use super::super::typeset::Typesetter;
    use super::*;
    use crate::chart::Series;

    /// Rectangles and strokes of the content of a page.
    fn drawn(kind: ChartKind, categories: u8) -> (usize, usize) {
        let values = (0..categories).map(f64::from);
        let chart = Chart {
            title: "Accounts".to_owned(),
            description: "Accounts of each source".to_owned(),
            unit: "accounts".to_owned(),
            kind,
            accent: Vec::new(),
            categories: (0..categories).map(|number| format!("Source {number}")).collect(),
            series: vec![
                Series { name: "Active".to_owned(), values: values.clone().collect() },
                Series { name: "Locked".to_owned(), values: values.map(|value| value + 1.0).collect() },
            ],
        };
        let (mut sheet, mut setter) = (Sheet::new(800.0), Typesetter::new(FontSet::default()));
        let size = (400.0, height(&chart, 400.0));
        draw(&chart, &mut Canvas::new(&mut sheet, &mut setter, (0.0, 0.0), size));
        let content = String::from_utf8_lossy(&sheet.content).into_owned();
        let ending = |end: &str| content.lines().filter(|line| line.ends_with(end)).count();
        (ending("re f"), ending("S"))
    }

    #[test]
    fn every_kind_draws_its_marks() {
        // One series: bars of 1 and 2 (0 has no length), and the blank paper under each of the three numbers. Lines of
        // the grid at 0, 1 and 2: accounts are counted in whole numbers.
        assert_eq!(drawn(ChartKind::Bars, 3), (2 + 3, 3));
        // Both series: bars of 1 and 2, of 1, 2 and 3, three numbers, two in the legend; a grid at 0, 1, 2, 3, 4 and 5.
        assert_eq!(drawn(ChartKind::StackedBars, 3), (5 + 3 + 2, 6));
        // The same bars, over a grid of 0, 20, 40, 60, 80 and 100 %.
        assert_eq!(drawn(ChartKind::Share, 3), (5 + 3 + 2, 6));
        // A mark for each of six values, two in the legend; two pieces of each line, three moments on the axis, and a
        // grid at 0, 1, 2 and 3.
        assert_eq!(drawn(ChartKind::Line, 3), (6 + 2, 4 + 3 + 4));
        // Nothing to show: the grid at 0 and 1.
        assert_eq!(drawn(ChartKind::Bars, 0), (0, 2));
    }

    #[test]
    fn what_to_look_at_has_the_accent_colour_and_the_rest_is_grey() {
        let series = |name: &str| Series { name: name.to_owned(), values: vec![1.0] };
        let mut chart = Chart {
            title: String::new(),
            description: String::new(),
            unit: String::new(),
            kind: ChartKind::StackedBars,
            accent: vec!["disabled".to_owned()],
            categories: vec!["Workday".to_owned()],
            series: vec![series("enabled"), series("disabled"), series("other")],
        };
        let colours = |chart: &Chart| [0, 1, 2].map(|series| colour(chart, series, Some("Workday")));
        assert_eq!(colours(&chart), [GREYS[0], ACCENT, GREYS[1]]);
        chart.accent = vec!["Workday".to_owned()];
        assert_eq!(colours(&chart), [ACCENT; 3]);
        chart.accent.clear();
        assert_eq!(colours(&chart), [SERIES[0], SERIES[1], SERIES[2]]);
    }

    #[test]
    fn a_share_says_the_part_to_look_at() {
        let series = |name: &str, value: f64| Series { name: name.to_owned(), values: vec![value] };
        let chart = Chart {
            title: String::new(),
            description: String::new(),
            unit: String::new(),
            kind: ChartKind::Share,
            accent: vec!["uncorrelated".to_owned()],
            categories: vec!["Workday".to_owned()],
            series: vec![series("uncorrelated", 3.0), series("correlated", 45.0)],
        };
        // 3 of 48 are 6.25 %, which is rounded to a tenth.
        assert_eq!(total(&chart, &[48.0], 0), "6.3 % of 48");
    }

    #[test]
    fn a_legend_that_is_too_wide_goes_on_below() {
        let series = |number: usize| Series { name: format!("series number {number}"), values: Vec::new() };
        let chart = Chart {
            title: String::new(),
            description: String::new(),
            unit: String::new(),
            kind: ChartKind::Line,
            accent: Vec::new(),
            categories: Vec::new(),
            series: (0..5).map(series).collect(),
        };
        // 15 letters of 4.9 points, and 21 around them: two of them in 200 points.
        let rows: Vec<usize> = legend_places(&chart, 200.0).into_iter().map(|(row, _)| row).collect();
        assert_eq!(rows, [0, 0, 1, 1, 2]);
    }
}
