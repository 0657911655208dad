//! A saved search: a query with its indices, columns, order and filters, kept under an id to be run later.
//!
//! Its result is that of the report SEARCH_EXPORT: [`SavedSearchContent::export`] says with which arguments.

use crate::arguments::{ITEMS_BYTES_MAX, ITEMS_MAX, RawArguments, RawValue};
use crate::error::{Error, Result, shown};
use crate::ids::SavedSearchId;
use crate::search_filter::{SearchFilters, filtered};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most saved searches of a tenant.
pub const SAVED_SEARCHES_MAX: usize = 10_000;
/// Most characters of a name.
const NAME_CHARACTERS_MAX: usize = 250;
/// Most characters of a description.
const DESCRIPTION_CHARACTERS_MAX: usize = 2_000;

/// The indices, and the published type of the documents in each.
const TYPES: [(&str, &str); 6] = [
    ("accessprofiles", "accessprofile"),
    ("accountactivities", "accountactivity"),
    ("entitlements", "entitlement"),
    ("events", "event"),
    ("identities", "identity"),
    ("roles", "role"),
];

/// Published types that have columns and are in no index.
const FURTHER_TYPES: [&str; 2] = ["account", "aggregation"];

/// A column of a saved search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedColumn {
    /// Name of the field.
    pub field: String,
    /// What a person sees above it. Exports have the names of fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}

/// What its owner gives a saved search. Stores and answers have it as JSON in this form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedSearchContent {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What to search in. `*` is everything.
    pub indices: Vec<String>,
    /// By type of document: the columns of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<BTreeMap<String, Vec<SavedColumn>>>,
    /// The query's text.
    pub query: String,
    /// The fields in which words without a field are looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// By type of document: the sort keys. It takes precedence over `sort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_by: Option<BTreeMap<String, Vec<String>>>,
    /// The sort keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<Vec<String>>,
    /// Conditions beside the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<SearchFilters>,
}

/// A saved search as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSearch {
    /// Its id.
    pub id: SavedSearchId,
    /// The identity that made it.
    pub owner: String,
    /// What its owner gave it.
    pub content: SavedSearchContent,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last changed; at first, when it was made.
    pub modified: DateTime<Utc>,
}

/// Which saved searches are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedSearchQuery {
    /// Only those of this owner; `None` for all.
    pub owner: Option<String>,
    /// Without so many from the beginning.
    pub offset: u32,
    /// At most so many.
    pub limit: u32,
    /// Whether the number of all of them is wanted too.
    pub counted: bool,
}

/// Part of the list of saved searches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedSearchPage {
    /// The saved searches.
    pub searches: Vec<SavedSearch>,
    /// How many there are in all, if that was wanted.
    pub total: Option<u64>,
}

impl SavedSearch {
    /// What the messages of a task say of the saved search that it executes.
    pub fn note(&self) -> String {
        let headers = if self.content.has_headers() {
            "; its files have the names of fields, not the headers of the saved search"
        } else {
            ""
        };
        format!("execution of the saved search {:?} ({}){headers}", self.shown_name(), self.id)
    }

    /// How messages and events name it: by its name, else by its id.
    pub fn shown_name(&self) -> &str {
        self.content.name.as_deref().filter(|name| !name.trim().is_empty()).unwrap_or(self.id.as_str())
    }
}

impl SavedSearchContent {
    /// Checks names, sizes and filters. The query is checked by the search language.
    ///
    /// # Errors
    /// `Invalid`, naming the member.
    pub fn check(&self) -> Result<()> {
        at_most("name", self.name.as_deref(), NAME_CHARACTERS_MAX)?;
        at_most("description", self.description.as_deref(), DESCRIPTION_CHARACTERS_MAX)?;
        if self.indices.is_empty() {
            return Err(Error::invalid("indices is empty: expected the names of indices, or *"));
        }
        for index in &self.indices {
            if index != "*" && !TYPES.iter().any(|(known, _)| known == index) {
                return Err(Error::invalid(format!(
                    "indices has {}: expected some of {}, or *",
                    shown(index),
                    TYPES.map(|(known, _)| known).join(", ")
                )));
            }
        }
        bounded("indices", self.indices.iter().map(String::as_str))?;
        bounded("fields", self.fields.iter().flatten().map(String::as_str))?;
        bounded("sort", self.sort.iter().flatten().map(String::as_str))?;
        for (name, columns) in self.columns.iter().flatten() {
            check_type("columns", name)?;
            let texts =
                |column: &'_ SavedColumn| column.field.len() + column.header.as_ref().map_or(0, String::len);
            if columns.len() > ITEMS_MAX || columns.iter().map(texts).sum::<usize>() > ITEMS_BYTES_MAX {
                return Err(Error::invalid(format!(
                    "columns.{name} has more than {ITEMS_MAX} columns or {ITEMS_BYTES_MAX} bytes: expected fewer"
                )));
            }
            if let Some(column) = columns.iter().find(|column| !is_field(&column.field)) {
                return Err(Error::invalid(format!(
                    "columns.{name} has the field {}: expected a name without commas",
                    shown(&column.field)
                )));
            }
        }
        for (name, keys) in self.order_by.iter().flatten() {
            check_type("orderBy", name)?;
            bounded(&format!("orderBy.{name}"), keys.iter().map(String::as_str))?;
        }
        self.export().map(drop)
    }

    /// The arguments of SEARCH_EXPORT that find what this search finds.
    ///
    /// # Errors
    /// `Invalid` for columns and orders of types that are searched together and differ: a result has one of each.
    pub fn export(&self) -> Result<RawArguments> {
        let text = |text: &String| RawValue::Text(text.clone());
        let texts = |texts: &[String]| RawValue::List(texts.iter().map(text).collect());
        let query = filtered(&self.query, self.filters.as_ref().unwrap_or(&SearchFilters::new()))?;
        let mut arguments = RawArguments::from([
            ("query".to_owned(), RawValue::Text(query)),
            ("indices".to_owned(), texts(&self.indices)),
        ]);
        let names = |columns: &Vec<SavedColumn>| {
            let names: Vec<_> = columns.iter().map(|column| column.field.as_str()).collect();
            names.join(",")
        };
        if let Some(columns) = self.of_searched("columns", self.columns.as_ref(), names)? {
            arguments.insert("columns".into(), RawValue::Text(columns));
        }
        let order = self.of_searched("orderBy", self.order_by.as_ref(), Clone::clone)?;
        if let Some(sort) = order.or_else(|| self.sort.clone()).filter(|sort| !sort.is_empty()) {
            arguments.insert("sort".into(), texts(&sort));
        }
        if let Some(fields) = self.fields.as_ref().filter(|fields| !fields.is_empty()) {
            arguments.insert("fields".into(), texts(fields));
        }
        Ok(arguments)
    }

    /// Whether a column has a header, which an export does not have.
    pub fn has_headers(&self) -> bool {
        self.columns.iter().flatten().any(|(_, columns)| columns.iter().any(|column| column.header.is_some()))
    }

    /// What the searched types have in common of something that each type may have by itself.
    fn of_searched<T, S: PartialEq>(
        &self,
        member: &str,
        by_type: Option<&BTreeMap<String, Vec<T>>>,
        read: impl Fn(&Vec<T>) -> S,
    ) -> Result<Option<S>> {
        let is_searched = |name: &str| {
            let index = TYPES.iter().find(|(_, known)| *known == name).map(|(index, _)| *index);
            index.is_some_and(|index| self.indices.iter().any(|own| own == "*" || own == index))
        };
        let of_types = by_type.into_iter().flatten();
        let mut named = of_types.filter(|(name, items)| is_searched(name) && !items.is_empty());
        let Some((first, items)) = named.next() else { return Ok(None) };
        let common = read(items);
        match named.find(|(_, items)| read(items) != common) {
            None => Ok(Some(common)),
            Some((other, _)) => Err(Error::invalid(format!(
                "{member} differs for {first} and {other}, which are searched together: expected the same for both, or one \
                 index"
            ))),
        }
    }
}

fn check_type(member: &str, name: &str) -> Result<()> {
    let known: Vec<_> = TYPES.iter().map(|(_, name)| *name).chain(FURTHER_TYPES).collect();
    if known.contains(&name) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{member} has the type {}: expected some of {}",
        shown(name),
        known.join(", ")
    )))
}

fn is_field(name: &str) -> bool {
    !name.trim().is_empty() && !name.contains(',')
}

fn at_most(member: &str, text: Option<&str>, characters_max: usize) -> Result<()> {
    match text.map_or(0, |text| text.chars().count()) {
        count if count > characters_max => {
            Err(Error::invalid(format!("{member} has {count} characters: expected at most {characters_max}")))
        }
        _ => Ok(()),
    }
}

fn bounded<'a>(member: &str, items: impl Iterator<Item = &'a str>) -> Result<()> {
    let (mut count, mut bytes) = (0, 0);
    for item in items {
        (count, bytes) = (count + 1, bytes + item.len());
        if item.trim().is_empty() {
            return Err(Error::invalid(format!("{member} has a blank item: expected names")));
        }
    }
    if count > ITEMS_MAX || bytes > ITEMS_BYTES_MAX {
        return Err(Error::invalid(format!(
            "{member} has {count} items with {bytes} bytes: expected at most {ITEMS_MAX} with {ITEMS_BYTES_MAX}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::{Value, json};

    fn content(value: Value) -> SavedSearchContent {
        serde_json::from_value(value).unwrap()
    }

    fn exported(value: Value) -> Result<Value, String> {
        fn json_of(value: &RawValue) -> Value {
            match value {
                RawValue::Text(text) => json!(text),
                RawValue::List(items) => items.iter().map(json_of).collect(),
                RawValue::Null | RawValue::Boolean(_) | RawValue::Number(_) | RawValue::Object(_) => {
                    panic!("{value:?}")
                }
            }
        }
        let content = content(value);
        content.check().map_err(|error| error.message)?;
        let arguments = content.export().unwrap();
        Ok(arguments
            .iter()
            .map(|(name, value)| (name.clone(), json_of(value)))
            .collect::<serde_json::Map<_, _>>()
            .into())
    }

    #[test]
    fn a_saved_search_is_an_export() {
        assert_eq!(
            exported(json!({"indices": ["identities"], "query": "a"})),
            Ok(json!({"query": "a", "indices": ["identities"]}))
        );
        let whole = json!({
            "name": "Disabled accounts", "description": null, "indices": ["identities"], "query": "a b",
            "columns": {
                "identity": [{"field": "displayName", "header": "Display Name"}, {"field": "email"}],
                "role": [{"field": "name"}],
            },
            "fields": ["name"], "orderBy": {"identity": ["lastName", "-firstName"], "role": ["name"]},
            "sort": ["displayName"], "filters": {"protected": {"type": "TERMS", "terms": ["true"]}},
        });
        assert_eq!(
            exported(whole),
            Ok(json!({
                "query": "(a b) AND protected.exact:(\"true\")", "indices": ["identities"],
                "columns": "displayName,email", "sort": ["lastName", "-firstName"], "fields": ["name"],
            }))
        );
        let sorted = json!({"indices": ["*"], "query": "a", "sort": ["name"], "orderBy": {"identity": []}});
        assert_eq!(exported(sorted), Ok(json!({"query": "a", "indices": ["*"], "sort": ["name"]})));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let name = [json!({"field": "name"})];
        for (change, expected) in [
            (json!({"indices": []}), "indices is empty"),
            (json!({"indices": ["identity"]}), "indices has \"identity\": expected some of accessprofiles"),
            (json!({"name": "x".repeat(251)}), "name has 251 characters: expected at most 250"),
            (
                json!({"columns": {"identities": name}}),
                "columns has the type \"identities\": expected some of",
            ),
            (json!({"columns": {"identity": [{"field": "a,b"}]}}), "columns.identity has the field \"a,b\""),
            (json!({"sort": [" "]}), "sort has a blank item"),
            (
                json!({"indices": ["*"], "columns": {"identity": name, "role": [{"field": "id"}]}}),
                "columns differs for identity and role, which are searched together",
            ),
            (
                json!({"indices": ["roles", "events"], "orderBy": {"event": ["name"], "role": ["id"]}}),
                "orderBy differs for event and role",
            ),
        ] {
            let mut value = json!({"indices": ["roles"], "query": "*"});
            value.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let refused = exported(value).unwrap_err();
            assert!(refused.starts_with(expected), "{change}: {refused}");
        }
    }
}
