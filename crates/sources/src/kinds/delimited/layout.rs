//! The header against the settings: which field of a record is what.

use super::splitter::RawRecord;
use super::{DelimitedSettings, FlagRule};
use crate::dates::DatePlace;
use crate::named_columns::{Found, NamedColumns, listed};
use crate::reader::shown;
use crate::source_kind::SourceSettings;

/// Delimiters that a header of one column is searched for.
const USUAL_DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
/// What lines begin with that programs write before the header: PowerShell, spreadsheets, templates of directories.
const USUAL_PREAMBLES: [&str; 3] = ["#", "sep=", "version:"];

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
    /// The column with the data's date.
    pub(super) as_of: Option<usize>,
    /// The column whose sum the owner states, and whether its cells hold several values.
    pub(super) summed: Option<usize>,
    pub(super) summed_is_multi_valued: bool,
    pub(super) warnings: Vec<String>,
}

/// The header cannot be used: the number of the column, counted from 1, or 0, and the reason.
pub(super) type HeaderFault = (usize, String);

impl Layout {
    /// Reads a header that is sound in form.
    pub(super) fn new(
        header: &RawRecord,
        settings: &DelimitedSettings,
        named: &NamedColumns,
    ) -> Result<Self, HeaderFault> {
        let header = names(header)?;
        let mut warnings = Vec::new();
        let find = |name: &str| header.iter().position(|column| column == name);
        let lacks = |reason: String| (0, format!("{reason}{}", hint(&header, settings)));
        named.check(&Found { names: &header, is_schema: true, ignores_case: false }).map_err(lacks)?;
        let native_identity = find(&settings.native_identity).ok_or_else(|| {
            let wanted = shown(&settings.native_identity);
            lacks(format!("there is no column {wanted}: expected one of {}", listed(&header)))
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
        let mut flags = [None, None, None, None];
        for (slot, (key, rule)) in flags.iter_mut().zip(settings.flags()) {
            let Some(rule) = rule else { continue };
            *slot = optional(key, Some(&rule.column)).map(|column| Flag { column, rule: rule.clone() });
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
        let withheld: Vec<&String> = header.iter().filter(|name| named.withholds(name)).collect();
        warnings.extend(withheld.iter().map(|name| format!("{} is never kept", shown(name))));
        let mut attributes = Vec::new();
        match &settings.attributes {
            None => {
                let kept = header.iter().enumerate();
                let kept = kept.filter(|(_, name)| !name.is_empty() && named.keeps(name));
                attributes.extend(kept.map(|(column, name)| attribute(name, column)));
            }
            Some(wanted) => {
                for name in wanted.iter().filter(|name| !withheld.contains(name)) {
                    match find(name) {
                        Some(column) => attributes.push(attribute(name, column)),
                        None => warnings.push(format!("attributes: the header has no column {name:?}")),
                    }
                }
                let used = settings.named();
                let is_ignored = |name: &&String| {
                    let is_summed = named.summed().is_some_and(|column| column.name == **name);
                    let is_used = is_summed || used.iter().any(|(_, used)| used == *name);
                    !name.is_empty() && !is_used && !withheld.contains(name)
                };
                let ignored: Vec<String> = header.iter().filter(is_ignored).cloned().collect();
                if !ignored.is_empty() {
                    let names = listed(&ignored);
                    warnings.push(format!("attributes: columns that are not listed are ignored: {names}"));
                }
            }
        }
        let summed = named.summed().map(|column| column.name.as_str());
        let summed_is_multi_valued =
            summed.is_some_and(|name| settings.multi_valued.iter().any(|column| column == name));
        let summed = summed.and_then(find);
        let as_of = settings.as_of.as_ref().and_then(DatePlace::column).and_then(find);
        Ok(Self {
            native_identity,
            name,
            display_name,
            uuid,
            flags,
            attributes,
            as_of,
            summed,
            summed_is_multi_valued,
            warnings,
            header,
        })
    }

    /// A column as a reason names it.
    pub(super) fn column_text(&self, index: usize) -> String {
        match self.header.get(index) {
            Some(name) if !name.is_empty() => format!("field {} ({})", index + 1, shown(name)),
            Some(_) | None => format!("field {}", index + 1),
        }
    }
}

/// What a header that lacks a column may be instead, in words.
fn hint(header: &[String], settings: &DelimitedSettings) -> String {
    let first = header.first().map_or("", String::as_str);
    if first.contains('\0') {
        return " (the header has NUL characters: is `encoding` \"utf-16le\" or \"utf-16be\"?)".to_owned();
    }
    if USUAL_PREAMBLES.iter().any(|start| first.starts_with(start)) {
        return " (is this a line before the header? `skip_lines = 1` leaves it out)".to_owned();
    }
    let is_one = header.iter().filter(|name| !name.is_empty()).count() == 1;
    let other =
        USUAL_DELIMITERS.iter().find(|other| **other != settings.delimiter && first.contains(**other));
    match other {
        Some(other) if is_one => {
            format!(" (the header is one column: is the `delimiter` {:?}?)", other.to_string())
        }
        Some(_) | None => String::new(),
    }
}

fn names(header: &RawRecord) -> Result<Vec<String>, HeaderFault> {
    let mut names: Vec<String> = Vec::with_capacity(header.field_count);
    let mut first = std::collections::HashMap::new();
    for index in 0..header.field_count {
        let Some(name) = header.field(index) else {
            return Err((index + 1, format!("expected at most {} columns", super::MAX_COLUMNS)));
        };
        // A second byte order mark is a character, which nobody sees.
        let name = name.trim_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
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
