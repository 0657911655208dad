//! Which rows a caller may see.

use crate::error::{Error, Result};
use crate::ids::SourceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The rows a caller may see. Part of the de-duplication key and of the cover.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataScope {
    /// All rows of the tenant.
    #[default]
    Everything,
    /// Only rows of these sources: their accounts, and the identities that have such an account. None of
    /// them: no row.
    Sources(BTreeSet<SourceId>),
}

impl DataScope {
    /// Most sources of a scope. A scope is part of a token.
    pub const SOURCES_MAX: usize = 200;

    /// The scope of these sources; order and repetition say nothing.
    ///
    /// # Errors
    /// `Invalid` when there are too many, or one is not a short text of letters, digits, `-` and `_`.
    pub fn of_sources<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut sources = BTreeSet::new();
        for id in ids {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
                return Err(Error::invalid(format!("source id is {id:?}: expected 32 hex digits")));
            }
            sources.insert(SourceId::new(id));
            if sources.len() > Self::SOURCES_MAX {
                return Err(Error::invalid(format!(
                    "a data scope has more than {} sources: expected at most that many",
                    Self::SOURCES_MAX
                )));
            }
        }
        Ok(Self::Sources(sources))
    }

    /// Whether rows of this source are in it.
    pub fn has_source(&self, source: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Sources(sources) => sources.iter().any(|id| id.as_str() == source),
        }
    }

    /// Whether every row of `other` is in it.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) => true,
            (Self::Sources(_), Self::Everything) => false,
            (Self::Sources(mine), Self::Sources(theirs)) => theirs.is_subset(mine),
        }
    }
}

impl fmt::Display for DataScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Sources(sources) => {
                f.write_str("sources")?;
                sources.iter().try_for_each(|id| write!(f, " {id}"))
            }
        }
    }
}
