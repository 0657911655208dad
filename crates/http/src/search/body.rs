//! The body of a search. What this service does not support is refused by its name, and so is what it does not know: a
//! search without one of its conditions finds other documents.

use super::members::Members;
use crate::failure::Failure;
use crate::input::{Input, json_object};
use crate::state::AppState;
use axum::body::Body;
use axum::http::request::Parts;
use muster_reports::aggregation::TypeAhead;
use muster_reports::error::shown;
use muster_reports::search::{DocumentSearch, ShownFields};
use muster_reports::search_filter::{SearchFilters, TextQuery, read_filters};
use serde_json::{Map, Value};

/// The published members.
const KNOWN: [&str; 16] = [
    "indices",
    "queryType",
    "queryVersion",
    "query",
    "queryDsl",
    "textQuery",
    "typeAheadQuery",
    "includeNested",
    "queryResultFilter",
    "aggregationType",
    "aggregationsVersion",
    "aggregationsDsl",
    "aggregations",
    "sort",
    "searchAfter",
    "filters",
];

/// Time zones that move no moment: ours is UTC.
const UNIVERSAL_TIME: [&str; 4] = ["UTC", "Etc/UTC", "GMT", "Z"];

/// Values of a type-ahead where the request says nothing, and the most that `maxExpansions` may be; both as published.
const VALUES_DEFAULT: u32 = 100;
const EXPANSIONS_MAX: u32 = 1_000;

/// A search, with what only a page needs.
pub(crate) struct SearchBody {
    pub(super) search: DocumentSearch,
    pub(super) after: Vec<Option<String>>,
    pub(super) fields: ShownFields,
    /// Of a search for values instead of documents.
    pub(super) ahead: Option<TypeAhead>,
}

/// What a search is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Documents, or values.
    Find,
    /// A number.
    Count,
    /// Aggregations, over everything where there is no query.
    Aggregate,
}

/// The body as an object.
pub(super) async fn object_of(
    state: &AppState,
    parts: &Parts,
    body: Body,
) -> Result<Map<String, Value>, Failure> {
    json_object(state, parts, body)
        .await?
        .ok_or_else(|| Failure::invalid("the body is empty: expected an object with query"))
}

impl SearchBody {
    pub(super) fn of(object: &Map<String, Value>, purpose: Purpose) -> Result<Self, Failure> {
        let object = &Members::of_body(object);
        object.only(&KNOWN)?;
        for name in ["aggregationType", "aggregationsVersion", "queryVersion"] {
            object.text(name)?;
        }
        if purpose != Purpose::Aggregate
            && let Some(name) = ["aggregations", "aggregationsDsl"].into_iter().find(|name| object.says(name))
        {
            return Err(Failure::invalid(format!(
                "{name} is not supported here: expected it in a request to /search/aggregate"
            )));
        }
        let mut search = DocumentSearch {
            indices: object.texts("indices")?,
            sort: object.texts("sort")?,
            filters: filters(object)?,
            ..DocumentSearch::default()
        };
        let mut ahead = None;
        match object.text("queryType")?.unwrap_or("SAILPOINT") {
            "SAILPOINT" => {
                unused(object, &["textQuery", "typeAheadQuery"], "SAILPOINT")?;
                read_query(object, purpose, &mut search)?;
            }
            "TEXT" => {
                unused(object, &["query", "typeAheadQuery"], "TEXT")?;
                search.query = text_query(object)?;
            }
            "TYPEAHEAD" if purpose == Purpose::Find => {
                unused(object, &["query", "textQuery"], "TYPEAHEAD")?;
                search.query = "*".into();
                ahead = Some(type_ahead(object)?);
            }
            "TYPEAHEAD" => {
                return Err(Failure::invalid(
                    "queryType is \"TYPEAHEAD\": expected SAILPOINT or TEXT, because values are found by a search only",
                ));
            }
            other => {
                return Err(Failure::invalid(format!(
                    "queryType is {}: expected SAILPOINT, TEXT or TYPEAHEAD, which are supported",
                    shown(other)
                )));
            }
        }
        object.empty("queryDsl")?;
        let mut fields = ShownFields::default();
        if let Some(nested) = object.flag("includeNested")? {
            fields.nested = nested;
        }
        if let Some(filter) = object.object("queryResultFilter")? {
            filter.only(&["includes", "excludes"])?;
            fields.includes = filter.texts("includes")?;
            fields.excludes = filter.texts("excludes")?;
        }
        Ok(Self { search, after: object.values("searchAfter")?, fields, ahead })
    }
}

/// A search whose documents are counted.
pub(crate) struct CountBody(pub(super) DocumentSearch);

impl Input for CountBody {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        let object = object_of(state, &parts, body).await?;
        Ok(Self(SearchBody::of(&object, Purpose::Count)?.search))
    }
}

/// Refuses what belongs to another type of query: it would change nothing.
fn unused(object: &Members<'_>, names: &[&str], query_type: &str) -> Result<(), Failure> {
    match names.iter().find(|name| object.says(name)) {
        None => Ok(()),
        Some(name) => Err(Failure::invalid(format!(
            "{name} is given and queryType is {query_type}: expected the queryType that {name} belongs to"
        ))),
    }
}

fn filters(object: &Members<'_>) -> Result<SearchFilters, Failure> {
    match object.object("filters")? {
        None => Ok(SearchFilters::new()),
        Some(filters) => Ok(read_filters(filters.object)?),
    }
}

/// The query of the type SAILPOINT.
fn read_query(object: &Members<'_>, purpose: Purpose, search: &mut DocumentSearch) -> Result<(), Failure> {
    let Some(query) = object.object("query")? else {
        if purpose == Purpose::Aggregate {
            search.query = "*".into();
            return Ok(());
        }
        return Err(Failure::invalid(
            "query is missing: expected an object with the text of the query in query",
        ));
    };
    query.only(&["query", "fields", "timeZone", "innerHit"])?;
    query.empty("innerHit")?;
    if let Some(zone) = query.text("timeZone")?.filter(|zone| !UNIVERSAL_TIME.contains(zone))
        && !zone.is_empty()
    {
        return Err(Failure::invalid(format!(
            "query.timeZone is {}: expected UTC, the only one that is supported",
            shown(zone)
        )));
    }
    let text = query
        .text("query")?
        .ok_or_else(|| Failure::invalid("query.query is missing: expected the text of the query"))?;
    text.clone_into(&mut search.query);
    // The schema has a text with commas, the examples have lists.
    let fields = match query.get("fields") {
        Some(Value::String(text)) => vec![text.clone()],
        Some(_) | None => query.texts("fields")?,
    };
    // A weight changes the order of published results, and nothing here.
    let named = fields.iter().flat_map(|names| names.split(','));
    let named = named.map(|name| name.split_once('^').map_or(name, |(name, _)| name).trim());
    search.fields = named.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Ok(())
}

/// The query of the type TEXT, in the search language.
fn text_query(object: &Members<'_>) -> Result<String, Failure> {
    let query = object.needed_object("textQuery", "an object with terms and fields")?;
    query.only(&["terms", "fields", "matchAny", "contains"])?;
    let query = TextQuery {
        terms: query.texts("terms")?,
        fields: query.texts("fields")?,
        match_any: query.flag("matchAny")?.unwrap_or(false),
        contains: query.flag("contains")?.unwrap_or(false),
    };
    Ok(query.clause()?)
}

/// The query of the type TYPEAHEAD.
fn type_ahead(object: &Members<'_>) -> Result<TypeAhead, Failure> {
    let query = object.needed_object("typeAheadQuery", "an object with query and field")?;
    query.only(&["query", "field", "nestedType", "maxExpansions", "size", "sort", "sortByValue"])?;
    query.number("maxExpansions", 1, EXPANSIONS_MAX)?;
    let ascending = match query.text("sort")? {
        None => false,
        Some(order) if order.eq_ignore_ascii_case("desc") => false,
        Some(order) if order.eq_ignore_ascii_case("asc") => true,
        Some(other) => {
            return Err(Failure::invalid(format!(
                "typeAheadQuery.sort is {}: expected asc or desc",
                shown(other)
            )));
        }
    };
    Ok(TypeAhead {
        text: query.needed("query")?.to_owned(),
        field: query.needed("field")?.to_owned(),
        nested: query.text("nestedType")?.map(str::to_owned),
        size: query.number("size", 1, u32::MAX)?.unwrap_or(VALUES_DEFAULT),
        by_value: query.flag("sortByValue")?.unwrap_or(false),
        ascending,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn read(body: Value) -> Result<SearchBody, String> {
        SearchBody::of(body.as_object().unwrap(), Purpose::Find).map_err(|failure| failure.cause().to_owned())
    }

    /// What the published Python client sends for a search of which only the query is given.
    #[test]
    fn defaults_of_published_clients_are_accepted() {
        let body = json!({
            "queryType": "SAILPOINT", "includeNested": true, "aggregationType": "DSL",
            "query": {"query": "name:a*"}, "sort": ["-name", "+id"], "searchAfter": ["ann", "i1"],
        });
        let SearchBody { search, after, fields, .. } = read(body).ok().unwrap();
        assert_eq!((search.query.as_str(), search.indices.len()), ("name:a*", 0));
        assert_eq!(search.sort, ["-name", "+id"]);
        assert_eq!(after, [Some("ann".into()), Some("i1".into())]);
        assert_eq!(fields, ShownFields::default());
    }

    #[test]
    fn empty_and_absent_say_the_same() {
        let body = json!({
            "indices": [], "queryType": null, "queryDsl": {}, "textQuery": {"terms": null}, "aggregations": null,
            "filters": {}, "queryResultFilter": {"includes": null}, "sort": null, "searchAfter": null,
            "query": {"query": "*", "fields": "", "timeZone": "UTC", "innerHit": null},
        });
        assert_eq!(read(body).ok().unwrap().search.query, "*");
    }

    #[test]
    fn what_is_not_supported_is_refused_by_its_name() {
        let query = json!({"query": "*"});
        for (change, expected) in [
            (json!({"queryType": "DSL"}), "queryType is \"DSL\": expected SAILPOINT, TEXT or TYPEAHEAD"),
            (json!({"queryDsl": {"match_all": {}}}), "queryDsl is not supported"),
            (json!({"textQuery": {"terms": ["a"]}}), "textQuery is given and queryType is SAILPOINT"),
            (json!({"typeAheadQuery": {"query": "a"}}), "typeAheadQuery is given and queryType is SAILPOINT"),
            (json!({"queryType": "TEXT"}), "query is given and queryType is TEXT"),
            (json!({"aggregations": {"metric": {}}}), "aggregations is not supported here"),
            (json!({"aggregationsDsl": {"x": 1}}), "aggregationsDsl is not supported here"),
            (json!({"filters": {"name": {"type": "EXIST"}}}), "filters, field \"name\": unknown variant"),
            (json!({"filters": []}), "filters is a list: expected an object"),
            (json!({"query": {"query": "*", "fields": 1}}), "query.fields is a number: expected a list"),
            (json!({"query": {"query": "*", "innerHit": {"type": "access"}}}), "query.innerHit is not"),
            (
                json!({"query": {"query": "*", "timeZone": "Europe/London"}}),
                "query.timeZone is \"Europe/London\"",
            ),
            (
                json!({"query": {"qeury": "*"}}),
                "query has the unknown member \"qeury\": the nearest name is \"query\"",
            ),
            (json!({"query": {}}), "query.query is missing"),
            (json!({"query": "*"}), "query is a text: expected an object"),
            (json!({"query": null}), "query is missing"),
            (
                json!({"sorts": ["name"]}),
                "the body has the unknown member \"sorts\": the nearest name is \"sort\"",
            ),
            (json!({"sort": "name"}), "sort is a text: expected a list"),
            (json!({"sort": ["name", 1]}), "sort, item 1, is a number: expected a text"),
            (json!({"searchAfter": [["x"]]}), "searchAfter, item 0, is a list"),
            (json!({"includeNested": "true"}), "includeNested is a text"),
            (
                json!({"queryResultFilter": {"include": ["x"]}}),
                "queryResultFilter has the unknown member \"include\"",
            ),
            (json!({"queryResultFilter": {"includes": "x"}}), "queryResultFilter.includes is a text"),
        ] {
            let mut body = json!({"query": query});
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let refused = read(body).map(|_| ()).unwrap_err();
            assert!(refused.starts_with(expected), "{change}: {refused}");
        }
    }

    #[test]
    fn values_to_continue_from_are_texts_whatever_their_type() {
        let body = json!({"query": {"query": "*"}, "searchAfter": ["a", 3, true, null]});
        let expected = [Some("a".into()), Some("3".into()), Some("true".into()), None];
        assert_eq!(read(body).ok().unwrap().after, expected);
    }

    #[test]
    fn fields_are_a_list_or_a_text_with_commas() {
        for fields in [json!("name, email^2,"), json!(["name", "email"]), json!(["name,email^1.5"])] {
            let body = json!({"query": {"query": "a", "fields": fields}});
            assert_eq!(read(body).ok().unwrap().search.fields, ["name", "email"], "{fields}");
        }
    }

    #[test]
    fn texts_and_what_is_typed_are_queries_too() {
        let body = json!({"queryType": "TEXT", "textQuery": {"terms": ["a1"], "fields": ["name"], "contains": true}});
        assert_eq!(read(body).ok().unwrap().search.query, "((name.exact:/.*[aA]1.*/))");
        let ahead = |more: Value| {
            let mut query = json!({"query": "Jo", "field": "name"});
            query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read(json!({"queryType": "TYPEAHEAD", "typeAheadQuery": query})).map(|body| body.ahead.unwrap())
        };
        let expected = TypeAhead {
            text: "Jo".into(),
            field: "name".into(),
            nested: None,
            size: 100,
            by_value: false,
            ascending: false,
        };
        assert_eq!(ahead(json!({"maxExpansions": 50, "sort": "desc"})), Ok(expected.clone()));
        assert_eq!(
            ahead(json!({"nestedType": "access", "size": 5, "sort": "ASC", "sortByValue": true})),
            Ok(TypeAhead {
                nested: Some("access".into()),
                size: 5,
                by_value: true,
                ascending: true,
                ..expected
            })
        );
        let refused = |more| ahead(more).unwrap_err();
        assert!(refused(json!({"maxExpansions": 0})).starts_with("typeAheadQuery.maxExpansions is 0"));
        assert!(refused(json!({"sort": "up"})).starts_with("typeAheadQuery.sort is \"up\""));
        assert!(refused(json!({"field": null})).starts_with("typeAheadQuery.field is missing"));
        let body = json!({"queryType": "TYPEAHEAD", "typeAheadQuery": {"query": "a", "field": "name"}});
        let counted = SearchBody::of(body.as_object().unwrap(), Purpose::Count).map(|_| ()).unwrap_err();
        assert!(counted.cause().starts_with("queryType is \"TYPEAHEAD\": expected SAILPOINT or TEXT"));
    }
}
