//! Results expire: their files are removed, and their records stay.
//!
//! The order of steps: the records say that results have expired, with an audit event for each, in one transaction; then
//! the files are removed; then the records say so. A process that is killed in between has removed files that have
//! expired, or none, and the next run removes the others. So a reader learns that a result has expired, and never finds a
//! result without its files.
//!
//! A bucket may keep files for a time of its own (object lock, retention). Then the record says that the result has expired, a
//! log line, an event and a metric say that its files are still there, and each later run tries again.

use crate::Events;
use crate::result_files::ResultFiles;
use futures_util::future::BoxFuture;
use muster_reports::audit::AuditOperation;
use muster_reports::error::{Category, Error, Result, error_chain};
use muster_reports::failpoint::{Failpoint, reached};
use muster_reports::ids::{TaskId, TenantId};
use muster_reports::metric;
use muster_reports::ports::{AuditTrail, Clock, ResultRetention};
use muster_reports::result_life::{ExpiredResult, ResultPolicy};
use serde::Serialize;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Results that expire in one transaction.
const BATCH: u32 = 100;

/// Lets the results of one tenant expire.
pub struct ResultExpiry {
    /// What knows the results.
    pub retention: Arc<dyn ResultRetention>,
    /// Their files.
    pub files: ResultFiles,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The tenant.
    pub tenant: TenantId,
    /// How long files are kept.
    pub policy: ResultPolicy,
    /// The audit trail.
    pub audit: Arc<dyn AuditTrail>,
    /// Makes the events.
    pub events: Arc<Events>,
    /// Results whose bucket keeps them, and that the trail has since this process began.
    pub kept: Mutex<HashSet<TaskId>>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpiredResults {
    /// Results that expired.
    pub results: u64,
    /// Files that were removed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl ResultExpiry {
    /// Removes the files of all results that are due, and of those that expired before and still have files.
    ///
    /// # Errors
    /// When the store fails, or a file cannot be removed. Calling it again finishes what was begun. `Broken` if a bucket keeps
    /// files that are due; all others are removed before.
    pub fn run(&self) -> BoxFuture<'_, Result<ExpiredResults>> {
        Box::pin(async move {
            let (mut done, mut kept) = (ExpiredResults::default(), Kept::default());
            loop {
                self.remove(&mut done, &mut kept).await?;
                let now = self.clock.now();
                let expired = self.retention.expire_results(&self.tenant, self.policy, now, BATCH).await?;
                if expired.is_empty() {
                    return kept.verdict(&self.kept).map(|()| done);
                }
                reached(Failpoint::ResultsExpired);
                done.results += expired.len() as u64;
            }
        })
    }

    /// Removes the files of results that have expired.
    async fn remove(&self, done: &mut ExpiredResults, kept: &mut Kept) -> Result<()> {
        loop {
            // Those that are kept come again.
            let limit = BATCH.saturating_add(u32::try_from(kept.results.len()).unwrap_or(u32::MAX));
            let mut results =
                self.retention.to_remove(chrono::DateTime::<chrono::Utc>::MAX_UTC, limit).await?;
            results.retain(|result| !kept.results.contains(&result.task));
            if results.is_empty() {
                return Ok(());
            }
            for ExpiredResult { tenant, task, files } in results {
                let mut refused = None;
                for file in files {
                    match self.files.remove(&file.stored_name).await {
                        Ok(()) => {}
                        Err(error) if error.category == Category::Broken => {
                            refused = Some(error);
                            continue;
                        }
                        Err(error) => return Err(error),
                    }
                    reached(Failpoint::ExpiredFileRemoved);
                    done.files += 1;
                    done.bytes += file.bytes;
                }
                match refused {
                    None => self.retention.removed(&tenant, &task, self.clock.now()).await?,
                    Some(error) => self.keep(task, error, kept).await?,
                }
            }
        }
    }

    /// Tells of a result whose bucket keeps its files.
    async fn keep(&self, task: TaskId, error: Error, kept: &mut Kept) -> Result<()> {
        // A panic cannot leave the set half changed.
        let known = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        tracing::error!(%task, error = error_chain(&error), "the files of an expired result are not removed");
        if !known().contains(&task) {
            let mut event = (self.events)(AuditOperation::ResultNotRemoved, "results", error.message.clone());
            event.task = task.clone();
            self.audit.record(&event).await?;
            known().insert(task.clone());
        }
        kept.first.get_or_insert(error);
        kept.results.insert(task);
        Ok(())
    }
}

/// Results whose bucket keeps them.
#[derive(Default)]
struct Kept {
    results: HashSet<TaskId>,
    /// Why the first of them could not be removed.
    first: Option<Error>,
}

impl Kept {
    /// An error if there are any.
    fn verdict(self, known: &Mutex<HashSet<TaskId>>) -> Result<()> {
        let Self { results, first } = self;
        metrics::gauge!(metric::RESULTS_KEPT.name).set(results.len() as f64);
        known.lock().unwrap_or_else(PoisonError::into_inner).retain(|task| results.contains(task));
        let Some(first) = first else { return Ok(()) };
        let message =
            format!("the files of {} expired results are not removed: {}", results.len(), first.message);
        Err(Error { message, ..first })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use chrono::TimeDelta;
    use muster_reports::ids::WorkerId;
    use muster_reports::ports::TaskStore;
    use muster_reports::task::AttemptEnd;
    use muster_testkit::{MemoryStore, TestClock, build};
    use std::time::Duration;

    struct World {
        dir: tempfile::TempDir,
        store: Arc<MemoryStore>,
        clock: Arc<TestClock>,
        expiry: ResultExpiry,
    }

    fn world() -> World {
        let dir = tempfile::tempdir().unwrap();
        let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
        let expiry = ResultExpiry {
            retention: store.clone(),
            files: ResultFiles::open(dir.path()).unwrap(),
            clock: clock.clone(),
            tenant: build::tenant(),
            policy: ResultPolicy { keep_days: Some(30), keep_last: 0 },
            audit: store.clone(),
            events: Arc::new(|_, _, _| unreachable!("a folder keeps nothing")),
            kept: Mutex::default(),
        };
        World { dir, store, clock, expiry }
    }

    impl World {
        /// A result with one file of 13 bytes.
        async fn result(&self, number: u64) -> TaskId {
            let now = self.clock.now();
            self.store.start(build::new_task(number, now)).await.unwrap();
            let lease = Duration::from_secs(30);
            let claim = self.store.claim(&WorkerId::new("w"), now, lease).await.unwrap().unwrap();
            let result = build::task_result(&claim.task.id, claim.lease.epoch, 1);
            std::fs::write(self.dir.path().join(&result.files[0].stored_name), "thirteen byte").unwrap();
            let end = AttemptEnd::Done { result, messages: Vec::new() };
            assert!(self.store.end_attempt(&claim.lease, end, now).await.unwrap());
            claim.task.id
        }

        fn files(&self) -> usize {
            std::fs::read_dir(self.dir.path()).unwrap().count()
        }
    }

    #[tokio::test]
    async fn more_results_than_a_batch_expire_and_the_others_stay() {
        let world = world();
        for number in 1..=u64::from(BATCH) + 5 {
            world.result(number).await;
        }
        world.clock.advance(TimeDelta::days(29));
        world.result(999).await;
        assert_eq!(world.expiry.run().await.unwrap(), ExpiredResults::default());
        world.clock.advance(TimeDelta::days(1));
        let expected = ExpiredResults { results: 105, files: 105, bytes: 105 * 13 };
        assert_eq!(world.expiry.run().await.unwrap(), expected);
        assert_eq!(world.files(), 1);
        assert_eq!(world.expiry.run().await.unwrap(), ExpiredResults::default());
    }

    /// As after a kill between two steps, and after one file was removed.
    #[tokio::test]
    async fn what_was_begun_is_finished() {
        let world = world();
        for number in 1..=2 {
            world.result(number).await;
        }
        let now = world.clock.advance(TimeDelta::days(30));
        world.store.expire_results(&build::tenant(), world.expiry.policy, now, 100).await.unwrap();
        let begun = world.store.to_remove(now, 100).await.unwrap();
        world.expiry.files.remove(&begun[0].files[0].stored_name).await.unwrap();
        assert_eq!(world.files(), 1);
        assert_eq!(world.expiry.run().await.unwrap(), ExpiredResults { results: 0, files: 2, bytes: 26 });
        assert_eq!((world.files(), world.store.published_names().await.unwrap().len()), (0, 0));
    }

    /// Without its event, nothing is removed.
    #[tokio::test]
    async fn nothing_expires_unrecorded() {
        let world = world();
        world.result(1).await;
        world.clock.advance(TimeDelta::days(30));
        world.store.refuse_audit(true);
        assert!(world.expiry.run().await.is_err());
        assert_eq!(world.files(), 1);
    }
}
