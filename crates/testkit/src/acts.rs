//! Actions on a store for tests that are not about the audit trail. Each action records an event of its own.

use chrono::{DateTime, Utc};
use muster_reports::audit::{AuditEvent, AuditOperation};
use muster_reports::error::Result;
use muster_reports::ids::{SnapshotId, TaskId, TenantId};
use muster_reports::ports::{
    Cancelled, Credential, Credentials, ManualLink, RegisteredSource, Registry, SnapshotCatalogue, TaskStore,
};
use muster_reports::retention::RetentionPolicy;
use muster_reports::snapshot::SnapshotManifest;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::build;

/// An event of a tenant. Its id is unique in this process.
pub fn event(operation: AuditOperation, tenant: &TenantId, at: DateTime<Utc>) -> AuditEvent {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    let mut event = build::audit_event(&format!("act-{number}"), at);
    event.operation = operation;
    event.caller.tenant = tenant.clone();
    // Events of the service that concern no task have an empty id.
    event.task = TaskId::new("");
    event
}

/// The event of a cancel of a task.
pub fn cancel_event(tenant: &TenantId, task: &TaskId, at: DateTime<Utc>) -> AuditEvent {
    AuditEvent { task: task.clone(), ..event(AuditOperation::Cancel, tenant, at) }
}

fn configuration(tenant: &TenantId) -> AuditEvent {
    event(AuditOperation::ConfigurationChanged, tenant, build::start_of_time())
}

/// Cancels a task.
///
/// # Errors
/// Those of the store.
pub async fn cancel<S: TaskStore + ?Sized>(
    store: &S,
    tenant: &TenantId,
    task: &TaskId,
    now: DateTime<Utc>,
) -> Result<Cancelled> {
    store.cancel(&cancel_event(tenant, task, now), None).await
}

/// Publishes a snapshot at the time in its manifest.
///
/// # Errors
/// Those of the store.
pub async fn publish<S: SnapshotCatalogue + ?Sized>(
    store: &S,
    tenant: &TenantId,
    manifest: &SnapshotManifest,
) -> Result<()> {
    store.publish(&event(AuditOperation::SnapshotPublished, tenant, manifest.created), manifest).await
}

/// Lets snapshots expire.
///
/// # Errors
/// Those of the store.
pub async fn expire<S: SnapshotCatalogue + ?Sized>(
    store: &S,
    tenant: &TenantId,
    policy: RetentionPolicy,
    now: DateTime<Utc>,
) -> Result<Vec<SnapshotId>> {
    store.expire(&event(AuditOperation::SnapshotExpired, tenant, now), policy).await
}

/// Keeps a credential.
///
/// # Errors
/// Those of the store.
pub async fn create<S: Credentials + ?Sized>(store: &S, credential: &Credential) -> Result<()> {
    let tenant = &credential.caller.tenant;
    store.create(credential, &event(AuditOperation::CredentialCreated, tenant, credential.created)).await
}

/// Registers sources.
///
/// # Errors
/// Those of the store.
pub async fn put_sources<S: Registry + ?Sized>(
    store: &S,
    tenant: &TenantId,
    sources: &[RegisteredSource],
) -> Result<()> {
    store.put_sources(sources, &configuration(tenant)).await
}

/// Keeps manual links.
///
/// # Errors
/// Those of the store.
pub async fn put_links<S: Registry + ?Sized>(
    store: &S,
    tenant: &TenantId,
    links: &[ManualLink],
) -> Result<()> {
    store.put_links(links, &configuration(tenant)).await
}
