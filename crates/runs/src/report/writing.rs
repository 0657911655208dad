//! The thread that writes a run's files: rows in, then the cover, then names.
//!
//! Invariants:
//! - no file has its name before the cover was sent, and the run sends it only if every count agrees;
//! - a run that is dropped leaves no file: the thread notices that its sender is gone.

use crate::result_files::{PendingFile, ResultFiles, publish_together};
use arrow::record_batch::RecordBatch;
use muster_render::chart::Chart;
use muster_render::pdf::{PdfError, PdfSettings, PdfWriter};
use muster_render::{
    ColumnFormat, CsvOptions, CsvWriter, FileWriter, NdjsonWriter, ParquetWriter, RenderError, Written,
    XlsxOptions, XlsxWriter, ZipFiles,
};
use muster_reports::FileFormat;
use muster_reports::cover::Cover;
use muster_reports::error::{Error, Result};
use muster_reports::ids::TaskId;
use muster_reports::message::Message;
use muster_reports::task::PublishedFile;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Last part of an archive's stored name.
const ZIP_NAME: &str = "report.zip";
/// The cover inside an archive.
const COVER_NAME: &str = "cover.json";
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
    /// The tables, one after another.
    pub(super) tables: Vec<Table>,
    /// Whether they are written to one archive; otherwise there is one table.
    pub(super) archive: bool,
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
            if let Err(error) = self.files.remove(&file.stored_name) {
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
    let mut open = Vec::with_capacity(job.formats.len());
    for format in &job.formats {
        let name = format!("report.{}", format.extension());
        let file = Lent::new(job.files.create(&job.task, job.epoch, &name)?);
        let writer = job.writer(*format, file.clone(), table.columns.clone())?;
        open.push((*format, file, writer));
    }
    let mut messages = Vec::new();
    loop {
        match sent.blocking_recv() {
            Some(ToFile::Rows(batch)) => write_to_all(&mut open, &batch, &mut messages)?,
            Some(ToFile::EndOfPart) => break,
            Some(ToFile::Cover(..)) | None => return Err(stopped()),
        }
    }
    end_rows(&mut open, &mut messages)?;
    let mut finished = Vec::with_capacity(open.len());
    let mut waiting = Vec::new();
    let mut written = Vec::with_capacity(open.len());
    for (format, file, writer) in open {
        let kind = Kind::of(format);
        let shown = |written: Written| WrittenTable {
            part: table.name.clone(),
            name: format!("{}.{}", table.name, kind.extension),
            written,
        };
        match writer {
            Open::File(writer) => {
                let content = writer.finish().map_err(failed)?;
                messages.extend(remarks(format, &content.warnings));
                written.push(shown(content.clone()));
                finished.push((kind, file.into_inner(), content));
            }
            Open::Pdf(pdf) => {
                written.push(shown(Written { rows: pdf.rows(), ..Written::default() }));
                waiting.push((kind, file, pdf));
            }
        }
    }
    let _ = tables.send(WrittenTables { tables: written, messages });
    let (cover, charts) = cover(sent)?;
    let mut cover = *cover;
    // A document shows the digests of the other files, but cannot hold its own.
    cover.files = finished
        .iter()
        .map(|(kind, _, written)| super::cover::finished(&job.title, kind.format, written))
        .collect();
    let mut late = Vec::new();
    for (kind, file, pdf) in waiting {
        let content = pdf.finish(&cover, &charts).map_err(pdf_failed)?;
        late.extend(remarks(kind.format, &content.warnings));
        let written = Written {
            rows: content.rows,
            bytes: content.bytes,
            sha256: content.sha256,
            warnings: content.warnings,
        };
        finished.push((kind, file.into_inner(), written));
    }
    finished.sort_by_key(|(kind, _, _)| kind.format);
    let mut written = publish(&job.files, finished, sent)?;
    written.messages = late;
    Ok(written)
}

/// A file of a table that is being written.
enum Open {
    File(Box<dyn FileWriter>),
    Pdf(Box<PdfWriter<Lent>>),
}

impl WritingJob {
    fn writer(&self, format: FileFormat, sink: Lent, columns: Vec<ColumnFormat>) -> Result<Open> {
        Ok(match format {
            FileFormat::Csv => Open::File(Box::new(CsvWriter::with_options(sink, columns, self.csv))),
            FileFormat::Xlsx => {
                let options = XlsxOptions { header: self.csv.header, ..XlsxOptions::default() };
                Open::File(Box::new(XlsxWriter::new(sink, columns, options, &self.folder).map_err(failed)?))
            }
            FileFormat::Ndjson => Open::File(Box::new(NdjsonWriter::new(sink, columns))),
            FileFormat::Parquet => Open::File(Box::new(ParquetWriter::new(sink, columns))),
            FileFormat::Pdf => {
                let settings = PdfSettings {
                    title: self.title.clone(),
                    subtitle: self.tenant.clone(),
                    footer: self.task.to_string(),
                    ..self.pdf.clone()
                };
                Open::Pdf(Box::new(PdfWriter::new(sink, settings, columns).map_err(pdf_failed)?))
            }
        })
    }
}

/// Writes rows to every file; one that cannot hold them all is left out and a message says so.
fn write_to_all(
    open: &mut Vec<(FileFormat, Lent, Open)>,
    batch: &RecordBatch,
    messages: &mut Vec<Message>,
) -> Result<()> {
    let mut left_out = None;
    for (at, (_, _, writer)) in open.iter_mut().enumerate() {
        match writer {
            Open::File(writer) => writer.write(batch).map_err(failed)?,
            Open::Pdf(pdf) => match pdf.write(batch) {
                Ok(()) => {}
                Err(error) if error.is_too_large() => left_out = Some((at, error)),
                Err(error) => return Err(pdf_failed(error)),
            },
        }
    }
    leave_out(open, left_out, messages)
}

/// Lets every PDF write the rows that it has held back, while the cover can still report on them.
fn end_rows(open: &mut Vec<(FileFormat, Lent, Open)>, messages: &mut Vec<Message>) -> Result<()> {
    let mut left_out = None;
    for (at, (format, _, writer)) in open.iter_mut().enumerate() {
        let Open::Pdf(pdf) = writer else { continue };
        match pdf.end_rows() {
            Ok(warnings) => messages.extend(remarks(*format, &warnings)),
            Err(error) if error.is_too_large() => left_out = Some((at, error)),
            Err(error) => return Err(pdf_failed(error)),
        }
    }
    leave_out(open, left_out, messages)
}

fn leave_out(
    open: &mut Vec<(FileFormat, Lent, Open)>,
    left_out: Option<(usize, PdfError)>,
    messages: &mut Vec<Message>,
) -> Result<()> {
    if let Some((at, error)) = left_out {
        let (format, _, _) = open.remove(at);
        messages.push(Message::warn("format_left_out", format!("{format} was left out: {error}")));
    }
    if open.is_empty() {
        return Err(Error::invalid(
            "no format that was asked for can hold the report: expected CSV among them",
        ));
    }
    Ok(())
}

fn remarks(format: FileFormat, warnings: &[String]) -> Vec<Message> {
    let remark = |warning: &String| Message::warn("file_remark", format!("{format}: {warning}"));
    warnings.iter().map(remark).collect()
}

fn pdf_failed(error: PdfError) -> Error {
    Error::internal("the result file could not be written", error)
}

/// A file that a writer writes to and that is ours again when the writer has ended.
#[derive(Clone)]
struct Lent(Arc<Mutex<PendingFile>>);

impl Lent {
    fn new(file: PendingFile) -> Self {
        Self(Arc::new(Mutex::new(file)))
    }

    fn into_inner(self) -> PendingFile {
        let file = Arc::into_inner(self.0).expect("the writer has ended");
        file.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, PendingFile> {
        // A panic cannot leave a file half changed in memory.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Lent {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file().flush()
    }
}

fn write_archive(
    job: WritingJob,
    sent: &mut mpsc::Receiver<ToFile>,
    tables: oneshot::Sender<WrittenTables>,
) -> Result<WrittenFiles> {
    let mut pending = job.files.create(&job.task, job.epoch, ZIP_NAME)?;
    let mut archive = ZipFiles::new(&mut pending);
    let mut members = Vec::new();
    for table in job.tables {
        let name = format!("{}.csv", table.name);
        let mut member = archive.start_member(&name).map_err(failed)?;
        let content = write_csv(&mut member, table.columns, job.csv, sent)?;
        let written = member.finish(&content);
        members.push(WrittenTable { part: table.name, name, written });
    }
    let _ = tables.send(WrittenTables { tables: members, messages: Vec::new() });
    let (cover, _) = cover(sent)?;
    let mut member = archive.start_member(COVER_NAME).map_err(failed)?;
    let text = super::cover::to_json(&cover)?;
    member.write_all(text.as_bytes()).map_err(|error| failed(error.into()))?;
    member.finish(&Written::default());
    let written = archive.finish().map_err(failed)?;
    // What the published API calls the CSV of a search is an archive of them.
    let kind = Kind { format: FileFormat::Csv, media_type: "application/zip", extension: "zip" };
    publish(&job.files, vec![(kind, pending, written)], sent)
}

/// Writes rows until the end of the part.
fn write_csv(
    sink: &mut impl Write,
    columns: Vec<ColumnFormat>,
    options: CsvOptions,
    sent: &mut mpsc::Receiver<ToFile>,
) -> Result<Written> {
    let mut csv = CsvWriter::with_options(sink, columns, options);
    loop {
        match sent.blocking_recv() {
            Some(ToFile::Rows(batch)) => csv.write(&batch).map_err(failed)?,
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
    fn of(format: FileFormat) -> Self {
        Self { format, media_type: format.media_type(), extension: format.extension() }
    }
}

/// Gives the files their names: all of them or none.
fn publish(
    files: &ResultFiles,
    finished: Vec<(Kind, PendingFile, Written)>,
    sent: &mpsc::Receiver<ToFile>,
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
    publish_together(files_to_name)?;
    Ok(WrittenFiles { files: files.clone(), published, messages: Vec::new() })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// A run can be cancelled after its last look whether it was: nobody takes the files, and they are gone.
    #[test]
    fn files_that_nobody_takes_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let files = ResultFiles::open(dir.path()).unwrap();
        let (_sender, sent) = mpsc::channel(1);
        let written = |task: &str| {
            let mut pending = files.create(&TaskId::new(task), 1, "report.csv").unwrap();
            pending.write_all(b"id\r\n").unwrap();
            publish(&files, vec![(Kind::of(FileFormat::Csv), pending, Written::default())], &sent).unwrap()
        };
        let left = || std::fs::read_dir(dir.path()).unwrap().count();
        let one = written("1");
        assert_eq!(left(), 1);
        drop(one);
        assert_eq!(left(), 0);
        assert_eq!(written("2").keep().len(), 1);
        assert_eq!(left(), 1);
    }
}
