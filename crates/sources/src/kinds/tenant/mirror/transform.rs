//! Transforms: from the tenant's trees to our chains of steps, where a chain says the same.
//!
//! A tree is taken over whole or not at all. Patterns are taken only where they are plain texts, for the tenant's are
//! regular expressions; texts only without `$`, which begins a variable there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::source::AccountSchema;
use super::tenant_source::TenantSource;
use crate::definition::{AttributeMapping, MappingSource, Template, Transform};

/// Levels that a mapping may have, including the transforms that it refers to.
pub(super) const MAPPING_DEPTH_MAX: usize = 16;

/// What a mapping is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) source: MappingSource,
    pub(super) transforms: Vec<Transform>,
}

impl Chain {
    fn begins(source: MappingSource) -> Self {
        Self { source, transforms: Vec::new() }
    }

    fn then(mut self, transform: Transform) -> Self {
        self.transforms.push(transform);
        self
    }

    pub(super) fn mapping(self, name: &str) -> AttributeMapping {
        AttributeMapping {
            name: name.to_owned(),
            source: self.source,
            transforms: self.transforms,
            required: false,
        }
    }
}

/// Whose account attributes a mapping may name, and what it may refer to.
pub(super) struct Context<'a> {
    pub(super) source: &'a TenantSource,
    pub(super) schema: &'a AccountSchema,
    pub(super) transforms: &'a BTreeMap<String, Value>,
}

impl Context<'_> {
    /// The chain that a mapping is.
    ///
    /// # Errors
    /// What in it is not supported.
    pub(super) fn chain(&self, definition: &Value) -> Result<Chain, String> {
        self.at(definition, None, MAPPING_DEPTH_MAX)
    }

    /// `input` is what flows in where the transform does not say itself.
    fn at(&self, definition: &Value, input: Option<Chain>, depth: usize) -> Result<Chain, String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(format!("it has more than {MAPPING_DEPTH_MAX} levels"));
        };
        let kind = definition.get("type").and_then(Value::as_str).unwrap_or_default();
        let none = Map::new();
        let attributes = definition.get("attributes").and_then(Value::as_object).unwrap_or(&none);
        let step = |known: &[&str], transform: Transform| -> Result<Chain, String> {
            nothing_else(kind, attributes, known)?;
            Ok(self.input(kind, attributes, input.clone(), depth)?.then(transform))
        };
        match kind {
            "accountAttribute" => self.account_attribute(attributes),
            "static" => {
                nothing_else(kind, attributes, &["value"])?;
                Ok(Chain::begins(MappingSource::Static(plain(kind, attributes, "value")?)))
            }
            "trim" => step(&[], Transform::Trim),
            "lower" => step(&[], Transform::Lower),
            "upper" => step(&[], Transform::Upper),
            "split" => step(&["delimiter", "index", "throws"], split(attributes)?),
            "replace" => step(&["regex", "replacement"], replace(attributes)?),
            "lookup" => step(&["table"], lookup(attributes)?),
            "concat" => {
                nothing_else(kind, attributes, &["values"])?;
                self.concat(attributes, depth)
            }
            "reference" => {
                nothing_else(kind, attributes, &["id"])?;
                let name = attributes.get("id").and_then(Value::as_str).unwrap_or_default();
                let referred = self.transforms.get(name).filter(|found| !found.is_null());
                let referred = referred.ok_or_else(|| format!("the tenant has no transform {name:?}"))?;
                let input = match attributes.get("input") {
                    Some(own) => Some(self.at(own, input, depth)?),
                    None => input,
                };
                self.at(referred, input, depth).map_err(|reason| format!("transform {name:?}: {reason}"))
            }
            "" => Err("it has no definition".to_owned()),
            other => Err(format!("a transform of type {other:?} is not supported")),
        }
    }

    fn input(
        &self,
        kind: &str,
        attributes: &Map<String, Value>,
        given: Option<Chain>,
        depth: usize,
    ) -> Result<Chain, String> {
        match attributes.get("input") {
            Some(own) => self.at(own, given, depth),
            None => given.ok_or_else(|| format!("{kind:?} has no input")),
        }
    }

    fn account_attribute(&self, attributes: &Map<String, Value>) -> Result<Chain, String> {
        let by = ["attributeName", "sourceName", "sourceId", "applicationName", "applicationId"];
        nothing_else("accountAttribute", attributes, &by)?;
        let text = |key: &str| attributes.get(key).and_then(Value::as_str);
        // A name may be an older one; an id is the source's for good.
        let id = text("sourceId").or_else(|| text("applicationId"));
        let named = text("sourceName").or_else(|| text("applicationName"));
        let is_own = match (id, named) {
            (Some(id), _) => id == self.source.id,
            (None, named) => named.is_none_or(|named| named == self.source.name),
        };
        if !is_own {
            let other = named.or(id).unwrap_or_default();
            return Err(format!("it comes from an account of another source, {other:?}"));
        }
        let name = text("attributeName").unwrap_or_default();
        if !self.schema.attributes.iter().any(|known| known == name) {
            return Err(format!("the account schema has no attribute {name:?}"));
        }
        Ok(Chain::begins(MappingSource::Attribute(name.to_owned())))
    }

    fn concat(&self, attributes: &Map<String, Value>, depth: usize) -> Result<Chain, String> {
        let values = attributes.get("values").and_then(Value::as_array);
        let mut text = String::new();
        for value in values.into_iter().flatten() {
            let part = match value.as_str() {
                Some(text) => Chain::begins(MappingSource::Static(without_variable("concat", text)?)),
                None => self.at(value, None, depth)?,
            };
            match part {
                Chain { source: MappingSource::Static(part), transforms } if transforms.is_empty() => {
                    text += &part.replace('{', "{{").replace('}', "}}");
                }
                Chain { source: MappingSource::Attribute(name), transforms }
                    if transforms.is_empty() && !name.contains(['{', '}']) =>
                {
                    text += &format!("{{{name}}}");
                }
                Chain { .. } => {
                    return Err("\"concat\" of transformed values is not supported".to_owned());
                }
            }
        }
        if text.is_empty() {
            return Err("\"concat\" has no values".to_owned());
        }
        Template::try_from(text).map(|template| Chain::begins(MappingSource::Template(template)))
    }
}

/// Names of the transforms that a definition refers to.
pub(super) fn references(definition: &Value) -> Vec<String> {
    let (mut found, mut open) = (BTreeSet::new(), vec![definition]);
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if members.get("type").and_then(Value::as_str) == Some("reference") {
                    let name = value.pointer("/attributes/id").and_then(Value::as_str);
                    found.extend(name.map(str::to_owned));
                }
                open.extend(members.values());
            }
            Value::Array(elements) => open.extend(elements),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found.into_iter().collect()
}

/// A key that is not known may change what a transform does.
fn nothing_else(kind: &str, attributes: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    let harmless = ["input", "requiresPeriodicRefresh"];
    let other = attributes.iter().find(|(key, value)| {
        !value.is_null() && !known.contains(&key.as_str()) && !harmless.contains(&key.as_str())
    });
    other.map_or(Ok(()), |(key, _)| Err(format!("{kind:?} with {key:?} is not supported")))
}

fn plain(kind: &str, attributes: &Map<String, Value>, key: &str) -> Result<String, String> {
    let text = attributes.get(key).and_then(Value::as_str);
    without_variable(kind, text.ok_or_else(|| format!("{kind:?} has no text {key:?}"))?)
}

fn without_variable(kind: &str, text: &str) -> Result<String, String> {
    if text.contains('$') {
        Err(format!("{kind:?} with a variable is not supported"))
    } else {
        Ok(text.to_owned())
    }
}

/// A regular expression that is a plain text.
fn literal(kind: &str, attributes: &Map<String, Value>, key: &str) -> Result<String, String> {
    let text = attributes.get(key).and_then(Value::as_str).unwrap_or_default();
    if text.is_empty() || text.contains(|c: char| r"\.[]{}()*+?^$|".contains(c)) {
        return Err(format!("{kind:?} by a regular expression is not supported"));
    }
    Ok(text.to_owned())
}

/// Where there are fewer parts, ours fails.
fn split(attributes: &Map<String, Value>) -> Result<Transform, String> {
    let separator = literal("split", attributes, "delimiter")?;
    let index = attributes.get("index").and_then(|index| match index.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => u32::try_from(index.as_u64()?).ok(),
    });
    let index = index.ok_or("\"split\" has no index")?;
    if attributes.get("throws").is_none_or(|throws| *throws != true && *throws != "true") {
        return Err("\"split\" that gives nothing where there are fewer parts is not supported".to_owned());
    }
    Ok(Transform::Split { separator, index })
}

fn replace(attributes: &Map<String, Value>) -> Result<Transform, String> {
    let pattern = literal("replace", attributes, "regex")?;
    let with = plain("replace", attributes, "replacement")?;
    if with.contains('\\') {
        return Err("\"replace\" by an escaped text is not supported".to_owned());
    }
    Ok(Transform::Replace { pattern, with })
}

fn lookup(attributes: &Map<String, Value>) -> Result<Transform, String> {
    let entries = attributes.get("table").and_then(Value::as_object).ok_or("\"lookup\" has no table")?;
    let mut table = BTreeMap::new();
    for (key, value) in entries {
        let value = value.as_str().ok_or("\"lookup\" with a value that is not text is not supported")?;
        table.insert(key.clone(), without_variable("lookup", value)?);
    }
    let default = table.remove("default");
    Ok(Transform::Lookup { table, default })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    fn chain(definition: Value) -> Result<Value, String> {
        let source =
            TenantSource { id: "s1".to_owned(), name: "HR".to_owned(), schema: None, object: Value::Null };
        let schema = AccountSchema {
            attributes: ["login", "first", "odd{"].map(str::to_owned).to_vec(),
            entitlements: Vec::new(),
        };
        let transforms = BTreeMap::from([
            ("Lower".to_owned(), json!({"type": "lower", "attributes": {}})),
            ("Loop".to_owned(), json!({"type": "reference", "attributes": {"id": "Loop"}})),
            ("Gone".to_owned(), Value::Null),
        ]);
        let context = Context { source: &source, schema: &schema, transforms: &transforms };
        // As a definition file writes it.
        context.chain(&definition).map(|chain| serde_json::to_value(chain.mapping("x")).unwrap())
    }

    fn account(name: &str) -> Value {
        json!({"type": "accountAttribute", "attributes": {"attributeName": name, "sourceName": "HR", "sourceId": "s1"}})
    }

    fn of(kind: &str, attributes: Value) -> Value {
        let mut definition = json!({"type": kind, "attributes": attributes});
        if definition["attributes"].get("input").is_none() {
            definition["attributes"]["input"] = account("login");
        }
        definition
    }

    #[test]
    fn what_a_chain_can_say() {
        let login = |transforms: Value| json!({"name": "x", "from": "login", "transforms": transforms, "required": false});
        let cases = [
            (account("login"), login(json!([]))),
            (
                json!({"type": "static", "attributes": {"value": "{a}"}}),
                json!({"name": "x", "value": "{a}", "transforms": [], "required": false}),
            ),
            (of("trim", json!({"requiresPeriodicRefresh": false})), login(json!(["trim"]))),
            (of("upper", json!({"input": of("lower", json!({}))})), login(json!(["lower", "upper"]))),
            (
                of("split", json!({"delimiter": "#", "index": 1, "throws": true})),
                login(json!([{"split": "#", "index": 1}])),
            ),
            (
                of("split", json!({"delimiter": ", ", "index": "0", "throws": "true"})),
                login(json!([{"split": ", ", "index": 0}])),
            ),
            (
                of("replace", json!({"regex": " ", "replacement": "-"})),
                login(json!([{"replace": " ", "with": "-"}])),
            ),
            (
                of("lookup", json!({"table": {"A": "active", "default": "other"}})),
                login(json!([{"lookup": {"A": "active"}, "default": "other"}])),
            ),
            (of("reference", json!({"id": "Lower"})), login(json!(["lower"]))),
            (
                json!({"type": "concat", "attributes": {"values": [account("first"), ".{", account("login"),
                {"type": "static", "attributes": {"value": "}@x.org"}}]}}),
                json!({"name": "x", "template": "{first}.{{{login}}}@x.org", "transforms": [], "required": false}),
            ),
        ];
        for (definition, expected) in cases {
            assert_eq!(chain(definition.clone()), Ok(expected), "{definition}");
        }
    }

    #[test]
    fn what_it_cannot_is_named() {
        let deep = (0..20).fold(account("login"), |input, _| of("trim", json!({"input": input})));
        let cases = [
            (json!(null), "it has no definition"),
            (of("rule", json!({"name": "Secret"})), "a transform of type \"rule\" is not supported"),
            (account("mail"), "the account schema has no attribute \"mail\""),
            (
                json!({"type": "accountAttribute", "attributes": {"attributeName": "login", "sourceName": "AD"}}),
                "it comes from an account of another source, \"AD\"",
            ),
            (
                json!({"type": "accountAttribute", "attributes": {"attributeName": "login", "accountFilter": "x"}}),
                "\"accountAttribute\" with \"accountFilter\" is not supported",
            ),
            (json!({"type": "lower", "attributes": {}}), "\"lower\" has no input"),
            (
                json!({"type": "static", "attributes": {"value": "$a"}}),
                "\"static\" with a variable is not supported",
            ),
            (
                of("split", json!({"delimiter": "\\s", "index": 0, "throws": true})),
                "\"split\" by a regular expression is not supported",
            ),
            (
                of("split", json!({"delimiter": ",", "index": 0})),
                "\"split\" that gives nothing where there are fewer parts is not supported",
            ),
            (of("split", json!({"delimiter": ",", "index": -1, "throws": true})), "\"split\" has no index"),
            (
                of("replace", json!({"regex": "[a-z]", "replacement": ""})),
                "\"replace\" by a regular expression is not supported",
            ),
            (
                of("lookup", json!({"table": {"A": 1}})),
                "\"lookup\" with a value that is not text is not supported",
            ),
            (of("reference", json!({"id": "Gone"})), "the tenant has no transform \"Gone\""),
            (
                json!({"type": "concat", "attributes": {"values": [of("trim", json!({}))]}}),
                "\"concat\" of transformed values is not supported",
            ),
            (
                json!({"type": "concat", "attributes": {"values": [account("odd{")]}}),
                "\"concat\" of transformed values is not supported",
            ),
            (deep, "it has more than 16 levels"),
        ];
        for (definition, expected) in cases {
            assert_eq!(chain(definition.clone()), Err(expected.to_owned()), "{definition}");
        }
        let text = chain(of("reference", json!({"id": "Loop"}))).unwrap_err();
        assert!(text.ends_with("it has more than 16 levels") && text.len() < 1_000, "{text}");
    }

    #[test]
    fn references_are_found_at_every_depth() {
        let definition = of(
            "upper",
            json!({"input": of("reference", json!({"id": "B", "input": of("reference", json!({"id": "A"}))}))}),
        );
        assert_eq!(references(&definition), ["A", "B"]);
    }
}
