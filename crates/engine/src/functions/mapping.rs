//! `map_profile(source, attributes)`: the identity attributes that the profile of a source derives from an account's
//! attributes.
//!
//! The source's id must be a constant: a query is about the accounts of one source. The result is a struct of
//! [`MAPPED_FIELDS`]:
//! - `attributes`: the mapped attributes;
//! - `failures`: `name` TAB `value` for each attribute with a value whose transforms failed;
//! - `status`: the meaning of the lifecycle state;
//! - `unmapped`: the lifecycle value if its meaning is unknown;
//! - `place` and `newest`: which record of a person is preferred. The lowest `place` is first, then the newest
//!   `newest`;
//! - `starts`, `ends`, `left_on` and `unreadable`: the dates of the person's employment (`[profile.dates]`), and which of
//!   them cannot be read.

use super::columns::{Lists, Times, time_type};
use super::{AttributesColumn, attributes_type, texts_type};
use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    ArrayRef, Int64Builder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder, StructArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_querystring::{Rounding, date_instant};
use muster_sources::{
    ATTRIBUTES_ENTRY_FIELD, ATTRIBUTES_KEY_FIELD, ATTRIBUTES_VALUE_FIELD, AttributeMapping, IdentityStatus,
    LIST_ITEM_FIELD, LifecycleDefinition, MappingSource, PreferDefinition, ProfileDefinition, TemplatePart,
};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The fields of the result, in order.
const MAPPED_FIELDS: [&str; 10] = [
    "attributes",
    "failures",
    "status",
    "unmapped",
    "place",
    "newest",
    "starts",
    "ends",
    "left_on",
    "unreadable",
];

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

/// The mappings of all profiles.
#[derive(Debug)]
pub(crate) struct MappingFunction {
    /// Mappings by the id of the source.
    profiles: BTreeMap<String, ProfileMapping>,
    signature: Signature,
}

/// The mapping of one profile.
#[derive(Debug, PartialEq)]
pub(super) struct ProfileMapping {
    profile: ProfileDefinition,
    lifecycle: Option<LifecycleDefinition>,
    /// Whether the lifecycle state is mapped like any other attribute.
    maps_state: bool,
}

impl PartialEq for MappingFunction {
    fn eq(&self, other: &Self) -> bool {
        self.profiles == other.profiles
    }
}

impl Eq for MappingFunction {}

impl Hash for MappingFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.profiles.keys().for_each(|source| source.hash(state));
    }
}

impl ProfileMapping {
    pub(super) fn new(profile: ProfileDefinition, lifecycle: Option<LifecycleDefinition>) -> Self {
        // A state that is mapped like any other attribute has its usual meaning.
        let maps_state = profile.attributes.iter().any(|mapping| mapping.name == lifecycle_attribute());
        let lifecycle =
            lifecycle.or_else(|| maps_state.then(|| LifecycleDefinition::new("", BTreeMap::new())));
        Self { profile, lifecycle, maps_state }
    }

    /// The profile that is mapped.
    pub(super) fn profile(&self) -> &ProfileDefinition {
        &self.profile
    }
}

impl MappingFunction {
    /// The function for these profiles, each with the id of its source and its lifecycle.
    pub(crate) fn new<'a>(
        profiles: impl IntoIterator<Item = (&'a str, ProfileDefinition, Option<LifecycleDefinition>)>,
    ) -> Self {
        let profiles = profiles
            .into_iter()
            .map(|(source, profile, lifecycle)| (source.to_owned(), ProfileMapping::new(profile, lifecycle)));
        Self { profiles: profiles.collect(), signature: Signature::any(2, Volatility::Immutable) }
    }

    fn fields() -> Fields {
        let types = [
            attributes_type(),
            texts_type(),
            DataType::Utf8,
            DataType::Utf8,
            DataType::Int64,
            DataType::Int64,
            time_type(),
            time_type(),
            time_type(),
            texts_type(),
        ];
        MAPPED_FIELDS.iter().zip(types).map(|(name, data_type)| Field::new(*name, data_type, true)).collect()
    }
}

impl ScalarUDFImpl for MappingFunction {
    fn name(&self) -> &'static str {
        "map_profile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(Self::fields()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(source), map] = &arguments.args[..] else {
            return exec_err!("map_profile: expected the id of a source, a constant, and attributes");
        };
        let Some(mapping) = source.try_as_str().flatten().and_then(|source| self.profiles.get(source)) else {
            return exec_err!("map_profile: no profile rests on source {source}");
        };
        let rows = arguments.number_rows;
        let column = AttributesColumn::open(&map.to_array(rows)?)?;
        Ok(ColumnarValue::Array(mapping.map(&column, rows)?))
    }
}

impl ProfileMapping {
    fn map(&self, column: &AttributesColumn, rows: usize) -> Result<ArrayRef> {
        let mut mapped = attributes_builder();
        let item = Field::new(LIST_ITEM_FIELD, DataType::Utf8, true);
        let mut failures = ListBuilder::new(StringBuilder::new()).with_field(item);
        let (mut statuses, mut unmapped) = (StringBuilder::new(), StringBuilder::new());
        let (mut places, mut newest) = (Int64Builder::new(), Int64Builder::new());
        let (mut dates, mut unreadable) = (<[Times; 3]>::default(), Lists::default());
        for row in 0..rows {
            let first = |name: &str| column.entry(row, name).and_then(|entry| column.texts(entry).next());
            let mut names: [Option<String>; 4] = [None, None, None, None];
            for mapping in &self.profile.attributes {
                let value = match map_value(mapping, first) {
                    Mapped::Value(value) => value,
                    Mapped::Absent => continue,
                    Mapped::Failed(input) => {
                        failures.values().append_value(format!("{}\t{input}", mapping.name));
                        continue;
                    }
                };
                let wanted = ["displayName", "firstname", "lastname", lifecycle_attribute()];
                for (slot, name) in names.iter_mut().zip(wanted) {
                    if mapping.name == name {
                        *slot = Some(value.clone());
                    }
                }
                append(&mut mapped, &mapping.name, &value);
            }
            // If there is a name, the display name is filled from it: readers look for the display name first.
            let [shown, given, family, mapped_state] = names;
            if let (None, Some(family)) = (shown, family) {
                let shown =
                    given.as_ref().map_or_else(|| family.clone(), |given| format!("{given} {family}"));
                append(&mut mapped, "displayName", &shown);
            }
            let life = self.life(mapped_state, first);
            if let Some(state) = life.state.as_ref().filter(|_| !self.maps_state) {
                append(&mut mapped, lifecycle_attribute(), state);
            }
            places.append_value(place(&self.profile.prefer, &life));
            newest.append_option(self.profile.prefer.newest.as_deref().and_then(first).and_then(moment));
            statuses.append_option(life.status.map(IdentityStatus::as_str));
            unmapped.append_option(life.unmapped);
            let person = self.profile.dates.read(&|name: &str| column.values_like(row, name));
            let times = [person.starts, person.ends, person.left_on];
            dates.iter_mut().zip(times).for_each(|(column, time)| column.append(time));
            unreadable.append(person.unreadable);
            mapped.append(true)?;
            failures.append(true);
        }
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(mapped.finish()),
            Arc::new(failures.finish()),
            Arc::new(statuses.finish()),
            Arc::new(unmapped.finish()),
            Arc::new(places.finish()),
            Arc::new(newest.finish()),
        ];
        columns.extend(dates.iter_mut().map(Times::finish));
        columns.push(unreadable.finish());
        Ok(Arc::new(StructArray::try_new(MappingFunction::fields(), columns, None)?))
    }
}

/// The lifecycle state in a record.
struct Life {
    state: Option<String>,
    status: Option<IdentityStatus>,
    /// The value that was found if its meaning is unknown.
    unmapped: Option<String>,
}

impl ProfileMapping {
    /// The state and its meaning: from the attribute's mapping if it has one, else from `[lifecycle]`. Without either,
    /// everybody is active.
    fn life<'a>(&self, mapped: Option<String>, first: impl Fn(&str) -> Option<&'a str>) -> Life {
        let Some(lifecycle) = &self.lifecycle else {
            return Life { state: mapped, status: Some(IdentityStatus::Active), unmapped: None };
        };
        let found = first(&lifecycle.attribute).unwrap_or_default();
        let state = if self.maps_state { mapped } else { lifecycle.states.get(found).cloned() };
        let status = state.as_ref().and_then(|state| lifecycle.status.get(state)).copied();
        let unmapped = match status {
            Some(_) => None,
            None => Some(state.clone().unwrap_or_else(|| found.to_owned())),
        };
        Life { state, status, unmapped }
    }
}

/// Rank of a record by its state, among the records of one person. The lowest rank is preferred.
fn place(prefer: &PreferDefinition, life: &Life) -> i64 {
    let place = if prefer.states.is_empty() {
        match life.status {
            Some(IdentityStatus::Active) => 0,
            Some(IdentityStatus::Disabled) => 1,
            Some(IdentityStatus::Terminated) => 2,
            None => 3,
        }
    } else {
        let listed = prefer.states.iter().position(|state| life.state.as_ref() == Some(state));
        listed.unwrap_or(prefer.states.len())
    };
    i64::try_from(place).unwrap_or(i64::MAX)
}

/// A date in milliseconds since 1970, as searches parse it; `None` for other texts.
fn moment(text: &str) -> Option<i64> {
    // Require a digit first: a date without a year would depend on the day of the refresh.
    let text = Some(text.trim()).filter(|text| text.starts_with(|first: char| first.is_ascii_digit()))?;
    date_instant(text, DateTime::<Utc>::UNIX_EPOCH, Rounding::Down).ok().map(|at| at.timestamp_millis())
}

fn append(mapped: &mut MapBuilder<StringBuilder, ListBuilder<StringBuilder>>, name: &str, value: &str) {
    mapped.keys().append_value(name);
    mapped.values().values().append_value(value);
    mapped.values().append(true);
}

pub(super) enum Mapped {
    Value(String),
    /// No input, or a blank result.
    Absent,
    /// The transforms failed for this input.
    Failed(String),
}

pub(super) fn map_value<'a>(mapping: &AttributeMapping, first: impl Fn(&str) -> Option<&'a str>) -> Mapped {
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
