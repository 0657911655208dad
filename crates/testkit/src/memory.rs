//! The fake of every store port, in memory: small and plain, so that it can be read as the rule.
//!
//! One lock around everything stands in for transactions. It passes the same contract suites as
//! the stores that are shipped, and random command sequences are compared with it.

mod tasks;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::{AuditHead, AuditOperation, AuditRecord, ChainedEvent};
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ClientId, SnapshotId, TaskId, TenantId, WorkerId};
use muster_reports::ports::{
    AuditEvent, AuditTrail, Backlog, Credential, Credentials, ManualLink, ParkedEvent, RegisteredSource,
    Registry, RelayLog, SnapshotCatalogue,
};
use muster_reports::retention::{AsOf, CataloguedSnapshot, Pin, RetentionFacts, RetentionPolicy};
use muster_reports::snapshot::SnapshotManifest;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, watch};

#[derive(Debug, Default)]
struct State {
    /// In the order they were accepted.
    tasks: Vec<tasks::Entry>,
    /// In the order they were published.
    snapshots: Vec<(TenantId, CataloguedSnapshot)>,
    credentials: BTreeMap<ClientId, Credential>,
    audit: Vec<(AuditRecord, AuditEvent)>,
    sources: Vec<(TenantId, RegisteredSource)>,
    links: Vec<(TenantId, ManualLink)>,
    /// The relay that leads, and until when.
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
        self.audit.push((AuditRecord::behind(&head, event, caller), event.clone()));
        Ok(())
    }

    /// Records the end of a task that has just ended.
    pub(super) fn append_ending(&mut self, ending: Option<AuditEvent>) -> Result<()> {
        ending.map_or(Ok(()), |event| self.append(&event))
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
    /// Holds a permit whenever a task may have become due since the last claim.
    work: Notify,
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
    async fn publish(&self, tenant: &TenantId, manifest: &SnapshotManifest) -> Result<()> {
        let mut state = self.state();
        if state.find_snapshot(tenant, &manifest.id).is_some() {
            return Err(Error::invalid(format!("snapshot {:?} is published already", manifest.id.as_str())));
        }
        let snapshot = CataloguedSnapshot { manifest: Arc::new(manifest.clone()), pin: None, expired: None };
        state.snapshots.push((tenant.clone(), snapshot));
        Ok(())
    }

    async fn publish_recorded(&self, event: &AuditEvent, manifest: &SnapshotManifest) -> Result<()> {
        self.accepts_audit()?;
        self.state().knows_not(event)?;
        self.publish(&event.caller.tenant, manifest).await?;
        self.state().append(event)
    }

    async fn newest(&self, tenant: &TenantId) -> Result<Option<Arc<SnapshotManifest>>> {
        let newest = self.catalogued(tenant, 1).await?.pop();
        Ok(newest.map(|snapshot| snapshot.manifest))
    }

    async fn snapshot(&self, tenant: &TenantId, id: &SnapshotId) -> Result<Option<Arc<SnapshotManifest>>> {
        Ok(self.state().find_snapshot(tenant, id).map(|snapshot| snapshot.manifest.clone()))
    }

    async fn as_of(&self, tenant: &TenantId, as_of: &AsOf) -> Result<Option<CataloguedSnapshot>> {
        let all = self.catalogued(tenant, u32::MAX).await?;
        Ok(all.into_iter().find(|snapshot| match as_of {
            AsOf::Snapshot(id) => snapshot.manifest.id == *id,
            AsOf::Moment(moment) => snapshot.manifest.created <= *moment,
        }))
    }

    async fn catalogued(&self, tenant: &TenantId, limit: u32) -> Result<Vec<CataloguedSnapshot>> {
        let state = self.state();
        let own = state.snapshots.iter().rev().filter(|(t, _)| t == tenant);
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

    async fn expire(
        &self,
        tenant: &TenantId,
        policy: RetentionPolicy,
        now: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<Vec<SnapshotId>> {
        let mut state = self.state();
        let own = state.snapshots.iter().rev().filter(|(t, s)| t == tenant && s.expired.is_none());
        let facts: Vec<_> = own
            .map(|(_, snapshot)| RetentionFacts {
                id: snapshot.manifest.id.clone(),
                created: snapshot.manifest.created,
                pinned: snapshot.pin.is_some(),
                needed: state.is_read(tenant, &snapshot.manifest.id),
            })
            .collect();
        let expiring = policy.expiring(&facts, now);
        for id in expiring.iter().filter(|_| !dry_run) {
            if let Some(snapshot) = state.find_snapshot(tenant, id) {
                snapshot.expired = Some(now);
            }
        }
        Ok(expiring)
    }

    async fn expire_recorded(&self, event: &AuditEvent, policy: RetentionPolicy) -> Result<Vec<SnapshotId>> {
        self.accepts_audit()?;
        self.state().knows_not(event)?;
        let expired = self.expire(&event.caller.tenant, policy, event.at, false).await?;
        if !expired.is_empty() {
            let ids: Vec<_> = expired.iter().map(SnapshotId::as_str).collect();
            self.state().append(&AuditEvent { details: ids.join(" "), ..event.clone() })?;
        }
        Ok(expired)
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
    fn find_snapshot(&mut self, tenant: &TenantId, id: &SnapshotId) -> Option<&mut CataloguedSnapshot> {
        self.snapshots.iter_mut().find(|(t, s)| t == tenant && s.manifest.id == *id).map(|(_, s)| s)
    }

    /// Whether a live task reads the snapshot.
    fn is_read(&self, tenant: &TenantId, id: &SnapshotId) -> bool {
        self.tasks.iter().any(|entry| {
            entry.task.state.is_live() && entry.task.tenant == *tenant && entry.task.snapshot == *id
        })
    }
}

#[async_trait]
impl Credentials for MemoryStore {
    async fn create(&self, credential: &Credential) -> Result<()> {
        let mut state = self.state();
        let client = credential.caller.client.clone();
        if state.credentials.contains_key(&client) {
            return Err(Error::invalid(format!("client id {:?} is taken", client.as_str())));
        }
        state.credentials.insert(client, credential.clone());
        Ok(())
    }

    async fn credential(&self, client: &ClientId) -> Result<Option<Credential>> {
        Ok(self.state().credentials.get(client).cloned())
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
        Err(Error::unavailable(format!("event {sequence} is missing")))
    }

    async fn can_go_on(&self, _: &TenantId) -> Result<()> {
        self.accepts_audit()
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
    async fn put_source(&self, tenant: &TenantId, source: &RegisteredSource) -> Result<()> {
        let mut state = self.state();
        if state.sources.iter().any(|(t, s)| t == tenant && s.name == source.name && s.id != source.id) {
            return Err(Error::invalid(format!("another source is named {:?}", source.name)));
        }
        state.sources.retain(|(t, s)| t != tenant || s.id != source.id);
        state.sources.push((tenant.clone(), source.clone()));
        Ok(())
    }

    async fn sources(&self, tenant: &TenantId) -> Result<Vec<RegisteredSource>> {
        let state = self.state();
        let mut sources: Vec<_> =
            state.sources.iter().filter(|(t, _)| t == tenant).map(|(_, s)| s.clone()).collect();
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sources)
    }

    async fn put_links(&self, tenant: &TenantId, links: &[ManualLink]) -> Result<()> {
        let mut state = self.state();
        for link in links {
            state.links.retain(|(t, l)| {
                t != tenant || l.source != link.source || l.native_identity != link.native_identity
            });
            state.links.push((tenant.clone(), link.clone()));
        }
        Ok(())
    }

    async fn links(&self, tenant: &TenantId) -> Result<Vec<ManualLink>> {
        let state = self.state();
        let mut links: Vec<_> =
            state.links.iter().filter(|(t, _)| t == tenant).map(|(_, l)| l.clone()).collect();
        links.sort_by(|a, b| (&a.source, &a.native_identity).cmp(&(&b.source, &b.native_identity)));
        Ok(links)
    }
}
