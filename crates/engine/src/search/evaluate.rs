//! Evaluates tests of the search language over whole columns.
#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and documents few of them")]

use super::fields::Path;
use super::flatten::{entered, entries, index, split, values};
use crate::cancellation::CancelSignal;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, StringArray, StructArray,
};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_querystring::matching::{FieldTest, Predicate, TextTest};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Which rows have a value at `path` below a column that passes. Values are tested where they lie: neither nulls nor other
/// values are copied away first.
fn passing(column: &ArrayRef, path: &str, test: &FieldTest) -> Result<BooleanBuffer> {
    let found = match column.data_type() {
        DataType::List(_) => {
            let (offsets, items) = entered(column.as_list::<i32>());
            any(&offsets, &passing(&items, path, test)?)
        }
        _ if path.is_empty() => values_passing(column, test)?,
        DataType::Struct(_) => {
            let (name, rest) = split(path);
            passing(self::column(column.as_struct(), name)?, rest, test)?
        }
        DataType::Map(_, _) => {
            let (offsets, lists) = entries(column.as_map(), path)?;
            any(&offsets, &passing(&lists, "", test)?)
        }
        other => return exec_err!("{other} has no field {path:?}: expected an object"),
    };
    Ok(match column.nulls() {
        Some(nulls) => &found & nulls.inner(),
        None => found,
    })
}

/// Which rows have at least one value that passes. Row `n` has the values from `offsets[n]` to `offsets[n + 1]`.
fn any(offsets: &[i32], passing: &BooleanBuffer) -> BooleanBuffer {
    let rows = offsets.len().saturating_sub(1);
    if passing.count_set_bits() == 0 {
        return BooleanBuffer::new_unset(rows);
    }
    BooleanBuffer::collect_bool(rows, |row| {
        (index(offsets[row])..index(offsets[row + 1])).any(|at| passing.value(at))
    })
}

/// Which values pass. The result for a null has no meaning.
fn values_passing(values: &ArrayRef, test: &FieldTest) -> Result<BooleanBuffer> {
    let wrong = || exec_datafusion_err!("a test does not fit values of {}", values.data_type());
    match (test, values.data_type()) {
        (FieldTest::Exists, _) => Ok(BooleanBuffer::new_set(values.len())),
        (FieldTest::Text(test), DataType::Utf8) => Ok(texts_passing(values.as_string::<i32>(), test)),
        (FieldTest::Text(test), DataType::Utf8View) => {
            let texts = values.as_string_view();
            Ok(BooleanBuffer::collect_bool(texts.len(), |at| {
                texts.is_valid(at) && test.matches(texts.value(at))
            }))
        }
        (FieldTest::Number(test), DataType::Int64) => {
            let numbers = values.as_primitive::<Int64Type>().values();
            Ok(BooleanBuffer::collect_bool(numbers.len(), |at| test.matches(numbers[at])))
        }
        (FieldTest::Boolean(test), DataType::Boolean) => {
            let flags = values.as_boolean().values();
            Ok(BooleanBuffer::collect_bool(flags.len(), |at| test.matches(flags.value(at))))
        }
        (FieldTest::Date(test), DataType::Timestamp(_, _)) => {
            let times = values.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(wrong)?.values();
            Ok(BooleanBuffer::collect_bool(times.len(), |at| test.matches(times[at].div_euclid(1_000))))
        }
        (FieldTest::Ranges(test), DataType::Int64) => {
            let numbers = values.as_primitive::<Int64Type>().values();
            Ok(BooleanBuffer::collect_bool(numbers.len(), |at| test.matches(numbers[at])))
        }
        (FieldTest::Ranges(test), DataType::Timestamp(_, _)) => {
            let times = values.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(wrong)?.values();
            Ok(BooleanBuffer::collect_bool(times.len(), |at| test.matches(times[at].div_euclid(1_000))))
        }
        (
            FieldTest::Text(_)
            | FieldTest::Number(_)
            | FieldTest::Boolean(_)
            | FieldTest::Date(_)
            | FieldTest::Ranges(_),
            _,
        ) => Err(wrong()),
    }
}

/// Which texts pass. The result for a null has no meaning.
///
/// The texts of a column lie end to end. So what a text must have is looked for in all of them as one, and only texts
/// that have it are tested.
fn texts_passing(texts: &StringArray, test: &TextTest) -> BooleanBuffer {
    let Some(needles) = test.needles() else {
        return BooleanBuffer::collect_bool(texts.len(), |row| {
            texts.is_valid(row) && test.matches(texts.value(row))
        });
    };
    let mut found = BooleanBufferBuilder::new(texts.len());
    found.append_n(texts.len(), false);
    let offsets = texts.value_offsets();
    let end = offsets.last().copied().map_or(0, index);
    let bytes = &texts.value_data()[..end];
    let is_ascii = bytes.is_ascii();
    for needle in needles.iter().filter(|needle| needle.is_ascii() || !is_ascii) {
        let (mut row, mut from) = (0, index(offsets[0]));
        while let Some(place) = needle.find(bytes, from) {
            while index(offsets[row + 1]) <= place {
                row += 1;
            }
            if test.matches(texts.value(row)) {
                found.set_bit(row, true);
            }
            from = index(offsets[row + 1]);
        }
    }
    found.finish()
}

/// Which of these objects satisfy a predicate over their fields.
///
/// # Errors
/// When the predicate does not fit these objects, or the run is over.
pub(super) fn satisfies(
    objects: &StructArray,
    predicate: &Predicate<Path>,
    signal: &CancelSignal,
) -> Result<BooleanBuffer> {
    let rows = objects.len();
    match predicate {
        Predicate::All => Ok(BooleanBuffer::new_set(rows)),
        Predicate::Nothing => Ok(BooleanBuffer::new_unset(rows)),
        Predicate::And(parts) => {
            let mut found = BooleanBuffer::new_set(rows);
            for part in parts {
                if found.count_set_bits() == 0 {
                    break;
                }
                found = &found & &satisfies(objects, part, signal)?;
            }
            Ok(found)
        }
        Predicate::Or(parts) => {
            let mut found = BooleanBuffer::new_unset(rows);
            for part in parts {
                if found.count_set_bits() == rows {
                    break;
                }
                found = &found | &satisfies(objects, part, signal)?;
            }
            Ok(found)
        }
        Predicate::Not(part) => Ok(!&satisfies(objects, part, signal)?),
        Predicate::Test { fields, test } => {
            let mut found = BooleanBuffer::new_unset(rows);
            for path in fields.iter() {
                signal.check()?;
                let (name, rest) = split(path);
                found = &found | &passing(column(objects, name)?, rest, test)?;
            }
            Ok(found)
        }
        Predicate::Nested { path, element } => {
            let (name, rest) = split(path);
            let elements = values(column(objects, name)?, rest)?;
            let satisfied = satisfies(elements.values.as_struct(), element, signal)?;
            Ok(any(&elements.offsets, &satisfied))
        }
    }
}

fn column<'a>(objects: &'a StructArray, name: &str) -> Result<&'a ArrayRef> {
    objects
        .column_by_name(name)
        .ok_or_else(|| exec_datafusion_err!("an object has no field {name:?}: expected one"))
}

/// `search_N(column, column, ...)`: a predicate over columns of documents as a function. It never returns null.
#[derive(Debug)]
pub(super) struct PredicateFunction {
    /// Unique name within a plan.
    name: String,
    columns: Vec<String>,
    predicate: Predicate<Path>,
    signal: CancelSignal,
    signature: Signature,
}

impl PredicateFunction {
    /// `columns` has the names of the arguments, in their order.
    pub(super) fn new(
        name: String,
        columns: Vec<String>,
        predicate: Predicate<Path>,
        signal: CancelSignal,
    ) -> Self {
        let signature = Signature::any(columns.len(), Volatility::Immutable);
        Self { name, columns, predicate, signal, signature }
    }
}

// Within one plan, a name identifies one predicate.
impl PartialEq for PredicateFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for PredicateFunction {}

impl Hash for PredicateFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for PredicateFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = arguments
            .args
            .iter()
            .map(|column| column.to_array(arguments.number_rows))
            .collect::<Result<Vec<_>>>()?;
        // Keep the types of the input: texts may be views.
        let fields = self.columns.iter().zip(&columns);
        let fields = fields.map(|(name, column)| Field::new(name, column.data_type().clone(), true));
        let documents = StructArray::try_new(fields.collect(), columns, None)?;
        let found = satisfies(&documents, &self.predicate, &self.signal)?;
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(found, None))))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::cancellation::RunGuard;
    use datafusion::arrow::array::StringArray;

    #[test]
    fn a_filter_ends_with_its_run() {
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        let objects = StructArray::try_from(vec![("name", names)]).unwrap();
        let predicate = Predicate::Test { fields: ["name".to_owned()].into(), test: FieldTest::Exists };
        let running = RunGuard::default();
        let signal = running.signal();
        assert_eq!(
            satisfies(&objects, &predicate, &signal).unwrap().iter().collect::<Vec<_>>(),
            [true, false]
        );
        drop(running);
        assert!(satisfies(&objects, &predicate, &signal).is_err());
    }
}
