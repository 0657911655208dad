//! The body of a search. What this service does not support is refused by its name, and so is what it does not know: a
//! search without one of its conditions finds other documents.

use crate::failure::Failure;
use crate::input::{Input, json_object, json_type};
use crate::state::AppState;
use axum::body::Body;
use axum::http::request::Parts;
use muster_reports::error::shown;
use muster_reports::nearest::hint;
use muster_reports::search::{DocumentSearch, ShownFields};
use serde_json::{Map, Value};

/// The published members that are supported.
const SUPPORTED: [&str; 8] = [
    "indices",
    "queryType",
    "queryVersion",
    "query",
    "includeNested",
    "queryResultFilter",
    "sort",
    "searchAfter",
];

/// The published members that must be empty.
const UNSUPPORTED: [&str; 6] =
    ["queryDsl", "textQuery", "typeAheadQuery", "aggregationsDsl", "aggregations", "filters"];

/// The published members that say how aggregations are written. Published clients send them without any.
const OF_AGGREGATIONS: [&str; 2] = ["aggregationType", "aggregationsVersion"];

/// The only kind of query.
const QUERY_TYPE: &str = "SAILPOINT";

/// Time zones that move no moment: ours is UTC.
const UNIVERSAL_TIME: [&str; 4] = ["UTC", "Etc/UTC", "GMT", "Z"];

/// A search, with what only a page needs.
pub(crate) struct SearchBody {
    pub(super) search: DocumentSearch,
    pub(super) after: Vec<Option<String>>,
    pub(super) fields: ShownFields,
}

impl SearchBody {
    pub(super) async fn from_request(state: &AppState, parts: &Parts, body: Body) -> Result<Self, Failure> {
        let object = json_object(state, parts, body)
            .await?
            .ok_or_else(|| Failure::invalid("the body is empty: expected an object with query"))?;
        Self::of(&object)
    }

    fn of(object: &Map<String, Value>) -> Result<Self, Failure> {
        let object = &Members { name: "", object };
        object.only(&[&SUPPORTED[..], &UNSUPPORTED[..], &OF_AGGREGATIONS[..]].concat())?;
        if let Some(other) = object.text("queryType")?.filter(|text| *text != QUERY_TYPE) {
            return Err(Failure::invalid(format!(
                "queryType is {}: expected {QUERY_TYPE}, the only one that is supported",
                shown(other)
            )));
        }
        for name in UNSUPPORTED {
            object.empty(name)?;
        }
        for name in OF_AGGREGATIONS.into_iter().chain(["queryVersion"]) {
            object.text(name)?;
        }
        let query = object.object("query")?.ok_or_else(|| {
            Failure::invalid("query is missing: expected an object with the text of the query in query")
        })?;
        query.only(&["query", "fields", "timeZone", "innerHit"])?;
        query.empty("fields")?;
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
        let mut fields = ShownFields::default();
        if let Some(nested) = object.flag("includeNested")? {
            fields.nested = nested;
        }
        if let Some(filter) = object.object("queryResultFilter")? {
            filter.only(&["includes", "excludes"])?;
            fields.includes = filter.texts("includes")?;
            fields.excludes = filter.texts("excludes")?;
        }
        let search = DocumentSearch {
            query: text.to_owned(),
            indices: object.texts("indices")?,
            sort: object.texts("sort")?,
        };
        Ok(Self { search, after: object.values("searchAfter")?, fields })
    }
}

impl Input for SearchBody {
    async fn read(state: &AppState, parts: Parts, body: Body) -> Result<Self, Failure> {
        Self::from_request(state, &parts, body).await
    }
}

/// The members of an object in the body. A member that is null is absent.
struct Members<'a> {
    /// What the object is called, with a dot at the end; empty for the body.
    name: &'static str,
    object: &'a Map<String, Value>,
}

impl<'a> Members<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str, value: &Value, expected: &str) -> Failure {
        Failure::invalid(format!("{}{name} is {}: expected {expected}", self.name, json_type(value)))
    }

    /// Refuses members of other names.
    fn only(&self, names: &[&str]) -> Result<(), Failure> {
        match self.object.keys().find(|name| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some(stranger) => Err(Failure::invalid(format!(
                "{} has the unknown member {}{}; expected some of {}",
                if self.name.is_empty() { "the body" } else { self.name.trim_end_matches('.') },
                shown(stranger),
                hint(stranger, names.iter().copied()),
                names.join(", ")
            ))),
        }
    }

    /// Refuses a member that says something.
    fn empty(&self, name: &str) -> Result<(), Failure> {
        let says_something = self.get(name).is_some_and(|value| match value {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.values().all(Value::is_null),
            Value::String(text) => !text.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        });
        if says_something {
            return Err(Failure::invalid(format!(
                "{}{name} is not supported: expected it to be absent or empty",
                self.name
            )));
        }
        Ok(())
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, other, "a text")),
        }
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.wrong(name, other, "true or false")),
        }
    }

    fn object(&self, name: &'static str) -> Result<Option<Members<'a>>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => {
                let name = if name == "query" { "query." } else { "queryResultFilter." };
                Ok(Some(Members { name, object }))
            }
            Some(other) => Err(self.wrong(name, other, "an object")),
        }
    }

    fn list(&self, name: &str) -> Result<&'a [Value], Failure> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.wrong(name, other, "a list")),
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        let text = |(at, item): (usize, &Value)| {
            let text = item.as_str().map(str::to_owned);
            text.ok_or_else(|| self.wrong(&format!("{name}, item {at},"), item, "a text"))
        };
        self.list(name)?.iter().enumerate().map(text).collect()
    }

    /// Values of fields, each as its text.
    fn values(&self, name: &str) -> Result<Vec<Option<String>>, Failure> {
        let value = |(at, item): (usize, &Value)| match item {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            Value::Number(number) => Ok(Some(number.to_string())),
            Value::Bool(flag) => Ok(Some(flag.to_string())),
            other @ (Value::Array(_) | Value::Object(_)) => {
                Err(self.wrong(&format!("{name}, item {at},"), other, "the value of a field"))
            }
        };
        self.list(name)?.iter().enumerate().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn read(body: Value) -> Result<SearchBody, String> {
        SearchBody::of(body.as_object().unwrap()).map_err(|failure| failure.cause().to_owned())
    }

    /// What the published Python client sends for a search of which only the query is given.
    #[test]
    fn defaults_of_published_clients_are_accepted() {
        let body = json!({
            "queryType": "SAILPOINT", "includeNested": true, "aggregationType": "DSL",
            "query": {"query": "name:a*"}, "sort": ["-name", "+id"], "searchAfter": ["ann", "i1"],
        });
        let SearchBody { search, after, fields } = read(body).ok().unwrap();
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
            (json!({"queryType": "DSL"}), "queryType is \"DSL\": expected SAILPOINT"),
            (json!({"queryDsl": {"match_all": {}}}), "queryDsl is not supported"),
            (json!({"textQuery": {"terms": ["a"]}}), "textQuery is not supported"),
            (json!({"typeAheadQuery": {"query": "a"}}), "typeAheadQuery is not supported"),
            (json!({"aggregations": {"metric": {}}}), "aggregations is not supported"),
            (json!({"aggregationsDsl": {"x": 1}}), "aggregationsDsl is not supported"),
            (json!({"filters": {"name": {"type": "EXISTS"}}}), "filters is not supported"),
            (json!({"query": {"query": "*", "fields": "name"}}), "query.fields is not supported"),
            (json!({"query": {"query": "*", "fields": ["name"]}}), "query.fields is not supported"),
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
}
