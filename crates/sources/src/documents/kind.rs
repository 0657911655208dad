//! The six kinds of documents and the names that they go by.

use serde::{Deserialize, Serialize};

/// A kind of search document, which is also a search index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentType {
    /// A person with accounts, applications and access.
    Identities,
    /// A bundle of entitlements of one source.
    AccessProfiles,
    /// A change of accounts that was asked for, with its approvals and outcome.
    AccountActivities,
    /// A right on a source.
    Entitlements,
    /// An entry of an audit trail.
    Events,
    /// A bundle of access profiles and entitlements.
    Roles,
}

impl DocumentType {
    /// All of them, in the order in which search takes the indices.
    pub const ALL: [Self; 6] = [
        Self::Identities,
        Self::AccessProfiles,
        Self::AccountActivities,
        Self::Entitlements,
        Self::Events,
        Self::Roles,
    ];

    /// Name of the index, as the API's `indices` and source definitions write it.
    #[must_use]
    pub fn index_name(self) -> &'static str {
        match self {
            Self::Identities => "identities",
            Self::AccessProfiles => "accessprofiles",
            Self::AccountActivities => "accountactivities",
            Self::Entitlements => "entitlements",
            Self::Events => "events",
            Self::Roles => "roles",
        }
    }

    /// Name of the type, as a published document's `_type` writes it.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Identities => "identity",
            Self::AccessProfiles => "accessprofile",
            Self::AccountActivities => "accountactivity",
            Self::Entitlements => "entitlement",
            Self::Events => "event",
            Self::Roles => "role",
        }
    }

    /// The type whose index has this name.
    #[must_use]
    pub fn from_index_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.index_name() == name)
    }

    /// The type of this name.
    #[must_use]
    pub fn from_type_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == name)
    }
}
