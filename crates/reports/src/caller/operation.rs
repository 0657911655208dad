//! What can be asked of the service, and what each operation asks of a caller.

use super::rights::{Scope, UserLevel};

/// What can be asked of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// start-report.
    Start,
    /// get-report-result, and the cover.
    ReadResult,
    /// get-report.
    Download,
    /// cancel-report.
    Cancel,
    /// search, and the document of an id.
    Search,
    /// The number of documents that a search finds.
    CountSearch,
    /// The list of tasks, and one of it.
    ReadTasks,
    /// Ending a task through the list of tasks.
    UpdateTask,
    /// The history of identities.
    ReadHistory,
    /// What an identity has, as the newest snapshot shows it.
    ListAccess,
    /// The list of schedules, one of it, and the list of notifications.
    ReadSchedules,
    /// Making, pausing, running and removing schedules, and sending notifications again.
    ManageSchedules,
    /// Aggregations over what a search finds.
    AggregateSearch,
    /// The list of saved searches, and one of it.
    ReadSavedSearches,
    /// Keeping, changing and removing saved searches.
    ManageSavedSearches,
    /// Executing a saved search.
    ExecuteSavedSearch,
    /// The list of scheduled searches, and one of it; unsubscribing from one.
    ReadScheduledSearches,
    /// Making, changing and removing scheduled searches.
    ManageScheduledSearches,
    /// The list of policies for separation of duties, and one of it.
    ReadSodPolicies,
    /// Keeping, changing and removing policies for separation of duties.
    ManageSodPolicies,
    /// The state of a report of violations of policies, and its file.
    ReadSodViolations,
    /// Running a report of violations of policies.
    RunSodViolations,
    /// Checking, adding and removing definitions of reports.
    ManageDefinitions,
    /// Who the caller is.
    ReadCaller,
    /// Why an account belongs to its identity.
    ExplainLink,
    /// What differs between two snapshots.
    CompareSnapshots,
    /// Keeping a snapshot from expiring, and letting it expire again.
    PinSnapshot,
    /// Clients, the audit trail, and how the installation is.
    ReadAdministration,
    /// Creating, exporting, importing and closing access reviews.
    ManageReviews,
    /// The list of access reviews, one of it, and its items.
    ReadReviews,
    /// Deciding items of an access review.
    DecideReviews,
}

/// What an operation asks of a caller.
pub(super) struct Rule {
    pub(super) scopes: &'static [Scope],
    /// Levels of which a user needs one; empty: any user.
    pub(super) levels: &'static [UserLevel],
    pub(super) applications: bool,
    /// Whether auditors may, within their limits. Levels say nothing of them.
    pub(super) auditors: bool,
}

/// Levels that see rows of their sources only, unless the user has one of the other starting levels too.
pub(super) const SOURCE_LEVELS: [UserLevel; 2] = [UserLevel::SourceAdmin, UserLevel::SourceSubadmin];

pub(super) const STARTERS: &[UserLevel] = &[
    UserLevel::OrgAdmin,
    UserLevel::CertAdmin,
    UserLevel::ReportAdmin,
    UserLevel::RoleAdmin,
    UserLevel::RoleSubadmin,
    UserLevel::SourceAdmin,
    UserLevel::SourceSubadmin,
];

/// Levels of which a user needs one to see the list of tasks, and the history of identities.
const TASK_READERS: &[UserLevel] = &[
    UserLevel::OrgAdmin,
    UserLevel::Helpdesk,
    UserLevel::CertAdmin,
    UserLevel::ReportAdmin,
    UserLevel::RoleAdmin,
    UserLevel::RoleSubadmin,
    UserLevel::SourceAdmin,
    UserLevel::SourceSubadmin,
];

/// Levels of which a user needs one to change what reports there are.
const REPORT_ADMINISTRATORS: &[UserLevel] = &[UserLevel::OrgAdmin, UserLevel::ReportAdmin];

/// Levels of which a user needs one to keep policies for separation of duties: those of the published document.
const POLICY_ADMINISTRATORS: &[UserLevel] = &[UserLevel::OrgAdmin, UserLevel::SodPolicyAdmin];

/// Levels of which a user needs one to run a report of violations, and to get its file.
const VIOLATION_READERS: &[UserLevel] = &[
    UserLevel::OrgAdmin,
    UserLevel::CertAdmin,
    UserLevel::ReportAdmin,
    UserLevel::RoleAdmin,
    UserLevel::RoleSubadmin,
    UserLevel::SourceAdmin,
    UserLevel::SourceSubadmin,
    UserLevel::SodPolicyAdmin,
];

/// Levels of which a user needs one to create, export, import and close access reviews.
pub(super) const REVIEW_ADMINISTRATORS: &[UserLevel] = &[UserLevel::OrgAdmin, UserLevel::CertAdmin];

/// Levels of which a user needs one to list what an identity has now: those of the published document.
const ACCESS_LISTERS: &[UserLevel] = &[UserLevel::OrgAdmin, UserLevel::Helpdesk, UserLevel::ReportAdmin];

impl Operation {
    /// All operations.
    pub const ALL: [Self; 31] = [
        Self::Start,
        Self::ReadResult,
        Self::Download,
        Self::Cancel,
        Self::Search,
        Self::CountSearch,
        Self::ReadTasks,
        Self::UpdateTask,
        Self::ReadHistory,
        Self::ListAccess,
        Self::ReadSchedules,
        Self::ManageSchedules,
        Self::AggregateSearch,
        Self::ReadSavedSearches,
        Self::ManageSavedSearches,
        Self::ExecuteSavedSearch,
        Self::ReadScheduledSearches,
        Self::ManageScheduledSearches,
        Self::ReadSodPolicies,
        Self::ManageSodPolicies,
        Self::ReadSodViolations,
        Self::RunSodViolations,
        Self::ManageDefinitions,
        Self::ReadCaller,
        Self::ExplainLink,
        Self::CompareSnapshots,
        Self::PinSnapshot,
        Self::ReadAdministration,
        Self::ManageReviews,
        Self::ReadReviews,
        Self::DecideReviews,
    ];

    /// Its name in the audit trail.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::ReadResult => "read_result",
            Self::Download => "download",
            Self::Cancel => "cancel",
            Self::Search => "search",
            Self::CountSearch => "count_search",
            Self::ReadTasks => "read_tasks",
            Self::UpdateTask => "update_task",
            Self::ReadHistory => "read_history",
            Self::ListAccess => "list_access",
            Self::ReadSchedules => "read_schedules",
            Self::ManageSchedules => "manage_schedules",
            Self::AggregateSearch => "aggregate_search",
            Self::ReadSavedSearches => "read_saved_searches",
            Self::ManageSavedSearches => "manage_saved_searches",
            Self::ExecuteSavedSearch => "execute_saved_search",
            Self::ReadScheduledSearches => "read_scheduled_searches",
            Self::ManageScheduledSearches => "manage_scheduled_searches",
            Self::ReadSodPolicies => "read_sod_policies",
            Self::ManageSodPolicies => "manage_sod_policies",
            Self::ReadSodViolations => "read_sod_violations",
            Self::RunSodViolations => "run_sod_violations",
            Self::ManageDefinitions => "manage_definitions",
            Self::ReadCaller => "read_caller",
            Self::ExplainLink => "explain_link",
            Self::CompareSnapshots => "compare_snapshots",
            Self::PinSnapshot => "pin_snapshot",
            Self::ReadAdministration => "read_administration",
            Self::ManageReviews => "manage_reviews",
            Self::ReadReviews => "read_reviews",
            Self::DecideReviews => "decide_reviews",
        }
    }

    pub(super) fn rule(self) -> Rule {
        const MANAGE: &[Scope] = &[Scope::All, Scope::ReportManage];
        const READ: &[Scope] = &[Scope::All, Scope::ReportManage, Scope::ReportRead];
        const SEARCH: &[Scope] = &[Scope::All, Scope::SearchRead];
        const WRITE_TASKS: &[Scope] = &[Scope::All, Scope::TaskManagementWrite];
        const READ_TASKS: &[Scope] = &[Scope::All, Scope::TaskManagementRead, Scope::TaskManagementWrite];
        const MANAGE_SAVED: &[Scope] = &[Scope::All, Scope::SavedSearchManage];
        const READ_SAVED: &[Scope] = &[Scope::All, Scope::SavedSearchRead];
        const SCHEDULED: &[Scope] = &[Scope::All, Scope::ScheduledSearchManage];
        const MANAGE_POLICIES: &[Scope] = &[Scope::All, Scope::SodPolicyManage];
        const READ_POLICIES: &[Scope] = &[Scope::All, Scope::SodPolicyRead, Scope::SodPolicyManage];
        const RUN_VIOLATIONS: &[Scope] = &[Scope::All, Scope::SodViolationManage];
        const READ_VIOLATIONS: &[Scope] = &[Scope::All, Scope::SodViolationRead, Scope::SodViolationManage];
        const HISTORY: &[Scope] = &[Scope::All, Scope::IdentityHistoryRead, Scope::IdentityHistoryManage];
        match self {
            Self::Start => Rule { auditors: true, ..Rule::of(MANAGE, STARTERS) },
            Self::ManageSchedules => Rule::of(MANAGE, STARTERS),
            Self::ReadResult | Self::Download => Rule { auditors: true, ..Rule::of(READ, &[]) },
            Self::ReadSchedules => Rule::of(READ, &[]),
            Self::Cancel => Rule::of_users(MANAGE, &[]),
            // The published document names no levels for aggregations. They show values of documents, as a search does.
            Self::Search | Self::AggregateSearch => Rule::of(SEARCH, STARTERS),
            Self::CountSearch => Rule::of(SEARCH, &[]),
            Self::ReadTasks => Rule::of(READ_TASKS, TASK_READERS),
            Self::ReadHistory => Rule::of(HISTORY, TASK_READERS),
            Self::ListAccess => Rule::of(HISTORY, ACCESS_LISTERS),
            Self::UpdateTask => Rule::of_users(WRITE_TASKS, STARTERS),
            Self::ReadSavedSearches => Rule::of_users(READ_SAVED, &[]),
            Self::ManageSavedSearches => Rule::of_users(MANAGE_SAVED, &[]),
            // Whoever executes a search sees its documents, so the levels are those of a search.
            Self::ExecuteSavedSearch => Rule::of_users(MANAGE_SAVED, STARTERS),
            Self::ReadScheduledSearches => Rule::of_users(SCHEDULED, &[]),
            Self::ManageScheduledSearches => Rule::of_users(SCHEDULED, STARTERS),
            Self::ReadSodPolicies => Rule::of_users(READ_POLICIES, POLICY_ADMINISTRATORS),
            Self::ManageSodPolicies => Rule::of_users(MANAGE_POLICIES, POLICY_ADMINISTRATORS),
            // The published document names no levels. The reports show entitlements of people, as other reports do.
            Self::ReadSodViolations => Rule::of(READ_VIOLATIONS, VIOLATION_READERS),
            Self::RunSodViolations => Rule::of(RUN_VIOLATIONS, VIOLATION_READERS),
            Self::ReadCaller => Rule { auditors: true, ..Rule::of(&Scope::ALL, &[]) },
            // It shows values of accounts and identities, as a search does.
            Self::ExplainLink => Rule::of(SEARCH, STARTERS),
            Self::CompareSnapshots => Rule::of(HISTORY, TASK_READERS),
            Self::PinSnapshot | Self::ReadAdministration => {
                Rule::of_users(&[Scope::All], &[UserLevel::OrgAdmin])
            }
            Self::ManageReviews => Rule::of_users(MANAGE, REVIEW_ADMINISTRATORS),
            // Reviewers are users of any level, who see and decide their own items only.
            Self::ReadReviews => Rule::of_users(READ, &[]),
            Self::DecideReviews => Rule::of_users(MANAGE, &[]),
            // What a definition says, everybody who starts the report believes.
            Self::ManageDefinitions => Rule::of_users(MANAGE, REPORT_ADMINISTRATORS),
        }
    }
}

impl Rule {
    fn of(scopes: &'static [Scope], levels: &'static [UserLevel]) -> Self {
        Self { scopes, levels, applications: true, auditors: false }
    }

    fn of_users(scopes: &'static [Scope], levels: &'static [UserLevel]) -> Self {
        Self { applications: false, ..Self::of(scopes, levels) }
    }
}
