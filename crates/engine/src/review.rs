//! The items of an access review as a table, for the report that a definition makes of it.
//!
//! `review.items` has a row for each item whose source the caller sees: what was frozen, who reviews it, and the newest
//! decision. The store has them; no snapshot does.

use crate::error::{EngineError, Result};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use muster_reports::caller::DataScope;
use muster_reports::review::{Decision, ReviewItem, ReviewedItems};
use std::sync::Arc;

/// The table, in the schema [`crate::read_only_sql::REVIEW`].
pub(crate) const ITEMS: &str = "items";

/// Names and types of the columns, and whether a value can be missing.
const COLUMNS: [(&str, Kind, bool); 29] = [
    ("number", Kind::Number, false),
    ("identity_id", Kind::Text, true),
    ("identity_name", Kind::Text, true),
    ("identity_display_name", Kind::Text, true),
    ("identity_status", Kind::Text, true),
    ("manager_name", Kind::Text, true),
    ("source_id", Kind::Text, false),
    ("source_name", Kind::Text, false),
    ("account_id", Kind::Text, false),
    ("account_name", Kind::Text, true),
    ("native_identity", Kind::Text, false),
    ("entitlement", Kind::Text, true),
    ("privileged", Kind::Flag, false),
    ("disabled", Kind::Flag, false),
    ("last_used", Kind::Time, true),
    ("reviewer_name", Kind::Text, true),
    ("reviewer_display_name", Kind::Text, true),
    ("assigned", Kind::Text, false),
    ("digest", Kind::Text, false),
    ("decision", Kind::Text, true),
    ("decided_by", Kind::Text, true),
    ("decided_at", Kind::Time, true),
    ("seconds", Kind::Number, true),
    ("comment", Kind::Text, true),
    ("sheet", Kind::Text, true),
    ("sheet_given_by", Kind::Text, true),
    ("frozen_at", Kind::Time, false),
    ("closed", Kind::Time, true),
    ("due", Kind::Time, true),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Number,
    Flag,
    Time,
}

/// The columns of the table.
pub(crate) fn schema() -> SchemaRef {
    let data_type = |kind| match kind {
        Kind::Text => DataType::Utf8,
        Kind::Number => DataType::Int64,
        Kind::Flag => DataType::Boolean,
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    };
    let field = |(name, kind, optional): &(&str, Kind, bool)| Field::new(*name, data_type(*kind), *optional);
    Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
}

/// The items of a review that `scope` shows.
pub(crate) fn table(reviewed: &ReviewedItems, scope: &DataScope) -> Result<Arc<dyn TableProvider>> {
    let shown = reviewed.items.iter().filter(|item| scope.has_source(&item.frozen.source_id));
    let items: Vec<&ReviewItem> = shown.collect();
    let table = rows(reviewed, &items).and_then(|rows| MemTable::try_new(schema(), vec![vec![rows]]));
    Ok(Arc::new(table.map_err(|e| EngineError::plan(ITEMS, e))?))
}

fn rows(reviewed: &ReviewedItems, items: &[&ReviewItem]) -> datafusion::error::Result<RecordBatch> {
    let text = |value: fn(&ReviewItem) -> Option<&str>| -> ArrayRef {
        Arc::new(items.iter().map(|item| value(item)).collect::<StringArray>())
    };
    let flag = |value: fn(&ReviewItem) -> bool| -> ArrayRef {
        Arc::new(items.iter().map(|item| Some(value(item))).collect::<BooleanArray>())
    };
    let number = |value: fn(&ReviewItem) -> Option<i64>| -> ArrayRef {
        Arc::new(items.iter().map(|item| value(item)).collect::<Int64Array>())
    };
    let times = |values: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
    };
    let time = |value: fn(&ReviewItem) -> Option<chrono::DateTime<chrono::Utc>>| {
        times(items.iter().map(|item| value(item).map(|at| at.timestamp_micros())).collect())
    };
    let same = |at: Option<chrono::DateTime<chrono::Utc>>| {
        times(vec![at.map(|at| at.timestamp_micros()); items.len()])
    };
    let review = &reviewed.review;
    let columns: Vec<ArrayRef> = vec![
        number(|item| Some(item.number.into())),
        text(|item| item.frozen.identity_id.as_deref()),
        text(|item| item.frozen.identity_name.as_deref()),
        text(|item| item.frozen.identity_display_name.as_deref()),
        text(|item| item.frozen.identity_status.as_deref()),
        text(|item| item.frozen.manager_name.as_deref()),
        text(|item| Some(&item.frozen.source_id)),
        text(|item| Some(&item.frozen.source_name)),
        text(|item| Some(&item.frozen.account_id)),
        text(|item| item.frozen.account_name.as_deref()),
        text(|item| Some(&item.frozen.native_identity)),
        text(|item| item.frozen.entitlement.as_deref()),
        flag(|item| item.frozen.privileged),
        flag(|item| item.frozen.disabled),
        time(|item| item.frozen.last_used),
        text(|item| item.reviewer_now().map(|reviewer| reviewer.name.as_str())),
        text(|item| item.reviewer_now().and_then(|reviewer| reviewer.display_name.as_deref())),
        Arc::new(items.iter().map(|item| Some(item.assigned_now())).collect::<StringArray>()),
        text(|item| Some(&item.digest)),
        text(|item| decision(item).map(|decision| decision.choice.as_str())),
        text(|item| decision(item).map(|decision| decision.by.as_str())),
        time(|item| decision(item).map(|decision| decision.at)),
        number(|item| decision(item).and_then(|decision| decision.seconds)),
        text(|item| decision(item).and_then(|decision| decision.comment.as_deref())),
        text(|item| {
            decision(item).and_then(|decision| decision.sheet.as_ref()).map(|sheet| sheet.sha256.as_str())
        }),
        text(|item| {
            decision(item).and_then(|decision| decision.sheet.as_ref()).map(|sheet| sheet.given_by.as_str())
        }),
        same(Some(review.frozen_at)),
        same(review.closing.as_ref().map(|closing| closing.at)),
        same(review.due()),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|e| DataFusionError::ArrowError(Box::new(e), None))
}

fn decision(item: &ReviewItem) -> Option<&Decision> {
    item.decision.as_ref()
}
