//! Who calls, and the one table of who may do what.

use crate::error::{Error, Result};
use crate::ids::{ClientId, TenantId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Two kinds of credential (`contract.md`, token endpoint).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    /// A personal access token of a user: has user levels, may cancel.
    User,
    /// An application client: has no user, may not cancel.
    Application,
}

/// User levels that may start reports (`contract.md`, routes).
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
    /// Any other user: may read, not start.
    User,
}

impl UserLevel {
    /// All levels.
    pub const ALL: [Self; 8] = [
        Self::OrgAdmin,
        Self::CertAdmin,
        Self::ReportAdmin,
        Self::RoleAdmin,
        Self::RoleSubadmin,
        Self::SourceAdmin,
        Self::SourceSubadmin,
        Self::User,
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
            Self::User => "USER",
        }
    }
}

impl FromStr for UserLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or_else(|| {
            format!("user level is {text:?}: expected one of {}", Self::ALL.map(Self::as_str).join(", "))
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
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::All, Self::ReportManage, Self::ReportRead];

    /// The published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "sp:scopes:all",
            Self::ReportManage => "sp:report:manage",
            Self::ReportRead => "sp:report:read",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            format!("scope is {text:?}: expected one of {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// The rows a caller may see. Part of the de-duplication key and of the cover.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataScope {
    /// All rows of the tenant.
    #[default]
    Everything,
}

impl fmt::Display for DataScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
        }
    }
}

/// The person behind a personal access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserIdentity {
    /// `identity_id` of the token.
    pub id: String,
    /// `user_name` of the token.
    pub name: String,
    /// What this user may do beyond reading.
    pub levels: Vec<UserLevel>,
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
    /// The rows this caller may see.
    pub data_scope: DataScope,
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
}

/// What an operation asks of a caller.
struct Rule {
    scopes: &'static [Scope],
    /// Levels of which a user needs one; empty: any user.
    levels: &'static [UserLevel],
    applications: bool,
}

const STARTERS: &[UserLevel] = &[
    UserLevel::OrgAdmin,
    UserLevel::CertAdmin,
    UserLevel::ReportAdmin,
    UserLevel::RoleAdmin,
    UserLevel::RoleSubadmin,
    UserLevel::SourceAdmin,
    UserLevel::SourceSubadmin,
];

impl Operation {
    /// All operations.
    pub const ALL: [Self; 4] = [Self::Start, Self::ReadResult, Self::Download, Self::Cancel];

    fn rule(self) -> Rule {
        const MANAGE: &[Scope] = &[Scope::All, Scope::ReportManage];
        const READ: &[Scope] = &[Scope::All, Scope::ReportManage, Scope::ReportRead];
        match self {
            Self::Start => Rule { scopes: MANAGE, levels: STARTERS, applications: true },
            Self::ReadResult | Self::Download => Rule { scopes: READ, levels: &[], applications: true },
            Self::Cancel => Rule { scopes: MANAGE, levels: &[], applications: false },
        }
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

    /// Whether this caller may do `operation`.
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
            Some(user) if !rule.levels.is_empty() && !user.levels.iter().any(|l| rule.levels.contains(l)) => {
                let names: Vec<_> = rule.levels.iter().map(|l| l.as_str()).collect();
                Err(Error::forbidden(format!("the user has none of the levels {}", names.join(", "))))
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(scope: Scope, levels: Option<&[UserLevel]>) -> Caller {
        Caller {
            tenant: TenantId::new("t"),
            client: ClientId::new("c"),
            user: levels.map(|l| UserIdentity { id: "i".into(), name: "n".into(), levels: l.to_vec() }),
            scopes: vec![scope],
            data_scope: DataScope::Everything,
        }
    }

    /// The whole matrix, as `contract.md` has it.
    #[test]
    fn rights_are_the_published_ones() {
        for operation in Operation::ALL {
            for scope in Scope::ALL {
                let scope_fits = match operation {
                    Operation::ReadResult | Operation::Download => true,
                    Operation::Start | Operation::Cancel => scope != Scope::ReportRead,
                };
                assert_eq!(
                    caller(scope, None).authorise(operation).is_ok(),
                    scope_fits && operation != Operation::Cancel,
                    "application {scope:?} {operation:?}"
                );
                for level in UserLevel::ALL {
                    let level_fits = operation != Operation::Start || level != UserLevel::User;
                    assert_eq!(
                        caller(scope, Some(&[level])).authorise(operation).is_ok(),
                        scope_fits && level_fits,
                        "{level:?} {scope:?} {operation:?}"
                    );
                }
            }
        }
    }
}
