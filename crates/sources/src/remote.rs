//! How a source that is read over the network gives its batches to a caller that pulls.
//!
//! Each read has a thread with a small runtime of its own and hands batches through a bounded channel: the caller
//! reads every kind of source with one loop, from wherever it is, and memory holds a few batches. Dropping the
//! reader ends the thread at its next step.
//!
//! A read that the source or the time-out cuts short is *incomplete* and keeps what it has read; one that could
//! not begin, or whose records cannot be trusted, has *failed*.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::account::{AccountSink, Record};
use crate::reader::{Batch, ReadError, ReadSummary, RecordReader};

/// Batches that may wait for the caller.
const BATCHES_WAITING: usize = 2;

/// Why a read does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nothing that was read may be used.
    Failed(ReadError),
    /// What was read stands, but more would have come.
    Incomplete(String),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Failed(error)
    }
}

/// Where the work of a read puts its records.
pub(crate) struct Feed {
    pub(crate) sink: AccountSink,
    batches: SyncSender<Batch>,
}

impl Feed {
    /// Takes a record, and hands a batch over when there is one; waits while the caller is behind.
    pub(crate) fn push(&mut self, record: Record) -> Result<(), Stop> {
        self.sink.push(record);
        if self.sink.is_full() { self.flush() } else { Ok(()) }
    }

    /// An account that is there, in a read of changes.
    pub(crate) fn present(&mut self, native_identity: &str) -> Result<(), Stop> {
        self.sink.present(native_identity);
        if self.sink.is_full() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        let Some(batch) = self.sink.take()? else { return Ok(()) };
        // Waiting here holds up this read's own runtime only, and that is meant: nothing more is fetched.
        self.batches.send(batch).map_err(|_| Stop::Incomplete(NOT_READ_TO_ITS_END.to_owned()))
    }
}

const NOT_READ_TO_ITS_END: &str = "the source was not read to its end";

/// A read in progress on its own thread.
pub(crate) struct RemoteReader {
    place: String,
    batches: Option<Receiver<Batch>>,
    cancel: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<ReadSummary, ReadError>>>,
    summary: Option<ReadSummary>,
}

impl RemoteReader {
    /// Starts `work`, which may take `time_limit` in all; `place` names the source in errors.
    pub(crate) fn start(
        place: String,
        time_limit: Duration,
        sink: AccountSink,
        work: impl AsyncFnOnce(&mut Feed) -> Result<(), Stop> + Send + 'static,
    ) -> Result<Box<dyn RecordReader>, ReadError> {
        let (sender, batches) = sync_channel(BATCHES_WAITING);
        let (cancel, cancelled) = oneshot::channel();
        let failed = |source| ReadError::Io { action: "start the read of", path: place.clone(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let in_thread = place.clone();
        let thread = std::thread::Builder::new()
            .name("source reader".to_owned())
            .spawn(move || {
                let mut feed = Feed { sink, batches: sender };
                let ended = runtime.block_on(async {
                    tokio::select! {
                        ended = tokio::time::timeout(time_limit, work(&mut feed)) => {
                            ended.unwrap_or_else(|_| {
                                let seconds = time_limit.as_secs();
                                let reason = format!("the read was not finished within {seconds} seconds");
                                Err(Stop::Incomplete(reason))
                            })
                        }
                        _ = cancelled => Err(Stop::Incomplete(NOT_READ_TO_ITS_END.to_owned())),
                    }
                });
                // A name lookup that hangs must not hold this thread.
                runtime.shutdown_background();
                let ended = ended.and_then(|()| feed.flush());
                let incomplete = match ended {
                    Ok(()) => None,
                    Err(Stop::Failed(error)) => return Err(error),
                    Err(Stop::Incomplete(reason)) => match feed.flush() {
                        Ok(()) | Err(Stop::Incomplete(_)) => Some(reason),
                        Err(Stop::Failed(error)) => return Err(error),
                    },
                };
                let place = in_thread;
                feed.sink.summary(incomplete).map_err(|reason| ReadError::Remote { place, reason })
            })
            .map_err(failed)?;
        Ok(Box::new(Self {
            place,
            batches: Some(batches),
            cancel: Some(cancel),
            thread: Some(thread),
            summary: None,
        }))
    }

    fn join(&mut self) -> Result<(), ReadError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let summary = thread.join().map_err(|_| ReadError::Remote {
            place: self.place.clone(),
            reason: "the reader stopped at a defect of its own".to_owned(),
        })??;
        self.summary = Some(summary);
        Ok(())
    }
}

impl RecordReader for RemoteReader {
    fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        let Some(batches) = &self.batches else { return Ok(None) };
        match batches.recv() {
            Ok(batch) => Ok(Some(batch)),
            Err(_) => {
                self.batches = None;
                self.join()?;
                Ok(None)
            }
        }
    }

    fn finish(mut self: Box<Self>) -> Result<ReadSummary, ReadError> {
        let early = self.batches.take().is_some();
        drop(self.cancel.take());
        self.join()?;
        let mut summary = self.summary.take().ok_or_else(|| ReadError::Remote {
            place: self.place.clone(),
            reason: "the read has failed before".to_owned(),
        })?;
        if early && summary.complete {
            // Batches were still waiting.
            summary.complete = false;
            summary.cursor = None;
            summary.incomplete_reason = Some(NOT_READ_TO_ITS_END.to_owned());
        }
        Ok(summary)
    }
}
