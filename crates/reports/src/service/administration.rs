//! The use cases of people who look after an installation, and of those who ask why an account is whose it is.
//!
//! All of them show more than rows of some sources: a caller who sees some only is refused.

use super::Reports;
use crate::audit::{AuditOperation, ChainedEvent};
use crate::caller::{Caller, Operation};
use crate::error::{Category, Error, Result, shown};
use crate::ids::{SnapshotId, TaskId};
use crate::inspection::{CorrelationExplanation, CountedDifference, RefusedRecord, ServiceFacts};
use crate::nearest;
use crate::ports::{Credential, Credentials, InstallationFacts, SnapshotInspector};
use crate::retention::{AsOf, CataloguedSnapshot, Pin};
use std::sync::Arc;

/// Most events of a page of the audit trail.
pub const AUDIT_PAGE_MAX: u32 = 250;
/// Most refused records of an answer.
pub const REFUSED_PAGE_MAX: u32 = 1_000;
/// Longest reason of a pin, in bytes.
const REASON_MAX: usize = 500;

/// The use cases of administration.
pub struct Administration {
    /// The use cases of reports, with the ports that both have.
    pub reports: Arc<Reports>,
    /// Looks into snapshots.
    pub inspector: Arc<dyn SnapshotInspector>,
    /// Credentials of the token endpoint.
    pub credentials: Arc<dyn Credentials>,
    /// Looks at the installation.
    pub installation: Arc<dyn InstallationFacts>,
}

/// A page of the audit trail, and its state.
pub struct SeenTrail {
    /// The events, the last first.
    pub events: Vec<ChainedEvent>,
    /// The number of the last event; 0 before the first.
    pub last: u64,
    /// Why no further event can be recorded; `None` where the trail holds at its end.
    pub broken: Option<String>,
    /// How many events wait to be passed on.
    pub backlog: u64,
}

impl Administration {
    async fn snapshot(&self, caller: &Caller, as_of: &AsOf) -> Result<CataloguedSnapshot> {
        let found = self.reports.snapshots.as_of(&caller.tenant, as_of).await?;
        found.ok_or_else(|| Error::not_found(format!("there is no snapshot {}", shown(&as_of.to_string()))))
    }

    /// Why an account belongs to its identity, or to none, as the newest snapshot or that of `as_of` has it. The source is
    /// named by its id or its name.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a snapshot, a source or an account that is not there, or where the snapshot has expired.
    pub async fn explain_link(
        &self,
        caller: &Caller,
        source: &str,
        native_identity: &str,
        as_of: Option<&AsOf>,
    ) -> Result<CorrelationExplanation> {
        self.reports.authorise_all_rows(caller, Operation::ExplainLink)?;
        let snapshot = match as_of {
            Some(as_of) => self.snapshot(caller, as_of).await?.readable()?,
            None => self.reports.snapshots.newest(&caller.tenant).await?.ok_or_else(|| {
                Error::not_found(
                    "there is no snapshot yet: an administrator has to add sources and to refresh first",
                )
            })?,
        };
        let found = nearest::source(source, &snapshot.sources, |run| (run.id.as_str(), &run.name));
        let source = found.map_err(Error::not_found)?.id.clone();
        let explained = self.inspector.explain(snapshot, source.as_str(), native_identity).await;
        explained.map_err(|error| {
            let is_absent = error.category == Category::Invalid;
            Error { category: if is_absent { Category::NotFound } else { error.category }, ..error }
        })
    }

    /// The first records of a source, by line, that its last read refused, and how many it refused. The source is named by
    /// its id or its name; a source out of the caller's data scope does not exist for him.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a source that is not there, as before the first snapshot.
    pub async fn refused_records(
        &self,
        caller: &Caller,
        source: &str,
        limit: u32,
    ) -> Result<(u64, Vec<RefusedRecord>)> {
        caller.authorise(Operation::Search)?;
        let scope = caller.scope_with_rows()?;
        let newest = self.reports.snapshots.newest(&caller.tenant).await?;
        let all = newest.iter().flat_map(|snapshot| &snapshot.sources);
        let seen: Vec<_> = all.filter(|source| scope.has_source(source.id.as_str())).collect();
        let found = nearest::source(source, &seen, |run| (run.id.as_str(), &run.name));
        let (id, refused) = found.map(|run| (run.id.clone(), run.rejected)).map_err(Error::not_found)?;
        // Without a snapshot, no source was found.
        let Some(snapshot) = newest else { return Ok((0, Vec::new())) };
        let records = self.inspector.refused(snapshot, &id, limit.min(REFUSED_PAGE_MAX)).await?;
        Ok((refused, records))
    }

    /// What differs from one snapshot to another, counted; each is named by its id, a date or a time.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for a snapshot that is not there or has expired.
    pub async fn compare_snapshots(
        &self,
        caller: &Caller,
        old: &AsOf,
        new: &AsOf,
    ) -> Result<(SnapshotId, SnapshotId, Vec<CountedDifference>)> {
        self.reports.authorise_all_rows(caller, Operation::CompareSnapshots)?;
        let old = self.snapshot(caller, old).await?.readable()?;
        let new = self.snapshot(caller, new).await?.readable()?;
        let ids = (old.id.clone(), new.id.clone());
        let differences = self.inspector.differences(old, new).await?;
        Ok((ids.0, ids.1, differences))
    }

    /// Keeps a snapshot from expiring, for a reason; without one, lets it expire again. The event is recorded first: an
    /// action without an event is worse than an event without an action.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` for a blank or a long reason; `NotFound` for an unknown snapshot, and for one that has expired.
    pub async fn pin_snapshot(
        &self,
        caller: &Caller,
        id: &SnapshotId,
        reason: Option<&str>,
    ) -> Result<CataloguedSnapshot> {
        self.reports.authorise_all_rows(caller, Operation::PinSnapshot)?;
        let as_of = AsOf::Snapshot(id.clone());
        let found = self.snapshot(caller, &as_of).await?;
        if reason.is_some() {
            found.readable()?;
        }
        let pin = match reason.map(str::trim) {
            None => None,
            Some(reason) if reason.is_empty() || reason.len() > REASON_MAX => {
                return Err(Error::invalid(format!(
                    "reason has {} bytes: expected 1 to {REASON_MAX}",
                    reason.len()
                )));
            }
            Some(reason) => Some(Pin {
                by: caller.launcher().to_owned(),
                reason: reason.to_owned(),
                at: self.reports.clock.now(),
            }),
        };
        let details = pin.as_ref().map_or_else(
            || "snapshot no longer pinned".to_owned(),
            |pin| format!("snapshot pinned by {}: {}", pin.by, pin.reason),
        );
        let none = TaskId::new("");
        let event =
            self.reports.event(caller, AuditOperation::ConfigurationChanged, &none, id.as_str(), details);
        self.reports.audit.record(&event).await?;
        self.reports.snapshots.pin(&caller.tenant, id, pin.as_ref()).await?;
        self.snapshot(caller, &as_of).await
    }

    /// Every client, the oldest first.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn clients(&self, caller: &Caller) -> Result<Vec<Credential>> {
        self.reports.authorise_all_rows(caller, Operation::ReadAdministration)?;
        self.credentials.credentials(&caller.tenant).await
    }

    /// How the installation is.
    ///
    /// # Errors
    /// `Forbidden`; those of the port.
    pub async fn facts(&self, caller: &Caller) -> Result<ServiceFacts> {
        self.reports.authorise_all_rows(caller, Operation::ReadAdministration)?;
        self.installation.facts().await
    }

    /// At most `limit` events before the number `before`, or the last ones, of all or about one task, and the state of the
    /// trail.
    ///
    /// # Errors
    /// `Forbidden`; those of the store.
    pub async fn trail(
        &self,
        caller: &Caller,
        task: Option<&TaskId>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<SeenTrail> {
        self.reports.authorise_all_rows(caller, Operation::ReadAdministration)?;
        let (audit, tenant) = (&self.reports.audit, &caller.tenant);
        let last = audit.last_sequence(tenant).await?;
        let end = before.map_or(last, |before| before.saturating_sub(1).min(last));
        let limit = limit.min(AUDIT_PAGE_MAX);
        let events = match task {
            Some(task) => audit.events_of(tenant, task, end.saturating_add(1), limit).await?,
            None => {
                let mut events = audit.events(tenant, end.saturating_sub(limit.into()), limit).await?;
                // Somebody may have removed events from the database: the page then has later ones too.
                events.retain(|event| event.sequence <= end);
                events.reverse();
                events
            }
        };
        let broken = match audit.can_go_on(tenant).await {
            Ok(()) => None,
            Err(error) if error.category == Category::Broken => Some(error.message),
            Err(error) => return Err(error),
        };
        Ok(SeenTrail { events, last, broken, backlog: audit.backlog(tenant).await? })
    }
}
