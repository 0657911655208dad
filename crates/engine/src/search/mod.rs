//! A search over the documents of a snapshot. Each type of document has a plan, rows, and an independent count.
//!
//! `muster-querystring` parses the query and decides what it means. This module turns the predicate into a plan over
//! one Delta table for each type. A name that no type has (in the query, as a column or as a sort key) is not an error;
//! a warning says what it means for the result.

mod aggregate;
mod cells;
mod columns;
mod evaluate;
mod explain;
mod fields;
mod filter;
mod flatten;
mod found;
mod language;
mod narrow;
mod page;
mod spread;
mod suggestions;
mod warnings;

pub use explain::{Explanation, IndexExplanation, explain};
pub use flatten::fits;
pub use language::SearchLanguage;
pub use page::{Position, ShownColumns};
pub use suggestions::field_names;

use crate::cancellation::RunGuard;
use crate::declared::Table;
use crate::error::{EngineError, Result};
use crate::kept_plans::SearchKey;
use crate::opaque::Opaque;
use crate::order::{Ordered, SortKey};
use crate::report::{OutputColumn, whole_numbers};
use crate::rows::{BatchConverter, ReportRows};
use crate::scope;
use crate::session::Engine;
use chrono::{DateTime, Utc};
use columns::Selection;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use datafusion::dataframe::DataFrame;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::functions_nested::expr_fn::array_length;
use datafusion::prelude::{Expr, SessionContext, cast, coalesce, ident, lit, when};
use fields::{DocumentFields, Path};
use futures_util::future::BoxFuture;
use muster_querystring::matching::{Lowering, Predicate, Resolver};
use muster_reports::caller::DataScope;
use muster_reports::cover::{Count, Reconciliation};
use muster_reports::nearest::hint;
use muster_reports::snapshot::SnapshotManifest;
use muster_sources::DocumentType;
use muster_sources::documents::schema;
use narrow::{NarrowedTable, Uses};
use std::sync::Arc;
use warnings::{SearchedFields, Warnings};

/// A search request.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// The query's text.
    pub query: String,
    /// The types of document to search, by index name. Empty or `*` means all of them.
    pub indices: Vec<String>,
    /// Columns in file order, such as `NAME.spread`. If there are none, each type has its default columns.
    pub columns: Vec<String>,
    /// `field`, `+field` or `-field`.
    pub sort: Vec<String>,
    /// The fields in which words without a field are looked for. If there are none, all of them.
    pub fields: Vec<String>,
    /// The time that `now` in the query means.
    pub now: DateTime<Utc>,
}

/// A search that is ready to run.
pub struct SearchPlan {
    /// One part for each type of document.
    pub parts: Vec<SearchPart>,
    /// Warnings for the reader: names that do not exist, and values that no field can have.
    pub warnings: Vec<String>,
}

/// A search in one type of document. Rows and counts end when all parts of the search are dropped.
pub struct SearchPart {
    engine: Arc<Engine>,
    context: Opaque<SessionContext>,
    table: &'static str,
    document_type: DocumentType,
    predicate: Predicate<Path>,
    filter: Opaque<Expr>,
    selection: Selection,
    order: Opaque<Vec<SortKey>>,
    /// The paths of the sort keys.
    sorted_by: Vec<String>,
    /// What decides the counts, if they may be kept.
    kept_by: Option<SearchKey>,
    running: Arc<RunGuard>,
}

impl Engine {
    /// Plans a search over the part of the snapshot that `scope` shows.
    ///
    /// # Errors
    /// `Invalid` for a query that cannot be parsed or run, an unknown index, or a snapshot without documents. Otherwise
    /// a failure of the engine.
    pub fn prepare_search<'a>(
        self: &'a Arc<Self>,
        manifest: &'a SnapshotManifest,
        request: &'a SearchRequest,
        scope: &'a DataScope,
    ) -> BoxFuture<'a, Result<SearchPlan>> {
        Box::pin(async move {
            let query =
                muster_querystring::parse(&request.query).map_err(|e| EngineError::Invalid(e.to_string()))?;
            let types = types(&request.indices)?;
            let running = Arc::new(RunGuard::default());
            let context = self.session_until(running.signal());
            let mut parts = Vec::with_capacity(types.len());
            let mut lowering = Lowering::new(&query, request.now);
            let mut searched = Vec::with_capacity(types.len());
            for document_type in &types {
                let table = Table::of_documents(*document_type).name;
                let Some(version) = manifest.versions.get(table) else {
                    return Err(EngineError::Invalid(format!(
                        "snapshot {} has no documents to search: refresh the sources first",
                        manifest.id
                    )));
                };
                scope::register(self, &context, manifest, scope, &[table]).await?;
                let fields = DocumentFields::new(&schema(*document_type)).looking_in(&request.fields);
                let predicate = lowering.predicate(&fields).map_err(|error| {
                    EngineError::Invalid(format!(
                        "column {}: {error}",
                        column_of(&request.query, error.span.start)
                    ))
                })?;
                let filter =
                    filter::Compiler::new(schema(*document_type), running.signal()).compile(&predicate);
                let selection = Selection::of(*document_type, &fields, &request.columns);
                let is_kept = matches!(scope, DataScope::Everything) && !query.may_ask_for_now();
                let kept_by = is_kept.then(|| SearchKey {
                    table: (table, *version),
                    query: request.query.clone(),
                    fields: request.fields.clone(),
                    lists: selection.lists().into_iter().map(str::to_owned).collect(),
                });
                parts.push(SearchPart {
                    engine: Arc::clone(self),
                    context: Opaque::new(context.clone()),
                    table,
                    document_type: *document_type,
                    predicate,
                    filter: Opaque::new(filter),
                    selection,
                    order: Opaque::new(columns::sort_keys(&fields, &request.sort)),
                    sorted_by: request.sort.iter().map(|name| columns::key_path(name).to_owned()).collect(),
                    kept_by,
                    running: Arc::clone(&running),
                });
                searched.push((*document_type, fields));
            }
            for name in &request.fields {
                if searched.iter().all(|(_, fields)| fields.named(None, name).is_empty()) {
                    let known: Vec<_> = searched.iter().flat_map(|(_, fields)| fields.names()).collect();
                    return Err(EngineError::Invalid(format!(
                        "fields has {name:?}: the searched documents have no such field{}",
                        hint(name, known.iter().map(String::as_str))
                    )));
                }
            }
            let mut warnings = Warnings::default();
            let known = SearchedFields::new(&searched, Some(manifest));
            known.of_query(&request.query, &query, request.now, &mut warnings);
            known.of_names(&request.columns, &request.sort, &mut warnings);
            Ok(SearchPlan { parts, warnings: warnings.texts() })
        })
    }
}

/// The requested types of document, in their order.
fn types(indices: &[String]) -> Result<Vec<DocumentType>> {
    if indices.is_empty() || indices.iter().any(|index| index == "*") {
        return Ok(DocumentType::ALL.to_vec());
    }
    for index in indices {
        if DocumentType::from_index_name(index).is_none() {
            let known: Vec<_> = DocumentType::ALL.iter().map(|known| known.index_name()).collect();
            return Err(EngineError::Invalid(format!(
                "unknown index {index:?}: expected one of {}, or *",
                known.join(", ")
            )));
        }
    }
    let asked = |known: &DocumentType| indices.iter().any(|index| index == known.index_name());
    Ok(DocumentType::ALL.into_iter().filter(asked).collect())
}

/// The column of a byte offset, counted from one.
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

    /// Starts the plan. It has one block of rows, or one for each list that is spread.
    ///
    /// # Errors
    /// When the columns cannot be planned, or the engine has stopped.
    pub fn start(&self) -> Result<ReportRows> {
        let blocks = self.selection.blocks();
        let mut frames: Vec<(Ordered, BatchConverter)> = Vec::with_capacity(blocks.len());
        let schema = self.selection.schema();
        for (list, arrangement) in blocks {
            let frame = self.rows(list)?;
            frames.push((frame, Arc::new(move |batch| arrangement.arrange(&batch))));
        }
        ReportRows::start(&self.engine, self.name(), schema, frames)
    }

    /// The matching documents in order: the cells, and then the list to spread.
    fn rows(&self, list: Option<&str>) -> Result<Ordered> {
        let cells = self.selection.cells().into_iter().chain(list.map(ident)).enumerate();
        let shown = cells.map(|(at, cell)| (format!("c{at}"), cell)).collect();
        let mut keys = self.order.to_vec();
        keys.push(SortKey::column("id"));
        let paths = self.selection.paths().chain(list).chain(self.sorted_by.iter().map(String::as_str));
        Ordered::new(self.found(paths)?, shown, keys).map_err(|e| EngineError::plan(self.name(), e))
    }

    /// The matching documents, with what lies at these paths of them.
    fn found<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> Result<DataFrame> {
        let mut uses = Uses::of(&self.predicate);
        paths.into_iter().for_each(|path| uses.add(path));
        let found = self.documents(&uses)?.filter((*self.filter).clone());
        found.map_err(|e| EngineError::plan(self.name(), e))
    }

    /// All documents, with these parts of them.
    fn documents(&self, uses: &Uses) -> Result<DataFrame> {
        let provider = self.context.table_provider(self.table);
        let provider = futures_util::FutureExt::now_or_never(provider);
        let failed = |e| EngineError::plan(self.name(), e);
        match provider {
            Some(provider) => {
                let provider = NarrowedTable::over(provider.map_err(failed)?, uses);
                self.context.read_table(provider).map_err(failed)
            }
            None => Err(EngineError::Stopped),
        }
    }

    /// Counts all documents and those that do not match. The plans share no comparison with the plan of the rows: every
    /// document is tested with the whole predicate. What was tested is counted by a plan of its own. Counts of an earlier
    /// run over the same documents are used again.
    ///
    /// # Errors
    /// When a plan fails.
    pub fn reconcile(&self) -> BoxFuture<'_, Result<Reconciliation>> {
        Box::pin(async move {
            let plans = self.engine.plans();
            let counts = match self.kept_by.as_ref().and_then(|key| plans.counts(key)) {
                Some(counts) => counts,
                None => {
                    let counts = self.counted().await?;
                    if let Some(key) = &self.kept_by {
                        plans.keep_counts(key.clone(), &counts);
                    }
                    counts
                }
            };
            let [population, missed, rows @ ..] = &counts[..] else {
                return Err(EngineError::data("counting documents", "the plans returned no numbers"));
            };
            let lists = self.selection.lists();
            let matching = population.checked_sub(*missed).ok_or_else(|| {
                EngineError::data("counting documents", format!("{missed} of {population} do not match"))
            })?;
            let added = lists.iter().zip(rows).enumerate().map(|(at, (list, rows))| {
                // The first block has at least one row for each document.
                let beyond = if at == 0 { rows.saturating_sub(matching) } else { *rows };
                Count { label: format!("rows of {list}.spread"), rows: beyond }
            });
            let added: Vec<_> = added.collect();
            let excluded = vec![Count { label: "not found by the query".into(), rows: *missed }];
            let expected = matching + added.iter().map(|count| count.rows).sum::<u64>();
            Ok(Reconciliation {
                population: *population,
                excluded,
                added,
                expected,
                reported: 0,
                subtotals: Vec::new(),
            })
        })
    }

    /// The number of documents, of those that do not match, and of the rows that each spread list has for those that match.
    async fn counted(&self) -> Result<Vec<u64>> {
        let failed = |error| EngineError::plan(self.name(), error);
        let asked =
            filter::Compiler::new(schema(self.document_type), self.running.signal()).asked(&self.predicate);
        let missed = when(asked.clone(), lit(0_i64)).otherwise(lit(1_i64)).map_err(failed)?;
        let mut sums = vec![missed];
        let mut uses = Uses::of(&self.predicate);
        for list in self.selection.lists() {
            uses.add_lengths(list);
            let length = coalesce(vec![cast(array_length(ident(list)), DataType::Int64), lit(0_i64)]);
            // A document without elements has one row, too.
            let rows = when(length.clone().gt(lit(1_i64)), length).otherwise(lit(1_i64)).map_err(failed)?;
            sums.push(when(asked.clone(), rows).otherwise(lit(0_i64)).map_err(failed)?);
        }
        let sums = sums.into_iter().map(|numbers| coalesce(vec![sum(numbers), lit(0_i64)])).collect();
        let (mut counts, sums) = futures_util::future::try_join(
            self.numbers(self.documents(&Uses::default())?, vec![count(lit(1))]),
            self.numbers(self.documents(&uses)?, sums),
        )
        .await?;
        counts.extend(sums);
        Ok(counts)
    }

    /// The numbers that these aggregates give over all rows of a frame.
    async fn numbers(&self, frame: DataFrame, aggregates: Vec<Expr>) -> Result<Vec<u64>> {
        let name = self.name();
        let aggregates = aggregates.into_iter().enumerate();
        let aggregates = aggregates.map(|(at, aggregate)| aggregate.alias(format!("n{at}"))).collect();
        let frame = frame.aggregate(Vec::new(), aggregates).map_err(|e| EngineError::plan(name, e))?;
        let batches: Vec<RecordBatch> = self
            .engine
            .run(async move { frame.collect().await.map_err(|e| EngineError::plan(name, e)) })
            .await?;
        let row = batches.iter().find(|batch| batch.num_rows() == 1);
        let Some(row) = row.filter(|_| batches.iter().map(RecordBatch::num_rows).sum::<usize>() == 1) else {
            return Err(EngineError::data(
                "counting documents",
                "the plan returned several rows: expected one",
            ));
        };
        let numbers = row.columns().iter().map(|column| whole_numbers(name, column));
        Ok(numbers.collect::<Result<Vec<_>>>()?.concat())
    }
}
