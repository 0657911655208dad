//! Saved searches, in memory.

use super::MemoryStore;
use async_trait::async_trait;
use muster_reports::audit::AuditEvent;
use muster_reports::error::{Error, Result};
use muster_reports::ids::{SavedSearchId, TenantId};
use muster_reports::ports::SavedSearchStore;
use muster_reports::saved_search::{SAVED_SEARCHES_MAX, SavedSearch, SavedSearchPage, SavedSearchQuery};

/// All saved searches.
pub(super) type SavedSearches = Vec<(TenantId, SavedSearch)>;

#[async_trait]
impl SavedSearchStore for MemoryStore {
    async fn add_saved_search(&self, search: &SavedSearch, event: &AuditEvent) -> Result<()> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        if state.saved_searches.iter().filter(|(own, _)| own == tenant).count() >= SAVED_SEARCHES_MAX {
            return Err(Error::invalid(format!("there are {SAVED_SEARCHES_MAX} saved searches already")));
        }
        state.saved_searches.push((tenant.clone(), search.clone()));
        state.append(event)
    }

    async fn saved_search(&self, tenant: &TenantId, id: &SavedSearchId) -> Result<Option<SavedSearch>> {
        let state = self.state();
        let found = state.saved_searches.iter().find(|(own, search)| own == tenant && search.id == *id);
        Ok(found.map(|(_, search)| search.clone()))
    }

    async fn saved_searches(&self, tenant: &TenantId, wanted: &SavedSearchQuery) -> Result<SavedSearchPage> {
        let state = self.state();
        let own = state.saved_searches.iter().filter(|(own, search)| {
            own == tenant && wanted.owner.as_ref().is_none_or(|owner| *owner == search.owner)
        });
        let mut own: Vec<_> = own.map(|(_, search)| search.clone()).collect();
        own.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        let total = wanted.counted.then_some(own.len() as u64);
        let page = own.into_iter().skip(wanted.offset as usize).take(wanted.limit as usize);
        Ok(SavedSearchPage { searches: page.collect(), total })
    }

    async fn replace_saved_search(&self, search: &SavedSearch, event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        let mut all = state.saved_searches.iter_mut();
        let Some((_, kept)) = all.find(|(own, kept)| own == tenant && kept.id == search.id) else {
            return Ok(false);
        };
        (kept.content, kept.modified) = (search.content.clone(), search.modified);
        state.append(event)?;
        Ok(true)
    }

    async fn remove_saved_search(&self, id: &SavedSearchId, event: &AuditEvent) -> Result<bool> {
        self.accepts_audit()?;
        let mut state = self.state();
        state.knows_not(event)?;
        let tenant = &event.caller.tenant;
        let before = state.saved_searches.len();
        state.saved_searches.retain(|(own, search)| own != tenant || search.id != *id);
        if state.saved_searches.len() == before {
            return Ok(false);
        }
        state.append(event)?;
        Ok(true)
    }
}
