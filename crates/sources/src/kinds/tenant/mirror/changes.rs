//! What mirroring a tenant does to the sources that are registered.

use serde::Serialize;
use serde_json::Value;

use crate::definition::SourceDefinition;
use crate::documents::DocumentType;
use crate::kinds::ReaderSettings;

/// What becomes of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceChangeKind {
    /// It is new.
    Added,
    /// Its definition is another one.
    Changed,
    /// Its definition stays as it is.
    Unchanged,
}

/// What mirroring does to a source.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceChange {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `accounts`, or the index of the documents.
    pub reads: &'static str,
    /// Whether identities are made of its accounts.
    pub authoritative: bool,
    /// What becomes of it.
    pub state: SourceChangeKind,
    /// The keys of the definition that are other ones now.
    pub changed: Vec<String>,
}

/// What registering `definitions` does to the sources that were registered `before`.
///
/// # Errors
/// When a definition cannot be written as JSON.
pub fn mirror_changes(
    definitions: &[SourceDefinition],
    before: &[SourceDefinition],
) -> serde_json::Result<Vec<SourceChange>> {
    let compare = |definition: &SourceDefinition| -> serde_json::Result<SourceChange> {
        let mut changed = Vec::new();
        let state = match before.iter().find(|before| before.id == definition.id) {
            None => SourceChangeKind::Added,
            Some(before) => {
                differences(
                    "",
                    &serde_json::to_value(before)?,
                    &serde_json::to_value(definition)?,
                    &mut changed,
                );
                if changed.is_empty() { SourceChangeKind::Unchanged } else { SourceChangeKind::Changed }
            }
        };
        let index =
            if let ReaderSettings::Tenant(settings) = &definition.reader { settings.index } else { None };
        Ok(SourceChange {
            id: definition.id.clone(),
            name: definition.name.clone(),
            reads: index.map_or("accounts", DocumentType::index_name),
            authoritative: definition.is_authoritative(),
            state,
            changed,
        })
    };
    definitions.iter().map(compare).collect()
}

/// The keys, such as `profile.priority`, under which two definitions differ. Lists are compared whole.
fn differences(key: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            let names = before.keys().chain(now.keys().filter(|name| !before.contains_key(*name)));
            for name in names {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                let part =
                    |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or_default();
                differences(&key, &part(before), &part(now), found);
            }
        }
        (before, now) if before == now => {}
        _ => found.push(key.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_by_their_keys() {
        let before = json!({"name": "HR", "profile": {"priority": 1, "attributes": [1, 2]}, "lifecycle": null, "old": 1});
        let now =
            json!({"name": "HR", "profile": {"priority": 2, "attributes": [2, 1]}, "lifecycle": {"a": 1}});
        let mut found = Vec::new();
        differences("", &before, &now, &mut found);
        found.sort();
        assert_eq!(found, ["lifecycle", "old", "profile.attributes", "profile.priority"]);
        found.clear();
        differences("", &before, &before, &mut found);
        assert!(found.is_empty());
    }
}
