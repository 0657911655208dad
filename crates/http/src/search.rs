//! The published search operations: search, its count, aggregations, and the document of an id.

mod aggregations;
mod body;
mod members;

use crate::access::{AggregateSearch, Allowed, CountSearch, Search};
use crate::collection::{Part, with_total};
use crate::failure::{Failure, json as json_answer};
use crate::input::{Input, Query};
use crate::openapi::answers::{IndexParameter, NotFound};
use crate::settings::Settings;
use crate::state::AppState;
use aggregations::{Language, aggregations};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use body::{CountBody, Purpose, SearchBody, object_of};
use chrono::{DateTime, SecondsFormat};
use muster_reports::aggregation::{Aggregated, Aggregation, Bucket, BucketKey, TypeAhead};
use muster_reports::error::shown;
use muster_reports::search::{DocumentPage, DocumentSearch, FoundDocument, PAGE_DOCUMENTS_DEFAULT};
use muster_wire::{AggregationResult, Search as SearchDto, SearchDocument};
use serde_json::{Map, Value, json};

/// The version of the documents' form, as the published examples have it.
const VERSION: &str = "v2";

/// The type of document that has a field `type` of its own.
const EVENT: &str = "event";

/// A search, and what is asked of it.
pub(crate) struct PageRequest {
    search: DocumentSearch,
    wanted: Wanted,
}

/// What a search answers.
enum Wanted {
    Documents(DocumentPage),
    Values(TypeAhead),
}

impl Input for PageRequest {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let query = Query::of(&parts)?;
        let (offset, limit) = (number(&query, "offset")?, number(&query, "limit")?);
        let counted = query.flag("count")?;
        let object = object_of(state, &parts, body).await?;
        let SearchBody { search, after, fields, ahead } = SearchBody::of(&object, Purpose::Find)?;
        let (offset, limit) = (offset.unwrap_or(0), limit.unwrap_or(PAGE_DOCUMENTS_DEFAULT));
        let wanted = match ahead {
            Some(ahead) => Wanted::Values(ahead),
            None => Wanted::Documents(DocumentPage { offset, limit, after, counted, fields }),
        };
        Ok(Self { search, wanted })
    }
}

fn number(query: &Query, name: &str) -> Result<Option<u32>, Failure> {
    let Some(text) = query.text(name) else { return Ok(None) };
    let number = text.parse().map_err(|_| {
        Failure::invalid(format!("{name} is {}: expected a whole number from 0 up", shown(text)))
    })?;
    Ok(Some(number))
}

/// Perform search
///
/// The documents that a search finds, in order. To read more documents than one page has, repeat the request with
/// `searchAfter`, the sort values of the last document of the page before. All pages read the snapshot of the first one.
#[utoipa::path(
    post,
    path = "",
    operation_id = "searchPost",
    tag = "Search",
    params(
        ("offset" = Option<u32>, Query, description = "Documents to leave out at the beginning. With `limit`, at most \
            10,000."),
        ("limit" = Option<u32>, Query, maximum = 10_000, description = "Most documents to return; 250 where it is \
            absent."),
        ("count" = Option<bool>, Query, description = "Whether X-Total-Count is returned."),
    ),
    request_body(content = SearchDto, description = "What to search for."),
    responses(
        (
            status = 200,
            description = "The documents; for the query type TYPEAHEAD a list of texts.",
            body = Vec<SearchDocument>,
            headers(("X-Total-Count" = i64, description = "With `count=true`, how many documents the search finds, \
                whatever `offset`, `limit` and `searchAfter` are.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn search_documents(
    Allowed { caller, .. }: Allowed<Search>,
    state: AppState,
    PageRequest { search, wanted }: PageRequest,
) -> Result<Response, Failure> {
    let page = match wanted {
        Wanted::Documents(page) => page,
        Wanted::Values(ahead) => {
            let values = state.reports().values_ahead(&caller, &search, &ahead).await?;
            return state.inner().search_answers.json(&values);
        }
    };
    let found = state.reports().search(&caller, &search, &page).await?;
    let documents: Vec<_> =
        found.documents.into_iter().map(|document| shown_in_search(document, state.settings())).collect();
    Ok(with_total(state.inner().search_answers.json(&documents)?, found.total))
}

/// Count documents satisfying a query
///
/// How many documents a search finds in the newest snapshot. `sort` and `searchAfter` change nothing.
#[utoipa::path(
    post,
    path = "/count",
    operation_id = "searchCount",
    tag = "Search",
    request_body(content = SearchDto, description = "What to search for."),
    responses(
        (
            status = 204,
            description = "The number is in the header.",
            headers(("X-Total-Count" = i64, description = "How many documents the search finds.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn count_documents(
    Allowed { caller, .. }: Allowed<CountSearch>,
    state: AppState,
    CountBody(search): CountBody,
) -> Result<Response, Failure> {
    let total = state.reports().count_search(&caller, &search).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(with_total(response, Some(total)))
}

/// A search, a page of it, and aggregations.
pub(crate) struct AggregationRequest {
    search: DocumentSearch,
    page: DocumentPage,
    aggregations: Vec<Aggregation>,
    is_csv: bool,
}

impl Input for AggregationRequest {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let Part { limit, offset, count: counted } = Part::of(&Query::of(&parts)?)?;
        let object = object_of(state, &parts, body).await?;
        let (aggregations, language) = aggregations(&object)?;
        let SearchBody { search, after, fields, .. } = SearchBody::of(&object, Purpose::Aggregate)?;
        let page = DocumentPage { offset, limit, after, counted, fields };
        let is_csv = language == Language::Sailpoint && wants_csv(&parts.headers);
        Ok(Self { search, page, aggregations, is_csv })
    }
}

/// Whether CSV is accepted and JSON is not. Generated clients accept both.
fn wants_csv(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted = accepted.flat_map(|value| value.split(','));
    let types: Vec<_> =
        accepted.map(|part| part.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()).collect();
    let has = |name: &str| types.iter().any(|accepted| accepted == name);
    has("text/csv") && !has("application/json")
}

/// Perform a search query aggregation
///
/// Aggregations over all documents that a search finds, and some of these documents, of one snapshot. Without a query, over
/// all documents.
#[utoipa::path(
    post,
    path = "/aggregate",
    operation_id = "searchAggregate",
    tag = "Search",
    params(
        ("offset" = Option<i32>, Query, minimum = 0, description = "Documents of `hits` to leave out at the beginning."),
        ("limit" = Option<i32>, Query, minimum = 0, maximum = 250, description = "Most documents of `hits`; 250 where it \
            is absent."),
        ("count" = Option<bool>, Query, description = "Whether X-Total-Count is returned."),
    ),
    request_body(content = SearchDto, description = "What to search for, and the aggregations."),
    responses(
        (
            status = 200,
            description = "The aggregations. As CSV where `Accept` has `text/csv` without `application/json`, and the \
                `aggregationType` is `SAILPOINT`: a row for each of the innermost buckets.",
            content((AggregationResult = "application/json"), (String = "text/csv")),
            headers(("X-Total-Count" = i64, description = "With `count=true`, how many documents the search finds.")),
        ),
        NotFound,
    ),
)]
pub(crate) async fn aggregate_documents(
    Allowed { caller, .. }: Allowed<AggregateSearch>,
    state: AppState,
    AggregationRequest { search, page, aggregations, is_csv }: AggregationRequest,
) -> Result<Response, Failure> {
    let reports = state.reports();
    let (found, aggregated) = reports.aggregate(&caller, &search, &page, &aggregations).await?;
    let response = if is_csv {
        state.inner().search_answers.csv(reports.documents.csv(&aggregations, &aggregated)?)?
    } else {
        let documents = found.documents.into_iter();
        state.inner().search_answers.json(&AggregationResult {
            aggregations: members(&aggregated),
            hits: documents.map(|document| shown_in_search(document, state.settings())).collect(),
        })?
    };
    Ok(with_total(response, found.total))
}

/// Aggregations by name, in Elasticsearch's form.
fn members(aggregated: &[(String, Aggregated)]) -> Map<String, Value> {
    aggregated.iter().map(|(name, aggregated)| (name.clone(), aggregation_json(aggregated))).collect()
}

fn aggregation_json(aggregated: &Aggregated) -> Value {
    match aggregated {
        Aggregated::Objects { objects, inner } => {
            let mut found = members(inner);
            found.insert("doc_count".into(), json!(objects));
            found.into()
        }
        Aggregated::Buckets { buckets, other_objects } => json!({
            "doc_count_error_upper_bound": 0,
            "sum_other_doc_count": other_objects,
            "buckets": buckets.iter().map(bucket_json).collect::<Vec<_>>(),
        }),
        Aggregated::Count(count) => json!({ "value": count }),
        Aggregated::Number(number) => json!({ "value": number }),
        Aggregated::Moment(None) => json!({ "value": null }),
        Aggregated::Moment(Some(millis)) => json!({ "value": millis, "value_as_string": moment(*millis) }),
    }
}

fn bucket_json(bucket: &Bucket) -> Value {
    let mut found = members(&bucket.inner);
    let (key, text) = match &bucket.key {
        BucketKey::Text(text) => (json!(text), None),
        BucketKey::Whole(number) => (json!(number), None),
        BucketKey::Flag(flag) => (json!(u8::from(*flag)), Some(flag.to_string())),
        BucketKey::Moment(millis) => (json!(millis), DateTime::from_timestamp_millis(*millis).map(rfc3339)),
    };
    found.insert("key".into(), key);
    if let Some(text) = text {
        found.insert("key_as_string".into(), text.into());
    }
    found.insert("doc_count".into(), json!(bucket.objects));
    found.into()
}

#[expect(clippy::cast_possible_truncation, reason = "a fraction of a millisecond is not shown")]
fn moment(millis: f64) -> Option<String> {
    DateTime::from_timestamp_millis(millis as i64).map(rfc3339)
}

fn rfc3339(time: DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The index and the id of a document.
pub(crate) struct DocumentRequest {
    index: String,
    id: String,
}

impl Input for DocumentRequest {
    async fn read(_: &AppState, mut parts: Parts, _: Body) -> Result<Self, Failure> {
        let both = Path::<(String, String)>::from_request_parts(&mut parts, &()).await;
        let Path((index, id)) = both.map_err(|_| {
            Failure::invalid("the path is not UTF-8: expected the name of an index and an id")
        })?;
        if index == "*" {
            return Err(Failure::invalid("index is \"*\": expected the name of one index"));
        }
        Ok(Self { index, id })
    }
}

/// Get a document by id
///
/// The document of an index with this id, in the newest snapshot.
#[utoipa::path(
    get,
    path = "/{index}/{id}",
    operation_id = "searchGet",
    tag = "Search",
    params(
        ("index" = IndexParameter, Path, description = "The index that has the document."),
        ("id" = String, Path, description = "Id of the document."),
    ),
    responses((status = 200, description = "The document.", body = SearchDocument), NotFound),
)]
pub(crate) async fn get_document(
    Allowed { caller, .. }: Allowed<Search>,
    state: AppState,
    DocumentRequest { index, id }: DocumentRequest,
) -> Result<Response, Failure> {
    match state.reports().document(&caller, &index, &id).await? {
        Some(document) => Ok(json_answer(StatusCode::OK, &SearchDocument(document.fields))),
        None => Err(Failure::not_found(format!("there is no document {} in {}", shown(&id), shown(&index)))),
    }
}

/// A document with the fields that every document of a search has.
fn shown_in_search(document: FoundDocument, settings: &Settings) -> SearchDocument {
    let FoundDocument { type_name, mut fields } = document;
    let mut add = |name: &str, value: &str| fields.insert(name.to_owned(), Value::from(value));
    add("_type", type_name);
    add("_version", VERSION);
    add("org", &settings.org);
    add("pod", &settings.pod);
    if type_name != EVENT {
        add("type", type_name);
    }
    SearchDocument(fields)
}
