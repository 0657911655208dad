//! What is scheduled: a report or a refresh, by whom, when; and the runs of it.
//!
//! ```text
//!                    falls due                 starts its task
//! schedule ─────────────────► run: waiting ────────────────► started ──► ended
//!                                  ▲    │ skipped                 │
//!                                  │    └─────────► ended         │
//!                                  └────────── another attempt ───┘
//! ```
//! A run is known by its schedule and its due time: there is one of both, however many nodes there are. The task and the
//! snapshot of a run have ids that follow from the run, so a node that continues what a dead one began finds them.

use crate::caller::Caller;
use crate::error::{Error, Result, shown};
use crate::ids::{ReportId, SavedSearchId, ScheduleId, SnapshotId, SodPolicyId, TaskId, TenantId, stable_id};
use crate::kind::ReportKind;
use crate::message::{Message, Severity};
use crate::notify::{Notify, Wish};
use crate::schedule::{Schedule, ScheduleForm};
use crate::sod::SOD_VIOLATIONS;
use crate::trace::Trace;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// Most schedules of a tenant.
pub const SCHEDULES_MAX: usize = 1_000;
/// Most characters of a name.
const NAME_CHARACTERS_MAX: usize = 50;
/// Runs of one schedule that are remembered.
pub const RUNS_KEPT: u32 = 100;

/// What is done when a schedule is due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ScheduledWork {
    /// A report is run.
    Report {
        /// Which.
        report: ReportId,
        /// Its arguments, as its owner gave them; they are checked at each run.
        arguments: Map<String, Value>,
        /// Whether a refresh is made first. Otherwise the report reads the newest snapshot.
        refresh_first: bool,
    },
    /// A refresh is made.
    Refresh,
    /// A saved search is executed (scheduled-searches).
    Search(ScheduledSearch),
    /// The violations of a policy for separation of duties are reported (`sod-policies/{id}/schedule`).
    Policy(ScheduledPolicy),
}

/// A policy whose violations a schedule reports. The address of each recipient is in the schedule's list of whom to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct ScheduledPolicy {
    /// The policy; it is looked up at each run.
    pub policy: SodPolicyId,
    /// What people call the schedule.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The identities that are told how a run ended.
    pub recipients: Vec<String>,
    /// Whether they are told of a run without rows.
    pub email_empty_results: bool,
    /// The identity that made the schedule.
    pub creator: String,
    /// The identity that changed it last.
    pub modifier: Option<String>,
    /// When it was last changed.
    pub modified: DateTime<Utc>,
}

/// A saved search that is executed by a schedule. The address of each recipient is in the schedule's list of whom to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct ScheduledSearch {
    /// The saved search; it is looked up at each run.
    pub saved_search: SavedSearchId,
    /// What its owner calls it. The schedule has a name of its own, because this one need not be unique.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The identities that are told how a run ended.
    pub recipients: Vec<String>,
    /// Whether they are told of a run that found nothing.
    pub email_empty_results: bool,
    /// Whether they are told the query.
    pub display_query_details: bool,
    /// When it was last changed.
    pub modified: DateTime<Utc>,
}

impl ScheduledWork {
    /// Whether a run makes a refresh.
    pub fn refreshes(&self) -> bool {
        match self {
            Self::Report { refresh_first, .. } => *refresh_first,
            Self::Refresh => true,
            Self::Search(_) | Self::Policy(_) => false,
        }
    }

    /// The report, if there is one.
    pub fn report(&self) -> Option<&ReportId> {
        static SEARCH_EXPORT: LazyLock<ReportId> =
            LazyLock::new(|| ReportId::new(ReportKind::SearchExport.as_str()));
        static VIOLATIONS: LazyLock<ReportId> = LazyLock::new(|| ReportId::new(SOD_VIOLATIONS));
        match self {
            Self::Report { report, .. } => Some(report),
            Self::Refresh => None,
            Self::Search(_) => Some(&SEARCH_EXPORT),
            Self::Policy(_) => Some(&VIOLATIONS),
        }
    }

    /// The policy whose violations are reported, if there is one.
    pub fn policy(&self) -> Option<&ScheduledPolicy> {
        match self {
            Self::Policy(policy) => Some(policy),
            Self::Report { .. } | Self::Refresh | Self::Search(_) => None,
        }
    }

    /// The saved search that is executed, if it is one.
    pub fn search(&self) -> Option<&ScheduledSearch> {
        match self {
            Self::Search(search) => Some(search),
            Self::Report { .. } | Self::Refresh | Self::Policy(_) => None,
        }
    }
}

/// A schedule as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduledEntry {
    /// Its id.
    pub id: ScheduleId,
    /// Its name; unique in the tenant.
    pub name: String,
    /// Whose it is. A run has the rights that the owner's credential has at the time of the run.
    pub owner: Caller,
    /// What is done.
    pub work: ScheduledWork,
    /// When, with its time zone.
    pub form: ScheduleForm,
    /// Who is told how its runs end.
    pub notify: Vec<Notify>,
    /// Whether it is paused: nothing falls due.
    pub paused: bool,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it is due next; absent if it is paused, or if no further time is known.
    pub due: Option<DateTime<Utc>>,
}

/// A schedule to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSchedule {
    /// Its name; must not be blank.
    pub name: String,
    /// What is done.
    pub work: ScheduledWork,
    /// When.
    pub form: ScheduleForm,
    /// Who is told how its runs end; the caller has checked that the settings allow it.
    pub notify: Vec<Notify>,
}

impl NewSchedule {
    /// The schedule as it is kept. `zone` is the time zone of a form that names none.
    ///
    /// # Errors
    /// `Invalid` for a blank or long name, for times that make no sense, and for times of which none is to come.
    pub fn entry(
        self,
        id: ScheduleId,
        owner: Caller,
        zone: Tz,
        now: DateTime<Utc>,
    ) -> Result<ScheduledEntry> {
        let Self { name, work, mut form, notify } = self;
        if name.trim().is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
            return Err(Error::invalid(format!(
                "name is {}: expected a name of 1 to {NAME_CHARACTERS_MAX} characters",
                shown(&name)
            )));
        }
        let schedule = Schedule::check(&form, zone)?;
        form.time_zone_id = Some(schedule.zone().name().to_owned());
        let due = schedule.next_after(now);
        if due.is_none() {
            return Err(Error::invalid(format!("schedule: {form} has no time to come")));
        }
        Ok(ScheduledEntry { id, name, owner, work, form, notify, paused: false, created: now, due })
    }
}

impl ScheduledEntry {
    /// When it is due next, once it is paused or goes on.
    pub fn due_if(&self, paused: bool, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if paused { None } else { self.next_after(now) }
    }

    /// What people call it.
    pub fn shown_name(&self) -> &str {
        let given = match &self.work {
            ScheduledWork::Search(search) => search.name.as_deref(),
            ScheduledWork::Policy(policy) => policy.name.as_deref(),
            ScheduledWork::Report { .. } | ScheduledWork::Refresh => None,
        };
        given.filter(|name| !name.trim().is_empty()).unwrap_or(&self.name)
    }

    /// Its entries as wishes of its owner.
    pub fn wishes(&self) -> Vec<Wish> {
        let client = &self.owner.client;
        self.notify.iter().map(|notify| Wish { client: client.clone(), notify: notify.clone() }).collect()
    }

    /// Whose it is.
    pub fn tenant(&self) -> &TenantId {
        &self.owner.tenant
    }

    /// The first time after `time` at which it is due. A form that cannot be read any more is never due.
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // A kept form names its time zone.
        Schedule::check(&self.form, Tz::UTC).ok().and_then(|schedule| schedule.next_after(time))
    }

    /// What falls due at `now`, if its time has come: the run, and the next time. Of several missed times, only the last
    /// is run.
    pub fn falls_due(&self, now: DateTime<Utc>) -> Option<(FallenDue, Option<DateTime<Utc>>)> {
        let first = self.due.filter(|due| *due <= now && !self.paused)?;
        let schedule = Schedule::check(&self.form, Tz::UTC).ok();
        let last = schedule.as_ref().and_then(|schedule| schedule.last_between(first, now));
        let run = FallenDue { due: last.unwrap_or(first), missed_since: last.map(|_| first) };
        Some((run, schedule.and_then(|schedule| schedule.next_after(now))))
    }
}

/// A time at which a schedule fell due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FallenDue {
    /// The time.
    pub due: DateTime<Utc>,
    /// The first of the earlier times that were missed, if any were.
    pub missed_since: Option<DateTime<Utc>>,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It has no task yet, or waits for another attempt.
    Waiting,
    /// Its task is live.
    Started,
    /// It has its report, or its snapshot.
    Succeeded,
    /// It has its report, with a warning.
    Warned,
    /// It failed, after all of its attempts.
    Failed,
    /// Nothing was run, for the reason that its message has.
    Skipped,
    /// Somebody cancelled its task.
    Cancelled,
}

impl RunState {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Started,
        Self::Succeeded,
        Self::Warned,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// The name that stores and answers use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether the run goes on.
    pub fn is_live(self) -> bool {
        match self {
            Self::Waiting | Self::Started => true,
            Self::Succeeded | Self::Warned | Self::Failed | Self::Skipped | Self::Cancelled => false,
        }
    }
}

/// One run of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledRun {
    /// The schedule.
    pub schedule: ScheduleId,
    /// When it was due; with the schedule, what the run is known by.
    pub due: DateTime<Utc>,
    /// The first of the earlier times that were missed, if any were.
    pub missed_since: Option<DateTime<Utc>>,
    /// Where it is.
    pub state: RunState,
    /// Attempts that have begun, interrupted ones included.
    pub attempts: u32,
    /// Attempts that have failed.
    pub failures: u32,
    /// The task of the last attempt, if it is a report.
    pub task: Option<TaskId>,
    /// Why it failed or was skipped.
    pub message: Option<String>,
    /// When it ended.
    pub ended: Option<DateTime<Utc>>,
}

impl ScheduledRun {
    /// The run of a time that fell due.
    pub fn waiting(schedule: &ScheduleId, fallen: FallenDue) -> Self {
        Self {
            schedule: schedule.clone(),
            due: fallen.due,
            missed_since: fallen.missed_since,
            state: RunState::Waiting,
            attempts: 0,
            failures: 0,
            task: None,
            message: None,
            ended: None,
        }
    }

    /// The same, skipped because the run before it still goes on.
    pub fn skipped(schedule: &ScheduleId, fallen: FallenDue, now: DateTime<Utc>) -> Self {
        Self {
            state: RunState::Skipped,
            message: Some("the run before it had not ended".into()),
            ended: Some(now),
            ..Self::waiting(schedule, fallen)
        }
    }

    /// The id of the task of the next or the interrupted attempt. It changes only when an attempt has failed, so that
    /// however often an attempt is interrupted, and whoever continues it, it has one task.
    pub fn task_id(&self) -> TaskId {
        TaskId::new(self.id("task", &self.failures.to_string()))
    }

    /// The id of its snapshot. All attempts have the same: as soon as one publishes it, the run has its refresh.
    pub fn snapshot_id(&self) -> SnapshotId {
        SnapshotId::new(self.id("snapshot", ""))
    }

    /// Its trace. All attempts have the same, and each has a span of its own; so a node that continues a run of a dead one
    /// goes on in its trace.
    pub fn trace(&self) -> Trace {
        Trace::chosen(&self.id("trace", ""), &self.id("span", &self.failures.to_string()))
    }

    fn id(&self, what: &str, number: &str) -> String {
        let due = self.due.timestamp_micros().to_string();
        stable_id(["scheduled", what, self.schedule.as_str(), &due, number])
    }

    /// What the task's messages, and so its cover, say of the run.
    pub fn note(&self, entry: &ScheduledEntry) -> Message {
        let zone = entry.form.time_zone_id.as_deref().and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
        let local =
            |time: DateTime<Utc>| time.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false);
        let name = entry.shown_name();
        let mut text = format!("run of the schedule {name:?}, due at {} ({zone})", local(self.due));
        if let Some(first) = self.missed_since {
            text.push_str(&format!("; earlier times from {} on were missed", local(first)));
        }
        Message { severity: Severity::Info, key: "scheduled".into(), text }
    }
}

/// A run in the hands of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct RunClaim {
    /// The schedule.
    pub entry: ScheduledEntry,
    /// The run.
    pub run: ScheduledRun,
    /// Grows with every claim; every later write of the node names it.
    pub epoch: u64,
}

/// What a node found out about its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStep {
    /// An attempt begins.
    Begun,
    /// The attempt has this task; look again at this time.
    Started {
        /// The task.
        task: TaskId,
        /// When to look again.
        look: DateTime<Utc>,
    },
    /// The attempt failed; another may begin at this time.
    Retry {
        /// Why it failed.
        message: String,
        /// Not before this time.
        not_before: DateTime<Utc>,
    },
    /// It is over.
    Ended {
        /// How.
        state: RunState,
        /// Why, if it failed or was skipped.
        message: Option<String>,
    },
}

impl ScheduledRun {
    /// The run after a step. Stores keep this.
    pub fn after(&self, step: &RunStep, now: DateTime<Utc>) -> Self {
        let mut run = self.clone();
        match step {
            RunStep::Begun => run.attempts += 1,
            RunStep::Started { task, .. } => {
                (run.state, run.task) = (RunState::Started, Some(task.clone()));
            }
            RunStep::Retry { message, .. } => {
                (run.state, run.message) = (RunState::Waiting, Some(message.clone()));
                run.failures += 1;
            }
            RunStep::Ended { state, message } => {
                (run.state, run.message, run.ended) = (*state, message.clone(), Some(now));
            }
        }
        run
    }
}

/// How a run is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunAttempts {
    /// Attempts before the run has failed.
    pub most: u32,
    /// The pause before the second; doubled before each later one.
    pub pause: TimeDelta,
}

/// How often an attempt may be interrupted, beyond the attempts that may fail: a run that ends the process each time is
/// given up.
const INTERRUPTIONS_MAX: u32 = 10;

impl RunAttempts {
    /// Whether a run has begun so often that it is given up.
    pub fn are_exhausted(&self, run: &ScheduledRun) -> bool {
        run.attempts >= self.most.saturating_add(INTERRUPTIONS_MAX)
    }

    /// The step after an attempt of `run` failed.
    pub fn after_failure(&self, run: &ScheduledRun, message: String, now: DateTime<Utc>) -> RunStep {
        if run.failures.saturating_add(1) >= self.most {
            return RunStep::Ended { state: RunState::Failed, message: Some(message) };
        }
        let doublings = run.failures.min(10);
        let pause = self.pause.checked_mul(1 << doublings).unwrap_or(self.pause);
        RunStep::Retry { message, not_before: now.checked_add_signed(pause).unwrap_or(now) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::caller::DataScope;
    use crate::ids::ClientId;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn entry(due: &str) -> ScheduledEntry {
        let form = r#"{"cron":"0 6 * * *","timeZoneId":"Europe/Berlin"}"#;
        ScheduledEntry {
            id: ScheduleId::new("s"),
            name: "Every morning".into(),
            owner: Caller {
                tenant: TenantId::new("acme"),
                client: ClientId::new("c"),
                user: None,
                scopes: Vec::new(),
                data_scope: DataScope::Everything,
                trace: None,
            },
            work: ScheduledWork::Refresh,
            form: serde_json::from_str(form).unwrap(),
            notify: Vec::new(),
            paused: false,
            created: time("2026-03-01T00:00:00Z"),
            due: Some(time(due)),
        }
    }

    #[test]
    fn a_run_that_was_missed_is_made_once_on_return() {
        let entry = entry("2026-03-02T05:00:00Z");
        assert_eq!(entry.falls_due(time("2026-03-02T04:59:59Z")), None);
        let (run, next) = entry.falls_due(time("2026-03-02T05:00:00Z")).unwrap();
        assert_eq!((run.due, run.missed_since), (time("2026-03-02T05:00:00Z"), None));
        assert_eq!(next, Some(time("2026-03-03T05:00:00Z")));
        let (run, next) = entry.falls_due(time("2026-03-31T12:00:00Z")).unwrap();
        assert_eq!(run.due, time("2026-03-31T04:00:00Z"), "summer time began on 29 March");
        assert_eq!(run.missed_since, Some(time("2026-03-02T05:00:00Z")));
        assert_eq!(next, Some(time("2026-04-01T04:00:00Z")));
        let paused = ScheduledEntry { paused: true, ..entry };
        assert_eq!(paused.falls_due(time("2026-03-31T12:00:00Z")), None);
    }

    #[test]
    fn a_note_has_the_local_time() {
        let entry = entry("2026-03-31T04:00:00Z");
        let fallen = FallenDue { due: time("2026-03-31T04:00:00Z"), missed_since: None };
        let run = ScheduledRun::waiting(&entry.id, fallen);
        let expected =
            "run of the schedule \"Every morning\", due at 2026-03-31T06:00:00+02:00 (Europe/Berlin)";
        assert_eq!(run.note(&entry).text, expected);
        let since = Some(time("2026-03-02T05:00:00Z"));
        let missed = ScheduledRun { missed_since: since, ..run };
        let expected = format!("{expected}; earlier times from 2026-03-02T06:00:00+01:00 on were missed");
        assert_eq!(missed.note(&entry).text, expected);
    }

    #[test]
    fn attempts_end_and_their_pauses_grow() {
        let attempts = RunAttempts { most: 3, pause: TimeDelta::minutes(1) };
        let now = time("2026-03-02T05:00:00Z");
        let fallen = FallenDue { due: now, missed_since: None };
        let run = ScheduledRun::waiting(&ScheduleId::new("s"), fallen);
        let after =
            |failures| attempts.after_failure(&ScheduledRun { failures, ..run.clone() }, "why".into(), now);
        let again =
            |minutes| RunStep::Retry { message: "why".into(), not_before: now + TimeDelta::minutes(minutes) };
        assert_eq!((after(0), after(1)), (again(1), again(2)));
        assert_eq!(after(2), RunStep::Ended { state: RunState::Failed, message: Some("why".into()) });
    }

    #[test]
    fn ids_follow_from_the_run() {
        let fallen = FallenDue { due: time("2026-03-31T04:00:00Z"), missed_since: None };
        let run = ScheduledRun::waiting(&ScheduleId::new("s"), fallen);
        let interrupted = run.after(&RunStep::Begun, fallen.due);
        assert_eq!((run.task_id(), interrupted.attempts), (interrupted.task_id(), 1));
        let retry = RunStep::Retry { message: "why".into(), not_before: fallen.due };
        let again = run.after(&retry, fallen.due);
        assert_eq!(run.task_id().as_str().len(), 32);
        let later = FallenDue { due: time("2026-04-01T04:00:00Z"), missed_since: None };
        let later = ScheduledRun::waiting(&ScheduleId::new("s"), later);
        let ids = [run.task_id(), again.task_id(), later.task_id()];
        assert_eq!(run.snapshot_id(), again.snapshot_id());
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && run.snapshot_id() != later.snapshot_id());
    }
}
