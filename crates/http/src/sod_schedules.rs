//! The published operations on the schedule of a policy for separation of duties.

use crate::access::{Allowed, ManageSodPolicies, ReadSodPolicies};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, json_object, json_type};
use crate::openapi::answers::NotFound;
use crate::saved_searches::{check_members, identities_of};
use crate::scheduled_searches::form;
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use muster_reports::ids::SodPolicyId;
use muster_reports::scheduled::ScheduledEntry;
use muster_reports::service::PolicySchedule;
use muster_wire::{IdentityType, SodPolicySchedule, SodRecipient};
use serde_json::{Map, Value};

/// Members of a body that people give.
const CONTENT: [&str; 5] = ["name", "description", "schedule", "recipients", "emailEmptyResults"];

/// Members of a body that change nothing: clients send back what they got.
const READ_ONLY: [&str; 4] = ["created", "modified", "creatorId", "modifierId"];

fn policy_schedule(entry: &ScheduledEntry) -> Result<SodPolicySchedule, Failure> {
    let failed = |error: serde_json::Error| {
        Failure::internal("the schedule of a policy could not be written as JSON", error)
    };
    let policy = entry.work.policy().ok_or_else(|| {
        Failure::internal("the schedule of a policy could not be written as JSON", "it has no policy")
    })?;
    let form = serde_json::to_value(&entry.form).map_err(failed)?;
    let recipient =
        |id: &String| SodRecipient { kind: Some(IdentityType::Identity), id: Some(id.clone()), name: None };
    Ok(SodPolicySchedule {
        name: policy.name.clone(),
        created: Some(timestamp(entry.created)),
        modified: Some(timestamp(policy.modified)),
        description: policy.description.clone(),
        schedule: Some(serde_json::from_value(form).map_err(failed)?),
        recipients: Some(policy.recipients.iter().map(recipient).collect()),
        email_empty_results: Some(policy.email_empty_results),
        creator_id: Some(policy.creator.clone()),
        modifier_id: policy.modifier.clone(),
    })
}

/// What a body says of the schedule of a policy.
fn content(object: &Map<String, Value>) -> Result<PolicySchedule, Failure> {
    check_members(object, &[&CONTENT[..], &READ_ONLY[..]].concat())?;
    let given = |name: &str| object.get(name).filter(|value| !value.is_null());
    let text = |name: &str| match given(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(Failure::invalid(format!("{name} is {}: expected a text", json_type(other)))),
    };
    let email_empty_results = match given("emailEmptyResults") {
        None => false,
        Some(Value::Bool(flag)) => *flag,
        Some(other) => {
            return Err(Failure::invalid(format!(
                "emailEmptyResults is {}: expected true or false",
                json_type(other)
            )));
        }
    };
    Ok(PolicySchedule {
        name: text("name")?,
        description: text("description")?,
        form: form(given("schedule"))?,
        recipients: given("recipients")
            .map_or(Ok(Vec::new()), |recipients| identities_of("recipients", recipients, 0))?,
        email_empty_results,
    })
}

/// Which policy gets which schedule.
pub(crate) struct ScheduleRequest {
    id: SodPolicyId,
    content: PolicySchedule,
}

impl Input for ScheduleRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = SodPolicyId::new(Id::of(&mut parts).await?.0);
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        Ok(Self { id, content: content(&object)? })
    }
}

/// Get SOD policy schedule
///
/// When the violations of a policy are reported, and who is told.
#[utoipa::path(
    get,
    path = "/{id}/schedule",
    operation_id = "getSodPolicySchedule",
    tag = "SOD Policies",
    params(("id" = String, Path, description = "Id of the policy.")),
    responses((status = 200, description = "The schedule.", body = SodPolicySchedule), NotFound),
)]
pub(crate) async fn get_policy_schedule(
    Allowed { caller, .. }: Allowed<ReadSodPolicies>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let entry = state.sod_policies().schedule(&caller, &SodPolicyId::new(id)).await?;
    Ok(json(StatusCode::OK, &policy_schedule(&entry)?))
}

/// Update SOD policy schedule
///
/// Makes or replaces the schedule of a policy. A run reports the violations of the policy, with the rights that the
/// credential has then which made the schedule. The recipients get mail when a run has ended.
#[utoipa::path(
    put,
    path = "/{id}/schedule",
    operation_id = "putPolicySchedule",
    tag = "SOD Policies",
    params(("id" = String, Path, description = "Id of the policy.")),
    request_body(content = SodPolicySchedule, description = "When, and who is told."),
    responses((status = 200, description = "The schedule as it is then.", body = SodPolicySchedule), NotFound),
)]
pub(crate) async fn put_policy_schedule(
    Allowed { caller, .. }: Allowed<ManageSodPolicies>,
    state: AppState,
    ScheduleRequest { id, content }: ScheduleRequest,
) -> Result<Response, Failure> {
    let entry = state.sod_policies().put_schedule(&caller, &id, content).await?;
    Ok(json(StatusCode::OK, &policy_schedule(&entry)?))
}

/// Delete SOD policy schedule
///
/// Removes the schedule of a policy with what is known of its runs. A report that goes on is not ended.
#[utoipa::path(
    delete,
    path = "/{id}/schedule",
    operation_id = "deleteSodPolicySchedule",
    tag = "SOD Policies",
    params(("id" = String, Path, description = "Id of the policy.")),
    responses((status = 204, description = "The schedule is removed."), NotFound),
)]
pub(crate) async fn delete_policy_schedule(
    Allowed { caller, .. }: Allowed<ManageSodPolicies>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    state.sod_policies().remove_schedule(&caller, &SodPolicyId::new(id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
