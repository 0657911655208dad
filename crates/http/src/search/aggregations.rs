//! The aggregations of a body, in both published languages.

use super::members::Members;
use crate::failure::Failure;
use muster_reports::aggregation::{Aggregation, AggregationKind, BUCKETS_DEFAULT, BUCKETS_MAX, Metric};
use muster_reports::error::shown;
use muster_reports::nearest::hint;
use serde_json::{Map, Value};

/// Elasticsearch's aggregations that are supported.
const DSL: [&str; 9] =
    ["terms", "nested", "filter", "cardinality", "value_count", "avg", "sum", "min", "max"];

/// How aggregations are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Dsl,
    Sailpoint,
}

/// The aggregations of a body, and the language that they are written in.
pub(super) fn aggregations(object: &Map<String, Value>) -> Result<(Vec<Aggregation>, Language), Failure> {
    let body = Members::of_body(object);
    let language = match body.text("aggregationType")? {
        None | Some("DSL") => Language::Dsl,
        Some("SAILPOINT") => Language::Sailpoint,
        Some(other) => {
            return Err(Failure::invalid(format!(
                "aggregationType is {}: expected DSL or SAILPOINT",
                shown(other)
            )));
        }
    };
    let (own, foreign, foreign_type) = match language {
        Language::Dsl => ("aggregationsDsl", "aggregations", "SAILPOINT"),
        Language::Sailpoint => ("aggregations", "aggregationsDsl", "DSL"),
    };
    if body.says(foreign) {
        return Err(Failure::invalid(format!(
            "{foreign} is given, and aggregationType is not {foreign_type}: expected that type, or {own}"
        )));
    }
    let members = body.needed_object(own, "an object with aggregations")?;
    let found = match language {
        Language::Dsl => dsl(&members)?,
        Language::Sailpoint => level(&members)?,
    };
    if found.is_empty() {
        return Err(Failure::invalid(format!("{own} is empty: expected aggregations")));
    }
    Ok((found, language))
}

/// A level of the published specification: what is named first below is around what follows.
fn level(members: &Members<'_>) -> Result<Vec<Aggregation>, Failure> {
    members.only(&["nested", "filter", "bucket", "metric", "subAggregation"])?;
    let part = |name: &str| Ok::<_, Failure>(members.object(name)?.filter(|_| members.says(name)));
    let mut found = Vec::new();
    if let Some(metric) = part("metric")? {
        metric.only(&["name", "type", "field"])?;
        let kind = AggregationKind::Metric {
            metric: metric_of(&metric)?,
            field: metric.needed("field")?.to_owned(),
        };
        found.push(Aggregation { name: metric.needed("name")?.to_owned(), kind, inner: Vec::new() });
    }
    let bucket = part("bucket")?;
    if let Some(inner) = part("subAggregation")? {
        if bucket.is_none() {
            return Err(Failure::invalid(format!(
                "{}subAggregation is given without bucket: expected bucket beside it",
                members.name
            )));
        }
        found.extend(level(&inner)?);
    }
    if let Some(bucket) = bucket {
        bucket.only(&["name", "type", "field", "size", "minDocCount"])?;
        only_type(&bucket, "TERMS")?;
        let kind = buckets(&bucket, "minDocCount")?;
        found = vec![Aggregation { name: bucket.needed("name")?.to_owned(), kind, inner: found }];
    }
    if let Some(filter) = part("filter")? {
        filter.only(&["name", "type", "field", "value"])?;
        only_type(&filter, "TERM")?;
        let kind = AggregationKind::Filter {
            field: filter.needed("field")?.to_owned(),
            value: filter.needed("value")?.to_owned(),
        };
        found = vec![Aggregation { name: filter.needed("name")?.to_owned(), kind, inner: found }];
    }
    if let Some(nested) = part("nested")? {
        // The schema has the list in `type`, the examples have it in `field`.
        nested.only(&["name", "type", "field"])?;
        let path = match nested.text("field")? {
            Some(path) => path,
            None => nested.needed("type")?,
        };
        let kind = AggregationKind::Nested { path: path.to_owned() };
        found = vec![Aggregation { name: nested.needed("name")?.to_owned(), kind, inner: found }];
    }
    Ok(found)
}

fn only_type(members: &Members<'_>, only: &str) -> Result<(), Failure> {
    match members.text("type")?.filter(|name| *name != only) {
        None => Ok(()),
        Some(other) => Err(Failure::invalid(format!(
            "{}type is {}: expected {only}, the only one that is supported",
            members.name,
            shown(other)
        ))),
    }
}

fn metric_of(members: &Members<'_>) -> Result<Metric, Failure> {
    Ok(match members.text("type")? {
        None | Some("UNIQUE_COUNT") => Metric::UniqueCount,
        Some("COUNT") => Metric::Count,
        Some("AVG") => Metric::Average,
        Some("SUM") => Metric::Sum,
        Some("MEDIAN") => Metric::Median,
        Some("MIN") => Metric::Minimum,
        Some("MAX") => Metric::Maximum,
        Some(other) => {
            return Err(Failure::invalid(format!(
                "{}type is {}: expected COUNT, UNIQUE_COUNT, AVG, SUM, MEDIAN, MIN or MAX",
                members.name,
                shown(other)
            )));
        }
    })
}

/// Buckets whose `size` and least number of documents are members.
fn buckets(members: &Members<'_>, least: &str) -> Result<AggregationKind, Failure> {
    Ok(AggregationKind::Buckets {
        field: members.needed("field")?.to_owned(),
        size: members.number("size", 1, BUCKETS_MAX)?.unwrap_or(BUCKETS_DEFAULT),
        objects_min: members.number(least, 1, u32::MAX)?.map_or(1, u64::from),
    })
}

/// Aggregations in Elasticsearch's language, by name.
fn dsl(members: &Members<'_>) -> Result<Vec<Aggregation>, Failure> {
    let one = |name: &String| {
        let own = members.needed_object(name, "an object with an aggregation")?;
        let mut kinds = own.object.keys().filter(|key| !matches!(key.as_str(), "aggs" | "aggregations"));
        let (Some(kind), None) = (kinds.next(), kinds.next()) else {
            return Err(Failure::invalid(format!(
                "{} has no kind of aggregation, or several: expected one of {}",
                own.place(),
                DSL.join(", ")
            )));
        };
        let inner = match (own.object("aggs")?, own.object("aggregations")?) {
            (None, None) => Vec::new(),
            (Some(inner), None) | (None, Some(inner)) => dsl(&inner)?,
            (Some(_), Some(_)) => {
                return Err(Failure::invalid(format!(
                    "{} has aggs and aggregations: expected one of them",
                    own.place()
                )));
            }
        };
        let kind = dsl_kind(kind, &own.needed_object(kind, "an object")?)?;
        if matches!(kind, AggregationKind::Metric { .. }) && !inner.is_empty() {
            return Err(Failure::invalid(format!(
                "{} computes a number and has aggregations inside of it: expected none",
                own.place()
            )));
        }
        Ok(Aggregation { name: name.clone(), kind, inner })
    };
    members.object.keys().map(one).collect()
}

fn dsl_kind(kind: &str, members: &Members<'_>) -> Result<AggregationKind, Failure> {
    let metric = |metric| {
        members.only(&["field"])?;
        Ok(AggregationKind::Metric { metric, field: members.needed("field")?.to_owned() })
    };
    match kind {
        "terms" => {
            members.only(&["field", "size", "min_doc_count"])?;
            buckets(members, "min_doc_count")
        }
        "nested" => {
            members.only(&["path"])?;
            Ok(AggregationKind::Nested { path: members.needed("path")?.to_owned() })
        }
        "filter" => {
            members.only(&["term"])?;
            let term = members.needed_object("term", "an object with a field and its value")?;
            let mut fields = term.object.keys();
            let (Some(field), None) = (fields.next(), fields.next()) else {
                return Err(Failure::invalid(format!(
                    "{} has no field, or several: expected one field and its value",
                    term.place()
                )));
            };
            let value = match term.get(field) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Bool(flag)) => flag.to_string(),
                Some(Value::Number(number)) => number.to_string(),
                Some(Value::Object(_)) => {
                    let of_field = term.needed_object(field, "a value")?;
                    of_field.only(&["value"])?;
                    of_field.needed("value")?.to_owned()
                }
                Some(other) => return Err(term.wrong(field, other, "the value of a field")),
                None => {
                    return Err(Failure::invalid(format!(
                        "{}{field} is null: expected the value of a field",
                        term.name
                    )));
                }
            };
            Ok(AggregationKind::Filter { field: field.clone(), value })
        }
        "cardinality" => metric(Metric::UniqueCount),
        "value_count" => metric(Metric::Count),
        "avg" => metric(Metric::Average),
        "sum" => metric(Metric::Sum),
        "min" => metric(Metric::Minimum),
        "max" => metric(Metric::Maximum),
        other => Err(Failure::invalid(format!(
            "there is no aggregation {}{}; expected one of {}",
            shown(other),
            hint(other, DSL),
            DSL.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn read(body: &Value) -> Result<Vec<Aggregation>, String> {
        let found = aggregations(body.as_object().unwrap()).map_err(|failure| failure.cause().to_owned());
        found.map(|(found, _)| found)
    }

    fn of(name: &str, kind: AggregationKind, inner: Vec<Aggregation>) -> Aggregation {
        Aggregation { name: name.into(), kind, inner }
    }

    fn terms(field: &str) -> AggregationKind {
        AggregationKind::Buckets { field: field.into(), size: 10, objects_min: 1 }
    }

    fn nested() -> AggregationKind {
        AggregationKind::Nested { path: "access".into() }
    }

    /// The published examples, each in both languages.
    #[test]
    fn published_examples_mean_the_same_in_both_languages() {
        let entitlements =
            || AggregationKind::Filter { field: "access.type".into(), value: "ENTITLEMENT".into() };
        let cities = |field: &str| of("Identity Locations", terms(field), Vec::new());
        let locations = |field: &str| {
            let kind = AggregationKind::Metric { metric: Metric::UniqueCount, field: field.into() };
            of("How Many Locations", kind, Vec::new())
        };
        for (sailpoint, dsl, expected, expected_dsl) in [
            (
                json!({"metric": {"name": "How Many Locations", "type": "UNIQUE_COUNT", "field": "attributes.city"}}),
                json!({"How Many Locations": {"cardinality": {"field": "attributes.city.exact"}}}),
                locations("attributes.city"),
                locations("attributes.city.exact"),
            ),
            (
                json!({"bucket": {"name": "Identity Locations", "type": "TERMS", "field": "attributes.city"}}),
                json!({"Identity Locations": {"terms": {"field": "attributes.city.exact"}}}),
                cities("attributes.city"),
                cities("attributes.city.exact"),
            ),
            (
                json!({
                    "bucket": {"name": "Identity Department", "type": "TERMS", "field": "attributes.department"},
                    "subAggregation": {
                        "bucket": {"name": "Identity Locations", "type": "TERMS", "field": "attributes.city"},
                    },
                }),
                json!({"Identity Department": {
                    "terms": {"field": "attributes.department"},
                    "aggs": {"Identity Locations": {"terms": {"field": "attributes.city"}}},
                }}),
                of("Identity Department", terms("attributes.department"), vec![cities("attributes.city")]),
                of("Identity Department", terms("attributes.department"), vec![cities("attributes.city")]),
            ),
            (
                json!({
                    "nested": {"name": "Access", "field": "access", "type": "TERMS"},
                    "filter": {"name": "Entitlements", "field": "access.type", "value": "ENTITLEMENT"},
                    "bucket": {"name": "Access Name", "type": "TERMS", "field": "access.name"},
                }),
                json!({"Access": {
                    "nested": {"path": "access"},
                    "aggs": {"Entitlements": {
                        "filter": {"term": {"access.type": "ENTITLEMENT"}},
                        "aggs": {"Access Name": {"terms": {"field": "access.name"}}},
                    }},
                }}),
                of(
                    "Access",
                    nested(),
                    vec![of(
                        "Entitlements",
                        entitlements(),
                        vec![of("Access Name", terms("access.name"), Vec::new())],
                    )],
                ),
                of(
                    "Access",
                    nested(),
                    vec![of(
                        "Entitlements",
                        entitlements(),
                        vec![of("Access Name", terms("access.name"), Vec::new())],
                    )],
                ),
            ),
            (
                json!({"nested": {"name": "Access", "type": "access"}}),
                json!({"Access": {"nested": {"path": "access"}, "aggregations": {}}}),
                of("Access", nested(), Vec::new()),
                of("Access", nested(), Vec::new()),
            ),
        ] {
            assert_eq!(
                read(
                    &json!({"aggregationType": "SAILPOINT", "aggregations": sailpoint, "aggregationsDsl": {}})
                ),
                Ok(vec![expected]),
                "{sailpoint}"
            );
            assert_eq!(read(&json!({"aggregationsDsl": dsl})), Ok(vec![expected_dsl]), "{dsl}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let bucket = json!({"name": "B", "field": "x"});
        for (sailpoint, expected) in [
            (json!({}), "aggregations is empty"),
            (
                json!({"buckets": bucket}),
                "aggregations has the unknown member \"buckets\": the nearest name is \"bucket\"",
            ),
            (json!({"bucket": {"name": "B"}}), "aggregations.bucket.field is missing: expected a text"),
            (json!({"bucket": {"field": "x"}}), "aggregations.bucket.name is missing: expected a text"),
            (
                json!({"bucket": {"name": "B", "field": "x", "size": 0}}),
                "aggregations.bucket.size is 0: expected a whole",
            ),
            (
                json!({"bucket": {"name": "B", "field": "x", "type": "RANGE"}}),
                "aggregations.bucket.type is \"RANGE\"",
            ),
            (
                json!({"metric": {"name": "M", "field": "x", "type": "MODE"}}),
                "aggregations.metric.type is \"MODE\"",
            ),
            (
                json!({"subAggregation": {"bucket": bucket}}),
                "aggregations.subAggregation is given without bucket",
            ),
            (
                json!({"bucket": bucket, "subAggregation": {"filter": {"name": "F", "field": "x"}}}),
                "aggregations.subAggregation.filter.value is missing",
            ),
        ] {
            let body = json!({"aggregationType": "SAILPOINT", "aggregations": sailpoint});
            let refused = read(&body).unwrap_err();
            assert!(refused.starts_with(expected), "{sailpoint}: {refused}");
        }
        for (dsl, expected) in [
            (json!({"A": {}}), "aggregationsDsl.A has no kind of aggregation, or several"),
            (json!({"A": {"term": {}}}), "there is no aggregation \"term\": the nearest name is \"terms\""),
            (
                json!({"A": {"terms": {"field": "x", "order": {}}}}),
                "aggregationsDsl.A.terms has the unknown member",
            ),
            (
                json!({"A": {"terms": {"field": "x"}, "aggs": {}, "aggregations": {}}}),
                "aggregationsDsl.A has aggs and",
            ),
            (
                json!({"A": {"filter": {"term": {}}}}),
                "aggregationsDsl.A.filter.term has no field, or several",
            ),
            (json!({"A": {"filter": {"term": {"x": []}}}}), "aggregationsDsl.A.filter.term.x is a list"),
            (
                json!({"A": {"avg": {"field": "x"}, "aggs": {"B": {"avg": {"field": "x"}}}}}),
                "aggregationsDsl.A computes a number",
            ),
        ] {
            let refused = read(&json!({"aggregationsDsl": dsl})).unwrap_err();
            assert!(refused.starts_with(expected), "{dsl}: {refused}");
        }
        for (body, expected) in [
            (json!({}), "aggregationsDsl is missing: expected an object with aggregations"),
            (json!({"aggregationType": "SQL"}), "aggregationType is \"SQL\": expected DSL or SAILPOINT"),
            (
                json!({"aggregations": {"bucket": bucket}}),
                "aggregations is given, and aggregationType is not SAILPOINT",
            ),
        ] {
            let refused = read(&body).unwrap_err();
            assert!(refused.starts_with(expected), "{body}: {refused}");
        }
    }
}
