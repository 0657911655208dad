//! Scheduled searches: schedules that execute saved searches and have their recipients told.
//!
//! A scheduled search is a schedule ([`crate::scheduled`]) and nothing else: it falls due, runs and is told of like one. It
//! is the identity's that made it; an administrator of the organisation sees and changes all of the tenant.

use super::SavedSearches;
use crate::caller::{Caller, Operation};
use crate::error::{Error, Result, shown};
use crate::ids::{SavedSearchId, ScheduleId};
use crate::schedule::{Schedule, ScheduleForm};
use crate::scheduled::{ScheduledEntry, ScheduledSearch, ScheduledWork};
use chrono::{DateTime, Utc};

/// Most scheduled searches of one saved search, as published.
const OF_ONE_SEARCH_MAX: usize = 10;
/// Most characters of a name and a description.
const TEXT_CHARACTERS_MAX: usize = 2_000;

/// What its owner gives a scheduled search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchSchedule {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The saved search.
    pub saved_search: SavedSearchId,
    /// When.
    pub form: ScheduleForm,
    /// The identities that are told how a run ended.
    pub recipients: Vec<String>,
    /// Whether it is executed at all.
    pub enabled: bool,
    /// Whether the recipients are told of a run that found nothing.
    pub email_empty_results: bool,
    /// Whether they are told the query.
    pub display_query_details: bool,
}

/// Which scheduled searches are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduledSearchQuery {
    /// Only those of this owner.
    pub owner: Option<String>,
    /// Only those of this saved search.
    pub saved_search: Option<SavedSearchId>,
    /// Without so many from the beginning.
    pub offset: u32,
    /// At most so many.
    pub limit: u32,
}

impl SavedSearches {
    /// Schedules a saved search. The schedule's owner is the caller.
    ///
    /// # Errors
    /// `Forbidden`, also for a caller with a token of an external issuer; `NotFound` for the saved search; `Invalid` for the
    /// times, a recipient, and where the saved search has too many schedules.
    pub async fn schedule_search(&self, caller: &Caller, new: SearchSchedule) -> Result<ScheduledEntry> {
        caller.authorise(Operation::ManageScheduledSearches)?;
        self.schedules.check_owner(caller).await?;
        let all = self.schedules.store.schedules(&caller.tenant).await?;
        let of_search = all.iter().filter_map(|entry| entry.work.search());
        let of_search = of_search.filter(|search| search.saved_search == new.saved_search).count();
        if of_search >= OF_ONE_SEARCH_MAX {
            return Err(Error::invalid(format!(
                "the saved search has {of_search} scheduled searches already: expected fewer than {OF_ONE_SEARCH_MAX}"
            )));
        }
        let id = ScheduleId::new(self.reports.ids.fresh());
        let now = self.reports.clock.now();
        let blank = ScheduledEntry {
            name: format!("scheduled search {id}"),
            id,
            // The trace is that of this request.
            owner: Caller { trace: None, ..caller.clone() },
            work: ScheduledWork::Refresh,
            form: ScheduleForm::default(),
            notify: Vec::new(),
            paused: true,
            created: now,
            due: None,
        };
        let entry = self.with_content(caller, blank, new, now).await?;
        let event = self.schedules.event(caller, &entry, format!("scheduled search added: {}", entry.form));
        self.schedules.store.add_schedule(&entry, &event).await?;
        Ok(entry)
    }

    /// Part of the scheduled searches that the caller may see, in the order in which they were made, and how many there are
    /// in all.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn scheduled_searches(
        &self,
        caller: &Caller,
        wanted: &ScheduledSearchQuery,
    ) -> Result<(Vec<ScheduledEntry>, u64)> {
        caller.authorise(Operation::ReadScheduledSearches)?;
        let mut all = self.schedules.store.schedules(&caller.tenant).await?;
        all.retain(|entry| {
            let is_wanted = |search: &ScheduledSearch| {
                wanted.saved_search.as_ref().is_none_or(|wanted| search.saved_search == *wanted)
            };
            entry.work.search().is_some_and(is_wanted)
                && is_owned(caller, entry)
                && wanted.owner.as_deref().is_none_or(|owner| owner_of(entry) == Some(owner))
        });
        all.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        let count = all.len() as u64;
        let (offset, limit) = (index(wanted.offset), index(wanted.limit));
        Ok((all.into_iter().skip(offset).take(limit).collect(), count))
    }

    /// One scheduled search.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn scheduled_search(&self, caller: &Caller, id: &ScheduleId) -> Result<ScheduledEntry> {
        caller.authorise(Operation::ReadScheduledSearches)?;
        self.find_scheduled(caller, id).await
    }

    /// One scheduled search that the caller may change.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn owned_scheduled_search(&self, caller: &Caller, id: &ScheduleId) -> Result<ScheduledEntry> {
        caller.authorise(Operation::ManageScheduledSearches)?;
        self.find_scheduled(caller, id).await
    }

    /// Replaces the content of a scheduled search. It is due next after now.
    ///
    /// # Errors
    /// As [`SavedSearches::schedule_search`]; `NotFound` for the scheduled search.
    pub async fn reschedule_search(
        &self,
        caller: &Caller,
        id: &ScheduleId,
        content: SearchSchedule,
    ) -> Result<ScheduledEntry> {
        caller.authorise(Operation::ManageScheduledSearches)?;
        let before = self.find_scheduled(caller, id).await?;
        let entry = self.with_content(caller, before, content, self.reports.clock.now()).await?;
        self.put(caller, entry, "scheduled search changed").await
    }

    /// Removes a scheduled search with what is known of its runs.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`.
    pub async fn unschedule_search(&self, caller: &Caller, id: &ScheduleId) -> Result<()> {
        caller.authorise(Operation::ManageScheduledSearches)?;
        let entry = self.find_scheduled(caller, id).await?;
        let event = self.schedules.event(caller, &entry, "scheduled search removed".into());
        match self.schedules.store.remove_schedule(id, &event).await? {
            true => Ok(()),
            false => Err(absent(id)),
        }
    }

    /// Removes an identity from the recipients of a scheduled search. Its owner removes any of them, a recipient itself.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for the scheduled search and the recipient.
    pub async fn unsubscribe(&self, caller: &Caller, id: &ScheduleId, identity: &str) -> Result<()> {
        caller.authorise(Operation::ReadScheduledSearches)?;
        let all = self.schedules.store.schedules(&caller.tenant).await?;
        let is_itself = caller.user.as_ref().is_some_and(|user| user.id == identity);
        let mut entry = all
            .into_iter()
            .find(|entry| {
                let receives = |search: &ScheduledSearch| search.recipients.iter().any(|own| own == identity);
                let search = entry.work.search().filter(|_| entry.id == *id);
                search.is_some_and(|search| is_owned(caller, entry) || (is_itself && receives(search)))
            })
            .ok_or_else(|| absent(id))?;
        let ScheduledWork::Search(search) = &mut entry.work else { return Err(absent(id)) };
        let Some(place) = search.recipients.iter().position(|own| own == identity) else {
            return Err(Error::not_found(format!(
                "the scheduled search has no recipient {}",
                shown(identity)
            )));
        };
        search.recipients.remove(place);
        // Both lists are in one order.
        if place < entry.notify.len() {
            entry.notify.remove(place);
        }
        search.modified = self.reports.clock.now();
        self.put(caller, entry, "recipient of a scheduled search removed").await.map(drop)
    }

    /// A scheduled search that is the caller's.
    pub(super) async fn find_scheduled(&self, caller: &Caller, id: &ScheduleId) -> Result<ScheduledEntry> {
        let all = self.schedules.store.schedules(&caller.tenant).await?;
        let found = all
            .into_iter()
            .find(|entry| entry.id == *id && entry.work.search().is_some() && is_owned(caller, entry));
        found.ok_or_else(|| absent(id))
    }

    async fn put(&self, caller: &Caller, entry: ScheduledEntry, what: &str) -> Result<ScheduledEntry> {
        let event = self.schedules.event(caller, &entry, format!("{what}: {}", entry.form));
        match self.schedules.store.replace_schedule(&entry, &event).await? {
            true => Ok(entry),
            false => Err(absent(&entry.id)),
        }
    }

    /// The schedule with a content that was checked.
    async fn with_content(
        &self,
        caller: &Caller,
        before: ScheduledEntry,
        content: SearchSchedule,
        now: DateTime<Utc>,
    ) -> Result<ScheduledEntry> {
        let SearchSchedule { name, description, saved_search, mut form, recipients, enabled, .. } = content;
        for (member, text) in [("name", &name), ("description", &description)] {
            if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARACTERS_MAX) {
                return Err(Error::invalid(format!(
                    "{member} is too long: expected at most {TEXT_CHARACTERS_MAX} characters"
                )));
            }
        }
        self.find(caller, &saved_search).await?;
        let schedule = Schedule::check(&form, self.schedules.zone)?;
        form.time_zone_id = Some(schedule.zone().name().to_owned());
        let due = if enabled { schedule.next_after(now) } else { None };
        if enabled && due.is_none() {
            return Err(Error::invalid(format!("schedule: {form} has no time to come")));
        }
        let (empty, details) = (content.email_empty_results, content.display_query_details);
        let notify = self.reports.recipients(caller, &recipients, empty, details).await?;
        let search = ScheduledSearch {
            saved_search,
            name,
            description,
            recipients,
            email_empty_results: empty,
            display_query_details: details,
            modified: now,
        };
        let work = ScheduledWork::Search(search);
        Ok(ScheduledEntry { work, form, notify, paused: !enabled, due, ..before })
    }
}

/// The identity whose a schedule is.
fn owner_of(entry: &ScheduledEntry) -> Option<&str> {
    entry.owner.user.as_ref().map(|user| user.id.as_str())
}

fn is_owned(caller: &Caller, entry: &ScheduledEntry) -> bool {
    let own = caller.user.as_ref().map(|user| user.id.as_str());
    caller.administers() || (own.is_some() && own == owner_of(entry))
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn absent(id: &ScheduleId) -> Error {
    Error::not_found(format!("there is no scheduled search {}", shown(id.as_str())))
}
