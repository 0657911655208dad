//! The fake of every store port, in memory. It is small and plain, so it can be read as the specification.
//!
//! One lock around everything replaces transactions. The fake passes the same contract suites as the stores of the
//! service, and random sequences of commands compare them with it.

mod definitions;
mod notifications;
mod refreshes;
mod results;
mod reviews;
mod saved_searches;
mod schedules;
mod sod_policies;
mod tasks;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::{AuditEvent, AuditHead, AuditOperation, AuditRecord, ChainedEvent};
use muster_reports::caller::Period;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ClientId, SnapshotId, SourceId, TaskId, TenantId, WorkerId};
use muster_reports::notification::NotificationClaim;
use muster_reports::ports::{
    AuditTrail, Backlog, Credential, Credentials, ManualLink, ParkedEvent, RegisteredSource, Registry,
    RelayLog, SnapshotCatalogue,
};
use muster_reports::retention::{AsOf, CataloguedSnapshot, Pin, RetentionFacts, RetentionPolicy};
use muster_reports::snapshot::SnapshotManifest;
use muster_reports::task::Task;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, watch};

#[derive(Debug, Default)]
struct State {
    /// In the order of acceptance.
    tasks: Vec<tasks::Entry>,
    lives: results::Lives,
    schedules: schedules::Schedules,
    saved_searches: saved_searches::SavedSearches,
    reviews: reviews::Reviews,
    sod: sod_policies::SodPolicies,
    /// In the order in which they were added.
    definitions: definitions::Definitions,
    /// In the order in which they were kept, each with the epoch of its last claim.
    notifications: Vec<NotificationClaim>,
    /// In the order of their begins.
    refreshes: Vec<refreshes::Kept>,
    /// In the order of publication.
    snapshots: Vec<(TenantId, CataloguedSnapshot)>,
    credentials: BTreeMap<ClientId, Credential>,
    audit: Vec<(AuditRecord, AuditEvent)>,
    sources: Vec<(TenantId, RegisteredSource)>,
    links: Vec<(TenantId, ManualLink)>,
    /// The leading relay, and the end of its lease.
    leader: Option<(WorkerId, DateTime<Utc>)>,
    relayed: BTreeMap<TenantId, (u64, Vec<ParkedEvent>)>,
}

impl State {
    fn knows_not(&self, event: &AuditEvent) -> Result<()> {
        if self.audit.iter().any(|(_, known)| known.id == event.id) {
            return Err(Error::invalid(format!("audit event {:?} is recorded already", event.id)));
        }
        Ok(())
    }

    fn append(&mut self, event: &AuditEvent) -> Result<()> {
        self.knows_not(event)?;
        let tenant = &event.caller.tenant;
        let last = self.audit.iter().rfind(|(known, _)| known.tenant == tenant.as_str());
        let head = last.map_or_else(AuditHead::empty, |(last, _)| AuditHead {
            sequence: last.sequence,
            hash: last.hash.clone(),
        });
        let caller = serde_json::to_string(&event.caller)
            .map_err(|error| Error::internal("the caller could not be written as JSON", error))?;
        self.audit.push((AuditRecord::after(&head, event, caller), event.clone()));
        Ok(())
    }

    /// Keeps the notifications of a task that may have just ended, and records its end.
    pub(super) fn append_ending(&mut self, tenant: &TenantId, task: &TaskId) -> Result<()> {
        let found = self.tasks.iter().find(|e| e.task.tenant == *tenant && e.task.id == *task);
        let Some(ending) = found.and_then(|entry| entry.task.ending()) else { return Ok(()) };
        self.notify_of_task(tenant, task);
        self.append(&ending)
    }

    fn backlogs(&self) -> Vec<Backlog> {
        let mut backlogs = BTreeMap::new();
        for (record, event) in &self.audit {
            backlogs.insert(event.caller.tenant.clone(), record.sequence);
        }
        let of = |(tenant, recorded): (TenantId, u64)| {
            let relayed = self.relayed.get(&tenant).map_or(0, |(through, _)| *through);
            Backlog { tenant, relayed, recorded }
        };
        backlogs.into_iter().map(of).filter(|backlog| backlog.recorded > backlog.relayed).collect()
    }
}

/// All store ports, in memory.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    attempts_max: u32,
    refuses_audit: AtomicBool,
    /// Has a permit if a task may have become due since the last claim.
    work: Notify,
    short_work: Notify,
    /// Changes with every cancel.
    cancels: watch::Sender<u64>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(3)
    }
}

impl MemoryStore {
    /// An empty store whose tasks get this many attempts.
    pub fn new(attempts_max: u32) -> Self {
        Self {
            state: Mutex::default(),
            attempts_max,
            refuses_audit: AtomicBool::new(false),
            work: Notify::new(),
            short_work: Notify::new(),
            cancels: watch::Sender::new(0),
        }
    }

    /// Makes the audit trail fail from now on, or work again.
    pub fn refuse_audit(&self, refuse: bool) {
        self.refuses_audit.store(refuse, Ordering::SeqCst);
    }

    /// Every audit event so far, in order.
    pub fn audit_events(&self) -> Vec<AuditEvent> {
        self.state().audit.iter().map(|(_, event)| event.clone()).collect()
    }

    /// The audit events of one operation so far, in order.
    pub fn recorded(&self, operation: AuditOperation) -> Vec<AuditEvent> {
        self.audit_events().into_iter().filter(|event| event.operation == operation).collect()
    }

    /// Adds a snapshot without an event, as if it had been published: for setting up a test.
    ///
    /// # Panics
    /// When the tenant has a snapshot with this id.
    pub fn put_snapshot(&self, tenant: &TenantId, manifest: &SnapshotManifest) {
        self.state().put_snapshot(tenant, manifest).expect("the id is free");
    }

    /// Adds a credential without an event: for setting up a test.
    ///
    /// # Panics
    /// When the client id is taken.
    pub fn put_credential(&self, credential: &Credential) {
        self.state().put_credential(credential).expect("the client id is free");
    }

    fn accepts_audit(&self) -> Result<()> {
        if self.refuses_audit.load(Ordering::SeqCst) {
            return Err(Error::internal("the audit event could not be recorded", "told to refuse"));
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the state panics")
    }
}

#[async_trait]
impl SnapshotCatalogue for MemoryStore {
    async fn publish(&self, event: &AuditEvent, manifest: &SnapshotManifest) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        state.put_snapshot(&event.caller.tenant, manifest)?;
        state.refresh_published(event, manifest);
        state.append(event)
    }

    async fn newest(&self, tenant: &TenantId) -> Result<Option<Arc<SnapshotManifest>>> {
        let newest = self.catalogued(tenant, None, 1).await?.pop();
        Ok(newest.map(|snapshot| snapshot.manifest))
    }

    async fn as_of(&self, tenant: &TenantId, as_of: &AsOf) -> Result<Option<CataloguedSnapshot>> {
        let all = self.catalogued(tenant, None, u32::MAX).await?;
        Ok(all.into_iter().find(|snapshot| match as_of {
            AsOf::Snapshot(id) => snapshot.manifest.id == *id,
            AsOf::Moment(moment) => snapshot.manifest.created <= *moment,
        }))
    }

    async fn catalogued(
        &self,
        tenant: &TenantId,
        period: Option<Period>,
        limit: u32,
    ) -> Result<Vec<CataloguedSnapshot>> {
        let state = self.state();
        let is_wanted =
            |snapshot: &CataloguedSnapshot| period.is_none_or(|period| period.has(snapshot.manifest.created));
        let own = state.snapshots.iter().rev().filter(|(t, snapshot)| t == tenant && is_wanted(snapshot));
        Ok(own.take(limit as usize).map(|(_, snapshot)| snapshot.clone()).collect())
    }

    async fn pin(&self, tenant: &TenantId, id: &SnapshotId, pin: Option<&Pin>) -> Result<()> {
        let mut state = self.state();
        let unknown = || Error::not_found(format!("there is no snapshot {:?}", id.as_str()));
        let snapshot = state.find_snapshot(tenant, id).ok_or_else(unknown)?;
        if pin.is_some() {
            snapshot.readable()?;
        }
        snapshot.pin = pin.cloned();
        Ok(())
    }

    async fn expiring(
        &self,
        tenant: &TenantId,
        policy: RetentionPolicy,
        now: DateTime<Utc>,
    ) -> Result<Vec<SnapshotId>> {
        Ok(self.state().expiring(tenant, policy, now))
    }

    async fn expire(&self, event: &AuditEvent, policy: RetentionPolicy) -> Result<Vec<SnapshotId>> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        let expired = state.expiring(tenant, policy, event.at);
        for id in &expired {
            if let Some(snapshot) = state.find_snapshot(tenant, id) {
                snapshot.expired = Some(event.at);
            }
        }
        if !expired.is_empty() {
            let ids: Vec<_> = expired.iter().map(SnapshotId::as_str).collect();
            state.append(&AuditEvent { details: ids.join(" "), ..event.clone() })?;
        }
        Ok(expired)
    }

    async fn kept_of(&self, tenant: &TenantId, limit: u32) -> Result<Vec<Arc<SnapshotManifest>>> {
        let state = self.state();
        let own =
            state.snapshots.iter().rev().filter(|(of, snapshot)| of == tenant && snapshot.expired.is_none());
        Ok(own.take(limit as usize).map(|(_, snapshot)| Arc::clone(&snapshot.manifest)).collect())
    }

    async fn kept(&self) -> Result<Vec<SnapshotManifest>> {
        let state = self.state();
        let kept = state.snapshots.iter().filter(|(_, snapshot)| snapshot.expired.is_none());
        Ok(kept.map(|(_, snapshot)| SnapshotManifest::clone(&snapshot.manifest)).collect())
    }

    async fn expired_count(&self, tenant: &TenantId) -> Result<usize> {
        let state = self.state();
        let expired =
            state.snapshots.iter().filter(|(of, snapshot)| of == tenant && snapshot.expired.is_some());
        Ok(expired.count())
    }
}

impl State {
    fn put_snapshot(&mut self, tenant: &TenantId, manifest: &SnapshotManifest) -> Result<()> {
        if self.find_snapshot(tenant, &manifest.id).is_some() {
            return Err(Error::invalid(format!("snapshot {:?} is published already", manifest.id.as_str())));
        }
        let snapshot = CataloguedSnapshot { manifest: Arc::new(manifest.clone()), pin: None, expired: None };
        self.snapshots.push((tenant.clone(), snapshot));
        Ok(())
    }

    fn expiring(&self, tenant: &TenantId, policy: RetentionPolicy, now: DateTime<Utc>) -> Vec<SnapshotId> {
        let own = self.snapshots.iter().rev().filter(|(t, s)| t == tenant && s.expired.is_none());
        let facts: Vec<_> = own
            .map(|(_, snapshot)| RetentionFacts {
                id: snapshot.manifest.id.clone(),
                created: snapshot.manifest.created,
                pinned: snapshot.pin.is_some(),
                needed: self.is_read(tenant, &snapshot.manifest),
            })
            .collect();
        policy.expiring(&facts, now)
    }

    fn put_credential(&mut self, credential: &Credential) -> Result<()> {
        let client = credential.caller.client.clone();
        if self.credentials.contains_key(&client) {
            return Err(Error::invalid(format!("client id {:?} is taken", client.as_str())));
        }
        self.credentials.insert(client, credential.clone());
        Ok(())
    }

    fn find_snapshot(&mut self, tenant: &TenantId, id: &SnapshotId) -> Option<&mut CataloguedSnapshot> {
        self.snapshots.iter_mut().find(|(t, s)| t == tenant && s.manifest.id == *id).map(|(_, s)| s)
    }

    /// Whether an open review is of the snapshot, or a live task reads it, or begins with it or with an earlier one.
    fn is_read(&self, tenant: &TenantId, manifest: &SnapshotManifest) -> bool {
        let live =
            self.tasks.iter().filter(|entry| entry.task.state.is_live() && entry.task.tenant == *tenant);
        let is_begun = |task: &Task| {
            let kept = self.snapshots.iter().filter(|(t, s)| t == tenant && s.expired.is_none());
            let named = kept.filter(|(_, begins)| names(task, &begins.manifest.id));
            named.into_iter().any(|(_, begins)| begins.manifest.created <= manifest.created)
        };
        let is_reviewed = |task: &Task| {
            let canonical = task.arguments.canonical();
            let mut named =
                self.reviews_of(tenant).filter(|review| canonical.contains(&format!("\"{}\"", review.id)));
            named.any(|review| review.frozen_at <= manifest.created)
        };
        self.reviews_of(tenant).any(|review| review.closing.is_none() && review.snapshot == manifest.id)
            || live
                .map(|entry| &entry.task)
                .any(|task| task.snapshot == manifest.id || is_begun(task) || is_reviewed(task))
    }
}

/// Whether the arguments of a task name the snapshot.
fn names(task: &Task, snapshot: &SnapshotId) -> bool {
    task.arguments.canonical().contains(&format!("\"{snapshot}\""))
}

#[async_trait]
impl Credentials for MemoryStore {
    async fn create(&self, credential: &Credential, event: &AuditEvent) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        state.put_credential(credential)?;
        state.append(event)
    }

    async fn credential(&self, client: &ClientId) -> Result<Option<Credential>> {
        Ok(self.state().credentials.get(client).cloned())
    }

    async fn credentials(&self, tenant: &TenantId) -> Result<Vec<Credential>> {
        let state = self.state();
        let own = state.credentials.values().filter(|credential| credential.caller.tenant == *tenant);
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_by_key(|credential| (credential.created, credential.caller.client.clone()));
        Ok(own)
    }

    async fn disable(&self, client: &ClientId, event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let credential = state.credentials.get_mut(client);
        let Some(credential) = credential.filter(|known| known.caller.tenant == event.caller.tenant) else {
            return Ok(false);
        };
        credential.enabled = false;
        state.append(event)?;
        Ok(true)
    }
}

#[async_trait]
impl AuditTrail for MemoryStore {
    async fn record(&self, event: &AuditEvent) -> Result<()> {
        self.accepts_audit()?;
        self.state().append(event)
    }

    async fn holds_from(&self, tenant: &TenantId, sequence: u64) -> Result<()> {
        self.accepts_audit()?;
        let state = self.state();
        let mut records =
            state.audit.iter().map(|(record, _)| record).filter(|record| record.tenant == tenant.as_str());
        if records.any(|record| record.sequence == sequence) {
            return Ok(());
        }
        Err(Error::broken(format!("event {sequence} is missing")))
    }

    async fn can_go_on(&self, _: &TenantId) -> Result<()> {
        self.accepts_audit()
    }

    async fn last_sequence(&self, tenant: &TenantId) -> Result<u64> {
        let state = self.state();
        let own = state.audit.iter().filter(|(record, _)| record.tenant == tenant.as_str());
        Ok(own.map(|(record, _)| record.sequence).max().unwrap_or(0))
    }

    async fn backlog(&self, tenant: &TenantId) -> Result<u64> {
        let backlogs = self.state().backlogs();
        let backlog = backlogs.into_iter().find(|backlog| backlog.tenant == *tenant);
        Ok(backlog.map_or(0, |backlog| backlog.recorded - backlog.relayed))
    }

    async fn events(&self, tenant: &TenantId, after_sequence: u64, limit: u32) -> Result<Vec<ChainedEvent>> {
        let state = self.state();
        let events = state.audit.iter().filter(|(record, _)| record.tenant == tenant.as_str());
        let events = events.filter(|(record, _)| record.sequence > after_sequence).map(|(record, event)| {
            ChainedEvent { sequence: record.sequence, hash: record.hash.clone(), event: event.clone() }
        });
        Ok(events.take(limit as usize).collect())
    }

    async fn events_of(
        &self,
        tenant: &TenantId,
        task: &TaskId,
        before: u64,
        limit: u32,
    ) -> Result<Vec<ChainedEvent>> {
        let all = self.events(tenant, 0, u32::MAX).await?.into_iter().rev();
        let of_task = all.filter(|event| event.event.task == *task && event.sequence < before);
        Ok(of_task.take(limit as usize).collect())
    }

    async fn records_of(
        &self,
        tenant: &TenantId,
        task: &TaskId,
        after_sequence: u64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>> {
        let state = self.state();
        let records = state.audit.iter().map(|(record, _)| record).filter(|record| {
            record.tenant == tenant.as_str()
                && record.task == task.as_str()
                && record.sequence > after_sequence
        });
        Ok(records.take(limit as usize).cloned().collect())
    }
}

#[async_trait]
impl RelayLog for MemoryStore {
    async fn lead(&self, holder: &WorkerId, now: DateTime<Utc>, lease: Duration) -> Result<bool> {
        let mut state = self.state();
        if state.leader.as_ref().is_some_and(|(leader, ends)| leader != holder && *ends > now) {
            return Ok(false);
        }
        state.leader = Some((holder.clone(), now + lease));
        Ok(true)
    }

    async fn step_down(&self, holder: &WorkerId) -> Result<()> {
        self.state().leader.take_if(|(leader, _)| leader == holder);
        Ok(())
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>> {
        Ok(self.state().backlogs())
    }

    async fn mark(
        &self,
        holder: &WorkerId,
        tenant: &TenantId,
        through: u64,
        parked: Vec<ParkedEvent>,
        _now: DateTime<Utc>,
    ) -> Result<bool> {
        let mut state = self.state();
        if state.leader.as_ref().is_none_or(|(leader, _)| leader != holder) {
            return Ok(false);
        }
        let (marked, kept) = state.relayed.entry(tenant.clone()).or_default();
        *marked = through.max(*marked);
        for event in parked {
            if kept.iter().all(|known| known.sequence != event.sequence) {
                kept.push(event);
            }
        }
        kept.sort_by_key(|event| event.sequence);
        Ok(true)
    }

    async fn parked(&self, tenant: &TenantId) -> Result<Vec<ParkedEvent>> {
        Ok(self.state().relayed.get(tenant).map(|(_, parked)| parked.clone()).unwrap_or_default())
    }
}

#[async_trait]
impl Registry for MemoryStore {
    async fn put_sources(&self, sources: &[RegisteredSource], event: &AuditEvent) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        let mut put = state.sources.clone();
        put.retain(|(t, known)| t != tenant || sources.iter().all(|source| source.id != known.id));
        for source in sources {
            if put.iter().any(|(t, known)| t == tenant && known.name == source.name) {
                return Err(Error::invalid(format!("another source is named {:?}", source.name)));
            }
            put.push((tenant.clone(), source.clone()));
        }
        state.sources = put;
        state.append(event)
    }

    async fn sources(&self, tenant: &TenantId) -> Result<Vec<RegisteredSource>> {
        let state = self.state();
        let mut sources: Vec<_> =
            state.sources.iter().filter(|(t, _)| t == tenant).map(|(_, s)| s.clone()).collect();
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sources)
    }

    async fn remove_source(&self, source: &SourceId, links: bool, event: &AuditEvent) -> Result<u64> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        if !state.sources.iter().any(|(t, known)| t == tenant && known.id == *source) {
            return Err(Error::invalid(format!("no source with id {source} is registered")));
        }
        let is_linked = |(t, link): &(TenantId, ManualLink)| t == tenant && link.source == *source;
        let unlinked = state.links.iter().filter(|link| is_linked(link)).count() as u64;
        if unlinked > 0 && !links {
            return Err(Error::invalid(format!("{unlinked} accounts of the source are linked by hand")));
        }
        state.sources.retain(|(t, known)| t != tenant || known.id != *source);
        state.links.retain(|link| !is_linked(link));
        state.append(event)?;
        Ok(unlinked)
    }

    async fn put_links(&self, links: &[ManualLink], event: &AuditEvent) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        for link in links {
            state.links.retain(|(t, l)| {
                t != tenant || l.source != link.source || l.native_identity != link.native_identity
            });
            state.links.push((tenant.clone(), link.clone()));
        }
        state.append(event)
    }

    async fn remove_links(
        &self,
        source: &SourceId,
        native_identities: Option<&[String]>,
        event: &AuditEvent,
    ) -> Result<u64> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        let before = state.links.len();
        state.links.retain(|(t, link)| {
            t != tenant
                || link.source != *source
                || native_identities.is_some_and(|wanted| !wanted.contains(&link.native_identity))
        });
        let removed = (before - state.links.len()) as u64;
        if removed > 0 {
            state.append(event)?;
        }
        Ok(removed)
    }

    async fn links(&self, tenant: &TenantId) -> Result<Vec<ManualLink>> {
        let state = self.state();
        let mut links: Vec<_> =
            state.links.iter().filter(|(t, _)| t == tenant).map(|(_, l)| l.clone()).collect();
        links.sort_by(|a, b| (&a.source, &a.native_identity).cmp(&(&b.source, &b.native_identity)));
        Ok(links)
    }
}
