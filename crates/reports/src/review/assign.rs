//! Who reviews which item.
//!
//! The rule names a first candidate. A candidate who would review access of their own, or who does not work here any
//! more, is passed over: next in line are the managers above (for the rule MANAGER), the next line that fits (for LIST),
//! and then the fallback. What decided is kept with the item, so it can be read later.

use super::{
    FrozenAccess, ITEMS_MAX, ListedReviewer, PersonOfSnapshot, Population, ReviewItem, ReviewPlan, Reviewer,
    ReviewerRule,
};
use crate::error::{Error, Result, shown};
use crate::ids::{ReviewId, SourceId};
use std::collections::{BTreeMap, HashMap};

/// Most managers above each other that are tried.
const MANAGERS_MAX: usize = 20;

/// The items of a review, numbered in the order of their access, each with its reviewer.
///
/// # Errors
/// `Invalid` for a name of the plan that nobody has, and for no items or too many.
pub fn assign(plan: &ReviewPlan, review: &ReviewId, population: Population) -> Result<Vec<ReviewItem>> {
    let Population { mut access, people, owners } = population;
    if access.is_empty() {
        return Err(Error::invalid(
            "the review has no items: expected accounts that fit sources and privileged in the snapshot",
        ));
    }
    if access.len() > ITEMS_MAX {
        return Err(Error::invalid(format!(
            "the review has {} items: expected at most {ITEMS_MAX}; name fewer sources, or privileged accounts only",
            access.len()
        )));
    }
    let people = People::new(&people);
    let line = |(at, line): (usize, &ListedReviewer)| match people.named(&line.reviewer) {
        Some(_) => Ok(()),
        None => Err(Error::invalid(format!(
            "list, line {}: nobody is called {}: expected the name of an identity",
            at + 1,
            shown(&line.reviewer)
        ))),
    };
    plan.list.iter().enumerate().try_for_each(line)?;
    if let Some(name) = plan.fallback.as_deref().filter(|name| people.named(name).is_none()) {
        return Err(Error::not_found(format!(
            "fallback is {}: expected the name of an identity of the snapshot",
            shown(name)
        )));
    }
    access.sort_by(|a, b| order(a).cmp(&order(b)));
    let items = (1..).zip(access).map(|(number, frozen)| {
        let (reviewer, assigned) = people.reviewer(plan, &owners, &frozen);
        let mut item = ReviewItem {
            number,
            frozen,
            reviewer,
            assigned,
            digest: String::new(),
            handed_over: None,
            decision: None,
        };
        item.digest = item.computed_digest(review);
        item
    });
    Ok(items.collect())
}

/// People without an identity are the last.
fn order(access: &FrozenAccess) -> (bool, Option<&str>, &str, &str, Option<&str>, &str) {
    (
        access.identity_name.is_none(),
        access.identity_name.as_deref(),
        &access.source_name,
        &access.native_identity,
        access.entitlement.as_deref(),
        &access.account_id,
    )
}

/// The people of the snapshot, by id and by name.
struct People<'a> {
    by_id: HashMap<&'a str, &'a PersonOfSnapshot>,
    by_name: HashMap<&'a str, &'a PersonOfSnapshot>,
}

impl<'a> People<'a> {
    fn new(people: &'a [PersonOfSnapshot]) -> Self {
        Self {
            by_id: people.iter().map(|person| (person.id.as_str(), person)).collect(),
            by_name: people.iter().map(|person| (person.name.as_str(), person)).collect(),
        }
    }

    fn named(&self, name: &str) -> Option<&'a PersonOfSnapshot> {
        self.by_name.get(name).copied()
    }

    /// The reviewer of an item, and what decided.
    fn reviewer(
        &self,
        plan: &ReviewPlan,
        owners: &BTreeMap<SourceId, String>,
        access: &FrozenAccess,
    ) -> (Option<Reviewer>, String) {
        let mut passed = Vec::new();
        for (candidate, role) in self.candidates(plan, owners, access, &mut passed) {
            match unfit(candidate, access) {
                None => {
                    let reviewer = Reviewer {
                        name: candidate.name.clone(),
                        id: candidate.id.clone(),
                        display_name: candidate.display_name.clone(),
                    };
                    passed.push(role);
                    return (Some(reviewer), passed.join("; "));
                }
                Some(why) => passed.push(format!("not {}, the {role}: {why}", candidate.name)),
            }
        }
        (None, format!("nobody: {}", passed.join("; ")))
    }

    /// Who may review an item, the first in line first; `passed` gets why the rule names nobody.
    fn candidates(
        &self,
        plan: &ReviewPlan,
        owners: &BTreeMap<SourceId, String>,
        access: &FrozenAccess,
        passed: &mut Vec<String>,
    ) -> Vec<(&'a PersonOfSnapshot, String)> {
        let mut found: Vec<(&PersonOfSnapshot, String)> = Vec::new();
        match plan.reviewers {
            ReviewerRule::Manager => {
                let person = access.identity_id.as_deref().and_then(|id| self.by_id.get(id)).copied();
                let mut above = person.and_then(|person| self.manager(person));
                while let Some(manager) = above.filter(|_| found.len() < MANAGERS_MAX) {
                    if found.iter().any(|(known, _)| known.id == manager.id) {
                        break;
                    }
                    let role = if found.is_empty() { "manager" } else { "manager above" };
                    found.push((manager, role.to_owned()));
                    above = self.manager(manager);
                }
                match (person, found.is_empty()) {
                    (None, _) => passed.push("the account belongs to no identity".into()),
                    (Some(person), true) if person.manager_id.is_some() => {
                        passed.push(
                            "the manager is not among the people that the creator of the review sees".into(),
                        );
                    }
                    (Some(_), true) => passed.push("the identity has no manager".into()),
                    (Some(_), false) => {}
                }
            }
            ReviewerRule::SourceOwner => match owners.get(&SourceId::new(access.source_id.as_str())) {
                None => passed.push("the source has no owner".into()),
                Some(name) => match self.named(name) {
                    Some(owner) => found.push((owner, "owner of the source".into())),
                    None => {
                        passed.push(format!("the owner of the source, {name}, is nobody in the snapshot"))
                    }
                },
            },
            ReviewerRule::List => {
                let fitting = plan.list.iter().enumerate().filter(|(_, line)| fits(line, access));
                found.extend(fitting.filter_map(|(at, line)| {
                    Some((self.named(&line.reviewer)?, format!("reviewer of line {} of the list", at + 1)))
                }));
                if found.is_empty() {
                    passed.push("no line of the list fits".into());
                }
            }
        }
        found.extend(plan.fallback.as_deref().and_then(|name| Some((self.named(name)?, "fallback".into()))));
        found
    }

    fn manager(&self, person: &PersonOfSnapshot) -> Option<&'a PersonOfSnapshot> {
        person.manager_id.as_deref().and_then(|id| self.by_id.get(id)).copied()
    }
}

/// Why somebody does not review an item.
fn unfit(candidate: &PersonOfSnapshot, access: &FrozenAccess) -> Option<String> {
    if access.identity_id.as_deref() == Some(&candidate.id) {
        return Some("it is access of their own".into());
    }
    let status = candidate.status.as_deref().filter(|status| *status != "ACTIVE");
    status.map(|status| format!("their status is {status}"))
}

fn fits(line: &ListedReviewer, access: &FrozenAccess) -> bool {
    let is = |wanted: &Option<String>, value: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| Some(wanted) == value)
    };
    let of_source = line
        .source
        .as_deref()
        .is_none_or(|source| source == access.source_id || source == access.source_name);
    of_source
        && is(&line.entitlement, access.entitlement.as_deref())
        && is(&line.identity, access.identity_name.as_deref())
}
