//! The names of fields that a query can use, for people who type one.

use super::fields::DocumentFields;
use muster_reports::caller::DataScope;
use muster_reports::snapshot::SnapshotManifest;
use muster_sources::DocumentType;
use muster_sources::documents::schema;
use std::collections::BTreeSet;

/// The fields of each type of document, by the name of its index. A free map has a field for each attribute that the
/// snapshot's sources have and `scope` shows; a map whose keys are not known ends in `*`.
pub fn field_names(manifest: &SnapshotManifest, scope: &DataScope) -> Vec<(&'static str, Vec<String>)> {
    let of_type = |document_type: DocumentType| {
        let fields = DocumentFields::new(&schema(document_type));
        let names = fields.names().into_iter().flat_map(|name| match name.strip_suffix('*') {
            None => vec![name],
            Some(map) => keys(document_type, map, manifest, scope).map_or_else(
                || vec![name.clone()],
                |keys| keys.iter().map(|key| format!("{map}{key}")).collect(),
            ),
        });
        (document_type.index_name(), names.collect())
    };
    DocumentType::ALL.map(of_type).into()
}

/// The keys of a free map, whose path ends in a point; `None` where they are not known.
fn keys<'a>(
    document_type: DocumentType,
    map: &str,
    manifest: &'a SnapshotManifest,
    scope: &DataScope,
) -> Option<BTreeSet<&'a str>> {
    if document_type != DocumentType::Identities {
        return None;
    }
    match map {
        "attributes." => Some(manifest.identity_attributes.iter().map(String::as_str).collect()),
        "accounts.accountAttributes." | "accounts.entitlementAttributes." => {
            let seen = manifest.sources.iter().filter(|source| scope.has_source(source.id.as_str()));
            Some(seen.flat_map(|source| &source.attributes).map(String::as_str).collect())
        }
        _ => None,
    }
}
