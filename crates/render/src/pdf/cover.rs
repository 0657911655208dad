//! The pages of the cover and of the appendix: everything the cover says, in the order in which a reader asks.
//!
//! What is looked up rather than read is in the appendix, after the rows: a long query, long values of arguments, and the table
//! of columns if the cover would have more than [`PAGES`] pages with it.

mod appendix;
mod verify;

use std::io::Write;

use muster_reports::cover::{Breakdown, Cover, CoverColumn};

use super::chart;
use super::document::Document;
use super::error::PdfError;
use super::faces::Weight;
use super::flow::{BELOW_CHART, Field, Flow, SUBHEADING, left, right};
use super::page::Role;
use super::style::{ACCENT, BODY, INK, MUTED};
use crate::chart::numbers::{grouped, number};
use crate::chart::{Chart, ChartKind};
use crate::cover as facts;
use crate::cover::{duration, minute, second};

/// Pages of a cover that has the table of columns.
const PAGES: usize = 2;

/// Where the document shows a column of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnPlace {
    /// As a column of the table.
    Table,
    /// In the heading above the rows of a group.
    Heading,
    /// Once above the table, because it is the same in every row.
    Above,
}

/// Writes the cover and the charts. Columns that have no place are not in the document.
pub(super) fn write<W: Write>(
    document: &mut Document<W>,
    cover: &Cover,
    charts: &[Chart],
    places: &[(String, ColumnPlace)],
) -> Result<(), PdfError> {
    let mut flow = Flow::new(document);
    title(&mut flow, cover)?;
    shown(&mut flow, cover, places)?;
    warnings(&mut flow, cover)?;
    request(&mut flow, cover)?;
    data(&mut flow, cover)?;
    reconciliation(&mut flow, cover)?;
    draw_charts(&mut flow, charts)?;
    files(&mut flow, cover)?;
    verify::write(&mut flow, cover)?;
    let table = ColumnTable::of(cover, places);
    let height = flow.grid_height(&table.fields(), &table.rows, 1.0) + HEADING;
    let beyond = !flow.fits(height, PAGES);
    match beyond {
        true => {
            flow.paragraph("The meaning of each column is in the appendix, at the end of this document.")?
        }
        false => table.write(&mut flow)?,
    }
    flow.finish()?;
    appendix::write(document, cover, beyond.then_some(&table))
}

fn title<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    let (page_width, _) = flow.document.size();
    flow.sheet.begin_decoration();
    flow.sheet.rectangle(0.0, 0.0, page_width, 7.0, ACCENT);
    flow.sheet.end();
    flow.text(Role::P, &cover.tenant, Weight::Regular, 10.0, MUTED)?;
    flow.space(1.0);
    let title = flow.document.settings.title.clone();
    flow.text(Role::H1, &title, Weight::Bold, 22.0, INK)?;
    let line = format!(
        "Requested by {} \u{b7} completed {} \u{b7} data as of {}",
        cover.requester.name,
        minute(cover.completed),
        minute(cover.snapshot.created)
    );
    flow.text(Role::P, &line, Weight::Regular, 10.0, MUTED)?;
    flow.space(8.0);
    let excluded: u64 = cover.reconciliation.excluded.iter().map(|count| count.rows).sum();
    let refused: u64 = cover.snapshot.sources.iter().map(|source| source.rejected).sum();
    flow.figures(&[
        ("Rows reported", grouped(cover.reconciliation.reported)),
        ("Population", grouped(cover.reconciliation.population)),
        ("Left out, with reasons", grouped(excluded)),
        ("Refused records", grouped(refused)),
        ("Sources read", grouped(cover.snapshot.sources.len() as u64)),
        ("Age of the data at request", duration(cover.snapshot.age_seconds)),
    ])
}

/// What the document has of the report, and what only the other files have.
fn shown<W: Write>(
    flow: &mut Flow<'_, W>,
    cover: &Cover,
    places: &[(String, ColumnPlace)],
) -> Result<(), PdfError> {
    let reconciliation = &cover.reconciliation;
    if reconciliation.reported == 0 {
        let text = format!("No rows: none found among {}.", grouped(reconciliation.population));
        flow.text(Role::P, &text, Weight::Bold, 11.0, INK)?;
        flow.space(4.0);
    }
    let missing: Vec<&str> = cover
        .columns
        .iter()
        .filter(|column| place_of(places, &column.name).is_none())
        .map(|column| column.label.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (of, all) = (cover.columns.len() - missing.len(), cover.columns.len());
    let others = if has_csv(cover) { "Only in the CSV file" } else { "Not shown" };
    flow.paragraph(&format!("This document shows {of} of {all} columns. {others}: {}.", missing.join(", ")))
}

/// Whether the result has a CSV file, which has all columns.
fn has_csv(cover: &Cover) -> bool {
    cover.files.iter().any(|file| file.format == "CSV")
}

fn place_of(places: &[(String, ColumnPlace)], name: &str) -> Option<ColumnPlace> {
    places.iter().find(|(known, _)| known == name).map(|(_, place)| *place)
}

fn warnings<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    if cover.messages.is_empty() {
        return Ok(());
    }
    flow.heading("What a reader must know", 30.0)?;
    for message in &cover.messages {
        let kind = facts::severity(message.severity);
        flow.notice(&format!("{kind}: {} ({})", message.text, message.key))?;
    }
    Ok(())
}

fn request<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    flow.heading("Request", 60.0)?;
    let mut pairs = facts::request(cover);
    pairs.extend(facts::arguments(cover).into_iter().map(|(name, value)| {
        let value = if appendix::is_long(&value) { appendix::IN_APPENDIX.to_owned() } else { value };
        (name, value)
    }));
    flow.pairs(&pairs)?;
    flow.subheading("Effective query", 24.0)?;
    match appendix::is_long(&cover.effective_query) {
        true => flow.paragraph("It is in the appendix, at the end of this document."),
        false => flow.paragraph(&cover.effective_query),
    }
}

fn data<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    flow.heading("Data", 80.0)?;
    let snapshot = &cover.snapshot;
    flow.pairs(&[
        pair("Snapshot", &snapshot.id),
        pair(
            "Published",
            &format!("{}, {} old at request", second(snapshot.created), duration(snapshot.age_seconds)),
        ),
    ])?;
    let earlier = facts::earlier(cover);
    if !earlier.is_empty() {
        flow.pairs(&earlier)?;
    }
    flow.space(8.0);
    let fields = [
        left("Source", 1.8),
        left("Type", 0.85),
        left("Authoritative", 1.3),
        left("Last aggregation", 1.28),
        left("Complete", 1.2),
        right("Total stated", 0.75),
        right("Read", 0.8),
        right("Refused", 0.85),
        right("Loaded", 0.8),
    ];
    let mut rows = Vec::new();
    for source in &snapshot.sources {
        let mode = source.mode.as_str();
        let complete = match (source.complete, &source.remark) {
            (true, None) => format!("yes, {mode}"),
            (true, Some(remark)) => format!("yes, {mode}; {remark}"),
            (false, None) => format!("no, {mode}"),
            (false, Some(remark)) => format!("no, {mode}: {remark}"),
        };
        let authoritative = match (source.authoritative, &source.profile) {
            (true, Some(profile)) => format!("yes: {profile}"),
            (true, None) => "yes".to_owned(),
            (false, _) => "no".to_owned(),
        };
        // A sum stands below the number of records that it belongs to.
        let with_sum = |count: String, sum: Option<&str>| match sum {
            Some(sum) => format!("{count}\n{sum}"),
            None => count,
        };
        let sum = source.sum.as_ref();
        let name = match sum {
            Some(sum) => format!("{}\n{}\nbelow: sums of {}", source.name, source.id.as_str(), sum.column),
            None => format!("{}\n{}", source.name, source.id.as_str()),
        };
        rows.push(vec![
            name,
            source.kind.clone(),
            authoritative,
            minute(source.ended),
            complete,
            with_sum(
                source.reported_total.map(grouped).unwrap_or_default(),
                sum.map(|sum| sum.stated.as_deref().unwrap_or("no sum")),
            ),
            with_sum(grouped(source.read), sum.map(|sum| sum.read.as_str())),
            with_sum(grouped(source.rejected), sum.map(|sum| sum.refused.as_str())),
            grouped(source.loaded),
        ]);
    }
    flow.grid(&fields, &rows, 1.0)
}

/// The steps on the left, and the breakdowns on the right if they fit there.
fn reconciliation<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    let reconciliation = &cover.reconciliation;
    let fields = [left("Step", 3.0), right("Rows", 1.0)];
    let steps: Vec<Vec<String>> =
        facts::steps(reconciliation).into_iter().map(|(step, rows)| vec![step, grouped(rows)]).collect();
    let parts = [left("Part", 3.0), right("Rows", 1.0)];
    let breakdown = |breakdown: &Breakdown| {
        let mut rows: Vec<Vec<String>> =
            breakdown.parts.iter().map(|part| vec![part.label.clone(), grouped(part.rows)]).collect();
        rows.push(vec!["Sum".to_owned(), grouped(breakdown.parts.iter().map(|part| part.rows).sum())]);
        (format!("Reported rows by {}", breakdown.by), rows)
    };
    let breakdowns: Vec<_> = reconciliation.subtotals.iter().map(breakdown).collect();
    flow.half(Some(1));
    let mut height = flow.grid_height(&fields, &steps, 1.0);
    let beside: f32 =
        breakdowns.iter().map(|(_, rows)| SUBHEADING + flow.grid_height(&parts, rows, 1.0)).sum();
    height = height.max(beside);
    let side_by_side = height + 40.0 <= flow.page_room();
    flow.half(None);
    flow.heading("Reconciliation", if side_by_side { height } else { 80.0 })?;
    let top = flow.y;
    if side_by_side {
        flow.half(Some(0));
    }
    flow.grid(&fields, &steps, 1.0)?;
    let bottom = flow.y;
    if side_by_side && !breakdowns.is_empty() {
        flow.half(Some(1));
        // A subheading has some space above it.
        flow.y = top - 6.0;
    }
    for (title, rows) in &breakdowns {
        flow.subheading(title, 40.0)?;
        flow.grid(&parts, rows, 1.0)?;
    }
    flow.half(None);
    flow.y = flow.y.max(bottom);
    Ok(())
}

/// The charts, in pairs side by side where they are not too high, each with its numbers below it.
fn draw_charts<W: Write>(flow: &mut Flow<'_, W>, charts: &[Chart]) -> Result<(), PdfError> {
    let checked = |chart: &Chart| match chart.check() {
        Ok(()) => Ok(chart.shortened()),
        Err(error) => Err(PdfError::Chart { title: chart.title.clone(), reason: error.to_string() }),
    };
    let charts = charts.iter().map(checked).collect::<Result<Vec<_>, _>>()?;
    for (place, pair) in charts.chunks(2).enumerate() {
        let first = place == 0;
        flow.half(Some(0));
        let mut height = 0.0_f32;
        for (chart, _) in pair {
            let numbers = numbers(chart);
            let below = flow.grid_height(&numbers.fields(), &numbers.rows, 1.0) + 34.0;
            height = height.max(SUBHEADING + chart::height(chart, flow.room()) + BELOW_CHART + below);
        }
        flow.half(None);
        let side_by_side = height + 40.0 <= flow.page_room();
        let follows = if side_by_side { height } else { chart::height(&pair[0].0, flow.room()) + SUBHEADING };
        if first {
            flow.heading("Charts", follows)?;
        }
        if !side_by_side {
            for (chart, hidden) in pair {
                draw_chart(flow, chart, *hidden, 0.5)?;
            }
            continue;
        }
        flow.need(height)?;
        let top = flow.y;
        let mut bottom = top;
        for (place, (chart, hidden)) in pair.iter().enumerate() {
            flow.y = top;
            flow.half(Some(place));
            draw_chart(flow, chart, *hidden, 1.0)?;
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

/// Draws a chart that shows all but `hidden` categories by themselves, and its numbers, which take a part of the width.
fn draw_chart<W: Write>(
    flow: &mut Flow<'_, W>,
    chart: &Chart,
    hidden: usize,
    part: f32,
) -> Result<(), PdfError> {
    flow.subheading(&chart.title, chart::height(chart, flow.room()))?;
    flow.chart(chart)?;
    let numbers = numbers(chart);
    flow.grid(&numbers.fields(), &numbers.rows, part)?;
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

fn files<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    if !cover.files.is_empty() {
        flow.heading("Files of this result", 50.0)?;
        let fields = [
            left("Name", 2.2),
            left("Format", 0.8),
            right("Bytes", 1.0),
            right("Rows", 0.9),
            left("SHA-256", 4.0),
        ];
        let rows: Vec<Vec<String>> = cover
            .files
            .iter()
            .map(|file| {
                vec![
                    file.name.clone(),
                    file.format.clone(),
                    grouped(file.bytes),
                    grouped(file.rows),
                    file.sha256.clone(),
                ]
            })
            .collect();
        flow.grid(&fields, &rows, 1.0)?;
        if let Some(guard) = cover.csv_formula_guard {
            let state = if guard { "have a leading apostrophe" } else { "are unchanged" };
            flow.paragraph(&format!("Cells of CSV that a spreadsheet would take for a formula {state}."))?;
        }
    }
    Ok(())
}

/// Room for a heading.
const HEADING: f32 = 50.0;

/// Every column of the files, and where this document has it.
struct ColumnTable {
    rows: Vec<Vec<String>>,
}

impl ColumnTable {
    fn of(cover: &Cover, places: &[(String, ColumnPlace)]) -> Self {
        let absent = if has_csv(cover) { "only in the CSV file" } else { "not shown" };
        let row = |column: &CoverColumn| {
            let place = match place_of(places, &column.name) {
                Some(ColumnPlace::Table) => "column",
                Some(ColumnPlace::Heading) => "above its rows",
                Some(ColumnPlace::Above) => "above the table",
                None => absent,
            };
            let texts = [&column.label, &column.name, &column.meaning, &column.origin];
            texts.into_iter().cloned().chain([place.to_owned()]).collect()
        };
        Self { rows: cover.columns.iter().map(row).collect() }
    }

    fn fields(&self) -> [Field<'static>; 5] {
        [
            left("Label", 1.4),
            left("Name", 1.3),
            left("Meaning", 3.6),
            left("Origin", 1.0),
            left("In this document", 1.1),
        ]
    }

    fn write<W: Write>(&self, flow: &mut Flow<'_, W>) -> Result<(), PdfError> {
        flow.heading("Columns", HEADING)?;
        flow.grid(&self.fields(), &self.rows, 1.0)
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
