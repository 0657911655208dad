//! The charts of the cover, and where there is room for them and their numbers.

use std::io::Write;

use super::super::chart;
use super::super::error::PdfError;
use super::super::faces::Weight;
use super::super::flow::{BELOW_CHART, Field, Flow, SUBHEADING, left, right};
use super::super::page::Role;
use super::super::style::{BODY, MUTED};
use crate::chart::numbers::number;
use crate::chart::{Chart, ChartKind};

/// A chart that was checked, and how many of its categories are not shown by themselves.
pub(super) type Shortened = (Chart, usize);

pub(super) fn checked(charts: &[Chart]) -> Result<Vec<Shortened>, PdfError> {
    let checked = |chart: &Chart| match chart.check() {
        Ok(()) => Ok(chart.shortened()),
        Err(error) => Err(PdfError::Chart { title: chart.title.clone(), reason: error.to_string() }),
    };
    charts.iter().map(checked).collect()
}

/// Where the charts and their numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChartPlaces {
    /// How many of the charts are on the cover; the others are in the appendix.
    pub(super) on_cover: usize,
    /// Whether the numbers of those are there too.
    pub(super) with_numbers: bool,
}

impl ChartPlaces {
    /// As much on the cover as so many pages have room for, before what takes the height `after`: a chart rather than numbers.
    pub(super) fn of<W: Write>(
        flow: &mut Flow<'_, W>,
        charts: &[Shortened],
        pages: usize,
        after: f32,
    ) -> Self {
        let ends_in_time = |flow: &mut Flow<'_, W>, on_cover: usize, with_numbers: bool| {
            let pairs = charts[..on_cover].chunks(2);
            let heights: Vec<f32> =
                pairs.map(|pair| pair_height(flow, pair, with_numbers).0 + SUBHEADING).collect();
            flow.page_after(heights.into_iter().chain([after])) <= pages
        };
        let mut on_cover = charts.len();
        if on_cover == 0 || ends_in_time(flow, on_cover, true) {
            return Self { on_cover, with_numbers: true };
        }
        while on_cover > 0 && !ends_in_time(flow, on_cover, false) {
            // Pairs are side by side.
            on_cover = (on_cover - 1) / 2 * 2;
        }
        Self { on_cover, with_numbers: false }
    }
}

/// The height of two charts, and whether they are side by side.
fn pair_height<W: Write>(flow: &mut Flow<'_, W>, pair: &[Shortened], with_numbers: bool) -> (f32, bool) {
    flow.half(Some(0));
    let mut height = 0.0_f32;
    for (chart, _) in pair {
        let numbers = numbers(chart);
        let below =
            if with_numbers { flow.grid_height(&numbers.fields(), &numbers.rows, 1.0) + 34.0 } else { 34.0 };
        height = height.max(SUBHEADING + chart::height(chart, flow.room()) + BELOW_CHART + below);
    }
    flow.half(None);
    if height + 40.0 <= flow.page_room() {
        return (height, true);
    }
    let one = |(chart, _): &Shortened| {
        let numbers = numbers(chart);
        let below = if with_numbers { flow.grid_height(&numbers.fields(), &numbers.rows, 0.5) } else { 0.0 };
        SUBHEADING + chart::height(chart, flow.room()) + BELOW_CHART + below + 34.0
    };
    (pair.iter().map(one).sum(), false)
}

/// The charts, in pairs side by side where they are not too high, each with its numbers below it.
pub(super) fn draw<W: Write>(
    flow: &mut Flow<'_, W>,
    charts: &[Shortened],
    with_numbers: bool,
) -> Result<(), PdfError> {
    for (place, pair) in charts.chunks(2).enumerate() {
        let first = place == 0;
        let (height, side_by_side) = pair_height(flow, pair, with_numbers);
        let follows = if side_by_side { height } else { chart::height(&pair[0].0, flow.room()) + SUBHEADING };
        if first {
            flow.heading("Charts", follows)?;
        }
        if !side_by_side {
            for (chart, hidden) in pair {
                draw_chart(flow, chart, *hidden, with_numbers.then_some(0.5))?;
            }
            continue;
        }
        flow.need(height)?;
        let top = flow.y;
        let mut bottom = top;
        for (place, (chart, hidden)) in pair.iter().enumerate() {
            flow.y = top;
            flow.half(Some(place));
            draw_chart(flow, chart, *hidden, with_numbers.then_some(1.0))?;
            bottom = bottom.max(flow.y);
        }
        flow.half(None);
        flow.y = bottom;
    }
    Ok(())
}

/// The numbers of a chart as a small table.
struct Numbers {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Numbers {
    fn fields(&self) -> Vec<Field<'_>> {
        let mut fields = vec![left(&self.names[0], 2.0)];
        fields.extend(self.names[1..].iter().map(|name| right(name, 1.0)));
        fields
    }
}

fn numbers(chart: &Chart) -> Numbers {
    let drawn = if chart.kind == ChartKind::Bars { chart.series.len().min(1) } else { chart.series.len() };
    let series = &chart.series[..drawn];
    let mut rows = Vec::new();
    for (category, name) in chart.categories.iter().enumerate() {
        let mut row = vec![name.clone()];
        let sum: f64 = series.iter().map(|series| series.values[category]).sum();
        for series in series {
            let value = series.values[category];
            row.push(match chart.kind {
                ChartKind::Share if sum > 0.0 => {
                    format!("{} ({} %)", number(value), number((value / sum * 1000.0).round() / 10.0))
                }
                ChartKind::Bars | ChartKind::StackedBars | ChartKind::Share | ChartKind::Line => {
                    number(value)
                }
            });
        }
        rows.push(row);
    }
    let category = if chart.kind == ChartKind::Line { "Moment" } else { "Category" };
    let names = std::iter::once(category.to_owned()).chain(series.iter().map(|series| series.name.clone()));
    Numbers { names: names.collect(), rows }
}

/// Draws a chart that shows all but `hidden` categories by themselves, and its numbers in a part of the width, if they are here.
fn draw_chart<W: Write>(
    flow: &mut Flow<'_, W>,
    chart: &Chart,
    hidden: usize,
    part: Option<f32>,
) -> Result<(), PdfError> {
    flow.subheading(&chart.title, chart::height(chart, flow.room()))?;
    flow.chart(chart)?;
    if let Some(part) = part {
        let numbers = numbers(chart);
        flow.grid(&numbers.fields(), &numbers.rows, part)?;
    }
    if hidden > 0 {
        let text = match chart.kind {
            ChartKind::Line => format!("{hidden} earlier moments are not shown."),
            ChartKind::Bars | ChartKind::StackedBars | ChartKind::Share => format!(
                "The {hidden} smallest categories are added up as \u{201c}other\u{201d}, in the chart and in the table."
            ),
        };
        flow.text(Role::P, &text, Weight::Regular, BODY, MUTED)?;
    }
    flow.space(6.0);
    Ok(())
}

/// The numbers of charts that are on the cover.
pub(super) fn write_numbers<W: Write>(flow: &mut Flow<'_, W>, charts: &[Shortened]) -> Result<(), PdfError> {
    flow.heading("Numbers of the charts", 60.0)?;
    for (chart, _) in charts {
        let numbers = numbers(chart);
        flow.subheading(&chart.title, 40.0)?;
        flow.grid(&numbers.fields(), &numbers.rows, 0.5)?;
    }
    Ok(())
}
