//! What a definition says about the meaning of a source's named values.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json_values::texts;

/// The `account` table of a kind's table in a definition file.
///
/// Names are compared as they are written, and regardless of ASCII case where the source has no such spelling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSettings {
    /// What names the account; of several values the first that is not blank.
    pub native_identity: String,
    /// The account's name; the native identity when absent.
    #[serde(default)]
    pub name: Option<String>,
    /// The name shown to people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// An id that survives renames.
    #[serde(default)]
    pub uuid: Option<String>,
    /// Attributes whose values are entitlements.
    #[serde(default)]
    pub entitlements: Vec<String>,
    /// Attributes whose values each hold several: a JSON array, or texts with the separator between them. Values lose the
    /// white space around them, and blank ones are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multi_valued: Vec<String>,
    /// What stands between those texts. Default `;`.
    #[serde(default = "default_separator", skip_serializing_if = "is_default_separator")]
    pub multi_value_separator: String,
    /// Several records with one native identity are one account whose values are united. The reader gives every record;
    /// uniting them is aggregation's work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merge_rows: bool,
    /// Attributes to keep, in this order; all when absent.
    #[serde(default)]
    pub attributes: Option<Vec<String>>,
    /// When an account counts as disabled; never when absent, unless the protocol itself says so. Likewise the
    /// next three.
    #[serde(default)]
    pub disabled: Option<FlagCondition>,
    /// When an account counts as locked.
    #[serde(default)]
    pub locked: Option<FlagCondition>,
    /// When an account counts as a system's own.
    #[serde(default)]
    pub system: Option<FlagCondition>,
    /// When an account counts as privileged.
    #[serde(default)]
    pub privileged: Option<FlagCondition>,
}

/// When a flag of an account is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagCondition {
    /// The attribute that tells.
    pub attribute: String,
    /// True when one of the attribute's values equals one of these, ASCII case ignored.
    #[serde(default)]
    pub values: Option<Vec<String>>,
    /// True when the attribute has any value, false when it is absent.
    #[serde(default)]
    pub present: bool,
}

impl FlagCondition {
    /// Whether the flag is set; `None` when neither `values` nor `present` is given and the first value is not one
    /// of true, false, yes, no, 1, 0 or blank. An absent attribute is false.
    pub(crate) fn holds(&self, values: &[String]) -> Option<bool> {
        if self.present {
            return Some(!values.is_empty());
        }
        if let Some(wanted) = &self.values {
            let is_wanted =
                |value: &String| wanted.iter().any(|text| text.trim().eq_ignore_ascii_case(value.trim()));
            return Some(values.iter().any(is_wanted));
        }
        let value = values.first().map_or("", |value| value.trim());
        let is = |text: &&str| value.eq_ignore_ascii_case(text);
        if ["true", "yes", "1"].iter().any(is) {
            Some(true)
        } else if ["false", "no", "0", ""].iter().any(is) {
            Some(false)
        } else {
            None
        }
    }
}

fn default_separator() -> String {
    ";".to_owned()
}

fn is_default_separator(separator: &str) -> bool {
    separator == ";"
}

impl AccountSettings {
    /// Settings with only a native identity.
    #[must_use]
    pub fn new(native_identity: impl Into<String>) -> Self {
        Self {
            native_identity: native_identity.into(),
            name: None,
            display_name: None,
            uuid: None,
            entitlements: Vec::new(),
            multi_valued: Vec::new(),
            multi_value_separator: default_separator(),
            merge_rows: false,
            attributes: None,
            disabled: None,
            locked: None,
            system: None,
            privileged: None,
        }
    }

    /// The attributes that must be among the listed ones, with their keys.
    pub(crate) fn marked(&self) -> Vec<(String, &str)> {
        let lists = [("entitlements", &self.entitlements), ("multi_valued", &self.multi_valued)];
        let keyed = lists.into_iter().flat_map(|(key, names)| {
            let names = names.iter().enumerate();
            names.map(move |(index, name)| (format!("account.{key}[{index}]"), name.as_str()))
        });
        keyed.collect()
    }

    /// The conditions with the names of their keys.
    pub(crate) fn flags(&self) -> [(&'static str, Option<&FlagCondition>); 4] {
        [
            ("disabled", self.disabled.as_ref()),
            ("locked", self.locked.as_ref()),
            ("system", self.system.as_ref()),
            ("privileged", self.privileged.as_ref()),
        ]
    }

    /// The lists of attributes with the names of their keys.
    fn lists(&self) -> [(&'static str, &[String]); 3] {
        [
            ("entitlements", &self.entitlements),
            ("multi_valued", &self.multi_valued),
            ("attributes", self.attributes.as_deref().unwrap_or_default()),
        ]
    }

    /// The values that a cell of a multi-valued column holds.
    pub(crate) fn values_of(&self, cell: &str) -> Vec<String> {
        if cell.trim_start().starts_with('[')
            && let Ok(elements @ Value::Array(_)) = serde_json::from_str(cell)
        {
            return texts(elements);
        }
        let values = cell.split(self.multi_value_separator.as_str()).map(str::trim);
        values.filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    /// Every attribute named, with its key, the native identity excepted.
    pub(crate) fn named(&self) -> Vec<(String, &str)> {
        let mut named = Vec::new();
        for (key, name) in [("name", &self.name), ("display_name", &self.display_name), ("uuid", &self.uuid)]
        {
            named.extend(name.as_ref().map(|name| (format!("account.{key}"), name.as_str())));
        }
        for (key, names) in self.lists() {
            named.extend(names.iter().map(|name| (format!("account.{key}"), name.as_str())));
        }
        for (key, condition) in self.flags() {
            named.extend(condition.map(|found| (format!("account.{key}"), found.attribute.as_str())));
        }
        named
    }

    /// The attributes that a record of the source must be able to have, with their keys. A condition of presence is no
    /// such need: that nobody has the attribute is an answer.
    pub(crate) fn needed(&self) -> Vec<(String, &str)> {
        let is_presence = |key: &str| {
            let flags = self.flags();
            flags.iter().any(|(flag, condition)| {
                key.ends_with(&format!(".{flag}")) && condition.is_some_and(|condition| condition.present)
            })
        };
        let named = self.named().into_iter().filter(|(key, _)| !is_presence(key));
        let native_identity = ("account.native_identity".to_owned(), self.native_identity.as_str());
        [native_identity].into_iter().chain(named).collect()
    }

    /// Whether an attribute is named anywhere.
    pub(crate) fn wants(&self, wanted: &str) -> bool {
        let named = self.named().into_iter().map(|(_, name)| name);
        named.chain([self.native_identity.as_str()]).any(|name| name.eq_ignore_ascii_case(wanted))
    }

    /// The first fault, as the key and what is wrong with it.
    pub(crate) fn fault(&self) -> Option<(String, String)> {
        let blank = |key: String| Some((key, "must not be blank".to_owned()));
        if self.native_identity.trim().is_empty() {
            return blank("account.native_identity".to_owned());
        }
        if let Some((key, _)) = self.named().into_iter().find(|(_, name)| name.trim().is_empty()) {
            return blank(key);
        }
        for (key, names) in self.lists() {
            for (index, name) in names.iter().enumerate() {
                if names.iter().take(index).any(|earlier| earlier.eq_ignore_ascii_case(name)) {
                    return Some((format!("account.{key}[{index}]"), format!("{name:?} is listed twice")));
                }
            }
        }
        if self.multi_value_separator.is_empty() {
            return Some(("account.multi_value_separator".to_owned(), "must not be empty".to_owned()));
        }
        for (key, condition) in self.flags() {
            let Some(condition) = condition else { continue };
            if condition.values.as_ref().is_some_and(Vec::is_empty) {
                let wanted = "expected at least one value, or no such key for attributes of true and false";
                return Some((format!("account.{key}.values"), wanted.to_owned()));
            }
            if condition.present && condition.values.is_some() {
                let wanted = "expected either `values` or `present`".to_owned();
                return Some((format!("account.{key}"), wanted));
            }
        }
        None
    }
}
