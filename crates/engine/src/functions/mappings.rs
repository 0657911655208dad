//! `attribute_mappings(definition)`: how each identity attribute is made, in words, for the definition of a source as JSON.
//! `mapping_outcomes(definition, account attributes, identity attributes)`: what each mapping comes to for one identity.
//!
//! The report ATTRIBUTE_MAPPINGS uses both. A source without a profile has no mappings.

use super::mapping::{Mapped, ProfileMapping, lifecycle_attribute, map_value};
use super::{AttributesColumn, strings};
use datafusion::arrow::array::{Array, ArrayRef, ListArray, StringBuilder, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use muster_sources::{
    AttributeMapping, LifecycleDefinition, MappingSource, ProfileDefinition, SourceDefinition, Transform,
};
use std::collections::HashMap;
use std::sync::Arc;

/// The fields of a mapping.
const MAPPING: [&str; 5] = ["place", "name", "made", "fallback", "required"];
/// The fields of an outcome. `outcome` is `VALUE`, `FALLBACK`, `EMPTY` or `FAILED`; `same` says whether the identity has the
/// value that the mapping gives.
const OUTCOME: [&str; 3] = ["name", "outcome", "same"];

/// The display name that is made of other attributes if no mapping gives one.
const DISPLAY_NAME: &str = "displayName";
/// The attributes that it is made of.
const NAMES: [&str; 2] = ["firstname", "lastname"];
const FROM_NAMES: &str =
    "the identity attributes firstname and lastname with a space between them, or lastname alone";

/// How the attributes of a profile are made, in the order of its definition; those that are made without a mapping follow.
struct Profile {
    mapping: ProfileMapping,
    lifecycle: Option<LifecycleDefinition>,
}

impl Profile {
    fn of(definition: &str) -> Result<Option<Self>> {
        let definition: SourceDefinition = match serde_json::from_str(definition) {
            Ok(definition) => definition,
            Err(error) => return exec_err!("the definition of a source cannot be read: {error}"),
        };
        let lifecycle = definition.lifecycle.clone();
        Ok(definition
            .profile
            .map(|profile| Self { mapping: ProfileMapping::new(profile, lifecycle.clone()), lifecycle }))
    }

    fn definition(&self) -> &ProfileDefinition {
        self.mapping.profile()
    }

    fn maps(&self, name: &str) -> bool {
        self.definition().attributes.iter().any(|mapping| mapping.name == name)
    }

    /// Name, how it is made, the fallback, and whether it is required.
    fn described(&self) -> Vec<(String, String, Option<String>, bool)> {
        let mut all: Vec<_> = self
            .definition()
            .attributes
            .iter()
            .map(|mapping| {
                let fallback = fallback_words(mapping);
                (mapping.name.clone(), words(mapping), fallback, is_required(mapping))
            })
            .collect();
        if !self.maps(DISPLAY_NAME) && self.maps(NAMES[1]) {
            all.push((DISPLAY_NAME.to_owned(), FROM_NAMES.to_owned(), None, false));
        }
        if let Some(lifecycle) = self.lifecycle.as_ref().filter(|_| !self.maps(lifecycle_attribute())) {
            let made = format!(
                "the account attribute {:?}, by the {} states of the lifecycle",
                lifecycle.attribute,
                lifecycle.states.len()
            );
            all.push((lifecycle_attribute().to_owned(), made, None, false));
        }
        all
    }

    /// Name, outcome and value for an account with these attributes.
    fn outcomes<'a>(
        &self,
        first: &impl Fn(&str) -> Option<&'a str>,
    ) -> Vec<(String, &'static str, Option<String>)> {
        let mut all = Vec::new();
        for mapping in &self.definition().attributes {
            let (outcome, value) = match map_value(mapping, first) {
                Mapped::Value(value) if takes_fallback(mapping, first) => ("FALLBACK", Some(value)),
                Mapped::Value(value) => ("VALUE", Some(value)),
                Mapped::Absent => ("EMPTY", None),
                Mapped::Failed(_) => ("FAILED", None),
            };
            all.push((mapping.name.clone(), outcome, value));
        }
        let value_of = |all: &[(String, &'static str, Option<String>)], wanted: &str| {
            all.iter().find(|(name, _, _)| name == wanted).and_then(|(_, _, value)| value.clone())
        };
        let [given, family] = NAMES.map(|name| value_of(&all, name));
        if let Some(family) = family
            && value_of(&all, DISPLAY_NAME).is_none()
        {
            let shown = given.map_or_else(|| family.clone(), |given| format!("{given} {family}"));
            match all.iter_mut().find(|(name, _, _)| name == DISPLAY_NAME) {
                Some(blank) => (blank.1, blank.2) = ("FALLBACK", Some(shown)),
                None => all.push((DISPLAY_NAME.to_owned(), "VALUE", Some(shown))),
            }
        } else if !self.maps(DISPLAY_NAME) && self.maps(NAMES[1]) {
            all.push((DISPLAY_NAME.to_owned(), "EMPTY", None));
        }
        if let Some(lifecycle) = self.lifecycle.as_ref().filter(|_| !self.maps(lifecycle_attribute())) {
            let state = lifecycle.states.get(first(&lifecycle.attribute).unwrap_or_default()).cloned();
            let outcome = if state.is_some() { "VALUE" } else { "EMPTY" };
            all.push((lifecycle_attribute().to_owned(), outcome, state));
        }
        all
    }
}

/// Attributes without which a person cannot be processed, and those that the definition requires.
fn is_required(mapping: &AttributeMapping) -> bool {
    mapping.required || ["uid", "lastname", "email"].contains(&mapping.name.as_str())
}

/// Whether a table of the mapping lacks what it is asked for, so that its default is taken.
fn takes_fallback<'a>(mapping: &AttributeMapping, first: &impl Fn(&str) -> Option<&'a str>) -> bool {
    let (mut before, mut taken) = (mapping.clone(), false);
    // What comes to each table: the mapping without it and without what follows.
    for (at, transform) in mapping.transforms.iter().enumerate() {
        let Transform::Lookup { table, default: Some(_) } = transform else { continue };
        before.transforms = mapping.transforms[..at].to_vec();
        if let Mapped::Value(value) = map_value(&before, first) {
            taken |= !table.contains_key(&value);
        }
    }
    taken
}

fn words(mapping: &AttributeMapping) -> String {
    let from = match &mapping.source {
        MappingSource::Attribute(name) => format!("the account attribute {name:?}"),
        MappingSource::Static(text) => format!("the text {text:?}"),
        MappingSource::Template(template) => {
            let text: String = template.clone().into();
            format!("the text {text:?}, with account attributes in place of the names in braces")
        }
    };
    let steps = mapping.transforms.iter().map(|transform| match transform {
        Transform::Trim => "without white space around it".to_owned(),
        Transform::Lower => "in lower case".to_owned(),
        Transform::Upper => "in upper case".to_owned(),
        Transform::Capitalize => "with the first letter of each word in upper case".to_owned(),
        Transform::Split { separator, index } => {
            format!("part {} between occurrences of {separator:?}", u64::from(*index) + 1)
        }
        Transform::Replace { pattern, with } => format!("with {with:?} in place of each {pattern:?}"),
        Transform::Lookup { table, .. } => format!("by a table of {} values", table.len()),
    });
    std::iter::once(from).chain(steps).collect::<Vec<_>>().join(", then ")
}

fn fallback_words(mapping: &AttributeMapping) -> Option<String> {
    let defaults = mapping.transforms.iter().filter_map(|transform| match transform {
        Transform::Lookup { default, .. } => {
            default.as_ref().map(|text| format!("{text:?} for what the table lacks"))
        }
        Transform::Trim
        | Transform::Lower
        | Transform::Upper
        | Transform::Capitalize
        | Transform::Split { .. }
        | Transform::Replace { .. } => None,
    });
    let mut all: Vec<_> = defaults.collect();
    if mapping.name == DISPLAY_NAME {
        all.push(FROM_NAMES.to_owned());
    }
    (!all.is_empty()).then(|| all.join("; "))
}

fn list_type(names: &[&'static str]) -> DataType {
    DataType::List(Arc::new(item(names)))
}

fn fields(names: &[&'static str]) -> Fields {
    names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect()
}

fn item(names: &[&'static str]) -> Field {
    Field::new(muster_sources::LIST_ITEM_FIELD, DataType::Struct(fields(names)), true)
}

/// Lists of structs of texts: for each row its items, each with a text for every name.
fn lists(names: &[&'static str], rows: Vec<Vec<Vec<Option<String>>>>) -> Result<ColumnarValue> {
    let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
    let mut columns: Vec<StringBuilder> = names.iter().map(|_| StringBuilder::new()).collect();
    for texts in rows.into_iter().flatten() {
        for (column, text) in columns.iter_mut().zip(texts) {
            column.append_option(text);
        }
    }
    let columns = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
    let items = StructArray::try_new(fields(names), columns, None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let list = ListArray::try_new(Arc::new(item(names)), offsets, Arc::new(items), None)?;
    Ok(ColumnarValue::Array(Arc::new(list)))
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MappingsFunction {
    signature: Signature,
}

impl MappingsFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for MappingsFunction {
    fn name(&self) -> &str {
        "attribute_mappings"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_type(&MAPPING))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [definitions] = &arguments.args[..] else {
            return exec_err!("attribute_mappings: expected the definition of a source");
        };
        let definitions = strings(&definitions.to_array(arguments.number_rows)?)?;
        let rows = definitions.iter().map(|definition| {
            let Some(profile) = definition.map(Profile::of).transpose()?.flatten() else {
                return Ok(Vec::new());
            };
            let described = profile.described().into_iter().enumerate();
            Ok(described
                .map(|(at, (name, made, fallback, required))| {
                    vec![
                        Some(format!("{:04}", at + 1)),
                        Some(name),
                        Some(made),
                        fallback,
                        Some(required.to_string()),
                    ]
                })
                .collect())
        });
        lists(&MAPPING, rows.collect::<Result<_>>()?)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct OutcomesFunction {
    signature: Signature,
}

impl OutcomesFunction {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(3, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for OutcomesFunction {
    fn name(&self) -> &str {
        "mapping_outcomes"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(list_type(&OUTCOME))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let count = arguments.number_rows;
        let [definitions, accounts, identities] = &arguments.args[..] else {
            return exec_err!(
                "mapping_outcomes: expected (definition, account attributes, identity attributes)"
            );
        };
        let definitions = strings(&definitions.to_array(count)?)?;
        let accounts = AttributesColumn::open(&accounts.to_array(count)?)?;
        let identities = AttributesColumn::open(&identities.to_array(count)?)?;
        let mut profiles: HashMap<&str, Option<Profile>> = HashMap::new();
        let mut rows = Vec::with_capacity(count);
        for row in 0..count {
            if definitions.is_null(row) {
                rows.push(Vec::new());
                continue;
            }
            let definition = definitions.value(row);
            let profile = match profiles.entry(definition) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(new) => new.insert(Profile::of(definition)?),
            };
            let first = |name: &str| accounts.entry(row, name).and_then(|entry| accounts.texts(entry).next());
            let outcomes = profile.iter().flat_map(|profile| profile.outcomes(&first));
            let items = outcomes.map(|(name, outcome, value)| {
                let has = identities.entry(row, &name).and_then(|entry| identities.texts(entry).next());
                let same = has == value.as_deref();
                vec![Some(name), Some(outcome.to_owned()), Some(same.to_string())]
            });
            rows.push(items.collect());
        }
        lists(&OUTCOME, rows)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::path::Path;

    const HR: &str = r#"
name = "HR"
kind = "delimited"
[delimited]
path = "hr.csv"
native_identity = "id"
[profile]
name = "Employees"
priority = 10
attributes = [
  { name = "uid", from = "id", transforms = ["trim", "lower"] },
  { name = "lastname", from = "sn" },
  { name = "email", template = "{id}@example.org" },
  { name = "company", value = "Example" },
  { name = "site", from = "site", transforms = [{ lookup = { B = "Berlin", P = "Paris" }, default = "Elsewhere" }] },
  { name = "floor", from = "room", transforms = [{ split = "-", index = 1 }, { replace = "0", with = "" }], required = true },
]
[lifecycle]
attribute = "status"
states = { A = "active", T = "terminated" }
"#;

    fn profile() -> Profile {
        let definition = SourceDefinition::from_toml(HR, Path::new("hr.toml")).unwrap();
        Profile::of(&serde_json::to_string(&definition).unwrap()).unwrap().unwrap()
    }

    #[test]
    fn mappings_are_described_in_words() {
        let described = profile().described();
        let words: Vec<_> = described
            .iter()
            .map(|(name, made, fallback, required)| {
                format!("{name} | {made} | {} | {required}", fallback.as_deref().unwrap_or_default())
            })
            .collect();
        assert_eq!(
            words,
            [
                "uid | the account attribute \"id\", then without white space around it, then in lower case |  | true",
                "lastname | the account attribute \"sn\" |  | true",
                "email | the text \"{id}@example.org\", with account attributes in place of the names in braces |  | true",
                "company | the text \"Example\" |  | false",
                "site | the account attribute \"site\", then by a table of 2 values | \"Elsewhere\" for what the table lacks \
                 | false",
                "floor | the account attribute \"room\", then part 2 between occurrences of \"-\", then with \"\" in place of \
                 each \"0\" |  | true",
                "displayName | the identity attributes firstname and lastname with a space between them, or lastname alone |  | \
                 false",
                "cloudLifecycleState | the account attribute \"status\", by the 2 states of the lifecycle |  | false",
            ]
        );
    }

    #[test]
    fn an_outcome_is_a_value_a_fallback_nothing_or_a_failure() {
        let record = |name: &str| match name {
            "id" => Some(" A1 "),
            "sn" => Some("Lovelace"),
            "site" => Some("X"),
            "room" => Some("12"),
            "status" => Some("?"),
            _ => None,
        };
        let outcomes: Vec<_> = profile()
            .outcomes(&record)
            .into_iter()
            .map(|(name, outcome, value)| format!("{name} {outcome} {}", value.unwrap_or_default()))
            .collect();
        assert_eq!(
            outcomes,
            [
                "uid VALUE a1",
                "lastname VALUE Lovelace",
                "email VALUE  A1 @example.org",
                "company VALUE Example",
                "site FALLBACK Elsewhere",
                "floor FAILED ",
                "displayName VALUE Lovelace",
                "cloudLifecycleState EMPTY ",
            ]
        );
        let known = |name: &str| if name == "site" { Some("B") } else { None };
        let outcomes = profile().outcomes(&known);
        assert_eq!((outcomes[4].1, outcomes[4].2.as_deref()), ("VALUE", Some("Berlin")));
        assert_eq!((outcomes[0].1, outcomes[6].1), ("EMPTY", "EMPTY"));
    }
}
