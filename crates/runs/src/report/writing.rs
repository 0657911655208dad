//! The threads that write a run's files: rows in, then the cover, then names.
//!
//! One thread takes what the run sends. Each format has a thread of its own, and encodes and compresses on further ones.
//!
//! Invariants:
//! - no file has its name before the cover was sent, and the run sends it only if every count agrees;
//! - a run that is dropped leaves no file: the thread notices that its sender is gone, and the other threads that it has
//!   gone, each after at most [`PIECE_ROWS`] rows;
//! - what is sent waits in queues of bounded length.

use super::lent::Lent;
use super::split::SplitFiles;
use crate::result_files::{PendingFile, ResultFiles, publish_together};
use arrow::record_batch::RecordBatch;
use muster_render::chart::Chart;
use muster_render::pdf::{PdfError, PdfSettings, PdfWriter};
use muster_render::{
    ColumnFormat, CsvOptions, CsvWriter, FileWriter, NdjsonWriter, ParquetWriter, RenderError, Written,
    XlsxOptions, XlsxWriter, ZipFiles,
};
use muster_reports::FileFormat;
use muster_reports::cover::{Cover, CoverFile};
use muster_reports::error::{Error, Result};
use muster_reports::ids::TaskId;
use muster_reports::message::Message;
use muster_reports::pdf_layout::PdfLayout;
use muster_reports::task::PublishedFile;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Last part of an archive's stored name.
const ZIP_NAME: &str = "report.zip";
/// The cover inside an archive.
const COVER_NAME: &str = "cover.json";
/// Rows that a format is handed at once.
const PIECE_ROWS: usize = 1_024;
/// Pieces that may wait for a format. The slowest format holds the others back by this much.
const PIECES_WAITING_MAX: usize = 8;
/// The thread's error when its run was dropped. Nobody reads it.
const STOPPED: &str = "the run was stopped";

/// What the thread is sent, in this order: rows and the end of each part, then the cover.
pub(super) enum ToFile {
    /// Rows of the part at hand.
    Rows(RecordBatch),
    /// The part at hand is complete.
    EndOfPart,
    /// Every count agrees: finish the files and name them.
    Cover(Box<Cover>, Vec<Chart>),
}

/// A table to write.
pub(super) struct Table {
    /// Its name inside an archive.
    pub(super) name: String,
    /// Its columns.
    pub(super) columns: Vec<ColumnFormat>,
}

/// Where and how to write.
pub(super) struct WritingJob {
    pub(super) files: ResultFiles,
    pub(super) task: TaskId,
    pub(super) epoch: u64,
    /// The report's name.
    pub(super) title: String,
    /// The title of documents: the report's name, and what it is about.
    pub(super) heading: String,
    /// Which columns the table of a PDF shows.
    pub(super) layout: PdfLayout,
    /// Whose data it is.
    pub(super) tenant: String,
    /// How PDF is written.
    pub(super) pdf: PdfSettings,
    /// How CSV is written.
    pub(super) csv: CsvOptions,
    /// Formats of a report that is not an archive.
    pub(super) formats: Vec<FileFormat>,
    /// For files that do not outlive the run.
    pub(super) folder: PathBuf,
    /// On how many threads a format is encoded or compressed.
    pub(super) threads: usize,
    /// The tables, one after another.
    pub(super) tables: Vec<Table>,
    /// Whether they are written to one archive; otherwise there is one table.
    pub(super) archive: bool,
    /// The column whose every value has a CSV file of its own.
    pub(super) files_by: Option<String>,
}

/// A table as it was written.
pub(super) struct WrittenTable {
    /// The part that it shows.
    pub(super) part: String,
    /// Its file's name, inside an archive.
    pub(super) name: String,
    /// What was written.
    pub(super) written: Written,
}

/// Everything that was written before the cover is known.
pub(super) struct WrittenTables {
    /// The tables, once for each file.
    pub(super) tables: Vec<WrittenTable>,
    /// What a reader must know of them.
    pub(super) messages: Vec<Message>,
}

/// Files that are written, synced and named, and that no record names yet. Dropping this removes them, unless they are
/// [kept](Self::keep).
pub(super) struct WrittenFiles {
    files: ResultFiles,
    pub(super) published: Vec<PublishedFile>,
    /// What a reader must know of them and the cover could not say any more.
    pub(super) messages: Vec<Message>,
}

impl WrittenFiles {
    /// Hands the files over. From here on, the caller removes or records them.
    pub(super) fn keep(mut self) -> Vec<PublishedFile> {
        std::mem::take(&mut self.published)
    }
}

impl Drop for WrittenFiles {
    fn drop(&mut self) {
        for file in &self.published {
            if let Err(error) = self.files.give_up(&file.stored_name) {
                tracing::warn!(%error, "an unpublished file is left for the next sweep");
            }
        }
    }
}

fn failed(error: RenderError) -> Error {
    Error::internal("the result file could not be written", error)
}

fn stopped() -> Error {
    Error::unavailable(STOPPED)
}

/// Writes what is sent. `tables` gets what was written before the thread waits for the cover.
///
/// # Errors
/// When a file cannot be written, or the run was dropped.
pub(super) fn write(
    job: WritingJob,
    mut sent: mpsc::Receiver<ToFile>,
    tables: oneshot::Sender<WrittenTables>,
) -> Result<WrittenFiles> {
    if job.archive { write_archive(job, &mut sent, tables) } else { write_table(job, &mut sent, tables) }
}

fn write_table(
    job: WritingJob,
    sent: &mut mpsc::Receiver<ToFile>,
    tables: oneshot::Sender<WrittenTables>,
) -> Result<WrittenFiles> {
    let table = job.tables.first().expect("a report that is not an archive has one table");
    let mut files = Vec::with_capacity(job.formats.len());
    let mut writers = Vec::with_capacity(job.formats.len());
    for format in &job.formats {
        let name = format!("report.{}", format.extension());
        let file = Lent::new(job.files.create(&job.task, job.epoch, &name)?);
        writers.push(job.writer(*format, file.clone(), table.columns.clone())?);
        files.push((*format, file));
    }
    let ended = write_rows(writers, sent)?;
    let mut messages = Vec::new();
    let mut remarks_on_files = Vec::new();
    let mut finished = Vec::with_capacity(files.len());
    let mut waiting = Vec::new();
    let mut written = Vec::with_capacity(files.len());
    for ((format, file), ended) in files.into_iter().zip(ended) {
        let kind = if format == FileFormat::Csv && job.files_by.is_some() {
            Kind::ARCHIVE
        } else {
            Kind::of(format)
        };
        let shown = |written: Written| WrittenTable {
            part: table.name.clone(),
            name: format!("{}.{}", table.name, kind.extension),
            written,
        };
        match ended {
            Ended::File(content) => {
                remarks_on_files.extend(remarks(format, &content.warnings));
                written.push(shown(content.clone()));
                finished.push((kind, file.into_inner(), content));
            }
            Ended::Document(document, warnings) => {
                messages.extend(remarks(format, &warnings));
                written.push(shown(Written { rows: document.rows(), ..Written::default() }));
                waiting.push((kind, file, document));
            }
            Ended::TooLarge(error) => {
                let text = format!("{format} was left out: {error}");
                messages.push(Message::warn("format_left_out", text));
            }
        }
    }
    messages.append(&mut remarks_on_files);
    let _ = tables.send(WrittenTables { tables: written, messages });
    // A document shows the digests of the files that are finished before it, but cannot hold its own.
    let name = |(kind, _, written): &Finished| {
        super::cover::finished(&job.title, kind.format, kind.extension, written)
    };
    let others = finished.iter().map(name).collect();
    // The other files are synced while the counts are made and the documents are finished.
    let (documents, late) = std::thread::scope(|scope| {
        let sync = |(_, file, _): &mut Finished| file.sync();
        let syncing: Vec<_> = finished.iter_mut().map(|file| scope.spawn(move || sync(file))).collect();
        let documents = finish_documents(&job, waiting, others, sent)?;
        for file in syncing {
            file.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok::<_, Error>(documents)
    })?;
    finished.extend(documents);
    finished.sort_by_key(|(kind, _, _)| kind.format);
    let mut written = publish(&job.files, finished, sent)?;
    written.messages = late;
    Ok(written)
}

/// A file that has all of its bytes, and what they are.
type Finished = (Kind, PendingFile, Written);

/// Waits for the cover, and finishes the documents that show it. Returns them, and what a reader must know of them.
fn finish_documents(
    job: &WritingJob,
    mut waiting: Vec<(Kind, Lent, Document)>,
    others: Vec<CoverFile>,
    sent: &mut mpsc::Receiver<ToFile>,
) -> Result<(Vec<Finished>, Vec<Message>)> {
    let (cover, charts) = cover(sent)?;
    let mut cover = Cover { files: others, ..*cover };
    let (mut finished, mut late) = (Vec::with_capacity(waiting.len()), Vec::new());
    // The PDF is the last, so that it has the digests of all others.
    waiting.sort_by_key(|(kind, _, _)| kind.format == FileFormat::Pdf);
    for (kind, file, document) in waiting {
        let content = document.finish(&job.heading, &cover, &charts)?;
        late.extend(remarks(kind.format, &content.warnings));
        cover.files.push(super::cover::finished(&job.title, kind.format, kind.extension, &content));
        finished.push((kind, file.into_inner(), content));
    }
    Ok((finished, late))
}

/// A file that shows the cover, and so cannot end before it is known.
enum Document {
    Pdf(Box<PdfWriter<Lent>>),
    Xlsx(Box<XlsxWriter<Lent>>),
}

impl Document {
    fn rows(&self) -> u64 {
        match self {
            Self::Pdf(pdf) => pdf.rows(),
            Self::Xlsx(xlsx) => xlsx.rows(),
        }
    }

    /// Finishes the file. The warnings are those that were not told before the cover was made.
    fn finish(self, heading: &str, cover: &Cover, charts: &[Chart]) -> Result<Written> {
        match self {
            Self::Pdf(pdf) => {
                let content = pdf.finish(cover, charts).map_err(pdf_failed)?;
                Ok(Written {
                    rows: content.rows,
                    bytes: content.bytes,
                    sha256: content.sha256,
                    warnings: content.warnings,
                })
            }
            Self::Xlsx(xlsx) => {
                let content = xlsx.finish_with(heading, cover, charts).map_err(failed)?;
                Ok(Written { warnings: Vec::new(), ..content })
            }
        }
    }
}

/// A file of a table that is being written.
enum Open {
    File(Box<dyn FileWriter + Send>),
    /// A CSV file for each value of a column.
    Split(SplitFiles<Lent>),
    Document(Document),
}

/// A file of a table that has all rows, or cannot hold them.
enum Ended {
    File(Written),
    /// It waits for the cover. What a reader must know of it by now.
    Document(Document, Vec<String>),
    /// It is left out.
    TooLarge(PdfError),
}

impl WritingJob {
    fn writer(&self, format: FileFormat, sink: Lent, columns: Vec<ColumnFormat>) -> Result<Open> {
        let threads = self.threads;
        Ok(match format {
            FileFormat::Csv if self.files_by.is_some() => {
                let by =
                    self.files_by.as_deref().and_then(|by| columns.iter().position(|one| one.name == by));
                let by = by.ok_or_else(|| {
                    Error::internal("the result file could not be written", "no such column")
                })?;
                Open::Split(SplitFiles {
                    sink,
                    columns,
                    csv: self.csv,
                    by,
                    threads,
                    otherwise: self.title.clone(),
                })
            }
            FileFormat::Csv => {
                let csv = CsvWriter::with_options(sink, columns, self.csv);
                Open::File(Box::new(csv.on_threads(threads)))
            }
            FileFormat::Xlsx => {
                let options = XlsxOptions { header: self.csv.header, ..XlsxOptions::default() };
                let xlsx = XlsxWriter::new(sink, columns, options, &self.folder).map_err(failed)?;
                Open::Document(Document::Xlsx(Box::new(xlsx.on_threads(threads))))
            }
            FileFormat::Ndjson => Open::File(Box::new(NdjsonWriter::new(sink, columns).on_threads(threads))),
            FileFormat::Parquet => Open::File(Box::new(ParquetWriter::new(sink, columns))),
            FileFormat::Pdf => {
                let settings = PdfSettings {
                    title: self.heading.clone(),
                    subtitle: self.tenant.clone(),
                    footer: self.task.to_string(),
                    ..self.pdf.clone()
                };
                let pdf = PdfWriter::new(sink, settings, columns).map_err(pdf_failed)?;
                let pdf = pdf.showing(&self.layout).on_threads(threads);
                Open::Document(Document::Pdf(Box::new(pdf)))
            }
        })
    }
}

/// Writes the rows of the one part to every file, each on a thread of its own. A file that cannot hold them all ends
/// alone; with any other error, all end.
fn write_rows(writers: Vec<Open>, sent: &mut mpsc::Receiver<ToFile>) -> Result<Vec<Ended>> {
    std::thread::scope(|scope| {
        let begin = |writer| {
            let (queue, rows) = sync_channel(PIECES_WAITING_MAX);
            let thread = scope.spawn(move || write_format(writer, &rows));
            Writing::Running { queue, thread }
        };
        let mut all: Vec<Writing<'_>> = writers.into_iter().map(begin).collect();
        loop {
            let batch = match sent.blocking_recv() {
                Some(ToFile::Rows(batch)) => batch,
                Some(ToFile::EndOfPart) => break,
                Some(ToFile::Cover(..)) | None => return Err(stopped()),
            };
            for piece in pieces(&batch) {
                if sent.is_closed() {
                    return Err(stopped());
                }
                all = all.into_iter().map(|one| one.send(Some(piece.clone()))).collect::<Result<_>>()?;
                check_any_is_left(&all)?;
            }
        }
        all = all.into_iter().map(|one| one.send(None)).collect::<Result<_>>()?;
        let ended: Vec<Writing<'_>> = all.into_iter().map(Writing::end).collect::<Result<_>>()?;
        check_any_is_left(&ended)?;
        Ok(ended.into_iter().filter_map(Writing::into_ended).collect())
    })
}

/// A file whose thread is running, or has ended.
enum Writing<'scope> {
    Running {
        /// Rows; nothing after the last of them.
        queue: SyncSender<Option<RecordBatch>>,
        thread: ScopedJoinHandle<'scope, Result<Ended>>,
    },
    Ended(Ended),
}

impl Writing<'_> {
    fn send(self, rows: Option<RecordBatch>) -> Result<Self> {
        match self {
            Self::Running { queue, thread } => match queue.send(rows) {
                Ok(()) => Ok(Self::Running { queue, thread }),
                // The thread has ended before its time.
                Err(_) => Self::Running { queue, thread }.end(),
            },
            ended @ Self::Ended(_) => Ok(ended),
        }
    }

    /// Waits for the thread.
    fn end(self) -> Result<Self> {
        match self {
            Self::Running { queue, thread } => {
                drop(queue);
                let ended = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                Ok(Self::Ended(ended))
            }
            ended @ Self::Ended(_) => Ok(ended),
        }
    }

    fn into_ended(self) -> Option<Ended> {
        match self {
            Self::Running { .. } => None,
            Self::Ended(ended) => Some(ended),
        }
    }
}

fn check_any_is_left(all: &[Writing<'_>]) -> Result<()> {
    if all.iter().all(|one| matches!(one, Writing::Ended(Ended::TooLarge(_)))) {
        return Err(Error::invalid(
            "no format that was asked for can hold the report: expected CSV among them",
        ));
    }
    Ok(())
}

/// Writes rows to one file until there are no more.
fn write_format(writer: Open, rows: &Receiver<Option<RecordBatch>>) -> Result<Ended> {
    match writer {
        Open::File(mut writer) => {
            while let Some(batch) = rows.recv().map_err(|_| stopped())? {
                writer.write(&batch).map_err(failed)?;
            }
            Ok(Ended::File(writer.finish().map_err(failed)?))
        }
        Open::Split(files) => {
            let rows = || rows.recv().map_err(|_| stopped());
            Ok(Ended::File(files.write(rows)?))
        }
        Open::Document(Document::Xlsx(mut xlsx)) => {
            while let Some(batch) = rows.recv().map_err(|_| stopped())? {
                xlsx.write(&batch).map_err(failed)?;
            }
            let warnings = xlsx.end_rows().map_err(failed)?;
            Ok(Ended::Document(Document::Xlsx(xlsx), warnings))
        }
        Open::Document(Document::Pdf(mut pdf)) => {
            let mut write = || -> std::result::Result<Option<Vec<String>>, PdfError> {
                loop {
                    match rows.recv() {
                        Ok(Some(batch)) => pdf.write(&batch)?,
                        // What it has held back is written now, while the cover can still report on it.
                        Ok(None) => return pdf.end_rows().map(Some),
                        Err(_) => return Ok(None),
                    }
                }
            };
            match write() {
                Ok(Some(warnings)) => Ok(Ended::Document(Document::Pdf(pdf), warnings)),
                Ok(None) => Err(stopped()),
                Err(error) if error.is_too_large() => Ok(Ended::TooLarge(error)),
                Err(error) => Err(pdf_failed(error)),
            }
        }
    }
}

/// The rows of a batch, so many at once that a thread soon notices that its run was dropped.
fn pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> + '_ {
    let rows = batch.num_rows();
    (0..rows).step_by(PIECE_ROWS).map(move |start| batch.slice(start, PIECE_ROWS.min(rows - start)))
}

fn remarks(format: FileFormat, warnings: &[String]) -> Vec<Message> {
    let remark = |warning: &String| Message::warn("file_remark", format!("{format}: {warning}"));
    warnings.iter().map(remark).collect()
}

fn pdf_failed(error: PdfError) -> Error {
    Error::internal("the result file could not be written", error)
}

fn write_archive(
    job: WritingJob,
    sent: &mut mpsc::Receiver<ToFile>,
    tables: oneshot::Sender<WrittenTables>,
) -> Result<WrittenFiles> {
    let mut pending = job.files.create(&job.task, job.epoch, ZIP_NAME)?;
    let mut archive = ZipFiles::new(&mut pending).on_threads(job.threads);
    let mut members = Vec::new();
    for table in job.tables {
        let name = format!("{}.csv", table.name);
        let mut member = archive.start_member(&name).map_err(failed)?;
        let csv = CsvWriter::with_options(&mut member, table.columns, job.csv).on_threads(job.threads);
        let content = write_csv(csv, sent)?;
        let written = member.finish(&content).map_err(failed)?;
        members.push(WrittenTable { part: table.name, name, written });
    }
    let _ = tables.send(WrittenTables { tables: members, messages: Vec::new() });
    let (cover, _) = cover(sent)?;
    let mut member = archive.start_member(COVER_NAME).map_err(failed)?;
    let text = super::cover::to_json(&cover)?;
    member.write_all(text.as_bytes()).map_err(|error| failed(error.into()))?;
    member.finish(&Written::default()).map_err(failed)?;
    let written = archive.finish().map_err(failed)?;
    // What the published API calls the CSV of a search is an archive of them.
    publish(&job.files, vec![(Kind::ARCHIVE, pending, written)], sent)
}

/// Writes rows until the end of the part.
fn write_csv(mut csv: CsvWriter<impl Write>, sent: &mut mpsc::Receiver<ToFile>) -> Result<Written> {
    loop {
        match sent.blocking_recv() {
            Some(ToFile::Rows(batch)) => {
                for piece in pieces(&batch) {
                    if sent.is_closed() {
                        return Err(stopped());
                    }
                    csv.write(&piece).map_err(failed)?;
                }
            }
            Some(ToFile::EndOfPart) => return csv.finish().map_err(failed),
            Some(ToFile::Cover(..)) | None => return Err(stopped()),
        }
    }
}

/// Waits for the cover.
fn cover(sent: &mut mpsc::Receiver<ToFile>) -> Result<(Box<Cover>, Vec<Chart>)> {
    match sent.blocking_recv() {
        Some(ToFile::Cover(cover, charts)) => Ok((cover, charts)),
        Some(ToFile::Rows(_) | ToFile::EndOfPart) | None => Err(stopped()),
    }
}

struct Kind {
    format: FileFormat,
    media_type: &'static str,
    extension: &'static str,
}

impl Kind {
    /// CSV files in an archive.
    const ARCHIVE: Self = Self { format: FileFormat::Csv, media_type: "application/zip", extension: "zip" };

    fn of(format: FileFormat) -> Self {
        Self { format, media_type: format.media_type(), extension: format.extension() }
    }
}

/// Gives the files their names: all of them or none.
fn publish(
    files: &ResultFiles,
    finished: Vec<Finished>,
    sent: &mut mpsc::Receiver<ToFile>,
) -> Result<WrittenFiles> {
    // The sender is dropped with the run. After that, nobody would remove files that have their names.
    if sent.is_closed() {
        return Err(stopped());
    }
    let mut published = Vec::with_capacity(finished.len());
    let mut files_to_name = Vec::with_capacity(finished.len());
    for (kind, pending, written) in finished {
        published.push(PublishedFile {
            format: kind.format,
            stored_name: pending.stored_name().to_owned(),
            media_type: kind.media_type.into(),
            extension: kind.extension.into(),
            bytes: written.bytes,
            rows: written.rows,
            sha256: written.sha256,
        });
        files_to_name.push(pending);
    }
    // Nothing is sent after the cover.
    let stopped = async { while sent.recv().await.is_some() {} };
    publish_together(files_to_name, &published, stopped)?;
    Ok(WrittenFiles { files: files.clone(), published, messages: Vec::new() })
}

#[cfg(test)]
mod tests;
