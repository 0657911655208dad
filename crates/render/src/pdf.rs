//! A report as PDF: cover, charts and table, written page by page while the report runs.
//!
//! The file is PDF 1.7 and conforms to PDF/A-2a (ISO 19005-2) and PDF/UA-1 (ISO 14289-1): tagged, all fonts embedded, every
//! glyph readable as text. Cells have the same texts as in CSV, except that what would not fit is cut and says so: the
//! CSV has all of it.
//!
//! Invariants:
//! - the same batches, settings, cover and charts give the same bytes, however the rows are cut into batches;
//! - memory grows by some hundred bytes a page, and not with the rows;
//! - there is no file without the whole table: past a limit, writing fails.

mod archive;
mod canvas;
mod cell;
mod chart;
mod columns;
mod compose;
mod cover;
mod document;
mod embed;
mod error;
mod faces;
mod flow;
mod fonts;
mod glyphs;
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
mod texts;
mod typeset;
mod usage;

use std::io::Write;
use std::sync::Arc;

use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use muster_reports::cover::Cover;

pub use error::PdfError;
pub use fonts::FontSet;
pub use settings::{Paper, PdfSettings};

use crate::chart::Chart;
use crate::file::{check_columns, unpack};
use crate::json::{is_text, is_writable};
use crate::{ColumnFormat, RenderError};
use columns::ColumnSample;
use document::Document;
use faces::Weight;
use layout::ColumnKind;
use table::Table;
use texts::Texts;
use typeset::printable;

/// Rows that decide the widths of the columns.
const SAMPLE_ROWS: usize = 2000;
/// Bytes of the texts of these rows. The row that exceeds this is the last one.
const SAMPLE_BYTES: usize = 4 << 20;
/// Bytes of a text in these rows that are measured.
const MEASURED_BYTES: usize = 2000;

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
    stage: Stage,
    threads: usize,
    rows: u64,
    broken: bool,
}

enum Stage {
    /// The first rows are collected to decide the widths.
    Sampling(Texts),
    Writing(Box<Table>),
}

impl<W: Write> PdfWriter<W> {
    /// Begins a file whose table has these columns.
    ///
    /// # Errors
    /// None now; the first page is written with the first rows.
    pub fn new(sink: W, settings: PdfSettings, columns: Vec<ColumnFormat>) -> Result<Self, PdfError> {
        let kinds = vec![ColumnKind { list: false, number: false }; columns.len()];
        let document = Document::new(sink, settings);
        Ok(Self {
            document,
            columns,
            kinds,
            stage: Stage::Sampling(Texts::default()),
            threads: 1,
            rows: 0,
            broken: false,
        })
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
        let (arrays, rows, mut done) = (Arc::new(arrays), batch.num_rows(), 0);
        if let Stage::Sampling(sample) = &mut self.stage {
            let columns = self.columns.len().max(1);
            let room = |sample: &Texts| sample.len() / columns < SAMPLE_ROWS && sample.bytes() < SAMPLE_BYTES;
            done = sample.push_rows(&arrays, 0..rows, room);
            if !room(sample) {
                self.begin_table()?;
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
        self.begin_table()?;
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
            Stage::Sampling(_) => 0,
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
        self.begin_table()?;
        let Stage::Writing(table) = &mut self.stage else { unreachable!("the table has just begun") };
        table.finish(&mut self.document)?;
        cover::write(&mut self.document, cover, charts)?;
        let pages =
            (self.document.pages(document::Part::Cover) + self.document.pages(document::Part::Table)) as u64;
        let warnings = self.take_warnings();
        let finished = self.document.finish(cover)?;
        Ok(WrittenPdf { rows: self.rows, bytes: finished.bytes, sha256: finished.sha256, pages, warnings })
    }

    /// Decides the widths of the columns, and writes the rows that decided them.
    fn begin_table(&mut self) -> Result<(), PdfError> {
        let Stage::Sampling(sample) = &mut self.stage else { return Ok(()) };
        let sample = std::mem::take(sample);
        let setter = &mut self.document.setter;
        let mut samples = Vec::with_capacity(self.columns.len());
        for format in &self.columns {
            let (header, header_word) = setter.measure(&printable(&format.label), Weight::Bold);
            samples.push(ColumnSample { header, header_word, ..ColumnSample::default() });
        }
        let count = self.columns.len();
        for cell in 0..sample.len() {
            let text = sample.cell(cell);
            if !text.is_empty() {
                let text = printable(&text[..text.floor_char_boundary(MEASURED_BYTES)]).into_owned();
                let (line, word) = setter.measure(&text, Weight::Regular);
                samples[cell % count].lines.push(line);
                samples[cell % count].words.push(word);
            }
        }
        let (width, _) = self.document.size();
        let fitted = columns::fit(&samples, width - 2.0 * style::MARGIN);
        let labels: Vec<String> = self.columns.iter().map(|format| format.label.clone()).collect();
        let mut table = Table::new(&mut self.document, &labels, &self.kinds, &fitted, self.threads)?;
        table.texts(&mut self.document, &sample)?;
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
    ColumnKind { list, number: data_type.is_numeric() }
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
