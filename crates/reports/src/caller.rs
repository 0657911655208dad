//! Who calls, and the one table of who may do what.

mod auditor;
mod data_scope;
mod operation;
mod rights;

pub use auditor::{AuditorLimits, Period};
pub use data_scope::DataScope;
pub use operation::Operation;
pub use rights::{Scope, UserLevel};

use crate::error::{Error, Result};
use crate::ids::{ClientId, TenantId};
use crate::trace::Trace;
use chrono::{DateTime, Utc};
use operation::{REVIEW_ADMINISTRATORS, SOURCE_LEVELS, STARTERS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Two kinds of credential (docs/contract.md, access tokens).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    /// A personal access token of a user: has user levels, may cancel.
    User,
    /// An application client: has no user, may not cancel.
    Application,
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
