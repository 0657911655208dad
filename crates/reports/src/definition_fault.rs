//! Where a definition is wrong: the key, its line in the file, and what was expected.

use serde::Serialize;
use std::fmt;
use toml::de::{DeTable, DeValue};

/// What is wrong with a definition. `Display` is one line for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DefinitionFault {
    /// The key, such as `subtotals[1].query`; empty if the file is no TOML, or has keys that no definition has.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The line of the file that the key is on, counted from 1; absent where the key is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong and what was expected.
    pub reason: String,
}

impl DefinitionFault {
    /// A fault of a key of this file. A key that the file does not have has the line of the nearest one that contains it.
    pub fn of(text: &str, key: &str, reason: impl Into<String>) -> Self {
        Self { key: key.to_owned(), line: line_of(text, key), reason: reason.into() }
    }
}

impl fmt::Display for DefinitionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.reason)
    }
}

/// The line of the value of a key such as `charts[0].query`, or of what contains it.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let (mut start, mut table) = (None, Some(root.get_ref()));
    for part in key.split('.') {
        let (name, index) = part.split_once('[').map_or((part, None), |(name, index)| (name, Some(index)));
        let Some(mut value) = table.and_then(|table| table.get(name)) else { break };
        start = Some(value.span().start);
        let index = index.and_then(|index| index.trim_end_matches(']').parse::<usize>().ok());
        if let (Some(index), DeValue::Array(items)) = (index, value.get_ref()) {
            let Some(item) = items.get(index) else { break };
            value = item;
            start = Some(value.span().start);
        }
        table = match value.get_ref() {
            DeValue::Table(table) => Some(table),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => None,
        };
    }
    Some(text.get(..start?)?.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_on_the_line_of_its_value() {
        let text = "id = \"x\"\nquery = '''\nSELECT 1\n'''\n[[subtotals]]\nby = \"a\"\nquery = \"SELECT 2\"\n\
                    [[subtotals]]\nby = \"b\"\nquery = \"SELECT 3\"\n";
        for (key, line) in [
            ("id", Some(1)),
            ("query", Some(2)),
            ("subtotals[0].query", Some(7)),
            ("subtotals[1].query", Some(10)),
            ("subtotals[1].nothing", Some(8)),
            ("population", None),
        ] {
            assert_eq!(line_of(text, key), line, "{key}");
        }
        let fault = DefinitionFault::of(text, "subtotals[1].query", "it is no query");
        assert_eq!(fault.to_string(), "line 10: subtotals[1].query: it is no query");
        assert_eq!(
            DefinitionFault::of(text, "population", "is missing").to_string(),
            "population: is missing"
        );
    }
}
