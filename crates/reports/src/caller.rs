//! Who calls, and the one table of who may do what.

mod auditor;
mod data_scope;

pub use auditor::{AuditorLimits, Period};
pub use data_scope::DataScope;

use crate::error::{Error, Result, shown};
use crate::ids::{ClientId, TenantId};
use crate::trace::Trace;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::str::FromStr;

/// Two kinds of credential (docs/contract.md, access tokens).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    /// A personal access token of a user: has user levels, may cancel.
    User,
    /// An application client: has no user, may not cancel.
    Application,
}

/// User levels (docs/contract.md, routes and rights).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserLevel {
    /// Administrator of the organisation.
    OrgAdmin,
    /// Certification administrator.
    CertAdmin,
    /// Report administrator.
    ReportAdmin,
    /// Role administrator.
    RoleAdmin,
    /// Role sub-administrator.
    RoleSubadmin,
    /// Source administrator.
    SourceAdmin,
    /// Source sub-administrator.
    SourceSubadmin,
    /// Help desk: may read results and the list of tasks, not start.
    Helpdesk,
    /// Any other user: may read, not start.
    User,
    /// Reads named reports of a period, until a time ([`AuditorLimits`]). Not a published level.
    Auditor,
}

impl UserLevel {
    /// All levels.
    pub const ALL: [Self; 10] = [
        Self::OrgAdmin,
        Self::CertAdmin,
        Self::ReportAdmin,
        Self::RoleAdmin,
        Self::RoleSubadmin,
        Self::SourceAdmin,
        Self::SourceSubadmin,
        Self::Helpdesk,
        Self::User,
        Self::Auditor,
    ];

    /// The published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrgAdmin => "ORG_ADMIN",
            Self::CertAdmin => "CERT_ADMIN",
            Self::ReportAdmin => "REPORT_ADMIN",
            Self::RoleAdmin => "ROLE_ADMIN",
            Self::RoleSubadmin => "ROLE_SUBADMIN",
            Self::SourceAdmin => "SOURCE_ADMIN",
            Self::SourceSubadmin => "SOURCE_SUBADMIN",
            Self::Helpdesk => "HELPDESK",
            Self::User => "USER",
            Self::Auditor => "AUDITOR",
        }
    }
}

impl FromStr for UserLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or_else(|| {
            format!(
                "user level is {}: expected one of {}",
                shown(text),
                Self::ALL.map(Self::as_str).join(", ")
            )
        })
    }
}

/// A right as tokens carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Everything.
    #[serde(rename = "sp:scopes:all")]
    All,
    /// Start, cancel, and all of `Read`.
    #[serde(rename = "sp:report:manage")]
    ReportManage,
    /// Results and files.
    #[serde(rename = "sp:report:read")]
    ReportRead,
    /// Searches.
    #[serde(rename = "sp:search:read")]
    SearchRead,
    /// End tasks, and all of `TaskManagementRead`.
    #[serde(rename = "idn:task-management:write")]
    TaskManagementWrite,
    /// The list of tasks.
    #[serde(rename = "idn:task-management:read")]
    TaskManagementRead,
    /// Keep, change, execute and remove saved searches.
    #[serde(rename = "sp:saved-search:manage")]
    SavedSearchManage,
    /// Saved searches.
    #[serde(rename = "sp:saved-search:read")]
    SavedSearchRead,
    /// Scheduled searches: read, make, change and remove them.
    #[serde(rename = "sp:scheduled-search:manage")]
    ScheduledSearchManage,
    /// The history of identities; published clients ask for either scope.
    #[serde(rename = "idn:identity-history:manage")]
    IdentityHistoryManage,
    /// The history of identities.
    #[serde(rename = "idn:identity-history:read")]
    IdentityHistoryRead,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 11] = [
        Self::All,
        Self::ReportManage,
        Self::ReportRead,
        Self::SearchRead,
        Self::TaskManagementWrite,
        Self::TaskManagementRead,
        Self::SavedSearchManage,
        Self::SavedSearchRead,
        Self::ScheduledSearchManage,
        Self::IdentityHistoryManage,
        Self::IdentityHistoryRead,
    ];

    /// The published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "sp:scopes:all",
            Self::ReportManage => "sp:report:manage",
            Self::ReportRead => "sp:report:read",
            Self::SearchRead => "sp:search:read",
            Self::TaskManagementWrite => "idn:task-management:write",
            Self::TaskManagementRead => "idn:task-management:read",
            Self::SavedSearchManage => "sp:saved-search:manage",
            Self::SavedSearchRead => "sp:saved-search:read",
            Self::ScheduledSearchManage => "sp:scheduled-search:manage",
            Self::IdentityHistoryManage => "idn:identity-history:manage",
            Self::IdentityHistoryRead => "idn:identity-history:read",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            format!("scope is {}: expected one of {}", shown(text), Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// The owner of a personal access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserIdentity {
    /// `identity_id` of the token.
    pub id: String,
    /// `user_name` of the token.
    pub name: String,
    /// What this user may do beyond reading.
    pub levels: Vec<UserLevel>,
    /// What an auditor may see, and until when. It follows the other members, so that a store finds a user's name in the
    /// text of a caller as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<Box<AuditorLimits>>,
}

impl UserIdentity {
    /// Whether the limits of an auditor hold, whatever other levels the user has.
    pub fn is_auditor(&self) -> bool {
        self.audit.is_some() || self.levels.contains(&UserLevel::Auditor)
    }

    /// Whether all that this user may start reports with is a level over sources.
    pub fn is_source_administrator(&self) -> bool {
        let mut starting = self.levels.iter().filter(|level| STARTERS.contains(level)).peekable();
        starting.peek().is_some() && starting.all(|level| SOURCE_LEVELS.contains(level))
    }
}

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The tenant the credential belongs to; nothing of another tenant is visible.
    pub tenant: TenantId,
    /// The credential.
    pub client: ClientId,
    /// The user, for a personal access token; `None` for an application client.
    pub user: Option<UserIdentity>,
    /// What the token grants.
    pub scopes: Vec<Scope>,
    /// The rows that the credential grants; what counts is [`Caller::scope`].
    pub data_scope: DataScope,
    /// The trace of the request; `None` for a credential, and for what was kept before traces were. It is kept here so
    /// that it is kept, and covered by the audit trail's hashes, wherever the caller is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

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
struct Rule {
    scopes: &'static [Scope],
    /// Levels of which a user needs one; empty: any user.
    levels: &'static [UserLevel],
    applications: bool,
    /// Whether auditors may, within their limits. Levels say nothing of them.
    auditors: bool,
}

/// Levels that see rows of their sources only, unless the user has one of the other starting levels too.
const SOURCE_LEVELS: [UserLevel; 2] = [UserLevel::SourceAdmin, UserLevel::SourceSubadmin];

const STARTERS: &[UserLevel] = &[
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

/// Levels of which a user needs one to create, export, import and close access reviews.
const REVIEW_ADMINISTRATORS: &[UserLevel] = &[UserLevel::OrgAdmin, UserLevel::CertAdmin];

/// Levels of which a user needs one to list what an identity has now: those of the published document.
const ACCESS_LISTERS: &[UserLevel] = &[UserLevel::OrgAdmin, UserLevel::Helpdesk, UserLevel::ReportAdmin];

impl Operation {
    /// All operations.
    pub const ALL: [Self; 27] = [
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

    fn rule(self) -> Rule {
        const MANAGE: &[Scope] = &[Scope::All, Scope::ReportManage];
        const READ: &[Scope] = &[Scope::All, Scope::ReportManage, Scope::ReportRead];
        const SEARCH: &[Scope] = &[Scope::All, Scope::SearchRead];
        const WRITE_TASKS: &[Scope] = &[Scope::All, Scope::TaskManagementWrite];
        const READ_TASKS: &[Scope] = &[Scope::All, Scope::TaskManagementRead, Scope::TaskManagementWrite];
        const MANAGE_SAVED: &[Scope] = &[Scope::All, Scope::SavedSearchManage];
        const READ_SAVED: &[Scope] = &[Scope::All, Scope::SavedSearchRead];
        const SCHEDULED: &[Scope] = &[Scope::All, Scope::ScheduledSearchManage];
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

impl Caller {
    /// Which kind of credential this is.
    pub fn kind(&self) -> CallerKind {
        match self.user {
            Some(_) => CallerKind::User,
            None => CallerKind::Application,
        }
    }

    /// The name tasks carry as `launcher`.
    pub fn launcher(&self) -> &str {
        self.user.as_ref().map_or(self.client.as_str(), |user| &user.name)
    }

    /// Whether this caller administers the whole tenant: a user with the level `ORG_ADMIN` who may see all rows.
    pub fn administers(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.levels.contains(&UserLevel::OrgAdmin))
            && self.scope() == DataScope::Everything
    }

    /// Whether this user administers access reviews, whatever rows they may see.
    pub fn administers_reviews(&self) -> bool {
        let levels = self.user.iter().flat_map(|user| &user.levels);
        levels.into_iter().any(|level| REVIEW_ADMINISTRATORS.contains(level))
    }

    /// [`Caller::scope`], where it has rows.
    ///
    /// # Errors
    /// `Forbidden` where the caller may see rows of named sources only, and the credential names none.
    pub fn scope_with_rows(&self) -> Result<DataScope> {
        match self.scope() {
            DataScope::Sources(sources) if sources.is_empty() => Err(Error::forbidden(
                "the caller may see rows of named sources only, and its credential names none",
            )),
            scope @ (DataScope::Everything | DataScope::Sources(_)) => Ok(scope),
        }
    }

    /// The rows this caller may see: those of the credential's sources; for a source administrator whose
    /// credential names no sources, none.
    pub fn scope(&self) -> DataScope {
        match (&self.data_scope, &self.user) {
            (DataScope::Everything, Some(user)) if user.is_source_administrator() => {
                DataScope::Sources(BTreeSet::new())
            }
            (scope, _) => scope.clone(),
        }
    }

    /// The limits of an auditor.
    pub fn auditor(&self) -> Option<&AuditorLimits> {
        self.user.as_ref().and_then(|user| user.audit.as_deref())
    }

    /// Whether this caller may do `operation`; whether it may still act at all is the question of
    /// [`Caller::check_end`].
    ///
    /// # Errors
    /// `Forbidden`, saying what is missing.
    pub fn authorise(&self, operation: Operation) -> Result<()> {
        let rule = operation.rule();
        if !self.scopes.iter().any(|scope| rule.scopes.contains(scope)) {
            let names: Vec<_> = rule.scopes.iter().skip(1).map(|s| s.as_str()).collect();
            return Err(Error::forbidden(format!("the token lacks the scope {}", names.join(" or "))));
        }
        match &self.user {
            None if !rule.applications => Err(Error::forbidden(
                "an application token may not do this: expected a personal access token",
            )),
            Some(user) if user.is_auditor() => match &user.audit {
                Some(_) if rule.auditors => Ok(()),
                Some(_) => Err(Error::forbidden(
                    "an auditor may not do this: expected reading, downloading or starting a named report",
                )),
                None => Err(Error::forbidden(
                    "the level AUDITOR needs a period, reports and an end: expected a client of this service that \
                     has them",
                )),
            },
            Some(user) if !rule.levels.is_empty() && !user.levels.iter().any(|l| rule.levels.contains(l)) => {
                let names: Vec<_> = rule.levels.iter().map(|l| l.as_str()).collect();
                Err(Error::forbidden(format!("the user has none of the levels {}", names.join(", "))))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether this caller may still act: an auditor's access ends.
    ///
    /// # Errors
    /// `Forbidden`, saying when it has ended.
    pub fn check_end(&self, now: DateTime<Utc>) -> Result<()> {
        match self.auditor() {
            Some(limits) if limits.have_ended(now) => Err(Error::forbidden(format!(
                "the auditor's access has ended at {}: expected an earlier time",
                limits.ends.to_rfc3339()
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
