//! What an audit event says was done, under the names that are kept and those of the published service.
//!
//! Why here: the trail, search documents and messages to Kafka name an act alike.

/// What was done, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditOperation {
    /// A report was started, or a live one joined.
    Start,
    /// A result was read.
    ReadResult,
    /// A file or an evidence package was downloaded.
    Download,
    /// A report was cancelled.
    Cancel,
    /// A known caller was refused what it asked for.
    Refused,
    /// A credential was made.
    CredentialCreated,
    /// A credential was disabled.
    CredentialDisabled,
    /// A source or links were registered.
    ConfigurationChanged,
    /// A report has its result.
    Ended,
    /// A report ended without a result.
    EndedFailed,
    /// A refresh begins: nothing has been read yet.
    RefreshStarted,
    /// A refresh ended and published nothing.
    RefreshFailed,
    /// A snapshot was published.
    SnapshotPublished,
    /// Snapshots expired: their data is gone or going.
    SnapshotExpired,
    /// Files that nothing names are taken away.
    FilesRemoved,
    /// The files of a result expired: they are gone or going.
    ResultExpired,
    /// The files of a result that expired could not be removed: their bucket keeps them.
    ResultNotRemoved,
    /// A result is held, or no longer held: whether its files may expire.
    ResultHeld,
    /// A notification was given up: its recipient was not told.
    NotificationFailed,
    /// A trail that was broken goes on from here.
    Resealed,
    /// Everything that the service keeps is copied to a folder of backups.
    BackupTaken,
    /// The service goes on from a backup: what was recorded after it is lost.
    Restored,
    /// An access review was created or closed.
    ReviewChanged,
    /// Items of an access review were decided.
    ReviewDecided,
    /// It was checked which policies for separation of duties a person would violate with more access.
    ViolationsChecked,
}

/// How the published service's events name an act (EventDocument in
/// tests/published/search-document-schemas.yaml).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedOperation {
    /// `action` and `technicalName`.
    pub action: &'static str,
    /// `name`.
    pub name: &'static str,
    /// `operation`.
    pub operation: &'static str,
    /// `type`.
    pub kind: &'static str,
    /// `status`.
    pub status: &'static str,
}

impl AuditOperation {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Start,
        Self::ReadResult,
        Self::Download,
        Self::Cancel,
        Self::Refused,
        Self::CredentialCreated,
        Self::CredentialDisabled,
        Self::ConfigurationChanged,
        Self::Ended,
        Self::EndedFailed,
        Self::RefreshStarted,
        Self::RefreshFailed,
        Self::SnapshotPublished,
        Self::SnapshotExpired,
        Self::FilesRemoved,
        Self::ResultExpired,
        Self::ResultNotRemoved,
        Self::ResultHeld,
        Self::NotificationFailed,
        Self::Resealed,
        Self::BackupTaken,
        Self::Restored,
        Self::ReviewChanged,
        Self::ReviewDecided,
        Self::ViolationsChecked,
    ];

    /// The name that is kept and hashed; it never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::ReadResult => "read_result",
            Self::Download => "download",
            Self::Cancel => "cancel",
            Self::Refused => "refused",
            Self::CredentialCreated => "credential_created",
            Self::CredentialDisabled => "credential_disabled",
            Self::ConfigurationChanged => "configuration_changed",
            Self::Ended => "ended",
            Self::EndedFailed => "ended_failed",
            Self::RefreshStarted => "refresh_started",
            Self::RefreshFailed => "refresh_failed",
            Self::SnapshotPublished => "snapshot_published",
            Self::SnapshotExpired => "snapshot_expired",
            Self::FilesRemoved => "files_removed",
            Self::ResultExpired => "result_expired",
            Self::ResultNotRemoved => "result_not_removed",
            Self::ResultHeld => "result_held",
            Self::NotificationFailed => "notification_failed",
            Self::Resealed => "trail_resealed",
            Self::BackupTaken => "backup_taken",
            Self::Restored => "restored",
            Self::ReviewChanged => "review_changed",
            Self::ReviewDecided => "review_decided",
            Self::ViolationsChecked => "violations_checked",
        }
    }

    /// The operation that is kept under this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// The published names.
    pub fn published(self) -> PublishedOperation {
        let (action, name, operation, kind, status) = match self {
            Self::Start => ("REPORT_START_PASSED", "Start Report Passed", "START", "REPORTS", "PASSED"),
            Self::ReadResult => {
                ("REPORT_READ_PASSED", "Read Report Result Passed", "READ", "REPORTS", "PASSED")
            }
            Self::Download => ("REPORT_EXPORT_PASSED", "Export Report Passed", "EXPORT", "REPORTS", "PASSED"),
            Self::Cancel => ("REPORT_CANCEL_PASSED", "Cancel Report Passed", "CANCEL", "REPORTS", "PASSED"),
            Self::Refused => ("REPORT_ACCESS_FAILED", "Access Report Failed", "ACCESS", "REPORTS", "FAILED"),
            Self::CredentialCreated => {
                ("CREDENTIAL_CREATE_PASSED", "Create Credential Passed", "CREATE", "AUTH", "PASSED")
            }
            Self::CredentialDisabled => {
                ("CREDENTIAL_DISABLE_PASSED", "Disable Credential Passed", "DISABLE", "AUTH", "PASSED")
            }
            Self::ConfigurationChanged => (
                "CONFIGURATION_UPDATE_PASSED",
                "Update Configuration Passed",
                "UPDATE",
                "SYSTEM_CONFIG",
                "PASSED",
            ),
            Self::Ended => ("REPORT_RUN_PASSED", "Run Report Passed", "RUN", "REPORTS", "PASSED"),
            Self::EndedFailed => ("REPORT_RUN_FAILED", "Run Report Failed", "RUN", "REPORTS", "FAILED"),
            Self::RefreshStarted => (
                "IDENTITY_REFRESH_STARTED",
                "Refresh Identity Started",
                "REFRESH",
                "IDENTITY_MANAGEMENT",
                "STARTED",
            ),
            Self::RefreshFailed => (
                "IDENTITY_REFRESH_FAILED",
                "Refresh Identity Failed",
                "REFRESH",
                "IDENTITY_MANAGEMENT",
                "FAILED",
            ),
            Self::SnapshotPublished => (
                "SNAPSHOT_PUBLISH_PASSED",
                "Publish Snapshot Passed",
                "PUBLISH",
                "IDENTITY_MANAGEMENT",
                "PASSED",
            ),
            Self::SnapshotExpired => (
                "SNAPSHOT_EXPIRE_PASSED",
                "Expire Snapshot Passed",
                "EXPIRE",
                "IDENTITY_MANAGEMENT",
                "PASSED",
            ),
            Self::FilesRemoved => {
                ("FILE_REMOVE_PASSED", "Remove File Passed", "REMOVE", "SYSTEM_CONFIG", "PASSED")
            }
            Self::ResultExpired => {
                ("REPORT_EXPIRE_PASSED", "Expire Report Passed", "EXPIRE", "REPORTS", "PASSED")
            }
            Self::ResultNotRemoved => {
                ("REPORT_EXPIRE_FAILED", "Expire Report Failed", "EXPIRE", "REPORTS", "FAILED")
            }
            Self::ResultHeld => ("REPORT_HOLD_PASSED", "Hold Report Passed", "HOLD", "REPORTS", "PASSED"),
            Self::NotificationFailed => {
                ("NOTIFICATION_SEND_FAILED", "Send Notification Failed", "SEND", "SYSTEM_CONFIG", "FAILED")
            }
            Self::Resealed => (
                "AUDIT_TRAIL_RESEAL_PASSED",
                "Reseal Audit Trail Passed",
                "RESEAL",
                "SYSTEM_CONFIG",
                "PASSED",
            ),
            Self::BackupTaken => {
                ("BACKUP_CREATE_PASSED", "Create Backup Passed", "CREATE", "SYSTEM_CONFIG", "PASSED")
            }
            Self::Restored => {
                ("BACKUP_RESTORE_PASSED", "Restore Backup Passed", "RESTORE", "SYSTEM_CONFIG", "PASSED")
            }
            Self::ReviewChanged => (
                "CERTIFICATION_CAMPAIGN_UPDATE_PASSED",
                "Update Certification Campaign Passed",
                "UPDATE",
                "CERTIFICATION",
                "PASSED",
            ),
            Self::ReviewDecided => (
                "CERTIFICATION_DECIDE_PASSED",
                "Decide Certification Passed",
                "DECIDE",
                "CERTIFICATION",
                "PASSED",
            ),
            Self::ViolationsChecked => {
                ("SOD_VIOLATION_CHECK_PASSED", "Check SOD Violation Passed", "CHECK", "SOD_POLICY", "PASSED")
            }
        };
        PublishedOperation { action, name, operation, kind, status }
    }
}
