//! `refresh_time()` and `no_time()`: the time of a refresh, and a null time.
//!
//! Functions and not parameters: a plan's schema is then right from the start. Functions and not text: what stands in
//! a query's literals is never touched.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// A function without arguments that always gives one time.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct MomentFunction {
    name: &'static str,
    micros: Option<i64>,
    signature: Signature,
}

impl MomentFunction {
    /// `name()` gives the time `micros`, counted from 1970 in UTC.
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
