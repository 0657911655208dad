//! Aggregations as a table: a row for each of the innermost buckets.
//!
//! Columns are in the order of the aggregations: the values of each aggregation with buckets, and each metric. Innermost
//! buckets without a metric have a column `Count`, as the published example has it. Nested aggregations and filters have no
//! column, unless there is nothing inside of them.

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, SecondsFormat};
use muster_render::{ColumnFormat, CsvWriter};
use muster_reports::aggregation::{Aggregated, Aggregation, AggregationKind, Bucket, BucketKey};
use muster_reports::error::{Error, Result};
use std::sync::Arc;

/// The header over numbers of objects.
const COUNT: &str = "Count";

/// A cell; `None` is an empty one.
type Row = Vec<Option<String>>;

/// The table as CSV.
///
/// # Errors
/// `Internal` when it cannot be written.
pub(super) fn csv(aggregations: &[Aggregation], found: &[(String, Aggregated)]) -> Result<String> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::internal("the aggregations could not be written as CSV", error.to_string())
    };
    let names = columns(aggregations);
    let rows = rows(aggregations, found);
    let formats = names.iter().map(|name| ColumnFormat { name: name.clone(), label: name.clone() });
    let cells = (0..names.len()).map(|at| {
        let cells: StringArray = rows.iter().map(|row| row.get(at).and_then(Option::as_deref)).collect();
        Arc::new(cells) as ArrayRef
    });
    let fields: Vec<_> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), cells.collect());
    let batch = batch.map_err(|error| failed(&error))?;
    let mut text = Vec::new();
    let mut writer = CsvWriter::new(&mut text, formats.collect());
    writer.write(&batch).map_err(|error| failed(&error))?;
    writer.finish().map_err(|error| failed(&error))?;
    String::from_utf8(text).map_err(|error| failed(&error))
}

/// The headers.
fn columns(aggregations: &[Aggregation]) -> Vec<String> {
    let of = |aggregation: &Aggregation| {
        let inner = columns(&aggregation.inner);
        match &aggregation.kind {
            AggregationKind::Metric { .. } => vec![aggregation.name.clone()],
            AggregationKind::Nested { .. } | AggregationKind::Filter { .. } if inner.is_empty() => {
                vec![aggregation.name.clone()]
            }
            AggregationKind::Nested { .. } | AggregationKind::Filter { .. } => inner,
            AggregationKind::Buckets { .. } if inner.is_empty() => {
                vec![aggregation.name.clone(), COUNT.to_owned()]
            }
            AggregationKind::Buckets { .. } => [aggregation.name.clone()].into_iter().chain(inner).collect(),
        }
    };
    aggregations.iter().flat_map(of).collect()
}

/// The rows of aggregations that are beside each other: each row of one with each row of the others.
fn rows(aggregations: &[Aggregation], found: &[(String, Aggregated)]) -> Vec<Row> {
    let mut all = vec![Row::new()];
    for (aggregation, (_, found)) in aggregations.iter().zip(found) {
        let mut own = rows_of(aggregation, found);
        if own.is_empty() {
            own.push(vec![None; columns(std::slice::from_ref(aggregation)).len()]);
        }
        let with = |row: &Row| own.iter().map(|more| [row.as_slice(), more].concat()).collect::<Vec<_>>();
        all = all.iter().flat_map(with).collect();
    }
    all
}

fn rows_of(aggregation: &Aggregation, found: &Aggregated) -> Vec<Row> {
    match found {
        Aggregated::Objects { objects, .. } if aggregation.inner.is_empty() => {
            vec![vec![Some(objects.to_string())]]
        }
        Aggregated::Objects { inner, .. } => rows(&aggregation.inner, inner),
        Aggregated::Buckets { buckets, .. } => {
            let of_bucket = |bucket: &Bucket| {
                let key = Some(key_text(&bucket.key));
                if aggregation.inner.is_empty() {
                    return vec![vec![key, Some(bucket.objects.to_string())]];
                }
                let inner = rows(&aggregation.inner, &bucket.inner).into_iter();
                inner.map(|row| [key.clone()].into_iter().chain(row).collect()).collect()
            };
            buckets.iter().flat_map(of_bucket).collect()
        }
        Aggregated::Count(count) => vec![vec![Some(count.to_string())]],
        Aggregated::Number(number) => vec![vec![number.map(|number| number.to_string())]],
        Aggregated::Moment(millis) => vec![vec![millis.map(moment_text)]],
    }
}

fn key_text(key: &BucketKey) -> String {
    match key {
        BucketKey::Text(text) => text.clone(),
        BucketKey::Whole(number) => number.to_string(),
        BucketKey::Flag(flag) => flag.to_string(),
        BucketKey::Moment(millis) => time_text(*millis),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a fraction of a millisecond is not shown")]
fn moment_text(millis: f64) -> String {
    time_text(millis as i64)
}

fn time_text(millis: i64) -> String {
    let time = DateTime::from_timestamp_millis(millis);
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use muster_reports::aggregation::Metric;

    fn buckets(name: &str, inner: Vec<Aggregation>) -> Aggregation {
        let kind = AggregationKind::Buckets { field: "x".into(), size: 10, objects_min: 1 };
        Aggregation { name: name.into(), kind, inner }
    }

    fn metric(name: &str) -> Aggregation {
        let kind = AggregationKind::Metric { metric: Metric::Average, field: "x".into() };
        Aggregation { name: name.into(), kind, inner: Vec::new() }
    }

    fn nested(inner: Vec<Aggregation>) -> Aggregation {
        Aggregation { name: "List".into(), kind: AggregationKind::Nested { path: "access".into() }, inner }
    }

    /// Aggregations inside of a bucket, by name.
    type Inner = Vec<(String, Aggregated)>;

    fn found(buckets: Vec<(&str, u64, Inner)>) -> Aggregated {
        let bucket = |(key, objects, inner): (&str, u64, _)| Bucket {
            key: BucketKey::Text(key.into()),
            objects,
            inner,
        };
        Aggregated::Buckets { buckets: buckets.into_iter().map(bucket).collect(), other_objects: 0 }
    }

    fn named(name: &str, found: Aggregated) -> Vec<(String, Aggregated)> {
        vec![(name.into(), found)]
    }

    /// The first is the published example, with another number of rows. Texts that a spreadsheet would run are guarded.
    #[test]
    fn a_row_is_an_innermost_bucket() {
        let cities = || named("City", found(vec![("Rome", 2, Vec::new()), ("=1+1", 1, Vec::new())]));
        let averages = |number| named("Average", Aggregated::Number(number));
        for (aggregations, found, expected) in [
            (vec![buckets("City", Vec::new())], cities(), "City,Count\r\nRome,2\r\n'=1+1,1\r\n"),
            (
                vec![nested(vec![buckets("City", Vec::new())])],
                named("List", Aggregated::Objects { objects: 9, inner: cities() }),
                "City,Count\r\nRome,2\r\n'=1+1,1\r\n",
            ),
            (
                vec![nested(Vec::new())],
                named("List", Aggregated::Objects { objects: 9, inner: Vec::new() }),
                "List\r\n9\r\n",
            ),
            (vec![metric("Average")], averages(Some(1.5)), "Average\r\n1.5\r\n"),
            (
                vec![buckets("Team", vec![metric("Average"), buckets("City", Vec::new())])],
                named(
                    "Team",
                    found(vec![
                        ("a, b", 3, [averages(Some(-2.0)), cities()].concat()),
                        ("c", 1, [averages(None), named("City", found(Vec::new()))].concat()),
                    ]),
                ),
                "Team,Average,City,Count\r\n\"a, b\",-2,Rome,2\r\n\"a, b\",-2,'=1+1,1\r\nc,,,\r\n",
            ),
            (
                vec![metric("Last")],
                named("Last", Aggregated::Moment(Some(1_767_225_600_123.0))),
                "Last\r\n2026-01-01T00:00:00.123Z\r\n",
            ),
        ] {
            assert_eq!(csv(&aggregations, &found).unwrap(), expected);
        }
    }
}
