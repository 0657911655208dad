//! The header against the settings: which field of a record is what.

use super::DelimitedSettings;
use super::splitter::RawRecord;
use crate::definition::FlagRule;
use crate::reader::shown;

/// Names of columns that a warning lists.
const NAMES_SHOWN: usize = 20;

/// A flag of the account and where it is told.
pub(super) struct Flag {
    pub(super) column: usize,
    pub(super) rule: FlagRule,
}

/// An attribute and where its values are.
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) column: usize,
    pub(super) multi_valued: bool,
    pub(super) entitlement: bool,
}

/// Which field of a record is what.
pub(super) struct Layout {
    pub(super) header: Vec<String>,
    pub(super) native_identity: usize,
    pub(super) name: Option<usize>,
    pub(super) display_name: Option<usize>,
    pub(super) uuid: Option<usize>,
    /// Disabled, locked, system, privileged.
    pub(super) flags: [Option<Flag>; 4],
    pub(super) attributes: Vec<Attribute>,
    pub(super) warnings: Vec<String>,
}

/// The header cannot be used: the number of the column, counted from 1, or 0, and the reason.
pub(super) type HeaderFault = (usize, String);

impl Layout {
    /// Reads a header that is sound in form.
    pub(super) fn new(header: &RawRecord, settings: &DelimitedSettings) -> Result<Self, HeaderFault> {
        let header = names(header)?;
        let mut warnings = Vec::new();
        let find = |name: &str| header.iter().position(|column| column == name);

        let native_identity = find(&settings.native_identity).ok_or_else(|| {
            (0, format!("expected a column {:?}, which holds the native identity", settings.native_identity))
        })?;
        let mut optional = |key: &str, name: Option<&String>| {
            let name = name?;
            let column = find(name);
            if column.is_none() {
                warnings.push(format!("{key}: the header has no column {name:?}"));
            }
            column
        };
        let name = match &settings.name_column {
            None => Some(native_identity),
            Some(column) => optional("name_column", Some(column)),
        };
        let display_name = optional("display_name", settings.display_name.as_ref());
        let uuid = optional("uuid", settings.uuid.as_ref());
        for column in &settings.multi_valued {
            optional("multi_valued", Some(column));
        }
        for column in &settings.entitlements {
            optional("entitlements", Some(column));
        }
        // Without its column a flag would be false for all, and disabled accounts would be reported as usable.
        let mut flags = [None, None, None, None];
        for (slot, (key, rule)) in flags.iter_mut().zip(settings.flags()) {
            let Some(rule) = rule else { continue };
            let column = find(&rule.column).ok_or_else(|| {
                (0, format!("expected a column {:?}, which tells {key} accounts", rule.column))
            })?;
            *slot = Some(Flag { column, rule: rule.clone() });
        }

        let unnamed = header.iter().filter(|name| name.is_empty()).count();
        if unnamed > 0 {
            warnings.push(format!("columns without a name are ignored: {unnamed}"));
        }
        let attribute = |name: &String, column: usize| Attribute {
            name: name.clone(),
            column,
            multi_valued: settings.multi_valued.contains(name),
            entitlement: settings.entitlements.contains(name),
        };
        let mut attributes = Vec::new();
        match &settings.attributes {
            None => {
                let named = header.iter().enumerate().filter(|(_, name)| !name.is_empty());
                attributes.extend(named.map(|(column, name)| attribute(name, column)));
            }
            Some(listed) => {
                for name in listed {
                    match find(name) {
                        Some(column) => attributes.push(attribute(name, column)),
                        None => warnings.push(format!("attributes: the header has no column {name:?}")),
                    }
                }
                let used = used_columns(settings);
                let ignored: Vec<&String> = header
                    .iter()
                    .filter(|name| {
                        !name.is_empty() && !listed.contains(name) && !used.contains(&name.as_str())
                    })
                    .collect();
                if !ignored.is_empty() {
                    let names = ignored.iter().take(NAMES_SHOWN).map(|name| shown(name));
                    let names = names.collect::<Vec<_>>().join(", ");
                    let more = match ignored.len().saturating_sub(NAMES_SHOWN) {
                        0 => String::new(),
                        more => format!(" and {more} more"),
                    };
                    warnings
                        .push(format!("attributes: columns that are not listed are ignored: {names}{more}"));
                }
            }
        }
        Ok(Self { native_identity, name, display_name, uuid, flags, attributes, warnings, header })
    }

    /// A column as a reason names it.
    pub(super) fn column_text(&self, index: usize) -> String {
        match self.header.get(index) {
            Some(name) if !name.is_empty() => format!("field {} ({})", index + 1, shown(name)),
            Some(_) | None => format!("field {}", index + 1),
        }
    }
}

fn names(header: &RawRecord) -> Result<Vec<String>, HeaderFault> {
    let mut names: Vec<String> = Vec::with_capacity(header.field_count);
    let mut first = std::collections::HashMap::new();
    for index in 0..header.field_count {
        let Some(name) = header.field(index) else {
            return Err((index + 1, format!("expected at most {} columns", super::MAX_COLUMNS)));
        };
        if name.is_empty() {
            names.push(String::new());
            continue;
        }
        if let Some(earlier) = first.insert(name.to_owned(), index) {
            return Err((
                index + 1,
                format!("expected distinct names, and {} is column {} too", shown(name), earlier + 1),
            ));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// Columns that serve for something without being attributes.
fn used_columns(settings: &DelimitedSettings) -> Vec<&str> {
    let mut used = vec![settings.native_identity.as_str()];
    used.extend(
        [&settings.name_column, &settings.display_name, &settings.uuid]
            .into_iter()
            .flatten()
            .map(String::as_str),
    );
    used.extend(settings.flags().into_iter().filter_map(|(_, rule)| Some(rule?.column.as_str())));
    used
}
