//! Names that a definition uses and that another definition would have to give: identity attributes.
//!
//! A rule over an attribute that no identity has would silently link nobody. What a source's own columns are called is
//! checked where they are read.

use super::RefreshRequest;
use super::stage::StagedSource;
use crate::functions::lifecycle_attribute;
use muster_reports::nearest::hint;
use muster_sources::{ManagerMatch, SourceDefinition};
use std::collections::BTreeSet;

/// Fails the sources whose rules name an identity attribute that no identity profile gives.
pub(super) fn check_rules(request: &RefreshRequest, staged: &mut [StagedSource]) {
    let given = given(request.sources.iter().map(|input| &input.definition));
    if given.is_empty() {
        return;
    }
    for (source, input) in staged.iter_mut().zip(&request.sources) {
        if source.outcome.failure.is_some() {
            continue;
        }
        let Some((key, name)) = named(&input.definition).into_iter().find(|(_, name)| !given.contains(*name))
        else {
            continue;
        };
        let hint = hint(name, given.iter().copied());
        source.fail(format!("{key}: no identity profile gives the identity attribute {name:?}{hint}"));
    }
}

/// The identity attributes that the profiles give.
fn given<'a>(definitions: impl Iterator<Item = &'a SourceDefinition>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for definition in definitions {
        let Some(profile) = &definition.profile else { continue };
        names.extend(profile.attributes.iter().map(|mapping| mapping.name.as_str()));
        // A display name is made where none is mapped.
        names.insert("displayName");
        if definition.lifecycle.is_some() {
            names.insert(lifecycle_attribute());
        }
    }
    names
}

/// The identity attributes that a definition's rules name, with their keys.
fn named(definition: &SourceDefinition) -> Vec<(String, &str)> {
    let rules = definition.correlation.iter().enumerate();
    let mut named: Vec<_> = rules
        .map(|(at, rule)| (format!("correlation[{at}].identity_attribute"), rule.identity_attribute.as_str()))
        .collect();
    if let Some(ManagerMatch::Attribute(name)) = definition.profile.as_ref().map(|p| &p.manager.matched) {
        named.push(("profile.manager.match".to_owned(), name));
    }
    named
}
