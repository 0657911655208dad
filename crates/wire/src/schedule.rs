//! Bodies of schedules: routes of our own.

use crate::notification::NotifyDetails;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A schedule to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewScheduleDetails {
    /// Its name, 1 to 50 characters; unique in the tenant.
    #[schema(example = "Accounts every morning")]
    pub name: String,
    /// The id of the report's definition, built-in or custom.
    #[schema(example = "ACCOUNTS")]
    pub report_id: String,
    /// The report's arguments; a name that does not exist is refused.
    #[serde(default)]
    #[schema(value_type = Option<Object>, nullable = false, required = false)]
    pub arguments: Option<Map<String, Value>>,
    /// When: `cron` (minute, hour, day of month, month, day of week), or the published form with `type`, `months`, `days` and
    /// `hours`; with `timeZoneId` and `expiration`.
    #[schema(value_type = Object, example = json!({"cron": "0 6 * * MON-FRI", "timeZoneId": "Europe/Berlin"}))]
    pub schedule: Map<String, Value>,
    /// Who is told how its runs end.
    #[serde(default)]
    #[schema(nullable = false, required = false)]
    pub notify: Option<Vec<NotifyDetails>>,
}

/// A change of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleChange {
    /// Whether it is paused. One that goes on is due next after now; what was missed meanwhile is not run.
    pub paused: bool,
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleDescription {
    /// Its id.
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose it is: a user's name, or the client id of an application.
    #[schema(example = "ada.lovelace")]
    pub owner: String,
    /// The client whose rights a run has.
    pub client_id: String,
    /// The id of the report's definition; absent for one that only makes refreshes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "ACCOUNTS")]
    pub report_id: Option<String>,
    /// The report's arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false, required = false)]
    pub arguments: Option<Map<String, Value>>,
    /// Whether a run makes a refresh (first).
    pub refresh: bool,
    /// When, in the form in which it was made, with its time zone.
    #[schema(value_type = Object)]
    pub schedule: Value,
    /// Who is told how its runs end.
    #[serde(default)]
    pub notify: Vec<NotifyDetails>,
    /// Whether it is paused.
    pub paused: bool,
    /// When it was made, RFC 3339 in UTC with milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub created: String,
    /// When it is due next; absent if it is paused or has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, required = false, format = DateTime)]
    pub next_run: Option<String>,
    /// Its last runs, the last due first; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub runs: Option<Vec<ScheduleRun>>,
}

/// A run of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleRun {
    /// When it was due.
    #[schema(value_type = String, format = DateTime)]
    pub due: String,
    /// The first of the earlier times that were missed, if any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, required = false, format = DateTime)]
    pub missed_since: Option<String>,
    /// `waiting` (also for another attempt), `started`, `succeeded`, `warned`, `failed`, `skipped` or `cancelled`.
    #[schema(example = "succeeded")]
    pub state: String,
    /// Attempts that have begun.
    pub attempts: u32,
    /// The task result id of its report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub task_result_id: Option<String>,
    /// Why it failed, was skipped, or waits for another attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub message: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, required = false, format = DateTime)]
    pub ended: Option<String>,
}
