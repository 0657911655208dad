//! Warnings about names and values in a search that no document can have. Why: a query with a mistyped name is valid,
//! but it matches nothing, or everything after a `NOT`.

use super::columns;
use super::fields::DocumentFields;
use chrono::{DateTime, Utc};
use muster_querystring::matching::{Remark, Resolver, Why, remarks};
use muster_querystring::{Clause, Expression, Query, Span};
use muster_reports::error::shown;
use muster_reports::nearest::{hint, nearest};
use muster_reports::snapshot::SnapshotManifest;
use muster_sources::DocumentType;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Most warnings of one search that are written out.
const WARNINGS_MAX: usize = 20;

/// Warnings. The first are written out, the others are counted.
#[derive(Default)]
pub(super) struct Warnings {
    texts: Vec<String>,
    more: usize,
}

impl Warnings {
    fn add(&mut self, text: impl FnOnce() -> String) {
        if self.texts.len() < WARNINGS_MAX {
            self.texts.push(text());
        } else {
            self.more += 1;
        }
    }

    /// One line for each warning.
    pub(super) fn texts(mut self) -> Vec<String> {
        if self.more > 0 {
            self.texts.push(format!("and {} more names or values that match nothing", self.more));
        }
        self.texts
    }
}

/// The fields of the searched types of document.
pub(super) struct SearchedFields<'a> {
    types: &'a [(DocumentType, DocumentFields)],
    manifest: Option<&'a SnapshotManifest>,
    names: BTreeSet<String>,
    /// Whether a source provides documents of these types. Such documents can have any attribute.
    given: bool,
}

impl<'a> SearchedFields<'a> {
    /// Without a snapshot, there are no warnings about names of attributes.
    pub(super) fn new(
        types: &'a [(DocumentType, DocumentFields)],
        manifest: Option<&'a SnapshotManifest>,
    ) -> Self {
        let names = types.iter().flat_map(|(_, fields)| fields.names());
        let names = names.filter(|name| !name.ends_with('*')).collect();
        let given = types.iter().any(|(document_type, _)| {
            let index = document_type.index_name();
            let mut sources = manifest.into_iter().flat_map(|manifest| &manifest.sources);
            sources.any(|source| source.documents.iter().any(|given| given == index))
        });
        Self { types, manifest, names, given }
    }

    /// The parts of a query that match nothing in any type, in the order of the query.
    pub(super) fn of_query(&self, text: &str, query: &Query, now: DateTime<Utc>, warnings: &mut Warnings) {
        let mut missing: BTreeMap<(usize, usize), (usize, Why)> = BTreeMap::new();
        for (_, fields) in self.types {
            for Remark { span, why } in remarks(query, fields, now) {
                match missing.get_mut(&(span.start, span.end)) {
                    None => {
                        missing.insert((span.start, span.end), (1, why));
                    }
                    Some((types, known)) => {
                        *types += 1;
                        // The reason that is closest to a match says most.
                        *known = std::mem::replace(known, why.clone()).max(why);
                    }
                }
            }
        }
        self.attributes(&query.clauses, None, &mut missing);
        let mut said = HashSet::new();
        for ((start, end), (types, why)) in missing {
            let clause = text.get(start..end).unwrap_or_default();
            // A warning about a value names its clause. A warning about a name applies to all clauses with the name.
            let about = if matches!(why, Why::NoValue { .. }) { clause } else { "" };
            if types == self.types.len() && said.insert((why.clone(), about)) {
                warnings.add(|| self.warning(clause, &why));
            }
        }
    }

    fn warning(&self, clause: &str, why: &Why) -> String {
        match why {
            Why::NoArray { path } => {
                let arrays = self.names.iter().filter_map(|name| name.split_once('.').map(|(list, _)| list));
                let arrays = arrays.filter(|list| self.types.iter().any(|(_, fields)| fields.is_array(list)));
                format!(
                    "{}: the searched documents have no such list of objects, so it matches nothing{}",
                    shown(&format!("@{path}")),
                    hint(path, arrays)
                )
            }
            Why::NoField { array: None, name } => format!(
                "{}: the searched documents have no such field, so it matches nothing{}",
                shown(name),
                self.hint(name, "")
            ),
            Why::NoField { array: Some(array), name } => format!(
                "{}: the elements of {} have no such field, so it matches nothing{}",
                shown(name),
                shown(array),
                self.hint(name, &format!("{array}."))
            ),
            Why::NoValue { problem } => format!("{} matches nothing: {problem}", shown(clause)),
        }
    }

    /// A hint with the nearest name, without the prefix `before`; for an object, its first field.
    fn hint(&self, name: &str, before: &str) -> String {
        let names: Vec<&str> = self.names.iter().filter_map(|known| known.strip_prefix(before)).collect();
        let inside = |known: &&&str| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        if let Some(field) = names.iter().find(inside) {
            return format!(": it is an object with fields such as {:?}", format!("{before}{field}"));
        }
        let attribute = name.strip_prefix("attributes.");
        let near = if attribute.is_none() { hint(name, names) } else { String::new() };
        let Some(manifest) = self.manifest.filter(|_| near.is_empty() && before.is_empty()) else {
            return near;
        };
        // Attributes are often written as if they were fields.
        let known = manifest.identity_attributes.iter().map(String::as_str);
        nearest(attribute.unwrap_or(name), known)
            .map_or(near, |known| format!(": the nearest name is {:?}", format!("attributes.{known}")))
    }

    /// Clauses about attributes that no document has.
    fn attributes(
        &self,
        clauses: &[Clause],
        array: Option<&str>,
        missing: &mut BTreeMap<(usize, usize), (usize, Why)>,
    ) {
        for Clause { expression, span: Span { start, end }, .. } in clauses {
            match expression {
                Expression::All | Expression::Match { field: None, .. } => {}
                Expression::Exists(field) | Expression::Match { field: Some(field), .. } => {
                    let name = field.name.strip_suffix(".exact").unwrap_or(&field.name);
                    if self.lacks_attribute(array, name) {
                        let why = Why::NoField { array: array.map(str::to_owned), name: name.to_owned() };
                        missing.insert((*start, *end), (self.types.len(), why));
                    }
                }
                Expression::Group(clauses) => self.attributes(clauses, array, missing),
                Expression::Nested { path, clauses } => {
                    self.attributes(clauses, Some(&path.name), missing);
                }
            }
        }
    }

    /// Whether no document of the snapshot has an attribute of this name, as far as this is known without reading
    /// documents.
    fn lacks_attribute(&self, array: Option<&str>, name: &str) -> bool {
        let Some(manifest) = self.manifest.filter(|_| !self.given && !name.contains('*')) else {
            return false;
        };
        let whole = array.map_or_else(|| name.to_owned(), |array| format!("{array}.{name}"));
        if let Some(attribute) = whole.strip_prefix("attributes.") {
            // Only documents of identities have attributes, unless a source provides documents.
            let has_map = self.types.iter().any(|(_, fields)| fields.target("attributes").is_some());
            let identities =
                self.types.iter().any(|(document_type, _)| *document_type == DocumentType::Identities);
            let known = identities && manifest.identity_attributes.iter().any(|known| known == attribute);
            return has_map && !known;
        }
        let of_accounts = ["accounts.accountAttributes.", "accounts.entitlementAttributes."];
        of_accounts.iter().find_map(|map| whole.strip_prefix(map)).is_some_and(|attribute| {
            let mut sources = manifest.sources.iter();
            !sources.any(|source| source.attributes.iter().any(|known| known == attribute))
        })
    }

    /// Columns and sort keys that no type has.
    pub(super) fn of_names(&self, names: &[String], sort: &[String], warnings: &mut Warnings) {
        let nowhere =
            |has: &dyn Fn(&DocumentFields) -> bool| !self.types.iter().any(|(_, fields)| has(fields));
        let mut add = |what: &str, name: &str, path: &str, then: &str| {
            warnings.add(|| {
                format!(
                    "{what} {}: the searched documents have no such field, so it {then}{}",
                    shown(name),
                    self.hint(path, "")
                )
            });
        };
        for name in names.iter().collect::<BTreeSet<_>>() {
            if nowhere(&|fields| columns::has_column(fields, name)) || self.lacks_attribute(None, name) {
                add("column", name, name, "is empty");
            }
        }
        for name in sort.iter().collect::<BTreeSet<_>>() {
            let path = columns::key_path(name);
            if nowhere(&|fields| columns::key_target(fields, name).is_some())
                || self.lacks_attribute(None, path)
            {
                add("sort key", name, path, "was ignored");
            }
        }
    }
}
