//! Policies for separation of duties, and the violations that somebody has accepted: the arguments of SOD_VIOLATIONS.
//!
//! Why arguments: the task, its cover and its evidence package have them as they were, so a result never depends on a policy
//! that has changed since. A schedule has them too.
//!
//! A policy has the published shape: `conflictingAccessCriteria` with a left and a right list of entitlements, or `policyQuery`, a
//! search that finds the people who violate the policy. Its other members are read where a report shows them, and ignored
//! otherwise. An entitlement is named by its id, as published, or by `source` (id or name) and `value`, as accounts have it. A
//! list may also have the entitlements that a `query` finds.
//!
//! Policies are also kept in the installation ([`crate::sod_policy`]). A start puts them into the argument.

use crate::error::{Error, Result, shown};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// The report of violations.
pub const SOD_VIOLATIONS: &str = "SOD_VIOLATIONS";
/// Most policies of a report.
pub const POLICIES_MAX: usize = 500;
/// Most entitlements of one list, as published.
pub const CRITERIA_MAX: usize = 50;
/// Most accepted violations of a report.
pub const EXCEPTIONS_MAX: usize = 2_000;
/// The type of a policy of two lists.
pub const CONFLICTING: &str = "CONFLICTING_ACCESS_BASED";
/// The type of a policy by query.
pub const GENERAL: &str = "GENERAL";

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its id; its name if it has none.
    pub id: String,
    /// Its name.
    pub name: String,
    /// CRITICAL, HIGH, MEDIUM or LOW.
    pub level: String,
    /// ENFORCED or NOT_ENFORCED.
    pub state: String,
    /// Name of its owner, if it has one.
    pub owner: Option<String>,
    /// The left list; none where the policy is a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Side>,
    /// The right list; none where the policy is a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<Side>,
    /// The search that finds the people who violate the policy, where it has no lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// A search of a policy: what it is looked for in, and under which place its findings are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySearch {
    /// The place that [`places`] gives it.
    pub place: String,
    /// Whether it finds people. Otherwise it finds entitlements.
    pub finds_people: bool,
    /// The query's text.
    pub query: String,
}

/// What a policy forbids, part by part, each with a place that is unique in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The policy.
    pub policy: &'a Policy,
    /// The list, and an entitlement of it; none where the policy is a query.
    pub of: Option<(&'static str, &'a Side, &'a NamedEntitlement)>,
}

impl Place<'_> {
    /// Its text: numbers of one length, so that places sort as they are written.
    pub fn text(&self) -> String {
        format!("{:06}", self.number)
    }

    /// The query, if there is one.
    pub fn query(&self) -> Option<&str> {
        match self.of {
            Some((_, _, named)) => named.query.as_deref(),
            None => self.policy.query.as_deref(),
        }
    }
}

/// All parts of policies, in their order.
pub fn places(policies: &[Policy]) -> impl Iterator<Item = Place<'_>> {
    let parts = policies.iter().flat_map(|policy| {
        let sides = [("LEFT", &policy.left), ("RIGHT", &policy.right)].into_iter();
        let sides = sides.filter_map(|(which, side)| side.as_ref().map(|side| (which, side)));
        let lists =
            sides.flat_map(|(which, side)| side.entitlements.iter().map(move |named| (which, side, named)));
        let whole = policy.query.is_some().then_some((policy, None));
        whole.into_iter().chain(lists.map(move |of| (policy, Some(of))))
    });
    (1..).zip(parts).map(|(number, (policy, of))| Place { number, policy, of })
}

/// The searches of an argument that [`policies`] made.
///
/// # Errors
/// `Internal` for another text.
pub fn searches(argument: &str) -> Result<Vec<PolicySearch>> {
    let policies: Vec<Policy> = serde_json::from_str(argument)
        .map_err(|error| Error::internal("the policies of a report cannot be read", error))?;
    let search = |place: Place<'_>| {
        let query = place.query()?.to_owned();
        Some(PolicySearch { place: place.text(), finds_people: place.of.is_none(), query })
    };
    Ok(places(&policies).filter_map(search).collect())
}

/// A list of entitlements of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its name for people.
    pub name: String,
    /// The entitlements.
    pub entitlements: Vec<NamedEntitlement>,
}

/// An entitlement as a policy names it: by id, or by source and value. With a query, all that it finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedEntitlement {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Id or name of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A search that finds entitlements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A violation that somebody has accepted until a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedViolation {
    /// Id or name of the policy.
    pub policy: String,
    /// Name (uid) of the person.
    pub identity: String,
    /// Who has accepted it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it is accepted.
    pub ends: NaiveDate,
}

/// A policy as it is published.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublishedPolicy {
    #[serde(default)]
    id: Option<String>,
    name: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    owner_ref: Option<PublishedOwner>,
    #[serde(default)]
    policy_query: Option<String>,
    #[serde(default)]
    conflicting_access_criteria: Option<PublishedCriteria>,
}

#[derive(Deserialize)]
struct PublishedOwner {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublishedCriteria {
    left_criteria: PublishedSide,
    right_criteria: PublishedSide,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublishedSide {
    #[serde(default)]
    name: Option<String>,
    criteria_list: Vec<PublishedReference>,
}

#[derive(Deserialize)]
struct PublishedReference {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(flatten)]
    entitlement: NamedEntitlement,
}

/// Policies of a request, as one text: a list in the shape of [`Policy`]. `argument` names it in errors.
///
/// # Errors
/// `Invalid`, with the policy and what was expected.
pub fn policies(argument: &str, raw: &Value) -> Result<String> {
    let refuse = |what: String| Error::invalid(format!("argument {argument:?}: {what}"));
    let published: Vec<PublishedPolicy> = items(raw).map_err(|what| {
        refuse(format!(
            "{what}: expected a list of policies, each with name and conflictingAccessCriteria or policyQuery"
        ))
    })?;
    if published.is_empty() || published.len() > POLICIES_MAX {
        return Err(refuse(format!("{} policies: expected 1 to {POLICIES_MAX}", published.len())));
    }
    let (mut policies, mut names) = (Vec::with_capacity(published.len()), BTreeSet::new());
    for policy in published {
        let name = policy.name.clone();
        let read = policy.read().map_err(|what| refuse(format!("policy {}: {what}", shown(&name))))?;
        for known in BTreeSet::from([read.id.clone(), read.name.clone()]) {
            if !names.insert(known.clone()) {
                return Err(refuse(format!(
                    "two policies have the id or name {}: expected one",
                    shown(&known)
                )));
            }
        }
        policies.push(read);
    }
    Ok(text(&policies))
}

/// Accepted violations of a request, as one text: a list in the shape of [`AcceptedViolation`].
///
/// # Errors
/// `Invalid`, with what was expected.
pub fn exceptions(argument: &str, raw: &Value) -> Result<String> {
    let refuse = |what: String| Error::invalid(format!("argument {argument:?}: {what}"));
    let all: Vec<AcceptedViolation> = items(raw).map_err(|what| {
        refuse(format!(
            "{what}: expected a list of exceptions, each with policy, identity, owner, reason and ends"
        ))
    })?;
    if all.len() > EXCEPTIONS_MAX {
        return Err(refuse(format!("{} exceptions: expected at most {EXCEPTIONS_MAX}", all.len())));
    }
    let mut known = BTreeSet::new();
    for one in &all {
        for (name, text) in [("owner", &one.owner), ("reason", &one.reason)] {
            if text.trim().is_empty() {
                return Err(refuse(format!(
                    "the exception of policy {} for {} has a blank {name}: expected who accepts it, and why",
                    shown(&one.policy),
                    shown(&one.identity)
                )));
            }
        }
        if !known.insert((&one.policy, &one.identity)) {
            return Err(refuse(format!(
                "two exceptions are of policy {} and {}: expected one",
                shown(&one.policy),
                shown(&one.identity)
            )));
        }
    }
    Ok(text(&all))
}

fn text(all: &impl Serialize) -> String {
    serde_json::to_string(all).expect("lists of texts are always JSON")
}

/// The items of a list, as JSON or as a text of JSON.
fn items<T: serde::de::DeserializeOwned>(raw: &Value) -> std::result::Result<Vec<T>, String> {
    let value = match raw.as_str() {
        Some(text) => {
            serde_json::from_str::<Value>(text).map_err(|error| format!("the text is no JSON ({error})"))?
        }
        None => raw.clone(),
    };
    serde_json::from_value(value).map_err(|error| error.to_string())
}

impl PublishedPolicy {
    fn read(self) -> std::result::Result<Policy, String> {
        if self.name.trim().is_empty() {
            return Err("its name is blank: expected one".into());
        }
        let query = self.policy_query.filter(|query| !query.trim().is_empty());
        // A policy of lists that a service has answered has a query too, which says the same.
        let (criteria, query) = match (self.kind.as_deref(), self.conflicting_access_criteria, query) {
            (Some(CONFLICTING) | None, Some(criteria), _) => (Some(criteria), None),
            // Published clients write GENERAL where nothing is given.
            (Some(GENERAL), Some(criteria), None) => (Some(criteria), None),
            (Some(GENERAL), Some(_), Some(_)) => {
                return Err(format!(
                    "its type is {GENERAL}, and it has lists and a query: expected one of them"
                ));
            }
            (Some(GENERAL) | None, None, Some(query)) => (None, Some(query)),
            (Some(CONFLICTING), None, _) => {
                return Err(
                    "it has no conflictingAccessCriteria: expected leftCriteria and rightCriteria".into()
                );
            }
            (Some(GENERAL), None, None) => {
                return Err("it has no policyQuery: expected a query that finds people".into());
            }
            (None, None, None) => {
                return Err("it has no conflictingAccessCriteria: expected them, or policyQuery".into());
            }
            (Some(other), _, _) => {
                return Err(format!("its type is {}: expected {CONFLICTING} or {GENERAL}", shown(other)));
            }
        };
        let (left, right) = match criteria {
            Some(PublishedCriteria { left_criteria, right_criteria }) => {
                (Some(left_criteria.read("left")?), Some(right_criteria.read("right")?))
            }
            None => (None, None),
        };
        let one_of = |name: &str, text: Option<String>, allowed: &[&str], default: &str| {
            let text = text.unwrap_or_else(|| default.to_owned());
            match allowed.contains(&text.as_str()) {
                true => Ok(text),
                false => {
                    Err(format!("its {name} is {}: expected one of {}", shown(&text), allowed.join(", ")))
                }
            }
        };
        Ok(Policy {
            id: self.id.filter(|id| !id.is_empty()).unwrap_or_else(|| self.name.clone()),
            level: one_of("level", self.level, &["CRITICAL", "HIGH", "MEDIUM", "LOW"], "HIGH")?,
            state: one_of("state", self.state, &["ENFORCED", "NOT_ENFORCED"], "ENFORCED")?,
            owner: self.owner_ref.and_then(|owner| owner.name.or(owner.id)),
            left,
            right,
            query,
            name: self.name,
        })
    }
}

impl PublishedSide {
    fn read(self, which: &str) -> std::result::Result<Side, String> {
        if self.criteria_list.is_empty() || self.criteria_list.len() > CRITERIA_MAX {
            return Err(format!(
                "its {which} list has {} entitlements: expected 1 to {CRITERIA_MAX}",
                self.criteria_list.len()
            ));
        }
        let mut entitlements = Vec::with_capacity(self.criteria_list.len());
        for reference in self.criteria_list {
            if let Some(kind) = reference.kind.as_deref().filter(|kind| *kind != "ENTITLEMENT") {
                return Err(format!("its {which} list names a {}: expected ENTITLEMENT", shown(kind)));
            }
            let named = &reference.entitlement;
            match (&named.id, &named.source, &named.value, &named.query) {
                (Some(_), None, None, None)
                | (None, Some(_), Some(_), None)
                | (None, None, None, Some(_)) => entitlements.push(reference.entitlement),
                _ => {
                    return Err(format!(
                        "an entitlement of its {which} list: expected id, or source and value, or query"
                    ));
                }
            }
        }
        Ok(Side { name: self.name.unwrap_or_else(|| which.to_owned()), entitlements })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn policy() -> Value {
        json!({
            "id": "p1", "name": "Pay", "level": "CRITICAL", "state": "ENFORCED", "created": "2020-01-01T00:00:00Z",
            "ownerRef": {"type": "IDENTITY", "id": "i1", "name": "Support"}, "type": "CONFLICTING_ACCESS_BASED",
            "conflictingAccessCriteria": {
                "leftCriteria": {"name": "money-in", "criteriaList": [{"type": "ENTITLEMENT", "id": "e1", "name": "In"}]},
                "rightCriteria": {"criteriaList": [{"source": "Directory", "value": "out"}]},
            },
        })
    }

    fn read(value: &Value) -> Result<Vec<Policy>> {
        policies("policies", value).map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn a_published_policy_is_read_as_json_and_as_a_text() {
        let read_back = read(&json!([policy()])).unwrap();
        assert_eq!((read_back[0].id.as_str(), read_back[0].owner.as_deref()), ("p1", Some("Support")));
        let (left, right) = (read_back[0].left.as_ref().unwrap(), read_back[0].right.as_ref().unwrap());
        assert_eq!((left.name.as_str(), right.name.as_str()), ("money-in", "right"));
        assert_eq!(left.entitlements[0].id.as_deref(), Some("e1"));
        assert_eq!(right.entitlements[0].value.as_deref(), Some("out"));
        assert_eq!(read_back[0].query, None, "the lists say what the query says");
        let as_text = Value::from(json!([policy()]).to_string());
        assert_eq!(
            policies("policies", &as_text).unwrap(),
            policies("policies", &json!([policy()])).unwrap()
        );
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused() {
        let with = |change: fn(&mut Value)| {
            let mut policy = policy();
            change(&mut policy);
            json!([policy])
        };
        for (value, expected) in [
            (json!([]), "0 policies: expected 1 to 500"),
            (json!({"name": "x"}), "expected a list of policies"),
            (json!([policy(), policy()]), "two policies have the id or name \"Pay\""),
            (with(|p| p["conflictingAccessCriteria"] = Value::Null), "it has no conflictingAccessCriteria"),
            (
                with(|p| (p["type"], p["conflictingAccessCriteria"]) = (json!("GENERAL"), Value::Null)),
                "it has no policyQuery: expected a query that finds people",
            ),
            (
                with(|p| (p["type"], p["policyQuery"]) = (json!("GENERAL"), json!("a"))),
                "its type is GENERAL, and it has lists and a query",
            ),
            (
                with(|p| (p["type"], p["policyQuery"]) = (json!("QUERY"), json!("a"))),
                "its type is \"QUERY\": expected CONFLICTING_ACCESS_BASED or GENERAL",
            ),
            (
                with(|p| p["level"] = json!("SEVERE")),
                "its level is \"SEVERE\": expected one of CRITICAL, HIGH, MEDIUM, LOW",
            ),
            (
                with(|p| p["conflictingAccessCriteria"]["leftCriteria"]["criteriaList"] = json!([])),
                "its left list has 0 entitlements: expected 1 to 50",
            ),
            (
                with(|p| {
                    p["conflictingAccessCriteria"]["leftCriteria"]["criteriaList"][0]["type"] = json!("ROLE")
                }),
                "its left list names a \"ROLE\": expected ENTITLEMENT",
            ),
            (
                with(|p| {
                    p["conflictingAccessCriteria"]["rightCriteria"]["criteriaList"][0] = json!({"value": "x"})
                }),
                "an entitlement of its right list: expected id, or source and value, or query",
            ),
        ] {
            let error = read(&value).unwrap_err().message;
            assert!(error.contains(expected), "{error}");
        }
    }

    /// A policy by query, and a list by query. Each part has its place, in the order in which they are written.
    #[test]
    fn queries_are_found_at_their_places() {
        let mut lists = policy();
        lists["policyQuery"] = json!("@access(id:e1)");
        lists["conflictingAccessCriteria"]["rightCriteria"]["criteriaList"] =
            json!([{"source": "Directory", "value": "out"}, {"query": "privileged:true"}]);
        let general = json!({"name": "Any", "type": "GENERAL", "policyQuery": "department:Finance"});
        let untyped = json!({"name": "Old", "policyQuery": "department:IT"});
        let text = policies("policies", &json!([general, lists, untyped])).unwrap();
        let found: Vec<_> = searches(&text).unwrap();
        let found: Vec<_> =
            found.iter().map(|one| (one.place.as_str(), one.finds_people, one.query.as_str())).collect();
        assert_eq!(
            found,
            [
                ("000001", true, "department:Finance"),
                ("000004", false, "privileged:true"),
                ("000005", true, "department:IT"),
            ]
        );
    }

    #[test]
    fn an_exception_has_an_owner_a_reason_and_an_end() {
        let one = json!({"policy": "Pay", "identity": "1", "owner": "Ada", "reason": "small team", "ends": "2026-06-30"});
        assert!(exceptions("exceptions", &json!([one])).unwrap().contains("\"ends\":\"2026-06-30\""));
        let without = |name: &str| {
            let mut one = one.clone();
            one.as_object_mut().unwrap().remove(name);
            exceptions("exceptions", &json!([one])).unwrap_err().message
        };
        for name in ["owner", "reason", "ends", "policy", "identity"] {
            assert!(without(name).contains(name), "{}", without(name));
        }
        let mut blank = one.clone();
        blank["reason"] = json!(" ");
        assert!(exceptions("exceptions", &json!([blank])).unwrap_err().message.contains("blank reason"));
        assert!(exceptions("exceptions", &json!([one, one])).unwrap_err().message.contains("two exceptions"));
    }
}
