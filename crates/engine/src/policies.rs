//! What the queries of policies find, as the queries of a report name it.
//!
//! A policy for separation of duties may have a search, of people who violate it or of entitlements of a list
//! ([`muster_reports::sod`]). A definition with such an argument has two tables:
//!
//! - `policies.found` has the place of each search in the argument (`place`), and the id of each document that the search
//!   finds (`id`);
//! - `policies.counted` has the same rows, found in another way: every document is tested with the whole query. The counts of
//!   a report read this one.
//!
//! Invariants: a caller with a data scope finds only what its searches find. `now` in a query is the time of the snapshot, so
//! that a second attempt finds the same. A query that names a field that the documents do not have is an error: it would find
//! nothing, and a report would say that nobody violates the policy.

use crate::cancellation::CancelSignal;
use crate::error::{EngineError, Result};
use crate::read_only_sql::POLICIES;
use crate::series::add_schema;
use crate::session::Engine;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::{LogicalPlan, Union};
use datafusion::prelude::{SessionContext, cast, ident, lit};
use muster_reports::arguments::{ArgumentKind, Arguments};
use muster_reports::caller::DataScope;
use muster_reports::definition::ReportDefinition;
use muster_reports::snapshot::SnapshotManifest;
use muster_reports::sod::{PolicySearch, searches};
use std::sync::Arc;

/// The table that the rows of a report read, and the one that its counts read.
const TABLES: [&str; 2] = ["found", "counted"];

/// The tables of a run; none where the definition has no policies.
#[derive(Default)]
pub(crate) struct PolicyTables {
    tables: Vec<(&'static str, Arc<dyn TableProvider>)>,
    searched: bool,
}

impl PolicyTables {
    /// Whether a search is part of the tables.
    pub(crate) fn are_searched(&self) -> bool {
        self.searched
    }

    /// Registers the tables in a session.
    pub(crate) fn register(&self, context: &SessionContext) -> Result<()> {
        if self.tables.is_empty() {
            return Ok(());
        }
        add_schema(context, POLICIES)?;
        for (table, shown) in &self.tables {
            let name = TableReference::partial(POLICIES, *table);
            context.register_table(name, Arc::clone(shown)).map_err(|e| EngineError::plan(table, e))?;
        }
        Ok(())
    }

    /// Tables without rows.
    pub(crate) fn empty() -> Self {
        let empty = |table| (table, Arc::new(EmptyTable::new(schema())) as Arc<dyn TableProvider>);
        Self { tables: TABLES.map(empty).into(), searched: false }
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(["place", "id"].map(|name| Field::new(name, DataType::Utf8, true)).to_vec()))
}

/// The tables of what the policies of the arguments find in the part of the snapshot that `scope` shows.
pub(crate) async fn tables(
    engine: &Engine,
    manifest: &SnapshotManifest,
    scope: &DataScope,
    definition: &ReportDefinition,
    arguments: &Arguments,
    signal: &CancelSignal,
) -> Result<PolicyTables> {
    let specs = definition.arguments.iter().filter(|spec| spec.kind == ArgumentKind::SodPolicies);
    let mut all: Option<Vec<PolicySearch>> = None;
    for spec in specs {
        let of_one = arguments.text(&spec.name).map_or(Ok(Vec::new()), searches);
        let of_one = of_one.map_err(|error| EngineError::Invalid(error.to_string()))?;
        all.get_or_insert_default().extend(of_one);
    }
    let Some(all) = all else { return Ok(PolicyTables::default()) };
    if all.is_empty() {
        return Ok(PolicyTables::empty());
    }
    let mut frames = [Vec::with_capacity(all.len()), Vec::with_capacity(all.len())];
    for search in &all {
        let found = engine.found_ids(manifest, scope, search, signal).await?;
        for (frames, frame) in frames.iter_mut().zip(found) {
            frames.push(with_place(frame, search).map_err(|e| EngineError::plan(POLICIES, e))?);
        }
    }
    let mut tables = Vec::with_capacity(TABLES.len());
    for (table, frames) in TABLES.into_iter().zip(frames) {
        tables.push((table, united(engine, frames).map_err(|e| EngineError::plan(table, e))?));
    }
    Ok(PolicyTables { tables, searched: true })
}

fn with_place(ids: DataFrame, search: &PolicySearch) -> datafusion::error::Result<DataFrame> {
    let id = cast(ident("id"), DataType::Utf8).alias("id");
    ids.select(vec![lit(search.place.as_str()).alias("place"), id])
}

fn united(engine: &Engine, frames: Vec<DataFrame>) -> datafusion::error::Result<Arc<dyn TableProvider>> {
    let plans: Vec<_> = frames.into_iter().map(|frame| Arc::new(frame.into_unoptimized_plan())).collect();
    let plan = match <[Arc<LogicalPlan>; 1]>::try_from(plans) {
        Ok([only]) => Arc::unwrap_or_clone(only),
        Err(plans) => LogicalPlan::Union(Union::try_new_with_loose_types(plans)?),
    };
    Ok(DataFrame::new(engine.session().state(), plan).into_view())
}
