//! Sweeping: removes result files of earlier processes that no record names.
//!
//! Invariants:
//! - unfinished files are removed for good; files that a record of another database could name are moved to the trash,
//!   after an audit event says so;
//! - if there are too many of the latter, they stay and an error is logged: this may be the wrong database.

use crate::Events;
use crate::result_files::ResultFiles;
use crate::trash;
use futures_util::future::BoxFuture;
use muster_reports::audit::AuditOperation;
use muster_reports::error::{Error, Result, error_chain};
use muster_reports::ids::TaskId;
use muster_reports::ports::{AuditTrail, Clock, TaskStore};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

/// File names in the event of a sweep.
const NAMED_MAX: usize = 200;

/// How many result files without a record are moved to the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// As many as killed processes leave.
    Few,
    /// All of them.
    All,
}

impl Swept {
    /// Files that are never too many.
    const FEW: usize = 16;

    /// Whether so many of all result files may be moved.
    fn permits(self, unnamed: usize, of: usize) -> bool {
        self == Self::All || unnamed <= Self::FEW || unnamed * 10 <= of
    }
}

/// A sweep of result files.
pub struct Sweep {
    /// The files.
    pub files: ResultFiles,
    /// Their folder, which has the trash.
    pub results_dir: PathBuf,
    /// Whether other processes may write there: files of their live attempts stay.
    pub shared: bool,
    /// What knows the records.
    pub tasks: Arc<dyn TaskStore>,
    /// The audit trail.
    pub audit: Arc<dyn AuditTrail>,
    /// Makes the events.
    pub events: Arc<Events>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How long files stay in the trash, in days.
    pub trash_days: u32,
}

impl Sweep {
    /// Gives up the uploads to a bucket that processes which were killed have left. May be called at any time.
    ///
    /// # Errors
    /// When the store or the bucket fails.
    pub async fn give_up_uploads(&self) -> Result<usize> {
        let live = async {
            let live = self.tasks.live_attempts().await?;
            Ok::<_, Error>(move |task: &TaskId, epoch| live.contains(&(task.clone(), epoch)))
        };
        self.files.give_up_uploads(live).await
    }

    /// Removes left-over files, and files that have been in the trash for long. To be called under the lock of serving,
    /// before a worker starts.
    ///
    /// # Errors
    /// When the store or the folder cannot be read, or a file cannot be moved.
    pub fn run(self, swept: Swept) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            // In this order: a file that is published in between has a name in the records by then.
            let survey = self.files.survey().await?;
            // If the folder is not shared, nothing writes.
            let live = if self.shared { self.tasks.live_attempts().await? } else { HashSet::new() };
            let named = self.tasks.published_names().await?.into_iter().collect();
            let is_live = move |task: &TaskId, epoch| live.contains(&(task.clone(), epoch));
            let left_over = survey.left_over(&named, is_live);
            let (count, of) = (left_over.unnamed().count(), left_over.of);
            if !swept.permits(count, of) {
                tracing::error!(
                    count,
                    of,
                    "result files are named by no record of this database, and they are more than a process leaves that is \
                 killed: nothing was moved; if this is the right database, `muster serve --sweep` moves them to the trash"
                );
                return Ok(());
            }
            let now = self.clock.now();
            let trash = trash::place(&self.results_dir, now);
            if count > 0 {
                let names: Vec<_> = left_over.unnamed().take(NAMED_MAX).collect();
                let details =
                    format!("{count} files moved to {}: {}", left_over.trash(&trash), names.join(" "));
                let event = (self.events)(AuditOperation::FilesRemoved, "results", details);
                if let Err(error) = self.audit.record(&event).await {
                    tracing::error!(
                        error = error_chain(&error),
                        "the sweep of result files cannot be recorded, and is not done"
                    );
                    return Ok(());
                }
                tracing::warn!(
                    count,
                    trash = left_over.trash(&trash),
                    "result files that no record names go to the trash"
                );
            }
            let (results, days) = (self.results_dir, self.trash_days);
            tokio::task::spawn_blocking(move || {
                left_over.discard(&trash, now, days)?;
                trash::empty(&results, now, days)
            })
            .await
            .map_err(|error| Error::internal("the sweep of result files failed", error))?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_are_swept_unasked_and_a_tenth_of_many() {
        for (unnamed, of, permitted) in [(16, 16, true), (17, 17, false), (17, 170, true), (18, 179, false)] {
            assert_eq!(Swept::Few.permits(unnamed, of), permitted, "{unnamed} of {of}");
            assert!(Swept::All.permits(unnamed, of));
        }
    }
}
