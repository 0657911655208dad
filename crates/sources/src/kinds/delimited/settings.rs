//! What a definition says about a delimited file.

use std::path::{Path, PathBuf};

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

use crate::dates::DatePlace;
use crate::files::{find, path_fault};
use crate::named_columns::listed;
use crate::reader::ReadError;
use crate::source_kind::{Fault, SourceSettings};
use crate::total::TotalPlace;

/// Longest text, in bytes, that says what lines are not read.
const COMMENT_BYTES_MAX: usize = 64;

/// The `[delimited]` table of a definition file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelimitedSettings {
    /// The file; a relative path is taken from the definition file's folder. The last part may have `*` for any
    /// characters and `?` for one, where one file fits.
    pub path: String,
    /// Where the date is that the data is of; without it the data is of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<DatePlace>,
    /// What stands between fields: one ASCII character, neither a quote nor a line end. Default `,`.
    #[serde(default = "default_delimiter")]
    pub delimiter: char,
    /// Label of the encoding, any that the WHATWG Encoding Standard knows (where `iso-8859-1` is windows-1252).
    /// A byte order mark at the file's beginning wins. Default `utf-8`.
    #[serde(default = "default_encoding")]
    pub encoding: String,
    /// Physical lines before the header, which are not read. Default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip_lines: u32,
    /// Lines that begin with one of these, before the header or behind it, are not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<String>,
    /// Column that names the account; its cells are taken as they are, white space included.
    pub native_identity: String,
    /// Column with the account's name; the native identity's column when absent.
    #[serde(default)]
    pub name_column: Option<String>,
    /// Column with the name shown to people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Column with an id that survives renames.
    #[serde(default)]
    pub uuid: Option<String>,
    /// What stands between the values of a cell of a multi-valued column. Values lose the white space around
    /// them, and blank ones are left out. Default `;`.
    #[serde(default = "default_separator")]
    pub multi_value_separator: String,
    /// Columns whose cells hold several values.
    #[serde(default)]
    pub multi_valued: Vec<String>,
    /// Several rows with one native identity are one account whose values are united. The reader gives every
    /// row; uniting them is aggregation's work.
    #[serde(default)]
    pub merge_rows: bool,
    /// Columns whose values are entitlements.
    #[serde(default)]
    pub entitlements: Vec<String>,
    /// Columns to take as attributes, in this order; all columns in header order when absent.
    #[serde(default)]
    pub attributes: Option<Vec<String>>,
    /// When an account counts as disabled; never when absent. Likewise the next three.
    #[serde(default)]
    pub disabled: Option<FlagRule>,
    /// When an account counts as locked.
    #[serde(default)]
    pub locked: Option<FlagRule>,
    /// When an account counts as a system's own.
    #[serde(default)]
    pub system: Option<FlagRule>,
    /// When an account counts as privileged.
    #[serde(default)]
    pub privileged: Option<FlagRule>,
}

/// When a flag of an account is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagRule {
    /// The column that tells.
    pub column: String,
    /// True when the cell equals one of these, ASCII case ignored. When absent the cell itself must be one of
    /// `true`, `false`, `yes`, `no`, `1`, `0` in any case, or blank, which is false.
    #[serde(default)]
    pub values: Option<Vec<String>>,
}

fn default_delimiter() -> char {
    ','
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(lines: &u32) -> bool {
    *lines == 0
}

fn default_encoding() -> String {
    "utf-8".to_owned()
}

fn default_separator() -> String {
    ";".to_owned()
}

impl DelimitedSettings {
    /// Settings for `path` with everything else at its default.
    #[must_use]
    pub fn new(path: impl Into<String>, native_identity: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            as_of: None,
            delimiter: default_delimiter(),
            encoding: default_encoding(),
            skip_lines: 0,
            comments: Vec::new(),
            native_identity: native_identity.into(),
            name_column: None,
            display_name: None,
            uuid: None,
            multi_value_separator: default_separator(),
            multi_valued: Vec::new(),
            merge_rows: false,
            entitlements: Vec::new(),
            attributes: None,
            disabled: None,
            locked: None,
            system: None,
            privileged: None,
        }
    }

    /// The declared encoding, where the label names one.
    pub(crate) fn declared_encoding(&self) -> Option<&'static Encoding> {
        Encoding::for_label_no_replacement(self.encoding.as_bytes())
    }

    /// Whether `delimiter` can separate fields.
    pub(crate) fn delimiter_is_usable(&self) -> bool {
        self.delimiter.is_ascii() && !matches!(self.delimiter, '"' | '\r' | '\n' | '\0')
    }

    /// The one file.
    ///
    /// # Errors
    /// The settings are faulty, no file fits the pattern, or several do.
    pub(crate) fn file(&self, base_dir: &Path) -> Result<PathBuf, ReadError> {
        let path = base_dir.join(&self.path);
        let refuse = |reason| ReadError::Settings { path: path.display().to_string(), reason };
        if let Some((key, reason)) = self.fault() {
            return Err(refuse(format!("{key}: {reason}")));
        }
        let mut files = find(&path)?;
        if files.len() > 1 {
            let name = |file: &PathBuf| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let names: Vec<_> = files.iter().map(name).collect();
            return Err(refuse(format!("expected one file of this pattern: found {}", listed(&names))));
        }
        files.pop().ok_or_else(|| refuse("expected one file of this pattern".to_owned()))
    }

    /// The flag rules with the names of their keys.
    pub(crate) fn flags(&self) -> [(&'static str, Option<&FlagRule>); 4] {
        [
            ("disabled", self.disabled.as_ref()),
            ("locked", self.locked.as_ref()),
            ("system", self.system.as_ref()),
            ("privileged", self.privileged.as_ref()),
        ]
    }
}

impl SourceSettings for DelimitedSettings {
    fn counts(&self) -> &'static str {
        "line"
    }

    fn fault(&self) -> Option<Fault> {
        let blank = |key: &str| Some((key.to_owned(), "must not be blank".to_owned()));
        let dates = || self.as_of.as_ref().and_then(DatePlace::fault);
        if let Some(fault) = path_fault(&self.path).or_else(dates) {
            return Some(fault);
        }
        if self.native_identity.trim().is_empty() {
            return blank("native_identity");
        }
        for (key, value) in
            [("name_column", &self.name_column), ("display_name", &self.display_name), ("uuid", &self.uuid)]
        {
            if value.as_ref().is_some_and(|name| name.trim().is_empty()) {
                return blank(key);
            }
        }
        if !self.delimiter_is_usable() {
            let wanted = "expected one ASCII character that is neither a quote nor a line end";
            return Some(("delimiter".to_owned(), wanted.to_owned()));
        }
        if self.declared_encoding().is_none() {
            let wanted =
                format!("unknown encoding {:?}: expected a WHATWG label such as \"utf-8\"", self.encoding);
            return Some(("encoding".to_owned(), wanted));
        }
        for (index, start) in self.comments.iter().enumerate() {
            let is_split = |letter: char| letter == self.delimiter || matches!(letter, '"' | '\r' | '\n');
            if start.is_empty() || start.contains(is_split) || start.len() > COMMENT_BYTES_MAX {
                let wanted = format!(
                    "expected what lines begin with, up to {COMMENT_BYTES_MAX} bytes without the delimiter and quotes"
                );
                return Some((format!("comments[{index}]"), wanted));
            }
        }
        if self.multi_value_separator.is_empty() {
            return Some(("multi_value_separator".to_owned(), "must not be empty".to_owned()));
        }
        let no_names = Vec::new();
        let lists = [
            ("multi_valued", &self.multi_valued),
            ("entitlements", &self.entitlements),
            ("attributes", self.attributes.as_ref().unwrap_or(&no_names)),
        ];
        for (key, names) in lists {
            for (index, name) in names.iter().enumerate() {
                if name.trim().is_empty() {
                    return blank(&format!("{key}[{index}]"));
                }
                if names.iter().take(index).any(|earlier| earlier == name) {
                    return Some((format!("{key}[{index}]"), format!("{name:?} is listed twice")));
                }
            }
        }
        for (key, rule) in self.flags() {
            let Some(rule) = rule else { continue };
            if rule.column.trim().is_empty() {
                return blank(&format!("{key}.column"));
            }
            if rule.values.as_ref().is_some_and(Vec::is_empty) {
                let wanted = "expected at least one value, or no such key for columns of true and false";
                return Some((format!("{key}.values"), wanted.to_owned()));
            }
        }
        None
    }

    fn totals(&self) -> &'static [TotalPlace] {
        &[TotalPlace::Trailer]
    }

    fn entitlements(&self) -> &[String] {
        &self.entitlements
    }

    fn merge_rows(&self) -> bool {
        self.merge_rows
    }

    fn listed(&self) -> Option<(&'static str, &[String])> {
        Some(("attributes", self.attributes.as_deref()?))
    }

    fn named(&self) -> Vec<(String, &str)> {
        let mut named = vec![("native_identity".to_owned(), self.native_identity.as_str())];
        for (key, name) in
            [("name_column", &self.name_column), ("display_name", &self.display_name), ("uuid", &self.uuid)]
        {
            named.extend(name.as_ref().map(|name| (key.to_owned(), name.as_str())));
        }
        let listed = self.attributes.as_deref().unwrap_or_default();
        for (key, names) in [
            ("multi_valued", &self.multi_valued[..]),
            ("entitlements", &self.entitlements),
            ("attributes", listed),
        ] {
            named.extend(names.iter().map(|name| (key.to_owned(), name.as_str())));
        }
        for (key, rule) in self.flags() {
            named.extend(rule.map(|rule| (key.to_owned(), rule.column.as_str())));
        }
        let date = self.as_of.as_ref().and_then(DatePlace::column);
        named.extend(date.map(|name| ("as_of".to_owned(), name)));
        named
    }

    fn marked(&self) -> Vec<(String, &str)> {
        let lists = [("multi_valued", &self.multi_valued), ("entitlements", &self.entitlements)];
        let keyed = lists.into_iter().flat_map(|(key, names)| {
            let names = names.iter().enumerate();
            names.map(move |(index, name)| (format!("{key}[{index}]"), name.as_str()))
        });
        keyed.collect()
    }
}
