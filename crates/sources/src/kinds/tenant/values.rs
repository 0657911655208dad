//! The tenant's objects to records.
//!
//! What the source said about an account stands in `attributes` and keeps its names; what the tenant says about it is
//! named with `tenant.` before it, so that the two cannot be mistaken for one another. Members that are not known are
//! ignored.

use serde_json::{Map, Value};

use crate::account::Record;
use crate::columns::{IS_MACHINE, OWNER_NAME};
use crate::json_values::{text, texts};

/// What names the record.
pub(super) const NATIVE_IDENTITY: &str = "tenant.nativeIdentity";
/// The record's name; an account may have none.
pub(super) const NAME: &str = "tenant.name";
/// The name shown to people.
pub(super) const DISPLAY_NAME: &str = "tenant.displayName";
/// The id that survives renames.
pub(super) const UUID: &str = "tenant.uuid";

/// Whether a name is one of the tenant's own; as names are compared regardless of case, so is this.
pub(super) fn is_ours(name: &str) -> bool {
    const PREFIX: &str = "tenant.";
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The tenant's id of the identity that an account belongs to.
pub(super) const IDENTITY_ID: &str = "tenant.identityId";

/// What the tenant says about an account in addition to its columns, in order.
pub(super) const ACCOUNT_FIELDS: [&str; 6] =
    ["tenant.id", IDENTITY_ID, "tenant.identityName", "tenant.manuallyCorrelated", IS_MACHINE, OWNER_NAME];

/// A record and the names of its attributes that were left out, because they look like the tenant's own.
pub(super) type Made = (Record, Vec<String>);

/// An account; its identity is given only where the tenant says that it is correlated, for an account may carry the id
/// of an identity and be uncorrelated.
pub(super) fn account(mut account: Map<String, Value>) -> Made {
    let is_correlated = !is(&account, "uncorrelated");
    let flags = [is(&account, "disabled"), is(&account, "locked"), is(&account, "isMachine"), false];
    let attributes = account.remove("attributes");
    let display_name = attribute(attributes.as_ref(), "displayName");
    let identity_name =
        account.remove("identity").and_then(|mut identity| text(identity.get_mut("name")?.take()));
    let owner = account.remove("ownerIdentity").and_then(|mut owner| text(owner.get_mut("name")?.take()));
    let of_correlated = |found: Option<String>| if is_correlated { found } else { None };
    let fields = vec![
        (NATIVE_IDENTITY, take(&mut account, "nativeIdentity")),
        (NAME, take(&mut account, "name")),
        (DISPLAY_NAME, display_name),
        (UUID, take(&mut account, "uuid")),
        (ACCOUNT_FIELDS[0], take(&mut account, "id")),
        (ACCOUNT_FIELDS[1], of_correlated(take(&mut account, "identityId"))),
        (ACCOUNT_FIELDS[2], of_correlated(identity_name)),
        (ACCOUNT_FIELDS[3], take(&mut account, "manuallyCorrelated")),
        (IS_MACHINE, flags[2].then(|| "true".to_owned())),
        (OWNER_NAME, owner),
    ];
    record(fields, attributes, flags)
}

/// An identity; its alias is its name.
pub(super) fn identity(mut identity: Map<String, Value>) -> Made {
    let attributes = identity.remove("attributes");
    let part =
        |object: Option<Value>, name: &str| object.and_then(|mut object| text(object.get_mut(name)?.take()));
    let manager = identity.remove("managerRef");
    let fields = vec![
        (NATIVE_IDENTITY, take(&mut identity, "id")),
        (DISPLAY_NAME, take(&mut identity, "name")),
        (NAME, take(&mut identity, "alias")),
        (UUID, None),
        ("tenant.emailAddress", take(&mut identity, "emailAddress")),
        ("tenant.processingState", take(&mut identity, "processingState")),
        ("tenant.identityStatus", take(&mut identity, "identityStatus")),
        ("tenant.lifecycleState", part(identity.remove("lifecycleState"), "stateName")),
        ("tenant.isManager", take(&mut identity, "isManager")),
        ("tenant.managerId", part(manager.clone(), "id")),
        ("tenant.managerName", part(manager, "name")),
        ("tenant.created", take(&mut identity, "created")),
        ("tenant.modified", take(&mut identity, "modified")),
    ];
    record(fields, attributes, [false; 4])
}

fn record(own: Vec<(&str, Option<String>)>, attributes: Option<Value>, flags: [bool; 4]) -> Made {
    // An absent one is blank and not missing: that no account has a name or uuid is nothing to warn of.
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), vec![value.unwrap_or_default()]));
    let mut fields: Vec<(String, Vec<String>)> = own.collect();
    let mut left_out = Vec::new();
    if let Some(Value::Object(attributes)) = attributes {
        for (name, value) in attributes {
            if is_ours(&name) {
                left_out.push(name);
            } else {
                fields.push((name, texts(value)));
            }
        }
    }
    (Record { fields, flags, ..Record::default() }, left_out)
}

fn is(object: &Map<String, Value>, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool) == Some(true)
}

fn take(object: &mut Map<String, Value>, name: &str) -> Option<String> {
    text(object.remove(name)?)
}

fn attribute(attributes: Option<&Value>, name: &str) -> Option<String> {
    texts(attributes?.get(name)?.clone()).into_iter().next()
}
