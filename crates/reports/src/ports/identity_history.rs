//! The port to the history of identities.

use crate::caller::DataScope;
use crate::error::Result;
use crate::history::{ListedIdentity, PeopleQuery, SnapshotState, Span};
use crate::ids::TenantId;
use async_trait::async_trait;

/// What kept snapshots have of identities, in the part of the tenant's data that a scope shows.
///
/// At most a few requests are answered at a time. One ends when its future is dropped.
#[async_trait]
pub trait IdentityHistory: Send + Sync {
    /// The identities of all kept snapshots, by display name and then by id, as the newest snapshot that shows each has it.
    ///
    /// # Errors
    /// `NotFound` before the first snapshot; `Invalid` where more than [`crate::history::SNAPSHOTS_READ_MAX`] snapshots are
    /// kept; `Unavailable` where too many requests run.
    async fn people(
        &self,
        tenant: &TenantId,
        scope: &DataScope,
        query: &PeopleQuery,
    ) -> Result<Vec<ListedIdentity>>;

    /// What the snapshots of a span have of an identity, the newest first.
    ///
    /// # Errors
    /// As [`IdentityHistory::people`]; `NotFound` too where the span has a time and all kept snapshots are newer.
    async fn states(
        &self,
        tenant: &TenantId,
        scope: &DataScope,
        id: &str,
        span: Span,
    ) -> Result<Vec<SnapshotState>>;
}
