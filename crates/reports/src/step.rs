//! The steps between two durable effects, by name, so that a test can end the process at each of them.
//!
//! Why here: the crates that take these steps have nothing in common but this one. It does not know what is done
//! at a step; the binary may set one observer for the whole process (`cargo xtask faults failpoints` has it abort).
//!
//! Invariants:
//! - without an observer a step costs one load of memory, and nothing depends on it;
//! - every name is in [`Step::ALL`], and each step is passed somewhere in the crates; a test of `xtask` holds
//!   both against the steps that are crashed at.

use std::fmt;
use std::sync::OnceLock;

macro_rules! steps {
    ($($(#[$doc:meta])+ $step:ident = $name:literal,)+) => {
        /// A step that has just been taken. What comes after it has not begun.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Step {
            $($(#[$doc])+ $step,)+
        }

        impl Step {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$step,)+];

            /// The name by which it is known outside.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$step => $name,)+
                }
            }
        }
    };
}

steps! {
    /// A result file is there under its temporary name, and empty.
    ResultBegun = "result-begun",
    /// All of a result file has been given to the system.
    ResultWritten = "result-written",
    /// It is on the disk.
    ResultSynced = "result-synced",
    /// It has its name.
    ResultRenamed = "result-renamed",
    /// Its name is on the disk; no record names it.
    ResultNamed = "result-named",
    /// A file that no record will name is gone.
    ResultDiscarded = "result-discarded",
    /// A sweep has removed one file.
    FileSwept = "file-swept",
    /// The folder of work has been cleared at a start.
    WorkCleared = "work-cleared",
    /// A key is on the disk under a draft's name.
    KeyDrafted = "key-drafted",
    /// A key has its name.
    KeyNamed = "key-named",
    /// Changes are made and not committed.
    CommitDue = "commit-due",
    /// Changes are committed and nobody has been told.
    Committed = "committed",
    /// A task's row is inserted.
    TaskInserted = "task-inserted",
    /// A task is committed; its client has no answer.
    TaskAccepted = "task-accepted",
    /// A task's row has a worker and a higher epoch.
    TaskClaimed = "task-claimed",
    /// A claim is committed; its worker does not know.
    ClaimKept = "claim-kept",
    /// A lease's row has a later end.
    LeaseRenewed = "lease-renewed",
    /// A task's row is set to terminated.
    TaskTerminated = "task-terminated",
    /// A cancel is committed; neither its client nor the worker knows.
    CancelKept = "cancel-kept",
    /// A task's row names its files.
    ResultRecorded = "result-recorded",
    /// A task's row is set to failed.
    FailureRecorded = "failure-recorded",
    /// The end of an attempt is committed; its worker does not know.
    EndKept = "end-kept",
    /// An audit event is inserted; the head is that of the one before.
    EventInserted = "event-inserted",
    /// The head of the audit trail has moved to it.
    HeadMoved = "head-moved",
    /// An audit event is committed; what it is about has not begun.
    EventKept = "event-kept",
    /// A refresh has written one table's new version.
    TableWritten = "table-written",
    /// A refresh has written every table, and no manifest names them.
    TablesWritten = "tables-written",
    /// A snapshot's row is inserted.
    SnapshotInserted = "snapshot-inserted",
    /// A snapshot is committed; the refresh has not said so.
    SnapshotKept = "snapshot-kept",
    /// Snapshots have expired in the catalogue; their files are there.
    SnapshotsExpired = "snapshots-expired",
}

impl Step {
    /// The step of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|step| step.name() == name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is called at each step.
type Observer = Box<dyn Fn(Step) + Send + Sync>;

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Says that a step has been taken.
pub fn taken(step: Step) {
    if let Some(observer) = OBSERVER.get() {
        observer(step);
    }
}

/// Sets the process's one observer; `false` where there is one already.
pub fn observe(observer: impl Fn(Step) + Send + Sync + 'static) -> bool {
    OBSERVER.set(Box::new(observer)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::{Arc, Mutex};

    #[test]
    fn names_are_distinct_and_found_again() {
        let names: HashSet<&str> = Step::ALL.iter().map(|step| step.name()).collect();
        assert_eq!(names.len(), Step::ALL.len());
        assert!(Step::ALL.iter().all(|step| Step::named(step.name()) == Some(*step)));
        assert_eq!(Step::named("result"), None);
    }

    #[test]
    fn one_observer_sees_what_is_taken_after_it_was_set() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        taken(Step::ResultBegun);
        let kept = seen.clone();
        assert!(observe(move |step| kept.lock().expect("nobody panics").push(step)));
        assert!(!observe(|_| ()));
        taken(Step::TaskAccepted);
        assert_eq!(*seen.lock().expect("nobody panics"), [Step::TaskAccepted]);
    }
}
