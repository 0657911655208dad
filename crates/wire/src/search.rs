//! Bodies of the search operations.

use crate::enumeration::SearchIndex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What to search for, and which of the fields of a document to return. The published `queryDsl`, `textQuery`,
/// `typeAheadQuery`, `aggregations`, `aggregationsDsl` and `filters` are refused unless they are empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// What to search in; everything where it is absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub indices: Option<Vec<SearchIndex>>,
    /// How the query is written: `SAILPOINT`, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "SAILPOINT")]
    pub query_type: Option<String>,
    /// The version of the query language. Any text is accepted: what the versions share is understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "5.2")]
    pub query_version: Option<String>,
    /// The query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub query: Option<SearchQuery>,
    /// Whether lists of objects are returned, such as `accounts` and `access`; true where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = true)]
    pub include_nested: Option<bool>,
    /// Which fields are returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub query_result_filter: Option<QueryResultFilter>,
    /// Sort keys: `field`, `+field` or `-field`, at most 32. The id is always the last key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = json!(["displayName", "id"]))]
    pub sort: Option<Vec<String>>,
    /// The sort values of the last document of the page before, one for each sort key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = json!(["John Doe", "2c91808375d8e80a0175e1f88a575221"]))]
    pub search_after: Option<Vec<String>>,
}

/// A query. The published `fields` and `innerHit` are refused unless they are empty, `timeZone` unless it is UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchQuery {
    /// The query's text, in Elasticsearch's `query_string` syntax with nested queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "name:a*")]
    pub query: Option<String>,
}

/// Which fields of a document are returned. A `*` in a name stands for any characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueryResultFilter {
    /// Only these, and what is below them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = json!(["name", "displayName"]))]
    pub includes: Option<Vec<String>>,
    /// Not these, nor what is below them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = json!(["stacktrace"]))]
    pub excludes: Option<Vec<String>>,
}

/// A document that a search found: the published document of its type, such as `IdentityDocument`. A field without a
/// value is absent. A document of a search has in addition `_type` and `type` (such as `identity`; the `type` of an event
/// is its own), `_version` (`v2`), `org` and `pod`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub struct SearchDocument(pub Map<String, Value>);
