//! The reports there are. No published shape: our service's answer, which the SDK reads.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// An argument of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArgumentDescription {
    /// The name in a request.
    pub name: String,
    /// What it holds, for programs: `boolean`, `integer`, `date` (a text such as `2026-03-31`), `text`, `source_id`,
    /// `authoritative_source_id`, `source_name`, `query`, `names` (a text with commas) or `texts` (a list).
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What it holds, for people.
    pub expected: String,
    /// Whether a request without it is refused.
    pub required: bool,
    /// The value that is taken when it is absent; null for none.
    #[schema(value_type = Value)]
    pub default: Value,
    /// The permitted texts, for a list of them; null when any is.
    pub allowed: Option<Vec<String>>,
    /// What it does.
    pub meaning: String,
}

/// A column of a report's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ColumnDescription {
    /// Technical name: the CSV header.
    pub name: String,
    /// The header for people.
    pub label: String,
    /// What a cell says.
    pub meaning: String,
}

/// A report that can be started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportDescription {
    /// The definition id; for a published report its `reportType`.
    pub id: String,
    /// Grows with every change of columns, order or meaning.
    pub version: u32,
    /// Name.
    pub name: String,
    /// What it says, in one sentence.
    pub description: String,
    /// Whether the program brings it: it is one of the published kinds, or one of the program's own.
    pub built_in: bool,
    /// The rules that it serves, such as `PCI DSS 8.2.6`.
    #[serde(default)]
    pub norms: Vec<String>,
    /// What one row is.
    pub row: String,
    /// SHA-256 of the definition, 64 hex digits.
    pub digest: String,
    /// Formats of its files.
    pub formats: Vec<String>,
    /// Arguments: its own, then those that every report takes.
    pub arguments: Vec<ArgumentDescription>,
    /// Fixed columns, in file order.
    pub columns: Vec<ColumnDescription>,
    /// Which attributes follow as further columns, `identity` or `source`; null for none.
    pub attribute_columns: Option<String>,
}

/// A version of a custom report that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeptDefinitionDescription {
    /// The id of the report.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// When it was added.
    pub added: String,
    /// Who added it.
    pub added_by: String,
    /// SHA-256 of its text, 64 hex digits: the `digest` of the report.
    pub sha256: String,
    /// The definition file; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A definition that is to be kept or checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewDefinitionDetails {
    /// The definition file, as TOML.
    pub text: String,
    /// Whether it is only checked, and nothing is kept; false when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_only: Option<bool>,
}

impl NewDefinitionDetails {
    /// A definition to begin with, with an explanation of each key. It is whole: it can be kept as it is.
    pub fn template(id: &str) -> String {
        include_str!("definition_template.toml").replace("@ID@", id)
    }
}

/// What is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DefinitionFaultDescription {
    /// The key, such as `subtotals[0].query`; absent if the text is no definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The line of the text, counted from 1; absent if the key is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What is wrong, and what was expected.
    pub reason: String,
}

/// What a check of a definition found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DefinitionCheck {
    /// Everything that is wrong with it; empty if it can be kept.
    pub faults: Vec<DefinitionFaultDescription>,
}
