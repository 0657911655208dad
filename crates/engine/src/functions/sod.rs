//! `sod_sides(policies)` and `sod_exceptions(exceptions)`: the arguments of SOD_VIOLATIONS as lists of structs of texts. A null
//! gives an empty list.

use datafusion::arrow::array::{Array, ArrayRef, ListArray, StringBuilder, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_reports::sod::{AcceptedViolation, Place, Policy, places};
use std::sync::Arc;

/// Texts of one item of a list.
type Item = Vec<Option<String>>;

/// What a function reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Read {
    /// Each entitlement of each list of each policy, and each policy by query. `place` is unique.
    Sides,
    /// Each accepted violation. `ends` is a day.
    Exceptions,
}

impl Read {
    fn fields(self) -> Fields {
        let names: &[&str] = match self {
            Self::Sides => &[
                "place",
                "policy",
                "policy_name",
                "level",
                "state",
                "policy_owner",
                "side",
                "side_name",
                "id",
                "source",
                "value",
                "name",
                "query",
            ],
            Self::Exceptions => &["policy", "identity", "owner", "reason", "ends"],
        };
        names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect()
    }

    fn items(self, text: &str) -> Result<Vec<Item>> {
        let failed = |error: serde_json::Error| exec_err!("the argument cannot be read: {error}");
        match self {
            Self::Sides => {
                serde_json::from_str::<Vec<Policy>>(text).map_or_else(failed, |all| Ok(sides(&all)))
            }
            Self::Exceptions => {
                let item = |one: AcceptedViolation| {
                    [one.policy, one.identity, one.owner, one.reason, one.ends.to_string()].map(Some).to_vec()
                };
                serde_json::from_str::<Vec<AcceptedViolation>>(text)
                    .map_or_else(failed, |all| Ok(all.into_iter().map(item).collect()))
            }
        }
    }
}

fn sides(policies: &[Policy]) -> Vec<Item> {
    let item = |place: Place<'_>| {
        let policy = place.policy;
        // Of a policy by query, the side says so.
        let (which, side, named) = match place.of {
            Some((which, side, named)) => (which, Some(side.name.clone()), Some(named)),
            None => ("QUERY", None, None),
        };
        vec![
            Some(place.text()),
            Some(policy.id.clone()),
            Some(policy.name.clone()),
            Some(policy.level.clone()),
            Some(policy.state.clone()),
            policy.owner.clone(),
            Some(which.to_owned()),
            side,
            named.and_then(|named| named.id.clone()),
            named.and_then(|named| named.source.clone()),
            named.and_then(|named| named.value.clone()),
            named.and_then(|named| named.name.clone()),
            place.query().map(str::to_owned),
        ]
    };
    places(policies).map(item).collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct SodFunction {
    name: &'static str,
    read: Read,
    signature: Signature,
}

impl SodFunction {
    pub(super) fn sides() -> Self {
        Self { name: "sod_sides", read: Read::Sides, signature: Signature::any(1, Volatility::Immutable) }
    }

    pub(super) fn exceptions() -> Self {
        Self {
            name: "sod_exceptions",
            read: Read::Exceptions,
            signature: Signature::any(1, Volatility::Immutable),
        }
    }

    fn item(&self) -> Field {
        Field::new(muster_sources::LIST_ITEM_FIELD, DataType::Struct(self.read.fields()), true)
    }
}

impl ScalarUDFImpl for SodFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(Arc::new(self.item())))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = &arguments.args[..] else {
            return exec_err!("{}: expected one text", self.name);
        };
        let texts = super::strings(&text.to_array(arguments.number_rows)?)?;
        let fields = self.read.fields();
        let mut columns: Vec<StringBuilder> = fields.iter().map(|_| StringBuilder::new()).collect();
        let mut lengths = Vec::with_capacity(texts.len());
        for text in &texts {
            let items = text.map_or_else(|| Ok(Vec::new()), |text| self.read.items(text))?;
            lengths.push(items.len());
            for item in items {
                for (column, text) in columns.iter_mut().zip(item) {
                    column.append_option(text);
                }
            }
        }
        let columns = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let items = StructArray::try_new(fields, columns, None)?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        let list = ListArray::try_new(Arc::new(self.item()), offsets, Arc::new(items), None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}
