//! A report as PDF: cover, charts and table, written page by page while the report runs.
//!
//! The file is PDF 1.7 and conforms to PDF/A-2a (ISO 19005-2) and PDF/UA-1 (ISO 14289-1): tagged, all fonts embedded, every
//! glyph readable as text. The table shows the columns that its [layout](PdfLayout) names; the CSV has all of them. Booleans
//! are yes and no, times are in UTC to the minute, and a text of very many lines is cut and says so.
//!
//! Invariants:
//! - the same batches, settings, cover and charts give the same bytes, however the rows are cut into batches;
//! - memory grows by some hundred bytes a page, and not with the rows;
//! - there is no file without the whole table: past a limit, writing fails.

mod archive;
mod arrange;
mod canvas;
mod cell;
mod chart;
mod columns;
mod compose;
mod cover;
mod density;
mod document;
mod embed;
mod error;
mod faces;
mod flow;
mod fonts;
mod furniture;
mod glyphs;
mod group;
mod layout;
mod line_breaks;
mod objects;
mod operators;
mod page;
mod settings;
mod shaping;
mod show;
mod style;
mod table;
mod text_widths;
mod texts;
mod time_axis;
mod typeset;
mod usage;

use std::io::Write;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use muster_reports::cover::Cover;
use muster_reports::pdf_layout::PdfLayout;

pub use error::PdfError;
pub use fonts::FontSet;
pub use settings::{Paper, PdfSettings};

use crate::chart::Chart;
use crate::file::{check_columns, unpack};
use crate::json::{is_text, is_writable};
use crate::{ColumnFormat, RenderError};
use arrange::{Candidate, Held, arrange};
use cover::ColumnPlace;
use document::Document;
use group::GroupForm;
use layout::ColumnKind;
use table::Table;
use texts::Texts;

/// What a finished PDF is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPdf {
    /// Rows of the table.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, in lower-case hex.
    pub sha256: String,
    /// Pages, the cover's included.
    pub pages: u64,
    /// What a reader of the file must know, in words for people.
    pub warnings: Vec<String>,
}

/// Writes one PDF. The sink need not buffer.
pub struct PdfWriter<W: Write> {
    document: Document<W>,
    columns: Vec<ColumnFormat>,
    kinds: Vec<ColumnKind>,
    /// The columns whose texts the table needs, in the order of a row's texts: the key of the group, the columns of its
    /// heading, then those of the table.
    needed: Vec<usize>,
    /// How many of these come before those of the table.
    heading: usize,
    /// The columns, by their place in the file, that a reader fills in by hand.
    filled_in: Vec<usize>,
    /// Where the table has which columns, by name; known when it begins.
    places: Vec<(String, ColumnPlace)>,
    stage: Stage,
    threads: usize,
    rows: u64,
    broken: bool,
}

enum Stage {
    /// Rows are held to decide what the table looks like.
    Holding(Texts),
    Writing(Box<Table>),
}

impl<W: Write> PdfWriter<W> {
    /// Begins a file of rows that have these columns. Its table shows the first twelve.
    ///
    /// # Errors
    /// None now; the first page is written with the first rows.
    pub fn new(sink: W, settings: PdfSettings, columns: Vec<ColumnFormat>) -> Result<Self, PdfError> {
        let kinds = vec![ColumnKind::default(); columns.len()];
        let document = Document::new(sink, settings);
        let writer = Self {
            document,
            columns,
            kinds,
            needed: Vec::new(),
            heading: 0,
            filled_in: Vec::new(),
            places: Vec::new(),
            stage: Stage::Holding(Texts::default()),
            threads: 1,
            rows: 0,
            broken: false,
        };
        Ok(writer.showing(&PdfLayout::default()))
    }

    /// Shows other columns, or groups the rows. Names that the file does not have are left out.
    #[must_use]
    pub fn showing(mut self, layout: &PdfLayout) -> Self {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let place = |name: &str| names.iter().position(|known| *known == name);
        let key = layout.group_by.as_deref().and_then(place);
        let heading = layout.group.iter().filter_map(|name| place(name)).filter(|_| key.is_some());
        let shown = layout.shown(&names).into_iter().filter_map(place);
        self.needed = key.into_iter().chain(heading).collect();
        self.heading = self.needed.len();
        self.filled_in = layout.fill_in.iter().filter_map(|name| place(name)).collect();
        self.needed.extend(shown);
        self
    }

    /// Sets and draws the table on this many threads. The bytes are the same for any number.
    #[must_use]
    pub fn on_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Rows taken so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes the rows of a batch, whose columns must be the file's by name and order.
    ///
    /// # Errors
    /// [`PdfError`]; the file is then broken, and no further call succeeds. Where the error
    /// [is about size](PdfError::is_too_large), the report itself is sound.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), PdfError> {
        if self.broken {
            return Err(RenderError::Broken.into());
        }
        self.broken = true;
        check_columns(&self.columns, batch)?;
        let arrays = unpack(batch)?;
        if self.rows == 0 {
            self.kinds = arrays.iter().map(|array| kind(array.data_type())).collect();
        }
        for (format, array) in self.columns.iter().zip(&arrays) {
            if !is_writable(array.data_type()) {
                let (column, data_type) = (format.name.clone(), array.data_type().clone());
                return Err(RenderError::Unsupported { column, data_type }.into());
            }
        }
        let needed: Vec<ArrayRef> = self.needed.iter().map(|column| arrays[*column].clone()).collect();
        let (arrays, rows, mut done) = (Arc::new(needed), batch.num_rows(), 0);
        if let Stage::Holding(held) = &mut self.stage {
            let held_bytes = self.document.settings.held_bytes;
            let room = |held: &Texts| held.held() < held_bytes;
            done = held.push_rows(&arrays, 0..rows, room);
            if !room(held) {
                self.begin_table(false)?;
            }
        }
        if let Stage::Writing(table) = &mut self.stage {
            table.rows(&mut self.document, &arrays, done..rows)?;
        }
        self.rows += rows as u64;
        self.broken = false;
        Ok(())
    }

    /// Writes the rows that are still held back. No rows follow. Returns what a reader must know of the table, in words
    /// for people, so that the cover can say it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn end_rows(&mut self) -> Result<Vec<String>, PdfError> {
        if self.broken {
            return Err(RenderError::Broken.into());
        }
        self.broken = true;
        self.begin_table(true)?;
        if let Stage::Writing(table) = &mut self.stage {
            table.end_rows(&mut self.document)?;
        }
        self.broken = false;
        Ok(self.take_warnings())
    }

    /// Warnings that were not returned yet.
    fn take_warnings(&mut self) -> Vec<String> {
        let characters = std::mem::take(&mut self.document.setter.replaced);
        let cells = match &mut self.stage {
            Stage::Holding(_) => 0,
            Stage::Writing(table) => table.take_cells_replaced(),
        };
        replaced(&characters, cells)
    }

    /// Writes the cover and the charts, whose pages precede the table, and the end of the file. Its warnings are those
    /// that [`end_rows`](Self::end_rows) has not returned.
    ///
    /// # Errors
    /// [`PdfError`]; there is no file then.
    pub fn finish(mut self, cover: &Cover, charts: &[Chart]) -> Result<WrittenPdf, PdfError> {
        if self.broken {
            return Err(RenderError::Broken.into());
        }
        self.begin_table(true)?;
        let Stage::Writing(table) = &mut self.stage else { unreachable!("the table has just begun") };
        table.finish(&mut self.document, cover.reconciliation.population)?;
        cover::write(&mut self.document, cover, charts, &self.places)?;
        let pages = self.document.all_pages() as u64;
        let warnings = self.take_warnings();
        let finished = self.document.finish(cover)?;
        Ok(WrittenPdf { rows: self.rows, bytes: finished.bytes, sha256: finished.sha256, pages, warnings })
    }

    /// Decides what the table looks like, and writes the rows that decided it.
    fn begin_table(&mut self, is_all: bool) -> Result<(), PdfError> {
        let Stage::Holding(held) = &mut self.stage else { return Ok(()) };
        let texts = std::mem::take(held);
        let candidate = |(place, column): (usize, &usize)| {
            let (label, kind) = (&self.columns[*column].label, self.kinds[*column]);
            let label = if kind.time { format!("{label} (UTC)") } else { label.clone() };
            Candidate { label, kind, place, is_filled_in: self.filled_in.contains(column) }
        };
        let mut candidates: Vec<Candidate> = self.needed.iter().enumerate().map(candidate).collect();
        let columns = candidates.split_off(self.heading);
        let group = (!candidates.is_empty()).then(|| GroupForm {
            key: 0,
            columns: candidates.drain(1..).map(|column| (column.label, column.place)).collect(),
        });
        let held = Held { texts: &texts, per_row: self.needed.len(), is_all };
        let paper = self.document.settings.paper;
        let (form, remarks) = arrange(&mut self.document.setter, &columns, group, &held, paper);
        self.document.set_size(form.page);
        let place = |(place, column): (usize, &usize)| {
            let shown = if place < self.heading {
                ColumnPlace::Heading
            } else if form.columns.iter().any(|column| column.place == place) {
                ColumnPlace::Table
            } else {
                ColumnPlace::Above
            };
            (self.columns[*column].name.clone(), shown)
        };
        // The first text of a heading is its key, which is not shown.
        self.places = self.needed.iter().enumerate().skip(usize::from(self.heading > 0)).map(place).collect();
        let mut table = Table::new(&mut self.document, form, &remarks, self.threads)?;
        table.texts(&mut self.document, &texts)?;
        self.stage = Stage::Writing(Box::new(table));
        Ok(())
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "Arrow's list of types is not ours")]
fn kind(data_type: &DataType) -> ColumnKind {
    let list = match data_type {
        DataType::List(item) | DataType::LargeList(item) => is_text(item.data_type()),
        _ => false,
    };
    ColumnKind { list, number: data_type.is_numeric(), time: matches!(data_type, DataType::Timestamp(..)) }
}

/// The warning about characters that no font has, which are drawn in this many cells of the table, or elsewhere.
fn replaced(characters: &std::collections::BTreeSet<char>, cells: u64) -> Vec<String> {
    if characters.is_empty() {
        return Vec::new();
    }
    let some: Vec<String> =
        characters.iter().take(8).map(|character| format!("U+{:04X}", u32::from(*character))).collect();
    let more = if characters.len() > 8 { " and others" } else { "" };
    let place = match cells {
        0 => "outside of the table's cells".to_owned(),
        1 => "in 1 cell".to_owned(),
        _ => format!("in {cells} cells"),
    };
    vec![format!(
        "no font has {} of the characters in the PDF ({}{more}): a replacement character is drawn {place}, and the text \
         can be copied",
        characters.len(),
        some.join(", ")
    )]
}
