//! The failpoints: named points between two durable effects, at which a test can end the process.
//!
//! Why here: the crates that have failpoints share no other crate of ours. This one does not know what is done at a
//! failpoint. The binary may set one observer for the whole process; for `cargo xtask faults failpoints` the observer
//! aborts.
//!
//! Invariants:
//! - without an observer, a failpoint costs one load of memory and has no effect;
//! - every name is in [`Failpoint::ALL`], and some crate reaches each failpoint. A test of `crates/harness` compares both
//!   with the failpoints that it crashes at.

use std::fmt;
use std::sync::OnceLock;

macro_rules! failpoints {
    ($($(#[$doc:meta])+ $point:ident = $name:literal,)+) => {
        /// A point between two durable effects: the first has happened, and the second has not begun.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Failpoint {
            $($(#[$doc])+ $point,)+
        }

        impl Failpoint {
            /// All failpoints.
            pub const ALL: &'static [Self] = &[$(Self::$point,)+];

            /// Its name outside of the code.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

failpoints! {
    /// A result file exists under its temporary name, and is empty.
    ResultBegun = "result-begun",
    /// All bytes of a result file have been passed to the system.
    ResultWritten = "result-written",
    /// The result file is on the disk.
    ResultSynced = "result-synced",
    /// The result file has its final name.
    ResultRenamed = "result-renamed",
    /// The final name is on the disk; no record names the file.
    ResultNamed = "result-named",
    /// A result file is complete on this machine, and its bucket has nothing of it.
    ResultUploadDue = "result-upload-due",
    /// An upload of a result file in parts has begun, and the bucket has no part.
    ResultUploadBegun = "result-upload-begun",
    /// A result file is in its bucket; no record names it.
    ResultUploaded = "result-uploaded",
    /// A file that no record will name has been removed.
    ResultDiscarded = "result-discarded",
    /// A sweep has removed one file.
    FileSwept = "file-swept",
    /// The work folder has been emptied at a start.
    WorkCleared = "work-cleared",
    /// A key is on the disk under a draft's name.
    KeyDrafted = "key-drafted",
    /// A key has its final name.
    KeyNamed = "key-named",
    /// Changes have been made and are not committed.
    CommitDue = "commit-due",
    /// Changes are committed, and nobody has been told.
    Committed = "committed",
    /// A task's row is inserted.
    TaskInserted = "task-inserted",
    /// A task is committed; its client has no answer.
    TaskAccepted = "task-accepted",
    /// A task's row has a worker and a higher epoch.
    TaskClaimed = "task-claimed",
    /// A claim is committed; its worker does not know it.
    ClaimKept = "claim-kept",
    /// A lease's row has a later end.
    LeaseRenewed = "lease-renewed",
    /// A task's row is set to terminated.
    TaskTerminated = "task-terminated",
    /// A cancel is committed; neither its client nor the worker knows it.
    CancelKept = "cancel-kept",
    /// A task's row names its files.
    ResultRecorded = "result-recorded",
    /// A task's row is set to failed.
    FailureRecorded = "failure-recorded",
    /// The end of an attempt is committed; its worker does not know it.
    EndKept = "end-kept",
    /// An audit event is inserted; the head of the trail is still that of the event before it.
    EventInserted = "event-inserted",
    /// The head of the audit trail has moved to the inserted event.
    HeadMoved = "head-moved",
    /// An audit event is committed; what it is about has not begun.
    EventKept = "event-kept",
    /// A refresh has written one table's new version.
    TableWritten = "table-written",
    /// A refresh has written every table, and no manifest names the new versions.
    TablesWritten = "tables-written",
    /// A snapshot's row is inserted.
    SnapshotInserted = "snapshot-inserted",
    /// A snapshot is committed; the refresh has not reported it.
    SnapshotKept = "snapshot-kept",
    /// Snapshots have expired in the catalogue; their files still exist.
    SnapshotsExpired = "snapshots-expired",
    /// A schedule's run is made and its next time set; no node has the run.
    RunFallenDue = "run-fallen-due",
    /// A node has a run, and has not begun it.
    RunClaimed = "run-claimed",
    /// The refresh of a run is made, and its run does not say so.
    RunRefreshed = "run-refreshed",
    /// The task of a run is accepted, and its run does not say so.
    RunTaskStarted = "run-task-started",
    /// A run has kept a step.
    RunStepped = "run-stepped",
    /// The notifications of a run that ends are inserted; its end is not committed.
    NotificationsInserted = "notifications-inserted",
    /// A node has a notification, and has not begun to deliver it.
    NotificationClaimed = "notification-claimed",
    /// A recipient's server has accepted a notification, and no record says so.
    NotificationDelivered = "notification-delivered",
    /// What became of an attempt to deliver a notification is kept.
    NotificationStepped = "notification-stepped",
    /// Results have expired in the records; their files still exist.
    ResultsExpired = "results-expired",
    /// One file of a result that has expired is removed, and no record says so.
    ExpiredFileRemoved = "expired-file-removed",
    /// A backup has the copy of the database, and no file that it names.
    BackupDatabaseCopied = "backup-database-copied",
    /// A file of a backup is read to its end, and does not have its name.
    BackupFileDrafted = "backup-file-drafted",
    /// A file of a backup has its name, and no list names it.
    BackupFileKept = "backup-file-kept",
    /// A backup has every file, and no list.
    BackupFilesKept = "backup-files-kept",
    /// A backup has its list; the command has not said so.
    BackupListed = "backup-listed",
    /// A restore has marked the new data directory, which has nothing else.
    RestoreBegun = "restore-begun",
    /// A restore has copied one file.
    RestoreFileCopied = "restore-file-copied",
    /// A restore has copied every file, and the database does not have its name.
    RestoreDatabaseCopied = "restore-database-copied",
    /// A restored database has its name, and the trail does not say that it was restored.
    RestoreDatabaseNamed = "restore-database-named",
    /// The trail says that a database was restored; the mark of the restore is still there.
    RestoreRecorded = "restore-recorded",
}

impl Failpoint {
    /// The failpoint of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|point| point.name() == name)
    }
}

impl fmt::Display for Failpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is called at each failpoint.
type Observer = Box<dyn Fn(Failpoint) + Send + Sync>;

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Tells the observer, if there is one, that the process has reached a failpoint.
pub fn reached(point: Failpoint) {
    if let Some(observer) = OBSERVER.get() {
        observer(point);
    }
}

/// Sets the process's one observer; `false` if there is one already.
pub fn observe(observer: impl Fn(Failpoint) + Send + Sync + 'static) -> bool {
    OBSERVER.set(Box::new(observer)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::{Arc, Mutex};

    #[test]
    fn names_are_distinct_and_found_again() {
        let names: HashSet<&str> = Failpoint::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Failpoint::ALL.len());
        assert!(Failpoint::ALL.iter().all(|point| Failpoint::named(point.name()) == Some(*point)));
        assert_eq!(Failpoint::named("result"), None);
    }

    #[test]
    fn one_observer_sees_what_is_reached_after_it_was_set() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        reached(Failpoint::ResultBegun);
        let kept = seen.clone();
        assert!(observe(move |point| kept.lock().expect("nobody panics").push(point)));
        assert!(!observe(|_| ()));
        reached(Failpoint::TaskAccepted);
        assert_eq!(*seen.lock().expect("nobody panics"), [Failpoint::TaskAccepted]);
    }
}
