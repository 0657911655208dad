//! Pages of a search that is answered at once: the positions of the documents first, then the documents themselves.
//!
//! Why two steps: a sort holds what it sorts. Here it holds keys and ids of one page, and documents are read only once
//! it is known which ones the page has.
//!
//! Invariants: the order is total (sort keys, id, type), documents without a value are last, and every type of document
//! is in one order with the others. A page is never read without a limit.

use super::columns::{key_path, type_key};
use super::fields::DocumentFields;
use super::flatten::split;
use super::narrow::Uses;
use super::{SearchPart, SearchPlan};
use crate::error::{EngineError, Result};
use crate::order::{Ordered, SortKey};
use chrono::{DateTime, SecondsFormat};
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast as cast_array;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{Expr, cast, ident, lit};
use futures_util::future::BoxFuture;
use muster_reports::nearest::hint;
use muster_sources::DocumentType;
use muster_sources::documents::schema;

/// Name of the plans of this module.
const STEP: &str = "search page";
/// Column of the document's id, in the plan of the positions.
const ID: &str = "id";
/// Column of the document's type: its number among the types.
const TYPE: &str = "type";

/// Most bytes of the documents of one page, as columns.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// Where a document is in the order of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    keys: Vec<ScalarValue>,
    id: String,
    document_type: DocumentType,
}

impl Position {
    /// The document's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The type of the document.
    pub fn document_type(&self) -> DocumentType {
        self.document_type
    }

    /// The values of the sort keys, as the document's JSON has them; `None` for no value.
    pub fn values(&self) -> Vec<Option<String>> {
        self.keys.iter().map(text_of).collect()
    }
}

/// Which columns of the documents are read. The id always is.
#[derive(Debug, Clone)]
pub struct ShownColumns {
    /// Names of fields, or patterns with `*`. If there are none, all columns are read.
    pub includes: Vec<String>,
    /// Whether lists of objects are read.
    pub nested: bool,
}

impl ShownColumns {
    fn has(&self, column: &Field) -> bool {
        if column.name() == ID {
            return true;
        }
        let is_nested = matches!(column.data_type(), DataType::List(item) if item.data_type().is_nested());
        let includes = |name: &String| {
            let (first, _) = split(name);
            match first.split_once('*') {
                // What the star stands for may have dots.
                Some((before, _)) => column.name().starts_with(before),
                None => column.name() == first,
            }
        };
        (self.nested || !is_nested) && (self.includes.is_empty() || self.includes.iter().any(includes))
    }
}

/// A sort key over all types of a search.
struct Key {
    ascending: bool,
    /// The type of its values.
    data_type: DataType,
}

impl SearchPlan {
    /// The number of documents that the search finds.
    ///
    /// # Errors
    /// When a plan fails.
    pub fn count(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let mut found = 0;
            for part in &self.parts {
                let numbers = part.numbers(part.found([])?, vec![count(lit(1))]).await?;
                found += numbers.into_iter().sum::<u64>();
            }
            Ok(found)
        })
    }

    /// The positions of the documents after `after`, or of the first ones, in the order of `sort`: at most `rows`, after
    /// `skipped` others.
    ///
    /// # Errors
    /// `Invalid` for a sort key that no type of document has, otherwise when the plan fails.
    pub fn positions<'a>(
        &'a self,
        sort: &'a [String],
        after: Option<&'a Position>,
        skipped: usize,
        rows: usize,
    ) -> BoxFuture<'a, Result<Vec<Position>>> {
        Box::pin(async move {
            let keys = self.keys(sort)?;
            let failed = |e| EngineError::plan(STEP, e);
            let mut all: Option<DataFrame> = None;
            for (number, part) in self.parts.iter().enumerate() {
                let found = part.positions(sort, &keys, number)?;
                all = Some(match all {
                    None => found,
                    Some(others) => others.union(found).map_err(failed)?,
                });
            }
            let Some(mut all) = all else { return Ok(Vec::new()) };
            if let Some(after) = after {
                all = all.filter(self.beyond(&keys, after)).map_err(failed)?;
            }
            let mut shown: Vec<_> =
                (0..keys.len()).map(|at| (key_column(at), ident(key_column(at)))).collect();
            shown.extend([ID, TYPE].map(|name| (name.to_owned(), ident(name))));
            let mut order: Vec<_> = keys
                .iter()
                .enumerate()
                .map(|(at, key)| SortKey { ascending: key.ascending, ..SortKey::column(&key_column(at)) })
                .collect();
            order.extend([SortKey::column(ID), SortKey::column(TYPE)]);
            let ordered = Ordered::new(all, shown, order).map_err(failed)?;
            let page = ordered.frame().clone().limit(skipped, Some(rows)).map_err(failed)?;
            let mut batches = ordered.with_frame(page).start(STEP).await?;
            let mut positions = Vec::new();
            while let Some(batch) = batches.next().await? {
                positions.extend(self.read(&batch, keys.len())?);
            }
            Ok(positions)
        })
    }

    /// The documents at these positions, by type, in any order. Each batch has the columns that `shown` names, and `id`.
    ///
    /// # Errors
    /// `Invalid` if they are too large, otherwise when a plan fails.
    pub fn documents<'a>(
        &'a self,
        positions: &'a [Position],
        shown: &'a ShownColumns,
    ) -> BoxFuture<'a, Result<Vec<(DocumentType, RecordBatch)>>> {
        Box::pin(async move {
            let mut found = Vec::new();
            let mut bytes = 0;
            for part in &self.parts {
                let of_part =
                    positions.iter().filter(|position| position.document_type == part.document_type);
                let ids: Vec<_> = of_part.map(|position| position.id.as_str()).collect();
                for batch in part.with_ids(ids, shown).await? {
                    bytes += batch.get_array_memory_size();
                    if bytes > PAGE_BYTES_MAX {
                        return Err(EngineError::Invalid(format!(
                            "the documents of the page take more than {} MiB: expected a smaller limit, or fewer fields \
                         (queryResultFilter)",
                            PAGE_BYTES_MAX >> 20
                        )));
                    }
                    found.push((part.document_type, batch));
                }
            }
            Ok(found)
        })
    }

    /// The document with this id, if the search finds one of that id in its only type of document.
    ///
    /// # Errors
    /// As [`SearchPlan::documents`].
    pub fn document<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<(DocumentType, RecordBatch)>>> {
        Box::pin(async move {
            let Some(part) = self.parts.first() else { return Ok(None) };
            let position =
                Position { keys: Vec::new(), id: id.to_owned(), document_type: part.document_type };
            let everything = ShownColumns { includes: Vec::new(), nested: true };
            let found = self.documents(&[position], &everything).await?;
            Ok(found.into_iter().find(|(_, batch)| batch.num_rows() > 0))
        })
    }

    /// The sort keys. If types of document have a key with different types of values, its values compare as texts.
    fn keys(&self, sort: &[String]) -> Result<Vec<Key>> {
        let fields: Vec<_> = self.parts.iter().map(SearchPart::fields).collect();
        let key = |name: &String| {
            let found: Vec<_> = fields.iter().filter_map(|fields| type_key(fields, name, 0)).collect();
            let Some((first, data_type)) = found.first() else {
                let known: Vec<_> = fields.iter().flat_map(DocumentFields::names).collect();
                let near = hint(key_path(name), known.iter().map(String::as_str));
                return Err(EngineError::Invalid(format!(
                    "sort has {name:?}: the searched documents have no such field to sort by{near}"
                )));
            };
            let alike = found.iter().all(|(_, other)| other == data_type);
            let data_type = if alike { data_type.clone() } else { DataType::Utf8 };
            Ok(Key { ascending: first.ascending, data_type })
        };
        sort.iter().map(key).collect()
    }

    /// The condition that a document is after `position`. Documents without a value are last.
    fn beyond(&self, keys: &[Key], position: &Position) -> Expr {
        let id = || lit(position.id.as_str());
        let number = self.parts.iter().position(|part| part.document_type == position.document_type);
        let number = lit(i64::try_from(number.unwrap_or_default()).unwrap_or(i64::MAX));
        let mut beyond = ident(ID).gt(id()).or(ident(ID).eq(id()).and(ident(TYPE).gt(number)));
        for (at, (key, value)) in keys.iter().zip(&position.keys).enumerate().rev() {
            let column = || ident(key_column(at));
            beyond = if value.is_null() {
                column().is_null().and(beyond)
            } else {
                let value = lit(value.clone());
                let further =
                    if key.ascending { column().gt(value.clone()) } else { column().lt(value.clone()) };
                further.or(column().is_null()).or(column().eq(value).and(beyond))
            };
        }
        beyond
    }

    /// The positions of a batch of the plan's rows.
    fn read(&self, batch: &RecordBatch, keys: usize) -> Result<Vec<Position>> {
        let failed = |e| EngineError::data("reading the positions of documents", e);
        let ids = cast_array(batch.column(keys), &DataType::Utf8).map_err(failed)?;
        let (ids, numbers) = (ids.as_string::<i32>(), batch.column(keys + 1).as_primitive::<Int64Type>());
        let value = |column: &ArrayRef, row| {
            ScalarValue::try_from_array(column, row).map_err(|e| EngineError::plan(STEP, e))
        };
        let position = |row| {
            let part = usize::try_from(numbers.value(row)).ok().and_then(|number| self.parts.get(number));
            let part = part.ok_or_else(|| {
                EngineError::data(
                    "reading the positions of documents",
                    "a type of document is not one searched",
                )
            })?;
            Ok(Position {
                keys: batch.columns()[..keys]
                    .iter()
                    .map(|column| value(column, row))
                    .collect::<Result<_>>()?,
                id: ids.value(row).to_owned(),
                document_type: part.document_type,
            })
        };
        (0..batch.num_rows()).map(position).collect()
    }
}

impl SearchPart {
    pub(super) fn fields(&self) -> DocumentFields {
        DocumentFields::new(&schema(self.document_type))
    }

    /// The matching documents, each as its keys, its id and the number of its type.
    fn positions(&self, sort: &[String], keys: &[Key], number: usize) -> Result<DataFrame> {
        let fields = self.fields();
        let key = |(at, (name, key)): (usize, (&String, &Key))| {
            let value = match type_key(&fields, name, at) {
                Some((own, data_type)) if data_type == key.data_type => own.expression,
                Some((own, _)) => cast(own.expression, key.data_type.clone()),
                None => cast(lit(ScalarValue::Null), key.data_type.clone()),
            };
            value.alias(key_column(at))
        };
        let mut columns: Vec<_> = sort.iter().zip(keys).enumerate().map(key).collect();
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        columns.extend([ident(ID).alias(ID), lit(number).alias(TYPE)]);
        let found = self.found(sort.iter().map(|name| key_path(name)).chain([ID]))?;
        found.select(columns).map_err(|e| EngineError::plan(STEP, e))
    }

    /// The documents with these ids.
    async fn with_ids(&self, ids: Vec<&str>, shown: &ShownColumns) -> Result<Vec<RecordBatch>> {
        let (Some(least), Some(greatest)) = (ids.iter().min(), ids.iter().max()) else {
            return Ok(Vec::new());
        };
        // The bounds let a scan skip parts of files; a list of many values does not.
        let wanted = ident(ID).gt_eq(lit(*least)).and(ident(ID).lt_eq(lit(*greatest)));
        let wanted = wanted.and(ident(ID).in_list(ids.iter().map(|id| lit(*id)).collect(), false));
        let columns = schema(self.document_type);
        let columns = columns.fields().iter().filter(|column| shown.has(column));
        let columns: Vec<_> = columns.map(|column| ident(column.name())).collect();
        let failed = |e| EngineError::plan(STEP, e);
        let documents = self.documents(&Uses::default())?;
        let frame = documents.filter(wanted).and_then(|found| found.select(columns)).map_err(failed)?;
        frame.collect().await.map_err(failed)
    }
}

/// Name of a key's column in the plan of the positions.
fn key_column(at: usize) -> String {
    format!("key{at}")
}

/// A value as the document's JSON has it; `None` for no value.
fn text_of(value: &ScalarValue) -> Option<String> {
    if let ScalarValue::TimestampMicrosecond(at, _) = value {
        let at = DateTime::from_timestamp_micros((*at)?)?;
        return Some(at.to_rfc3339_opts(SecondsFormat::Millis, true));
    }
    (!value.is_null()).then(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_texts_as_in_json() {
        let micros = |at| ScalarValue::TimestampMicrosecond(at, Some("UTC".into()));
        for (value, expected) in [
            (ScalarValue::from("Ann"), Some("Ann")),
            (ScalarValue::Utf8View(Some("Ann".into())), Some("Ann")),
            (ScalarValue::Utf8(None), None),
            (ScalarValue::Int64(Some(-3)), Some("-3")),
            (ScalarValue::Boolean(Some(true)), Some("true")),
            (micros(Some(1_767_225_600_123_456)), Some("2026-01-01T00:00:00.123Z")),
            (micros(None), None),
        ] {
            assert_eq!(text_of(&value).as_deref(), expected, "{value:?}");
        }
    }

    #[test]
    fn only_columns_that_can_be_shown_are_read() {
        let columns = |includes: &[&str], nested| {
            let includes = includes.iter().map(|name| (*name).to_owned()).collect();
            let shown = ShownColumns { includes, nested };
            let schema = schema(DocumentType::Identities);
            let read = schema.fields().iter().filter(|column| shown.has(column));
            read.map(|column| column.name().clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(columns(&["name", "source.name", "nothing"], true), "id name source");
        assert_eq!(
            columns(&["acc*"], true),
            "id accounts accountCount access accessCount accessProfileCount"
        );
        assert_eq!(columns(&["acc*"], false), "id accountCount accessCount accessProfileCount");
        assert_eq!(columns(&["*.name"], true), columns(&[], true));
        assert!(columns(&[], false).contains("tags") && !columns(&[], false).contains("apps"));
    }
}
