//! Identity profiles: from the tenant's to ours, as far as ours can say it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;

use super::super::service::{Refusal, Request, Service};
use super::super::source::{AccountSchema, quoted};
use super::super::values;
use super::left_out::{LeftOut, Notes};
use super::tenant_source::TenantSource;
use super::transform::{Chain, Context, MAPPING_DEPTH_MAX, references};
use crate::columns::ProfileDates;
use crate::definition::{
    AttributeMapping, IdentityStatus, LifecycleDefinition, ManagerDefinition, MappingSource,
    PreferDefinition, ProfileDefinition, Transform,
};

/// The identity attribute without which there is no profile.
const UID: &str = "uid";
/// The identity attribute that names the manager, by uid.
const MANAGER: &str = "manager";
/// The tenant's identity attribute that gives the lifecycle state.
const LIFECYCLE_STATE: &str = "cloudLifecycleState";
/// Lifecycle states of a profile that are read.
const STATES_MAX: usize = 250;

/// The tenant's identity profiles, with what their mappings refer to.
pub(super) struct Profiles {
    profiles: Vec<TenantProfile>,
    /// Transforms by name.
    transforms: BTreeMap<String, Value>,
}

struct TenantProfile {
    name: String,
    priority: i64,
    source_id: String,
    /// Mappings: an identity attribute and the tenant's definition of its value.
    attributes: Vec<(String, Value)>,
    is_enabled: bool,
    /// Technical names of the lifecycle states, and what they mean where the tenant says it.
    states: Vec<(String, Option<IdentityStatus>)>,
}

/// A profile made here.
pub(super) struct Made {
    pub(super) profile: ProfileDefinition,
    pub(super) lifecycle: Option<LifecycleDefinition>,
    /// The account's name is among the attributes that are mapped.
    pub(super) needs_name: bool,
}

impl Profiles {
    /// Reads what the listed profiles refer to.
    pub(super) async fn read(service: &mut Service, root: &str, listed: Vec<Value>) -> Result<Self, String> {
        let mut read = Self { profiles: Vec::new(), transforms: BTreeMap::new() };
        for object in listed {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let (Some(name), Some(source_id)) = (text("/name"), text("/authoritativeSource/id")) else {
                return Err(
                    "an identity profile of the tenant has no name or no authoritative source".to_owned()
                );
            };
            let config = object.get("identityAttributeConfig");
            let mappings = config.and_then(|config| config.get("attributeTransforms")?.as_array());
            let attributes: Vec<(String, Value)> = mappings
                .into_iter()
                .flatten()
                .filter_map(|mapping| {
                    let name = mapping.get("identityAttributeName")?.as_str()?;
                    Some((name.to_owned(), mapping.get("transformDefinition").cloned().unwrap_or_default()))
                })
                .collect();
            for (_, definition) in &attributes {
                read.resolve(service, root, definition).await?;
            }
            let wants_states = attributes.iter().any(|(name, _)| name == LIFECYCLE_STATE);
            let states = match (wants_states, text("/id")) {
                (true, Some(id)) => states(service, root, id).await?,
                (true | false, _) => Vec::new(),
            };
            read.profiles.push(TenantProfile {
                name: name.to_owned(),
                priority: object.get("priority").and_then(Value::as_i64).unwrap_or(i64::MAX),
                source_id: source_id.to_owned(),
                attributes,
                is_enabled: config.and_then(|config| config.get("enabled")?.as_bool()).unwrap_or(true),
                states,
            });
        }
        read.profiles.sort_by(|one, other| (one.priority, &one.name).cmp(&(other.priority, &other.name)));
        Ok(read)
    }

    /// Reads the transforms that a mapping refers to by name, and those that they refer to.
    async fn resolve(&mut self, service: &mut Service, root: &str, definition: &Value) -> Result<(), String> {
        let mut wanted = references(definition);
        for _ in 0..MAPPING_DEPTH_MAX {
            let mut next = Vec::new();
            for name in wanted {
                if let Entry::Vacant(entry) = self.transforms.entry(name) {
                    let found = transform(service, root, entry.key()).await?;
                    next.extend(references(&found));
                    entry.insert(found);
                }
            }
            if next.is_empty() {
                break;
            }
            wanted = next;
        }
        Ok(())
    }

    /// A name that no identity attribute of the tenant has.
    pub(super) fn free_name(&self, wanted: &str) -> String {
        let is_taken = |name: &str| {
            self.profiles.iter().flat_map(|profile| &profile.attributes).any(|(taken, _)| taken == name)
        };
        let mut name = wanted.to_owned();
        while is_taken(&name) {
            name.push('_');
        }
        name
    }

    /// The profile that rests on a source, which keeps the tenant's id of the identity as `tenant_id`.
    pub(super) fn of(
        &mut self,
        source: &TenantSource,
        schema: &AccountSchema,
        tenant_id: &str,
        notes: &mut Notes<'_>,
    ) -> Option<Made> {
        let mut resting = self.profiles.iter().filter(|profile| profile.source_id == source.id);
        let profile = resting.next()?;
        for other in resting {
            let reason =
                format!("the source has the profile {:?} already, which goes before it", profile.name);
            notes.add(format!("identity profile {:?}", other.name), reason);
        }
        let what = format!("identity profile {:?}", profile.name);
        if !profile.is_enabled {
            notes.add(
                what,
                "its mappings are switched off in the tenant: no identity is made of its accounts",
            );
            return None;
        }
        let Ok(priority) = u32::try_from(profile.priority) else {
            notes.add(what, "it has no priority from 0 to 4294967295: no identity is made of its accounts");
            return None;
        };
        let context = Context { source, schema, transforms: &self.transforms };
        let mut attributes: Vec<AttributeMapping> = Vec::new();
        let mut lifecycle = None;
        for (name, definition) in &profile.attributes {
            let what = format!("identity attribute {name:?}");
            if name.trim().is_empty() || attributes.iter().any(|earlier| earlier.name == *name) {
                notes.add(what, "it has no name of its own");
                continue;
            }
            match context.chain(definition) {
                Ok(chain) => {
                    if name == LIFECYCLE_STATE {
                        lifecycle = lifecycle_of(&chain, &profile.states, notes);
                    }
                    attributes.push(chain.mapping(name));
                }
                Err(reason) => notes.add(what, reason),
            }
        }
        attributes.extend(manager(source, schema, &attributes, notes));
        let needs_name = !attributes.iter().any(|mapping| mapping.name == UID);
        if needs_name {
            let reason = "the profile has no mapping of it that can be taken over: it is the account's name";
            notes.add(format!("identity attribute {UID:?}"), reason);
            attributes.push(plain(UID, values::NAME));
        }
        attributes.push(plain(tenant_id, values::IDENTITY_ID));
        let name = profile.name.clone();
        let profile = ProfileDefinition {
            name,
            priority,
            attributes,
            protected: Vec::new(),
            prefer: PreferDefinition::default(),
            manager: ManagerDefinition::default(),
            dates: ProfileDates::default(),
        };
        Some(Made { profile, lifecycle, needs_name })
    }

    /// Names the profiles of sources that the client may not see.
    pub(super) fn of_no_source(&self, sources: &[TenantSource], left_out: &mut Vec<LeftOut>) {
        let is_there = |id: &str| sources.iter().any(|source| source.id == id);
        left_out.extend(self.profiles.iter().filter(|profile| !is_there(&profile.source_id)).map(
            |profile| LeftOut {
                source: profile.source_id.clone(),
                what: format!("identity profile {:?}", profile.name),
                reason: "it rests on a source that the client may not see".to_owned(),
            },
        ));
    }
}

fn plain(name: &str, attribute: &str) -> AttributeMapping {
    let source = MappingSource::Attribute(attribute.to_owned());
    AttributeMapping { name: name.to_owned(), source, transforms: Vec::new(), required: false }
}

/// Lifecycle states from the mapping that gives them: the attribute's value is a state, or a table makes it one.
fn lifecycle_of(
    chain: &Chain,
    known: &[(String, Option<IdentityStatus>)],
    notes: &mut Notes<'_>,
) -> Option<LifecycleDefinition> {
    let mut left_out = |reason: &str| notes.add("lifecycle states", reason);
    let MappingSource::Attribute(attribute) = &chain.source else {
        left_out("they do not come from one attribute of the account");
        return None;
    };
    let states: BTreeMap<String, String> = match &chain.transforms[..] {
        [] => known.iter().map(|(state, _)| (state.clone(), state.clone())).collect(),
        [Transform::Lookup { table, default }] => {
            if let Some(default) = default {
                left_out(&format!(
                    "a value that is not listed gives no state here, and {default:?} in the tenant"
                ));
            }
            table.clone().into_iter().filter(|(_, state)| !state.trim().is_empty()).collect()
        }
        [_, ..] => {
            left_out("their mapping is more than one look-up");
            return None;
        }
    };
    if states.is_empty() {
        left_out("the profile has none");
        return None;
    }
    let mut lifecycle = LifecycleDefinition::new(attribute.clone(), states);
    let stated = known.iter().filter_map(|(state, status)| Some((state.clone(), (*status)?)));
    lifecycle.status.extend(stated);
    lifecycle.status.retain(|state, _| lifecycle.states.values().any(|given| given == state));
    for state in lifecycle.states.values().filter(|state| !lifecycle.status.contains_key(*state)) {
        left_out(&format!("the tenant does not say what {state:?} means: such identities have no status"));
    }
    Some(lifecycle)
}

/// The mapping that names the manager, where the tenant finds managers by their uid.
fn manager(
    source: &TenantSource,
    schema: &AccountSchema,
    attributes: &[AttributeMapping],
    notes: &mut Notes<'_>,
) -> Option<AttributeMapping> {
    let is_set = |name: &str| source.object.get(name).is_some_and(|found| !found.is_null());
    if is_set("managerCorrelationRule") {
        notes.add("managers", "the tenant finds them by a rule");
        return None;
    }
    if !is_set("managerCorrelationMapping") || attributes.iter().any(|mapping| mapping.name == MANAGER) {
        return None;
    }
    let part = |name: &str| source.object["managerCorrelationMapping"].get(name).and_then(Value::as_str);
    match (part("accountAttributeName"), part("identityAttributeName")) {
        (Some(account), Some(UID)) if schema.attributes.iter().any(|name| name == account) => {
            Some(plain(MANAGER, account))
        }
        (Some(account), Some(identity)) => {
            let reason = format!(
                "the tenant compares {account:?} of the account with {identity:?} of the manager: expected an attribute \
                 of the account schema, and \"uid\""
            );
            notes.add("managers", reason);
            None
        }
        // The tenant has nothing to find them by.
        (None, _) | (_, None) => None,
    }
}

async fn states(
    service: &mut Service,
    root: &str,
    profile: &str,
) -> Result<Vec<(String, Option<IdentityStatus>)>, String> {
    let failed =
        |reason: String| format!("the lifecycle states of an identity profile could not be read: {reason}");
    let path = format!("{root}/identity-profiles/{profile}/lifecycle-states");
    let query = vec![("limit", STATES_MAX.to_string())];
    let answer = service.ask(&Request { path, query, body: None }).await;
    let answer = answer.map_err(|refusal: Refusal| failed(refusal.reason()))?;
    let Value::Array(states) = answer.body else { return Err(failed("the answer is not a list".to_owned())) };
    if states.len() >= STATES_MAX {
        return Err(failed(format!("there are {STATES_MAX} of them or more")));
    }
    let meaning = |state: &Value| match state.get("identityState")?.as_str()? {
        "ACTIVE" => Some(IdentityStatus::Active),
        "INACTIVE_SHORT_TERM" => Some(IdentityStatus::Disabled),
        "INACTIVE_LONG_TERM" => Some(IdentityStatus::Terminated),
        _ => None,
    };
    let technical = |state: &Value| Some((state.get("technicalName")?.as_str()?.to_owned(), meaning(state)));
    Ok(states.iter().filter_map(technical).filter(|(name, _)| !name.trim().is_empty()).collect())
}

/// A transform by its name; null where the tenant has none.
async fn transform(service: &mut Service, root: &str, name: &str) -> Result<Value, String> {
    let failed = |reason: String| format!("the transform {name:?} could not be read: {reason}");
    let query = vec![("filters", format!("name eq {}", quoted(name))), ("limit", "250".to_owned())];
    let request = Request { path: format!("{root}/transforms"), query, body: None };
    let answer = service.ask(&request).await.map_err(|refusal: Refusal| failed(refusal.reason()))?;
    let Value::Array(found) = answer.body else { return Err(failed("the answer is not a list".to_owned())) };
    let is_wanted = |found: &Value| found.get("name").and_then(Value::as_str) == Some(name);
    Ok(found.into_iter().find(is_wanted).unwrap_or_default())
}
