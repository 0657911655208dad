//! Rows in an order, and the proof of it.
//!
//! A plan keeps an order only up to its last sort: whatever it computes behind that may be done by several threads,
//! whose batches then come as they are ready. So the sort is the last thing that such a plan does, and every row is
//! compared with the one before as it comes out. A row out of order ends the run; nothing downstream sorts again.
//!
//! Invariants: what [`OrderedRows`] gives is in the order that was asked for, by the engine's own comparison; nulls come
//! last, whichever way; rows with the same keys are the same in all that is shown, so that the order is one.

use crate::error::{EngineError, Result};
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{Expr, ident};
use futures_util::StreamExt;
use std::sync::Arc;

/// A key by which rows are sorted.
#[derive(Debug, Clone)]
pub(crate) struct SortKey {
    /// What is compared.
    pub(crate) expression: Expr,
    /// Whether the least comes first.
    pub(crate) ascending: bool,
}

impl SortKey {
    /// The column `name`, the least first.
    pub(crate) fn column(name: &str) -> Self {
        Self { expression: ident(name), ascending: true }
    }
}

/// A plan whose last step is a sort.
#[derive(Clone)]
pub(crate) struct Ordered {
    /// The columns that are shown, then the keys that are not among them, under names of their own.
    frame: DataFrame,
    /// Names of the columns that are shown.
    names: Vec<String>,
    /// Where the keys are in the frame, and which way they go.
    keys: Vec<(usize, SortOptions)>,
}

impl Ordered {
    /// The columns of `frame` in the order of `keys`. Names of columns are only names: the plan does not know them.
    pub(crate) fn new(
        frame: DataFrame,
        columns: Vec<(String, Expr)>,
        keys: Vec<SortKey>,
    ) -> datafusion::error::Result<Self> {
        let (names, mut computed): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let mut order = Vec::with_capacity(keys.len());
        let mut places = Vec::with_capacity(keys.len());
        for SortKey { expression, ascending } in keys {
            let at = computed.iter().position(|known| *known == expression).unwrap_or_else(|| {
                computed.push(expression);
                computed.len() - 1
            });
            order.push(ident(place(at)).sort(ascending, false));
            places.push((at, SortOptions { descending: !ascending, nulls_first: false }));
        }
        let computed = computed.into_iter().enumerate().map(|(at, expression)| expression.alias(place(at)));
        let frame = frame.select(computed.collect::<Vec<_>>())?.sort(order)?;
        Ok(Self { frame, names, keys: places })
    }

    /// The plan itself.
    pub(crate) fn frame(&self) -> &DataFrame {
        &self.frame
    }

    /// The same order of the rows of another plan for the same.
    pub(crate) fn with_frame(&self, frame: DataFrame) -> Self {
        Self { frame, ..self.clone() }
    }

    /// The columns that are shown.
    pub(crate) fn schema(&self) -> SchemaRef {
        shown(&self.names, self.frame.schema().inner())
    }

    /// Starts the plan.
    pub(crate) async fn start(self, step: &str) -> Result<OrderedRows> {
        let stream = self.frame.execute_stream().await.map_err(|e| EngineError::plan(step, e))?;
        let is_key = |at: usize| self.keys.iter().any(|(key, _)| *key == at);
        let may_be_equal = (0..self.names.len()).all(is_key);
        let check = OrderCheck::new(step, &stream.schema(), self.keys, may_be_equal)?;
        Ok(OrderedRows { step: step.to_owned(), schema: shown(&self.names, &stream.schema()), stream, check })
    }
}

/// A column of the plan.
fn place(at: usize) -> String {
    format!("c{at}")
}

fn shown(names: &[String], schema: &Schema) -> SchemaRef {
    let fields = names.iter().zip(schema.fields());
    Arc::new(Schema::new(
        fields.map(|(name, field)| field.as_ref().clone().with_name(name)).collect::<Vec<_>>(),
    ))
}

/// The rows of a running plan, each held against the one before. Dropping them stops the plan.
pub(crate) struct OrderedRows {
    step: String,
    schema: SchemaRef,
    stream: SendableRecordBatchStream,
    check: OrderCheck,
}

impl OrderedRows {
    /// The columns that are shown.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// When the plan failed, or a row is out of order.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.stream.next().await else { return Ok(None) };
        let batch = batch.map_err(|e| EngineError::plan(&self.step, e))?;
        self.check.follow(&batch)?;
        let columns = batch.columns()[..self.schema.fields().len()].to_vec();
        let options =
            datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        batch.map(Some).map_err(|e| EngineError::data(format!("reading the rows of {}", self.step), e))
    }
}

/// Compares each row with the one before, as the engine's sort compares them.
struct OrderCheck {
    step: String,
    converter: RowConverter,
    keys: Vec<usize>,
    /// Whether rows may have the same keys: where all that is shown is keys, it does not matter which comes first.
    may_be_equal: bool,
    /// The keys of the last row that came.
    last: Option<OwnedRow>,
    /// Rows that came.
    rows: u64,
}

impl OrderCheck {
    fn new(step: &str, schema: &Schema, keys: Vec<(usize, SortOptions)>, may_be_equal: bool) -> Result<Self> {
        let field = |(at, options): &(usize, SortOptions)| {
            SortField::new_with_options(schema.field(*at).data_type().clone(), *options)
        };
        let converter = RowConverter::new(keys.iter().map(field).collect())
            .map_err(|e| EngineError::data(format!("comparing the rows of {step}"), e))?;
        let keys = keys.into_iter().map(|(at, _)| at).collect();
        Ok(Self { step: step.to_owned(), converter, keys, may_be_equal, last: None, rows: 0 })
    }

    /// Takes the next rows.
    fn follow(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let keys: Vec<ArrayRef> = self.keys.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        let rows = self
            .converter
            .convert_columns(&keys)
            .map_err(|e| EngineError::data(format!("comparing the rows of {}", self.step), e))?;
        let last = self.last.take();
        let mut before = last.as_ref().map(OwnedRow::row);
        for row in &rows {
            self.rows += 1;
            match before.map(|before| before.cmp(&row)) {
                Some(std::cmp::Ordering::Greater) => return Err(self.refused("comes before")),
                Some(std::cmp::Ordering::Equal) if !self.may_be_equal => {
                    return Err(self.refused("has the same sort keys as"));
                }
                Some(std::cmp::Ordering::Equal | std::cmp::Ordering::Less) | None => before = Some(row),
            }
        }
        self.last = before.map(|row| row.owned());
        Ok(())
    }

    fn refused(&self, what: &str) -> EngineError {
        EngineError::Disorder(format!(
            "{}: row {} {what} row {}: expected each row behind the one before, by keys that tell all rows apart",
            self.step,
            self.rows,
            self.rows - 1
        ))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use datafusion::arrow::array::{Float64Array, Int64Array, StringArray};

    fn batch(names: &[Option<&str>], numbers: &[Option<i64>]) -> RecordBatch {
        let names: ArrayRef = Arc::new(names.iter().copied().collect::<StringArray>());
        let numbers: ArrayRef = Arc::new(numbers.iter().copied().collect::<Int64Array>());
        RecordBatch::try_from_iter([("name", names), ("number", numbers)]).unwrap()
    }

    /// By name, the greatest last; then by number, the greatest first. Nulls last.
    fn checked(batches: &[RecordBatch]) -> Result<()> {
        checked_where(false, batches)
    }

    fn checked_where(may_be_equal: bool, batches: &[RecordBatch]) -> Result<()> {
        let way = |descending| SortOptions { descending, nulls_first: false };
        let keys = vec![(0, way(false)), (1, way(true))];
        let mut check = OrderCheck::new("test", &batches[0].schema(), keys, may_be_equal)?;
        batches.iter().try_for_each(|batch| check.follow(batch))
    }

    fn words(outcome: Result<()>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn order_within_and_across_batches_passes() {
        let rows = [
            batch(&[Some("A"), Some("a"), Some("a")], &[Some(1), Some(9), Some(2)]),
            batch(&[], &[]),
            batch(&[Some("a"), Some("é"), None, None], &[None, Some(0), Some(3), None]),
        ];
        checked(&rows).unwrap();
    }

    #[test]
    fn a_row_that_goes_backwards_is_refused_with_its_place() {
        for (rows, place) in [
            (vec![batch(&[Some("b"), Some("a")], &[Some(1), Some(1)])], "row 2 comes before row 1"),
            (
                vec![batch(&[Some("a"), Some("b")], &[None, None]), batch(&[Some("a")], &[None])],
                "row 3 comes before row 2",
            ),
            // The second key goes the other way.
            (vec![batch(&[Some("a"), Some("a")], &[Some(1), Some(2)])], "row 2 comes before row 1"),
            // Nulls come last, whichever way.
            (vec![batch(&[None, Some("a")], &[None, None])], "row 2 comes before row 1"),
            (vec![batch(&[Some("a"), Some("a")], &[None, Some(2)])], "row 2 comes before row 1"),
        ] {
            let refused = words(checked(&rows));
            assert!(refused.contains(place), "{refused}");
        }
    }

    #[test]
    fn equal_keys_are_refused_unless_the_rows_are_equal_too() {
        let rows = [batch(&[Some("a")], &[None]), batch(&[Some("a")], &[None])];
        checked_where(true, &rows).unwrap();
        let refused = words(checked(&rows));
        assert!(refused.contains("row 2 has the same sort keys as row 1"), "{refused}");
    }

    /// Numbers that are none, and zeros of either sign, as the engine's sort has them: held against that sort.
    #[test]
    fn the_engines_own_sort_passes_for_every_number() {
        let numbers = [1.0, f64::NAN, -0.0, f64::INFINITY, 0.0, -f64::NAN, f64::NEG_INFINITY, -1.5];
        let column: ArrayRef = Arc::new(Float64Array::from_iter(
            numbers.into_iter().map(Some).chain([None]).cycle().take(30_000),
        ));
        let places: ArrayRef = Arc::new(Int64Array::from_iter_values(0..30_000));
        let rows = RecordBatch::try_from_iter([("n", column), ("place", places)]).unwrap();
        for ascending in [true, false] {
            let context = datafusion::prelude::SessionContext::new();
            let frame = context.read_batch(rows.clone()).unwrap();
            let keys = vec![SortKey { expression: ident("n"), ascending }, SortKey::column("place")];
            let columns = vec![("n".to_owned(), ident("n"))];
            let ordered = Ordered::new(frame, columns, keys).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let count = runtime.block_on(async {
                let mut rows = ordered.start("test").await.unwrap();
                let mut count = 0;
                while let Some(batch) = rows.next().await.unwrap() {
                    count += batch.num_rows();
                }
                count
            });
            assert_eq!(count, 30_000);
        }
    }
}
