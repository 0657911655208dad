//! A task as the published list has it.

use crate::state::AppState;
use crate::task_json::{attributes, message_type, progress, timestamp};
use muster_reports::arguments::ArgumentKind;
use muster_reports::message::Message;
use muster_reports::{ReportDefinition, Task, TaskState};
use muster_wire::{
    LocalizedMessage, Target, TargetType, TaskCompletionStatus, TaskDefinitionSummary, TaskStatus,
    TaskStatusMessage, TaskStatusType,
};
use serde_json::{Map, Value};

/// Null while the task is live.
pub(super) fn completion_status(state: TaskState) -> Option<TaskCompletionStatus> {
    match state {
        TaskState::Pending | TaskState::Running => None,
        TaskState::Succeeded => Some(TaskCompletionStatus::Success),
        TaskState::Warned => Some(TaskCompletionStatus::Warning),
        TaskState::Failed => Some(TaskCompletionStatus::Error),
        TaskState::Terminated => Some(TaskCompletionStatus::Terminated),
    }
}

fn message(message: &Message) -> TaskStatusMessage {
    TaskStatusMessage {
        kind: message_type(message.severity),
        localized_text: Some(LocalizedMessage { locale: "en-US".into(), message: message.text.clone() }),
        key: message.key.clone(),
        parameters: Some(Vec::new()),
    }
}

/// The source that the task is about.
fn target(task: &Task, definition: &ReportDefinition) -> Option<Target> {
    let id = task.arguments.text(&definition.source_argument()?.name)?;
    let name = definition.arguments.iter().find(|argument| argument.kind == ArgumentKind::SourceName);
    let name = name.and_then(|argument| task.arguments.text(&argument.name));
    Some(Target {
        id: Some(id.to_owned()),
        kind: Some(TargetType::Application),
        name: name.map(str::to_owned),
    })
}

/// A task, as the list and each answer about one task has it.
pub(super) fn task_status(task: &Task, state: &AppState) -> TaskStatus {
    let definition = state.reports().catalogue.get(&task.report);
    let target = definition.as_ref().and_then(|definition| target(task, definition));
    let parameters = definition.iter().flat_map(|definition| &definition.arguments);
    let parameters: Map<String, Value> =
        parameters.map(|argument| (argument.name.clone(), Value::from(argument.kind.name()))).collect();
    TaskStatus {
        id: task.id.to_string(),
        kind: TaskStatusType::Quartz,
        unique_name: task.name.clone(),
        description: task.description.clone(),
        parent_name: task.parent.clone(),
        launcher: task.requester.launcher().to_owned(),
        target,
        created: timestamp(task.created),
        modified: Some(timestamp(task.modified())),
        launched: task.launched.map(timestamp),
        completed: task.completed.map(timestamp),
        completion_status: completion_status(task.state),
        messages: task.messages.iter().map(message).collect(),
        returns: Vec::new(),
        attributes: attributes(task, state.settings()),
        progress: Some(progress(task)),
        percent_complete: task.percent_complete().into(),
        task_definition_summary: Some(TaskDefinitionSummary {
            id: task.definition.to_string(),
            unique_name: task.name.clone(),
            description: Some(task.description.clone()),
            parent_name: task.parent.clone().unwrap_or_else(|| task.name.clone()),
            executor: None,
            arguments: parameters,
        }),
    }
}
