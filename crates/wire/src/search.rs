//! Bodies of the search operations.

use crate::aggregation::SearchAggregationSpecification;
use crate::enumeration::{AggregationType, FilterType, QueryType, SearchIndex};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What to search for, and which of the fields of a document to return. The published `queryDsl` is refused unless it is
/// empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// What to search in; everything where it is absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub indices: Option<Vec<SearchIndex>>,
    /// How the query is written; `SAILPOINT` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub query_type: Option<QueryType>,
    /// The version of the query language. Any text is accepted: what the versions share is understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "5.2")]
    pub query_version: Option<String>,
    /// The query of the type `SAILPOINT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub query: Option<SearchQuery>,
    /// Refused unless it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false, required = false)]
    pub query_dsl: Option<Map<String, Value>>,
    /// The query of the type `TEXT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub text_query: Option<TextQuery>,
    /// The query of the type `TYPEAHEAD`, whose answer is a list of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub type_ahead_query: Option<TypeAheadQuery>,
    /// Whether lists of objects are returned, such as `accounts` and `access`; true where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = true)]
    pub include_nested: Option<bool>,
    /// Which fields are returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub query_result_filter: Option<QueryResultFilter>,
    /// How aggregations are written; `DSL` where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub aggregation_type: Option<AggregationType>,
    /// The version of the language of aggregations. Any text is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "5.2")]
    pub aggregations_version: Option<String>,
    /// Aggregations in Elasticsearch's form: `terms`, `nested`, `filter` with `term`, `cardinality`, `value_count`, `avg`,
    /// `sum`, `min` and `max`, with `aggs` inside of them. For search-aggregate only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false, required = false)]
    pub aggregations_dsl: Option<Map<String, Value>>,
    /// Aggregations. For search-aggregate only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub aggregations: Option<SearchAggregationSpecification>,
    /// Sort keys: `field`, `+field` or `-field`, at most 32. The id is always the last key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = json!(["displayName", "id"]))]
    pub sort: Option<Vec<String>>,
    /// The sort values of the last document of the page before, one for each sort key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = json!(["John Doe", "2c91808375d8e80a0175e1f88a575221"]))]
    pub search_after: Option<Vec<String>>,
    /// By field: conditions beside the query. All of them must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub filters: Option<BTreeMap<String, Filter>>,
}

/// A query. The published `innerHit` is refused unless it is empty, `timeZone` unless it is UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchQuery {
    /// The query's text, in Elasticsearch's `query_string` syntax with nested queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "name:a*")]
    pub query: Option<String>,
    /// The fields in which words without a field are looked for, with commas between them. A list of texts is accepted too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "firstName,lastName,email")]
    pub fields: Option<String>,
    /// The time zone of dates: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "UTC")]
    pub time_zone: Option<String>,
    /// Refused unless it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub inner_hit: Option<InnerHit>,
}

/// Elements of a list as results. It is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InnerHit {
    /// What the elements must satisfy.
    pub query: String,
    /// The list.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Texts to look for in fields of text, in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TextQuery {
    /// The texts.
    #[schema(example = json!(["The quick brown fox", "3141592", "7"]))]
    pub terms: Vec<String>,
    /// The fields.
    #[schema(example = json!(["displayName", "employeeNumber"]))]
    pub fields: Vec<String>,
    /// Whether one of the texts is enough; otherwise all of them must be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = false)]
    pub match_any: Option<bool>,
    /// Whether a text may be anywhere in a field; otherwise a field must begin with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = true)]
    pub contains: Option<bool>,
}

/// The values of a field in which what is typed so far occurs: its words follow each other, and the last one is the beginning
/// of a word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeAheadQuery {
    /// What is typed so far.
    #[schema(example = "Work")]
    pub query: String,
    /// The field; with `nestedType`, of the elements of that list.
    #[schema(example = "source.name")]
    pub field: String,
    /// The list whose elements are counted; documents if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "access")]
    pub nested_type: Option<String>,
    /// It changes nothing: every value that fits is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 1, maximum = 1000, example = 10)]
    pub max_expansions: Option<i32>,
    /// Most values; 100 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, minimum = 1, example = 100)]
    pub size: Option<i32>,
    /// `asc` or `desc`, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "asc")]
    pub sort: Option<String>,
    /// Whether values are sorted by themselves, and not by how many documents or elements have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = true)]
    pub sort_by_value: Option<bool>,
}

/// A condition on a field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    /// What is asked.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub kind: Option<FilterType>,
    /// Of a `RANGE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub range: Option<FilterRange>,
    /// Of `TERMS`: texts that are compared whole and with case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = json!(["HR Employees"]))]
    pub terms: Option<Vec<String>>,
    /// Whether documents that satisfy the condition are left out instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = false)]
    pub exclude: Option<bool>,
}

/// A range of values. An end that is absent is open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilterRange {
    /// The lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub lower: Option<FilterBound>,
    /// The upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub upper: Option<FilterBound>,
}

/// An end of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilterBound {
    /// The limit.
    #[schema(example = "1")]
    pub value: String,
    /// Whether the limit itself is in the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = false)]
    pub inclusive: Option<bool>,
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

/// What came of aggregations, and documents that the search finds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AggregationResult {
    /// By name, in Elasticsearch's form: `buckets` with `key` and `doc_count`, `value` of a metric, `doc_count` of a nested
    /// one and a filter; with what is inside of each.
    #[schema(value_type = Object, required = false)]
    pub aggregations: Map<String, Value>,
    /// Documents, as a search returns them.
    #[schema(required = false)]
    pub hits: Vec<SearchDocument>,
}
