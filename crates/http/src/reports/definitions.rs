//! The reports there are: a route of our own.

use crate::access::{Allowed, ReadResult};
use crate::failure::{Failure, json};
use crate::state::AppState;
use axum::http::StatusCode;
use axum::response::Response;
use muster_reports::arguments::{ArgumentKind, ArgumentSpec};
use muster_reports::definition::{AttributeColumns, Column, SELECTED_FORMATS};
use muster_reports::{ArgumentValue, ReportDefinition};
use muster_wire::{ArgumentDescription, ColumnDescription, ReportDescription};
use serde_json::Value;

fn argument(spec: &ArgumentSpec) -> ArgumentDescription {
    let allowed = match &spec.kind {
        ArgumentKind::Texts { allowed } if !allowed.is_empty() => Some(allowed.clone()),
        ArgumentKind::Texts { .. }
        | ArgumentKind::Boolean
        | ArgumentKind::Integer { .. }
        | ArgumentKind::Date
        | ArgumentKind::Snapshot
        | ArgumentKind::Review
        | ArgumentKind::SodPolicies
        | ArgumentKind::SodExceptions
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
        Some(ArgumentValue::Number(number)) => Value::from(*number),
        Some(ArgumentValue::Text(text)) => Value::from(text.as_str()),
        Some(ArgumentValue::Texts(texts)) => Value::from(texts.as_slice()),
    };
    ArgumentDescription {
        name: spec.name.clone(),
        kind: spec.kind.name().into(),
        expected: spec.kind.expectation(),
        required: spec.required,
        default,
        allowed,
        meaning: spec.meaning.clone(),
    }
}

/// The arguments of a report. Of the formats that can be chosen, a description has those that the report is written in; a
/// published client may send others, which are left out with a warning.
fn arguments(definition: &ReportDefinition) -> Vec<ArgumentDescription> {
    let described = |spec: &ArgumentSpec| {
        let mut described = argument(spec);
        if spec.name == SELECTED_FORMATS
            && let Some(allowed) = &mut described.allowed
        {
            allowed.retain(|name| definition.formats.iter().any(|format| format.as_str() == name));
            described.expected = ArgumentKind::Texts { allowed: allowed.clone() }.expectation();
        }
        described
    };
    definition.all_arguments().map(described).collect()
}

fn column(column: &Column) -> ColumnDescription {
    ColumnDescription {
        name: column.name.clone(),
        label: column.label.clone(),
        meaning: column.meaning.clone(),
    }
}

fn description(definition: &ReportDefinition) -> ReportDescription {
    let attribute_columns = definition.attribute_columns.map(|which| match which {
        AttributeColumns::Identity => "identity".to_owned(),
        AttributeColumns::Source => "source".to_owned(),
    });
    ReportDescription {
        id: definition.id.as_str().to_owned(),
        version: definition.version,
        name: definition.name.clone(),
        description: definition.description.clone(),
        built_in: definition.built_in,
        norms: definition.norms.clone(),
        row: definition.row.clone(),
        digest: definition.digest.clone(),
        formats: definition.formats.iter().map(|format| format.as_str().to_owned()).collect(),
        arguments: arguments(definition),
        columns: definition.columns.iter().map(column).collect(),
        attribute_columns,
    }
}

/// List the reports
///
/// Every report that can be started, with its arguments and columns; for an auditor, the reports that his client names.
#[utoipa::path(
    get,
    path = "/muster/v1/reports",
    operation_id = "listReportDefinitions",
    tag = "Muster",
    responses((status = 200, description = "The reports, by id.", body = Vec<ReportDescription>)),
)]
pub(crate) async fn list_reports(
    Allowed { caller, .. }: Allowed<ReadResult>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let definitions = state.reports().definitions(&caller)?.into_iter();
    let reports: Vec<_> = definitions.map(|definition| description(&definition)).collect();
    Ok(json(StatusCode::OK, &reports))
}
