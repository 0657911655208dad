//! Draws charts: bars, stacked bars, shares and lines, with their axes and legends.

use super::canvas::{Canvas, TextSide};
use super::faces::Weight;
use super::style::Rgb;
use crate::chart::numbers::{number, ticks};
use crate::chart::{Chart, ChartKind};

const INK: Rgb = (0x11, 0x18, 0x27);
const MUTED: Rgb = (0x47, 0x55, 0x69);
const PAPER: Rgb = (0xff, 0xff, 0xff);
const GRID: Rgb = (0xdd, 0xe3, 0xeb);
const AXIS: Rgb = (0x94, 0xa3, 0xb8);
/// Colours of series, told apart by lightness too.
const SERIES: [Rgb; 6] = [
    (0x1e, 0x3a, 0x6e),
    (0xd9, 0x8c, 0x2b),
    (0x3b, 0x9c, 0x94),
    (0xb0, 0x48, 0x3a),
    (0x8f, 0xb3, 0xe0),
    (0x8a, 0x94, 0xa6),
];
const ROW: f64 = 18.0;
const BAR: f64 = 11.0;
const LEGEND: f64 = 18.0;
const AXIS_ROOM: f64 = 28.0;
const LINE_HEIGHT: f64 = 190.0;

/// The height at which rows have their proper distance.
pub(super) fn height(chart: &Chart) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a chart has few categories")]
    let rows = chart.categories.len().max(1) as f64;
    let body = if chart.kind == ChartKind::Line { LINE_HEIGHT } else { rows * ROW };
    #[expect(clippy::cast_possible_truncation, reason = "some hundred points")]
    let height = (body + AXIS_ROOM + if has_legend(chart) { LEGEND } else { 0.0 }) as f32;
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

fn colour(series: usize) -> Rgb {
    SERIES[series % SERIES.len()]
}

fn legend(canvas: &mut Canvas<'_>, chart: &Chart) -> f64 {
    let mut x = 0.0;
    for (place, series) in chart.series.iter().enumerate() {
        canvas.rectangle(x, 3.0, x + 8.0, 11.0, colour(place));
        canvas.text(&series.name, x + 11.0, 7.0, MUTED, TextSide::Left, Weight::Regular);
        x += 11.0 + canvas.text_width(&series.name) + 16.0;
    }
    LEGEND
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
    let ticks = ticks(most, 6.0);
    let last = ticks.last().copied().unwrap_or(1.0);

    let mut names = 0.0_f64;
    for name in &chart.categories {
        names = names.max(canvas.text_width(name));
    }
    let left = (names + 8.0).min(canvas.width() * 0.3);
    let label = |sum: f64| number(sum);
    let mut labels = 0.0_f64;
    for sum in &sums {
        labels = labels.max(canvas.text_width(&label(*sum)));
    }
    let right = (canvas.width() - labels - 8.0).max(left + 10.0);
    let bottom = canvas.height() - AXIS_ROOM;
    let x = |value: f64| left + (right - left) * value / last;

    for tick in &ticks {
        canvas.line(x(*tick), top, x(*tick), bottom, if *tick == 0.0 { AXIS } else { GRID }, 0.6);
        let text = if share { format!("{} %", number(*tick)) } else { number(*tick) };
        canvas.text(&text, x(*tick), bottom + 8.0, MUTED, TextSide::Center, Weight::Regular);
    }
    let caption = if share { format!("share of {}", chart.unit) } else { chart.unit.clone() };
    canvas.text(&caption, (left + right) / 2.0, bottom + 19.0, MUTED, TextSide::Center, Weight::Regular);

    #[expect(clippy::cast_precision_loss, reason = "a chart has few categories")]
    let row = (bottom - top) / sums.len().max(1) as f64;
    let bar = BAR.min(row * 0.8);
    let mut middle = top + row / 2.0;
    for (category, sum) in sums.iter().enumerate() {
        let name = canvas.shortened(&chart.categories[category], left - 8.0);
        canvas.text(&name, left - 6.0, middle, INK, TextSide::Right, Weight::Regular);
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
                canvas.rectangle(start, middle - bar / 2.0, end, middle + bar / 2.0, colour(place));
            }
            from += part;
        }
        // Blank paper under the number: a line of the grid may run there.
        let width = canvas.text_width(&label(*sum));
        let end = x(from) + 3.0;
        canvas.rectangle(end, middle - 5.0, end + width + 5.0, middle + 5.0, PAPER);
        canvas.text(&label(*sum), end + 2.0, middle, INK, TextSide::Left, Weight::Bold);
        middle += row;
    }
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
    let count = chart.categories.len();
    #[expect(clippy::cast_precision_loss, reason = "a chart has few moments")]
    let x = |moment: usize| {
        if count > 1 {
            left + (right - left) * moment as f64 / (count - 1) as f64
        } else {
            (left + right) / 2.0
        }
    };
    // As many names of moments as have room; those at the ends are inside of the lines' ends, so they take more.
    let mut widest = 1.0_f64;
    for name in &chart.categories {
        widest = widest.max(canvas.text_width(name));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some tens of names")]
    let room = ((right - left) / (1.5 * widest + 12.0)).floor().max(1.0) as usize;
    let every = count.div_ceil(room).max(1);
    for (moment, name) in chart.categories.iter().enumerate().step_by(every) {
        canvas.line(x(moment), bottom, x(moment), bottom + 3.0, AXIS, 0.6);
        let half = widest / 2.0;
        let side = match x(moment) {
            at if count == 1 || (left + half..=right - half).contains(&at) => TextSide::Center,
            at if at < left + half => TextSide::Left,
            _ => TextSide::Right,
        };
        canvas.text(name, x(moment), bottom + 9.0, MUTED, side, Weight::Regular);
    }
    canvas.text(&chart.unit, (left + right) / 2.0, bottom + 20.0, MUTED, TextSide::Center, Weight::Regular);
    for (place, series) in chart.series.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            series.values.iter().enumerate().map(|(moment, value)| (x(moment), y(*value))).collect();
        for pair in points.windows(2) {
            canvas.line(pair[0].0, pair[0].1, pair[1].0, pair[1].1, colour(place), 1.4);
        }
        for (px, py) in points {
            canvas.rectangle(px - 1.6, py - 1.6, px + 1.6, py + 1.6, colour(place));
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
            categories: (0..categories).map(|number| format!("Source {number}")).collect(),
            series: vec![
                Series { name: "Active".to_owned(), values: values.clone().collect() },
                Series { name: "Locked".to_owned(), values: values.map(|value| value + 1.0).collect() },
            ],
        };
        let (mut sheet, mut setter) = (Sheet::new(800.0), Typesetter::new(FontSet::default()));
        let size = (400.0, height(&chart));
        draw(&chart, &mut Canvas::new(&mut sheet, &mut setter, (0.0, 0.0), size));
        let content = String::from_utf8_lossy(&sheet.content).into_owned();
        let ending = |end: &str| content.lines().filter(|line| line.ends_with(end)).count();
        (ending("re f"), ending("S"))
    }

    #[test]
    fn every_kind_draws_its_marks() {
        // One series: bars of 1 and 2 (0 has no length), and the blank paper under each of the three numbers. Lines of
        // the grid at 0, 0.5, 1, 1.5 and 2.
        assert_eq!(drawn(ChartKind::Bars, 3), (2 + 3, 5));
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
}
