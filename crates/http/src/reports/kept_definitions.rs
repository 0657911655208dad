//! Definitions of custom reports that the service keeps: routes of our own.

use crate::access::{Allowed, ManageDefinitions, ReadResult};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, json_object, json_type};
use crate::openapi::answers::NotFound;
use crate::saved_searches::check_members;
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use muster_reports::definition_fault::DefinitionFault;
use muster_reports::ids::{ReportId, sha256_hex};
use muster_reports::kept_definition::KeptDefinition;
use muster_wire::{
    DefinitionCheck, DefinitionFaultDescription, KeptDefinitionDescription, NewDefinitionDetails,
};
use serde_json::Value;

fn description(kept: &KeptDefinition, with_text: bool) -> KeptDefinitionDescription {
    KeptDefinitionDescription {
        id: kept.id.to_string(),
        version: kept.version,
        added: timestamp(kept.added),
        added_by: kept.added_by.clone(),
        sha256: sha256_hex([kept.text.as_str()]),
        text: with_text.then(|| kept.text.clone()),
    }
}

fn fault(fault: &DefinitionFault) -> DefinitionFaultDescription {
    DefinitionFaultDescription {
        key: (!fault.key.is_empty()).then(|| fault.key.clone()),
        line: fault.line.map(|line| line as u64),
        reason: fault.reason.clone(),
    }
}

/// A text that is to be kept, or checked only.
pub(crate) struct NewDefinition {
    text: String,
    check_only: bool,
}

impl Input for NewDefinition {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        check_members(&object, &["text", "checkOnly"])?;
        let text = match object.get("text") {
            Some(Value::String(text)) => text.clone(),
            None => return Err(Failure::invalid("text is missing: expected a definition, as TOML")),
            Some(other) => {
                return Err(Failure::invalid(format!("text is {}: expected a text", json_type(other))));
            }
        };
        let check_only = match object.get("checkOnly") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                return Err(Failure::invalid(format!(
                    "checkOnly is {}: expected true or false",
                    json_type(other)
                )));
            }
        };
        Ok(Self { text, check_only })
    }
}

/// List the kept definitions
///
/// The newest version of each custom report that the service keeps, by id. Reports of files are not among them.
#[utoipa::path(
    get,
    path = "/muster/v1/report-definitions",
    operation_id = "listKeptDefinitions",
    tag = "Muster",
    responses((status = 200, description = "The definitions.", body = Vec<KeptDefinitionDescription>)),
)]
pub(crate) async fn list_definitions(
    Allowed { caller, .. }: Allowed<ReadResult>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let kept = state.definitions().list(&caller).await?;
    Ok(json(StatusCode::OK, &kept.iter().map(|kept| description(kept, false)).collect::<Vec<_>>()))
}

/// Add a definition
///
/// Keeps a version of a custom report. Each query is planned over empty tables first; a definition with a fault is refused.
/// Another text needs a greater `version`, and earlier versions are kept. Whoever may start reports can start the report on
/// every node within seconds. It takes a user who administers the organisation or its reports, and may see all rows. With
/// `checkOnly`, nothing is kept, and the answer has everything that is wrong.
#[utoipa::path(
    post,
    path = "/muster/v1/report-definitions",
    operation_id = "addDefinition",
    tag = "Muster",
    request_body(content = NewDefinitionDetails, description = "The definition."),
    responses(
        (status = 200, description = "What the check found.", body = DefinitionCheck),
        (status = 201, description = "The definition is kept.", body = KeptDefinitionDescription),
    ),
)]
pub(crate) async fn add_definition(
    Allowed { caller, .. }: Allowed<ManageDefinitions>,
    state: AppState,
    NewDefinition { text, check_only }: NewDefinition,
) -> Result<Response, Failure> {
    if check_only {
        let faults = state.definitions().check(&caller, &text).await?;
        return Ok(json(StatusCode::OK, &DefinitionCheck { faults: faults.iter().map(fault).collect() }));
    }
    let (kept, _) = state.definitions().add(&caller, &text).await?;
    Ok(json(StatusCode::CREATED, &description(&kept, true)))
}

/// Get a definition
///
/// Every version of a custom report that the service keeps, the newest first, with its text.
#[utoipa::path(
    get,
    path = "/muster/v1/report-definitions/{id}",
    operation_id = "getDefinition",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the report.")),
    responses((status = 200, description = "The versions.", body = Vec<KeptDefinitionDescription>), NotFound),
)]
pub(crate) async fn get_definition(
    Allowed { caller, .. }: Allowed<ReadResult>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let versions = state.definitions().versions(&caller, &ReportId::new(id)).await?;
    Ok(json(StatusCode::OK, &versions.iter().map(|kept| description(kept, true)).collect::<Vec<_>>()))
}

/// Remove a definition
///
/// Nobody can start the report any more. Its versions are kept for the reports that were made of it, and its results stay.
#[utoipa::path(
    delete,
    path = "/muster/v1/report-definitions/{id}",
    operation_id = "removeDefinition",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the report.")),
    responses((status = 204, description = "The report is removed."), NotFound),
)]
pub(crate) async fn remove_definition(
    Allowed { caller, .. }: Allowed<ManageDefinitions>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    state.definitions().remove(&caller, &ReportId::new(id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
