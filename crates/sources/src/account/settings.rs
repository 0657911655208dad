//! What a definition says about the meaning of a source's named values.

use serde::{Deserialize, Serialize};

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
            attributes: None,
            disabled: None,
            locked: None,
            system: None,
            privileged: None,
        }
    }

    /// The attributes that are kept, where they are listed, with the key that says so.
    pub(crate) fn listed(&self, key: &'static str) -> Option<(&'static str, &[String])> {
        Some((key, self.attributes.as_deref()?))
    }

    /// The attributes that must be among the listed ones, with their keys in the definition of a `kind`.
    pub(crate) fn marked(&self, kind: &str) -> Vec<(String, &str)> {
        let marked = self.entitlements.iter().enumerate();
        marked.map(|(index, name)| (format!("{kind}.account.entitlements[{index}]"), name.as_str())).collect()
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

    /// Every attribute named, with its key, the native identity excepted.
    pub(crate) fn named(&self) -> Vec<(String, &str)> {
        let mut named = Vec::new();
        for (key, name) in [("name", &self.name), ("display_name", &self.display_name), ("uuid", &self.uuid)]
        {
            named.extend(name.as_ref().map(|name| (format!("account.{key}"), name.as_str())));
        }
        let listed = self.attributes.as_deref().unwrap_or_default();
        for (key, names) in [("entitlements", &self.entitlements[..]), ("attributes", listed)] {
            named.extend(names.iter().map(|name| (format!("account.{key}"), name.as_str())));
        }
        for (key, condition) in self.flags() {
            named.extend(condition.map(|found| (format!("account.{key}"), found.attribute.as_str())));
        }
        named
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
        let listed = self.attributes.as_deref().unwrap_or_default();
        for (key, names) in [("entitlements", &self.entitlements[..]), ("attributes", listed)] {
            for (index, name) in names.iter().enumerate() {
                if names.iter().take(index).any(|earlier| earlier.eq_ignore_ascii_case(name)) {
                    return Some((format!("account.{key}[{index}]"), format!("{name:?} is listed twice")));
                }
            }
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
