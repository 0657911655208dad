//! What a start checks of its arguments against the snapshot and the definition.

use crate::arguments::{ArgumentKind, ArgumentValue, Arguments, UnknownNames};
use crate::caller::DataScope;
use crate::definition::{ReportDefinition, SELECTED_FORMATS};
use crate::error::{Error, Result, shown};
use crate::message::Message;
use crate::nearest::hint;
use crate::snapshot::SnapshotManifest;

/// Puts ids in place of names where an id of a source is expected and somebody wrote the name of one that the caller may
/// see. An id that exists is not taken for a name.
pub(super) fn find_named_sources(
    definition: &ReportDefinition,
    arguments: &mut Arguments,
    snapshot: &SnapshotManifest,
    scope: &DataScope,
) {
    let mut found = None;
    for spec in &definition.arguments {
        if !matches!(spec.kind, ArgumentKind::SourceId | ArgumentKind::AuthoritativeSourceId) {
            continue;
        }
        let Some(text) = arguments.text(&spec.name).filter(|text| snapshot.source(text).is_none()) else {
            continue;
        };
        let named = snapshot
            .sources
            .iter()
            .find(|source| source.name == text && scope.has_source(source.id.as_str()));
        if let Some(source) = named {
            arguments.exchange(&spec.name, source.id.as_str());
            found = Some(source);
        }
    }
    for spec in definition.arguments.iter().filter(|spec| spec.kind == ArgumentKind::SourceName) {
        let Some(text) = arguments.text(&spec.name) else { continue };
        // Who writes the id twice means the source, and not another name of it.
        let by_id = snapshot.source(text).filter(|source| scope.has_source(source.id.as_str()));
        if let (None, Some(source)) = (found, by_id) {
            arguments.exchange(&spec.name, &source.name);
        }
    }
}

/// Source ids must name a source of the snapshot that the caller may see; a source name that differs is a
/// warning. The published operation calls an unknown source a wrong argument; for ours, which refuses unknown names, it is
/// not there, as one that the caller may not see.
pub(super) fn check_sources(
    definition: &ReportDefinition,
    arguments: &Arguments,
    snapshot: &SnapshotManifest,
    scope: &DataScope,
    unknown: UnknownNames,
) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    let mut source = None;
    for spec in &definition.arguments {
        let Some(text) = arguments.text(&spec.name) else { continue };
        match spec.kind {
            ArgumentKind::SourceId | ArgumentKind::AuthoritativeSourceId => {
                // First, so that it does not tell which other sources there are.
                if !scope.has_source(text) && unknown == UnknownNames::Warn {
                    return Err(Error::forbidden(format!(
                        "argument {:?} is {}, which is not one of the sources whose rows the caller may see",
                        spec.name,
                        shown(text)
                    )));
                }
                let seen = snapshot.source(text).filter(|source| scope.has_source(source.id.as_str()));
                let found = seen.ok_or_else(|| {
                    let seen = snapshot.sources.iter().filter(|source| scope.has_source(source.id.as_str()));
                    let near = hint(text, seen.flat_map(|source| [source.name.as_str(), source.id.as_str()]));
                    if unknown == UnknownNames::Refuse {
                        return Error::not_found(format!(
                            "argument {:?}: no source is named {} or has that id{near}",
                            spec.name,
                            shown(text)
                        ));
                    }
                    let expected = spec.kind.expectation();
                    let expected = match near.is_empty() {
                        true => format!(": expected {expected}"),
                        false => format!("{near}; expected {expected}"),
                    };
                    Error::invalid(format!(
                        "argument {:?} is {}, which is not the id of a source{expected}",
                        spec.name,
                        shown(text)
                    ))
                })?;
                if spec.kind == ArgumentKind::AuthoritativeSourceId && !found.authoritative {
                    return Err(Error::invalid(format!(
                        "argument {:?} is {text:?}, the source {:?}, which is not authoritative: expected {}",
                        spec.name,
                        found.name,
                        spec.kind.expectation()
                    )));
                }
                source = Some(found);
            }
            ArgumentKind::Boolean
            | ArgumentKind::Integer { .. }
            | ArgumentKind::Date
            | ArgumentKind::Snapshot
            | ArgumentKind::Review
            | ArgumentKind::SodPolicies
            | ArgumentKind::SodExceptions
            | ArgumentKind::Text
            | ArgumentKind::SourceName
            | ArgumentKind::Query
            | ArgumentKind::Names
            | ArgumentKind::Texts { .. } => {}
        }
    }
    for spec in definition.arguments.iter().filter(|a| a.kind == ArgumentKind::SourceName) {
        if let (Some(name), Some(source)) = (arguments.text(&spec.name), source)
            && name != source.name
        {
            messages.push(Message::warn(
                "source_name_differs",
                format!(
                    "argument {:?} is {}, but the source {} is named {:?}",
                    spec.name,
                    shown(name),
                    source.id,
                    source.name
                ),
            ));
        }
    }
    Ok(messages)
}

/// Formats asked for by `selectedFormats` that the definition does not have.
pub(super) fn check_formats(definition: &ReportDefinition, arguments: &Arguments) -> Result<Vec<Message>> {
    let Some(ArgumentValue::Texts(selected)) = arguments.get(SELECTED_FORMATS) else {
        return Ok(Vec::new());
    };
    let has = |text: &String| definition.formats.iter().any(|f| f.as_str() == text);
    let names: Vec<_> = definition.formats.iter().map(|f| f.as_str()).collect();
    if !selected.iter().any(has) {
        return Err(Error::invalid(format!(
            "argument {SELECTED_FORMATS:?} has no format that this report is written in: expected {}",
            names.join(", ")
        )));
    }
    Ok(selected
        .iter()
        .filter(|text| !has(text))
        .map(|text| {
            Message::warn(
                "format_left_out",
                format!("{text} was left out: this report is written as {}", names.join(", ")),
            )
        })
        .collect())
}
