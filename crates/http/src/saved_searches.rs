//! The published operations on saved searches.

use crate::access::{Allowed, ExecuteSavedSearch, ManageSavedSearches, ReadSavedSearches};
use crate::collection::{Condition, FilterField, Operator, Part, Test, conditions, with_total};
use crate::failure::{Failure, json};
use crate::input::{Id, Input, Query, json_object, json_type};
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use muster_reports::error::shown;
use muster_reports::ids::{SavedSearchId, ScheduleId};
use muster_reports::nearest::hint;
use muster_reports::saved_search::{SavedSearch, SavedSearchContent, SavedSearchQuery};
use muster_reports::search_filter::read_filters;
use muster_reports::service::Execution;
use muster_wire::{DtoType, NewSavedSearch, SavedSearch as SavedSearchDto, SearchArguments, TypedReference};
use serde_json::{Map, Value};

/// Members of a body that its owner gives.
const CONTENT: [&str; 9] =
    ["name", "description", "indices", "columns", "query", "fields", "orderBy", "sort", "filters"];

/// Members of a body that change nothing: clients send back what they got.
const READ_ONLY: [&str; 4] = ["id", "created", "modified", "public"];

/// Recipients of one execution.
const RECIPIENTS_MAX: usize = 100;

fn saved_search(search: &SavedSearch) -> Result<SavedSearchDto, Failure> {
    let failed = |error| Failure::internal("a saved search could not be written as JSON", error);
    let content = serde_json::to_value(&search.content).map_err(failed)?;
    let content: SavedSearchDto = serde_json::from_value(content).map_err(failed)?;
    Ok(SavedSearchDto {
        id: Some(search.id.to_string()),
        owner: Some(TypedReference { kind: DtoType::Identity, id: search.owner.clone() }),
        owner_id: Some(search.owner.clone()),
        public: Some(false),
        created: Some(timestamp(search.created)),
        modified: Some(timestamp(search.modified)),
        ..content
    })
}

/// The identity that an object refers to.
pub(crate) fn identity(place: &str, value: &Value) -> Result<String, Failure> {
    let Value::Object(reference) = value else {
        return Err(Failure::invalid(format!(
            "{place} is {}: expected an object with type and id",
            json_type(value)
        )));
    };
    match reference.get("type") {
        Some(Value::String(kind)) if kind == "IDENTITY" => {}
        Some(Value::String(kind)) => {
            return Err(Failure::invalid(format!("{place}.type is {}: expected IDENTITY", shown(kind))));
        }
        Some(other) => {
            return Err(Failure::invalid(format!("{place}.type is {}: expected IDENTITY", json_type(other))));
        }
        None => return Err(Failure::invalid(format!("{place}.type is missing: expected IDENTITY"))),
    }
    match reference.get("id") {
        Some(Value::String(id)) if !id.is_empty() => Ok(id.clone()),
        Some(other) => Err(Failure::invalid(format!(
            "{place}.id is {}: expected the id of an identity",
            json_type(other)
        ))),
        None => Err(Failure::invalid(format!("{place}.id is missing: expected the id of an identity"))),
    }
}

/// The identities of a list of references.
pub(crate) fn identities(name: &str, value: &Value) -> Result<Vec<String>, Failure> {
    identities_of(name, value, 1)
}

/// The identities of a list of at least so many references.
pub(crate) fn identities_of(name: &str, value: &Value, least: usize) -> Result<Vec<String>, Failure> {
    let Value::Array(items) = value else {
        return Err(Failure::invalid(format!("{name} is {}: expected a list", json_type(value))));
    };
    if !(least..=RECIPIENTS_MAX).contains(&items.len()) {
        return Err(Failure::invalid(format!(
            "{name} has {} items: expected {least} to {RECIPIENTS_MAX}",
            items.len()
        )));
    }
    items.iter().enumerate().map(|(at, item)| identity(&format!("{name}, item {at}"), item)).collect()
}

/// Refuses members that a body does not have: a misspelt one would be dropped in silence.
pub(crate) fn check_members(object: &Map<String, Value>, known: &[&str]) -> Result<(), Failure> {
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(stranger) => Err(Failure::invalid(format!(
            "the body has the unknown member {}{}; expected some of {}",
            shown(stranger),
            hint(stranger, known.iter().copied()),
            known.join(", ")
        ))),
    }
}

/// What a body says of a saved search: its content, and its owner.
fn content(mut object: Map<String, Value>) -> Result<(SavedSearchContent, Option<String>), Failure> {
    check_members(&object, &[&CONTENT[..], &READ_ONLY[..], &["owner", "ownerId"]].concat())?;
    if object.get("public") == Some(&Value::Bool(true)) {
        return Err(Failure::invalid(
            "public is true: expected false, because a saved search is its owner's",
        ));
    }
    let owner = match (object.remove("owner"), object.remove("ownerId")) {
        (Some(owner @ Value::Object(_)), _) => Some(identity("owner", &owner)?),
        (None | Some(Value::Null), Some(Value::String(id))) => Some(id),
        (None | Some(Value::Null), None | Some(Value::Null)) => None,
        (Some(other), _) => {
            return Err(Failure::invalid(format!("owner is {}: expected an object", json_type(&other))));
        }
        (None, Some(other)) => {
            return Err(Failure::invalid(format!("ownerId is {}: expected a text", json_type(&other))));
        }
    };
    for name in READ_ONLY {
        object.remove(name);
    }
    if let Some(filters) = object.get("filters").and_then(Value::as_object) {
        read_filters(filters)?;
    }
    for name in ["indices", "query"] {
        if object.get(name).is_none_or(Value::is_null) {
            let expected = if name == "query" { "the text of the query" } else { "names of indices" };
            return Err(Failure::invalid(format!("{name} is missing: expected {expected}")));
        }
    }
    let content = read_member_by_member(&object)?;
    Ok((content, owner))
}

/// The content of an object. Each member is read by itself first, so that an error names it.
fn read_member_by_member(object: &Map<String, Value>) -> Result<SavedSearchContent, Failure> {
    for (name, value) in object {
        let mut alone = Map::new();
        alone.insert("indices".into(), Value::Array(Vec::new()));
        alone.insert("query".into(), "".into());
        alone.insert(name.clone(), value.clone());
        serde_json::from_value::<SavedSearchContent>(alone.into())
            .map_err(|error| Failure::invalid(format!("{name}: {error}")))?;
    }
    serde_json::from_value(object.clone().into()).map_err(|error| Failure::invalid(error.to_string()))
}

/// A search to be kept.
pub(crate) struct NewRequest(SavedSearchContent);

impl Input for NewRequest {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        // A new one is the caller's, whatever the body says.
        Ok(Self(content(object)?.0))
    }
}

/// Which saved search gets which content.
pub(crate) struct ReplaceRequest {
    id: SavedSearchId,
    content: SavedSearchContent,
    owner: Option<String>,
}

impl Input for ReplaceRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = SavedSearchId::new(Id::of(&mut parts).await?.0);
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        let (content, owner) = content(object)?;
        Ok(Self { id, content, owner })
    }
}

/// Which saved searches are asked for.
pub(crate) struct ListRequest(SavedSearchQuery);

impl Input for ListRequest {
    async fn read(_: &AppState, parts: Parts, _: Body) -> Result<Self, Failure> {
        const FIELDS: &[FilterField<()>] = &[("owner.id", (), &[Operator::Equals])];
        let query = Query::of(&parts)?;
        let Part { limit, offset, count: counted } = Part::of(&query)?;
        let mut owner = None;
        for Condition { test, .. } in
            query.text("filters").map_or(Ok(Vec::new()), |text| conditions(text, FIELDS))?
        {
            let value = match test {
                Test::OneOf(values) => values.into_iter().next(),
                // It has no such operator.
                Test::Null | Test::StartsWith(_) | Test::Contains(_) => None,
            };
            if owner.is_some() && owner != value {
                return Err(Failure::invalid("filters: owner.id is asked for twice: expected once"));
            }
            owner = value;
        }
        Ok(Self(SavedSearchQuery { owner, offset, limit, counted }))
    }
}

/// Which saved search is executed, and how.
pub(crate) struct ExecuteRequest {
    id: SavedSearchId,
    execution: Execution,
}

impl Input for ExecuteRequest {
    async fn read(state: &AppState, mut parts: Parts, body: Body) -> Result<Self, Failure> {
        let id = SavedSearchId::new(Id::of(&mut parts).await?.0);
        let object = json_object(state, &parts, body).await?.unwrap_or_default();
        check_members(&object, &["scheduleId", "owner", "recipients"])?;
        let given = |name: &str| object.get(name).filter(|value| !value.is_null());
        let execution = match (given("scheduleId"), given("owner"), given("recipients")) {
            (Some(Value::String(schedule)), _, _) => Execution::Scheduled(ScheduleId::new(schedule)),
            (Some(other), _, _) => {
                return Err(Failure::invalid(format!("scheduleId is {}: expected a text", json_type(other))));
            }
            (None, Some(owner), Some(recipients)) => Execution::Test {
                owner: identity("owner", owner)?,
                recipients: identities("recipients", recipients)?,
            },
            (None, _, _) => {
                return Err(Failure::invalid(
                    "scheduleId is missing, and owner or recipients too: expected scheduleId, or owner and recipients",
                ));
            }
        };
        Ok(Self { id, execution })
    }
}

/// Create a saved search
///
/// Keeps a search, whose owner is the caller's user. Nobody else sees it, but for administrators of the organisation.
#[utoipa::path(
    post,
    path = "",
    operation_id = "createSavedSearch",
    tag = "Saved Search",
    request_body(content = NewSavedSearch, description = "The search."),
    responses((status = 201, description = "The saved search.", body = SavedSearchDto)),
)]
pub(crate) async fn create_saved_search(
    Allowed { caller, .. }: Allowed<ManageSavedSearches>,
    state: AppState,
    NewRequest(content): NewRequest,
) -> Result<Response, Failure> {
    let search = state.saved_searches().create(&caller, content).await?;
    Ok(json(StatusCode::CREATED, &saved_search(&search)?))
}

/// A list of saved searches
///
/// The caller's saved searches, in the order in which they were made; all of the tenant for an administrator of the
/// organisation.
#[utoipa::path(
    get,
    path = "",
    operation_id = "listSavedSearches",
    tag = "Saved Search",
    params(
        ("offset" = Option<i32>, Query, minimum = 0, description = "Saved searches left out from the beginning."),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 250, description = "Most saved searches of the answer."),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many there are in all."),
        ("filters" = Option<String>, Query, description = "`owner.id` has `eq`. Texts are in double quotes.",
            example = "owner.id eq \"2c91808568c529c60168cca6f90c1313\""),
    ),
    responses((
        status = 200,
        description = "The saved searches.",
        body = Vec<SavedSearchDto>,
        headers(("X-Total-Count" = i64, description = "With `count=true`: how many there are in all.")),
    )),
)]
pub(crate) async fn list_saved_searches(
    Allowed { caller, .. }: Allowed<ReadSavedSearches>,
    state: AppState,
    ListRequest(wanted): ListRequest,
) -> Result<Response, Failure> {
    let page = state.saved_searches().list(&caller, wanted).await?;
    let searches = page.searches.iter().map(saved_search).collect::<Result<Vec<_>, _>>()?;
    Ok(with_total(json(StatusCode::OK, &searches), page.total))
}

/// Return saved search by id
///
/// A saved search.
#[utoipa::path(
    get,
    path = "/{id}",
    operation_id = "getSavedSearch",
    tag = "Saved Search",
    params(("id" = String, Path, description = "Id of the saved search.")),
    responses((status = 200, description = "The saved search.", body = SavedSearchDto), NotFound),
)]
pub(crate) async fn get_saved_search(
    Allowed { caller, .. }: Allowed<ReadSavedSearches>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let search = state.saved_searches().show(&caller, &SavedSearchId::new(id)).await?;
    Ok(json(StatusCode::OK, &saved_search(&search)?))
}

/// Updates an existing saved search
///
/// Replaces all of a saved search but its id, its owner and its time of creation.
#[utoipa::path(
    put,
    path = "/{id}",
    operation_id = "putSavedSearch",
    tag = "Saved Search",
    params(("id" = String, Path, description = "Id of the saved search.")),
    request_body(content = SavedSearchDto, description = "The search."),
    responses((status = 200, description = "The saved search as it is then.", body = SavedSearchDto), NotFound),
)]
pub(crate) async fn put_saved_search(
    Allowed { caller, .. }: Allowed<ManageSavedSearches>,
    state: AppState,
    ReplaceRequest { id, content, owner }: ReplaceRequest,
) -> Result<Response, Failure> {
    let search = state.saved_searches().replace(&caller, &id, content, owner.as_deref()).await?;
    Ok(json(StatusCode::OK, &saved_search(&search)?))
}

/// Delete document by id
///
/// Removes a saved search. Scheduled searches of it stay, and their executions fail.
#[utoipa::path(
    delete,
    path = "/{id}",
    operation_id = "deleteSavedSearch",
    tag = "Saved Search",
    params(("id" = String, Path, description = "Id of the saved search.")),
    responses((status = 204, description = "The saved search is removed."), NotFound),
)]
pub(crate) async fn delete_saved_search(
    Allowed { caller, .. }: Allowed<ManageSavedSearches>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    state.saved_searches().remove(&caller, &SavedSearchId::new(id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Execute a saved search by id
///
/// Starts the report SEARCH_EXPORT with the query, the indices, the columns, the order and the filters of the saved search,
/// and the caller's rights. The recipients get mail when it has ended. With `scheduleId`, makes a run of that scheduled
/// search at once.
#[utoipa::path(
    post,
    path = "/{id}/execute",
    operation_id = "executeSavedSearch",
    tag = "Saved Search",
    params(("id" = String, Path, description = "Id of the saved search.")),
    request_body(content = SearchArguments, description = "How it is executed."),
    responses((status = 202, description = "It is accepted."), NotFound),
)]
pub(crate) async fn execute_saved_search(
    Allowed { caller, .. }: Allowed<ExecuteSavedSearch>,
    state: AppState,
    ExecuteRequest { id, execution }: ExecuteRequest,
) -> Result<Response, Failure> {
    state.saved_searches().execute(&caller, &id, execution).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
