//! Definitions of custom reports that are kept.

use crate::audit::AuditEvent;
use crate::definition::ReportDefinition;
use crate::definition_fault::DefinitionFault;
use crate::error::Result;
use crate::ids::{ReportId, TenantId};
use crate::kept_definition::{Addition, KeptDefinition};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// Keeps definitions of custom reports.
#[async_trait]
pub trait DefinitionStore: Send + Sync {
    /// Adds a version to a report of the event's tenant, by [`KeptDefinition::added_to`]. If that changes anything, the
    /// event is recorded in the same transaction. `Invalid` when the tenant has too many versions.
    async fn add_definition(&self, kept: &KeptDefinition, event: &AuditEvent) -> Result<Addition>;

    /// The newest version of each report that is not removed, by id.
    async fn definitions(&self, tenant: &TenantId) -> Result<Vec<KeptDefinition>>;

    /// Every version of a report, the newest first, also if it is removed.
    async fn definition_versions(&self, tenant: &TenantId, id: &ReportId) -> Result<Vec<KeptDefinition>>;

    /// Removes a report of the event's tenant: its versions stay, and none runs. Returns whether it was there; then the
    /// event is recorded in the same transaction.
    async fn remove_definition(&self, id: &ReportId, at: DateTime<Utc>, event: &AuditEvent) -> Result<bool>;
}

/// Checks definitions, and takes what a [`DefinitionStore`] keeps into the reports of this process.
#[async_trait]
pub trait CustomReports: Send + Sync {
    /// The definition of a text, if it is one, and everything that is wrong with it. Its queries are planned over empty
    /// tables.
    async fn check(&self, text: &str) -> Result<(Option<ReportDefinition>, Vec<DefinitionFault>)>;

    /// Takes what is kept now.
    async fn reload(&self) -> Result<()>;
}
