//! The appendix: what is looked up rather than read, or too long for the cover.

use std::io::Write;

use muster_reports::cover::Cover;
use muster_reports::snapshot::SourceRun;

use super::super::document::Document;
use super::super::error::PdfError;
use super::super::faces::Weight;
use super::super::flow::{Flow, left};
use super::super::page::Role;
use super::super::style::INK;
use super::charts::{self, ChartPlaces, Shortened};
use super::{ColumnTable, breakdown_rows, breakdown_title, part_fields, verify};
use crate::cover as facts;

/// Most characters of a value of an argument on the cover.
const ON_COVER: usize = 600;
/// Most characters of a query on the cover. A longer one, or one of several lines, is no reading.
const QUERY_ON_COVER: usize = 200;

/// What the cover says of a value that is here.
pub(super) const IN_APPENDIX: &str = "in the appendix, at the end of this document";

/// Whether a text is too long for the cover.
pub(super) fn is_long(text: &str) -> bool {
    text.chars().nth(ON_COVER).is_some()
}

/// Whether a query is too long for the cover.
pub(super) fn is_long_query(text: &str) -> bool {
    text.chars().nth(QUERY_ON_COVER).is_some() || text.trim().contains('\n')
}

/// Writes what the cover leaves out. `parts` is how many parts of a breakdown the cover has, and `columns` the table of columns, where the
/// cover does not have it.
pub(super) fn write<W: Write>(
    document: &mut Document<W>,
    cover: &Cover,
    (drawn, places): (&[Shortened], ChartPlaces),
    parts: usize,
    columns: Option<&ColumnTable>,
) -> Result<(), PdfError> {
    let arguments: Vec<_> = facts::arguments(cover).into_iter().filter(|(_, value)| is_long(value)).collect();
    let query = is_long_query(&cover.effective_query);
    let mut flow = Flow::appendix(document);
    flow.text(Role::H1, "Appendix", Weight::Bold, 16.0, INK)?;
    flow.space(4.0);
    verify::write(&mut flow, cover)?;
    flow.heading("The definition of the report", 40.0)?;
    let definition = facts::request(cover).into_iter().filter(|(name, _)| name == facts::DEFINITION);
    flow.pairs(&definition.collect::<Vec<_>>())?;
    sources(&mut flow, cover)?;
    for breakdown in cover.reconciliation.subtotals.iter().filter(|one| one.parts.len() > parts) {
        flow.heading(&breakdown_title(breakdown), 60.0)?;
        flow.grid(&part_fields(), &breakdown_rows(breakdown, usize::MAX), 0.5)?;
    }
    let (on_cover, further) = drawn.split_at(places.on_cover);
    if !places.with_numbers && !on_cover.is_empty() {
        charts::write_numbers(&mut flow, on_cover)?;
    }
    charts::draw(&mut flow, further, true)?;
    if let Some(columns) = columns {
        columns.write(&mut flow)?;
    }
    for (name, value) in &arguments {
        flow.heading(name, 30.0)?;
        flow.paragraph(value)?;
    }
    if query {
        flow.heading("Effective query", 30.0)?;
        flow.paragraph(&cover.effective_query)?;
    }
    flow.finish()
}

/// What programs and routes call the sources of the cover.
fn sources<W: Write>(flow: &mut Flow<'_, W>, cover: &Cover) -> Result<(), PdfError> {
    if cover.snapshot.sources.is_empty() {
        return Ok(());
    }
    flow.heading("Ids of the sources", 50.0)?;
    let row = |source: &SourceRun| vec![source.name.clone(), source.id.as_str().to_owned()];
    let rows: Vec<Vec<String>> = cover.snapshot.sources.iter().map(row).collect();
    flow.grid(&[left("Source", 1.0), left("Id", 1.0)], &rows, 1.0)
}
