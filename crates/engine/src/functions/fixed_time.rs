//! `refresh_time()` and `no_time()`: the time of a refresh, and a null time.
//!
//! These are functions and not parameters, so that a plan's schema is right from the start. They are not substituted
//! into the query's text, so that string literals in it never change.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// A function without arguments that always returns the same time.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct MomentFunction {
    name: &'static str,
    micros: Option<i64>,
    signature: Signature,
}

impl MomentFunction {
    /// The function `name()` that returns the time `micros`, in microseconds since 1970 in UTC.
    pub(crate) fn new(name: &'static str, micros: Option<i64>) -> Self {
        Self { name, micros, signature: Signature::nullary(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for MomentFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(self.micros, Some("UTC".into()))))
    }
}
