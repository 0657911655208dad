//! Who is told how runs end, and what was told: bodies of routes of our own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Who is told how a run ends: an e-mail address or a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotifyDetails {
    /// One e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "ada@example.com")]
    pub email: Option<String>,
    /// The address that gets a POST (Standard Webhooks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "https://example.com/muster")]
    pub webhook: Option<String>,
    /// Of which ends: some of `success`, `warning`, `failure` and `change` (the rows differ from those of the run before).
    /// Absent: the first three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = json!(["failure", "change"]))]
    pub on: Option<Vec<String>>,
    /// Whether it is sent of a result without rows; true if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub empty_results: Option<bool>,
    /// Whether it has the report's arguments, such as its query; false if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub query_details: Option<bool>,
    /// The format of the file that an e-mail has attached, where the settings allow it and it is small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "CSV")]
    pub attach: Option<String>,
}

/// A notification, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationDescription {
    /// Its id: `webhook-id` of a webhook, and part of the `Message-ID` of an e-mail.
    #[schema(example = "0123456789abcdef0123456789abcdef")]
    pub id: String,
    /// `email` or `webhook`.
    pub channel: String,
    /// The e-mail address, or the scheme and host of the webhook.
    #[schema(example = "ada@example.com")]
    pub recipient: String,
    /// The client that asked for it.
    pub client_id: String,
    /// `waiting` (also for another attempt), `sent` or `failed`.
    #[schema(example = "sent")]
    pub state: String,
    /// Attempts to deliver it that have begun.
    pub attempts: u32,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub error: Option<String>,
    /// When the run ended, RFC 3339 in UTC with milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub created: String,
    /// When it is tried next, while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, required = false, format = DateTime)]
    pub next: Option<String>,
    /// When it was delivered or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, required = false, format = DateTime)]
    pub ended: Option<String>,
    /// What it says: the body that a webhook gets, without links.
    #[schema(value_type = Object)]
    pub notice: Map<String, Value>,
}
