//! A policy for separation of duties as the installation keeps it: in the published shape, with the violations of it that
//! somebody has accepted.
//!
//! A report does not read kept policies while it runs: its start puts them into the report's arguments ([`crate::sod`]), so a
//! result names the policies as they were.

use crate::error::{Error, Result, shown};
use crate::ids::SodPolicyId;
use crate::sod::{self, AcceptedViolation, CONFLICTING, GENERAL};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Most policies of a tenant, as published.
pub const SOD_POLICIES_MAX: usize = 500;
/// Most characters of a name.
const NAME_CHARACTERS_MAX: usize = 250;
/// Most characters of any other text.
const TEXT_CHARACTERS_MAX: usize = 4_000;
/// Most secondary owners, and most controls, as published.
const REFERENCES_MAX: usize = 10;
/// Most tags.
const TAGS_MAX: usize = 50;

/// A reference to an object of the published API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// What it is, `IDENTITY` and so on.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Who owns the violations of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ViolationOwner {
    /// `MANAGER` or `STATIC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment_rule: Option<String>,
    /// The owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_ref: Option<Reference>,
}

/// The two lists of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConflictingAccess {
    /// The left list.
    pub left_criteria: CriteriaList,
    /// The right list.
    pub right_criteria: CriteriaList,
}

/// A list of entitlements.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CriteriaList {
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The entitlements.
    pub criteria_list: Vec<Criterion>,
}

/// An entitlement of a list: by its id, as published; or by source and value; or all that a query finds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// `ENTITLEMENT`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id or name of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A search that finds entitlements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// What people give a policy. Stores and answers have it as JSON in this form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SodPolicyContent {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_ref: Option<Reference>,
    /// Who else owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary_owner_refs: Option<Vec<Reference>>,
    /// Controls that may compensate for a violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_controls: Option<Vec<Reference>>,
    /// CRITICAL, HIGH, MEDIUM or LOW.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// A reference to a policy elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_policy_reference: Option<String>,
    /// Of a policy by query: the search that finds who violates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_query: Option<String>,
    /// What compensates for a violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensating_controls: Option<String>,
    /// What to do about a violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction_advice: Option<String>,
    /// ENFORCED or NOT_ENFORCED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Who owns violations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violation_owner_assignment_config: Option<ViolationOwner>,
    /// CONFLICTING_ACCESS_BASED or GENERAL.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Of a policy of lists: the lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicting_access_criteria: Option<ConflictingAccess>,
}

/// A violation of a policy that somebody has accepted until a day. The policy is the one that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyException {
    /// Name (uid) of the person.
    pub identity: String,
    /// Who has accepted it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it is accepted.
    pub ends: NaiveDate,
}

/// A policy as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SodPolicy {
    /// Its id.
    pub id: SodPolicyId,
    /// What people gave it.
    pub content: SodPolicyContent,
    /// Accepted violations of it.
    pub exceptions: Vec<PolicyException>,
    /// The identity that made it.
    pub creator: String,
    /// The identity that changed it last; none before the first change.
    pub modifier: Option<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last changed; at first, when it was made.
    pub modified: DateTime<Utc>,
}

/// A member of a policy by which a list of policies is filtered or sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyField {
    /// `id`
    Id,
    /// `name`
    Name,
    /// `state`
    State,
    /// `level`
    Level,
    /// `type`
    Kind,
    /// `description`
    Description,
    /// `ownerRef.name`
    OwnerName,
    /// `created`
    Created,
    /// `modified`
    Modified,
}

/// How a text is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyTest {
    /// It is one of these.
    OneOf(Vec<String>),
    /// It begins with this, whatever the case of letters.
    StartsWith(String),
    /// It contains this, whatever the case of letters.
    Contains(String),
}

impl PolicyTest {
    fn holds(&self, text: Option<&str>) -> bool {
        let Some(text) = text else { return false };
        match self {
            Self::OneOf(texts) => texts.iter().any(|one| one == text),
            Self::StartsWith(start) => text.to_lowercase().starts_with(&start.to_lowercase()),
            Self::Contains(part) => text.to_lowercase().contains(&part.to_lowercase()),
        }
    }
}

/// Which policies are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SodPolicyQuery {
    /// Those for which all of these hold.
    pub conditions: Vec<(PolicyField, PolicyTest)>,
    /// By these members, and by `created` and `id` where they are equal; `true` is from the last to the first.
    pub order: Vec<(PolicyField, bool)>,
    /// Without so many from the beginning.
    pub offset: u32,
    /// At most so many.
    pub limit: u32,
}

impl SodPolicyQuery {
    /// The wanted part of all policies, and how many there are in all.
    pub fn of(&self, mut all: Vec<SodPolicy>) -> (Vec<SodPolicy>, u64) {
        all.retain(|policy| {
            self.conditions.iter().all(|(field, test)| test.holds(policy.text(*field).as_deref()))
        });
        all.sort_by(|a, b| {
            let keys = self.order.iter().map(|(field, backwards)| {
                let order = a.text(*field).cmp(&b.text(*field));
                if *backwards { order.reverse() } else { order }
            });
            let last = (a.created, &a.id).cmp(&(b.created, &b.id));
            keys.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then(last)
        });
        let total = all.len() as u64;
        let part = all.into_iter().skip(self.offset as usize).take(self.limit as usize);
        (part.collect(), total)
    }
}

impl SodPolicy {
    /// The text of a member. Times are written so that their texts have the order of the times.
    fn text(&self, field: PolicyField) -> Option<String> {
        let content = &self.content;
        match field {
            PolicyField::Id => Some(self.id.to_string()),
            PolicyField::Name => Some(content.name.clone()),
            PolicyField::State => Some(content.state().to_owned()),
            PolicyField::Level => content.level().map(str::to_owned),
            PolicyField::Kind => Some(content.kind().to_owned()),
            PolicyField::Description => content.description.clone(),
            PolicyField::OwnerName => content.owner_ref.as_ref().and_then(|owner| owner.name.clone()),
            PolicyField::Created => Some(time_text(self.created)),
            PolicyField::Modified => Some(time_text(self.modified)),
        }
    }

    /// The policy as SOD_VIOLATIONS takes it.
    pub fn argument(&self) -> Value {
        let mut value = self.content.json();
        if let Some(object) = value.as_object_mut() {
            object.insert("id".into(), self.id.as_str().into());
        }
        value
    }

    /// Its exceptions as SOD_VIOLATIONS takes them.
    pub fn accepted(&self) -> impl Iterator<Item = AcceptedViolation> + '_ {
        self.exceptions.iter().map(|one| AcceptedViolation {
            policy: self.id.to_string(),
            identity: one.identity.clone(),
            owner: one.owner.clone(),
            reason: one.reason.clone(),
            ends: one.ends,
        })
    }
}

fn time_text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

impl SodPolicyContent {
    /// CONFLICTING_ACCESS_BASED or GENERAL.
    pub fn kind(&self) -> &'static str {
        if self.conflicting_access_criteria.is_some() { CONFLICTING } else { GENERAL }
    }

    /// ENFORCED or NOT_ENFORCED.
    pub fn state(&self) -> &str {
        self.state.as_deref().unwrap_or("ENFORCED")
    }

    /// The level: of a policy of lists HIGH if none is given, as published.
    pub fn level(&self) -> Option<&str> {
        self.level.as_deref().or((self.kind() == CONFLICTING).then_some("HIGH"))
    }

    /// The query of a policy. That of a policy of lists says what the lists say, as published, if they have no query of
    /// their own.
    pub fn shown_query(&self) -> Option<String> {
        match &self.conflicting_access_criteria {
            None => self.policy_query.clone(),
            Some(lists) => {
                let left = access_query(&lists.left_criteria)?;
                Some(format!("{left} AND {}", access_query(&lists.right_criteria)?))
            }
        }
    }

    fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_else(|_| json!({}))
    }

    /// The content with what is not kept left out: of a policy of lists, the query.
    ///
    /// # Errors
    /// `Invalid`, naming the member.
    pub fn checked(mut self) -> Result<Self> {
        let (name, lists) = (self.name.clone(), self.conflicting_access_criteria.is_some());
        let wrong = |what: String| Error::invalid(format!("policy {}: {what}", shown(&name)));
        let texts = [
            ("name", Some(&self.name), NAME_CHARACTERS_MAX),
            ("description", self.description.as_ref(), TEXT_CHARACTERS_MAX),
            ("externalPolicyReference", self.external_policy_reference.as_ref(), TEXT_CHARACTERS_MAX),
            ("compensatingControls", self.compensating_controls.as_ref(), TEXT_CHARACTERS_MAX),
            ("correctionAdvice", self.correction_advice.as_ref(), TEXT_CHARACTERS_MAX),
        ];
        for (member, text, most) in texts {
            let characters = text.map_or(0, |text| text.chars().count());
            if characters > most {
                return Err(wrong(format!("{member} has {characters} characters: expected at most {most}")));
            }
        }
        let counts = [
            ("secondaryOwnerRefs", self.secondary_owner_refs.as_ref().map_or(0, Vec::len), REFERENCES_MAX),
            ("allowedControls", self.allowed_controls.as_ref().map_or(0, Vec::len), REFERENCES_MAX),
            ("tags", self.tags.as_ref().map_or(0, Vec::len), TAGS_MAX),
        ];
        for (member, count, most) in counts {
            if count > most {
                return Err(wrong(format!("{member} has {count} items: expected at most {most}")));
            }
        }
        let owners = self.owner_ref.iter().map(|owner| ("ownerRef", owner));
        let others = self.secondary_owner_refs.iter().flatten().map(|owner| ("secondaryOwnerRefs", owner));
        for (member, owner) in owners.chain(others) {
            one_of(&format!("{member}.type"), owner.kind.as_deref(), &["IDENTITY", "GOVERNANCE_GROUP"])
                .map_err(wrong)?;
        }
        for control in self.allowed_controls.iter().flatten() {
            one_of("allowedControls.type", control.kind.as_deref(), &["COMPENSATING_CONTROL"])
                .map_err(wrong)?;
        }
        if let Some(owner) = &self.violation_owner_assignment_config {
            let place = "violationOwnerAssignmentConfig";
            one_of(
                &format!("{place}.assignmentRule"),
                owner.assignment_rule.as_deref(),
                &["MANAGER", "STATIC"],
            )
            .map_err(wrong)?;
            let kind = owner.owner_ref.as_ref().and_then(|owner| owner.kind.as_deref());
            one_of(&format!("{place}.ownerRef.type"), kind, &["IDENTITY", "GOVERNANCE_GROUP", "MANAGER"])
                .map_err(wrong)?;
        }
        // What a report would refuse is refused when it is kept.
        sod::policies("policies", &json!([self.json()])).map_err(|error| {
            let message = error.message.trim_start_matches("argument \"policies\": ").to_owned();
            Error { message, ..error }
        })?;
        if lists {
            self.policy_query = None;
        }
        self.kind = None;
        Ok(self)
    }
}

fn one_of(place: &str, text: Option<&str>, known: &[&str]) -> std::result::Result<(), String> {
    match text.filter(|text| !known.contains(text)) {
        Some(text) => Err(format!("{place} is {}: expected {}", shown(text), known.join(" or "))),
        None => Ok(()),
    }
}

/// `@access(id:a OR id:b)`; none where a list has a query.
fn access_query(list: &CriteriaList) -> Option<String> {
    let item = |one: &Criterion| match (&one.id, &one.source, &one.value) {
        (Some(id), _, _) => Some(format!("id:{id}")),
        (None, Some(source), Some(value)) => {
            let quoted = crate::search_filter::quoted;
            let (source, value) = (quoted(source), quoted(value));
            Some(format!("((source.name.exact:{source} OR source.id:{source}) AND value.exact:{value})"))
        }
        _ => None,
    };
    let items: Option<Vec<String>> = list.criteria_list.iter().map(item).collect();
    Some(format!("@access({})", items?.join(" OR ")))
}

/// Checks the exceptions of a policy.
///
/// # Errors
/// `Invalid`, with what was expected.
pub fn check_exceptions(policy: &SodPolicy) -> Result<()> {
    let mut known = BTreeSet::new();
    for one in &policy.exceptions {
        if !known.insert(&one.identity) {
            return Err(Error::invalid(format!(
                "two exceptions are of {}: expected one for each person",
                shown(&one.identity)
            )));
        }
    }
    let accepted = serde_json::to_value(policy.accepted().collect::<Vec<_>>()).unwrap_or_default();
    sod::exceptions("exceptions", &accepted).map(drop)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn content(value: Value) -> std::result::Result<SodPolicyContent, String> {
        let content: SodPolicyContent = serde_json::from_value(value).map_err(|error| error.to_string())?;
        content.checked().map_err(|error| error.message)
    }

    fn lists() -> Value {
        json!({
            "name": "Pay", "conflictingAccessCriteria": {
                "leftCriteria": {"name": "in", "criteriaList": [{"type": "ENTITLEMENT", "id": "a"}, {"type": "ENTITLEMENT", "id": "b"}]},
                "rightCriteria": {"criteriaList": [{"source": "ERP", "value": "v\"1"}]},
            },
        })
    }

    #[test]
    fn the_query_of_lists_is_what_the_lists_say() {
        let mut given = lists();
        given["policyQuery"] = json!("anything");
        let kept = content(given).unwrap();
        assert_eq!(
            (kept.policy_query.as_deref(), kept.kind(), kept.level()),
            (None, CONFLICTING, Some("HIGH"))
        );
        assert_eq!(
            kept.shown_query().unwrap(),
            r#"@access(id:a OR id:b) AND @access(((source.name.exact:"ERP" OR source.id:"ERP") AND value.exact:"v\"1"))"#
        );
        let mut queried = lists();
        queried["conflictingAccessCriteria"]["rightCriteria"]["criteriaList"] =
            json!([{"query": "privileged:true"}]);
        assert_eq!(content(queried).unwrap().shown_query(), None);
        let general = content(json!({"name": "x", "policyQuery": "a"})).unwrap();
        assert_eq!(
            (general.kind(), general.level(), general.shown_query().as_deref()),
            (GENERAL, None, Some("a"))
        );
    }

    #[test]
    fn what_cannot_be_kept_is_named() {
        for (change, expected) in [
            (json!({"name": " "}), "policy \" \": its name is blank"),
            (json!({"name": "x".repeat(251)}), "name has 251 characters: expected at most 250"),
            (
                json!({"level": "SEVERE"}),
                "its level is \"SEVERE\": expected one of CRITICAL, HIGH, MEDIUM, LOW",
            ),
            (
                json!({"type": "GENERAL", "policyQuery": "a"}),
                "its type is GENERAL, and it has lists and a query",
            ),
            (
                json!({"conflictingAccessCriteria": null}),
                "it has no conflictingAccessCriteria: expected them, or policyQuery",
            ),
            (
                json!({"ownerRef": {"type": "ROLE"}}),
                "ownerRef.type is \"ROLE\": expected IDENTITY or GOVERNANCE_GROUP",
            ),
            (json!({"tags": vec!["t"; 51]}), "tags has 51 items: expected at most 50"),
            (json!({"secondaryOwnerRefs": vec![json!({}); 11]}), "secondaryOwnerRefs has 11 items"),
            (
                json!({"violationOwnerAssignmentConfig": {"assignmentRule": "ANY"}}),
                "violationOwnerAssignmentConfig.assignmentRule is \"ANY\": expected MANAGER or STATIC",
            ),
        ] {
            let mut value = lists();
            value.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let refused = content(value).unwrap_err();
            assert!(refused.contains(expected), "{change}: {refused}");
        }
    }

    fn policy(id: &str, name: &str, change: Value) -> SodPolicy {
        let mut value = lists();
        value["name"] = name.into();
        value.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        SodPolicy {
            id: SodPolicyId::new(id),
            content: content(value).unwrap(),
            exceptions: Vec::new(),
            creator: "ada".into(),
            modifier: None,
            created: DateTime::UNIX_EPOCH,
            modified: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_list_is_filtered_and_sorted() {
        let all = || {
            vec![
                policy("3", "Ship", json!({"level": "LOW", "description": "Warehouse"})),
                policy("1", "Pay", json!({"state": "NOT_ENFORCED", "ownerRef": {"name": "Ada"}})),
                policy("2", "payroll", json!({"conflictingAccessCriteria": null, "policyQuery": "*"})),
            ]
        };
        let found = |conditions: Vec<(PolicyField, PolicyTest)>, order: Vec<(PolicyField, bool)>| {
            let query = SodPolicyQuery { conditions, order, offset: 0, limit: 10 };
            query.of(all()).0.iter().map(|policy| policy.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        let text = |text: &str| vec![text.to_owned()];
        use PolicyField as F;
        use PolicyTest::{Contains, OneOf, StartsWith};
        for (condition, expected) in [
            ((F::Name, StartsWith("PAY".into())), "1 2"),
            ((F::Name, Contains("hi".into())), "3"),
            ((F::State, OneOf(text("ENFORCED"))), "2 3"),
            ((F::Level, OneOf(text("HIGH"))), "1"),
            ((F::Kind, OneOf(text("GENERAL"))), "2"),
            ((F::Description, Contains("ware".into())), "3"),
            ((F::OwnerName, OneOf(text("Ada"))), "1"),
            ((F::Id, OneOf(vec!["3".into(), "9".into()])), "3"),
        ] {
            assert_eq!(found(vec![condition.clone()], Vec::new()), expected, "{condition:?}");
        }
        assert_eq!(found(Vec::new(), vec![(F::Name, false)]), "1 3 2");
        assert_eq!(found(Vec::new(), vec![(F::Level, true), (F::Name, true)]), "3 1 2");
        let part = SodPolicyQuery { offset: 1, limit: 1, ..SodPolicyQuery::default() };
        let (found, total) = part.of(all());
        assert_eq!((found[0].id.as_str(), total), ("2", 3));
    }

    #[test]
    fn an_exception_is_of_one_person() {
        let mut one = policy("1", "Pay", json!({}));
        let exception: PolicyException = serde_json::from_value(
            json!({"identity": "2", "owner": "Ada", "reason": "small team", "ends": "2026-01-01"}),
        )
        .unwrap();
        one.exceptions = vec![exception.clone()];
        assert!(check_exceptions(&one).is_ok());
        one.exceptions.push(exception.clone());
        assert!(check_exceptions(&one).unwrap_err().message.starts_with("two exceptions are of \"2\""));
        one.exceptions = vec![PolicyException { owner: " ".into(), ..exception }];
        assert!(check_exceptions(&one).unwrap_err().message.contains("a blank owner"));
    }
}
