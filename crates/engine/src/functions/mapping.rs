//! `map_profile_N(attributes)`: the identity attributes that a profile makes of an account's attributes.
//!
//! One function for each profile, made from its definition. The result is a struct of the mapped attributes
//! and of the failures: `name` TAB `value` for each attribute whose transforms failed on a value that was there.

use super::{AttributesColumn, attributes_type, texts_type};
use datafusion::arrow::array::{
    ArrayRef, ListBuilder, MapBuilder, MapFieldNames, StringBuilder, StructArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_sources::{
    ATTRIBUTES_ENTRY_FIELD, ATTRIBUTES_KEY_FIELD, ATTRIBUTES_VALUE_FIELD, AttributeMapping, LIST_ITEM_FIELD,
    LifecycleDefinition, MappingSource, ProfileDefinition, TemplatePart,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Field of the result with the mapped attributes.
pub(crate) const MAPPED: &str = "mapped";
/// Field of the result with the failures.
pub(crate) const FAILURES: &str = "failures";

/// The identity attribute that holds the lifecycle state.
pub(crate) fn lifecycle_attribute() -> &'static str {
    "cloudLifecycleState"
}

/// A builder of `attributes` columns.
pub(super) fn attributes_builder() -> MapBuilder<StringBuilder, ListBuilder<StringBuilder>> {
    let item = Field::new(LIST_ITEM_FIELD, DataType::Utf8, true);
    let values = Field::new(ATTRIBUTES_VALUE_FIELD, DataType::List(Arc::new(item.clone())), true);
    let names = MapFieldNames {
        entry: ATTRIBUTES_ENTRY_FIELD.to_owned(),
        key: ATTRIBUTES_KEY_FIELD.to_owned(),
        value: ATTRIBUTES_VALUE_FIELD.to_owned(),
    };
    MapBuilder::new(
        Some(names),
        StringBuilder::new(),
        ListBuilder::new(StringBuilder::new()).with_field(item),
    )
    .with_values_field(values)
}

#[derive(Debug)]
pub(crate) struct MappingFunction {
    name: String,
    profile: ProfileDefinition,
    lifecycle: Option<LifecycleDefinition>,
    signature: Signature,
}

impl PartialEq for MappingFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.profile == other.profile && self.lifecycle == other.lifecycle
    }
}

impl Eq for MappingFunction {}

impl Hash for MappingFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl MappingFunction {
    /// The function of a profile under the SQL name `name`.
    pub(crate) fn new(
        name: String,
        profile: ProfileDefinition,
        lifecycle: Option<LifecycleDefinition>,
    ) -> Self {
        Self { name, profile, lifecycle, signature: Signature::any(1, Volatility::Immutable) }
    }

    fn fields() -> Fields {
        Fields::from(vec![
            Field::new(MAPPED, attributes_type(), true),
            Field::new(FAILURES, texts_type(), true),
        ])
    }
}

impl ScalarUDFImpl for MappingFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(Self::fields()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let [map] = &arguments.args[..] else { return exec_err!("{}: expected one argument", self.name) };
        let column = AttributesColumn::open(&map.to_array(rows)?)?;
        let mut mapped = attributes_builder();
        let item = Field::new(LIST_ITEM_FIELD, DataType::Utf8, true);
        let mut failures = ListBuilder::new(StringBuilder::new()).with_field(item);
        for row in 0..rows {
            let first = |name: &str| column.entry(row, name).and_then(|entry| column.texts(entry).next());
            let mut names: [Option<String>; 3] = [None, None, None];
            for mapping in &self.profile.attributes {
                let value = match map_value(mapping, first) {
                    Mapped::Value(value) => value,
                    Mapped::Absent => continue,
                    Mapped::Failed(input) => {
                        failures.values().append_value(format!("{}\t{input}", mapping.name));
                        continue;
                    }
                };
                for (slot, name) in names.iter_mut().zip(["displayName", "firstname", "lastname"]) {
                    if mapping.name == name {
                        *slot = Some(value.clone());
                    }
                }
                append(&mut mapped, &mapping.name, &value);
            }
            // A display name is always there where a name is: people look for it first.
            if let [None, given, Some(family)] = &names {
                let shown =
                    given.as_ref().map_or_else(|| family.clone(), |given| format!("{given} {family}"));
                append(&mut mapped, "displayName", &shown);
            }
            if let Some(lifecycle) = &self.lifecycle
                && !self.profile.attributes.iter().any(|a| a.name == lifecycle_attribute())
                && let Some(state) = first(&lifecycle.attribute).and_then(|value| lifecycle.states.get(value))
            {
                append(&mut mapped, lifecycle_attribute(), state);
            }
            mapped.append(true)?;
            failures.append(true);
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(mapped.finish()), Arc::new(failures.finish())];
        Ok(ColumnarValue::Array(Arc::new(StructArray::try_new(Self::fields(), columns, None)?)))
    }
}

fn append(mapped: &mut MapBuilder<StringBuilder, ListBuilder<StringBuilder>>, name: &str, value: &str) {
    mapped.keys().append_value(name);
    mapped.values().values().append_value(value);
    mapped.values().append(true);
}

enum Mapped {
    Value(String),
    /// Nothing to map, or blank after mapping.
    Absent,
    /// A transform gave nothing for this input.
    Failed(String),
}

fn map_value<'a>(mapping: &AttributeMapping, first: impl Fn(&str) -> Option<&'a str>) -> Mapped {
    let input = match &mapping.source {
        MappingSource::Attribute(name) => first(name).map(str::to_owned),
        MappingSource::Static(text) => Some(text.clone()),
        MappingSource::Template(template) => template
            .parts()
            .iter()
            .map(|part| match part {
                TemplatePart::Text(text) => Some(text.as_str()),
                TemplatePart::Attribute(name) => first(name),
            })
            .collect::<Option<String>>(),
    };
    let Some(input) = input.filter(|text| !text.trim().is_empty()) else { return Mapped::Absent };
    let mut value = input.clone();
    for transform in &mapping.transforms {
        match transform.apply(&value) {
            Some(next) => value = next,
            None => return Mapped::Failed(input),
        }
    }
    if value.trim().is_empty() { Mapped::Absent } else { Mapped::Value(value) }
}
