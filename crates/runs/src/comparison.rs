//! Two runs of one report compared, for the service: which files, by which columns, how much of it.
//!
//! Why here: it joins result files and covers with the renderer that compares, which knows neither.
//!
//! Invariants:
//! - one comparison is made at a time, of at most [`ROWS_MAX`] rows and [`BYTES_MAX`] bytes of result, so that requests
//!   cannot fill memory or disk; a comparison that is being sent takes room of [`Copies`];
//! - a file is compared only with the digest that its record has;
//! - the written file has no name and is gone with its last reader.

use crate::copies::{Copies, unnamed_file};
use crate::result_files::ResultFiles;
use async_trait::async_trait;
use muster_render::compare::{self, CompareError, Side, page};
use muster_render::{FormulaGuard, RenderError, Written};
use muster_reports::Catalogue;
use muster_reports::cover::Cover;
use muster_reports::error::{Error, Result};
use muster_reports::ids::ClientId;
use muster_reports::made::{Compared, Comparer, ComparisonCounts, ComparisonForm, MadeFile};
use muster_reports::ports::Ids;
use muster_reports::service::Download;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Most rows of the earlier run: 40 bytes of memory each.
const ROWS_MAX: u64 = 5_000_000;
/// Most bytes of the differences.
const BYTES_MAX: u64 = 2 << 30;

/// Compares runs.
pub struct Comparisons {
    files: ResultFiles,
    catalogue: Catalogue,
    work_dir: PathBuf,
    ids: Arc<dyn Ids>,
    /// One at a time.
    place: Arc<Semaphore>,
    copies: Arc<Copies>,
}

impl Comparisons {
    /// Comparisons of these results. They are written to `work_dir`, which must exist, and take room of `copies` while
    /// they are sent.
    pub fn new(
        files: ResultFiles,
        catalogue: Catalogue,
        work_dir: PathBuf,
        ids: Arc<dyn Ids>,
        copies: Arc<Copies>,
    ) -> Self {
        Self { files, catalogue, work_dir, ids, place: Arc::new(Semaphore::new(1)), copies }
    }
}

#[async_trait]
impl Comparer for Comparisons {
    async fn compare(
        &self,
        client: &ClientId,
        old: &Download,
        new: &Download,
        keys: Vec<String>,
        form: ComparisonForm,
    ) -> Result<Compared> {
        if old.file.rows > ROWS_MAX {
            return Err(Error::invalid(format!(
                "report result {} has {} rows: expected at most {ROWS_MAX} in the earlier of two runs; `muster report \
                 compare` compares more, from the files",
                old.task.id, old.file.rows
            )));
        }
        let keys = if keys.is_empty() { self.keys(old)? } else { keys };
        let (old, new) = (ComparedRun::of(old)?, ComparedRun::of(new)?);
        // Room is taken before the one place. Otherwise a client that holds all of its copies would keep the place from
        // others.
        let mut room = match form {
            ComparisonForm::Counts => None,
            ComparisonForm::Csv | ComparisonForm::Page => Some(self.copies.room(client, 0).await?),
        };
        let place = self.place.clone().acquire_owned().await.map_err(unmade)?;
        let job = ComparisonJob {
            files: self.files.clone(),
            work_dir: self.work_dir.clone(),
            ids: self.ids.clone(),
            old,
            new,
            keys,
            form,
        };
        let made = tokio::task::spawn_blocking(move || {
            let made = job.run();
            // The work gives it back, even if nobody waits for it any more.
            (made, place)
        });
        let (made, place) = made.await.map_err(unmade)?;
        let mut made = made?;
        if let (Some(file), Some(mut room)) = (&mut made.file, room.take()) {
            room.grow(file.bytes).await?;
            file.held = Some(Arc::new(room));
        }
        // Not earlier: the next comparison is written only when this one has its room.
        drop(place);
        Ok(made)
    }

    fn page_policy(&self) -> &'static str {
        page::POLICY
    }
}

impl Comparisons {
    /// The columns that tell the rows of a report apart, as its definition says.
    fn keys(&self, download: &Download) -> Result<Vec<String>> {
        let report = &download.task.report;
        match self.catalogue.get(report).map(|definition| definition.key.clone()) {
            Some(keys) if !keys.is_empty() => Ok(keys),
            Some(_) | None => Err(Error::invalid(format!(
                "report {:?} does not say which columns tell its rows apart: expected the parameter key",
                report.as_str()
            ))),
        }
    }
}

/// One of the two runs.
struct ComparedRun {
    download: Download,
    cover: Cover,
    formula_guard: FormulaGuard,
    /// The file, if it is in a bucket.
    copy: Option<File>,
}

impl ComparedRun {
    fn of(download: &Download) -> Result<Self> {
        let text = download.task.result.as_ref().map(|result| result.cover.as_str()).unwrap_or_default();
        let cover: Cover = serde_json::from_str(text)
            .map_err(|error| Error::internal("the cover of a result cannot be read", error))?;
        let formula_guard = match cover.csv_formula_guard {
            Some(false) => FormulaGuard::Off,
            Some(true) | None => FormulaGuard::On,
        };
        Ok(Self { download: download.clone(), cover, formula_guard, copy: None })
    }

    /// Whether the file is the one that was published.
    /// A file of a bucket is copied to this machine, because it is read at several places.
    fn check(&mut self, files: &ResultFiles, unnamed: impl FnOnce() -> Result<File>) -> Result<()> {
        if files.open_in_folder(&self.download.file.stored_name)?.is_some() {
            return files.check_published(&self.download.file);
        }
        let copy = unnamed()?;
        files.copy_published(&self.download.file, &copy)?;
        self.copy = Some(copy);
        Ok(())
    }

    fn open(&self, files: &ResultFiles) -> Result<compare::Compared<File>> {
        let content = match &self.copy {
            None => files
                .open_in_folder(&self.download.file.stored_name)?
                .ok_or_else(|| unmade("a file of the two has gone away"))?,
            Some(copy) => {
                // One reader at a time: the copies of a handle share their place.
                let mut copy = copy.try_clone().map_err(unmade)?;
                copy.rewind().map_err(unmade)?;
                copy
            }
        };
        Ok(compare::Compared { content, formula_guard: self.formula_guard })
    }

    fn facts(&self) -> page::Run {
        let time = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        page::Run {
            id: self.download.task.id.to_string(),
            data_of: time(self.cover.snapshot.created),
            completed: time(self.cover.completed),
            arguments: self.cover.arguments.to_string(),
            rows: self.download.file.rows,
        }
    }
}

/// A comparison to make.
struct ComparisonJob {
    files: ResultFiles,
    work_dir: PathBuf,
    ids: Arc<dyn Ids>,
    old: ComparedRun,
    new: ComparedRun,
    keys: Vec<String>,
    form: ComparisonForm,
}

impl ComparisonJob {
    fn run(mut self) -> Result<Compared> {
        let unnamed = || unnamed_file(&self.work_dir, &*self.ids).map_err(unmade);
        self.old.check(&self.files, unnamed)?;
        self.new.check(&self.files, unnamed)?;
        let keys = self.header_keys()?;
        let (counts, file) = match self.form {
            ComparisonForm::Counts => (self.compare_to(&keys, io::sink(), FormulaGuard::On)?.0, None),
            ComparisonForm::Csv => {
                let mut file = self.unnamed_file()?;
                let (counts, written) = self.compare_to(&keys, &mut file, FormulaGuard::On)?;
                (counts, Some(made(file, &written)))
            }
            ComparisonForm::Page => {
                let mut changes = self.unnamed_file()?;
                let (counts, written) = self.compare_to(&keys, &mut changes, FormulaGuard::Off)?;
                changes.rewind().map_err(unmade)?;
                let made = self.page(&counts, changes, written.rows)?;
                (counts, Some(made))
            }
        };
        Ok(Compared { counts, file })
    }

    fn unnamed_file(&self) -> Result<File> {
        unnamed_file(&self.work_dir, &*self.ids).map_err(unmade)
    }

    fn compare_to(
        &self,
        keys: &[String],
        sink: impl Write,
        guard: FormulaGuard,
    ) -> Result<(ComparisonCounts, Written)> {
        let (old, new) = (self.old.open(&self.files)?, self.new.open(&self.files)?);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let sink = Bounded { sink, left: BYTES_MAX };
        compare::compare(old, new, &keys, sink, guard).map_err(refused)
    }

    /// The keys as the file's header has them: a service may be set to write labels there.
    fn header_keys(&self) -> Result<Vec<String>> {
        let header = compare::columns(Side::Old, self.old.open(&self.files)?).map_err(refused)?;
        let in_header = |key: &String| {
            let column = self.old.cover.columns.iter().find(|column| column.name == *key);
            let label = column.map(|column| &column.label).filter(|label| header.contains(label));
            if header.contains(key) { key.clone() } else { label.unwrap_or(key).clone() }
        };
        Ok(self.keys.iter().map(in_header).collect())
    }

    fn page(&self, counts: &ComparisonCounts, changes: File, changes_rows: u64) -> Result<MadeFile> {
        let facts = page::Facts {
            title: self.new.download.task.name.clone(),
            tenant: self.new.download.task.tenant.to_string(),
            old: self.old.facts(),
            new: self.new.facts(),
        };
        let mut file = self.unnamed_file()?;
        let changes = io::BufReader::new(changes);
        let written = page::write(&facts, counts, changes, changes_rows, &mut file).map_err(unmade)?;
        Ok(made(file, &written))
    }
}

fn made(file: File, written: &Written) -> MadeFile {
    MadeFile { file: Arc::new(file), bytes: written.bytes, sha256: written.sha256.clone(), held: None }
}

/// A sink that takes no more than [`BYTES_MAX`] bytes.
struct Bounded<W> {
    sink: W,
    left: u64,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.sink.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Reports what the request can change. Anything else is a fault of the service.
fn refused(error: CompareError) -> Error {
    match error {
        CompareError::Write(RenderError::Sink(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
            Error::invalid(format!(
                "what differs takes more than {BYTES_MAX} bytes: expected fewer differences; `muster report compare` \
                 compares the files without this limit"
            ))
        }
        CompareError::NoKey
        | CompareError::NoKeyColumn { .. }
        | CompareError::DoubledColumn { .. }
        | CompareError::TooManyRows
        | CompareError::SameKey => Error::invalid(error.to_string()),
        CompareError::Unreadable { .. } | CompareError::Write(_) => unmade(error),
    }
}

fn unmade(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("the comparison could not be made", error)
}

#[cfg(test)]
mod tests;
