//! The appendix: what is too long for the cover.

use std::io::Write;

use muster_reports::cover::Cover;

use super::super::document::Document;
use super::super::error::PdfError;
use super::super::faces::Weight;
use super::super::flow::Flow;
use super::super::page::Role;
use super::super::style::INK;
use super::ColumnTable;
use crate::cover as facts;

/// Most characters of a query or of a value of an argument on the cover.
const ON_COVER: usize = 600;

/// What the cover says of a value that is here.
pub(super) const IN_APPENDIX: &str = "in the appendix, at the end of this document";

/// Whether a text is too long for the cover.
pub(super) fn is_long(text: &str) -> bool {
    text.chars().nth(ON_COVER).is_some()
}

/// Writes what the cover leaves out; no page where it leaves out nothing. `columns` is the table of columns, where the cover does
/// not have it.
pub(super) fn write<W: Write>(
    document: &mut Document<W>,
    cover: &Cover,
    columns: Option<&ColumnTable>,
) -> Result<(), PdfError> {
    let arguments: Vec<_> = facts::arguments(cover).into_iter().filter(|(_, value)| is_long(value)).collect();
    let query = is_long(&cover.effective_query);
    if columns.is_none() && arguments.is_empty() && !query {
        return Ok(());
    }
    let mut flow = Flow::appendix(document);
    flow.text(Role::H1, "Appendix", Weight::Bold, 16.0, INK)?;
    flow.space(4.0);
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
