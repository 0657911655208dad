//! The fields that a query can name: a route of our own.

use crate::access::{Allowed, Search};
use crate::failure::{Failure, json};
use crate::openapi::answers::NotFound;
use crate::state::AppState;
use axum::http::StatusCode;
use axum::response::Response;
use muster_reports::search::IndexFields;
use muster_wire::SearchFieldsDescription;

/// List the fields of searches
///
/// The fields of each index that a query over the newest snapshot can name, for programs that help to write one. Attributes
/// are those of the sources that the caller may see.
#[utoipa::path(
    get,
    path = "/muster/v1/search-fields",
    operation_id = "listSearchFields",
    tag = "Muster",
    responses((status = 200, description = "The fields.", body = Vec<SearchFieldsDescription>), NotFound),
)]
pub(crate) async fn list_search_fields(
    Allowed { caller, .. }: Allowed<Search>,
    state: AppState,
    (): (),
) -> Result<Response, Failure> {
    let named = state.reports().search_fields(&caller).await?;
    let described = named
        .into_iter()
        .map(|IndexFields { index, fields }| SearchFieldsDescription { index: index.to_owned(), fields });
    Ok(json(StatusCode::OK, &described.collect::<Vec<_>>()))
}
