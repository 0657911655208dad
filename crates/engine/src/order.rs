//! Sorted rows, and a check that they are sorted.
//!
//! A plan keeps an order only up to its last sort. Steps after the sort may run on several threads and return batches
//! in any order. So the sort is the last step of these plans, and each row of the output is compared with the row
//! before it. A row out of order ends the run. Nothing sorts the rows again later.
//!
//! Invariants: the rows of [`OrderedRows`] are in the requested order, by the engine's own comparison. Nulls are last,
//! ascending or descending, unless the query says otherwise. Rows with equal keys are equal in all shown columns, so
//! the order is unique.

use crate::error::{EngineError, Result};
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::dataframe::DataFrame;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::{Limit, LogicalPlan, SortExpr};
use datafusion::prelude::{Expr, ident};
use futures_util::StreamExt;
use std::sync::Arc;

/// A sort key.
#[derive(Debug, Clone)]
pub(crate) struct SortKey {
    /// The value to sort by.
    pub(crate) expression: Expr,
    /// Whether the smallest value is first.
    pub(crate) ascending: bool,
    /// Whether nulls are first.
    pub(crate) nulls_first: bool,
}

impl SortKey {
    /// Sorts by the column `name`, ascending.
    pub(crate) fn column(name: &str) -> Self {
        Self::ascending(ident(name))
    }

    /// Sorts ascending, nulls last.
    pub(crate) fn ascending(expression: Expr) -> Self {
        Self { expression, ascending: true, nulls_first: false }
    }
}

/// A plan whose last step is a sort.
#[derive(Clone)]
pub(crate) struct Ordered {
    /// The shown columns, followed by the keys that are not shown, under generated names.
    frame: DataFrame,
    order: Order,
}

/// What the columns of an ordered plan are.
#[derive(Debug, Clone)]
struct Order {
    /// Names of the shown columns.
    names: Vec<String>,
    /// Position of each key in the plan, and its direction.
    keys: Vec<(usize, SortOptions)>,
    /// Whether rows may be equal in all keys.
    repeats: bool,
}

/// An optimized plan. It can be run in any session that optimizes no plans.
#[derive(Debug)]
pub(crate) struct Planned {
    plan: LogicalPlan,
    /// `None` if the query has no order.
    order: Option<Order>,
}

impl Ordered {
    /// The columns of `frame` sorted by `keys`. The plan uses generated column names, so any names are possible.
    pub(crate) fn new(
        frame: DataFrame,
        columns: Vec<(String, Expr)>,
        keys: Vec<SortKey>,
    ) -> datafusion::error::Result<Self> {
        let (names, mut computed): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let mut order = Vec::with_capacity(keys.len());
        let mut places = Vec::with_capacity(keys.len());
        for SortKey { expression, ascending, nulls_first } in keys {
            let at = computed.iter().position(|known| *known == expression).unwrap_or_else(|| {
                computed.push(expression);
                computed.len() - 1
            });
            order.push(ident(place(at)).sort(ascending, nulls_first));
            places.push((at, SortOptions { descending: !ascending, nulls_first }));
        }
        let computed = computed.into_iter().enumerate().map(|(at, expression)| expression.alias(place(at)));
        let frame = frame.select(computed.collect::<Vec<_>>())?.sort(order)?;
        Ok(Self { frame, order: Order { names, keys: places, repeats: false } })
    }

    /// A query in the order of its own final ORDER BY; `None` without one. Rows with equal keys are ordered by the
    /// shown columns.
    pub(crate) fn declared(query: &DataFrame) -> datafusion::error::Result<Option<Self>> {
        let (state, plan) = query.clone().into_parts();
        let (limit, sorted) = if let LogicalPlan::Limit(limit) = plan {
            (Some(limit.clone()), Arc::unwrap_or_clone(limit.input))
        } else {
            (None, plan)
        };
        let (shown, sort): (Vec<_>, _) = if let LogicalPlan::Sort(sort) = sorted {
            let columns = sort.input.schema().columns().into_iter();
            (columns.map(|column| (column.name.clone(), Expr::Column(column))).collect(), sort)
        } else if let LogicalPlan::Projection(projection) = sorted
            && let LogicalPlan::Sort(sort) = &*projection.input
        {
            // Keys that are not shown are columns of the plan below the projection.
            let names = projection.schema.fields().iter().map(|field| field.name().clone());
            (names.zip(projection.expr).collect(), sort.clone())
        } else {
            return Ok(None);
        };
        let key = |key: SortExpr| SortKey {
            expression: key.expr,
            ascending: key.asc,
            nulls_first: key.nulls_first,
        };
        let rest = shown.iter().map(|(_, expression)| SortKey::ascending(expression.clone()));
        let keys = sort.expr.into_iter().map(key).chain(rest).collect();
        let unsorted = DataFrame::new(state.clone(), Arc::unwrap_or_clone(sort.input));
        let ordered = Self::new(unsorted, shown, keys)?;
        let Some(limit) = limit else { return Ok(Some(ordered)) };
        let input = Arc::new(ordered.frame.logical_plan().clone());
        let limited = LogicalPlan::Limit(Limit { input, ..limit });
        Ok(Some(ordered.with_frame(DataFrame::new(state, limited))))
    }

    /// The same, of rows that may be equal in all keys. Their other columns must follow from the keys.
    pub(crate) fn with_repeats(self) -> Self {
        Self { order: Order { repeats: true, ..self.order }, ..self }
    }

    /// The plan itself.
    pub(crate) fn frame(&self) -> &DataFrame {
        &self.frame
    }

    /// The same order, applied to another plan with the same columns.
    pub(crate) fn with_frame(&self, frame: DataFrame) -> Self {
        Self { frame, ..self.clone() }
    }

    /// The shown columns.
    pub(crate) fn schema(&self) -> SchemaRef {
        shown(&self.order.names, self.frame.schema().inner())
    }

    /// Optimizes the plan.
    pub(crate) fn optimized(self) -> datafusion::error::Result<Planned> {
        Ok(Planned { plan: self.frame.into_optimized_plan()?, order: Some(self.order) })
    }

    /// Starts the plan.
    pub(crate) async fn start(self, step: &str) -> Result<OrderedRows> {
        let Order { names, keys, repeats } = self.order;
        let stream = self.frame.execute_stream().await.map_err(|e| EngineError::plan(step, e))?;
        let is_key = |at: usize| keys.iter().any(|(key, _)| *key == at);
        let may_be_equal = repeats || (0..names.len()).all(is_key);
        let check = OrderCheck::new(step, &stream.schema(), keys, may_be_equal)?;
        Ok(OrderedRows { step: step.to_owned(), schema: shown(&names, &stream.schema()), stream, check })
    }
}

impl Planned {
    /// Optimizes a query, which has the order of its own ORDER BY if it has one.
    pub(crate) fn declared(query: DataFrame) -> datafusion::error::Result<Self> {
        match Ordered::declared(&query)? {
            Some(ordered) => ordered.optimized(),
            None => Ok(Self { plan: query.into_optimized_plan()?, order: None }),
        }
    }

    /// The plan in a session.
    pub(crate) fn frame(&self, session: &SessionState) -> DataFrame {
        DataFrame::new(session.clone(), self.plan.clone())
    }

    /// The plan in a session, if its rows have an order.
    pub(crate) fn ordered(&self, session: &SessionState) -> Option<Ordered> {
        Some(Ordered { frame: self.frame(session), order: self.order.clone()? })
    }

    /// All rows of the plan, which `frame` has in a session, in their order if they have one.
    ///
    /// # Errors
    /// When the plan fails, or a row is out of order.
    pub(crate) async fn collect(&self, step: &str, frame: DataFrame) -> Result<Vec<RecordBatch>> {
        let Some(order) = self.order.clone() else {
            return frame.collect().await.map_err(|e| EngineError::plan(step, e));
        };
        let (mut rows, mut batches) = (Ordered { frame, order }.start(step).await?, Vec::new());
        while let Some(batch) = rows.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

/// Generated name of a column of the plan.
fn place(at: usize) -> String {
    format!("c{at}")
}

fn shown(names: &[String], schema: &Schema) -> SchemaRef {
    let fields = names.iter().zip(schema.fields());
    Arc::new(Schema::new(
        fields.map(|(name, field)| field.as_ref().clone().with_name(name)).collect::<Vec<_>>(),
    ))
}

/// The rows of a running plan. Each row is compared with the row before it. Dropping this value stops the plan.
pub(crate) struct OrderedRows {
    step: String,
    schema: SchemaRef,
    stream: SendableRecordBatchStream,
    check: OrderCheck,
}

impl OrderedRows {
    /// The shown columns.
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

/// Compares each row with the row before it, in the same way as the engine's sort.
struct OrderCheck {
    step: String,
    converter: RowConverter,
    keys: Vec<usize>,
    /// Whether two rows may have equal keys. They may if every shown column is a key: such rows are equal.
    may_be_equal: bool,
    /// The keys of the last row.
    last: Option<OwnedRow>,
    /// Number of rows so far.
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

    /// Checks the next rows.
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
            "{}: row {} {what} row {}: expected each row after the one before it, by keys that no two rows share",
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
    use datafusion::arrow::array::{AsArray, Float64Array, Int64Array, StringArray};
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::DataType;

    fn batch(names: &[Option<&str>], numbers: &[Option<i64>]) -> RecordBatch {
        let names: ArrayRef = Arc::new(names.iter().copied().collect::<StringArray>());
        let numbers: ArrayRef = Arc::new(numbers.iter().copied().collect::<Int64Array>());
        RecordBatch::try_from_iter([("name", names), ("number", numbers)]).unwrap()
    }

    /// Checks batches sorted by name, ascending, then by number, descending, nulls last.
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
            // The second key is descending.
            (vec![batch(&[Some("a"), Some("a")], &[Some(1), Some(2)])], "row 2 comes before row 1"),
            // Nulls are last in both directions.
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

    /// NaNs and zeros of either sign are compared as the engine's sort orders them. The test sorts them with that sort.
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
            let keys = vec![SortKey { ascending, ..SortKey::column("n") }, SortKey::column("place")];
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

    /// Three partitions on four threads: numbers from 29,999 down to 0, each with its remainder modulo ten and a word.
    /// Every hundredth word is null.
    async fn numbers(sql: &str) -> DataFrame {
        let config =
            datafusion::prelude::SessionConfig::new().with_target_partitions(4).with_batch_size(1_000);
        let context = datafusion::prelude::SessionContext::new_with_config(config);
        let numbers = || (0..30_000_i64).rev();
        let word = |n: i64| (n % 100 != 0).then(|| format!("w{n:05}"));
        let columns: [(&str, ArrayRef); 3] = [
            ("n", Arc::new(Int64Array::from_iter_values(numbers()))),
            ("tenth", Arc::new(Int64Array::from_iter_values(numbers().map(|n| n % 10)))),
            ("word", Arc::new(numbers().map(word).collect::<StringArray>())),
        ];
        let all = RecordBatch::try_from_iter(columns).unwrap();
        let parts = (0..3).map(|part| vec![all.slice(part * 10_000, 10_000)]).collect();
        let table = datafusion::datasource::MemTable::try_new(all.schema(), parts).unwrap();
        context.register_table("numbers", Arc::new(table)).unwrap();
        context.sql(sql).await.unwrap()
    }

    /// The first column as texts.
    fn shown(batches: &[RecordBatch]) -> Vec<String> {
        let texts = |batch: &RecordBatch| {
            let texts = cast(batch.column(0), &DataType::Utf8).unwrap();
            texts.as_string::<i32>().iter().map(|text| text.unwrap_or("-").to_owned()).collect::<Vec<_>>()
        };
        batches.iter().flat_map(texts).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_query_has_the_order_that_its_text_declares() {
        let ascending = |tenth: i64| (0..3_000).map(move |n| n * 10 + tenth);
        let word = |n: i64| if n % 100 == 0 { "-".to_owned() } else { format!("w{n:05}") };
        let cases: [(&str, Vec<String>); 5] = [
            // The key is not a shown column.
            ("SELECT word, 1 FROM numbers ORDER BY n", (0..30_000).map(word).collect()),
            (
                "SELECT word AS w FROM numbers ORDER BY n DESC LIMIT 3 OFFSET 99",
                vec!["-".into(), word(29_899), word(29_898)],
            ),
            // Many rows with equal keys: the shown columns decide.
            (
                "SELECT n FROM numbers ORDER BY tenth DESC",
                (0..10).rev().flat_map(ascending).map(|n| n.to_string()).collect(),
            ),
            (
                "SELECT tenth, count(*) FROM numbers GROUP BY tenth ORDER BY count(*) DESC",
                (0..10).map(|n| n.to_string()).collect(),
            ),
            (
                "SELECT word FROM numbers WHERE n <= 101 ORDER BY word DESC",
                ["-", "-", "w00101"].map(str::to_owned).into_iter().chain((1..100).rev().map(word)).collect(),
            ),
        ];
        for (sql, expected) in cases {
            for _ in 0..3 {
                let query = numbers(sql).await;
                let session = query.clone().into_parts().0;
                let planned = Planned::declared(query).unwrap();
                let frame = planned.frame(&session);
                let found = shown(&planned.collect("test", frame).await.unwrap());
                assert!(found == expected, "{sql}: {:?} ...", &found[..found.len().min(5)]);
            }
        }
        assert!(Ordered::declared(&numbers("SELECT n FROM numbers").await).unwrap().is_none());
    }
}
