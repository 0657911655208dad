//! Asking values: tests of the search language over whole columns.

use super::fields::Path;
use super::flatten::{Values, index, split, values};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StructArray};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_querystring::matching::{FieldTest, Predicate};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What is asked of one column of a document.
#[derive(Debug)]
pub(super) enum Question {
    /// One value at one of these paths below the column passes the test.
    Test { paths: Vec<Path>, test: FieldTest },
    /// One element of the list at this path below the column satisfies the predicate.
    Nested { path: Path, element: Predicate<Path> },
}

impl Question {
    fn ask(&self, column: &ArrayRef) -> Result<BooleanBuffer> {
        match self {
            Self::Test { paths, test } => {
                let mut found: Option<BooleanBuffer> = None;
                for path in paths {
                    let here = passes(column, path, test)?;
                    found = Some(match found {
                        Some(found) => &found | &here,
                        None => here,
                    });
                }
                Ok(found.unwrap_or_else(|| BooleanBuffer::new_unset(column.len())))
            }
            Self::Nested { path, element } => {
                let elements = values(column, path)?;
                let satisfied = satisfies(elements.values.as_struct(), element)?;
                Ok(any(&elements, &satisfied))
            }
        }
    }
}

/// Which rows have a value at `path` that passes.
fn passes(column: &ArrayRef, path: &str, test: &FieldTest) -> Result<BooleanBuffer> {
    if path.is_empty() && !matches!(column.data_type(), DataType::List(_)) {
        let passing = passing(column, test)?;
        return Ok(match column.nulls() {
            Some(nulls) => &passing & nulls.inner(),
            None => passing,
        });
    }
    let found = values(column, path)?;
    let passing = passing(&found.values, test)?;
    Ok(any(&found, &passing))
}

/// Which rows have one value that passes.
fn any(values: &Values, passing: &BooleanBuffer) -> BooleanBuffer {
    let offsets = &values.offsets;
    BooleanBuffer::collect_bool(offsets.len() - 1, |row| {
        (index(offsets[row])..index(offsets[row + 1])).any(|at| passing.value(at))
    })
}

/// Which values pass. What is said of a null means nothing.
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
        (FieldTest::Text(_) | FieldTest::Number(_) | FieldTest::Boolean(_) | FieldTest::Date(_), _) => {
            Err(wrong())
        }
    }
}

/// Which of these objects satisfy a predicate over their fields.
pub(super) fn satisfies(objects: &StructArray, predicate: &Predicate<Path>) -> Result<BooleanBuffer> {
    let rows = objects.len();
    match predicate {
        Predicate::All => Ok(BooleanBuffer::new_set(rows)),
        Predicate::Nothing => Ok(BooleanBuffer::new_unset(rows)),
        Predicate::And(parts) => parts
            .iter()
            .try_fold(BooleanBuffer::new_set(rows), |found, part| Ok(&found & &satisfies(objects, part)?)),
        Predicate::Or(parts) => parts
            .iter()
            .try_fold(BooleanBuffer::new_unset(rows), |found, part| Ok(&found | &satisfies(objects, part)?)),
        Predicate::Not(part) => Ok(!&satisfies(objects, part)?),
        Predicate::Test { fields, test } => {
            fields.iter().try_fold(BooleanBuffer::new_unset(rows), |found, path| {
                let (name, rest) = split(path);
                Ok(&found | &passes(column(objects, name)?, rest, test)?)
            })
        }
        Predicate::Nested { path, element } => {
            let (name, rest) = split(path);
            let elements = values(column(objects, name)?, rest)?;
            let satisfied = satisfies(elements.values.as_struct(), element)?;
            Ok(any(&elements, &satisfied))
        }
    }
}

fn column<'a>(objects: &'a StructArray, name: &str) -> Result<&'a ArrayRef> {
    objects
        .column_by_name(name)
        .ok_or_else(|| exec_datafusion_err!("an object has no field {name:?}: expected one"))
}

/// `search_N(column)`: a question as a function. Never null.
#[derive(Debug)]
pub(super) struct QuestionFunction {
    /// One name in one plan.
    name: String,
    question: Question,
    signature: Signature,
}

impl QuestionFunction {
    pub(super) fn new(name: String, question: Question) -> Self {
        Self { name, question, signature: Signature::any(1, Volatility::Immutable) }
    }
}

// A name stands for one question in one plan.
impl PartialEq for QuestionFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for QuestionFunction {}

impl Hash for QuestionFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for QuestionFunction {
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
        let [column] = &arguments.args[..] else {
            return Err(exec_datafusion_err!("{}: expected one argument", self.name));
        };
        let column = column.to_array(arguments.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(self.question.ask(&column)?, None))))
    }
}

/// `search_whole_N(column, column, ...)`: a whole predicate over the columns of documents, for counting what a
/// plan made of many functions and comparisons should have found.
#[derive(Debug)]
pub(super) struct WholeFunction {
    name: String,
    names: Vec<String>,
    predicate: Predicate<Path>,
    signature: Signature,
}

impl WholeFunction {
    /// `names` are those of the arguments, in their order.
    pub(super) fn new(name: String, names: Vec<String>, predicate: Predicate<Path>) -> Self {
        let signature = Signature::any(names.len(), Volatility::Immutable);
        Self { name, names, predicate, signature }
    }
}

impl PartialEq for WholeFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for WholeFunction {}

impl Hash for WholeFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for WholeFunction {
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
        // The types as they come: texts may be views.
        let fields = self.names.iter().zip(&columns);
        let fields = fields.map(|(name, column)| Field::new(name, column.data_type().clone(), true));
        let documents = StructArray::try_new(fields.collect(), columns, None)?;
        let found = satisfies(&documents, &self.predicate)?;
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(found, None))))
    }
}
