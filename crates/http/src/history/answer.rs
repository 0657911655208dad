//! What answers about the history of identities look like.

use crate::task_json::timestamp;
use muster_reports::history::{
    AccessDetail, AccessDifference, AccessItem, AccessType, AccountStatus, AttributeChange, Change,
    HistoryEvent, ListedIdentity, SeenIdentity,
};
use muster_wire::{
    AccessDiffType, AccessItemAccessProfileResponse, AccessItemAccountResponse, AccessItemAppRef,
    AccessItemAppResponse, AccessItemAssociated, AccessItemCounts, AccessItemDiff,
    AccessItemEntitlementResponse, AccessItemRemoved, AccessItemResponse, AccessItemRoleResponse,
    AccessItemType, AccountStatusChanged, AccountStatusName, AttributesChanged, ChangedAccount,
    IdentityCompareResponse, IdentityEvent, IdentityHistoryResponse, IdentityListItem, StatusChange,
};
use serde_json::Value;
use std::sync::Arc;

/// What an entitlement is if its source does not say.
const ENTITLEMENT: &str = "ENTITLEMENT";

/// What separates the values of an attribute in a text.
const SEPARATOR: &str = "; ";

pub(super) fn listed(identity: &ListedIdentity) -> IdentityListItem {
    IdentityListItem {
        id: Some(identity.id.clone()),
        display_name: identity.display_name.clone(),
        first_name: identity.first_name.clone(),
        last_name: identity.last_name.clone(),
        active: Some(identity.active),
        deleted_date: identity.deleted.map(timestamp),
    }
}

pub(super) fn identity(id: &str, seen: &SeenIdentity) -> IdentityHistoryResponse {
    let count = |kind: AccessType| (kind.as_str().to_owned(), number(seen.state.count(kind)));
    let value = |values: &[String]| match values {
        [one] => Value::from(one.as_str()),
        several => Value::from(several),
    };
    let attributes = seen.state.attributes.iter().map(|(name, values)| (name.clone(), value(values)));
    IdentityHistoryResponse {
        id: Some(id.to_owned()),
        display_name: seen.state.display_name.clone(),
        snapshot: Some(timestamp(seen.taken)),
        deleted_date: seen.deleted.map(timestamp),
        access_item_count: AccessType::ALL.map(count).into_iter().collect(),
        attributes: attributes.collect(),
    }
}

fn number(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

pub(super) fn item(item: &AccessItem) -> AccessItemResponse {
    let id = Some(item.id.clone());
    let access_type = Some(item.kind().as_str().to_owned());
    let display_name = item.name.clone();
    let (source_id, source_name) = (item.source.id.clone(), item.source.name.clone());
    let description = item.description.clone();
    match &item.detail {
        AccessDetail::AccessProfile { entitlements, apps, standalone, revocable } => {
            let app = |(id, name): &(Option<String>, Option<String>)| AccessItemAppRef {
                cloud_app_id: id.clone(),
                cloud_app_name: name.clone(),
            };
            AccessItemResponse::AccessProfile(AccessItemAccessProfileResponse {
                id,
                access_type,
                display_name,
                source_name,
                entitlement_count: number(*entitlements),
                description,
                source_id,
                app_refs: apps.iter().map(app).collect(),
                start_date: None,
                remove_date: None,
                standalone: *standalone,
                revocable: *revocable,
            })
        }
        AccessDetail::Account { native_identity, entitlements, .. } => {
            AccessItemResponse::Account(AccessItemAccountResponse {
                id,
                access_type,
                display_name,
                source_name,
                native_identity: native_identity.clone(),
                source_id,
                entitlement_count: Some(number(*entitlements)),
            })
        }
        AccessDetail::App => AccessItemResponse::App(AccessItemAppResponse {
            id,
            access_type,
            display_name,
            source_name,
            app_role_id: None,
        }),
        AccessDetail::Entitlement { attribute, value, kind, standalone, privileged, governed } => {
            AccessItemResponse::Entitlement(AccessItemEntitlementResponse {
                id,
                access_type,
                display_name,
                source_name,
                attribute: attribute.clone(),
                value: value.clone(),
                kind: kind.clone().unwrap_or_else(|| ENTITLEMENT.to_owned()),
                description,
                source_id,
                standalone: *standalone,
                privileged: *privileged,
                cloud_governed: *governed,
            })
        }
        AccessDetail::Role { revocable } => AccessItemResponse::Role(AccessItemRoleResponse {
            id,
            access_type,
            display_name,
            source_name,
            description,
            start_date: None,
            remove_date: None,
            revocable: revocable.unwrap_or(false),
        }),
    }
}

fn item_type(kind: AccessType) -> AccessItemType {
    match kind {
        AccessType::AccessProfile => AccessItemType::AccessProfile,
        AccessType::Account => AccessItemType::Account,
        AccessType::App => AccessItemType::App,
        AccessType::Entitlement => AccessItemType::Entitlement,
        AccessType::Role => AccessItemType::Role,
    }
}

pub(super) fn event(identity: &str, event: &HistoryEvent) -> IdentityEvent {
    let (identity_id, date_time) = (Some(identity.to_owned()), Some(timestamp(event.at)));
    let named = |name: &str| Some(name.to_owned());
    match &event.change {
        Change::Added(gained) => IdentityEvent::Associated(Box::new(AccessItemAssociated {
            event_type: named("AccessItemAssociated"),
            date_time,
            identity_id,
            access_item: item(gained),
            governance_event: None,
            access_item_type: Some(item_type(gained.kind())),
        })),
        Change::Removed(lost) => IdentityEvent::Removed(Box::new(AccessItemRemoved {
            event_type: named("AccessItemRemoved"),
            date_time,
            identity_id,
            access_item: item(lost),
            governance_event: None,
            access_item_type: Some(item_type(lost.kind())),
        })),
        Change::Attributes(changes) => IdentityEvent::Attributes(AttributesChanged {
            attribute_changes: changes.iter().map(attribute_change).collect(),
            event_type: named("AttributesChanged"),
            date_time,
            identity_id,
        }),
        Change::Status { account, before, since } => IdentityEvent::Status(AccountStatusChanged {
            event_type: named("AccountStatusChanged"),
            date_time,
            identity_id,
            account: changed_account(account),
            status_change: StatusChange {
                previous_status: Some(status(*before)),
                new_status: Some(status(*since)),
            },
        }),
    }
}

fn attribute_change(change: &AttributeChange) -> muster_wire::AttributeChange {
    let text = |values: &[String]| (!values.is_empty()).then(|| values.join(SEPARATOR));
    muster_wire::AttributeChange {
        name: Some(change.name.clone()),
        previous_value: text(&change.before),
        new_value: text(&change.since),
    }
}

fn changed_account(account: &AccessItem) -> ChangedAccount {
    let (native_identity, entitlement_count) = match &account.detail {
        AccessDetail::Account { native_identity, entitlements, .. } => {
            (Some(native_identity.clone()), Some(number(*entitlements)))
        }
        AccessDetail::AccessProfile { .. }
        | AccessDetail::App
        | AccessDetail::Entitlement { .. }
        | AccessDetail::Role { .. } => (None, None),
    };
    ChangedAccount {
        id: Some(account.id.clone()),
        native_identity,
        display_name: account.name.clone(),
        source_id: account.source.id.clone(),
        source_name: account.source.name.clone(),
        entitlement_count,
        access_type: Some(account.kind().as_str().to_owned()),
    }
}

fn status(status: AccountStatus) -> AccountStatusName {
    match status {
        AccountStatus::Enabled => AccountStatusName::Enabled,
        AccountStatus::Disabled => AccountStatusName::Disabled,
        AccountStatus::Locked => AccountStatusName::Locked,
    }
}

/// How many items of each of these types were gained and lost.
pub(super) fn counts(difference: &AccessDifference, types: &[AccessType]) -> IdentityCompareResponse {
    let count = |items: &[Arc<AccessItem>], kind: AccessType| {
        number(items.iter().filter(|item| item.kind() == kind).count())
    };
    let of_type = |kind: &AccessType| {
        let counts = AccessItemCounts {
            access_added: count(&difference.added, *kind),
            access_removed: count(&difference.removed, *kind),
        };
        (kind.as_str().to_owned(), counts)
    };
    IdentityCompareResponse { access_item_diff: types.iter().map(of_type).collect() }
}

/// The items of a type that were gained and lost, by id; with `added`, only those that were gained, or only the others.
pub(super) fn changes(
    difference: &AccessDifference,
    kind: AccessType,
    added: Option<bool>,
) -> Vec<AccessItemDiff> {
    let of = |items: &[Arc<AccessItem>], change: &AccessDiffType| -> Vec<AccessItemDiff> {
        let items = items.iter().filter(|item| item.kind() == kind);
        let shown = items.map(|item| AccessItemDiff {
            id: Some(item.id.clone()),
            event_type: Some(change.clone()),
            display_name: item.name.clone(),
            source_name: item.source.name.clone(),
        });
        shown.collect()
    };
    let mut changes = Vec::new();
    if added != Some(true) {
        changes.extend(of(&difference.removed, &AccessDiffType::Remove));
    }
    if added != Some(false) {
        changes.extend(of(&difference.added, &AccessDiffType::Add));
    }
    changes.sort_by(|a, b| a.id.cmp(&b.id));
    changes
}
