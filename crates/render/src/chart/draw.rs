//! The drawing itself, on any surface of plotters.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, TextStyle};

use super::numbers::{number, ticks};
use super::{Chart, ChartError, ChartKind};

const INK: RGBColor = RGBColor(0x11, 0x18, 0x27);
const MUTED: RGBColor = RGBColor(0x47, 0x55, 0x69);
const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
const GRID: RGBColor = RGBColor(0xdd, 0xe3, 0xeb);
const AXIS: RGBColor = RGBColor(0x94, 0xa3, 0xb8);
/// Colours of series, told apart by lightness too.
const SERIES: [RGBColor; 6] = [
    RGBColor(0x1e, 0x3a, 0x6e),
    RGBColor(0xd9, 0x8c, 0x2b),
    RGBColor(0x3b, 0x9c, 0x94),
    RGBColor(0xb0, 0x48, 0x3a),
    RGBColor(0x8f, 0xb3, 0xe0),
    RGBColor(0x8a, 0x94, 0xa6),
];
const TEXT: f64 = 8.0;
/// What the library calls the size of a font is so many times the size that its surfaces draw.
pub(crate) const FONT_SIZE: f64 = 1.24;
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

pub(super) fn draw<B: DrawingBackend>(chart: &Chart, surface: &mut B, scale: f64) -> Result<(), ChartError> {
    let (width, height) = surface.get_size();
    let mut canvas =
        Canvas { width: f64::from(width) / scale, height: f64::from(height) / scale, surface, scale };
    let top = if has_legend(chart) { legend(&mut canvas, chart)? } else { 4.0 };
    match chart.kind {
        ChartKind::Bars | ChartKind::StackedBars | ChartKind::Share => bars(&mut canvas, chart, top),
        ChartKind::Line => lines(&mut canvas, chart, top),
    }
}

fn has_legend(chart: &Chart) -> bool {
    chart.kind != ChartKind::Bars && chart.series.len() > 1
}

fn colour(series: usize) -> RGBColor {
    SERIES[series % SERIES.len()]
}

fn legend<B: DrawingBackend>(canvas: &mut Canvas<'_, B>, chart: &Chart) -> Result<f64, ChartError> {
    let mut x = 0.0;
    for (place, series) in chart.series.iter().enumerate() {
        canvas.rectangle(x, 3.0, x + 8.0, 11.0, colour(place))?;
        canvas.text(&series.name, x + 11.0, 7.0, MUTED, HPos::Left, false)?;
        x += 11.0 + canvas.text_width(&series.name)? + 16.0;
    }
    Ok(LEGEND)
}

/// Horizontal bars: long names have room, and the eye compares lengths.
fn bars<B: DrawingBackend>(canvas: &mut Canvas<'_, B>, chart: &Chart, top: f64) -> Result<(), ChartError> {
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
        names = names.max(canvas.text_width(name)?);
    }
    let left = (names + 8.0).min(canvas.width * 0.3);
    let label = |sum: f64| number(sum);
    let mut labels = 0.0_f64;
    for sum in &sums {
        labels = labels.max(canvas.text_width(&label(*sum))?);
    }
    let right = (canvas.width - labels - 8.0).max(left + 10.0);
    let bottom = canvas.height - AXIS_ROOM;
    let x = |value: f64| left + (right - left) * value / last;

    for tick in &ticks {
        canvas.line(x(*tick), top, x(*tick), bottom, if *tick == 0.0 { AXIS } else { GRID }, 0.6)?;
        let text = if share { format!("{} %", number(*tick)) } else { number(*tick) };
        canvas.text(&text, x(*tick), bottom + 8.0, MUTED, HPos::Center, false)?;
    }
    let caption = if share { format!("share of {}", chart.unit) } else { chart.unit.clone() };
    canvas.text(&caption, (left + right) / 2.0, bottom + 19.0, MUTED, HPos::Center, false)?;

    #[expect(clippy::cast_precision_loss, reason = "a chart has few categories")]
    let row = (bottom - top) / sums.len().max(1) as f64;
    let bar = BAR.min(row * 0.8);
    let mut middle = top + row / 2.0;
    for (category, sum) in sums.iter().enumerate() {
        let name = canvas.shortened(&chart.categories[category], left - 8.0)?;
        canvas.text(&name, left - 6.0, middle, INK, HPos::Right, false)?;
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
                canvas.rectangle(start, middle - bar / 2.0, end, middle + bar / 2.0, colour(place))?;
            }
            from += part;
        }
        // On a ground of its own, for a line of the grid may run there.
        let width = canvas.text_width(&label(*sum))?;
        let end = x(from) + 3.0;
        canvas.rectangle(end, middle - 5.0, end + width + 5.0, middle + 5.0, PAPER)?;
        canvas.text(&label(*sum), end + 2.0, middle, INK, HPos::Left, true)?;
        middle += row;
    }
    Ok(())
}

fn lines<B: DrawingBackend>(canvas: &mut Canvas<'_, B>, chart: &Chart, top: f64) -> Result<(), ChartError> {
    let most = chart.series.iter().flat_map(|series| &series.values).copied().fold(0.0, f64::max);
    let ticks = ticks(most, 5.0);
    let last = ticks.last().copied().unwrap_or(1.0);
    let mut labels = 0.0_f64;
    for tick in &ticks {
        labels = labels.max(canvas.text_width(&number(*tick))?);
    }
    let left = labels + 10.0;
    let right = canvas.width - 24.0;
    let (top, bottom) = (top + 6.0, canvas.height - AXIS_ROOM);
    let y = |value: f64| bottom - (bottom - top) * value / last;
    for tick in &ticks {
        canvas.line(left, y(*tick), right, y(*tick), if *tick == 0.0 { AXIS } else { GRID }, 0.6)?;
        canvas.text(&number(*tick), left - 6.0, y(*tick), MUTED, HPos::Right, false)?;
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
        widest = widest.max(canvas.text_width(name)?);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some tens of names")]
    let room = ((right - left) / (1.5 * widest + 12.0)).floor().max(1.0) as usize;
    let every = count.div_ceil(room).max(1);
    for (moment, name) in chart.categories.iter().enumerate().step_by(every) {
        canvas.line(x(moment), bottom, x(moment), bottom + 3.0, AXIS, 0.6)?;
        let half = widest / 2.0;
        let side = match x(moment) {
            at if count == 1 || (left + half..=right - half).contains(&at) => HPos::Center,
            at if at < left + half => HPos::Left,
            _ => HPos::Right,
        };
        canvas.text(name, x(moment), bottom + 9.0, MUTED, side, false)?;
    }
    canvas.text(&chart.unit, (left + right) / 2.0, bottom + 20.0, MUTED, HPos::Center, false)?;
    for (place, series) in chart.series.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            series.values.iter().enumerate().map(|(moment, value)| (x(moment), y(*value))).collect();
        for pair in points.windows(2) {
            canvas.line(pair[0].0, pair[0].1, pair[1].0, pair[1].1, colour(place), 1.4)?;
        }
        for (px, py) in points {
            canvas.rectangle(px - 1.6, py - 1.6, px + 1.6, py + 1.6, colour(place))?;
        }
    }
    Ok(())
}

/// A surface in points.
struct Canvas<'a, B: DrawingBackend> {
    surface: &'a mut B,
    scale: f64,
    width: f64,
    height: f64,
}

impl<B: DrawingBackend> Canvas<'_, B> {
    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        #[expect(clippy::cast_possible_truncation, reason = "a surface is some ten thousand units wide")]
        let at = ((x * self.scale).round() as i32, (y * self.scale).round() as i32);
        at
    }

    fn rectangle(
        &mut self,
        left: f64,
        top: f64,
        right: f64,
        bottom: f64,
        colour: RGBColor,
    ) -> Result<(), ChartError> {
        let (from, to) = (self.at(left, top), self.at(right, bottom));
        self.surface.draw_rect(from, to, &colour.filled(), true).map_err(refused)
    }

    fn line(
        &mut self,
        x0: f64,
        y0: f64,
        x1: f64,
        y1: f64,
        colour: RGBColor,
        width: f64,
    ) -> Result<(), ChartError> {
        let (from, to) = (self.at(x0, y0), self.at(x1, y1));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some units")]
        let width = (width * self.scale).round().max(1.0) as u32;
        self.surface.draw_line(from, to, &colour.stroke_width(width)).map_err(refused)
    }

    fn style(&self, colour: RGBColor, side: HPos, bold: bool) -> TextStyle<'static> {
        let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = ("sans-serif", TEXT * self.scale * FONT_SIZE).into_font().style(style);
        let mut style = TextStyle::from(font).pos(Pos::new(side, VPos::Center));
        style.color = colour.to_backend_color();
        style
    }

    /// Text next to a point, in the middle of its height.
    fn text(
        &mut self,
        text: &str,
        x: f64,
        y: f64,
        colour: RGBColor,
        side: HPos,
        bold: bool,
    ) -> Result<(), ChartError> {
        let style = self.style(colour, side, bold);
        self.surface.draw_text(text, &style, self.at(x, y)).map_err(refused)
    }

    fn text_width(&self, text: &str) -> Result<f64, ChartError> {
        let style = self.style(INK, HPos::Left, false);
        let (width, _) = self.surface.estimate_text_size(text, &style).map_err(refused)?;
        Ok(f64::from(width) / self.scale)
    }

    /// A text that is not wider than the room, its end left out where it is.
    fn shortened(&self, text: &str, room: f64) -> Result<String, ChartError> {
        if self.text_width(text)? <= room {
            return Ok(text.to_owned());
        }
        let mut end = text.len();
        while end > 0 {
            end = text.floor_char_boundary(end - 1);
            let short = format!("{}\u{2026}", text[..end].trim_end());
            if self.text_width(&short)? <= room {
                return Ok(short);
            }
        }
        Ok(String::new())
    }
}

fn refused(error: impl std::fmt::Display) -> ChartError {
    ChartError::Surface(error.to_string())
}
