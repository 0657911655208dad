//! The tables of a report over a period, as its queries name them.
//!
//! - `before.T` is the table `T` of the snapshot with which the period begins.
//! - `period.T` is `T` of every snapshot of the period: the columns of the table, and `first_snapshot` and `last_snapshot`,
//!   the numbers of the first and the last of the consecutive snapshots that have the row.
//! - `period.snapshots` has `number`, `id` and `taken` of each of them. Number 0 is the one with which the period begins; the
//!   last one is the one that is reported, whose tables have their plain names.
//! - `review.items` are the items of the access review that the report reads ([`crate::review`]). Its period begins with the
//!   snapshot of the review, or with the first kept one after it.
//!
//! Consecutive snapshots that show the same version of a table are read once, so a row is there once for them.
//!
//! Invariant: a caller with a data scope sees in each snapshot what a report over that snapshot shows ([`crate::scope`]).

use crate::declared::ACCOUNTS;
use crate::error::{EngineError, Result};
use crate::read_only_sql::{BEFORE, NamedTables, PERIOD, REVIEW};
use crate::review;
use crate::scope::{self, ShownTables};
use crate::session::Engine;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{MemorySchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, Union};
use datafusion::prelude::{SessionContext, ident, lit};
use muster_reports::caller::DataScope;
use muster_reports::series::Series;
use muster_reports::snapshot::SnapshotManifest;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The table of the snapshots, in [`PERIOD`].
const SNAPSHOTS: &str = "snapshots";
/// Columns of the tables of [`PERIOD`]: the snapshots that have a row.
const RANGE: [&str; 2] = ["first_snapshot", "last_snapshot"];

/// Tables with the schemas that a query names them in.
pub(crate) struct SeriesTables {
    tables: Vec<(&'static str, String, Arc<dyn TableProvider>)>,
    lacking: Vec<(&'static str, String)>,
}

impl SeriesTables {
    /// The columns that tables of earlier snapshots lack: each as its table and its name.
    pub(crate) fn lacking(&self) -> &[(&'static str, String)] {
        &self.lacking
    }

    /// Registers the tables in a session.
    pub(crate) fn register(&self, context: &SessionContext) -> Result<()> {
        for schema in self.tables.iter().map(|(schema, _, _)| *schema).collect::<BTreeSet<_>>() {
            add_schema(context, schema)?;
        }
        for (schema, table, shown) in &self.tables {
            let name = TableReference::partial(*schema, table.as_str());
            let registered = context.register_table(name, Arc::clone(shown));
            registered.map_err(|e| EngineError::plan(table, e))?;
        }
        Ok(())
    }
}

/// Makes an empty schema in the catalog of a session.
pub(crate) fn add_schema(context: &SessionContext, schema: &str) -> Result<()> {
    let failed = |e| EngineError::plan(schema, e);
    let catalog = context.state().config_options().catalog.default_catalog.clone();
    let catalog = context
        .catalog(&catalog)
        .ok_or_else(|| failed(DataFusionError::Plan("the session has no catalog".into())))?;
    catalog.register_schema(schema, Arc::new(MemorySchemaProvider::new())).map_err(failed)?;
    Ok(())
}

/// A snapshot by which consecutive ones are read that show the same of a table.
struct Shared<'a> {
    manifest: &'a SnapshotManifest,
    first: i64,
    last: i64,
}

/// The tables that queries name in the snapshots of `series` and in `manifest`, as `scope` shows them.
pub(crate) async fn tables(
    engine: &Engine,
    manifest: &SnapshotManifest,
    series: &Series,
    scope: &DataScope,
    named: &NamedTables,
) -> Result<SeriesTables> {
    let mut found = SeriesTables { tables: Vec::new(), lacking: Vec::new() };
    let earlier = &series.earlier;
    if let Some(reviewed) = &series.review {
        found.tables.push((REVIEW, review::ITEMS.to_owned(), review::table(reviewed, scope)?));
    }
    // The snapshot of a review can be the one that is reported.
    let Some(first) = earlier.first().map(AsRef::as_ref).or_else(|| series.review.as_ref().map(|_| manifest))
    else {
        return Ok(found);
    };
    for table in &named.before {
        if let Some((shown, lacking)) = one(engine, first, scope, table).await? {
            found.lacking.extend(lacking);
            found.tables.push((BEFORE, (*table).to_owned(), shown));
        }
    }
    let all: Vec<&SnapshotManifest> = earlier.iter().map(AsRef::as_ref).chain([manifest]).collect();
    for table in &named.period {
        let mut parts = Vec::new();
        for shared in shared(&all, scope, table) {
            // If a snapshot lacks the table, the query cannot be planned.
            let Some((shown, lacking)) = one(engine, shared.manifest, scope, table).await? else {
                parts.clear();
                break;
            };
            found.lacking.extend(lacking);
            parts.push((shared, shown));
        }
        if !parts.is_empty() {
            let whole = united(engine, parts).map_err(|e| EngineError::plan(table, e))?;
            found.tables.push((PERIOD, (*table).to_owned(), whole));
        }
    }
    let snapshots = snapshots(&all).map_err(|e| EngineError::plan(SNAPSHOTS, e))?;
    found.tables.push((PERIOD, SNAPSHOTS.to_owned(), snapshots));
    Ok(found)
}

/// A table of a snapshot as far as `scope` shows it, and the columns that it lacks.
type OneTable = Option<(Arc<dyn TableProvider>, Vec<(&'static str, String)>)>;

async fn one(
    engine: &Engine,
    manifest: &SnapshotManifest,
    scope: &DataScope,
    table: &'static str,
) -> Result<OneTable> {
    let shown: ShownTables = scope::tables(engine, manifest, scope, &[table]).await?;
    let lacking = shown.lacking();
    Ok(shown.only().map(|provider| (provider, lacking)))
}

/// Consecutive snapshots that show the same of a table, the first made first.
fn shared<'a>(all: &[&'a SnapshotManifest], scope: &DataScope, table: &str) -> Vec<Shared<'a>> {
    // What a limited scope shows of a table depends on the accounts.
    let version = |manifest: &SnapshotManifest| {
        let of = |table: &str| manifest.versions.get(table).copied();
        match scope {
            DataScope::Everything => (of(table), None),
            DataScope::Sources(_) => (of(table), of(ACCOUNTS)),
        }
    };
    let mut shared: Vec<Shared<'a>> = Vec::new();
    for (number, manifest) in (0..).zip(all.iter().copied()) {
        match shared.last_mut().filter(|last| version(last.manifest) == version(manifest)) {
            Some(same) => same.last = number,
            None => shared.push(Shared { manifest, first: number, last: number }),
        }
    }
    shared
}

/// The rows of all parts, with the snapshots that have them. Columns that a part lacks are left out of all.
fn united(
    engine: &Engine,
    parts: Vec<(Shared<'_>, Arc<dyn TableProvider>)>,
) -> datafusion::error::Result<Arc<dyn TableProvider>> {
    let context = engine.session();
    let schemas: Vec<SchemaRef> = parts.iter().map(|(_, shown)| shown.schema()).collect();
    let has_all = |name: &&String| schemas.iter().all(|schema| schema.index_of(name).is_ok());
    let names: Vec<String> = schemas
        .first()
        .map(|schema| schema.fields().iter().map(|field| field.name()).filter(has_all).cloned().collect())
        .unwrap_or_default();
    let mut plans: Vec<Arc<LogicalPlan>> = Vec::with_capacity(parts.len());
    for (shared, shown) in parts {
        let range = RANGE.into_iter().zip([shared.first, shared.last]);
        let columns = names.iter().map(|name| ident(name).alias(name));
        let columns: Vec<_> = columns.chain(range.map(|(name, number)| lit(number).alias(name))).collect();
        plans.push(Arc::new(context.read_table(shown)?.select(columns)?.into_unoptimized_plan()));
    }
    let plan = match <[Arc<LogicalPlan>; 1]>::try_from(plans) {
        Ok([only]) => Arc::unwrap_or_clone(only),
        Err(plans) => LogicalPlan::Union(Union::try_new_with_loose_types(plans)?),
    };
    Ok(DataFrame::new(context.state(), plan).into_view())
}

fn snapshots_schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("number", DataType::Int64, false),
        Field::new("id", DataType::Utf8, false),
        Field::new("taken", time, false),
    ]))
}

fn snapshots(all: &[&SnapshotManifest]) -> datafusion::error::Result<Arc<dyn TableProvider>> {
    let numbers = Int64Array::from_iter_values((0..).take(all.len()));
    let ids = StringArray::from_iter_values(all.iter().map(|manifest| manifest.id.as_str()));
    let taken = all.iter().map(|manifest| manifest.created.timestamp_micros());
    let taken = TimestampMicrosecondArray::from_iter_values(taken).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![Arc::new(numbers), Arc::new(ids), Arc::new(taken)];
    let rows = RecordBatch::try_new(snapshots_schema(), columns)?;
    Ok(Arc::new(MemTable::try_new(snapshots_schema(), vec![vec![rows]])?))
}

/// Registers empty tables of both schemas, to check definitions.
pub(crate) fn register_empty(
    context: &SessionContext,
    tables: impl Iterator<Item = (&'static str, SchemaRef)>,
) -> Result<()> {
    use datafusion::datasource::empty::EmptyTable;
    let mut found = SeriesTables { tables: Vec::new(), lacking: Vec::new() };
    for (table, schema) in tables {
        let range = RANGE.map(|name| Arc::new(Field::new(name, DataType::Int64, false)));
        let fields: Vec<_> = schema.fields().iter().cloned().chain(range).collect();
        let with_range = Arc::new(EmptyTable::new(Arc::new(Schema::new(fields))));
        found.tables.push((BEFORE, table.to_owned(), Arc::new(EmptyTable::new(schema))));
        found.tables.push((PERIOD, table.to_owned(), with_range));
    }
    let snapshots = Arc::new(EmptyTable::new(snapshots_schema()));
    found.tables.push((PERIOD, SNAPSHOTS.to_owned(), snapshots));
    let items = Arc::new(EmptyTable::new(review::schema()));
    found.tables.push((REVIEW, review::ITEMS.to_owned(), items));
    found.register(context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_reports::ids::{SnapshotId, SourceId};
    use std::collections::BTreeMap;

    fn manifest(accounts: u64, identities: u64) -> SnapshotManifest {
        SnapshotManifest {
            id: SnapshotId::new("s"),
            created: chrono::DateTime::UNIX_EPOCH,
            versions: [("accounts".to_owned(), accounts), ("identities".to_owned(), identities)].into(),
            identity_attributes: Vec::new(),
            sources: Vec::new(),
            rows: BTreeMap::new(),
            last_event: None,
            files: BTreeMap::new(),
        }
    }

    #[test]
    fn consecutive_snapshots_with_the_same_rows_are_read_once() {
        let all = [manifest(1, 1), manifest(2, 1), manifest(2, 1), manifest(3, 2), manifest(2, 2)];
        let all: Vec<_> = all.iter().collect();
        let ranges = |scope: &DataScope, table| -> Vec<_> {
            shared(&all, scope, table).iter().map(|one| (one.first, one.last)).collect()
        };
        assert_eq!(ranges(&DataScope::Everything, "accounts"), [(0, 0), (1, 2), (3, 3), (4, 4)]);
        assert_eq!(ranges(&DataScope::Everything, "identities"), [(0, 2), (3, 4)]);
        // Which identities a caller sees depends on their accounts.
        let limited = DataScope::Sources([SourceId::new("a")].into_iter().collect());
        assert_eq!(ranges(&limited, "identities"), [(0, 0), (1, 2), (3, 3), (4, 4)]);
    }
}
