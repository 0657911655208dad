//! The tenant's search documents as lines of JSON, the form in which files of search documents are read. A thread of
//! its own reads them and hands them over line by line.
//!
//! Roles, access profiles and entitlements are kept as documents and not as records: what they hold is published as
//! documents, and reports take them so. The search gives them ready, in the published shape.

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::TenantSettings;
use super::list::{List, Pages};
use super::service::Service;
use crate::documents::value::parse;
use crate::documents::{DocumentInput, DocumentType, InputEnd, Met};
use crate::reader::{ReadError, ReadSummary, hex};
use crate::secret::Environment;

/// Why the writing does not go on.
enum Stop {
    Failed(ReadError),
    Incomplete(String),
}

/// Writes every document of an index that the client may see, one a line, in the order of their ids. Blocks. When the
/// tenant or the time-out cuts the read short, the summary is not complete.
fn write(
    settings: &TenantSettings,
    mut service: Service,
    index: DocumentType,
    output: &mut (dyn Write + Send),
) -> Result<ReadSummary, ReadError> {
    let failed = |source| ReadError::Io { action: "start the read of", path: settings.url.clone(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let time_limit = Duration::from_secs(settings.total_timeout_s);
    let list = List::Search { path: format!("/{}/search", settings.version), index: index.index_name() };
    let mut work = Work {
        place: &settings.url,
        pages: Pages::new(list, settings.page_size),
        output,
        hash: Sha256::new(),
        bytes: 0,
    };
    let ended = runtime.block_on(async {
        match tokio::time::timeout(time_limit, work.all(&mut service)).await {
            Ok(ended) => ended,
            Err(_) => {
                let seconds = time_limit.as_secs();
                Err(Stop::Incomplete(format!("the read was not finished within {seconds} seconds")))
            }
        }
    });
    runtime.shutdown_background();
    let incomplete_reason = match ended {
        Ok(()) => None,
        Err(Stop::Incomplete(reason)) => Some(reason),
        Err(Stop::Failed(error)) => return Err(error),
    };
    Ok(ReadSummary {
        read: work.pages.seen,
        rejected: 0,
        rejected_without_key: 0,
        reported_total: work.pages.total,
        sum: None,
        stated: None,
        summed: None,
        complete: incomplete_reason.is_none(),
        incomplete_reason,
        digest_sha256: hex(work.hash.finalize()),
        bytes: work.bytes,
        schema: Vec::new(),
        warnings: Vec::new(),
        refused_values: Vec::new(),
        as_of: None,
        changes_only: false,
        cursor: None,
    })
}

/// A read in progress.
struct Work<'a> {
    place: &'a str,
    pages: Pages,
    output: &'a mut (dyn Write + Send),
    hash: Sha256,
    bytes: u64,
}

impl Work<'_> {
    async fn all(&mut self, service: &mut Service) -> Result<(), Stop> {
        let path = self.place.to_owned();
        let unwritten = |source| {
            Stop::Failed(ReadError::Io { action: "write the documents of", path: path.clone(), source })
        };
        loop {
            let page = match self.pages.next(service).await {
                Ok(page) => page,
                Err(reason) if self.pages.has_begun() => return Err(Stop::Incomplete(reason)),
                Err(reason) => {
                    return Err(Stop::Failed(ReadError::Remote { place: path.clone(), reason }));
                }
            };
            let Some(documents) = page else { break };
            for document in documents {
                let line = format!("{document}\n");
                self.hash.update(line.as_bytes());
                self.bytes += line.len() as u64;
                self.output.write_all(line.as_bytes()).map_err(unwritten)?;
            }
        }
        self.output.flush().map_err(unwritten)?;
        self.pages.end(service).await.map_err(Stop::Incomplete)
    }
}

/// Lines that may wait for the caller.
const LINES_WAITING: usize = 64;

/// A read of an index in progress on a thread of its own, line by line.
pub(super) struct IndexRead {
    place: String,
    lines: Option<Receiver<Vec<u8>>>,
    /// Lines given so far.
    given: u64,
    thread: Option<JoinHandle<Result<ReadSummary, ReadError>>>,
    summary: Option<ReadSummary>,
}

impl IndexRead {
    /// Starts to read the index that the settings name.
    ///
    /// # Errors
    /// The settings are faulty or the secret cannot be had; all else comes with the lines.
    pub(super) fn start(
        settings: &TenantSettings,
        base_dir: &Path,
        environment: Environment<'_>,
    ) -> Result<Self, ReadError> {
        let place = settings.url.clone();
        let service = Service::connect(settings, base_dir, environment)?;
        let index = settings.index.ok_or_else(|| ReadError::Settings {
            path: place.clone(),
            reason: "index: expected the index whose documents are read".to_owned(),
        })?;
        let (sender, lines) = sync_channel(LINES_WAITING);
        let settings = settings.clone();
        let failed = |source| ReadError::Io { action: "start the read of", path: place.clone(), source };
        let thread = std::thread::Builder::new()
            .name("source reader".to_owned())
            .spawn(move || write(&settings, service, index, &mut Handover(sender)))
            .map_err(failed)?;
        Ok(Self { place, lines: Some(lines), given: 0, thread: Some(thread), summary: None })
    }

    /// The next line; `None` after the last.
    ///
    /// # Errors
    /// The read has failed, or was cut short: documents that are not given would count as gone, so that a part of
    /// an index is worth nothing.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(lines) = &self.lines else { return Ok(None) };
        if let Ok(line) = lines.recv() {
            return Ok(Some(line));
        }
        self.lines = None;
        let remote = |reason| ReadError::Remote { place: self.place.clone(), reason };
        let ended = self.thread.take().map(JoinHandle::join);
        let defect = || remote("the reader stopped at a defect of its own".to_owned());
        let summary = ended.and_then(Result::ok).ok_or_else(defect)??;
        if let Some(reason) = summary.incomplete_reason {
            return Err(remote(reason));
        }
        self.summary = Some(summary);
        Ok(None)
    }
}

impl DocumentInput for IndexRead {
    fn next(&mut self) -> Result<Option<Met>, ReadError> {
        let Some(text) = self.next_line()? else { return Ok(None) };
        self.given += 1;
        let value = parse(&text).map_err(|fault| fault.reason);
        Ok(Some(Met { line: self.given, bytes: text.len(), hint: None, value }))
    }

    fn end(self: Box<Self>) -> Result<InputEnd, ReadError> {
        // Without a summary the index was not read to its end.
        let (reported_total, bytes, digest_sha256) = self.summary.map_or_else(Default::default, |summary| {
            (summary.reported_total, summary.bytes, summary.digest_sha256)
        });
        Ok(InputEnd { what: "index", incomplete_reason: None, reported_total, bytes, digest_sha256 })
    }
}

/// Takes whole lines, as [`Work`] writes them.
struct Handover(SyncSender<Vec<u8>>);

impl Write for Handover {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Waiting here holds up this read only, and that is meant.
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads any more");
        self.0.send(line.to_vec()).map_err(gone)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
