//! Saved searches: keeping them, and executing them.
//!
//! A saved search is its owner's, the identity that made it: as published, nobody else sees it. An administrator of the
//! organisation sees and changes all of the tenant, as with schedules.

use super::{Reports, Schedules, Start};
use crate::arguments::UnknownNames;
use crate::audit::{AuditEvent, AuditOperation};
use crate::caller::{Caller, Operation};
use crate::error::{Error, Result, shown};
use crate::ids::{ReportId, SavedSearchId, ScheduleId, TaskId};
use crate::kind::ReportKind;
use crate::message::{Message, Severity};
use crate::ports::SavedSearchStore;
use crate::saved_search::{SavedSearch, SavedSearchContent, SavedSearchPage, SavedSearchQuery};
use std::sync::Arc;

/// The use cases of saved searches.
pub struct SavedSearches {
    /// Reports: a search that is executed is one.
    pub reports: Arc<Reports>,
    /// Saved searches.
    pub store: Arc<dyn SavedSearchStore>,
    /// Schedules, of which some execute saved searches.
    pub schedules: Arc<Schedules>,
}

/// How a saved search is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Execution {
    /// As this scheduled search executes it, at once.
    Scheduled(ScheduleId),
    /// For these identities, which get the result by mail.
    Test {
        /// The identity whose search it is.
        owner: String,
        /// The identities.
        recipients: Vec<String>,
    },
}

impl SavedSearches {
    /// Keeps a saved search, whose owner is the caller's user.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` for its content, and where there are too many.
    pub async fn create(&self, caller: &Caller, content: SavedSearchContent) -> Result<SavedSearch> {
        caller.authorise(Operation::ManageSavedSearches)?;
        self.check(&content).await?;
        let now = self.reports.clock.now();
        let search = SavedSearch {
            id: SavedSearchId::new(self.reports.ids.fresh()),
            owner: user_id(caller)?.to_owned(),
            content,
            created: now,
            modified: now,
        };
        self.store.add_saved_search(&search, &self.event(caller, &search, "saved search added")).await?;
        Ok(search)
    }

    /// Part of the saved searches that the caller may see.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn list(&self, caller: &Caller, mut wanted: SavedSearchQuery) -> Result<SavedSearchPage> {
        caller.authorise(Operation::ReadSavedSearches)?;
        if !caller.administers() {
            let own = user_id(caller)?;
            if wanted.owner.as_deref().is_some_and(|owner| owner != own) {
                return Ok(SavedSearchPage { searches: Vec::new(), total: wanted.counted.then_some(0) });
            }
            wanted.owner = Some(own.to_owned());
        }
        self.store.saved_searches(&caller.tenant, &wanted).await
    }

    /// One saved search.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn show(&self, caller: &Caller, id: &SavedSearchId) -> Result<SavedSearch> {
        caller.authorise(Operation::ReadSavedSearches)?;
        self.find(caller, id).await
    }

    /// Replaces the content of a saved search. `owner` is what the caller says of its owner, who stays the same.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`; `Invalid` for the content or another owner.
    pub async fn replace(
        &self,
        caller: &Caller,
        id: &SavedSearchId,
        content: SavedSearchContent,
        owner: Option<&str>,
    ) -> Result<SavedSearch> {
        caller.authorise(Operation::ManageSavedSearches)?;
        let before = self.find(caller, id).await?;
        if let Some(other) = owner.filter(|owner| *owner != before.owner) {
            return Err(Error::invalid(format!(
                "owner is {}: expected {}, because the owner of a saved search does not change",
                shown(other),
                shown(&before.owner)
            )));
        }
        self.check(&content).await?;
        let search = SavedSearch { content, modified: self.reports.clock.now(), ..before };
        let event = self.event(caller, &search, "saved search changed");
        match self.store.replace_saved_search(&search, &event).await? {
            true => Ok(search),
            false => Err(absent(id)),
        }
    }

    /// Removes a saved search. Scheduled searches of it stay, and their runs fail.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn remove(&self, caller: &Caller, id: &SavedSearchId) -> Result<()> {
        caller.authorise(Operation::ManageSavedSearches)?;
        let search = self.find(caller, id).await?;
        let event = self.event(caller, &search, "saved search removed");
        match self.store.remove_saved_search(id, &event).await? {
            true => Ok(()),
            false => Err(absent(id)),
        }
    }

    /// Executes a saved search: starts the report that it is, with the caller's rights, or makes a run of a scheduled
    /// search.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for the saved search, the scheduled search, and before the first snapshot; `Invalid` for
    /// another owner, a recipient without an address, and while a run of the scheduled search goes on.
    pub async fn execute(&self, caller: &Caller, id: &SavedSearchId, execution: Execution) -> Result<()> {
        caller.authorise(Operation::ExecuteSavedSearch)?;
        let search = self.find(caller, id).await?;
        let (owner, recipients) = match execution {
            Execution::Scheduled(schedule) => {
                let entry = self.find_scheduled(caller, &schedule).await?;
                if entry.work.search().is_none_or(|scheduled| scheduled.saved_search != *id) {
                    return Err(Error::invalid(format!(
                        "scheduleId is {}: expected a scheduled search of this saved search",
                        shown(schedule.as_str())
                    )));
                }
                return self.schedules.run_entry(caller, &entry).await.map(drop);
            }
            Execution::Test { owner, recipients } => (owner, recipients),
        };
        if owner != search.owner {
            return Err(Error::invalid(format!(
                "owner is {}: expected {}, who owns the saved search",
                shown(&owner),
                shown(&search.owner)
            )));
        }
        let notify = self.reports.recipients(caller, &recipients, true, false).await?;
        let note = Message { severity: Severity::Info, key: "saved_search".into(), text: search.note() };
        let how = Start { note: Some(note), notify: &notify, ..Start::of(Operation::ExecuteSavedSearch) };
        let arguments = search.content.export()?;
        self.reports.start(caller, &search_export(), &arguments, how).await.map(drop)
    }

    /// A saved search that the caller may see.
    pub(super) async fn find(&self, caller: &Caller, id: &SavedSearchId) -> Result<SavedSearch> {
        let found = self.store.saved_search(&caller.tenant, id).await?;
        let is_visible = |search: &SavedSearch| {
            caller.administers() || caller.user.as_ref().is_some_and(|user| user.id == search.owner)
        };
        found.filter(is_visible).ok_or_else(|| absent(id))
    }

    /// A content that can be executed.
    async fn check(&self, content: &SavedSearchContent) -> Result<()> {
        content.check()?;
        // By itself first: together with filters, an unfinished query could read as another one.
        self.reports
            .queries
            .check(&content.query)
            .await
            .map_err(|error| Error { message: format!("query: {}", error.message), ..error })?;
        self.reports.checked(&search_export(), &content.export()?, UnknownNames::Refuse).await.map(drop)
    }

    fn event(&self, caller: &Caller, search: &SavedSearch, details: &str) -> AuditEvent {
        let details = format!("{details}: {}", search.id);
        let operation = AuditOperation::ConfigurationChanged;
        self.reports.event(caller, operation, &TaskId::new(""), search.shown_name(), details)
    }
}

/// The report that a saved search is.
pub(super) fn search_export() -> ReportId {
    ReportId::new(ReportKind::SearchExport.as_str())
}

/// The identity of the caller's user.
fn user_id(caller: &Caller) -> Result<&str> {
    let user = caller.user.as_ref().map(|user| user.id.as_str());
    user.ok_or_else(|| {
        Error::forbidden("an application has no saved searches: expected a personal access token")
    })
}

fn absent(id: &SavedSearchId) -> Error {
    Error::not_found(format!("there is no saved search {}", shown(id.as_str())))
}
