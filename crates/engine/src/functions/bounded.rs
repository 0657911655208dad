//! Limits the output of SQL functions that can return much more than they are given.
//!
//! Why: `range(0, 300000000)` is an array of 2.4 GB, which the memory pool does not see before it exists. The size of
//! the output for a batch is estimated from the arguments first. If it exceeds the limit, the function returns an
//! error.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, FieldRef, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// Most bytes that a function such as `range` or `repeat` may return for one batch of rows.
const MADE_BYTES_MAX: u64 = 64 << 20;

/// How the output of a function depends on its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// The first argument, repeated as often as the second says.
    Times,
    /// As many characters or items as the second argument says.
    Length,
    /// Numbers or times from the first argument to the second, with the third as the step.
    Series,
    /// The first argument with every occurrence of the second replaced by the third.
    Replacements,
}

/// The functions. The session's function of the same name is replaced.
const GROWING: [(&str, Growth); 9] = [
    ("repeat", Growth::Times),
    ("array_repeat", Growth::Times),
    ("lpad", Growth::Length),
    ("rpad", Growth::Length),
    ("array_resize", Growth::Length),
    ("range", Growth::Series),
    ("generate_series", Growth::Series),
    ("replace", Growth::Replacements),
    ("regexp_replace", Growth::Replacements),
];

/// Limits the functions of a session.
pub(super) fn register(context: &SessionContext) {
    for (name, growth) in GROWING {
        let known = context.state_ref().read().scalar_functions().get(name).cloned();
        if let Some(inner) = known {
            context.register_udf(ScalarUDF::from(BoundedFunction { inner, growth }));
        }
    }
}

/// A function with a limit.
#[derive(Debug, PartialEq, Eq, Hash)]
struct BoundedFunction {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for BoundedFunction {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arguments)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bytes = self.growth.bytes(&arguments)?;
        if bytes > MADE_BYTES_MAX {
            // A plan error is shown to the query's author.
            return plan_err!(
                "{} would make {bytes} bytes for a batch of {} rows: expected at most {MADE_BYTES_MAX}",
                self.name(),
                arguments.number_rows
            );
        }
        self.inner.invoke_with_args(arguments)
    }
}

impl Growth {
    /// Estimated bytes of the output. The estimate is rather too high than too low.
    fn bytes(self, arguments: &ScalarFunctionArgs) -> Result<u64> {
        // A constant stays one row, however many rows the other columns have. A call with constants only is computed
        // once.
        let columns: Vec<ArrayRef> =
            arguments.args.iter().map(|value| value.to_array(1)).collect::<Result<_>>()?;
        let constant = arguments.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { arguments.number_rows };
        let at = |place: usize| columns.get(place);
        let sum = |of_row: &dyn Fn(usize) -> u64| (0..rows).map(of_row).fold(0, u64::saturating_add);
        Ok(match self {
            Self::Times => {
                let (counts, sizes) = (numbers(at(1))?, sizes(at(0)));
                sum(&|row| positive(of(&counts, row)).saturating_mul(of(&sizes, row) + 4))
            }
            Self::Length => {
                // A character has at most four bytes. An item is the value that fills the array.
                let (counts, filling) = (numbers(at(1))?, sizes(at(2)));
                sum(&|row| positive(of(&counts, row)).saturating_mul(of(&filling, row).max(8)))
            }
            Self::Series => {
                let (start, end) = match columns.len() {
                    1 => (vec![0], numbers(at(0))?),
                    _ => (numbers(at(0))?, numbers(at(1))?),
                };
                let steps = at(2).map_or(Ok(vec![1]), |steps| numbers(Some(steps)))?;
                sum(&|row| {
                    let way = of(&start, row).abs_diff(of(&end, row));
                    (way / of(&steps, row).unsigned_abs().max(1)).saturating_add(1).saturating_mul(8)
                })
            }
            Self::Replacements => {
                let (text, from, to) = (sizes(at(0)), sizes(at(1)), sizes(at(2)));
                // A regular expression can match the empty text before each character.
                let least = |row: usize| if columns.len() > 3 { 1 } else { of(&from, row).max(1) };
                // Growth by a small factor is allowed, however long the texts are.
                sum(&|row| {
                    let text = of(&text, row);
                    let replaced = (text / least(row) + 1).saturating_mul(of(&to, row));
                    replaced.saturating_sub(text.saturating_mul(4))
                })
            }
        })
    }
}

/// The value for a row; of a constant, its only value.
fn of<T: Copy>(values: &[T], row: usize) -> T {
    values[if values.len() == 1 { 0 } else { row }]
}

fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Whole numbers, one for each row of the column. Times and intervals are in microseconds; other types give 0.
#[expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and few of them are numbers")]
fn numbers(column: Option<&ArrayRef>) -> Result<Vec<i64>> {
    const DAY: i64 = 86_400_000_000;
    let Some(column) = column else { return Ok(vec![0]) };
    let whole = match column.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let intervals =
                column.as_primitive::<IntervalMonthDayNanoType>().iter().map(Option::unwrap_or_default);
            let length = |interval: IntervalMonthDayNano| {
                let days = i64::from(interval.months) * 28 + i64::from(interval.days);
                days.saturating_mul(DAY).saturating_add(interval.nanoseconds / 1_000)
            };
            return Ok(intervals.map(length).collect());
        }
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _) => {
            cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None))?
        }
        data_type if data_type.is_integer() => Arc::clone(column),
        _ => return Ok(vec![0]),
    };
    let whole = cast(&whole, &DataType::Int64)?;
    Ok(whole.as_primitive::<Int64Type>().iter().map(Option::unwrap_or_default).collect())
}

/// Bytes of each text or array, estimated, one number for each row of the column.
#[expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and few of them are texts")]
fn sizes(column: Option<&ArrayRef>) -> Vec<u64> {
    let Some(column) = column else { return vec![0] };
    let rows = column.len();
    let whole = column.get_array_memory_size() as u64;
    (0..rows)
        .map(|row| match column.data_type() {
            DataType::Utf8 if column.is_valid(row) => column.as_string::<i32>().value_length(row) as u64,
            DataType::Utf8View if column.is_valid(row) => column.as_string_view().value(row).len() as u64,
            DataType::LargeUtf8 if column.is_valid(row) => column.as_string::<i64>().value(row).len() as u64,
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => 0,
            data_type => data_type.primitive_width().map_or(whole / rows as u64, |width| width as u64),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    async fn run(sql: &str) -> Result<String, String> {
        let context = SessionContext::new();
        register(&context);
        let failed = |error: datafusion::error::DataFusionError| error.to_string();
        let batches = context.sql(sql).await.map_err(failed)?.collect().await.map_err(failed)?;
        let shown = datafusion::arrow::util::display::array_value_to_string(batches[0].column(0), 0);
        Ok(shown.unwrap())
    }

    #[test]
    fn what_makes_much_out_of_little_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for sql in [
                "SELECT range(0, 300000000)",
                "SELECT generate_series(1, 300000000)",
                "SELECT range(DATE '1900-01-01', DATE '2100-01-01', INTERVAL '1' SECOND)",
                "SELECT repeat('x', 1000000000)",
                "SELECT lpad('x', 1000000000)",
                "SELECT rpad('x', 1000000000, 'y')",
                "SELECT array_repeat('x', 1000000000)",
                "SELECT array_resize([1], 1000000000, 2)",
                "SELECT replace(repeat('a', 100000), 'a', repeat('b', 100000))",
                "SELECT regexp_replace(repeat('a', 100000), '.', repeat('b', 100000), 'g')",
                "SELECT repeat('x', column1) FROM (VALUES (40000000), (40000000))",
                // A constant and a column. The results together would exceed the largest text or list.
                "SELECT replace(value::text || 'a', 'a', repeat('bbbbbbbbbb', 4000000)) FROM generate_series(1, 100)",
                "SELECT array_repeat(range(0, 8000000), value) FROM generate_series(1, 300)",
            ] {
                let error = run(sql).await.expect_err(sql);
                assert!(error.contains("expected at most 67108864"), "{sql}: {error}");
            }
            for (sql, expected) in [
                ("SELECT repeat('ab', 3)", "ababab"),
                ("SELECT lpad('7', 3, '0')", "007"),
                ("SELECT rpad('7', 3)", "7  "),
                ("SELECT range(0, 3)", "[0, 1, 2]"),
                ("SELECT generate_series(1, 7, 3)", "[1, 4, 7]"),
                ("SELECT array_repeat(1, 2)", "[1, 1]"),
                ("SELECT replace('banana', 'an', 'AN')", "bANANa"),
                ("SELECT regexp_replace('banana', 'a', 'o', 'g')", "bonono"),
                ("SELECT repeat('ab', -1)", ""),
                ("SELECT cardinality(range(DATE '2026-01-01', DATE '2026-02-01', INTERVAL '1' DAY))", "31"),
            ] {
                assert_eq!(run(sql).await.as_deref(), Ok(expected), "{sql}");
            }
        });
    }
}
