//! Bodies of the four report operations.

use crate::arguments::ReportArguments;
use crate::enumeration::{CompletionStatus, FileFormat, MessageType, ReportType, ResultStatus, TaskType};
use crate::null_is_default;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Which report to run, and its arguments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportDetails {
    /// Which report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub report_type: Option<ReportType>,
    /// What it needs to know. A name that does not exist is a warning of the result; one that would narrow the
    /// report is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ReportArguments>, nullable = false, required = false)]
    pub arguments: Option<Value>,
}

/// Something a reader of the result must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskResultDetailsMessagesInner {
    /// How weighty it is.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub kind: Option<MessageType>,
    /// Whether it is an error.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false, default = false)]
    pub error: bool,
    /// Whether it is a warning.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false, default = false)]
    pub warning: bool,
    /// A stable identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "source_incomplete")]
    pub key: Option<String>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub localized_text: Option<String>,
}

/// A value that a task returns in addition to its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskResultDetailsReturnsInner {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub display_label: Option<String>,
    /// What it is, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attribute_name: Option<String>,
}

/// A task: one run of one report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskResultDetails {
    /// Which machinery carries the task.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<TaskType>,
    /// The task result id, 32 hex digits: what the other operations take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "a248c16fe22222b2bd49615481311111")]
    pub id: Option<String>,
    /// Which report; absent for a custom one, whose id is in `attributes.reportId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub report_type: Option<ReportType>,
    /// Name of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Identities Details Report")]
    pub task_def_name: Option<String>,
    /// What the report says.
    #[serde(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        required = false,
        example = "A detailed view of the identities in the system."
    )]
    pub description: Option<String>,
    /// Name of the parent task, if there is one.
    #[serde(default)]
    #[schema(required = false, example = "Audit Report")]
    pub parent_name: Option<String>,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "cloudadmin")]
    pub launcher: Option<String>,
    /// When it was accepted, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, value_type = Option<String>, format = DateTime)]
    pub created: Option<String>,
    /// When its first attempt began; null before.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>, format = DateTime)]
    pub launched: Option<String>,
    /// When it ended; null while it runs.
    #[serde(default)]
    #[schema(required = false, value_type = Option<String>, format = DateTime)]
    pub completed: Option<String>,
    /// How it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub completion_status: Option<CompletionStatus>,
    /// What a reader must know.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false)]
    pub messages: Vec<TaskResultDetailsMessagesInner>,
    /// Values in addition to the files; this service has none.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false)]
    pub returns: Vec<TaskResultDetailsReturnsInner>,
    /// Further attributes: `org`; `taskDefinitionId`, the stable id of this report with these
    /// arguments; `reportId`, the definition id of a custom report.
    #[serde(default, deserialize_with = "null_is_default")]
    #[schema(required = false, value_type = Object)]
    pub attributes: Map<String, Value>,
    /// How far it is, for people.
    #[serde(default)]
    #[schema(required = false, example = "Initializing...")]
    pub progress: Option<String>,
}

/// A result of the list, and how long its files are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedResult {
    /// The result.
    #[serde(flatten)]
    pub result: ReportResults,
    /// When its files are removed; absent if they are held, are among the newest, or are kept for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, value_type = Option<String>, format = DateTime)]
    pub expires: Option<String>,
    /// When its files expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, value_type = Option<String>, format = DateTime)]
    pub expired: Option<String>,
    /// Why its files are kept whatever the policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub hold: Option<Hold>,
}

/// Why the files of a result are kept whatever the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hold {
    /// Who holds them.
    #[schema(example = "ada")]
    pub by: String,
    /// Why.
    #[schema(example = "case 4711")]
    pub reason: String,
    /// Since when, RFC 3339 in UTC with milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub at: String,
}

/// The result of a report, or its state; `{}` where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportResults {
    /// Which report; absent for a custom one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub report_type: Option<ReportType>,
    /// Name of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "Identities Details Report")]
    pub task_def_name: Option<String>,
    /// The task result id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "a248c16fe22222b2bd49615481311111")]
    pub id: Option<String>,
    /// When the task was accepted, RFC 3339 in UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, value_type = Option<String>, format = DateTime)]
    pub created: Option<String>,
    /// How it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub status: Option<ResultStatus>,
    /// From the first attempt's begin to the end, in milliseconds; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub duration: Option<i64>,
    /// Rows reported; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub rows: Option<i64>,
    /// Formats that can be downloaded; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub available_formats: Option<Vec<FileFormat>>,
    /// What a reader must know: warnings, and the reason of a failure. Not among the published members; absent where
    /// there is nothing to tell.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub messages: Vec<TaskResultDetailsMessagesInner>,
}
