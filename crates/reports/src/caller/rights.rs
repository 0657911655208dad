//! What a credential grants: user levels and scopes.

use crate::error::shown;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

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
    /// Administrator of policies for separation of duties: keeps them, and runs reports of their violations.
    SodPolicyAdmin,
    /// Reads named reports of a period, until a time ([`AuditorLimits`]). Not a published level.
    Auditor,
}

impl UserLevel {
    /// All levels.
    pub const ALL: [Self; 11] = [
        Self::OrgAdmin,
        Self::CertAdmin,
        Self::ReportAdmin,
        Self::RoleAdmin,
        Self::RoleSubadmin,
        Self::SourceAdmin,
        Self::SourceSubadmin,
        Self::Helpdesk,
        Self::User,
        Self::SodPolicyAdmin,
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
            Self::SodPolicyAdmin => "SOD_POLICY_ADMIN",
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
    /// Keep, change and remove policies for separation of duties, and all of `SodPolicyRead`.
    #[serde(rename = "idn:sod-policy:manage")]
    SodPolicyManage,
    /// Policies for separation of duties.
    #[serde(rename = "idn:sod-policy:read")]
    SodPolicyRead,
    /// Run reports of violations of policies, and all of `SodViolationRead`.
    #[serde(rename = "idn:sod-violation:manage")]
    SodViolationManage,
    /// Reports of violations of policies.
    #[serde(rename = "idn:sod-violation:read")]
    SodViolationRead,
    /// The history of identities; published clients ask for either scope.
    #[serde(rename = "idn:identity-history:manage")]
    IdentityHistoryManage,
    /// The history of identities.
    #[serde(rename = "idn:identity-history:read")]
    IdentityHistoryRead,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 15] = [
        Self::All,
        Self::ReportManage,
        Self::ReportRead,
        Self::SearchRead,
        Self::TaskManagementWrite,
        Self::TaskManagementRead,
        Self::SavedSearchManage,
        Self::SavedSearchRead,
        Self::ScheduledSearchManage,
        Self::SodPolicyManage,
        Self::SodPolicyRead,
        Self::SodViolationManage,
        Self::SodViolationRead,
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
            Self::SodPolicyManage => "idn:sod-policy:manage",
            Self::SodPolicyRead => "idn:sod-policy:read",
            Self::SodViolationManage => "idn:sod-violation:manage",
            Self::SodViolationRead => "idn:sod-violation:read",
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
