//! The reports there are: a route of our own.

use crate::access::{Allowed, ReadResult};
use crate::failure::{Failure, json};
use crate::openapi::Refusals;
use crate::state::AppState;
use axum::http::StatusCode;
use axum::response::Response;
use muster_reports::definition::{ArgumentKind, ArgumentSpec, AttributeColumns, Column};
use muster_reports::{ArgumentValue, ReportDefinition};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An argument of a report.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ArgumentDescription {
    /// The name in a request.
    name: String,
    /// What it holds, for people.
    expected: String,
    /// Whether a request without it is refused.
    required: bool,
    /// What stands in for it when it is absent; null for nothing.
    #[schema(value_type = Value)]
    default: Value,
    /// The permitted texts, for a list of them; null when any is.
    allowed: Option<Vec<String>>,
    /// What it does.
    meaning: String,
}

/// A column of a report's files.
#[derive(Serialize, ToSchema)]
pub(crate) struct ColumnDescription {
    /// Technical name: the CSV header.
    name: String,
    /// The header for people.
    label: String,
    /// What a cell says.
    meaning: String,
}

/// A report that can be started.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportDescription {
    /// The definition id; for a built-in report its `reportType`.
    id: String,
    /// Grows with every change of columns, order or meaning.
    version: u32,
    /// Name.
    name: String,
    /// What it says, in one sentence.
    description: String,
    /// Whether it is one of the published kinds.
    built_in: bool,
    /// What one row stands for.
    row: String,
    /// SHA-256 of the definition, 64 hex digits.
    digest: String,
    /// Formats of its files.
    formats: Vec<String>,
    /// Arguments.
    arguments: Vec<ArgumentDescription>,
    /// Fixed columns, in file order.
    columns: Vec<ColumnDescription>,
    /// Which attributes follow as further columns, `identity` or `source`; null for none.
    attribute_columns: Option<&'static str>,
}

impl From<&ArgumentSpec> for ArgumentDescription {
    fn from(spec: &ArgumentSpec) -> Self {
        let allowed = match &spec.kind {
            ArgumentKind::Texts { allowed } if !allowed.is_empty() => Some(allowed.clone()),
            ArgumentKind::Texts { .. }
            | ArgumentKind::Boolean
            | ArgumentKind::Text
            | ArgumentKind::SourceId
            | ArgumentKind::AuthoritativeSourceId
            | ArgumentKind::SourceName
            | ArgumentKind::Query
            | ArgumentKind::Names => None,
        };
        let default = match &spec.default {
            None => Value::Null,
            Some(ArgumentValue::Boolean(flag)) => Value::from(*flag),
            Some(ArgumentValue::Text(text)) => Value::from(text.as_str()),
            Some(ArgumentValue::Texts(texts)) => Value::from(texts.as_slice()),
        };
        Self {
            name: spec.name.clone(),
            expected: spec.kind.expectation(),
            required: spec.required,
            default,
            allowed,
            meaning: spec.meaning.clone(),
        }
    }
}

impl From<&Column> for ColumnDescription {
    fn from(column: &Column) -> Self {
        Self { name: column.name.clone(), label: column.label.clone(), meaning: column.meaning.clone() }
    }
}

impl From<&ReportDefinition> for ReportDescription {
    fn from(definition: &ReportDefinition) -> Self {
        Self {
            id: definition.id.as_str().to_owned(),
            version: definition.version,
            name: definition.name.clone(),
            description: definition.description.clone(),
            built_in: definition.kind.is_some(),
            row: definition.row.clone(),
            digest: definition.digest.clone(),
            formats: definition.formats.iter().map(|format| format.as_str().to_owned()).collect(),
            arguments: definition.arguments.iter().map(ArgumentDescription::from).collect(),
            columns: definition.columns.iter().map(ColumnDescription::from).collect(),
            attribute_columns: definition.attribute_columns.map(|which| match which {
                AttributeColumns::Identity => "identity",
                AttributeColumns::Source => "source",
            }),
        }
    }
}

/// List the reports
///
/// Every report that can be started, with its arguments and columns.
#[utoipa::path(
    get,
    path = "/muster/v1/reports",
    operation_id = "listReportDefinitions",
    tag = "Muster",
    responses((status = 200, description = "The reports, by id.", body = Vec<ReportDescription>), Refusals),
    security(
        ("userAuth" = ["sp:report:read", "sp:report:manage"]),
        ("applicationAuth" = ["sp:report:read", "sp:report:manage"]),
    ),
)]
pub(crate) async fn list_reports(
    _: Allowed<ReadResult>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let reports: Vec<_> =
        state.reports().catalogue.iter().map(|definition| ReportDescription::from(&**definition)).collect();
    Ok(json(StatusCode::OK, &reports))
}
