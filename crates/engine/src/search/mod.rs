//! A search over the documents of a snapshot: one part for each type of document, each with its plan, its
//! rows, and an independent count.
//!
//! The query's text and meaning are `muster-querystring`'s; here its predicate becomes a plan over one Delta
//! table for each type. Names that no type has, in the query, as columns or sort keys, are no error: a warning says
//! so and what it means.

mod cells;
mod columns;
mod evaluate;
mod explain;
mod fields;
mod filter;
mod flatten;
mod language;
mod remarks;
mod spread;

pub use explain::{Explanation, IndexExplanation, explain};
pub use language::SearchLanguage;

use crate::declared::Table;
use crate::error::{EngineError, Result};
use crate::order::{Ordered, SortKey};
use crate::report::{OutputColumn, single_count};
use crate::rows::{ReportRows, Shape};
use crate::scope;
use crate::session::Engine;
use crate::stop::Running;
use chrono::{DateTime, Utc};
use columns::Selection;
use datafusion::arrow::array::RecordBatch;
use datafusion::dataframe::DataFrame;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::functions_nested::expr_fn::array_length;
use datafusion::prelude::{Expr, SessionContext, coalesce, ident, lit, when};
use fields::{DocumentFields, Path};
use muster_querystring::matching::{Lowering, Predicate};
use muster_reports::caller::DataScope;
use muster_reports::cover::{Count, Reconciliation};
use muster_reports::snapshot::SnapshotManifest;
use muster_sources::DocumentType;
use muster_sources::documents::schema;
use remarks::{Known, Warnings};
use std::sync::Arc;

/// What is searched for.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// The query's text.
    pub query: String,
    /// The types of document to search, by index name; all of them where it is empty or has `*`.
    pub indices: Vec<String>,
    /// Columns in file order, `NAME.spread` among them; each type's own where it is empty.
    pub columns: Vec<String>,
    /// `field`, `+field` or `-field`.
    pub sort: Vec<String>,
    /// What `now` in the query stands for.
    pub now: DateTime<Utc>,
}

/// A search ready to run.
pub struct SearchPlan {
    /// One for each type of document that is searched.
    pub parts: Vec<SearchPart>,
    /// What a reader must know: names that there are not, and values that no field can hold.
    pub warnings: Vec<String>,
}

/// A search in one type of document. Rows and counts end when all parts of the search are dropped.
pub struct SearchPart {
    engine: Arc<Engine>,
    context: SessionContext,
    table: &'static str,
    document_type: DocumentType,
    predicate: Predicate<Path>,
    filter: Expr,
    selection: Selection,
    order: Vec<SortKey>,
    running: Arc<Running>,
}

impl Engine {
    /// Plans a search over what `scope` shows of the snapshot.
    ///
    /// # Errors
    /// `Invalid` for a query that cannot be read or run, an index that there is not, or a snapshot without
    /// documents; else a failure of the engine.
    pub async fn prepare_search(
        self: &Arc<Self>,
        manifest: &SnapshotManifest,
        request: &SearchRequest,
        scope: &DataScope,
    ) -> Result<SearchPlan> {
        let query =
            muster_querystring::parse(&request.query).map_err(|e| EngineError::Invalid(e.to_string()))?;
        let types = types(&request.indices)?;
        let running = Arc::new(Running::default());
        let context = self.session_until(running.stop());
        let mut parts = Vec::with_capacity(types.len());
        let mut lowering = Lowering::new(&query, request.now);
        let mut searched = Vec::with_capacity(types.len());
        for document_type in &types {
            let table = Table::of_documents(*document_type).name;
            if !manifest.versions.contains_key(table) {
                return Err(EngineError::Invalid(format!(
                    "snapshot {} has no documents to search: refresh the sources first",
                    manifest.id
                )));
            }
            scope::register(self, &context, manifest, scope, &[table]).await?;
            let fields = DocumentFields::new(&schema(*document_type));
            let predicate = lowering.predicate(&fields).map_err(|error| {
                EngineError::Invalid(format!(
                    "column {}: {error}",
                    column_of(&request.query, error.span.start)
                ))
            })?;
            let filter = filter::Compiler::new(schema(*document_type), running.stop()).compile(&predicate);
            parts.push(SearchPart {
                engine: Arc::clone(self),
                context: context.clone(),
                table,
                document_type: *document_type,
                predicate,
                filter,
                selection: Selection::of(*document_type, &fields, &request.columns),
                order: columns::sort_keys(&fields, &request.sort),
                running: Arc::clone(&running),
            });
            searched.push((*document_type, fields));
        }
        let mut warnings = Warnings::default();
        let known = Known::new(&searched, Some(manifest));
        known.of_query(&request.query, &query, request.now, &mut warnings);
        known.of_names(&request.columns, &request.sort, &mut warnings);
        Ok(SearchPlan { parts, warnings: warnings.texts() })
    }
}

/// The types of document that are asked for, in their order.
fn types(indices: &[String]) -> Result<Vec<DocumentType>> {
    if indices.is_empty() || indices.iter().any(|index| index == "*") {
        return Ok(DocumentType::ALL.to_vec());
    }
    for index in indices {
        if DocumentType::from_index_name(index).is_none() {
            let known: Vec<_> = DocumentType::ALL.iter().map(|known| known.index_name()).collect();
            return Err(EngineError::Invalid(format!(
                "{index:?} is no index: expected one of {}, or *",
                known.join(", ")
            )));
        }
    }
    let asked = |known: &DocumentType| indices.iter().any(|index| index == known.index_name());
    Ok(DocumentType::ALL.into_iter().filter(asked).collect())
}

/// The column, counted from one, of a byte offset.
fn column_of(text: &str, offset: usize) -> usize {
    text.get(..offset).map_or(1, |before| before.chars().count() + 1)
}

impl SearchPart {
    /// The index's name.
    pub fn name(&self) -> &'static str {
        self.document_type.index_name()
    }

    /// The columns, in file order.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.selection.columns
    }

    /// Starts the plan: one block of rows, or one for each list that is spread.
    ///
    /// # Errors
    /// When the columns cannot be planned, or the engine has stopped.
    pub fn start(&self) -> Result<ReportRows> {
        let blocks = self.selection.blocks();
        let mut frames: Vec<(Ordered, Shape)> = Vec::with_capacity(blocks.len());
        let schema = self.selection.schema();
        for (list, arrangement) in blocks {
            let frame = self.rows(list)?;
            frames.push((frame, Box::new(move |batch| arrangement.arrange(&batch))));
        }
        ReportRows::start(&self.engine, self.name(), schema, frames)
    }

    /// Matching documents in order: the cells, then the list to spread.
    fn rows(&self, list: Option<&str>) -> Result<Ordered> {
        let cells = self.selection.cells().into_iter().chain(list.map(ident)).enumerate();
        let shown = cells.map(|(at, cell)| (format!("c{at}"), cell)).collect();
        let mut keys = self.order.clone();
        keys.push(SortKey::column("id"));
        self.documents()?
            .filter(self.filter.clone())
            .and_then(|found| Ordered::new(found, shown, keys))
            .map_err(|e| EngineError::plan(self.name(), e))
    }

    fn documents(&self) -> Result<DataFrame> {
        let provider = self.context.table_provider(self.table);
        let provider = futures_util::FutureExt::now_or_never(provider);
        let failed = |e| EngineError::plan(self.name(), e);
        match provider {
            Some(provider) => self.context.read_table(provider.map_err(failed)?).map_err(failed),
            None => Err(EngineError::Stopped),
        }
    }

    /// Counts all documents and those that do not match, by a plan that shares neither comparisons nor columns
    /// with that of the rows: it reads whole documents and asks the whole predicate of each.
    ///
    /// # Errors
    /// When the plan fails.
    pub async fn reconcile(&self) -> Result<Reconciliation> {
        let asked =
            filter::Compiler::new(schema(self.document_type), self.running.stop()).asked(&self.predicate);
        let population = self.one(self.documents()?, count(lit(1))).await?;
        let lists = self.selection.lists();
        let one_if_not = |error| EngineError::plan(self.name(), error);
        let missed = when(asked.clone(), lit(0_i64)).otherwise(lit(1_i64)).map_err(one_if_not)?;
        let missed = self.one(self.documents()?, coalesce(vec![sum(missed), lit(0_i64)])).await?;
        let matching = population.checked_sub(missed).ok_or_else(|| {
            EngineError::data("counting documents", format!("{missed} of {population} do not match"))
        })?;
        let mut added = Vec::new();
        for (at, list) in lists.iter().enumerate() {
            let length = datafusion::prelude::cast(
                array_length(ident(*list)),
                datafusion::arrow::datatypes::DataType::Int64,
            );
            let length = coalesce(vec![length, lit(0_i64)]);
            let rows =
                when(length.clone().gt(lit(1_i64)), length).otherwise(lit(1_i64)).map_err(one_if_not)?;
            let rows = when(asked.clone(), rows).otherwise(lit(0_i64)).map_err(one_if_not)?;
            let rows = self.one(self.documents()?, coalesce(vec![sum(rows), lit(0_i64)])).await?;
            // The first block has one row for each document anyway.
            let beyond = if at == 0 { rows.saturating_sub(matching) } else { rows };
            added.push(Count { label: format!("rows of {list}.spread"), rows: beyond });
        }
        let excluded = vec![Count { label: "not found by the query".into(), rows: missed }];
        let expected = matching + added.iter().map(|count| count.rows).sum::<u64>();
        Ok(Reconciliation { population, excluded, added, expected, reported: 0, subtotals: Vec::new() })
    }

    async fn one(&self, frame: DataFrame, aggregate: Expr) -> Result<u64> {
        let name = self.name();
        let frame = frame
            .aggregate(Vec::new(), vec![aggregate.alias("n")])
            .map_err(|e| EngineError::plan(name, e))?;
        let batches: Vec<RecordBatch> = self
            .engine
            .run(async move { frame.collect().await.map_err(|e| EngineError::plan(name, e)) })
            .await?;
        single_count(name, &batches)
    }
}
