//! A task, and a comparison of two, as the JSON of `muster-wire` has them.

use crate::settings::Settings;
use chrono::{DateTime, SecondsFormat, Utc};
use muster_reports::ids::sha256_hex;
use muster_reports::made::ComparisonCounts;
use muster_reports::message::{Message, Severity};
use muster_reports::refreshes::REFRESH;
use muster_reports::result_life::ResultLife;
use muster_reports::retention::Pin;
use muster_reports::task::{Progress, TaskResult};
use muster_reports::{ReportKind, Task, TaskState};
use muster_wire::{
    CompletionStatus, FileFormat, Hold, ListedResult, MessageType, ReportComparison, ReportResults,
    ReportType, ResultStatus, TaskResultDetails, TaskResultDetailsMessagesInner, TaskType,
};
use serde_json::{Map, Value, json};

/// RFC 3339 in UTC with milliseconds and `Z`.
pub(crate) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Absent for a custom report: extensions never add values to a published enumeration.
fn report_type(task: &Task) -> Option<ReportType> {
    task.report.as_str().parse::<ReportKind>().ok().map(|kind| match kind {
        ReportKind::Accounts => ReportType::Accounts,
        ReportKind::IdentitiesDetails => ReportType::IdentitiesDetails,
        ReportKind::Identities => ReportType::Identities,
        ReportKind::IdentityProfileIdentityError => ReportType::IdentityProfileIdentityError,
        ReportKind::OrphanIdentities => ReportType::OrphanIdentities,
        ReportKind::SearchExport => ReportType::SearchExport,
        ReportKind::UncorrelatedAccounts => ReportType::UncorrelatedAccounts,
    })
}

/// How weighty a message is.
pub(crate) fn message_type(severity: Severity) -> MessageType {
    match severity {
        Severity::Info => MessageType::Info,
        Severity::Warn => MessageType::Warn,
        Severity::Error => MessageType::Error,
    }
}

fn message(message: &Message) -> TaskResultDetailsMessagesInner {
    TaskResultDetailsMessagesInner {
        kind: Some(message_type(message.severity)),
        error: message.severity == Severity::Error,
        warning: message.severity == Severity::Warn,
        key: Some(message.key.clone()),
        localized_text: Some(message.text.clone()),
    }
}

/// Absent while the task is live, whatever the outcome of earlier attempts.
fn completion_status(state: TaskState) -> Option<CompletionStatus> {
    match state {
        TaskState::Pending | TaskState::Running => None,
        TaskState::Succeeded => Some(CompletionStatus::Success),
        TaskState::Warned => Some(CompletionStatus::Warning),
        TaskState::Failed => Some(CompletionStatus::Error),
        TaskState::Terminated => Some(CompletionStatus::Terminated),
    }
}

fn result_status(state: TaskState) -> Option<ResultStatus> {
    match state {
        TaskState::Pending | TaskState::Running => None,
        TaskState::Succeeded => Some(ResultStatus::Success),
        TaskState::Warned => Some(ResultStatus::Warning),
        TaskState::Failed => Some(ResultStatus::Failure),
        TaskState::Terminated => Some(ResultStatus::Terminated),
    }
}

pub(crate) fn progress(task: &Task) -> String {
    match &task.result {
        None if task.report.as_str() == REFRESH => match task.progress.rows_expected {
            None => "Initializing...".into(),
            Some(expected) => format!("{} of {expected} parts done", task.progress.rows),
        },
        Some(result) => Progress { rows: result.rows, rows_expected: Some(result.rows) }.text(),
        None => task.progress.text(),
    }
}

/// The parameters of a search. Each value is a text, as in the published example.
fn search_parameters(task: &Task) -> Map<String, Value> {
    let text = |name: &str| task.arguments.text(name).unwrap_or_default().to_owned();
    let list = |name: &str| task.arguments.texts(name).unwrap_or_default().join(",");
    let owner = task.requester.user.as_ref().map_or_else(String::new, |user| user.id.to_string());
    [
        ("columns", text("columns")),
        ("indices", list("indices")),
        ("ownerId", owner),
        ("query", text("query")),
        ("sort", list("sort")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Value::from(value)))
    .collect()
}

/// What both answers about a task have beyond their own members.
pub(crate) fn attributes(task: &Task, settings: &Settings) -> Map<String, Value> {
    let mut attributes = Map::new();
    attributes.insert("org".into(), Value::from(settings.org.as_str()));
    attributes.insert("taskDefinitionId".into(), Value::from(task.definition.as_str()));
    if report_type(task).is_none() {
        attributes.insert("reportId".into(), Value::from(task.report.as_str()));
    }
    if task.report.as_str() == ReportKind::SearchExport.as_str() {
        let query = search_parameters(task);
        let text = Value::from(query.clone()).to_string();
        attributes.insert("queryHash".into(), Value::from(sha256_hex([text.as_str()])));
        attributes.insert("queryParams".into(), Value::from(query));
    }
    attributes
}

/// The answer of start-report.
pub(crate) fn task_result_details(task: &Task, settings: &Settings) -> TaskResultDetails {
    TaskResultDetails {
        kind: Some(TaskType::Quartz),
        id: Some(task.id.as_str().to_owned()),
        report_type: report_type(task),
        task_def_name: Some(task.name.clone()),
        description: Some(task.description.clone()),
        parent_name: task.parent.clone(),
        launcher: Some(task.requester.launcher().to_owned()),
        created: Some(timestamp(task.created)),
        launched: task.launched.map(timestamp),
        completed: task.completed.map(timestamp),
        completion_status: completion_status(task.state),
        messages: task.messages.iter().map(message).collect(),
        returns: Vec::new(),
        attributes: attributes(task, settings),
        progress: Some(progress(task)),
    }
}

/// The answer of get-report-result. For a live task it has only what is known already. Files that have expired are not
/// available.
pub(crate) fn report_results(task: &Task, life: Option<&ResultLife>) -> ReportResults {
    let expired = life.is_some_and(|life| life.expired.is_some());
    let rows = |result: &TaskResult| i64::try_from(result.rows).unwrap_or(i64::MAX);
    let formats = |result: &TaskResult| {
        let published = result.files.iter().map(|file| file.format).filter(|format| format.is_published());
        published.map(|format| FileFormat::from(format.as_str())).collect::<Vec<_>>()
    };
    let ended = task.completed.filter(|_| !task.state.is_live());
    let begun = task.launched.unwrap_or(task.created);
    ReportResults {
        report_type: report_type(task),
        task_def_name: Some(task.name.clone()),
        id: Some(task.id.as_str().to_owned()),
        created: Some(timestamp(task.created)),
        status: result_status(task.state),
        duration: ended.map(|at| (at - begun).num_milliseconds().max(0)),
        rows: task.result.as_ref().map(rows),
        available_formats: ended
            .map(|_| task.result.as_ref().filter(|_| !expired).map(formats).unwrap_or_default()),
        messages: task.messages.iter().map(message).collect(),
    }
}

/// An entry of the list of results.
pub(crate) fn listed_result(task: &Task, life: Option<&ResultLife>) -> ListedResult {
    ListedResult {
        result: report_results(task, life),
        expires: life.and_then(|life| life.expires).map(timestamp),
        expired: life.and_then(|life| life.expired).map(timestamp),
        hold: life.and_then(|life| life.hold.as_ref()).map(hold),
    }
}

/// Why something is kept whatever the policy says.
pub(crate) fn hold(pin: &Pin) -> Hold {
    Hold { by: pin.by.clone(), reason: pin.reason.clone(), at: timestamp(pin.at) }
}

/// As [`task_result_details`], with how long the files are kept among the attributes.
pub(crate) fn task_result_details_of(
    task: &Task,
    life: Option<&ResultLife>,
    settings: &Settings,
) -> TaskResultDetails {
    let mut details = task_result_details(task, settings);
    if let Some(life) = life {
        let times = [("expires", life.expires), ("expired", life.expired)];
        for (name, at) in times.into_iter().filter_map(|(name, at)| Some((name, at?))) {
            details.attributes.insert(name.into(), Value::from(timestamp(at)));
        }
        if let Some(pin) = &life.hold {
            let hold = json!({"by": pin.by, "reason": pin.reason, "at": timestamp(pin.at)});
            details.attributes.insert("hold".into(), hold);
        }
    }
    details
}

/// How the runs `old` and `new` differ, counted.
pub(crate) fn comparison(old: &Task, new: &Task, counts: ComparisonCounts) -> ReportComparison {
    ReportComparison {
        old: old.id.to_string(),
        new: new.id.to_string(),
        keys: counts.keys,
        added: counts.added,
        removed: counts.removed,
        changed: counts.changed,
        unchanged: counts.unchanged,
        columns_added: counts.columns_added,
        columns_removed: counts.columns_removed,
    }
}
