//! The state of an identity, from its document.

use crate::search::documents;
use chrono::{DateTime, Utc};
use muster_engine::history::IdentityRows;
use muster_reports::error::{Error, Result};
use muster_reports::history::{AccessDetail, AccessItem, AccessSource, AccountStatus, IdentityState};
use muster_reports::search::ShownFields;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

type Object = Map<String, Value>;

/// The state that these rows have.
///
/// # Errors
/// `Internal` when the rows do not have the form of documents.
pub(super) fn state_of(rows: &IdentityRows) -> Result<IdentityState> {
    let everything = ShownFields::default();
    let identity = documents(&rows.identity, &everything)?.into_iter().next();
    let (_, identity) =
        identity.ok_or_else(|| Error::internal("an identity could not be read", "there is no row"))?;
    let mut profiles = HashMap::new();
    for batch in &rows.access_profiles {
        profiles.extend(documents(batch, &everything)?);
    }
    let accounts = objects(&identity, "accounts").filter_map(account);
    let apps = objects(&identity, "apps").filter_map(|app| item(app, AccessDetail::App));
    let access = objects(&identity, "access").filter_map(|access| access_item(access, &profiles));
    let mut access: Vec<_> = accounts.chain(apps).chain(access).map(Arc::new).collect();
    access.sort_by(|a, b| a.key().cmp(&b.key()));
    access.dedup_by(|a, b| a.key() == b.key());
    Ok(IdentityState {
        display_name: text(&identity, "displayName").or_else(|| text(&identity, "name")),
        created: time(&identity, "created"),
        left: time(&identity, "leftSince"),
        attributes: attributes(&identity),
        access,
    })
}

fn account(account: &Object) -> Option<AccessItem> {
    let status = match (flag(account, "disabled"), flag(account, "locked")) {
        (Some(true), _) => AccountStatus::Disabled,
        (_, Some(true)) => AccountStatus::Locked,
        (_, _) => AccountStatus::Enabled,
    };
    let native = text(account, "accountId").or_else(|| text(account, "name")).unwrap_or_default();
    let rights = account.get("entitlementAttributes").and_then(Value::as_object);
    let count = |value: &Value| value.as_array().map_or(1, Vec::len);
    let entitlements = rights.map_or(0, |rights| rights.values().map(count).sum());
    let entitlements = i64::try_from(entitlements).unwrap_or(i64::MAX);
    item(account, AccessDetail::Account { native_identity: native, entitlements, status })
}

/// An element of `access`; `None` for a type that is not published.
fn access_item(access: &Object, profiles: &HashMap<String, Object>) -> Option<AccessItem> {
    let (standalone, revocable) = (flag(access, "standalone"), flag(access, "revocable"));
    let detail = match access.get("type")?.as_str()? {
        "ENTITLEMENT" => AccessDetail::Entitlement {
            attribute: text(access, "attribute").unwrap_or_default(),
            value: text(access, "value").or_else(|| text(access, "name")).unwrap_or_default(),
            kind: text(access, "schema"),
            standalone,
            privileged: flag(access, "privileged"),
            governed: flag(access, "cloudGoverned"),
        },
        "ACCESS_PROFILE" => {
            let profile = text(access, "id").and_then(|id| profiles.get(&id));
            let entitlements = profile.and_then(|profile| profile.get("entitlementCount")?.as_i64());
            let apps = profile.into_iter().flat_map(|profile| objects(profile, "apps"));
            let apps = apps.map(|app| (text(app, "id"), text(app, "name"))).collect();
            AccessDetail::AccessProfile {
                entitlements: entitlements.unwrap_or(0),
                apps,
                standalone,
                revocable,
            }
        }
        "ROLE" => AccessDetail::Role { revocable },
        _ => return None,
    };
    item(access, detail)
}

/// An access item; `None` without an id.
fn item(object: &Object, detail: AccessDetail) -> Option<AccessItem> {
    let source = object.get("source").and_then(Value::as_object);
    let of_source = |name| source.and_then(|source| text(source, name));
    Some(AccessItem {
        id: text(object, "id")?,
        name: text(object, "displayName").or_else(|| text(object, "name")),
        source: AccessSource { id: of_source("id"), name: of_source("name") },
        description: text(object, "description"),
        detail,
    })
}

fn attributes(identity: &Object) -> BTreeMap<String, Vec<String>> {
    let attributes = identity.get("attributes").and_then(Value::as_object);
    // One text, or a list of texts.
    let values = |value: &Value| {
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    attributes.into_iter().flatten().map(|(name, value)| (name.clone(), values(value))).collect()
}

fn objects<'a>(object: &'a Object, name: &str) -> impl Iterator<Item = &'a Object> {
    object.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn text(object: &Object, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn flag(object: &Object, name: &str) -> Option<bool> {
    object.get(name).and_then(Value::as_bool)
}

fn time(object: &Object, name: &str) -> Option<DateTime<Utc>> {
    object.get(name).and_then(Value::as_str)?.parse().ok()
}
