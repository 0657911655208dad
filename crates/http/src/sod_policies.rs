//! The published operations on policies for separation of duties, and our own on the violations that somebody accepts.

use crate::access::{Allowed, ManageSodPolicies, ReadSodPolicies};
use crate::collection::{Condition, FilterField, Operator, Part, Test, conditions, sorters, with_total};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, Query, json_body, json_object, json_type};
use crate::json_patch::{operations, patched_members};
use crate::openapi::answers::NotFound;
use crate::saved_searches::check_members;
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use muster_reports::Caller;
use muster_reports::error::shown;
use muster_reports::ids::SodPolicyId;
use muster_reports::sod_policy::{
    PolicyException, PolicyField, PolicyTest, SodPolicy, SodPolicyContent, SodPolicyQuery,
};
use muster_wire::{JsonPatchOperation, PolicyException as PolicyExceptionDto, SodPolicy as SodPolicyDto};
use serde_json::{Map, Value};

/// Members of a body that people give.
const CONTENT: [&str; 15] = [
    "name",
    "description",
    "ownerRef",
    "secondaryOwnerRefs",
    "allowedControls",
    "level",
    "externalPolicyReference",
    "policyQuery",
    "compensatingControls",
    "correctionAdvice",
    "state",
    "tags",
    "violationOwnerAssignmentConfig",
    "type",
    "conflictingAccessCriteria",
];

/// Members of a body that change nothing: clients send back what they got.
const READ_ONLY: [&str; 6] = ["id", "created", "modified", "creatorId", "modifierId", "scheduled"];

/// Members that a patch may change, as published.
const PATCHABLE: [&str; 13] = [
    "name",
    "description",
    "ownerRef",
    "secondaryOwnerRefs",
    "allowedControls",
    "level",
    "externalPolicyReference",
    "compensatingControls",
    "correctionAdvice",
    "state",
    "tags",
    "violationOwnerAssignmentConfig",
    "conflictingAccessCriteria",
];

fn policy(policy: &SodPolicy, scheduled: bool) -> Result<SodPolicyDto, Failure> {
    let failed = |error| Failure::internal("a policy could not be written as JSON", error);
    let content = serde_json::to_value(&policy.content).map_err(failed)?;
    let content: SodPolicyDto = serde_json::from_value(content).map_err(failed)?;
    Ok(SodPolicyDto {
        id: Some(policy.id.to_string()),
        created: Some(timestamp(policy.created)),
        modified: Some(timestamp(policy.modified)),
        creator_id: Some(policy.creator.clone()),
        modifier_id: policy.modifier.clone(),
        scheduled: Some(scheduled),
        state: Some(policy.content.state().into()),
        level: policy.content.level().map(Into::into),
        kind: Some(policy.content.kind().into()),
        policy_query: policy.content.shown_query(),
        ..content
    })
}

/// A policy as an answer. Who may read policies may know whether one has a schedule.
async fn shown_policy(state: &AppState, caller: &Caller, kept: &SodPolicy) -> Result<Response, Failure> {
    let scheduled = state.sod_policies().scheduled(caller).await?.contains(&kept.id);
    Ok(json(StatusCode::OK, &policy(kept, scheduled)?))
}

/// What a body says of a policy.
fn content(mut object: Map<String, Value>) -> Result<SodPolicyContent, Failure> {
    check_members(&object, &[&CONTENT[..], &READ_ONLY[..]].concat())?;
    for name in READ_ONLY {
        object.remove(name);
    }
    object.retain(|_, value| !value.is_null());
    if !object.contains_key("name") {
        return Err(Failure::invalid("name is missing: expected the name of the policy"));
    }
    // Each member is read by itself first, so that an error names it.
    for (name, value) in &object {
        let mut alone = Map::new();
        alone.insert("name".into(), "".into());
        alone.insert(name.clone(), value.clone());
        serde_json::from_value::<SodPolicyContent>(alone.into())
            .map_err(|error| Failure::invalid(format!("{name}: {error}")))?;
    }
    serde_json::from_value(object.into()).map_err(|error| Failure::invalid(error.to_string()))
}

/// A policy to be kept.
pub(crate) struct NewRequest(SodPolicyContent);

impl Input for NewRequest {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        Ok(Self(content(object)?))
    }
}

/// Which policy gets which content.
pub(crate) struct ReplaceRequest {
    id: SodPolicyId,
    content: SodPolicyContent,
}

impl Input for ReplaceRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = SodPolicyId::new(Id::of(&mut parts).await?.0);
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        Ok(Self { id, content: content(object)? })
    }
}

/// Which policy is changed, and how.
pub(crate) struct PatchRequest {
    id: SodPolicyId,
    operations: Vec<Value>,
}

impl Input for PatchRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = SodPolicyId::new(Id::of(&mut parts).await?.0);
        let operations = operations(state, &parts, body).await?;
        for operation in &operations {
            let path = operation.get("path").and_then(Value::as_str).unwrap_or_default();
            let member = path.strip_prefix('/').and_then(|rest| rest.split('/').next()).unwrap_or_default();
            let tests = operation.get("op").is_some_and(|op| op == "test");
            if !tests && !PATCHABLE.contains(&member) {
                return Err(Failure::invalid(format!(
                    "the patch has the path {}: expected a path into one of {}",
                    shown(path),
                    PATCHABLE.join(", ")
                )));
            }
        }
        Ok(Self { id, operations })
    }
}

/// Which policies are asked for.
pub(crate) struct ListRequest {
    wanted: SodPolicyQuery,
    counted: bool,
}

impl Input for ListRequest {
    async fn read(_: &AppState, parts: Parts, _: Body) -> Result<Self, Failure> {
        use Operator::{Contains, Equals, In, StartsWith};
        const FIELDS: &[FilterField<PolicyField>] = &[
            ("id", PolicyField::Id, &[Equals, In]),
            ("name", PolicyField::Name, &[Equals, In, StartsWith, Contains]),
            ("state", PolicyField::State, &[Equals, In]),
            ("level", PolicyField::Level, &[Equals, In]),
            ("type", PolicyField::Kind, &[Equals]),
            ("description", PolicyField::Description, &[Equals, Contains, StartsWith]),
            ("ownerRef.name", PolicyField::OwnerName, &[Equals, StartsWith]),
        ];
        const SORTERS: &[(&str, PolicyField)] = &[
            ("id", PolicyField::Id),
            ("name", PolicyField::Name),
            ("created", PolicyField::Created),
            ("modified", PolicyField::Modified),
            ("description", PolicyField::Description),
            ("ownerRef.name", PolicyField::OwnerName),
        ];
        let query = Query::of(&parts)?;
        let Part { limit, offset, count: counted } = Part::of(&query)?;
        let mut wanted = SodPolicyQuery { limit, offset, ..SodPolicyQuery::default() };
        let read = query.text("filters").map_or(Ok(Vec::new()), |text| conditions(text, FIELDS))?;
        for Condition { field, test } in read {
            let test = match test {
                Test::OneOf(texts) => PolicyTest::OneOf(texts),
                Test::StartsWith(text) => PolicyTest::StartsWith(text),
                Test::Contains(text) => PolicyTest::Contains(text),
                // No field has it.
                Test::Null => continue,
            };
            wanted.conditions.push((field, test));
        }
        wanted.order = query.text("sorters").map_or(Ok(Vec::new()), |text| sorters(text, SORTERS))?;
        Ok(Self { wanted, counted })
    }
}

/// Which policy is removed.
pub(crate) struct DeleteRequest(SodPolicyId);

impl Input for DeleteRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        // Published clients send it; both values remove the policy.
        Query::of(&parts)?.flag("logical")?;
        Ok(Self(SodPolicyId::new(Id::of(&mut parts).await?.0)))
    }
}

/// Which violations of a policy are accepted.
pub(crate) struct ExceptionsRequest {
    id: SodPolicyId,
    exceptions: Vec<PolicyException>,
}

impl Input for ExceptionsRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        const EXPECTED: &str = "a list of exceptions, each with identity, owner, reason and ends";
        let id = SodPolicyId::new(Id::of(&mut parts).await?.0);
        match json_body(state, &parts, body, EXPECTED).await? {
            Some(Value::Array(items)) => {
                let read = |(at, item): (usize, Value)| {
                    serde_json::from_value(item).map_err(|error| {
                        Failure::invalid(format!("exception {at}: {error}: expected {EXPECTED}"))
                    })
                };
                let exceptions = (1..).zip(items).map(read).collect::<Result<_, _>>()?;
                Ok(Self { id, exceptions })
            }
            None => Err(Failure::invalid(format!("the body is empty: expected {EXPECTED}"))),
            Some(other) => {
                Err(Failure::invalid(format!("the body is {}: expected {EXPECTED}", json_type(&other))))
            }
        }
    }
}

/// Create SOD policy
///
/// Keeps a policy: two lists of entitlements of which nobody may have something of both, or a query that finds the people who
/// violate it.
#[utoipa::path(
    post,
    path = "",
    operation_id = "createSodPolicy",
    tag = "SOD Policies",
    request_body(content = SodPolicyDto, description = "The policy."),
    responses((status = 201, description = "The policy.", body = SodPolicyDto)),
)]
pub(crate) async fn create_policy(
    Allowed { caller, .. }: Allowed<ManageSodPolicies>,
    state: AppState,
    NewRequest(content): NewRequest,
) -> Result<Response, Failure> {
    let kept = state.sod_policies().create(&caller, content).await?;
    Ok(json(StatusCode::CREATED, &policy(&kept, false)?))
}

/// List SOD policies
///
/// The policies of the tenant, in the order in which they were made unless `sorters` says another one.
#[utoipa::path(
    get,
    path = "",
    operation_id = "listSodPolicies",
    tag = "SOD Policies",
    params(
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 250, description = "Most policies of the answer."),
        ("offset" = Option<i32>, Query, minimum = 0, description = "Policies left out from the beginning."),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many there are in all."),
        ("filters" = Option<String>, Query, description = "Conditions joined by `and`. `id`, `state` and `level` have `eq` and \
            `in`, `name` has `sw` and `co` too; `type` has `eq`, `description` `eq`, `co` and `sw`, `ownerRef.name` `eq` and \
            `sw`. Texts are in double quotes.", example = "name sw \"Pay\" and state eq \"ENFORCED\""),
        ("sorters" = Option<String>, Query, format = "comma-separated", description = "Some of `id`, `name`, `created`, \
            `modified`, `description` and `ownerRef.name`, each with `-` before it for the order from the last to the first.",
            example = "name,-created"),
    ),
    responses((
        status = 200,
        description = "The policies.",
        body = Vec<SodPolicyDto>,
        headers(("X-Total-Count" = i64, description = "With `count=true`: how many there are in all.")),
    )),
)]
pub(crate) async fn list_policies(
    Allowed { caller, .. }: Allowed<ReadSodPolicies>,
    state: AppState,
    ListRequest { wanted, counted }: ListRequest,
) -> Result<Response, Failure> {
    let policies = state.sod_policies();
    let (kept, total) = policies.list(&caller, &wanted).await?;
    let scheduled = policies.scheduled(&caller).await?;
    let policies =
        kept.iter().map(|kept| policy(kept, scheduled.contains(&kept.id))).collect::<Result<Vec<_>, _>>()?;
    Ok(with_total(json(StatusCode::OK, &policies), counted.then_some(total)))
}

/// Get SOD policy by id
///
/// A policy.
#[utoipa::path(
    get,
    path = "/{id}",
    operation_id = "getSodPolicy",
    tag = "SOD Policies",
    params(("id" = String, Path, description = "Id of the policy.")),
    responses((status = 200, description = "The policy.", body = SodPolicyDto), NotFound),
)]
pub(crate) async fn get_policy(
    Allowed { caller, .. }: Allowed<ReadSodPolicies>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let kept = state.sod_policies().show(&caller, &SodPolicyId::new(id)).await?;
    shown_policy(&state, &caller, &kept).await
}

/// Update SOD policy by id
///
/// Replaces all of a policy but its id, its creator, its time of creation and the violations of it that are accepted.
#[utoipa::path(
    put,
    path = "/{id}",
    operation_id = "putSodPolicy",
    tag = "SOD Policies",
    params(("id" = String, Path, description = "Id of the policy.")),
    request_body(content = SodPolicyDto, description = "The policy."),
    responses((status = 200, description = "The policy as it is then.", body = SodPolicyDto), NotFound),
)]
pub(crate) async fn put_policy(
    Allowed { caller, .. }: Allowed<ManageSodPolicies>,
    state: AppState,
    ReplaceRequest { id, content }: ReplaceRequest,
) -> Result<Response, Failure> {
    let kept = state.sod_policies().replace(&caller, &id, content).await?;
    shown_policy(&state, &caller, &kept).await
}

/// Patch SOD policy by id
///
/// As an update, with a JSON patch (RFC 6902) of the members: `add`, `replace`, `remove` and `test`. A policy by query cannot
/// be patched.
#[utoipa::path(
    patch,
    path = "/{id}",
    operation_id = "patchSodPolicy",
    tag = "SOD Policies",
    params(("id" = String, Path, description = "Id of the policy.")),
    request_body(
        content = Vec<JsonPatchOperation>,
        content_type = "application/json-patch+json",
        description = "The operations.",
    ),
    responses((status = 200, description = "The policy as it is then.", body = SodPolicyDto), NotFound),
)]
pub(crate) async fn patch_policy(
    Allowed { caller, .. }: Allowed<ManageSodPolicies>,
    state: AppState,
    PatchRequest { id, operations }: PatchRequest,
) -> Result<Response, Failure> {
    let policies = state.sod_policies();
    let before = policies.managed(&caller, &id).await?;
    if before.content.conflicting_access_criteria.is_none() {
        return Err(Failure::invalid(
            "a policy by query cannot be patched: expected a policy of two lists, or an update by PUT",
        ));
    }
    let after = patched_members(&policy(&before, false)?, &operations)?;
    let kept = policies.replace(&caller, &id, content(after)?).await?;
    shown_policy(&state, &caller, &kept).await
}

/// Delete SOD policy by id
///
/// Removes a policy with the violations of it that are accepted. Results of reports keep the policy as it was. A policy that is
/// removed cannot be recovered, whatever `logical` is.
#[utoipa::path(
    delete,
    path = "/{id}",
    operation_id = "deleteSodPolicy",
    tag = "SOD Policies",
    params(
        ("id" = String, Path, description = "Id of the policy."),
        ("logical" = Option<bool>, Query, description = "Changes nothing: published clients send it."),
    ),
    responses((status = 204, description = "The policy is removed."), NotFound),
)]
pub(crate) async fn delete_policy(
    Allowed { caller, .. }: Allowed<ManageSodPolicies>,
    state: AppState,
    DeleteRequest(id): DeleteRequest,
) -> Result<Response, Failure> {
    state.sod_policies().remove(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn exceptions(kept: &SodPolicy) -> Vec<PolicyExceptionDto> {
    let one = |one: &PolicyException| PolicyExceptionDto {
        identity: one.identity.clone(),
        owner: one.owner.clone(),
        reason: one.reason.clone(),
        ends: one.ends.to_string(),
    };
    kept.exceptions.iter().map(one).collect()
}

/// List the accepted violations of a policy
///
/// The violations of a policy that somebody has accepted. Reports show them as accepted until their last day.
#[utoipa::path(
    get,
    path = "/muster/v1/sod-policies/{id}/exceptions",
    operation_id = "listSodPolicyExceptions",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the policy.")),
    responses((status = 200, description = "The exceptions.", body = Vec<PolicyExceptionDto>), NotFound),
)]
pub(crate) async fn list_exceptions(
    Allowed { caller, .. }: Allowed<ReadSodPolicies>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let kept = state.sod_policies().show(&caller, &SodPolicyId::new(id)).await?;
    Ok(json(StatusCode::OK, &exceptions(&kept)))
}

/// Set the accepted violations of a policy
///
/// Replaces the list of the violations of a policy that somebody has accepted. Each change is an event of the audit trail.
#[utoipa::path(
    put,
    path = "/muster/v1/sod-policies/{id}/exceptions",
    operation_id = "putSodPolicyExceptions",
    tag = "Muster",
    params(("id" = String, Path, description = "Id of the policy.")),
    request_body(content = Vec<PolicyExceptionDto>, description = "The exceptions, at most 2,000."),
    responses((status = 200, description = "The exceptions.", body = Vec<PolicyExceptionDto>), NotFound),
)]
pub(crate) async fn put_exceptions(
    Allowed { caller, .. }: Allowed<ManageSodPolicies>,
    state: AppState,
    ExceptionsRequest { id, exceptions: accepted }: ExceptionsRequest,
) -> Result<Response, Failure> {
    let kept = state.sod_policies().accept(&caller, &id, accepted).await?;
    Ok(json(StatusCode::OK, &exceptions(&kept)))
}
