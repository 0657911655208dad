//! Definitions of custom reports, in memory.

use super::MemoryStore;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{ReportId, TenantId};
use muster_reports::kept_definition::{Addition, DEFINITIONS_MAX, KeptDefinition};
use muster_reports::ports::DefinitionStore;

/// All versions of all reports.
pub(super) type Definitions = Vec<(TenantId, KeptDefinition)>;

/// The versions of a tenant, or of one report of it, the newest first.
fn versions(all: &Definitions, tenant: &TenantId, id: Option<&ReportId>) -> Vec<KeptDefinition> {
    let own = all.iter().filter(|(own, kept)| own == tenant && id.is_none_or(|id| kept.id == *id));
    let mut own: Vec<_> = own.map(|(_, kept)| kept.clone()).collect();
    own.sort_by(|a, b| (&a.id, b.version).cmp(&(&b.id, a.version)));
    own
}

#[async_trait]
impl DefinitionStore for MemoryStore {
    async fn add_definition(&self, kept: &KeptDefinition, event: &AuditEvent) -> Result<Addition> {
        self.accepts_audit()?;
        let mut state = self.state();
        let tenant = &event.caller.tenant;
        let known = versions(&state.definitions, tenant, Some(&kept.id));
        let addition = kept.added_to(known.first())?;
        if addition == Addition::Unchanged {
            return Ok(addition);
        }
        state.knows_not(event)?;
        if addition == Addition::New {
            if versions(&state.definitions, tenant, None).len() >= DEFINITIONS_MAX {
                return Err(Error::invalid(format!("there are {DEFINITIONS_MAX} versions already")));
            }
            state.definitions.push((tenant.clone(), KeptDefinition { removed: None, ..kept.clone() }));
        }
        let own = state.definitions.iter_mut().filter(|(own, known)| own == tenant && known.id == kept.id);
        own.for_each(|(_, known)| known.removed = None);
        state.append(event)?;
        Ok(addition)
    }

    async fn definitions(&self, tenant: &TenantId) -> Result<Vec<KeptDefinition>> {
        let mut newest = versions(&self.state().definitions, tenant, None);
        newest.dedup_by(|later, first| later.id == first.id);
        newest.retain(|kept| kept.removed.is_none());
        Ok(newest)
    }

    async fn definition_versions(&self, tenant: &TenantId, id: &ReportId) -> Result<Vec<KeptDefinition>> {
        Ok(versions(&self.state().definitions, tenant, Some(id)))
    }

    async fn remove_definition(&self, id: &ReportId, at: DateTime<Utc>, event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        let tenant = &event.caller.tenant;
        let is_there = |(own, kept): &(TenantId, KeptDefinition)| {
            own == tenant && kept.id == *id && kept.removed.is_none()
        };
        if !state.definitions.iter().any(is_there) {
            return Ok(false);
        }
        state.knows_not(event)?;
        for (_, kept) in state.definitions.iter_mut().filter(|entry| is_there(entry)) {
            kept.removed = Some(at);
        }
        state.append(event)?;
        Ok(true)
    }
}
