//! Every failpoint, and how it is reached.

/// How a failpoint is reached. A number says at which pass of the failpoint the process ends. The long form counts up
/// through the failpoints that are passed an unknown number of times, until one is no longer reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    /// A service that runs reports, serves their files, and cancels one.
    Serve(&'static [u64]),
    /// The same with a heartbeat every few milliseconds.
    Heartbeat,
    /// A service that finds a result file that no record names.
    Stray,
    /// Cancels around the moment when a run has named its files.
    CancelLate,
    /// A task whose only attempt was lost.
    Exhausted,
    /// A service that claims what a dead one held.
    Rescue,
    /// A service on an empty folder.
    Fresh,
    /// `muster refresh`, which writes the tables that changed.
    Refresh(&'static [u64]),
    /// `muster refresh --full`, which writes all of them.
    Full(&'static [u64]),
    /// `muster snapshot expire`, with two snapshots that nothing needs.
    Expire(&'static [u64]),
    /// `muster report expire`, with results that nothing keeps and one that is held.
    ExpireResults(&'static [u64]),
    /// A service that makes a run of a schedule, a refresh and a report.
    ScheduledRun(&'static [u64]),
    /// The same of a schedule that falls due by itself, every minute.
    FallDue(&'static [u64]),
    /// The same of a schedule that tells a receiver of webhooks how its runs end.
    Notified(&'static [u64]),
    /// `muster keys rotate`.
    Rotate(&'static [u64]),
    /// `muster backup take`, with the keys.
    Backup(&'static [u64]),
    /// `muster restore` of such a backup.
    Restore(&'static [u64]),
    /// As `Serve`, and results are in a bucket.
    Bucket(&'static [u64]),
}

/// Every failpoint and its scenarios, over SQLite.
pub(super) const SQLITE: [(&str, Scenario); 63] = [
    ("result-begun", Scenario::Serve(&[1])),
    ("result-written", Scenario::Serve(&[1, 2])),
    ("result-synced", Scenario::Serve(&[1, 2])),
    ("result-renamed", Scenario::Serve(&[1, 2])),
    ("result-named", Scenario::Serve(&[1, 2])),
    ("result-upload-due", Scenario::Bucket(&[1, 2])),
    ("result-upload-begun", Scenario::Bucket(&[1])),
    ("result-uploaded", Scenario::Bucket(&[1, 2])),
    ("result-recorded", Scenario::Bucket(&[1])),
    ("result-discarded", Scenario::CancelLate),
    ("file-swept", Scenario::Stray),
    ("work-cleared", Scenario::Serve(&[1])),
    ("key-drafted", Scenario::Fresh),
    ("key-named", Scenario::Fresh),
    ("key-drafted", Scenario::Rotate(&[1, 2])),
    ("key-named", Scenario::Rotate(&[1, 2])),
    ("commit-due", Scenario::Serve(&[1, 4])),
    ("committed", Scenario::Serve(&[1, 4])),
    ("task-inserted", Scenario::Serve(&[1])),
    ("task-accepted", Scenario::Serve(&[1])),
    ("task-claimed", Scenario::Serve(&[1])),
    ("claim-kept", Scenario::Serve(&[1])),
    ("lease-renewed", Scenario::Heartbeat),
    ("task-terminated", Scenario::Serve(&[1])),
    ("cancel-kept", Scenario::Serve(&[1])),
    ("result-recorded", Scenario::Serve(&[1])),
    ("failure-recorded", Scenario::Exhausted),
    ("end-kept", Scenario::Serve(&[1])),
    ("event-inserted", Scenario::Serve(&[1])),
    ("head-moved", Scenario::Serve(&[1])),
    ("event-kept", Scenario::Serve(&[1])),
    ("table-written", Scenario::Refresh(&[1])),
    ("table-written", Scenario::Full(&[1, 13])),
    ("tables-written", Scenario::Refresh(&[1])),
    ("snapshot-inserted", Scenario::Refresh(&[1])),
    ("snapshot-kept", Scenario::Refresh(&[1])),
    ("snapshots-expired", Scenario::Expire(&[1])),
    ("results-expired", Scenario::ExpireResults(&[1])),
    ("expired-file-removed", Scenario::ExpireResults(&[1, 2])),
    ("run-fallen-due", Scenario::FallDue(&[1])),
    ("run-claimed", Scenario::ScheduledRun(&[1, 2])),
    ("run-refreshed", Scenario::ScheduledRun(&[1])),
    ("run-task-started", Scenario::ScheduledRun(&[1])),
    ("run-stepped", Scenario::ScheduledRun(&[1, 2, 3])),
    ("snapshot-kept", Scenario::ScheduledRun(&[1])),
    ("task-accepted", Scenario::ScheduledRun(&[1])),
    ("notifications-inserted", Scenario::Notified(&[1])),
    ("notification-claimed", Scenario::Notified(&[1])),
    ("notification-delivered", Scenario::Notified(&[1])),
    ("notification-stepped", Scenario::Notified(&[1])),
    ("event-inserted", Scenario::Backup(&[1])),
    ("event-kept", Scenario::Backup(&[1])),
    ("backup-database-copied", Scenario::Backup(&[1])),
    ("backup-file-drafted", Scenario::Backup(&[1, 7])),
    ("backup-file-kept", Scenario::Backup(&[1, 7])),
    ("backup-files-kept", Scenario::Backup(&[1])),
    ("backup-listed", Scenario::Backup(&[1])),
    ("restore-begun", Scenario::Restore(&[1])),
    ("restore-file-copied", Scenario::Restore(&[1, 7])),
    ("restore-database-copied", Scenario::Restore(&[1])),
    ("restore-database-named", Scenario::Restore(&[1])),
    ("event-kept", Scenario::Restore(&[1])),
    ("restore-recorded", Scenario::Restore(&[1])),
];

/// The same over PostgreSQL: every commit there, and what is done in the shared folder.
pub(super) const POSTGRES: [(&str, Scenario); 39] = [
    ("result-named", Scenario::Serve(&[1])),
    ("file-swept", Scenario::Stray),
    ("commit-due", Scenario::Serve(&[1, 2, 4])),
    ("committed", Scenario::Serve(&[1, 2, 4])),
    ("task-inserted", Scenario::Serve(&[1])),
    ("task-accepted", Scenario::Serve(&[1])),
    ("task-claimed", Scenario::Serve(&[1])),
    ("claim-kept", Scenario::Serve(&[1])),
    ("lease-renewed", Scenario::Heartbeat),
    ("task-terminated", Scenario::Serve(&[1])),
    ("cancel-kept", Scenario::Serve(&[1])),
    ("result-recorded", Scenario::Serve(&[1])),
    ("failure-recorded", Scenario::Exhausted),
    ("end-kept", Scenario::Serve(&[1])),
    ("event-inserted", Scenario::Serve(&[1])),
    ("head-moved", Scenario::Serve(&[1])),
    ("event-kept", Scenario::Serve(&[1])),
    ("tables-written", Scenario::Refresh(&[1])),
    ("snapshot-inserted", Scenario::Refresh(&[1])),
    ("snapshot-kept", Scenario::Refresh(&[1])),
    ("commit-due", Scenario::Expire(&[1])),
    ("snapshots-expired", Scenario::Expire(&[1])),
    ("results-expired", Scenario::ExpireResults(&[1])),
    ("expired-file-removed", Scenario::ExpireResults(&[1])),
    ("run-fallen-due", Scenario::FallDue(&[1])),
    ("run-claimed", Scenario::ScheduledRun(&[1])),
    ("run-refreshed", Scenario::ScheduledRun(&[1])),
    ("run-task-started", Scenario::ScheduledRun(&[1])),
    ("run-stepped", Scenario::ScheduledRun(&[1, 2])),
    ("notifications-inserted", Scenario::Notified(&[1])),
    ("notification-claimed", Scenario::Notified(&[1])),
    ("notification-delivered", Scenario::Notified(&[1])),
    ("notification-stepped", Scenario::Notified(&[1])),
    ("task-claimed", Scenario::Rescue),
    ("claim-kept", Scenario::Rescue),
    ("result-begun", Scenario::Rescue),
    ("result-recorded", Scenario::Rescue),
    ("committed", Scenario::Rescue),
    ("end-kept", Scenario::Rescue),
];
