//! Bodies of the list of tasks (task-status).

use crate::enumeration::{JsonPatchOp, MessageType, TargetType, TaskCompletionStatus, TaskStatusType};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A task of the list, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// The task's id; for a report, the task result id.
    #[schema(example = "a248c16fe22222b2bd49615481311111")]
    pub id: String,
    /// Which machinery carries the task.
    #[serde(rename = "type")]
    pub kind: TaskStatusType,
    /// Name of the report.
    #[schema(example = "Account Report")]
    pub unique_name: String,
    /// What the report says.
    #[schema(example = "The accounts of one source and their owners.")]
    pub description: String,
    /// Name of the parent task, if there is one.
    #[schema(required = true, example = "Audit Report")]
    pub parent_name: Option<String>,
    /// Who started it: a user's name, or the client id of an application.
    #[schema(example = "cloudadmin")]
    pub launcher: String,
    /// The source that it is about; null for a report that is not about one.
    #[serde(default)]
    #[schema(required = false)]
    pub target: Option<Target>,
    /// When it was accepted, RFC 3339 in UTC with milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub created: String,
    /// When it ended, else when its first attempt began, else when it was accepted.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    pub modified: Option<String>,
    /// When its first attempt began; null before.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    pub launched: Option<String>,
    /// When it ended; null while it waits or runs.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    pub completed: Option<String>,
    /// How it ended; null while it waits or runs.
    #[schema(required = true)]
    pub completion_status: Option<TaskCompletionStatus>,
    /// What a reader must know.
    pub messages: Vec<TaskStatusMessage>,
    /// Values in addition to the files; this service has none.
    pub returns: Vec<TaskReturnDetails>,
    /// Further attributes, those of start-report: `org`, `taskDefinitionId`, and so on.
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
    /// How far it is, for people.
    #[schema(required = true, example = "500 of 2000 rows written")]
    pub progress: Option<String>,
    /// How far it is: rows written of rows expected. 100 when there is a result, and not before.
    #[schema(example = 25)]
    pub percent_complete: i32,
    /// What it is a run of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub task_definition_summary: Option<TaskDefinitionSummary>,
}

/// What a task is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "2c9180897e7742b2017e781782f705b9")]
    pub id: Option<String>,
    /// What it is.
    #[serde(rename = "type", default)]
    #[schema(required = false)]
    pub kind: Option<TargetType>,
    /// Its name, as the start of the task had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Active Directory")]
    pub name: Option<String>,
}

/// Something a reader of a task must know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatusMessage {
    /// How weighty it is.
    #[serde(rename = "type")]
    pub kind: MessageType,
    /// The text.
    #[schema(required = true)]
    pub localized_text: Option<LocalizedMessage>,
    /// A stable identifier.
    #[schema(example = "source_incomplete")]
    pub key: String,
    /// Values of the text; this service has none.
    #[schema(required = true)]
    pub parameters: Option<Vec<Value>>,
}

/// A text in one locale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalizedMessage {
    /// The locale, a BCP 47 language tag.
    #[schema(example = "en-US")]
    pub locale: String,
    /// The text.
    pub message: String,
}

/// A value that a task returns in addition to its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskReturnDetails {
    /// What it is, for people.
    pub name: String,
    /// What it is, for programs.
    pub attribute_name: String,
}

/// What a task is a run of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinitionSummary {
    /// The stable id of the report with these arguments.
    pub id: String,
    /// Name of the report.
    pub unique_name: String,
    /// What the report says.
    #[schema(required = true)]
    pub description: Option<String>,
    /// Name of the parent task; that of the report where there is none.
    pub parent_name: String,
    /// What runs it; this service does not tell.
    #[schema(required = true)]
    pub executor: Option<String>,
    /// The arguments that the report has, each with its type.
    #[schema(value_type = Object)]
    pub arguments: Map<String, Value>,
}

/// How many tasks of the list are in each state. No published shape: our service's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskCounts {
    /// Tasks that wait for a worker.
    pub pending: u64,
    /// Tasks that run.
    pub running: u64,
    /// Tasks that ended with SUCCESS.
    pub success: u64,
    /// Tasks that ended with WARNING.
    pub warning: u64,
    /// Tasks that ended with ERROR.
    pub error: u64,
    /// Tasks that were cancelled: TERMINATED.
    pub terminated: u64,
}

/// One operation of a JSON patch (RFC 6902).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JsonPatchOperation {
    /// What it does. This service takes `replace` and `add`.
    pub op: JsonPatchOp,
    /// The member, as a JSON pointer. This service takes `/completionStatus` and `/completed`.
    #[schema(example = "/completionStatus")]
    pub path: String,
    /// The member's new value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub value: Option<JsonPatchValue>,
}

/// A value of a JSON patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonPatchValue(pub Value);

impl PartialSchema for JsonPatchValue {
    fn schema() -> RefOr<Schema> {
        let plain = |kind, title| ObjectBuilder::new().schema_type(kind).title(Some(title));
        OneOfBuilder::new()
            .description(Some("The value; a text for this service."))
            .item(plain(Type::String, "string"))
            .item(plain(Type::Boolean, "boolean"))
            .item(plain(Type::Integer, "integer"))
            .item(plain(Type::Object, "object"))
            .item(ArrayBuilder::new().title(Some("array")))
            .into()
    }
}

impl ToSchema for JsonPatchValue {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("JsonPatchValue")
    }
}
