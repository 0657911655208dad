//! The cover's pages: everything the cover says, in the order in which a reader asks.

use std::io::Write;

use chrono::{DateTime, Utc};
use muster_reports::caller::CallerKind;
use muster_reports::cover::Cover;
use muster_reports::message::Severity;

use super::chart;
use super::document::Document;
use super::error::PdfError;
use super::faces::Weight;
use super::flow::{BELOW_CHART, Field, Flow, SUBHEADING, left, right};
use super::page::Role;
use super::style::{ACCENT, BODY, INK, MUTED};
use crate::chart::numbers::{grouped, number};
use crate::chart::{Chart, ChartKind};

/// Writes the cover and the charts.
pub(super) fn write<W: Write>(
    document: &mut Document<W>,
    cover: &Cover,
    charts: &[Chart],
) -> Result<(), PdfError> {
    let mut flow = Flow::new(document);
    title(&mut flow, cover)?;
    warnings(&mut flow, cover)?;
    request(&mut flow, cover)?;
    data(&mut flow, cover)?;
    reconciliation(&mut flow, cover)?;
    draw_charts(&mut flow, charts)?;
    files(&mut flow, cover)?;
    flow.finish()
}

fn title<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    let (page_width, _) = flow.document.size();
    flow.sheet.begin_decoration();
    flow.sheet.rectangle(0.0, 0.0, page_width, 7.0, ACCENT);
    flow.sheet.end();
    flow.text(Role::P, &cover.tenant, Weight::Regular, 10.0, MUTED)?;
    flow.space(1.0);
    flow.text(Role::H1, &cover.report.name, Weight::Bold, 24.0, INK)?;
    let line = format!(
        "Requested by {} \u{b7} completed {} \u{b7} data as of {}",
        cover.requester.name,
        moment(cover.completed),
        moment(cover.snapshot.created)
    );
    flow.text(Role::P, &line, Weight::Regular, 10.0, MUTED)?;
    flow.space(8.0);
    let excluded: u64 = cover.reconciliation.excluded.iter().map(|count| count.rows).sum();
    flow.figures(&[
        ("Rows reported", grouped(cover.reconciliation.reported)),
        ("Population", grouped(cover.reconciliation.population)),
        ("Left out, with reasons", grouped(excluded)),
        ("Sources read", grouped(cover.snapshot.sources.len() as u64)),
        ("Age of the data at request", duration(cover.snapshot.age_seconds)),
    ])
}

fn warnings<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    if cover.messages.is_empty() {
        return Ok(());
    }
    flow.heading("What a reader must know", 30.0)?;
    for message in &cover.messages {
        let kind = match message.severity {
            Severity::Info => "Note",
            Severity::Warn => "Warning",
            Severity::Error => "Error",
        };
        flow.notice(&format!("{kind}: {} ({})", message.text, message.key))?;
    }
    Ok(())
}

fn request<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    flow.heading("Request", 60.0)?;
    let requester = &cover.requester;
    let credential = match requester.credential {
        CallerKind::User => "personal access token",
        CallerKind::Application => "application client",
    };
    let report = &cover.report;
    let origin = if report.built_in { "built in" } else { "custom" };
    let mut pairs = vec![
        pair("Report", &format!("{}, version {}, {origin}", report.id, report.version)),
        pair("Requested by", &requester.name),
        pair("Definition", &format!("SHA-256 {}", report.digest)),
        pair("Identity", requester.identity_id.as_deref().unwrap_or("none: an application")),
        pair("Tenant", &cover.tenant),
        pair("Credential", &format!("{credential}, client {}", requester.client_id)),
        pair("Task", cover.task_id.as_str()),
        pair("Data scope", &requester.data_scope),
        pair("Submitted", &moment(cover.submitted)),
        pair("Started", &moment(cover.started)),
        pair("Completed", &moment(cover.completed)),
        pair("Program", &format!("Muster {}", cover.product_version)),
    ];
    match &cover.arguments {
        serde_json::Value::Object(arguments) => {
            for (name, value) in arguments {
                pairs.push(pair(&format!("Argument {name}"), &plain(value)));
            }
        }
        serde_json::Value::Null => {}
        other @ (serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_)) => pairs.push(pair("Arguments", &plain(other))),
    }
    flow.pairs(&pairs)?;
    flow.subheading("Effective query", 24.0)?;
    flow.paragraph(&cover.effective_query)
}

fn data<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    flow.heading("Data", 80.0)?;
    let snapshot = &cover.snapshot;
    flow.pairs(&[
        pair("Snapshot", &snapshot.id),
        pair(
            "Published",
            &format!("{}, {} old at request", moment(snapshot.created), duration(snapshot.age_seconds)),
        ),
    ])?;
    flow.space(8.0);
    let fields = [
        left("Source", 2.0),
        left("Id", 2.0),
        left("Type", 1.2),
        left("Authoritative", 1.4),
        left("Last aggregation", 1.8),
        left("Mode", 0.7),
        left("Complete", 1.7),
        right("Total stated", 1.0),
        right("Read", 1.0),
        right("Rejected", 1.0),
        right("Loaded", 1.0),
    ];
    let mut rows = Vec::new();
    for source in &snapshot.sources {
        let complete = match (source.complete, &source.remark) {
            (true, None) => "yes".to_owned(),
            (true, Some(remark)) => format!("yes; {remark}"),
            (false, None) => "no".to_owned(),
            (false, Some(remark)) => format!("no: {remark}"),
        };
        let authoritative = match (source.authoritative, &source.profile) {
            (true, Some(profile)) => format!("yes: {profile}"),
            (true, None) => "yes".to_owned(),
            (false, _) => "no".to_owned(),
        };
        rows.push(vec![
            source.name.clone(),
            source.id.as_str().to_owned(),
            source.kind.clone(),
            authoritative,
            moment(source.ended),
            source.mode.as_str().to_owned(),
            complete,
            source.reported_total.map(grouped).unwrap_or_default(),
            grouped(source.read),
            grouped(source.rejected),
            grouped(source.loaded),
        ]);
    }
    flow.grid(&fields, &rows, 1.0)
}

fn reconciliation<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    let reconciliation = &cover.reconciliation;
    flow.heading("Reconciliation", 80.0)?;
    let fields = [left("Step", 3.0), right("Rows", 1.0)];
    let mut rows = vec![vec!["Population, counted by itself".to_owned(), grouped(reconciliation.population)]];
    for excluded in &reconciliation.excluded {
        rows.push(vec![format!("less: {}", excluded.label), grouped(excluded.rows)]);
    }
    rows.push(vec!["Expected".to_owned(), grouped(reconciliation.expected)]);
    rows.push(vec!["Reported".to_owned(), grouped(reconciliation.reported)]);
    flow.grid(&fields, &rows, 0.5)?;
    for breakdown in &reconciliation.subtotals {
        flow.subheading(&format!("Reported rows by {}", breakdown.by), 40.0)?;
        let mut rows: Vec<Vec<String>> =
            breakdown.parts.iter().map(|part| vec![part.label.clone(), grouped(part.rows)]).collect();
        rows.push(vec!["Sum".to_owned(), grouped(breakdown.parts.iter().map(|part| part.rows).sum())]);
        let fields = [left("Part", 3.0), right("Rows", 1.0)];
        flow.grid(&fields, &rows, 0.5)?;
    }
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
            height = height.max(SUBHEADING + chart::height(chart) + BELOW_CHART + below);
        }
        flow.half(None);
        let side_by_side = height + 40.0 <= flow.page_room();
        let follows = if side_by_side { height } else { chart::height(&pair[0].0) + SUBHEADING };
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
    flow.subheading(&chart.title, chart::height(chart))?;
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
    flow.heading("Columns", 50.0)?;
    let fields = [left("Label", 1.4), left("Name", 1.4), left("Meaning", 4.0), left("Origin", 1.2)];
    let rows: Vec<Vec<String>> = cover
        .columns
        .iter()
        .map(|column| {
            vec![column.label.clone(), column.name.clone(), column.meaning.clone(), column.origin.clone()]
        })
        .collect();
    flow.grid(&fields, &rows, 1.0)?;
    flow.heading("How to verify", 20.0)?;
    flow.paragraph(&cover.how_to_verify)
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A value of an argument as text: JSON, but a text without its quotes.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// An age in its two largest units.
fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days} d {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}
