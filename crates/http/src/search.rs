//! The published search operations: search, its count, and the document of an id.

mod body;

use crate::access::{Allowed, CountSearch, Search};
use crate::failure::{Failure, json};
use crate::input::{Input, Query};
use crate::openapi::answers::NotFound;
use crate::settings::Settings;
use crate::state::AppState;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use body::SearchBody;
use muster_reports::error::shown;
use muster_reports::search::{DocumentPage, DocumentSearch, FoundDocument, PAGE_DOCUMENTS_MAX};
use muster_wire::{Search as SearchDto, SearchDocument};
use serde_json::Value;

/// How many documents a search finds.
const TOTAL: HeaderName = HeaderName::from_static("x-total-count");

/// The version of the documents' form, as the published examples have it.
const VERSION: &str = "v2";

/// The type of document that has a field `type` of its own.
const EVENT: &str = "event";

/// A search, and the page of it.
pub(crate) struct PageRequest {
    search: DocumentSearch,
    page: DocumentPage,
}

impl Input for PageRequest {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let query = Query::of(&parts)?;
        let (offset, limit) = (number(&query, "offset")?, number(&query, "limit")?);
        let counted = query.flag("count")?;
        let SearchBody { search, after, fields } = SearchBody::from_request(state, &parts, body).await?;
        let (offset, limit) = (offset.unwrap_or(0), limit.unwrap_or(PAGE_DOCUMENTS_MAX));
        Ok(Self { search, page: DocumentPage { offset, limit, after, counted, fields } })
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
        ("limit" = Option<u32>, Query, maximum = 250, description = "Most documents to return, at most 250, which is the \
            default."),
        ("count" = Option<bool>, Query, description = "Whether X-Total-Count is returned."),
    ),
    request_body(content = SearchDto, description = "What to search for."),
    responses(
        (
            status = 200,
            description = "The documents.",
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
    PageRequest { search, page }: PageRequest,
) -> Result<Response, Failure> {
    let found = state.reports().search(&caller, &search, &page).await?;
    let documents: Vec<_> =
        found.documents.into_iter().map(|document| shown_in_search(document, state.settings())).collect();
    let mut response = state.inner().search_answers.json(&documents)?;
    if let Some(total) = found.total {
        response.headers_mut().insert(TOTAL, HeaderValue::from(total));
    }
    Ok(response)
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
    SearchBody { search, .. }: SearchBody,
) -> Result<Response, Failure> {
    let total = state.reports().count_search(&caller, &search).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(TOTAL, HeaderValue::from(total));
    Ok(response)
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
        ("index" = String, Path, description = "`accessprofiles`, `accountactivities`, `entitlements`, `events`, \
            `identities` or `roles`."),
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
        Some(document) => Ok(json(StatusCode::OK, &SearchDocument(document.fields))),
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
