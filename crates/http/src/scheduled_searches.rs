//! The published operations on scheduled searches.
//!
//! The published document replaces a scheduled search by PUT. PATCH takes a JSON patch of the same members.

use crate::access::{Allowed, ManageScheduledSearches, ReadScheduledSearches};
use crate::collection::{Condition, FilterField, Operator, Part, Test, conditions, with_total};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, Query, json_object, json_type};
use crate::json_patch::{operations, patched_members};
use crate::openapi::answers::NotFound;
use crate::saved_searches::{check_members, identities, identity};
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use muster_reports::ids::{SavedSearchId, ScheduleId};
use muster_reports::schedule::ScheduleForm;
use muster_reports::scheduled::ScheduledEntry;
use muster_reports::service::{ScheduledSearchQuery, SearchSchedule};
use muster_wire::{
    IdentityReference, IdentityType, JsonPatchOperation, NewScheduledSearch,
    ScheduledSearch as ScheduledSearchDto, TypedReference,
};
use serde_json::{Map, Value};

/// Members of a body that its owner gives.
const CONTENT: [&str; 8] = [
    "name",
    "description",
    "savedSearchId",
    "schedule",
    "recipients",
    "enabled",
    "emailEmptyResults",
    "displayQueryDetails",
];

/// Members of a body that change nothing: clients send back what they got.
const READ_ONLY: [&str; 5] = ["id", "owner", "ownerId", "created", "modified"];

fn reference(id: &str) -> IdentityReference {
    IdentityReference { kind: IdentityType::Identity, id: id.to_owned() }
}

fn scheduled_search(entry: &ScheduledEntry) -> Result<ScheduledSearchDto, Failure> {
    let failed = |error: serde_json::Error| {
        Failure::internal("a scheduled search could not be written as JSON", error)
    };
    let search = entry.work.search().ok_or_else(|| {
        Failure::internal("a scheduled search could not be written as JSON", "it has no saved search")
    })?;
    let owner = entry.owner.user.as_ref().map_or("", |user| user.id.as_str());
    let form = serde_json::to_value(&entry.form).map_err(failed)?;
    Ok(ScheduledSearchDto {
        id: entry.id.to_string(),
        owner: reference(owner),
        owner_id: owner.to_owned(),
        name: search.name.clone(),
        description: search.description.clone(),
        saved_search_id: search.saved_search.to_string(),
        created: Some(timestamp(entry.created)),
        modified: Some(timestamp(search.modified)),
        schedule: serde_json::from_value(form).map_err(failed)?,
        recipients: search.recipients.iter().map(|id| reference(id)).collect(),
        enabled: Some(!entry.paused),
        email_empty_results: Some(search.email_empty_results),
        display_query_details: Some(search.display_query_details),
    })
}

/// What a body says of a scheduled search.
fn content(object: &Map<String, Value>) -> Result<SearchSchedule, Failure> {
    check_members(object, &[&CONTENT[..], &READ_ONLY[..]].concat())?;
    let given = |name: &str| object.get(name).filter(|value| !value.is_null());
    let text = |name: &str| match given(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(Failure::invalid(format!("{name} is {}: expected a text", json_type(other)))),
    };
    let flag = |name: &str| match given(name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => {
            Err(Failure::invalid(format!("{name} is {}: expected true or false", json_type(other))))
        }
    };
    let saved_search = text("savedSearchId")?
        .ok_or_else(|| Failure::invalid("savedSearchId is missing: expected the id of a saved search"))?;
    let recipients = given("recipients")
        .ok_or_else(|| Failure::invalid("recipients is missing: expected a list of identities"))?;
    Ok(SearchSchedule {
        name: text("name")?,
        description: text("description")?,
        saved_search: SavedSearchId::new(saved_search),
        form: form(given("schedule"))?,
        recipients: identities("recipients", recipients)?,
        enabled: flag("enabled")?,
        email_empty_results: flag("emailEmptyResults")?,
        display_query_details: flag("displayQueryDetails")?,
    })
}

/// The times, in the published form.
pub(crate) fn form(schedule: Option<&Value>) -> Result<ScheduleForm, Failure> {
    let value = match schedule {
        Some(value @ Value::Object(_)) => value,
        Some(other) => {
            return Err(Failure::invalid(format!("schedule is {}: expected an object", json_type(other))));
        }
        None => return Err(Failure::invalid("schedule is missing: expected an object with type and hours")),
    };
    let form: ScheduleForm = serde_json::from_value(value.clone())
        .map_err(|error| Failure::invalid(format!("schedule: {error}")))?;
    match (&form.cron, form.kind) {
        (None, Some(_)) => Ok(form),
        (Some(_), _) => Err(Failure::invalid("schedule.cron is not published: expected type and hours")),
        (None, None) => Err(Failure::invalid(
            "schedule.type is missing: expected DAILY, WEEKLY, MONTHLY, ANNUALLY or CALENDAR",
        )),
    }
}

/// A search to be scheduled.
pub(crate) struct NewRequest(SearchSchedule);

impl Input for NewRequest {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        Ok(Self(content(&object)?))
    }
}

/// Which scheduled search gets which content.
pub(crate) struct ReplaceRequest {
    id: ScheduleId,
    content: SearchSchedule,
}

impl Input for ReplaceRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = ScheduleId::new(Id::of(&mut parts).await?.0);
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        Ok(Self { id, content: content(&object)? })
    }
}

/// Which scheduled search is changed, and how.
pub(crate) struct PatchRequest {
    id: ScheduleId,
    operations: Vec<Value>,
}

impl Input for PatchRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = ScheduleId::new(Id::of(&mut parts).await?.0);
        Ok(Self { id, operations: operations(state, &parts, body).await? })
    }
}

/// Which scheduled searches are asked for.
pub(crate) struct ListRequest {
    wanted: ScheduledSearchQuery,
    counted: bool,
}

#[derive(Clone, Copy)]
enum Field {
    Owner,
    SavedSearch,
}

impl Input for ListRequest {
    async fn read(_: &AppState, parts: Parts, _: Body) -> Result<Self, Failure> {
        const FIELDS: &[FilterField<Field>] = &[
            ("owner.id", Field::Owner, &[Operator::Equals]),
            ("savedSearchId", Field::SavedSearch, &[Operator::Equals]),
        ];
        let query = Query::of(&parts)?;
        let Part { limit, offset, count: counted } = Part::of(&query)?;
        let mut wanted = ScheduledSearchQuery { offset, limit, ..ScheduledSearchQuery::default() };
        let read = query.text("filters").map_or(Ok(Vec::new()), |text| conditions(text, FIELDS))?;
        for Condition { field, test } in read {
            let value = match test {
                Test::OneOf(values) => values.into_iter().next().unwrap_or_default(),
                // They have no such operator.
                Test::Null | Test::StartsWith(_) | Test::Contains(_) => continue,
            };
            let is_free = match field {
                Field::Owner => wanted.owner.replace(value).is_none(),
                Field::SavedSearch => wanted.saved_search.replace(SavedSearchId::new(value)).is_none(),
            };
            if !is_free {
                return Err(Failure::invalid("filters: a field is asked for twice: expected each once"));
            }
        }
        Ok(Self { wanted, counted })
    }
}

/// Which recipient is removed from which scheduled search.
pub(crate) struct UnsubscribeRequest {
    id: ScheduleId,
    identity: String,
}

impl Input for UnsubscribeRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = ScheduleId::new(Id::of(&mut parts).await?.0);
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        check_members(&object, &["type", "id"])?;
        Ok(Self { id, identity: identity("the body", &object.into())? })
    }
}

/// Create a new scheduled search
///
/// Executes a saved search at times, with the rights that the caller's credential has then. The recipients get mail when an
/// execution has ended.
#[utoipa::path(
    post,
    path = "",
    operation_id = "createScheduledSearch",
    tag = "Scheduled Search",
    request_body(content = NewScheduledSearch, description = "What is executed, and when."),
    responses((status = 201, description = "The scheduled search.", body = ScheduledSearchDto), NotFound),
)]
pub(crate) async fn create_scheduled_search(
    Allowed { caller, .. }: Allowed<ManageScheduledSearches>,
    state: AppState,
    NewRequest(new): NewRequest,
) -> Result<Response, Failure> {
    let entry = state.saved_searches().schedule_search(&caller, new).await?;
    Ok(json(StatusCode::CREATED, &scheduled_search(&entry)?))
}

/// List scheduled searches
///
/// The caller's scheduled searches, in the order in which they were made; all of the tenant for an administrator of the
/// organisation.
#[utoipa::path(
    get,
    path = "",
    operation_id = "listScheduledSearch",
    tag = "Scheduled Search",
    params(
        ("offset" = Option<i32>, Query, minimum = 0, description = "Scheduled searches left out from the beginning."),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 250, description = "Most scheduled searches of the answer."),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many there are in all."),
        ("filters" = Option<String>, Query, description = "Conditions joined by `and`. `owner.id` and `savedSearchId` have \
            `eq`. Texts are in double quotes.", example = "savedSearchId eq \"6cc0945d9eeb4948903372d066e1153e\""),
    ),
    responses(
        (
            status = 200,
            description = "The scheduled searches.",
            body = Vec<ScheduledSearchDto>,
            headers(("X-Total-Count" = i64, description = "With `count=true`: how many there are in all.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn list_scheduled_searches(
    Allowed { caller, .. }: Allowed<ReadScheduledSearches>,
    state: AppState,
    ListRequest { wanted, counted }: ListRequest,
) -> Result<Response, Failure> {
    let (entries, total) = state.saved_searches().scheduled_searches(&caller, &wanted).await?;
    let entries = entries.iter().map(scheduled_search).collect::<Result<Vec<_>, _>>()?;
    Ok(with_total(json(StatusCode::OK, &entries), counted.then_some(total)))
}

/// Get a scheduled search
///
/// A scheduled search.
#[utoipa::path(
    get,
    path = "/{id}",
    operation_id = "getScheduledSearch",
    tag = "Scheduled Search",
    params(("id" = String, Path, description = "Id of the scheduled search.")),
    responses((status = 200, description = "The scheduled search.", body = ScheduledSearchDto), NotFound),
)]
pub(crate) async fn get_scheduled_search(
    Allowed { caller, .. }: Allowed<ReadScheduledSearches>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let entry = state.saved_searches().scheduled_search(&caller, &ScheduleId::new(id)).await?;
    Ok(json(StatusCode::OK, &scheduled_search(&entry)?))
}

/// Update an existing scheduled search
///
/// Replaces all of a scheduled search but its id, its owner and its time of creation. It is due next after now.
#[utoipa::path(
    put,
    path = "/{id}",
    operation_id = "updateScheduledSearch",
    tag = "Scheduled Search",
    params(("id" = String, Path, description = "Id of the scheduled search.")),
    request_body(content = ScheduledSearchDto, description = "What is executed, and when."),
    responses((status = 200, description = "The scheduled search as it is then.", body = ScheduledSearchDto), NotFound),
)]
pub(crate) async fn update_scheduled_search(
    Allowed { caller, .. }: Allowed<ManageScheduledSearches>,
    state: AppState,
    ReplaceRequest { id, content }: ReplaceRequest,
) -> Result<Response, Failure> {
    let entry = state.saved_searches().reschedule_search(&caller, &id, content).await?;
    Ok(json(StatusCode::OK, &scheduled_search(&entry)?))
}

/// Change a scheduled search
///
/// As an update, with a JSON patch (RFC 6902) of the members: `add`, `replace`, `remove` and `test`.
#[utoipa::path(
    patch,
    path = "/{id}",
    operation_id = "patchScheduledSearch",
    tag = "Scheduled Search",
    params(("id" = String, Path, description = "Id of the scheduled search.")),
    request_body(
        content = Vec<JsonPatchOperation>,
        content_type = "application/json-patch+json",
        description = "The operations.",
    ),
    responses((status = 200, description = "The scheduled search as it is then.", body = ScheduledSearchDto), NotFound),
)]
pub(crate) async fn patch_scheduled_search(
    Allowed { caller, .. }: Allowed<ManageScheduledSearches>,
    state: AppState,
    PatchRequest { id, operations }: PatchRequest,
) -> Result<Response, Failure> {
    let searches = state.saved_searches();
    let before = scheduled_search(&searches.owned_scheduled_search(&caller, &id).await?)?;
    let after = patched_members(&before, &operations)?;
    let entry = searches.reschedule_search(&caller, &id, content(&after)?).await?;
    Ok(json(StatusCode::OK, &scheduled_search(&entry)?))
}

/// Delete a scheduled search
///
/// Removes a scheduled search with what is known of its executions. One that goes on is not ended.
#[utoipa::path(
    delete,
    path = "/{id}",
    operation_id = "deleteScheduledSearch",
    tag = "Scheduled Search",
    params(("id" = String, Path, description = "Id of the scheduled search.")),
    responses((status = 204, description = "The scheduled search is removed."), NotFound),
)]
pub(crate) async fn delete_scheduled_search(
    Allowed { caller, .. }: Allowed<ManageScheduledSearches>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    state.saved_searches().unschedule_search(&caller, &ScheduleId::new(id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Unsubscribe a recipient from scheduled search
///
/// Removes an identity from the recipients. The owner of the scheduled search removes any of them, a recipient itself.
#[utoipa::path(
    post,
    path = "/{id}/unsubscribe",
    operation_id = "unsubscribeScheduledSearch",
    tag = "Scheduled Search",
    params(("id" = String, Path, description = "Id of the scheduled search.")),
    request_body(content = TypedReference, description = "The identity."),
    responses((status = 204, description = "It is no recipient any more."), NotFound),
)]
pub(crate) async fn unsubscribe_scheduled_search(
    Allowed { caller, .. }: Allowed<ReadScheduledSearches>,
    state: AppState,
    UnsubscribeRequest { id, identity }: UnsubscribeRequest,
) -> Result<Response, Failure> {
    state.saved_searches().unsubscribe(&caller, &id, &identity).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
