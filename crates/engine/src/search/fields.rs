//! The fields of a type of document, for the search language.
#![expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types, and documents few of them")]

use super::flatten::{Target, fits, target};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef};
use muster_querystring::matching::{FieldKind, Resolver};
use muster_sources::documents::{FIELD_KIND, FIELD_KIND_KEYWORD};
use std::sync::Arc;

/// The fields of one type of document.
#[derive(Debug, Clone)]
pub(super) struct DocumentFields {
    document: FieldRef,
    /// The fields in which words without a field are looked for. If there are none, all of them.
    unnamed: Vec<String>,
}

impl DocumentFields {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        let document = DataType::Struct(schema.fields().clone());
        Self { document: Arc::new(Field::new("document", document, false)), unnamed: Vec::new() }
    }

    /// The same, with words without a field looked for in these fields only, if there are any.
    pub(super) fn looking_in(mut self, fields: &[String]) -> Self {
        self.unnamed = fields.to_vec();
        self
    }

    /// The values at a path, if it exists.
    pub(super) fn target(&self, path: &str) -> Option<Target> {
        if path.is_empty() { None } else { target(&self.document, path) }
    }

    /// The fields of a list's elements, if there is a list of objects at `path`.
    pub(super) fn elements(&self, path: &str) -> Option<Fields> {
        match self.target(path)? {
            Target { leaf: DataType::Struct(fields), many: true, .. } => Some(fields),
            Target { .. } => None,
        }
    }

    /// The full name of every field of a document. The name of an element's field starts with the path of its list. A
    /// free map ends in `*`.
    pub(super) fn names(&self) -> Vec<String> {
        leaves(&self.scope(None)).into_iter().map(|leaf| leaf.path).collect()
    }

    fn scope(&self, array: Option<&str>) -> Fields {
        match (array, self.document.data_type()) {
            (Some(path), _) => self.elements(path).unwrap_or_else(Fields::empty),
            (None, DataType::Struct(fields)) => fields.clone(),
            (None, _) => Fields::empty(),
        }
    }
}

/// A path to values. In a free map, the last part may be a pattern.
pub(super) type Path = String;

impl Resolver for DocumentFields {
    type Field = Path;

    fn named(&self, array: Option<&str>, name: &str) -> Vec<(Path, FieldKind)> {
        let scope = self.scope(array);
        if !name.contains('*') {
            let object = Arc::new(Field::new("", DataType::Struct(scope), false));
            let kind = target(&object, name).and_then(|found| kind(&found));
            return kind.map(|kind| (name.to_owned(), kind)).into_iter().collect();
        }
        let mut found = Vec::new();
        for leaf in leaves(&scope) {
            match leaf.path.strip_suffix('*') {
                Some(map) => {
                    let patterns = rests(name, map);
                    found.extend(patterns.into_iter().map(|rest| (format!("{map}{rest}"), leaf.kind)));
                }
                None if fits(name, &leaf.path) => found.push((leaf.path, leaf.kind)),
                None => {}
            }
        }
        found
    }

    fn unnamed(&self, array: Option<&str>) -> Vec<(Path, FieldKind)> {
        // Within an element, the names would be those of the document.
        if array.is_none() && !self.unnamed.is_empty() {
            let mut found: Vec<_> = self.unnamed.iter().flat_map(|name| self.named(None, name)).collect();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            found.dedup_by(|a, b| a.0 == b.0);
            return found;
        }
        let any = |leaf: Leaf| match leaf.kind {
            // A word in any field is compared with words, in ids too, as in the published service.
            FieldKind::Keyword | FieldKind::Free => (leaf.path, FieldKind::Text),
            kind @ (FieldKind::Text | FieldKind::Integer | FieldKind::Boolean | FieldKind::Date) => {
                (leaf.path, kind)
            }
        };
        leaves(&self.scope(array)).into_iter().map(any).collect()
    }

    fn existing(&self, array: Option<&str>, name: &str) -> Vec<Path> {
        let named = self.named(array, name);
        if !named.is_empty() {
            return named.into_iter().map(|(path, _)| path).collect();
        }
        let inside = format!("{name}.");
        let leaves = leaves(&self.scope(array)).into_iter().map(|leaf| leaf.path);
        leaves.filter(|path| path.starts_with(&inside)).collect()
    }

    fn is_array(&self, path: &str) -> bool {
        self.elements(path).is_some()
    }
}

/// A field with values. The name of a free map ends in `*`.
struct Leaf {
    path: Path,
    kind: FieldKind,
}

fn leaves(fields: &Fields) -> Vec<Leaf> {
    let mut found = Vec::new();
    for field in fields {
        collect(field, field.name(), &mut found);
    }
    found
}

fn collect(field: &FieldRef, path: &str, found: &mut Vec<Leaf>) {
    let Some(target) = target(field, "") else { return };
    match &target.leaf {
        DataType::Struct(fields) => {
            for inner in fields {
                collect(inner, &format!("{path}.{}", inner.name()), found);
            }
        }
        DataType::Map(_, _) => found.push(Leaf { path: format!("{path}.*"), kind: FieldKind::Free }),
        _ => {
            if let Some(kind) = kind(&target) {
                found.push(Leaf { path: path.to_owned(), kind });
            }
        }
    }
}

/// How the values of a target are compared; `None` for objects.
fn kind(target: &Target) -> Option<FieldKind> {
    match &target.leaf {
        DataType::Utf8 if target.free => Some(FieldKind::Free),
        DataType::Utf8 => {
            let keyword =
                target.field.metadata().get(FIELD_KIND).is_some_and(|kind| kind == FIELD_KIND_KEYWORD);
            Some(if keyword { FieldKind::Keyword } else { FieldKind::Text })
        }
        DataType::Int64 => Some(FieldKind::Integer),
        DataType::Boolean => Some(FieldKind::Boolean),
        DataType::Timestamp(_, _) => Some(FieldKind::Date),
        _ => None,
    }
}

/// What a pattern still requires of a key after it has matched `map` (`attributes.`): one pattern for each way in which
/// the stars can match that prefix.
fn rests(pattern: &str, map: &str) -> Vec<String> {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut states = closed(&pattern, vec![0]);
    for character in map.chars() {
        let mut next = Vec::new();
        for state in states {
            match pattern.get(state) {
                Some('*') => next.push(state),
                Some(expected) if *expected == character => next.push(state + 1),
                Some(_) | None => {}
            }
        }
        states = closed(&pattern, next);
    }
    let rest = |state: usize| pattern[state..].iter().collect::<String>();
    // A star that is still active can match everything that the state after it could.
    let mut rests: Vec<String> =
        states.iter().map(|state| rest(*state)).filter(|rest| !rest.is_empty()).collect();
    rests.sort();
    rests.dedup();
    let starred: Vec<String> =
        rests.iter().filter_map(|rest| rest.strip_prefix('*').map(str::to_owned)).collect();
    rests.retain(|rest| !starred.contains(rest));
    rests
}

/// The states, and the states that follow their stars.
fn closed(pattern: &[char], mut states: Vec<usize>) -> Vec<usize> {
    let mut at = 0;
    while let Some(state) = states.get(at).copied() {
        if pattern.get(state) == Some(&'*') && !states.contains(&(state + 1)) {
            states.push(state + 1);
        }
        at += 1;
    }
    states.sort_unstable();
    states.dedup();
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_sources::DocumentType;
    use muster_sources::documents::schema;

    fn identities() -> DocumentFields {
        DocumentFields::new(&schema(DocumentType::Identities))
    }

    fn names(array: Option<&str>, name: &str) -> Vec<String> {
        identities().named(array, name).into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn names_lead_to_fields() {
        let fields = identities();
        assert_eq!(fields.named(None, "name"), [("name".to_owned(), FieldKind::Text)]);
        assert_eq!(fields.named(None, "id"), [("id".to_owned(), FieldKind::Keyword)]);
        assert_eq!(fields.named(None, "accountCount"), [("accountCount".to_owned(), FieldKind::Integer)]);
        assert_eq!(fields.named(None, "created"), [("created".to_owned(), FieldKind::Date)]);
        assert_eq!(
            fields.named(None, "attributes.no.such"),
            [("attributes.no.such".to_owned(), FieldKind::Free)]
        );
        assert_eq!(
            fields.named(None, "accounts.disabled"),
            [("accounts.disabled".to_owned(), FieldKind::Boolean)]
        );
        assert_eq!(
            fields.named(Some("accounts"), "source.name"),
            [("source.name".to_owned(), FieldKind::Text)]
        );
        for nothing in ["Name", "accounts", "manager", "accounts.nothing", "name.first", ""] {
            assert_eq!(fields.named(None, nothing), [], "{nothing}");
        }
        assert!(fields.is_array("accounts") && fields.is_array("access"));
        assert!(!fields.is_array("manager") && !fields.is_array("tags") && !fields.is_array("nothing"));
    }

    #[test]
    fn a_pattern_stands_for_every_field_that_fits() {
        assert_eq!(names(None, "attributes.*"), ["attributes.*"]);
        assert_eq!(names(None, "attributes.c*y"), ["attributes.c*y"]);
        assert_eq!(names(None, "*Name")[..3], ["displayName", "firstName", "lastName"]);
        assert_eq!(names(Some("accounts"), "source.*"), ["source.id", "source.name", "source.type"]);
        assert!(names(None, "*").contains(&"accounts.source.name".to_owned()));
        assert_eq!(names(None, "zzz*"), Vec::<String>::new());
    }

    #[test]
    fn a_star_may_take_up_the_name_of_a_map() {
        assert_eq!(rests("*.city", "attributes."), ["*.city", "city"]);
        assert_eq!(rests("*", "attributes."), ["*"]);
        assert_eq!(rests("attr*y", "attributes."), ["*y"]);
        assert_eq!(rests("b*", "attributes."), Vec::<String>::new());
        assert_eq!(rests("attributes.*", "attributes."), ["*"]);
        assert_eq!(rests("*butes.c*", "attributes."), ["*butes.c*", "c*"]);
    }

    #[test]
    fn an_object_exists_where_anything_in_it_does() {
        assert_eq!(
            identities().existing(None, "manager"),
            ["manager.id", "manager.name", "manager.displayName"]
        );
        assert_eq!(identities().existing(None, "attributes"), ["attributes.*"]);
        assert_eq!(identities().existing(None, "nothing"), Vec::<String>::new());
    }
}
