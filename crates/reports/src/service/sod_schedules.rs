//! Schedules of policies for separation of duties: at times, the violations of one policy are reported.
//!
//! Such a schedule is a schedule ([`crate::scheduled`]) and nothing else. A policy has at most one.

use super::SodPolicies;
use crate::caller::{Caller, Operation};
use crate::error::{Error, Result, shown};
use crate::ids::{ScheduleId, SodPolicyId};
use crate::schedule::{Schedule, ScheduleForm};
use crate::scheduled::{ScheduledEntry, ScheduledPolicy, ScheduledWork};
use std::collections::BTreeSet;

/// Most characters of a name and a description.
const TEXT_CHARACTERS_MAX: usize = 2_000;

/// What people give the schedule of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySchedule {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// When.
    pub form: ScheduleForm,
    /// The identities that are told how a run ended.
    pub recipients: Vec<String>,
    /// Whether they are told of a run without rows.
    pub email_empty_results: bool,
}

impl SodPolicies {
    /// The schedule of a policy.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for the policy, and where it has no schedule.
    pub async fn schedule(&self, caller: &Caller, id: &SodPolicyId) -> Result<ScheduledEntry> {
        self.reports.authorise(caller, Operation::ReadSodPolicies)?;
        let policy = self.find(caller, id).await?;
        let found = self.scheduled_entry(caller, id).await?;
        found.ok_or_else(|| {
            Error::not_found(format!("the policy {} has no schedule", shown(&policy.content.name)))
        })
    }

    /// The policies that have a schedule.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn scheduled(&self, caller: &Caller) -> Result<BTreeSet<SodPolicyId>> {
        self.reports.authorise(caller, Operation::ReadSodPolicies)?;
        let all = self.schedules.store.schedules(&caller.tenant).await?;
        Ok(all.iter().filter_map(|entry| Some(entry.work.policy()?.policy.clone())).collect())
    }

    /// Makes or replaces the schedule of a policy. Runs have the rights that the credential has then of who made it.
    ///
    /// # Errors
    /// `Forbidden`, also for a caller with a token of an external issuer; `NotFound` for the policy; `Invalid` for the times
    /// and a recipient.
    pub async fn put_schedule(
        &self,
        caller: &Caller,
        id: &SodPolicyId,
        content: PolicySchedule,
    ) -> Result<ScheduledEntry> {
        let person = self.may_manage(caller)?;
        self.find(caller, id).await?;
        let PolicySchedule { name, description, mut form, recipients, email_empty_results } = content;
        for (member, text) in [("name", &name), ("description", &description)] {
            if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARACTERS_MAX) {
                return Err(Error::invalid(format!(
                    "{member} is too long: expected at most {TEXT_CHARACTERS_MAX} characters"
                )));
            }
        }
        let schedule = Schedule::check(&form, self.schedules.zone)?;
        form.time_zone_id = Some(schedule.zone().name().to_owned());
        let now = self.reports.clock.now();
        let due = schedule.next_after(now);
        if due.is_none() {
            return Err(Error::invalid(format!("schedule: {form} has no time to come")));
        }
        let notify = match recipients.is_empty() {
            true => Vec::new(),
            false => self.reports.recipients(caller, &recipients, email_empty_results, false).await?,
        };
        let before = self.scheduled_entry(caller, id).await?;
        let known = before.as_ref().and_then(|entry| entry.work.policy());
        let creator = known.map_or_else(|| person.clone(), |policy| policy.creator.clone());
        let modifier = known.map(|_| person);
        let work = ScheduledWork::Policy(ScheduledPolicy {
            policy: id.clone(),
            name,
            description,
            recipients,
            email_empty_results,
            creator,
            modifier,
            modified: now,
        });
        if let Some(before) = before {
            let entry = ScheduledEntry { work, form, notify, due, paused: false, ..before };
            let event =
                self.schedules.event(caller, &entry, format!("schedule of a policy changed: {}", entry.form));
            return match self.schedules.store.replace_schedule(&entry, &event).await? {
                true => Ok(entry),
                false => Err(Error::unavailable("the schedule was removed meanwhile: send it again")),
            };
        }
        self.schedules.check_owner(caller).await?;
        let entry = ScheduledEntry {
            id: ScheduleId::new(self.reports.ids.fresh()),
            // The name is unique, so a policy has one schedule however many people make it at once.
            name: format!("schedule of the policy {id}"),
            // The trace is that of this request.
            owner: Caller { trace: None, ..caller.clone() },
            work,
            form,
            notify,
            paused: false,
            created: now,
            due,
        };
        let event =
            self.schedules.event(caller, &entry, format!("schedule of a policy added: {}", entry.form));
        self.schedules.store.add_schedule(&entry, &event).await?;
        Ok(entry)
    }

    /// Removes the schedule of a policy with what is known of its runs.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for the policy, and where it has no schedule.
    pub async fn remove_schedule(&self, caller: &Caller, id: &SodPolicyId) -> Result<()> {
        self.may_manage(caller)?;
        let policy = self.find(caller, id).await?;
        match self.unschedule(caller, id).await? {
            true => Ok(()),
            false => {
                Err(Error::not_found(format!("the policy {} has no schedule", shown(&policy.content.name))))
            }
        }
    }

    /// Removes the schedule of a policy, if it has one.
    pub(super) async fn unschedule(&self, caller: &Caller, id: &SodPolicyId) -> Result<bool> {
        let Some(entry) = self.scheduled_entry(caller, id).await? else { return Ok(false) };
        let event = self.schedules.event(caller, &entry, "schedule of a policy removed".into());
        self.schedules.store.remove_schedule(&entry.id, &event).await
    }

    async fn scheduled_entry(&self, caller: &Caller, id: &SodPolicyId) -> Result<Option<ScheduledEntry>> {
        let all = self.schedules.store.schedules(&caller.tenant).await?;
        Ok(all.into_iter().find(|entry| entry.work.policy().is_some_and(|policy| policy.policy == *id)))
    }
}
