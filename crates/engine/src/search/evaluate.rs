//! Evaluates tests of the search language over whole columns.

use super::fields::Path;
use super::flatten::{PathValues, index, split, values};
use crate::cancellation::CancelSignal;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StructArray};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_querystring::matching::{FieldTest, Predicate};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;

/// Which rows have at least one value that passes.
fn any(values: &PathValues, passing: &BooleanBuffer) -> BooleanBuffer {
    let offsets = &values.offsets;
    BooleanBuffer::collect_bool(offsets.len() - 1, |row| {
        (index(offsets[row])..index(offsets[row + 1])).any(|at| passing.value(at))
    })
}

/// Which values pass. The result for a null has no meaning.
fn passing(values: &ArrayRef, test: &FieldTest) -> Result<BooleanBuffer> {
    let wrong = || exec_datafusion_err!("a test does not fit values of {}", values.data_type());
    match (test, values.data_type()) {
        (FieldTest::Exists, _) => Ok(BooleanBuffer::new_set(values.len())),
        (FieldTest::Text(test), DataType::Utf8) => {
            let texts = values.as_string::<i32>();
            Ok(BooleanBuffer::collect_bool(texts.len(), |at| {
                texts.is_valid(at) && test.matches(texts.value(at))
            }))
        }
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

/// The objects under test, with a cache of the values at paths, because many tests use the same paths.
struct Asked<'a> {
    objects: &'a StructArray,
    signal: &'a CancelSignal,
    reached: RefCell<HashMap<&'a str, Rc<PathValues>>>,
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
    Asked { objects, signal, reached: RefCell::default() }.satisfy(predicate)
}

impl<'a> Asked<'a> {
    fn satisfy(&self, predicate: &'a Predicate<Path>) -> Result<BooleanBuffer> {
        let rows = self.objects.len();
        match predicate {
            Predicate::All => Ok(BooleanBuffer::new_set(rows)),
            Predicate::Nothing => Ok(BooleanBuffer::new_unset(rows)),
            Predicate::And(parts) => {
                let mut found = BooleanBuffer::new_set(rows);
                for part in parts {
                    if found.count_set_bits() == 0 {
                        break;
                    }
                    found = &found & &self.satisfy(part)?;
                }
                Ok(found)
            }
            Predicate::Or(parts) => {
                let mut found = BooleanBuffer::new_unset(rows);
                for part in parts {
                    if found.count_set_bits() == rows {
                        break;
                    }
                    found = &found | &self.satisfy(part)?;
                }
                Ok(found)
            }
            Predicate::Not(part) => Ok(!&self.satisfy(part)?),
            Predicate::Test { fields, test } => {
                let mut found = BooleanBuffer::new_unset(rows);
                for path in fields.iter() {
                    found = &found | &self.passes(path, test)?;
                }
                Ok(found)
            }
            Predicate::Nested { path, element } => {
                let elements = self.values(path)?;
                let satisfied = satisfies(elements.values.as_struct(), element, self.signal)?;
                Ok(any(&elements, &satisfied))
            }
        }
    }

    /// Which objects have a value at a path that passes.
    fn passes(&self, path: &'a str, test: &FieldTest) -> Result<BooleanBuffer> {
        self.signal.check()?;
        let (name, rest) = split(path);
        let column = column(self.objects, name)?;
        if rest.is_empty() && !matches!(column.data_type(), DataType::List(_)) {
            let passing = passing(column, test)?;
            return Ok(match column.nulls() {
                Some(nulls) => &passing & nulls.inner(),
                None => passing,
            });
        }
        let found = self.values(path)?;
        let passing = passing(&found.values, test)?;
        Ok(any(&found, &passing))
    }

    fn values(&self, path: &'a str) -> Result<Rc<PathValues>> {
        if let Some(known) = self.reached.borrow().get(path) {
            return Ok(Rc::clone(known));
        }
        let (name, rest) = split(path);
        let found = Rc::new(values(column(self.objects, name)?, rest)?);
        self.reached.borrow_mut().insert(path, Rc::clone(&found));
        Ok(found)
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
