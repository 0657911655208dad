//! Compares two snapshots: identities and accounts that were added, removed or changed, attribute by attribute.
//!
//! One plan joins both versions of a table by id, keeps the rows whose content digests differ, and sorts them. The
//! differences within a row are found batch by batch when rows are read. The join is a sort-merge join, which spills,
//! so memory does not grow with the tables.

use crate::declared::{ACCOUNTS, Column, Compared, Holds, IDENTITIES, Table};
use crate::error::{EngineError, Result};
use crate::functions::{AttributesColumn, Pairs, cell, strings};
use crate::order::{Ordered, SortKey};
use crate::rows::{BatchConverter, ReportRows};
use crate::session::{Engine, with_spilling_joins};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::dataframe::DataFrame;
use datafusion::prelude::{SessionContext, ident};
use futures_util::future::BoxFuture;
use muster_reports::SnapshotManifest;
use std::sync::Arc;

/// Columns of a comparison, all of them texts. If an object was added or removed, `attribute` is null. The values of a
/// multi-valued attribute are joined as in reports.
pub const COLUMNS: [&str; 8] = ["object", "change", "id", "source", "name", "attribute", "old", "new"];

/// The tables that are compared, in this order.
const COMPARED_TABLES: [&str; 2] = [IDENTITIES, ACCOUNTS];

/// A table that is compared, and how it is read.
struct ComparedTable {
    table: &'static str,
    declared: Compared,
    /// Texts: name in the comparison, and column.
    texts: Vec<(&'static str, &'static str)>,
    /// Lists: name in the comparison, and column.
    lists: Vec<(&'static str, &'static str)>,
}

impl ComparedTable {
    /// From the table's declaration; `None` if it is not compared.
    fn of(table: &Table) -> Option<Self> {
        let shown = |column: &Column| Some((column.shown?, column.name));
        let of = |is_it: fn(Holds) -> bool| {
            table.listed().iter().filter(|column| is_it(column.holds)).filter_map(shown).collect()
        };
        Some(Self {
            table: table.name,
            declared: table.compared?,
            texts: of(|holds| !matches!(holds, Holds::Texts | Holds::Times | Holds::Attributes)),
            lists: of(|holds| holds == Holds::Texts),
        })
    }
}

impl Engine {
    /// The differences from `old` to `new`: identities by name, then accounts by source and native identity, each with
    /// its attributes by name.
    ///
    /// # Errors
    /// When a table of either snapshot cannot be opened, or the engine has stopped.
    pub fn compare<'a>(
        self: &'a Arc<Self>,
        old: &'a SnapshotManifest,
        new: &'a SnapshotManifest,
    ) -> BoxFuture<'a, Result<ReportRows>> {
        Box::pin(async move {
            let context = self.session();
            let mut frames = Vec::new();
            for kind in COMPARED_TABLES.into_iter().filter_map(|table| ComparedTable::of(Table::of(table))) {
                for (side, manifest) in [("old", old), ("new", new)] {
                    let provider = self.table_of(manifest, kind.table).await?;
                    let alias = format!("{side}_{}", kind.table);
                    context.register_table(&alias, provider).map_err(|e| EngineError::plan(&alias, e))?;
                }
                let differing = with_spilling_joins(kind.differing(&context).await?);
                let columns = differing.schema().fields().iter().map(|field| field.name().clone());
                let columns = columns.map(|name| (name.clone(), ident(name))).collect();
                let keys = ["in_source", "known_as", "id"].map(SortKey::column).to_vec();
                let frame =
                    Ordered::new(differing, columns, keys).map_err(|e| EngineError::plan("comparison", e))?;
                let convert: BatchConverter = Arc::new(move |batch| Ok(vec![kind.changes(&batch)?]));
                frames.push((frame, convert));
            }
            ReportRows::start(self, "comparison", schema(), frames)
        })
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(COLUMNS.map(|name| Field::new(name, DataType::Utf8, true)).to_vec()))
}

impl ComparedTable {
    /// One row for each object that differs, with the columns of both sides.
    async fn differing(&self, context: &SessionContext) -> Result<DataFrame> {
        let columns: Vec<&str> = self.texts.iter().chain(&self.lists).map(|(_, column)| *column).collect();
        let texts =
            self.texts.iter().map(|(_, column)| format!("CAST(\"{column}\" AS VARCHAR) AS \"{column}\""));
        let lists = self.lists.iter().map(|(_, column)| format!("\"{column}\""));
        let read: Vec<String> = texts.chain(lists).collect();
        let side = |side: &str| {
            format!(
                "(SELECT id, {source} AS in_source, coalesce({name}, '') AS known_as, {read}, attributes, \
                   content_digest({columns}, attributes) AS content \
                 FROM {side}_{table} WHERE {only})",
                source = self.declared.source.unwrap_or("''"),
                name = self.declared.name,
                read = read.join(", "),
                columns = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", "),
                table = self.table,
                only = self.declared.only,
            )
        };
        let both = |column: &str| format!("o.\"{column}\" AS old_{column}, n.\"{column}\" AS new_{column}");
        let twice: Vec<String> = columns.iter().copied().chain(["attributes"]).map(both).collect();
        let sql = format!(
            "SELECT coalesce(n.id, o.id) AS id, coalesce(n.in_source, o.in_source, '') AS in_source, \
               coalesce(n.known_as, o.known_as) AS known_as, o.id IS NOT NULL AS was, n.id IS NOT NULL AS is_now, {twice} \
             FROM {old} o FULL OUTER JOIN {new} n ON o.id = n.id \
             WHERE o.content IS DISTINCT FROM n.content",
            twice = twice.join(", "),
            old = side("old"),
            new = side("new"),
        );
        context.sql(&sql).await.map_err(|e| EngineError::plan("comparison", e))
    }

    /// The rows of the comparison for a batch of differing objects.
    fn changes(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let failed = |e| EngineError::plan("comparison", e);
        let text = |name: &str| column(batch, name).and_then(|column| texts(&column));
        let flag = |name: &str| Ok::<_, EngineError>(column(batch, name)?.as_boolean().clone());
        let (ids, sources, names) = (text("id")?, text("in_source")?, text("known_as")?);
        let (was, is_now) = (flag("was")?, flag("is_now")?);
        let mut sides = Vec::with_capacity(2);
        for side in ["old", "new"] {
            let mut columns = Vec::new();
            for (name, at) in &self.texts {
                columns.push((*name, Cells::Texts(text(&format!("{side}_{at}"))?)));
            }
            for (name, at) in &self.lists {
                columns.push((*name, Cells::Lists(column(batch, &format!("{side}_{at}"))?)));
            }
            let attributes = AttributesColumn::open(&column(batch, &format!("{side}_attributes"))?);
            sides.push((columns, attributes.map_err(failed)?));
        }
        let mut rows: [StringBuilder; COLUMNS.len()] = std::array::from_fn(|_| StringBuilder::new());
        for row in 0..batch.num_rows() {
            let mut push = |change: &str, attribute: Option<&str>, old: Option<&str>, new: Option<&str>| {
                let own =
                    [self.declared.object, change, ids.value(row), sources.value(row), names.value(row)];
                let cells = own.map(Some).into_iter().chain([attribute, old, new]);
                for (builder, cell) in rows.iter_mut().zip(cells) {
                    builder.append_option(cell);
                }
            };
            match (was.value(row), is_now.value(row)) {
                (true, false) => push("removed", None, None, None),
                (false, _) => push("added", None, None, None),
                (true, true) => {
                    let mut pairs = Pairs::default();
                    for (side, (columns, attributes)) in sides.iter().enumerate() {
                        for (name, cells) in columns {
                            pairs.add(side, name, cells.value(row)?);
                        }
                        pairs.add_attributes(side, attributes, row);
                    }
                    for (name, old, new) in pairs.differing() {
                        push("changed", Some(name), old, new);
                    }
                }
            }
        }
        let columns = rows.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        RecordBatch::try_new(schema(), columns).map_err(|e| EngineError::data("comparing snapshots", e))
    }
}

/// A column of one side.
enum Cells {
    Texts(StringArray),
    Lists(ArrayRef),
}

impl Cells {
    fn value(&self, row: usize) -> Result<Option<String>> {
        Ok(match self {
            Self::Texts(column) => column.is_valid(row).then(|| column.value(row).to_owned()),
            Self::Lists(column) if column.is_null(row) => None,
            Self::Lists(column) => {
                let items = texts(&column.as_list::<i32>().value(row))?;
                Some(cell(items.iter().flatten()))
            }
        })
    }
}

fn column(batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
    batch
        .column_by_name(name)
        .cloned()
        .ok_or_else(|| EngineError::data("comparing snapshots", format!("there is no column {name:?}")))
}

fn texts(column: &ArrayRef) -> Result<StringArray> {
    strings(column).map_err(|e| EngineError::plan("comparison", e))
}
