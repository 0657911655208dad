//! What is sent when a run has ended: one notification for each recipient, and what becomes of it.
//!
//! ```text
//! end of a run ──► waiting ──► sent
//!                   ▲  │ a pause after each failed attempt
//!                   │  └─────► failed ──► (by hand) waiting
//! ```
//! Invariants:
//! - A notification is kept in the transaction that ends its run. Its id follows from the run and the recipient, so an end
//!   that is written twice makes one notification.
//! - It is delivered at least once, always under this id: a process that is killed between the delivery and the record of it
//!   leaves it to be delivered again.
//! - It has no stored name, no path, and only messages that the report's readers see.

use crate::audit::{AuditEvent, AuditOperation};
use crate::caller::{Caller, DataScope};
use crate::ids::{ClientId, ReportId, ReviewId, ScheduleId, TaskId, TenantId, stable_id};
use crate::kind::FileFormat;
use crate::message::{Message, Severity};
use crate::notify::{Notify, Occasion, Recipient, Wish};
use crate::scheduled::{RunState, ScheduledEntry, ScheduledRun};
use crate::task::{Task, TaskResult, TaskState};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long a notification that was sent is remembered.
pub const SENT_KEPT: TimeDelta = TimeDelta::days(30);
/// Messages of a task that a notification has.
const MESSAGES_MAX: usize = 20;
/// Characters of one of its texts.
const TEXT_CHARACTERS_MAX: usize = 1_000;
/// Longest arguments that it has, in bytes of their JSON.
const ARGUMENTS_MAX: usize = 16_384;

/// A run that has ended, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct EndedRun<'a> {
    /// Its task; absent where none was started, and for a refresh.
    pub task: Option<&'a Task>,
    /// The result of the run before it of the same report with the same arguments, if there was one.
    pub before: Option<&'a TaskResult>,
    /// The schedule that it is a run of.
    pub scheduled: Option<(&'a ScheduledEntry, &'a ScheduledRun)>,
}

/// How a run ended, in a word of a webhook's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Succeeded,
    Warned,
    Failed,
    Skipped,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    fn occasion(self) -> Occasion {
        match self {
            Self::Succeeded => Occasion::Success,
            Self::Warned => Occasion::Warning,
            Self::Failed | Self::Skipped => Occasion::Failure,
        }
    }
}

impl<'a> EndedRun<'a> {
    /// `None` where it goes on, or was cancelled: who cancels a run knows it.
    fn outcome(&self) -> Option<Outcome> {
        if let Some((_, run)) = self.scheduled {
            return match run.state {
                RunState::Succeeded => Some(Outcome::Succeeded),
                RunState::Warned => Some(Outcome::Warned),
                RunState::Failed => Some(Outcome::Failed),
                RunState::Skipped => Some(Outcome::Skipped),
                RunState::Waiting | RunState::Started | RunState::Cancelled => None,
            };
        }
        match self.task?.state {
            TaskState::Succeeded => Some(Outcome::Succeeded),
            TaskState::Warned => Some(Outcome::Warned),
            TaskState::Failed => Some(Outcome::Failed),
            TaskState::Pending | TaskState::Running | TaskState::Terminated => None,
        }
    }

    fn result(&self) -> Option<&'a TaskResult> {
        self.task.and_then(|task| task.result.as_ref())
    }

    /// Whether the rows differ from those of the run before; `None` without a result.
    fn changed(&self) -> Option<bool> {
        self.result().map(|result| self.before.is_none_or(|before| differ(before, result)))
    }

    /// What a notification is known by, besides its recipient.
    fn key(&self) -> Option<String> {
        match (self.scheduled, self.task) {
            (Some((entry, run)), _) => Some(format!("{} {}", entry.id.as_str(), run.due.timestamp_micros())),
            (None, Some(task)) => Some(task.id.to_string()),
            (None, None) => None,
        }
    }

    fn notice(&self, outcome: Outcome, notify: &Notify, at: DateTime<Utc>) -> Notice {
        let of_report =
            self.task.is_some() || self.scheduled.is_some_and(|(entry, _)| entry.work.report().is_some());
        let what = if of_report { "report" } else { "refresh" };
        let report = self.task.map(|task| task.report.clone());
        let scheduled_report = || self.scheduled.and_then(|(entry, _)| entry.work.report().cloned());
        let failed = match outcome {
            Outcome::Succeeded | Outcome::Warned => false,
            Outcome::Failed | Outcome::Skipped => true,
        };
        let reason = match self.scheduled {
            _ if !failed => None,
            Some((_, run)) => run.message.clone(),
            None => self.task.and_then(last_error),
        };
        let remarks = |task: &Task| -> Vec<Message> {
            let is_remark = |message: &&Message| match message.severity {
                Severity::Info => false,
                Severity::Warn | Severity::Error => true,
            };
            let remarks = task.messages.iter().filter(is_remark).take(MESSAGES_MAX);
            remarks.map(|message| Message { text: shortened(&message.text), ..message.clone() }).collect()
        };
        Notice {
            kind: format!("{what}.{}", outcome.as_str()),
            timestamp: at,
            data: NoticeData {
                name: match (self.task, self.scheduled) {
                    (Some(task), _) => task.name.clone(),
                    (None, Some((entry, _))) => entry.shown_name().to_owned(),
                    (None, None) => String::new(),
                },
                report_id: report.or_else(scheduled_report),
                task_result_id: self.task.map(|task| task.id.clone()),
                schedule: self.scheduled.map(|(entry, run)| NoticeSchedule {
                    id: entry.id.clone(),
                    name: entry.shown_name().to_owned(),
                    due: run.due,
                    missed_since: run.missed_since,
                }),
                reason: reason.as_deref().map(shortened),
                rows: self.result().map(|result| result.rows),
                changed: self.changed().filter(|_| notify.on.contains(&Occasion::Change)),
                messages: self.task.map(remarks).unwrap_or_default(),
                files: self.result().map(files).unwrap_or_default(),
                arguments: self.task.filter(|_| notify.query_details).and_then(arguments),
                review: None,
            },
        }
    }
}

/// Why a task failed.
fn last_error(task: &Task) -> Option<String> {
    let last = task.messages.iter().rev().find(|message| message.severity == Severity::Error);
    last.map(|message| message.text.clone())
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn files(result: &TaskResult) -> Vec<NoticeFile> {
    let file = |file: &crate::task::PublishedFile| NoticeFile {
        format: file.format,
        bytes: file.bytes,
        rows: file.rows,
        sha256: file.sha256.clone(),
        link: None,
    };
    result.files.iter().map(file).collect()
}

fn arguments(task: &Task) -> Option<Value> {
    let text = task.arguments.canonical();
    if text.len() > ARGUMENTS_MAX {
        return None;
    }
    serde_json::from_str(&text).ok()
}

/// Whether two results have different rows, as far as their records show it. A format whose bytes have only the rows
/// decides; where both have none, the results count as different.
fn differ(before: &TaskResult, after: &TaskResult) -> bool {
    let digest = |result: &TaskResult, format| {
        let file = result.files.iter().find(|file| file.format == format);
        file.map(|file| file.sha256.clone())
    };
    let same = [FileFormat::Csv, FileFormat::Ndjson].into_iter().any(|format| {
        digest(after, format).is_some_and(|after| digest(before, format).as_ref() == Some(&after))
    });
    !same
}

/// The notifications that an end leads to: one for each wish that asks for it.
pub fn notifications(ended: &EndedRun<'_>, wishes: &[Wish], at: DateTime<Utc>) -> Vec<Notification> {
    let (Some(outcome), Some(key)) = (ended.outcome(), ended.key()) else { return Vec::new() };
    let tenant = match (ended.scheduled, ended.task) {
        (Some((entry, _)), _) => entry.tenant(),
        (None, Some(task)) => &task.tenant,
        (None, None) => return Vec::new(),
    };
    let is_due = |notify: &Notify| {
        let is_asked = notify.on.contains(&outcome.occasion())
            || (notify.on.contains(&Occasion::Change) && ended.changed() == Some(true));
        let is_empty = ended.result().is_some_and(|result| result.rows == 0);
        is_asked && (notify.empty_results || !is_empty)
    };
    let mut notifications: Vec<Notification> = Vec::new();
    for Wish { client, notify } in wishes.iter().filter(|wish| is_due(&wish.notify)) {
        let id = stable_id(["notification", &key, notify.to.channel(), notify.to.address()]);
        if notifications.iter().any(|known| known.id == id) {
            continue;
        }
        notifications.push(Notification {
            id,
            tenant: tenant.clone(),
            client: client.clone(),
            to: notify.to.clone(),
            attach: notify.attach,
            notice: ended.notice(outcome, notify, at),
            state: DeliveryState::Waiting,
            attempts: 0,
            error: None,
            created: at,
            next: Some(at),
            ended: None,
        });
    }
    notifications
}

/// Whether any of these wishes depends on the run before.
pub fn compares(wishes: &[Wish]) -> bool {
    wishes.iter().any(|wish| wish.notify.on.contains(&Occasion::Change))
}

/// What a notification says. This is the body that a webhook gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// `report.` or `refresh.`, and how it ended: `succeeded`, `warned`, `failed` or `skipped`. Of an access review
    /// `review.opened`, `review.handed_over` or `review.ends`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it ended.
    pub timestamp: DateTime<Utc>,
    /// What ended, and how.
    pub data: NoticeData,
}

/// What ended, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeData {
    /// The report's name, or of a run without a report the schedule's.
    pub name: String,
    /// The report's definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_id: Option<ReportId>,
    /// The task, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_result_id: Option<TaskId>,
    /// The schedule, of a scheduled run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<NoticeSchedule>,
    /// Why it failed or was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Rows of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Whether they differ from those of the run before, if the entry asks for changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// What a reader must know, and why attempts failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// The files of the result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<NoticeFile>,
    /// The report's arguments, if the entry asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// The access review, of what a reviewer is told; then nothing has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<NoticeReview>,
}

/// The access review that a reviewer is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeReview {
    /// Its id.
    pub id: ReviewId,
    /// Name (uid) of the reviewer.
    pub reviewer: String,
    /// How many items it is about.
    pub items: u32,
    /// How many of them are not decided.
    pub undecided: u32,
    /// Until when the reviewer is to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<DateTime<Utc>>,
}

/// The schedule of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeSchedule {
    /// Its id.
    pub id: ScheduleId,
    /// Its name.
    pub name: String,
    /// When the run was due.
    pub due: DateTime<Utc>,
    /// The first of the earlier times that were missed, if any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_since: Option<DateTime<Utc>>,
}

/// A file of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeFile {
    /// Its format.
    pub format: FileFormat,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
    /// Where it is downloaded; added at the delivery, if the settings have the service's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What has become of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be delivered, or to be tried again.
    Waiting,
    /// It is delivered.
    Sent,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Sent, Self::Failed];

    /// The name that stores and answers use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A notification for one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its id: the same for every attempt to deliver it.
    pub id: String,
    /// Whose run it is of.
    pub tenant: TenantId,
    /// Whose wish it is.
    pub client: ClientId,
    /// Who is told.
    pub to: Recipient,
    /// The file that is attached, where the settings and the client's rights allow it.
    pub attach: Option<FileFormat>,
    /// What it says.
    pub notice: Notice,
    /// What has become of it.
    pub state: DeliveryState,
    /// Attempts to deliver it that have begun, since it was last sent by hand.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When the run ended.
    pub created: DateTime<Utc>,
    /// When it is tried next, while it waits.
    pub next: Option<DateTime<Utc>>,
    /// When it was delivered or given up.
    pub ended: Option<DateTime<Utc>>,
}

/// A notification in the hands of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct NotificationClaim {
    /// The notification, with this attempt counted.
    pub notification: Notification,
    /// Grows with every claim; what the node writes about it names it.
    pub epoch: u64,
}

/// What became of an attempt to deliver a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryStep {
    /// The recipient's server has accepted it.
    Sent,
    /// It may be delivered later.
    Retry {
        /// Why it was not delivered.
        reason: String,
        /// Not before this time.
        not_before: DateTime<Utc>,
    },
    /// It is given up.
    Failed {
        /// Why it was not delivered.
        reason: String,
    },
}

/// How deliveries are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryAttempts {
    /// Attempts before a notification is given up.
    pub most: u32,
    /// The pause before the second; doubled before each later one.
    pub pause: TimeDelta,
    /// The longest pause.
    pub pause_most: TimeDelta,
}

impl DeliveryAttempts {
    /// The step after a failed attempt, the `attempts`-th one.
    pub fn after_failure(&self, attempts: u32, reason: String, now: DateTime<Utc>) -> DeliveryStep {
        if attempts >= self.most {
            return DeliveryStep::Failed { reason };
        }
        let doublings = attempts.saturating_sub(1).min(20);
        let pause = self.pause.checked_mul(1 << doublings).unwrap_or(self.pause_most).min(self.pause_most);
        DeliveryStep::Retry { reason, not_before: now.checked_add_signed(pause).unwrap_or(now) }
    }
}

impl NotificationClaim {
    /// What the audit trail says of a notification that is given up.
    pub fn failure_event(&self, reason: &str, at: DateTime<Utc>) -> AuditEvent {
        let Notification { id, tenant, client, to, notice, .. } = &self.notification;
        let caller = Caller {
            tenant: tenant.clone(),
            client: client.clone(),
            user: None,
            scopes: Vec::new(),
            data_scope: DataScope::Everything,
            trace: None,
        };
        AuditEvent {
            id: stable_id(["notification failed", id, &self.epoch.to_string()]),
            at,
            operation: AuditOperation::NotificationFailed,
            caller,
            task: notice.data.task_result_id.clone().unwrap_or_else(|| TaskId::new("")),
            report: notice.data.name.clone(),
            details: format!("{} {} to {}: {reason}", to.channel(), id, to.shown()),
        }
    }
}

#[cfg(test)]
mod tests;
