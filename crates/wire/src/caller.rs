//! Who calls. No published shape: our service's answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whoever a token is of, and what it grants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallerDescription {
    /// The client; for a token of an external issuer `name:client`.
    pub client: String,
    /// The user's name; for an application the client.
    #[schema(example = "ada.lovelace")]
    pub name: String,
    /// Whether it is a user. An application may not cancel, and has no saved searches.
    pub user: bool,
    /// What the user is in the organisation; empty for an application.
    #[schema(example = json!(["REPORT_ADMIN"]))]
    pub levels: Vec<String>,
    /// The scopes of the token.
    #[schema(example = json!(["sp:report:manage"]))]
    pub scopes: Vec<String>,
    /// The ids of the sources whose rows the caller may see; absent for all rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub sources: Option<Vec<String>>,
    /// The limits of an auditor; absent for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub auditor: Option<AuditorDescription>,
}

/// What an auditor may see, and until when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditorDescription {
    /// The first moment of his period, RFC 3339 in UTC with milliseconds.
    #[schema(value_type = String, format = DateTime)]
    pub from: String,
    /// The last moment of his period.
    #[schema(value_type = String, format = DateTime)]
    pub to: String,
    /// The ids of the reports that he may see.
    #[schema(example = json!(["ACCOUNTS"]))]
    pub reports: Vec<String>,
    /// From this moment on he may see nothing.
    #[schema(value_type = String, format = DateTime)]
    pub ends: String,
}
