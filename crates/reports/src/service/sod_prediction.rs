//! What would violate policies for separation of duties: the entitlements that a person has, with some more.
//!
//! Why not the report: a client asks before it grants something, and waits for the answer. So this reads the documents of one
//! person and of the entitlements concerned, in the newest snapshot.
//!
//! Only policies of two lists that are enforced are looked at: a policy by query finds people as they are, and says nothing
//! of what they would have. A violation is predicted if the person would have entitlements of both lists, and one of the new
//! ones is among them.

use super::SodPolicies;
use crate::audit::AuditOperation;
use crate::caller::{Caller, DataScope, Operation};
use crate::error::{Error, Result, shown};
use crate::ids::{SodPolicyId, TaskId};
use crate::search::{DocumentPage, DocumentSearch, ShownFields};
use crate::search_filter::quoted;
use crate::sod_policy::{CriteriaList, Criterion, SodPolicy};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Most new entitlements of a question.
pub const NEW_ENTITLEMENTS_MAX: usize = 250;
/// Most entitlements of a person.
const HELD_MAX: usize = 10_000;
/// Ids that one search names.
const IDS_OF_A_SEARCH: usize = 250;
/// Most searches of lists by query.
const QUERIES_MAX: usize = 100;

/// A person, and what they are to get.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedAccess {
    /// Id of the identity.
    pub identity: String,
    /// Ids of the entitlements.
    pub entitlements: Vec<String>,
}

/// A policy that would be violated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictedViolation {
    /// Its id.
    pub policy: SodPolicyId,
    /// Its name.
    pub name: String,
    /// What the person would have of the left list, by id.
    pub left: Vec<PredictedAccess>,
    /// What the person would have of the right list, by id.
    pub right: Vec<PredictedAccess>,
}

/// An entitlement of a list that the person would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictedAccess {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: Option<String>,
    /// Whether the person has it already.
    pub existing: bool,
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SodCheck {
    /// Its id, by which the audit trail has what it found.
    pub id: TaskId,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// An entitlement that the person would have.
struct Right {
    name: Option<String>,
    source_id: String,
    source_name: String,
    value: String,
    existing: bool,
}

impl SodPolicies {
    /// The policies that a person would violate with some more entitlements, in the order in which they were made.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` for the person, an entitlement, and before the first snapshot; `Invalid` for too many of them.
    pub async fn predict(&self, caller: &Caller, wanted: &WantedAccess) -> Result<Vec<PredictedViolation>> {
        self.reports.authorise(caller, Operation::ReadSodViolations)?;
        if wanted.entitlements.len() > NEW_ENTITLEMENTS_MAX {
            return Err(Error::invalid(format!(
                "accessRefs has {} items: expected at most {NEW_ENTITLEMENTS_MAX}",
                wanted.entitlements.len()
            )));
        }
        let scope = caller.scope_with_rows()?;
        let held = self.held(caller, &scope, &wanted.identity).await?;
        let rights = self.rights(caller, &scope, held, &wanted.entitlements).await?;
        let mut found_by_query = BTreeMap::new();
        let mut predicted = Vec::new();
        for policy in self.reports.policies.sod_policies(&caller.tenant).await? {
            if policy.content.state() != "ENFORCED" {
                continue;
            }
            let Some(lists) = &policy.content.conflicting_access_criteria else { continue };
            let mut sides = [Vec::new(), Vec::new()];
            for (side, list) in sides.iter_mut().zip([&lists.left_criteria, &lists.right_criteria]) {
                self.look_up_queries(caller, &scope, list, &rights, &mut found_by_query).await?;
                *side = of_list(list, &rights, &found_by_query);
            }
            let [left, right] = sides;
            let is_new = |side: &[PredictedAccess]| side.iter().any(|access| !access.existing);
            if !left.is_empty() && !right.is_empty() && (is_new(&left) || is_new(&right)) {
                let SodPolicy { id, content, .. } = policy;
                predicted.push(PredictedViolation { policy: id, name: content.name, left, right });
            }
        }
        Ok(predicted)
    }

    /// Predicts, and records what was found in the audit trail under the id of the check. `metadata` is the client's.
    ///
    /// # Errors
    /// As [`SodPolicies::predict`].
    pub async fn check(
        &self,
        caller: &Caller,
        wanted: &WantedAccess,
        metadata: &Map<String, Value>,
    ) -> Result<SodCheck> {
        let predicted = self.predict(caller, wanted).await?;
        let check = SodCheck { id: TaskId::new(self.reports.ids.fresh()), created: self.reports.clock.now() };
        let mut found = predicted.iter().map(|one| format!("{} ({})", one.policy, one.name));
        let found = match predicted.len() {
            0 => "no policy would be violated".to_owned(),
            count => format!(
                "{count} policies would be violated: {}",
                found.by_ref().take(20).collect::<Vec<_>>().join(", ")
            ),
        };
        let mut details = format!(
            "check of identity {} with {} more entitlements: {found}",
            wanted.identity,
            wanted.entitlements.len()
        );
        if !metadata.is_empty() {
            details.push_str(&format!("; metadata of the client: {}", Value::Object(metadata.clone())));
        }
        let event = self.reports.event(
            caller,
            AuditOperation::ViolationsChecked,
            &check.id,
            "policies for separation of duties",
            details,
        );
        self.reports.audit.record(&event).await?;
        Ok(check)
    }

    /// Ids of the entitlements that a person has.
    async fn held(&self, caller: &Caller, scope: &DataScope, identity: &str) -> Result<BTreeSet<String>> {
        let found = self.documents(caller, scope, "identities", quoted(identity), "access").await?;
        let person = found
            .into_iter()
            .find(|document| text_of(document, &["id"]).as_deref() == Some(identity))
            .ok_or_else(|| Error::not_found(format!("there is no identity {}", shown(identity))))?;
        let access = person.get("access").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_right = |one: &&Value| one.get("type").is_some_and(|kind| kind == "ENTITLEMENT");
        let held: BTreeSet<String> =
            access.iter().filter(is_right).filter_map(|one| text_of(one, &["id"])).collect();
        if held.len() > HELD_MAX {
            return Err(Error::invalid(format!(
                "the identity has {} entitlements: expected at most {HELD_MAX}",
                held.len()
            )));
        }
        Ok(held)
    }

    /// The entitlements that a person has, and the new ones, by id.
    async fn rights(
        &self,
        caller: &Caller,
        scope: &DataScope,
        held: BTreeSet<String>,
        new: &[String],
    ) -> Result<BTreeMap<String, Right>> {
        let all: Vec<&String> = held.iter().chain(new.iter().filter(|id| !held.contains(*id))).collect();
        let mut rights = BTreeMap::new();
        for ids in all.chunks(IDS_OF_A_SEARCH) {
            let ids: Vec<_> = ids.iter().map(|id| quoted(id)).collect();
            let ids = format!("({})", ids.join(" OR "));
            for document in self.documents(caller, scope, "entitlements", ids, "").await? {
                let Some(id) = text_of(&document, &["id"]).filter(|id| all.contains(&id)) else { continue };
                let text = |path: &[&str]| text_of(&document, path).unwrap_or_default();
                let right = Right {
                    name: text_of(&document, &["displayName"]).or_else(|| text_of(&document, &["name"])),
                    source_id: text(&["source", "id"]),
                    source_name: text(&["source", "name"]),
                    value: text(&["value"]),
                    existing: held.contains(&id),
                };
                rights.insert(id, right);
            }
        }
        // What is not known cannot be on a list, and an answer without it would say that nothing is wrong.
        match new.iter().find(|id| !rights.contains_key(*id)) {
            Some(unknown) => Err(Error::not_found(format!("there is no entitlement {}", shown(unknown)))),
            None => Ok(rights),
        }
    }

    /// Finds which of the entitlements the queries of a list find.
    async fn look_up_queries(
        &self,
        caller: &Caller,
        scope: &DataScope,
        list: &CriteriaList,
        rights: &BTreeMap<String, Right>,
        found: &mut BTreeMap<String, BTreeSet<String>>,
    ) -> Result<()> {
        for query in list.criteria_list.iter().filter_map(|criterion| criterion.query.as_ref()) {
            if found.contains_key(query) {
                continue;
            }
            if found.len() >= QUERIES_MAX {
                return Err(Error::invalid(format!(
                    "the lists of the policies have more than {QUERIES_MAX} queries: expected fewer; the report \
                     SOD_VIOLATIONS takes them all"
                )));
            }
            let mut ids = BTreeSet::new();
            let all: Vec<&String> = rights.keys().collect();
            for chunk in all.chunks(IDS_OF_A_SEARCH) {
                let chunk: Vec<_> = chunk.iter().map(|id| quoted(id)).collect();
                let of = format!("({}) AND ({query})", chunk.join(" OR "));
                let documents = self.documents(caller, scope, "entitlements", of, "").await?;
                ids.extend(documents.iter().filter_map(|document| text_of(document, &["id"])));
            }
            found.insert(query.clone(), ids);
        }
        Ok(())
    }

    /// The documents whose id is among these, in the words of a query, with the fields that are needed here and this one.
    async fn documents(
        &self,
        caller: &Caller,
        scope: &DataScope,
        index: &str,
        ids: String,
        field: &str,
    ) -> Result<Vec<Value>> {
        let search = DocumentSearch {
            query: format!("id:{ids}"),
            indices: vec![index.to_owned()],
            ..DocumentSearch::default()
        };
        self.reports.queries.check(&search.query).await?;
        let mut includes = vec!["id".to_owned()];
        if field.is_empty() {
            includes.extend(["name", "displayName", "value", "source"].map(str::to_owned));
        } else {
            includes.push(field.to_owned());
        }
        let limit = u32::try_from(IDS_OF_A_SEARCH).unwrap_or(u32::MAX);
        let fields = ShownFields { includes, ..ShownFields::default() };
        let page = DocumentPage { limit, fields, ..DocumentPage::default() };
        let found = self.reports.documents.page(caller, scope, &search, &page).await?;
        Ok(found.documents.into_iter().map(|document| Value::Object(document.fields)).collect())
    }
}

/// Those of the entitlements that are on a list.
fn of_list(
    list: &CriteriaList,
    rights: &BTreeMap<String, Right>,
    found: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<PredictedAccess> {
    let names = |criterion: &Criterion, id: &str, right: &Right| {
        let by_value = || {
            let source = criterion.source.as_ref()?;
            let is_of = *source == right.source_id || *source == right.source_name;
            Some(is_of && criterion.value.as_ref() == Some(&right.value))
        };
        criterion.id.as_deref() == Some(id)
            || by_value().unwrap_or(false)
            || criterion.query.as_ref().and_then(|query| found.get(query)).is_some_and(|ids| ids.contains(id))
    };
    let on_list = rights
        .iter()
        .filter(|(id, right)| list.criteria_list.iter().any(|criterion| names(criterion, id, right)));
    let access = |(id, right): (&String, &Right)| PredictedAccess {
        id: id.clone(),
        name: right.name.clone(),
        existing: right.existing,
    };
    on_list.map(access).collect()
}

fn text_of(value: &Value, path: &[&str]) -> Option<String> {
    let found = path.iter().try_fold(value, |value, name| value.get(name))?;
    found.as_str().map(str::to_owned)
}
