//! The published operations that say which policies somebody would violate with more access.

use crate::access::{Allowed, ReadSodViolations};
use crate::failure::{Failure, json};
use crate::input::{Input, json_object, json_type};
use crate::openapi::answers::NotFound;
use crate::saved_searches::check_members;
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use muster_reports::error::shown;
use muster_reports::service::{PredictedAccess, PredictedViolation, WantedAccess};
use muster_wire::{
    ExceptionAccessCriteria, ExceptionCriteria, ExceptionCriteriaAccess, IdentityWithNewAccess,
    IdentityWithNewAccessToCheck, SodViolationCheck, ViolationContext, ViolationContextPolicy,
    ViolationPrediction,
};
use serde_json::{Map, Value};

/// Members of a body. The last one says on which account of a source an entitlement is wanted: policies know no accounts.
const CONTENT: [&str; 3] = ["identityId", "accessRefs", "sourceIdAndNativeIdToEntitlementIdsMappings"];
/// Most members of a client's metadata.
const METADATA_MAX: usize = 50;
/// Most bytes of a client's metadata.
const METADATA_BYTES_MAX: usize = 10_000;

/// Who would get what, and what the client says about it.
pub(crate) struct AccessRequest {
    wanted: WantedAccess,
    metadata: Map<String, Value>,
}

/// The same, where a client may say more about it.
pub(crate) struct CheckRequest(AccessRequest);

impl Input for AccessRequest {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        check_members(&object, &CONTENT)?;
        Ok(Self { wanted: wanted(&object)?, metadata: Map::new() })
    }
}

impl Input for CheckRequest {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        check_members(&object, &[&CONTENT[..], &["clientMetadata"]].concat())?;
        let wanted = wanted(&object)?;
        let metadata = match object.get("clientMetadata") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(members)) => members.clone(),
            Some(other) => {
                return Err(Failure::invalid(format!(
                    "clientMetadata is {}: expected an object of texts",
                    json_type(other)
                )));
            }
        };
        if let Some((name, value)) = metadata.iter().find(|(_, value)| !value.is_string()) {
            let found = json_type(value);
            return Err(Failure::invalid(format!(
                "clientMetadata: {} is {found}: expected a text",
                shown(name)
            )));
        }
        let bytes: usize =
            metadata.iter().map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum();
        if metadata.len() > METADATA_MAX || bytes > METADATA_BYTES_MAX {
            return Err(Failure::invalid(format!(
                "clientMetadata has {} members and {bytes} bytes: expected at most {METADATA_MAX} and {METADATA_BYTES_MAX}",
                metadata.len()
            )));
        }
        Ok(Self(AccessRequest { wanted, metadata }))
    }
}

fn wanted(object: &Map<String, Value>) -> Result<WantedAccess, Failure> {
    let identity = match object.get("identityId") {
        Some(Value::String(id)) if !id.is_empty() => id.clone(),
        Some(Value::String(_)) | None | Some(Value::Null) => {
            return Err(Failure::invalid("identityId is missing: expected the id of an identity"));
        }
        Some(other) => {
            return Err(Failure::invalid(format!(
                "identityId is {}: expected the id of an identity",
                json_type(other)
            )));
        }
    };
    let items = match object.get("accessRefs") {
        Some(Value::Array(items)) => items,
        Some(other) => {
            return Err(Failure::invalid(format!("accessRefs is {}: expected a list", json_type(other))));
        }
        None => return Err(Failure::invalid("accessRefs is missing: expected a list of entitlements")),
    };
    let id = |(at, item): (usize, &Value)| {
        let place = format!("accessRefs, item {at}");
        let Value::Object(reference) = item else {
            let found = json_type(item);
            return Err(Failure::invalid(format!("{place} is {found}: expected an object with type and id")));
        };
        match reference.get("type") {
            Some(Value::String(kind)) if kind == "ENTITLEMENT" => {}
            Some(Value::String(kind)) => {
                return Err(Failure::invalid(format!(
                    "{place}: type is {}: expected ENTITLEMENT",
                    shown(kind)
                )));
            }
            Some(_) | None => {
                return Err(Failure::invalid(format!("{place}: type is missing: expected ENTITLEMENT")));
            }
        }
        match reference.get("id") {
            Some(Value::String(id)) if !id.is_empty() => Ok(id.clone()),
            Some(_) | None => {
                Err(Failure::invalid(format!("{place}: id is missing: expected the id of an entitlement")))
            }
        }
    };
    let entitlements = items.iter().enumerate().map(id).collect::<Result<_, _>>()?;
    Ok(WantedAccess { identity, entitlements })
}

fn context(predicted: &PredictedViolation) -> ViolationContext {
    let access = |one: &PredictedAccess| ExceptionCriteriaAccess {
        // Clients of version 1.4 take an object here, and later ones a text: no value suits both.
        kind: None,
        id: Some(one.id.clone()),
        name: one.name.clone(),
        existing: Some(one.existing),
    };
    let list = |side: &[PredictedAccess]| {
        Some(ExceptionCriteria { criteria_list: side.iter().map(access).collect() })
    };
    ViolationContext {
        policy: Some(ViolationContextPolicy {
            kind: None,
            id: Some(predicted.policy.to_string()),
            name: Some(predicted.name.clone()),
        }),
        conflicting_access_criteria: Some(ExceptionAccessCriteria {
            left_criteria: list(&predicted.left),
            right_criteria: list(&predicted.right),
        }),
    }
}

/// Predict SOD violations for identity.
///
/// The policies that an identity would violate with some more entitlements: those that are enforced and have two lists, of both
/// of which the identity would have something, and of the new ones among it. The lists have what the identity would have of
/// them; `existing` is what it has already. A violation that somebody has accepted is one all the same.
#[utoipa::path(
    post,
    path = "/predict",
    operation_id = "startPredictSodViolations",
    tag = "SOD Violations",
    request_body(content = IdentityWithNewAccess, description = "Who would get what."),
    responses((status = 200, description = "What would be violated.", body = ViolationPrediction), NotFound),
)]
pub(crate) async fn predict_violations(
    Allowed { caller, .. }: Allowed<ReadSodViolations>,
    state: AppState,
    AccessRequest { wanted, .. }: AccessRequest,
) -> Result<Response, Failure> {
    let predicted = state.sod_policies().predict(&caller, &wanted).await?;
    let prediction = ViolationPrediction { violation_contexts: predicted.iter().map(context).collect() };
    Ok(json(StatusCode::OK, &prediction))
}

/// Check SOD violations
///
/// As a prediction, and what was found is recorded in the audit trail: the event has the id of the check as its task result,
/// and what the client says in `clientMetadata`.
#[utoipa::path(
    post,
    path = "/check",
    operation_id = "startViolationCheck",
    tag = "SOD Violations",
    request_body(content = IdentityWithNewAccessToCheck, description = "Who would get what."),
    responses((status = 202, description = "The check.", body = SodViolationCheck), NotFound),
)]
pub(crate) async fn check_violations(
    Allowed { caller, .. }: Allowed<ReadSodViolations>,
    state: AppState,
    CheckRequest(AccessRequest { wanted, metadata }): CheckRequest,
) -> Result<Response, Failure> {
    let check = state.sod_policies().check(&caller, &wanted, &metadata).await?;
    let check =
        SodViolationCheck { request_id: check.id.to_string(), created: Some(timestamp(check.created)) };
    Ok(json(StatusCode::ACCEPTED, &check))
}
