//! The one connection that writes, and the task that owns it.
//!
//! Writers queue; the owner takes what has queued, runs each piece of work in a savepoint of one
//! `BEGIN IMMEDIATE` transaction, commits once and only then answers all of them. So every answer
//! is durable, a failed piece undoes itself alone, and many small writes share one sync.
//!
//! Work that has begun runs to its end even if its caller has gone. Work whose caller has gone before it begins is
//! skipped.
//!
//! Work that may be lost with the machine ([`Kept::WithTheNext`]) does not wait for the disk, unless it shares its
//! transaction with other work. Work that others may go on with before it is durable ([`Kept::BeforeItsAnswer`]) is told
//! of once it is committed; the log is synced on a thread of its own, and then the work is answered. What others make of
//! it comes later in the log, so it is durable only if this work is.

use crate::failure::failed;
use crate::session::Work;
use muster_reports::error::{Error, Result};
use muster_reports::failpoint::{Failpoint, reached};
use sqlx::{Connection, SqliteConnection};
use std::fs::File;
use std::future::Future;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// Writes in the queue. Further callers wait for a place.
const QUEUE_MAX: usize = 1_024;
/// Writes of one transaction.
const BATCH_MAX: usize = 64;

const NOT_KEPT: &str = "the store could not keep a change";
const PERHAPS_NOT_KEPT: &str = "the store could not sync a change: it may be lost with the machine";

/// When work that was answered is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Before it is answered, and before anybody else is told of it.
    Now,
    /// Before it is answered. Others are told of it as soon as it is committed.
    BeforeItsAnswer,
    /// With the next work that is durable before its answer. Until then it survives the end of the process, but not the
    /// end of the machine. Whatever follows it is lost with it, never without it.
    WithTheNext,
}

/// Tells of one piece of work once the transaction's fate is known: `Some` is the failure of the commit.
type Answer = Box<dyn FnOnce(Option<String>) -> Reply + Send>;

/// Answers the caller once it is known whether the work is durable: `Some` says why that is not known.
type Reply = Box<dyn FnOnce(Option<String>) + Send>;

trait Job: Send {
    fn is_wanted(&self) -> bool;
    fn kept(&self) -> Kept;
    /// Runs the work. Returns the answer, and whether the work is to be committed.
    fn run<'c>(
        self: Box<Self>,
        connection: &'c mut SqliteConnection,
    ) -> Pin<Box<dyn Future<Output = (bool, Answer)> + Send + 'c>>;
    fn refuse(self: Box<Self>, error: Error);
}

struct WriteJob<T, F, C> {
    kept: Kept,
    work: F,
    committed: C,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F, C> Job for WriteJob<T, F, C>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    C: FnOnce(&mut T) + Send + 'static,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn kept(&self) -> Kept {
        self.kept
    }

    fn run<'c>(
        self: Box<Self>,
        connection: &'c mut SqliteConnection,
    ) -> Pin<Box<dyn Future<Output = (bool, Answer)> + Send + 'c>> {
        Box::pin(async move {
            let Self { work, committed, reply, .. } = *self;
            let mut outcome = work(connection).await;
            let keep = outcome.is_ok();
            let answer: Answer = Box::new(move |failure| {
                match (&mut outcome, failure) {
                    (Ok(value), None) => committed(value),
                    (Ok(_), Some(text)) => outcome = Err(Error::internal(NOT_KEPT, text)),
                    (Err(_), _) => {}
                }
                Box::new(move |failure| {
                    if let (Ok(_), Some(text)) = (&outcome, failure) {
                        outcome = Err(Error::internal(PERHAPS_NOT_KEPT, text));
                    }
                    // The caller may be gone; what was committed stays.
                    let _ = reply.send(outcome);
                })
            });
            (keep, answer)
        })
    }

    fn refuse(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error));
    }
}

/// A handle to the writing task. The task ends, and closes its connection, once all handles are gone.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

/// A handle that does not keep the writing task alive.
#[derive(Clone)]
pub(crate) struct WeakWriter {
    queue: mpsc::WeakSender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the task that owns `connection`, whose write-ahead log is the file `log`. When `closing` says so, the task
    /// finishes its queue and ends.
    pub(crate) fn start(
        connection: SqliteConnection,
        log: PathBuf,
        closing: Arc<Notify>,
    ) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        (Self { queue }, tokio::spawn(own(connection, log, waiting, closing)))
    }

    /// Runs `work` in a transaction. What it returns is durable; an error undoes it.
    #[cfg(test)]
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        self.write_then(Kept::Now, work, |_| ()).await
    }

    /// Runs `work` in a transaction. What it returns is kept as `kept` says; an error undoes it. `committed` is called
    /// once the work is committed, whether or not the caller is still there.
    pub(crate) async fn write_then<T, F, C>(&self, kept: Kept, work: F, committed: C) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
        C: FnOnce(&mut T) + Send + 'static,
    {
        let closed = || Error::unavailable("the store is closed");
        let (reply, answer) = oneshot::channel();
        self.queue.send(Box::new(WriteJob { kept, work, committed, reply })).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    pub(crate) fn downgrade(&self) -> WeakWriter {
        WeakWriter { queue: self.queue.downgrade() }
    }
}

impl WeakWriter {
    /// Queues `work` unless the store is closed or the queue is full. Nobody waits for the outcome.
    pub(crate) fn write_unattended<F, C>(&self, work: F, committed: C)
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, ()> + Send + 'static,
        C: FnOnce() + Send + 'static,
    {
        if let Some(queue) = self.queue.upgrade() {
            let _ = queue.try_send(Box::new(UnattendedJob { work, committed }));
        }
    }
}

struct UnattendedJob<F, C> {
    work: F,
    committed: C,
}

impl<F, C> Job for UnattendedJob<F, C>
where
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, ()> + Send + 'static,
    C: FnOnce() + Send + 'static,
{
    fn is_wanted(&self) -> bool {
        true
    }

    fn kept(&self) -> Kept {
        Kept::Now
    }

    fn run<'c>(
        self: Box<Self>,
        connection: &'c mut SqliteConnection,
    ) -> Pin<Box<dyn Future<Output = (bool, Answer)> + Send + 'c>> {
        Box::pin(async move {
            let Self { work, committed } = *self;
            let keep = work(connection).await.is_ok();
            let answer: Answer = Box::new(move |failure| {
                if keep && failure.is_none() {
                    committed();
                }
                Box::new(|_| ())
            });
            (keep, answer)
        })
    }

    fn refuse(self: Box<Self>, _: Error) {}
}

async fn own(
    mut connection: SqliteConnection,
    log: PathBuf,
    mut waiting: mpsc::Receiver<Box<dyn Job>>,
    closing: Arc<Notify>,
) {
    // Replies that wait for the log.
    let mut syncing = JoinSet::new();
    let mut jobs = Vec::with_capacity(BATCH_MAX);
    // As the connection was opened.
    let mut syncs = true;
    loop {
        tokio::select! {
            count = waiting.recv_many(&mut jobs, BATCH_MAX) => match count {
                0 => break,
                _ => {
                    let replies = transact(&mut connection, &mut jobs, &mut syncs).await;
                    if !replies.is_empty() {
                        let log = log.clone();
                        syncing.spawn_blocking(move || reply_once_synced(&log, replies));
                    }
                }
            },
            Some(_) = syncing.join_next() => {}
            // What is in the queue now is still done.
            () = closing.notified() => waiting.close(),
        }
    }
    // The log is there until the connection is closed.
    while syncing.join_next().await.is_some() {}
    // Closing checkpoints the log; a failure loses nothing, the next opening reads the log.
    let _ = connection.close().await;
}

/// Syncs the log, and then answers those whose work is in it.
fn reply_once_synced(log: &Path, replies: Vec<Reply>) {
    let failure = sync(log).err().map(|error| format!("{}: {error}", log.display()));
    for reply in replies {
        reply(failure.clone());
    }
}

/// Makes everything durable that is in a write-ahead log.
///
/// SQLite has no locks on its log, so opening it a second time and closing it releases none.
pub(super) fn sync(log: &Path) -> std::io::Result<()> {
    match File::open(log) {
        Ok(log) => log.sync_data(),
        // Nothing was written since the database was opened.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Begins a transaction whose commit is synced or not. `syncs` is what the connection does so far.
async fn begin(connection: &mut SqliteConnection, synced: bool, syncs: &mut bool) -> Result<(), sqlx::Error> {
    if synced != *syncs {
        let pragma = match synced {
            true => "PRAGMA synchronous = FULL",
            false => "PRAGMA synchronous = NORMAL",
        };
        execute(connection, pragma).await?;
        *syncs = synced;
    }
    execute(connection, "BEGIN IMMEDIATE").await
}

/// Does the work in one transaction. Returns the replies that wait until the log is synced.
async fn transact(
    connection: &mut SqliteConnection,
    jobs: &mut Vec<Box<dyn Job>>,
    syncs: &mut bool,
) -> Vec<Reply> {
    jobs.retain(|job| job.is_wanted());
    if jobs.is_empty() {
        return Vec::new();
    }
    let synced = jobs.iter().any(|job| job.kept() == Kept::Now);
    if let Err(error) = begin(connection, synced, syncs).await {
        let error = failed("begin a transaction", error);
        let text = error.source.as_ref().map_or_else(String::new, ToString::to_string);
        for job in jobs.drain(..) {
            let mut each = Error::internal(error.message.clone(), text.clone());
            each.category = error.category;
            job.refuse(each);
        }
        return Vec::new();
    }
    let alone = jobs.len() == 1;
    let mut answers = Vec::with_capacity(jobs.len());
    let mut failure = None;
    let mut any_kept = false;
    for job in jobs.drain(..) {
        if failure.is_none() && !alone {
            failure = execute(connection, "SAVEPOINT job").await.err();
        }
        if failure.is_some() {
            job.refuse(Error::internal(NOT_KEPT, "an earlier change failed in the middle"));
            continue;
        }
        let waits = !synced && job.kept() == Kept::BeforeItsAnswer;
        let (keep, answer) = job.run(connection).await;
        any_kept |= keep;
        answers.push((waits && keep, answer));
        if !alone {
            // A failed statement may have ended the whole transaction. Then these statements fail, too.
            let undo = if keep { Ok(()) } else { execute(connection, "ROLLBACK TO job").await };
            failure = match undo {
                Ok(()) => execute(connection, "RELEASE job").await.err(),
                Err(error) => Some(error),
            };
        }
    }
    if failure.is_none() && any_kept {
        reached(Failpoint::CommitDue);
        failure = execute(connection, "COMMIT").await.err();
        if failure.is_none() {
            reached(Failpoint::Committed);
        }
    }
    if failure.is_some() || !any_kept {
        // Fails only if the database has rolled back by itself.
        let _ = execute(connection, "ROLLBACK").await;
    }
    let failure = failure.map(|error| error.to_string());
    let mut waiting = Vec::new();
    for (waits, answer) in answers {
        let reply = answer(failure.clone());
        match waits && failure.is_none() {
            true => waiting.push(reply),
            false => reply(None),
        }
    }
    waiting
}

async fn execute(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(connection).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    async fn insert(connection: &mut SqliteConnection, number: i64) {
        sqlx::query("INSERT INTO t VALUES (?)").bind(number).execute(connection).await.unwrap();
    }

    async fn numbers(writer: &Writer) -> Vec<i64> {
        let read = writer.write(|connection| {
            Box::pin(async move {
                let read = sqlx::query_scalar("SELECT n FROM t ORDER BY n").fetch_all(connection).await;
                read.map_err(|error| failed("read", error))
            })
        });
        read.await.unwrap()
    }

    async fn writer() -> Writer {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        execute(&mut connection, "CREATE TABLE t (n INTEGER) STRICT").await.unwrap();
        Writer::start(connection, PathBuf::new(), Arc::new(Notify::new())).0
    }

    /// Work that fails after it wrote, between two that succeed, alone and together with them.
    #[tokio::test]
    async fn failed_work_undoes_itself_alone() {
        let writer = writer().await;
        let committed = Arc::new(AtomicU32::new(0));
        let attempt = |number: i64, succeeds: bool| {
            let committed = committed.clone();
            writer.write_then(
                Kept::Now,
                move |connection| {
                    Box::pin(async move {
                        insert(connection, number).await;
                        if succeeds { Ok(number) } else { Err(Error::invalid("changed its mind")) }
                    })
                },
                move |_| {
                    committed.fetch_add(1, Ordering::SeqCst);
                },
            )
        };
        assert!(attempt(1, false).await.is_err());
        assert!(numbers(&writer).await.is_empty());
        // On one thread all three queue before the writer runs.
        let (two, three, four) = tokio::join!(attempt(2, true), attempt(3, false), attempt(4, true));
        assert_eq!((two.unwrap(), four.unwrap()), (2, 4));
        assert_eq!(three.unwrap_err().message, "changed its mind");
        assert_eq!(numbers(&writer).await, [2, 4]);
        assert_eq!(committed.load(Ordering::SeqCst), 2, "told of what is durable only");
    }

    /// One piece ends the whole transaction, as a full disk does: none of its neighbours is said to be kept.
    #[tokio::test]
    async fn a_transaction_that_breaks_off_keeps_nothing() {
        let writer = writer().await;
        let write = |number: i64| {
            writer.write(move |connection| {
                Box::pin(async move {
                    insert(connection, number).await;
                    Ok(())
                })
            })
        };
        let broken = writer.write(|connection| {
            Box::pin(async move {
                execute(connection, "ROLLBACK").await.map_err(|error| failed("roll back", error))?;
                Err::<(), _>(Error::invalid("broken"))
            })
        });
        let (one, two, three) = tokio::join!(write(1), broken, write(3));
        assert_eq!(one.unwrap_err().message, NOT_KEPT);
        assert_eq!(two.unwrap_err().message, "broken");
        assert_eq!(three.unwrap_err().message, NOT_KEPT);
        assert!(numbers(&writer).await.is_empty());
        write(5).await.unwrap();
        assert_eq!(numbers(&writer).await, [5], "and the next one works");
    }

    /// Work that may be lost with the machine shares the log with work that may not: the disk is waited for again.
    #[tokio::test]
    async fn only_work_that_may_be_lost_is_not_synced() {
        let writer = writer().await;
        let level = async |kept| {
            let read = writer.write_then(
                kept,
                |connection| {
                    Box::pin(async move {
                        let level = sqlx::query_scalar("PRAGMA synchronous").fetch_one(connection).await;
                        level.map_err(|error| failed("read", error))
                    })
                },
                |_: &mut i64| (),
            );
            read.await.unwrap()
        };
        let (normal, full) = (1, 2);
        assert_eq!(level(Kept::Now).await, full);
        assert_eq!(level(Kept::WithTheNext).await, normal);
        assert_eq!(level(Kept::WithTheNext).await, normal);
        assert_eq!(level(Kept::Now).await, full);
        assert_eq!(level(Kept::BeforeItsAnswer).await, normal);
        // In one transaction, on one thread all queue before the writer runs.
        let (lost, told, kept) =
            tokio::join!(level(Kept::WithTheNext), level(Kept::BeforeItsAnswer), level(Kept::Now));
        assert_eq!((lost, told, kept), (full, full, full));
    }

    /// The log is a pipe here, which opens only when something else opens its other end: the sync ends when the test says so.
    #[tokio::test]
    async fn others_are_told_of_a_commit_before_its_log_is_synced_and_the_caller_after() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let made = std::process::Command::new("mkfifo").arg(&log).status().unwrap();
        assert!(made.success());
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        execute(&mut connection, "CREATE TABLE t (n INTEGER) STRICT").await.unwrap();
        let (writer, _writing) = Writer::start(connection, log.clone(), Arc::new(Notify::new()));
        let (told, mut hears) = oneshot::channel();
        let write = writer.write_then(
            Kept::BeforeItsAnswer,
            |connection| {
                Box::pin(async move {
                    insert(connection, 7).await;
                    Ok(7)
                })
            },
            move |value| told.send(*value).unwrap(),
        );
        let mut write = std::pin::pin!(write);
        tokio::select! {
            biased;
            _ = &mut write => panic!("the log cannot be synced yet"),
            heard = &mut hears => assert_eq!(heard.unwrap(), 7),
        }
        // Others go on with it meanwhile.
        assert_eq!(numbers(&writer).await, [7]);
        let opened = tokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(log));
        // A pipe cannot be synced, so the caller hears that the change is not certain.
        let refused = write.await.unwrap_err();
        assert_eq!(refused.message, PERHAPS_NOT_KEPT);
        opened.await.unwrap().unwrap();
        assert_eq!(numbers(&writer).await, [7]);
    }

    #[tokio::test]
    async fn work_nobody_waits_for_is_skipped() {
        let writer = writer().await;
        let write = writer.write(|connection| {
            Box::pin(async move {
                insert(connection, 1).await;
                Ok(())
            })
        });
        // Queued by its first poll, given up before the writer runs.
        tokio::select! {
            biased;
            _ = write => panic!("the writer has not run yet"),
            () = std::future::ready(()) => {}
        }
        assert!(numbers(&writer).await.is_empty());
    }
}
