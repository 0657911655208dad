//! Aggregations over the organisation of the other tests. The expected results were derived by hand.

use crate::installation::{Installation, block_on};
use crate::search;
use muster_engine::search::SearchRequest;
use muster_reports::DataScope;
use muster_reports::aggregation::{Aggregated, Aggregation, AggregationKind, BucketKey, Metric, TypeAhead};
use muster_reports::ports::Clock;

const DIRECTORY: &str = "000000000000000000000000000000a2";

fn request(installation: &Installation, query: &str, indices: &[&str], fields: &[&str]) -> SearchRequest {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    SearchRequest {
        query: query.to_owned(),
        indices: texts(indices),
        columns: Vec::new(),
        sort: Vec::new(),
        fields: texts(fields),
        now: installation.clock.now(),
    }
}

fn buckets(field: &str, size: u32, inner: Vec<Aggregation>) -> Aggregation {
    let kind = AggregationKind::Buckets { field: field.into(), size, objects_min: 1 };
    Aggregation { name: "b".into(), kind, inner }
}

fn metric(metric: Metric, field: &str) -> Aggregation {
    Aggregation {
        name: "m".into(),
        kind: AggregationKind::Metric { metric, field: field.into() },
        inner: Vec::new(),
    }
}

fn nested(path: &str, inner: Vec<Aggregation>) -> Aggregation {
    Aggregation { name: "n".into(), kind: AggregationKind::Nested { path: path.into() }, inner }
}

fn filter(field: &str, value: &str, inner: Vec<Aggregation>) -> Aggregation {
    let kind = AggregationKind::Filter { field: field.into(), value: value.into() };
    Aggregation { name: "f".into(), kind, inner }
}

/// An outcome in a line: `n{..}` for objects, `key=n{..}` for buckets, `+n` for objects in other buckets.
fn shown(found: &Aggregated) -> String {
    let inside = |inner: &[(String, Aggregated)]| match inner {
        [] => String::new(),
        inner => {
            let inner: Vec<_> = inner.iter().map(|(_, found)| shown(found)).collect();
            format!("{{{}}}", inner.join(", "))
        }
    };
    match found {
        Aggregated::Objects { objects, inner } => format!("{objects}{}", inside(inner)),
        Aggregated::Buckets { buckets, other_objects } => {
            let bucket = |bucket: &muster_reports::aggregation::Bucket| {
                let key = match &bucket.key {
                    BucketKey::Text(text) => text.clone(),
                    BucketKey::Whole(number) => number.to_string(),
                    BucketKey::Flag(flag) => flag.to_string(),
                    BucketKey::Moment(millis) => format!("at {millis}"),
                };
                format!("{key}={}{}", bucket.objects, inside(&bucket.inner))
            };
            let mut all: Vec<_> = buckets.iter().map(bucket).collect();
            if *other_objects > 0 {
                all.push(format!("+{other_objects}"));
            }
            all.join("; ")
        }
        Aggregated::Count(count) => count.to_string(),
        Aggregated::Number(number) => number.map_or("-".into(), |number| number.to_string()),
        Aggregated::Moment(number) => number.map_or("-".into(), |number| format!("at {number}")),
    }
}

fn aggregate(
    installation: &Installation,
    request: &SearchRequest,
    scope: &DataScope,
    aggregation: Aggregation,
) -> Result<String, String> {
    block_on(async {
        let plan = installation.engine.prepare_search(installation.manifest(), request, scope).await;
        let plan = plan.map_err(|error| error.to_string())?;
        let found = plan.aggregate(&[aggregation]).await.map_err(|error| error.to_string())?;
        Ok(shown(&found[0].1))
    })
}

/// Ann has three accounts (two of the directory, one of them disabled) and the groups Admins and Sales Team; Bob has two
/// accounts (that of the directory is disabled) and the group "Sales; East"; Cid has two accounts; Dee has one and no city.
#[test]
fn documents_and_elements_are_counted() {
    let installation = search::installation();
    let city = "attributes.city";
    for (query, aggregation, expected) in [
        ("*", buckets(city, 10, Vec::new()), "London=1; New York=1; York=1"),
        ("*", buckets("attributes.city.exact", 2, Vec::new()), "London=1; New York=1; +1"),
        ("attributes.city:york", buckets(city, 10, Vec::new()), "New York=1; York=1"),
        ("name:nobody", buckets(city, 10, Vec::new()), ""),
        // Ann has two accounts of the directory and is counted once.
        ("*", buckets("accounts.source.name", 10, Vec::new()), "HR Global=4; Active Directory=3"),
        ("*", buckets("@accounts.source.name", 10, Vec::new()), "Active Directory=4; HR Global=4"),
        ("*", buckets("accountCount", 10, Vec::new()), "2=2; 1=1; 3=1"),
        ("*", buckets("accounts.disabled", 10, Vec::new()), "false=4; true=2"),
        ("*", buckets("protected", 10, Vec::new()), "false=4"),
        (
            "*",
            buckets(
                "accountCount",
                10,
                vec![buckets(city, 10, Vec::new()), metric(Metric::Count, "access.name")],
            ),
            "2=2{London=1; York=1, 1}; 1=1{, 0}; 3=1{New York=1, 2}",
        ),
        ("*", nested("accounts", Vec::new()), "8"),
        (
            "*",
            nested("access", vec![buckets("access.name", 10, Vec::new())]),
            "3{Admins=1; Sales Team=1; Sales; East=1}",
        ),
        (
            "*",
            nested(
                "accounts",
                vec![filter(
                    "accounts.source.name",
                    "Active Directory",
                    vec![buckets("accounts.disabled", 10, Vec::new())],
                )],
            ),
            "8{4{false=2; true=2}}",
        ),
        ("*", nested("accounts", vec![filter("accounts.disabled", "true", Vec::new())]), "8{2}"),
        // Whole values, with case.
        ("*", filter(city, "New York", vec![metric(Metric::Sum, "accountCount")]), "1{3}"),
        ("*", filter(city, "new york", vec![metric(Metric::Sum, "accountCount")]), "0{-}"),
        ("*", filter("accountCount", "2", Vec::new()), "2"),
        ("*", metric(Metric::UniqueCount, city), "3"),
        ("*", metric(Metric::Count, city), "3"),
        ("*", metric(Metric::UniqueCount, "accounts.source.id"), "2"),
        ("*", metric(Metric::Count, "@accounts.source.id"), "8"),
        ("*", metric(Metric::Average, "accountCount"), "2"),
        ("*", metric(Metric::Median, "accountCount"), "2"),
        ("*", metric(Metric::Minimum, "accountCount"), "1"),
        ("*", metric(Metric::Maximum, "accountCount"), "3"),
        ("name:nobody", metric(Metric::Maximum, "accountCount"), "-"),
    ] {
        let request = request(&installation, query, &["identities"], &[]);
        let found = aggregate(&installation, &request, &DataScope::Everything, aggregation.clone());
        assert_eq!(found.as_deref(), Ok(expected), "{query} {aggregation:?}");
    }
}

#[test]
fn all_types_of_document_are_counted_together() {
    let installation = search::installation();
    let all = request(&installation, "*", &[], &[]);
    let everything = &DataScope::Everything;
    // Four identities and three entitlements; only identities have cities.
    let found = aggregate(&installation, &all, everything, metric(Metric::UniqueCount, "id"));
    assert_eq!(found.as_deref(), Ok("7"));
    let found = aggregate(&installation, &all, everything, buckets("attributes.city", 10, Vec::new()));
    assert_eq!(found.as_deref(), Ok("London=1; New York=1; York=1"));
    let moments = aggregate(&installation, &all, everything, metric(Metric::Minimum, "created")).unwrap();
    assert!(moments.starts_with("at "), "{moments}");
}

/// A caller of the directory sees its accounts only: four accounts of three people.
#[test]
fn a_data_scope_limits_what_is_counted() {
    let installation = search::installation();
    let scope = DataScope::of_sources([DIRECTORY]).unwrap();
    let people = request(&installation, "*", &["identities"], &[]);
    let found = aggregate(&installation, &people, &scope, nested("accounts", Vec::new()));
    assert_eq!(found.as_deref(), Ok("4"));
    let found = aggregate(&installation, &people, &scope, metric(Metric::Count, "id"));
    assert_eq!(found.as_deref(), Ok("3"));
}

#[test]
fn what_cannot_be_counted_is_named() {
    let installation = search::installation();
    let people = request(&installation, "*", &["identities"], &[]);
    for (aggregation, expected) in [
        (
            buckets("attribtues.city", 10, Vec::new()),
            "aggregation \"b\": the searched documents have no field \"attribtues.city\"",
        ),
        (
            buckets("manager", 10, Vec::new()),
            "aggregation \"b\": the searched documents have no field \"manager\"",
        ),
        (
            nested("manager", Vec::new()),
            "aggregation \"n\": the searched documents have no field \"manager\"",
        ),
        // In a list, there are the fields of its elements only.
        (
            nested("accounts", vec![buckets("attributes.city", 10, Vec::new())]),
            "aggregation \"b\": the searched documents have no field \"attributes.city\" there",
        ),
        (
            metric(Metric::Average, "displayName"),
            "aggregation \"m\": field \"displayName\" has values that this cannot",
        ),
        (metric(Metric::Sum, "created"), "aggregation \"m\": field \"created\" has values that this cannot"),
        (
            metric(Metric::Average, "protected"),
            "aggregation \"m\": field \"protected\" has values that this cannot",
        ),
    ] {
        let refused = aggregate(&installation, &people, &DataScope::Everything, aggregation).unwrap_err();
        assert!(refused.starts_with(expected), "{refused}");
    }
}

#[test]
fn what_is_typed_finds_values() {
    let installation = search::installation();
    let people = request(&installation, "*", &["identities"], &[]);
    let ahead = |text: &str, field: &str, nested: Option<&str>| TypeAhead {
        text: text.into(),
        field: field.into(),
        nested: nested.map(str::to_owned),
        size: 3,
        by_value: false,
        ascending: false,
    };
    let values = |ahead: &TypeAhead| {
        block_on(async {
            let scope = DataScope::Everything;
            let plan = installation.engine.prepare_search(installation.manifest(), &people, &scope).await;
            plan.unwrap().values_ahead(ahead).await.unwrap().join(" | ")
        })
    };
    for (typed, expected) in [
        (ahead("smi", "displayName", None), "Bob Smith-Jones | Dee Smith"),
        (ahead("bob sm", "displayName", None), "Bob Smith-Jones"),
        (ahead("mith", "displayName", None), ""),
        (ahead("a", "source.name", Some("accounts")), "Active Directory"),
        (ahead("h", "accounts.source.name", None), "HR Global"),
    ] {
        assert_eq!(values(&typed), expected, "{typed:?}");
    }
    // By number of elements, and by value.
    let every = |by_value, ascending| {
        let mut typed = ahead("e", "accounts.name", None);
        (typed.by_value, typed.ascending) = (by_value, ascending);
        values(&typed)
    };
    assert_eq!(every(true, false), "e4 | e3 | e2");
    assert_eq!(every(true, true), "e1 | e2 | e3");
}

/// Words without a field are looked for in the given fields only.
#[test]
fn words_are_looked_for_in_fields() {
    let installation = search::installation();
    for (query, fields, expected) in [
        ("york", &[][..], "2"),
        ("york", &["attributes.city"], "2"),
        ("york", &["displayName"], "0"),
        ("smith york", &["displayName", "attributes.city"], "3"),
        ("smith AND york", &["displayName", "attributes.city"], "1"),
        ("york AND name:e1", &["attributes.city"], "1"),
        ("york", &["attributes.*"], "2"),
    ] {
        let people = request(&installation, query, &["identities"], fields);
        let found = aggregate(&installation, &people, &DataScope::Everything, metric(Metric::Count, "id"));
        assert_eq!(found.as_deref(), Ok(expected), "{query} {fields:?}");
    }
    let unknown = request(&installation, "york", &["identities"], &["dispalyName"]);
    let refused = aggregate(&installation, &unknown, &DataScope::Everything, metric(Metric::Count, "id"));
    assert!(
        refused.unwrap_err().starts_with(
            "fields has \"dispalyName\": the searched documents have no such field: the nearest"
        )
    );
}

/// Filters of a search are clauses; numbers and booleans are compared whole as texts are.
#[test]
fn filters_find_the_people_they_should() {
    let installation = search::installation();
    for (filters, expected) in [
        (r#"{"attributes.city": {"type": "EXISTS"}}"#, "3"),
        (r#"{"attributes.city": {"type": "EXISTS", "exclude": true}}"#, "1"),
        (r#"{"attributes.city": {"type": "TERMS", "terms": ["York", "London"]}}"#, "2"),
        (r#"{"attributes.city": {"type": "TERMS", "terms": ["york"]}}"#, "0"),
        (r#"{"accountCount": {"type": "RANGE", "range": {"lower": {"value": "2"}}}}"#, "1"),
        (
            r#"{"accountCount": {"type": "RANGE", "range": {"lower": {"value": "2", "inclusive": true}}}}"#,
            "3",
        ),
        (r#"{"accountCount": {"type": "TERMS", "terms": ["1", "3"]}}"#, "2"),
        (r#"{"protected": {"type": "TERMS", "terms": ["false"]}}"#, "4"),
        (r#"{"protected": {"type": "TERMS", "terms": ["false"], "exclude": true}}"#, "0"),
        (r#"{"created": {"type": "RANGE", "range": {"upper": {"value": "2026-01-01"}}}}"#, "0"),
        (
            r#"{"accounts.source.name": {"type": "TERMS", "terms": ["Active Directory"]}, "accountCount": {"type": "TERMS", "terms": ["2"]}}"#,
            "2",
        ),
    ] {
        let read = serde_json::from_str(filters).unwrap();
        let query = muster_reports::search_filter::filtered("*", &read).unwrap();
        let people = request(&installation, &query, &["identities"], &[]);
        let found = aggregate(&installation, &people, &DataScope::Everything, metric(Metric::Count, "id"));
        assert_eq!(found.as_deref(), Ok(expected), "{filters}: {query}");
    }
}

/// Texts are looked for whole values or anywhere, in any case.
#[test]
fn texts_find_the_people_they_should() {
    let installation = search::installation();
    for (terms, contains, expected) in [
        ("bob s", false, "1"),
        ("Smith", false, "0"),
        ("SMITH", true, "2"),
        ("o'h", true, "1"),
        ("ü", true, "1"),
    ] {
        let query = muster_reports::search_filter::TextQuery {
            terms: vec![terms.into()],
            fields: vec!["displayName".into()],
            match_any: false,
            contains,
        };
        let query = query.clause().unwrap();
        let people = request(&installation, &query, &["identities"], &[]);
        let found = aggregate(&installation, &people, &DataScope::Everything, metric(Metric::Count, "id"));
        assert_eq!(found.as_deref(), Ok(expected), "{query}");
    }
}
