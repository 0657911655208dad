//! The pages of the cover and of the appendix: everything the cover says, in the order in which a reader asks.
//!
//! What is looked up rather than read is in the appendix, after the rows: how to verify the document, the ids of sources, a
//! long query, long values of arguments, long breakdowns, and what the cover would have more than [`PAGES`] pages with: the table of columns,
//! the numbers of charts, the charts.

mod appendix;
mod charts;
mod verify;

use std::io::Write;

use muster_reports::cover::{Breakdown, Count, Cover, CoverColumn, CoverFile};

use super::document::Document;
use super::error::PdfError;
use super::faces::Weight;
use super::flow::{Field, Flow, SUBHEADING, left, right};
use super::page::Role;
use super::style::{ACCENT, INK, MUTED};
use crate::chart::Chart;
use crate::chart::numbers::grouped;
use crate::cover as facts;
use crate::cover::{duration, minute, second};

/// Pages that a cover has at most, where what can be elsewhere is.
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
    // The heading, and what is said of CSV.
    let after = files_height(&mut flow, cover) + 1.5 * HEADING;
    let most = parts_on_cover(&mut flow, cover, after);
    reconciliation(&mut flow, cover, most)?;
    let charts = charts::checked(charts)?;
    let places_of_charts = charts::ChartPlaces::of(&mut flow, &charts, PAGES, after);
    charts::draw(&mut flow, &charts[..places_of_charts.on_cover], places_of_charts.with_numbers)?;
    files(&mut flow, cover)?;
    let table = ColumnTable::of(cover, places);
    let height = flow.grid_height(&table.fields(), &table.rows, 1.0) + HEADING;
    let beyond = !flow.fits(height, PAGES);
    if !beyond {
        table.write(&mut flow)?;
    }
    flow.finish()?;
    appendix::write(document, cover, (&charts, places_of_charts), most, beyond.then_some(&table))
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
    let elsewhere =
        "The appendix, at the end, says how to verify this document, and has what is not on these pages.";
    if missing.is_empty() {
        return flow.paragraph(elsewhere);
    }
    let (of, all) = (cover.columns.len() - missing.len(), cover.columns.len());
    let others = if has_csv(cover) { "Only in the CSV file" } else { "Not shown" };
    let shown = format!("This document shows {of} of {all} columns. {others}: {}.", missing.join(", "));
    flow.paragraph(&format!("{shown} {elsewhere}"))
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
    // A digest is looked up.
    pairs.retain(|(name, _)| name != facts::DEFINITION);
    pairs.extend(facts::arguments(cover).into_iter().map(|(name, value)| {
        let value = if appendix::is_long(&value) { appendix::IN_APPENDIX.to_owned() } else { value };
        (name, value)
    }));
    flow.pairs(&pairs)?;
    if appendix::is_long_query(&cover.effective_query) {
        return Ok(());
    }
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
            &format!("{}, {} old at request", second(snapshot.created), duration(snapshot.age_seconds)),
        ),
    ])?;
    let earlier = facts::earlier(cover);
    if !earlier.is_empty() {
        flow.pairs(&earlier)?;
    }
    flow.space(8.0);
    let fields = [
        left("Source", 2.7),
        left("Type", 0.85),
        left("Authoritative", 1.1),
        left("Last aggregation", 1.28),
        left("Complete", 1.1),
        right("Total stated", 0.95),
        right("Read", 0.65),
        right("Refused", 0.7),
        right("Loaded", 0.7),
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
            Some(sum) => format!("{}\nbelow: sums of {}", source.name, sum.column),
            None => source.name.clone(),
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
            with_sum(grouped(source.loaded), sum.and_then(|sum| sum.loaded.as_deref())),
        ]);
    }
    flow.grid(&fields, &rows, 1.0)
}

/// Parts of a breakdown on the cover: as many as there is room for.
const PARTS: [usize; 3] = [12, 8, 5];

/// How many parts of a breakdown are on the cover, so that what takes the height `after` has room too.
fn parts_on_cover<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover, after: f32) -> usize {
    let fits = |most: &usize| {
        let height = Sides::of(flow, cover, *most).height() + HEADING;
        flow.page_after([height, after]) <= PAGES
    };
    PARTS.into_iter().find(fits).unwrap_or(PARTS[0])
}

/// The steps of the reconciliation and its breakdowns, on two sides.
struct Sides {
    steps: Vec<Vec<String>>,
    halves: [Vec<(String, Vec<Vec<String>>)>; 2],
    heights: [f32; 2],
}

impl Sides {
    fn of<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover, most: usize) -> Self {
        let reconciliation = &cover.reconciliation;
        let steps: Vec<Vec<String>> =
            facts::steps(reconciliation).into_iter().map(|(step, rows)| vec![step, grouped(rows)]).collect();
        let breakdown = |breakdown: &Breakdown| (breakdown_title(breakdown), breakdown_rows(breakdown, most));
        let mut breakdowns: Vec<_> = reconciliation.subtotals.iter().map(breakdown).collect();
        flow.half(Some(1));
        let mut heights = [flow.grid_height(&step_fields(), &steps, 1.0), 0.0];
        // The largest is the first, and each is where less is: what is left is small.
        breakdowns.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
        let mut halves = [Vec::new(), Vec::new()];
        for (title, rows) in breakdowns {
            let half = usize::from(heights[1] <= heights[0]);
            heights[half] += SUBHEADING + flow.grid_height(&part_fields(), &rows, 1.0);
            halves[half].push((title, rows));
        }
        flow.half(None);
        Self { steps, halves, heights }
    }

    fn height(&self) -> f32 {
        self.heights[0].max(self.heights[1])
    }
}

fn step_fields() -> [Field<'static>; 2] {
    [left("Step", 3.0), right("Rows", 1.0)]
}

fn part_fields() -> [Field<'static>; 2] {
    [left("Part", 3.0), right("Rows", 1.0)]
}

fn breakdown_title(breakdown: &Breakdown) -> String {
    format!("Reported rows by {}", breakdown.by)
}

/// The parts of a breakdown and their sum; what is beyond so many parts is added up.
fn breakdown_rows(breakdown: &Breakdown, most: usize) -> Vec<Vec<String>> {
    let sum = |parts: &[Count]| grouped(parts.iter().map(|part| part.rows).sum());
    let shown = if breakdown.parts.len() > most { most.saturating_sub(1) } else { breakdown.parts.len() };
    let (shown, others) = breakdown.parts.split_at(shown);
    let mut rows: Vec<Vec<String>> =
        shown.iter().map(|part| vec![part.label.clone(), grouped(part.rows)]).collect();
    if !others.is_empty() {
        rows.push(vec![format!("{} others, in the appendix", others.len()), sum(others)]);
    }
    rows.push(vec!["Sum".to_owned(), sum(&breakdown.parts)]);
    rows
}

/// The steps on the left, and the breakdowns on both sides if they fit there.
fn reconciliation<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover, most: usize) -> Result<(), PdfError> {
    let sides = Sides::of(flow, cover, most);
    let height = sides.height();
    let side_by_side = height + 40.0 <= flow.page_room();
    flow.heading("Reconciliation", if side_by_side { height } else { 80.0 })?;
    let top = flow.y;
    let mut bottom = top;
    for (place, half) in sides.halves.iter().enumerate() {
        if side_by_side {
            flow.half(Some(place));
            // A subheading has some space above it.
            flow.y = if place == 0 { top } else { top - 6.0 };
        }
        if place == 0 {
            flow.grid(&step_fields(), &sides.steps, 1.0)?;
        }
        for (title, rows) in half {
            flow.subheading(title, 40.0)?;
            flow.grid(&part_fields(), rows, 1.0)?;
        }
        bottom = bottom.max(flow.y);
    }
    flow.half(None);
    flow.y = if side_by_side { bottom } else { flow.y };
    Ok(())
}

const FILE_FIELDS: [(&str, f32, bool); 5] = [
    ("Name", 2.2, false),
    ("Format", 0.8, false),
    ("Bytes", 1.0, true),
    ("Rows", 0.9, true),
    ("SHA-256", 4.0, false),
];

fn file_rows(cover: &Cover) -> Vec<Vec<String>> {
    let row = |file: &CoverFile| {
        vec![
            file.name.clone(),
            file.format.clone(),
            grouped(file.bytes),
            grouped(file.rows),
            file.sha256.clone(),
        ]
    };
    cover.files.iter().map(row).collect()
}

fn file_fields() -> Vec<Field<'static>> {
    let field = |(label, share, is_number)| if is_number { right(label, share) } else { left(label, share) };
    FILE_FIELDS.into_iter().map(field).collect()
}

fn files_height<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> f32 {
    flow.grid_height(&file_fields(), &file_rows(cover), 1.0)
}

fn files<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    if !cover.files.is_empty() {
        flow.heading("Files of this result", 50.0)?;
        flow.grid(&file_fields(), &file_rows(cover), 1.0)?;
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
