//! Members of a resource by their names, which are the same in any case (RFC 7643, section 2.1).

use serde_json::{Map, Value};

/// A member of an object, whatever the case of its name.
pub(super) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let other_case =
        || object.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    object.get(name).or_else(other_case)
}

/// [`member`] of a value that may be no object, taken out of it.
pub(super) fn take(value: &mut Value, name: &str) -> Option<Value> {
    let Value::Object(members) = value else { return None };
    let found = if members.contains_key(name) {
        name.to_owned()
    } else {
        members.keys().find(|found| found.eq_ignore_ascii_case(name))?.clone()
    };
    members.remove(&found)
}
