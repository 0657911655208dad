//! The history of identities: the published operations of historical-identities.

mod answer;
mod request;

use crate::access::{Allowed, ListAccess, ReadHistory};
use crate::collection::{Part, with_total};
use crate::failure::{Failure, json};
use crate::input::Id;
use crate::openapi::answers::{HistoryInterval, NotFound};
use crate::state::AppState;
use crate::task_json::timestamp;
use axum::http::StatusCode;
use axum::response::Response;
use muster_reports::service::EventSpan;
use muster_wire::{
    AccessItemDiff, AccessItemResponse, IdentityCompareResponse, IdentityEvent, IdentityHistoryResponse,
    IdentityListItem, IdentitySnapshotSummaryResponse, MetricResponse,
};
use request::{
    AccessAtRequest, AccessRequest, AtRequest, CompareRequest, CompareTypeRequest, EventsRequest,
    PeopleRequest, SnapshotsRequest, SummaryRequest,
};
use serde::Serialize;

/// The part of a list that is asked for.
fn part<T, J: Serialize>(
    state: &AppState,
    part: Part,
    all: &[T],
    shown: impl FnMut(&T) -> J,
) -> Result<Response, Failure> {
    let whole = |number| usize::try_from(number).unwrap_or(usize::MAX);
    let entries: Vec<J> = all.iter().skip(whole(part.offset)).take(whole(part.limit)).map(shown).collect();
    let total = u64::try_from(all.len()).unwrap_or(u64::MAX);
    Ok(with_total(state.inner().search_answers.json(&entries)?, part.count.then_some(total)))
}

/// Lists all the identities
///
/// The identities of all kept snapshots, with those that have left, by display name and then by id. Each is as the newest
/// snapshot that shows it has it. The list is never counted.
#[utoipa::path(
    get,
    path = "",
    operation_id = "listHistoricalIdentities",
    tag = "Identity History",
    params(
        ("starts-with-query" = Option<String>, Query, description = "The beginning of a first, last or display name, in \
            any case.", example = "Ada"),
        ("is-deleted" = Option<bool>, Query, description = "Only identities that have left, or only those that have not."),
        ("is-active" = Option<bool>, Query, description = "Only active identities, or only others."),
        ("limit" = Option<i32>, Query, description = "Most identities of the answer.", minimum = 0, maximum = 250),
        ("offset" = Option<i32>, Query, description = "Identities left out from the beginning.", minimum = 0),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses((status = 200, description = "The identities.", body = Vec<IdentityListItem>), NotFound),
)]
pub(crate) async fn list_historical_identities(
    Allowed { caller, .. }: Allowed<ReadHistory>,
    state: AppState,
    PeopleRequest(query): PeopleRequest,
) -> Result<Response, Failure> {
    let people = state.reports().historical_identities(&caller, &query).await?;
    Ok(json(StatusCode::OK, &people.iter().map(answer::listed).collect::<Vec<_>>()))
}

/// Get latest snapshot of identity
///
/// The identity as the newest snapshot that shows it has it.
#[utoipa::path(
    get,
    path = "/{id}",
    operation_id = "getHistoricalIdentity",
    tag = "Identity History",
    params(
        ("id" = String, Path, description = "Id of the identity."),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses((status = 200, description = "The identity.", body = IdentityHistoryResponse), NotFound),
)]
pub(crate) async fn get_historical_identity(
    Allowed { caller, .. }: Allowed<ReadHistory>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let seen = state.reports().historical_identity(&caller, &id).await?;
    Ok(json(StatusCode::OK, &answer::identity(&id, &seen)))
}

/// List access items by identity
///
/// What the identity has, as the newest snapshot that shows it has it, by id.
#[utoipa::path(
    get,
    path = "/{id}/access-items",
    operation_id = "listIdentityAccessItems",
    tag = "Identity History",
    params(
        ("id" = String, Path, description = "Id of the identity."),
        ("type" = Option<muster_wire::AccessItemType>, Query, description = "The type of access item; `account` without it."),
        ("limit" = Option<i32>, Query, description = "Most access items of the answer.", minimum = 0, maximum = 250),
        ("offset" = Option<i32>, Query, description = "Access items left out from the beginning.", minimum = 0),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many access items there are."),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses(
        (
            status = 200,
            description = "The access items.",
            body = Vec<AccessItemResponse>,
            headers(("X-Total-Count" = i64, description = "With `count=true`: how many access items there are.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn list_access_items(
    Allowed { caller, .. }: Allowed<ListAccess>,
    state: AppState,
    AccessRequest { id, kind, page }: AccessRequest,
) -> Result<Response, Failure> {
    let items = state.reports().access_items(&caller, &id, kind).await?;
    part(&state, page, &items, |item| answer::item(item))
}

/// Lists all the snapshots for the identity
///
/// The kept snapshots that show the identity, the newest first.
#[utoipa::path(
    get,
    path = "/{id}/snapshots",
    operation_id = "listIdentitySnapshots",
    tag = "Identity History",
    params(
        ("id" = String, Path, description = "Id of the identity."),
        ("start" = Option<String>, Query, description = "Only snapshots of this time or later: a time in RFC 3339, or a \
            date, which is its beginning in UTC.", example = "2026-03-01T13:00:00Z"),
        ("interval" = Option<HistoryInterval>, Query, description = "Only snapshots of a day, or of a month, from `start` on."),
        ("limit" = Option<i32>, Query, description = "Most snapshots of the answer.", minimum = 0, maximum = 250),
        ("offset" = Option<i32>, Query, description = "Snapshots left out from the beginning.", minimum = 0),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many snapshots there are."),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses(
        (
            status = 200,
            description = "The snapshots.",
            body = Vec<IdentitySnapshotSummaryResponse>,
            headers(("X-Total-Count" = i64, description = "With `count=true`: how many snapshots there are.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn list_snapshots(
    Allowed { caller, .. }: Allowed<ReadHistory>,
    state: AppState,
    SnapshotsRequest { id, from, before, page }: SnapshotsRequest,
) -> Result<Response, Failure> {
    let snapshots = state.reports().identity_snapshots(&caller, &id, from, before).await?;
    part(&state, page, &snapshots, |taken| IdentitySnapshotSummaryResponse {
        snapshot: Some(timestamp(*taken)),
    })
}

/// Gets an identity snapshot at a given date
///
/// The identity as the newest kept snapshot has it that was made at the time or before.
#[utoipa::path(
    get,
    path = "/{id}/snapshots/{date}",
    operation_id = "getIdentitySnapshot",
    tag = "Identity History",
    params(
        ("id" = String, Path, description = "Id of the identity."),
        ("date" = String, Path, description = "A time in RFC 3339, or a date, which is its end in UTC.",
            example = "2026-03-01T13:00:00Z"),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses((status = 200, description = "The identity.", body = IdentityHistoryResponse), NotFound),
)]
pub(crate) async fn get_snapshot(
    Allowed { caller, .. }: Allowed<ReadHistory>,
    state: AppState,
    AtRequest { id, moment }: AtRequest,
) -> Result<Response, Failure> {
    let seen = state.reports().identity_at(&caller, &id, moment).await?;
    Ok(json(StatusCode::OK, &answer::identity(&id, &seen)))
}

/// Gets the list of identity access items at a given date filterd by item type
///
/// What the identity had, as the newest kept snapshot has it that was made at the time or before, by type and id.
#[utoipa::path(
    get,
    path = "/{id}/snapshots/{date}/access-items",
    operation_id = "listIdentitySnapshotAccessItems",
    tag = "Identity History",
    params(
        ("id" = String, Path, description = "Id of the identity."),
        ("date" = String, Path, description = "A time in RFC 3339, or a date, which is its end in UTC.",
            example = "2026-03-01T13:00:00Z"),
        ("type" = Option<String>, Query, description = "The type of access item; all types without it.", example = "account"),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses((status = 200, description = "The access items.", body = Vec<AccessItemResponse>), NotFound),
)]
pub(crate) async fn list_snapshot_access_items(
    Allowed { caller, .. }: Allowed<ReadHistory>,
    state: AppState,
    AccessAtRequest { id, moment, kind }: AccessAtRequest,
) -> Result<Response, Failure> {
    let items = state.reports().access_items_at(&caller, &id, moment, kind).await?;
    let items: Vec<_> = items.iter().map(|item| answer::item(item)).collect();
    state.inner().search_answers.json(&items)
}

/// List identity event history
///
/// The differences of consecutive kept snapshots, the newest first. An event has the time of the first snapshot that
/// shows it. The first kept snapshot has no events.
#[utoipa::path(
    get,
    path = "/{id}/events",
    operation_id = "getHistoricalIdentityEvents",
    tag = "Identity History",
    params(
        ("id" = String, Path, description = "Id of the identity."),
        ("from" = Option<String>, Query, description = "Only events of this time or later: a time in RFC 3339, or a date, \
            which is its beginning in UTC.", example = "2026-03-01T13:00:00Z"),
        ("eventTypes" = Option<Vec<String>>, Query, description = "Only these types of event, such as \
            `AccessItemAssociated` or `AccessAddedEvent`.", example = json!(["AccessAddedEvent", "AccessRemovedEvent"])),
        ("accessItemTypes" = Option<Vec<String>>, Query, description = "Only events about these types of access item, \
            and changes of attributes.", example = json!(["entitlement", "account"])),
        ("limit" = Option<i32>, Query, description = "Most events of the answer.", minimum = 0, maximum = 250),
        ("offset" = Option<i32>, Query, description = "Events left out from the beginning.", minimum = 0),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many events there are."),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses(
        (
            status = 200,
            description = "The events.",
            body = Vec<IdentityEvent>,
            headers(("X-Total-Count" = i64, description = "With `count=true`: how many events there are.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn list_events(
    Allowed { caller, .. }: Allowed<ReadHistory>,
    state: AppState,
    EventsRequest { id, from, filter, page }: EventsRequest,
) -> Result<Response, Failure> {
    let mut events = state.reports().identity_events(&caller, &id, EventSpan { from, before: None }).await?;
    events.retain(|event| filter.has(&event.change));
    part(&state, page, &events, |event| answer::event(&id, event))
}

/// Gets the summary for the event count for a specific identity
///
/// How many events each day or month has, the newest first. Those without events are left out.
#[utoipa::path(
    get,
    path = "/{id}/snapshot-summary",
    operation_id = "getIdentitySnapshotSummary",
    tag = "Identity History",
    params(
        ("id" = String, Path, description = "Id of the identity."),
        ("before" = Option<String>, Query, description = "Only events before this time: a time in RFC 3339, or a date, which \
            is its beginning in UTC.", example = "2026-03-01T13:00:00Z"),
        ("interval" = Option<HistoryInterval>, Query, description = "`day` or `month`, which is the default."),
        ("time-zone" = Option<String>, Query, description = "The time zone whose days and months are counted, such as \
            `Europe/Berlin`; UTC without it.", example = "UTC"),
        ("limit" = Option<i32>, Query, description = "Most numbers of the answer.", minimum = 0, maximum = 250),
        ("offset" = Option<i32>, Query, description = "Numbers left out from the beginning.", minimum = 0),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many numbers there are."),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses(
        (
            status = 200,
            description = "The numbers.",
            body = Vec<MetricResponse>,
            headers(("X-Total-Count" = i64, description = "With `count=true`: how many numbers there are.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn get_snapshot_summary(
    Allowed { caller, .. }: Allowed<ReadHistory>,
    state: AppState,
    SummaryRequest { id, before, interval, zone, page }: SummaryRequest,
) -> Result<Response, Failure> {
    let bars = state.reports().identity_event_counts(&caller, &id, before, interval, zone).await?;
    part(&state, page, &bars, |(start, events)| MetricResponse {
        name: Some(timestamp(*start)),
        value: Some(*events),
    })
}

/// Gets the start date of the identity
///
/// When a refresh first made the identity; the snapshot of that time may have expired since.
#[utoipa::path(
    get,
    path = "/{id}/start-date",
    operation_id = "getIdentityStartDate",
    tag = "Identity History",
    params(
        ("id" = String, Path, description = "Id of the identity."),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses(
        (
            status = 200,
            description = "The time, RFC 3339 in UTC with milliseconds.",
            body = String,
            content_type = "application/json",
            example = json!("2026-03-01T13:00:00.000Z"),
        ),
        NotFound,
    ),
)]
pub(crate) async fn get_start_date(
    Allowed { caller, .. }: Allowed<ReadHistory>,
    state: AppState,
    Id(id): Id,
) -> Result<Response, Failure> {
    let start = state.reports().identity_start(&caller, &id).await?;
    Ok(json(StatusCode::OK, &timestamp(start)))
}

/// Gets a difference of count for each access item types for the given identity between 2 snapshots
///
/// How many access items of each type the identity gained and lost between the snapshots of two times.
#[utoipa::path(
    get,
    path = "/{id}/compare",
    operation_id = "compareIdentitySnapshots",
    tag = "Identity History",
    params(
        ("id" = String, Path, description = "Id of the identity."),
        ("snapshot1" = Option<String>, Query, description = "The time of the first snapshot, as in `/snapshots/{date}`; \
            without it, the snapshot before the second one.", example = "2026-03-01T13:00:00Z"),
        ("snapshot2" = Option<String>, Query, description = "The time of the second snapshot; without it, the newest \
            snapshot.", example = "2026-04-01T13:00:00Z"),
        ("accessItemTypes" = Option<Vec<String>>, Query, description = "The types of access item; all without it."),
        ("limit" = Option<i32>, Query, description = "Most entries of the answer, which has one.", minimum = 0, maximum = 250),
        ("offset" = Option<i32>, Query, description = "Entries left out from the beginning.", minimum = 0),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many entries there are."),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses(
        (
            status = 200,
            description = "One object with the numbers.",
            body = Vec<IdentityCompareResponse>,
            headers(("X-Total-Count" = i64, description = "With `count=true`: how many entries there are.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn compare_snapshots(
    Allowed { caller, .. }: Allowed<ReadHistory>,
    state: AppState,
    CompareRequest { id, first, second, types, page }: CompareRequest,
) -> Result<Response, Failure> {
    let difference = state.reports().compare_access(&caller, &id, first, second).await?;
    part(&state, page, &[difference], |difference| answer::counts(difference, &types))
}

/// Gets a list of differences of specific accesstype for the given identity between 2 snapshots
///
/// The access items of a type that the identity gained and lost between the snapshots of two times, by id.
#[utoipa::path(
    get,
    path = "/{id}/compare/{accessType}",
    operation_id = "compareIdentitySnapshotsAccessType",
    tag = "Identity History",
    params(
        ("id" = String, Path, description = "Id of the identity."),
        ("accessType" = muster_wire::AccessItemType, Path, description = "The type of access item."),
        ("access-associated" = Option<bool>, Query, description = "True for gained access items only, false for lost ones \
            only."),
        ("snapshot1" = Option<String>, Query, description = "The time of the first snapshot, as in `/snapshots/{date}`; \
            without it, the snapshot before the second one.", example = "2026-03-01T13:00:00Z"),
        ("snapshot2" = Option<String>, Query, description = "The time of the second snapshot; without it, the newest \
            snapshot.", example = "2026-04-01T13:00:00Z"),
        ("limit" = Option<i32>, Query, description = "Most access items of the answer.", minimum = 0, maximum = 250),
        ("offset" = Option<i32>, Query, description = "Access items left out from the beginning.", minimum = 0),
        ("count" = Option<bool>, Query, description = "Whether the answer says how many access items there are."),
        ("X-SailPoint-Experimental" = String, Header, description = "Any value; the service does not need it."),
    ),
    responses(
        (
            status = 200,
            description = "The access items.",
            body = Vec<AccessItemDiff>,
            headers(("X-Total-Count" = i64, description = "With `count=true`: how many access items there are.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn compare_snapshots_of_type(
    Allowed { caller, .. }: Allowed<ReadHistory>,
    state: AppState,
    CompareTypeRequest { id, kind, first, second, added, page }: CompareTypeRequest,
) -> Result<Response, Failure> {
    let difference = state.reports().compare_access(&caller, &id, first, second).await?;
    let changes = answer::changes(&difference, kind, added);
    part(&state, page, &changes, AccessItemDiff::clone)
}
