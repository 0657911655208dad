//! Where an identity attribute comes from.

use serde::{Deserialize, Serialize};

use super::{Template, Transform};

/// One identity attribute and how its value is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct AttributeMapping {
    /// Technical name of the identity attribute, such as `uid`, `lastname`, `email`, `manager`.
    pub name: String,
    /// What the value starts as.
    pub source: MappingSource,
    /// What is then done to it, in this order.
    pub transforms: Vec<Transform>,
    /// A null or blank result is an error of the identity.
    pub required: bool,
}

/// What a mapped value starts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MappingSource {
    /// An attribute of the account; of several values the first. Key `from`.
    Attribute(String),
    /// The same text for every identity. Key `value`.
    Static(String),
    /// Text with account attributes in it; null when one of them is absent. Key `template`.
    Template(Template),
}

impl MappingSource {
    /// The account attributes that the value needs.
    pub fn account_attributes(&self) -> Vec<&str> {
        match self {
            Self::Attribute(name) => vec![name],
            Self::Static(_) => Vec::new(),
            Self::Template(template) => template.attributes().collect(),
        }
    }
}

/// An [`AttributeMapping`] as it is written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    template: Option<Template>,
    #[serde(default)]
    transforms: Vec<Transform>,
    #[serde(default)]
    required: bool,
}

impl TryFrom<Form> for AttributeMapping {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        let source = match (form.from, form.value, form.template) {
            (Some(name), None, None) => MappingSource::Attribute(name),
            (None, Some(text), None) => MappingSource::Static(text),
            (None, None, Some(template)) => MappingSource::Template(template),
            _ => {
                return Err(format!(
                    "attribute {:?}: expected exactly one of `from`, `value` and `template`",
                    form.name
                ));
            }
        };
        Ok(Self { name: form.name, source, transforms: form.transforms, required: form.required })
    }
}

impl From<AttributeMapping> for Form {
    fn from(mapping: AttributeMapping) -> Self {
        let (from, value, template) = match mapping.source {
            MappingSource::Attribute(name) => (Some(name), None, None),
            MappingSource::Static(text) => (None, Some(text), None),
            MappingSource::Template(template) => (None, None, Some(template)),
        };
        Self {
            name: mapping.name,
            from,
            value,
            template,
            transforms: mapping.transforms,
            required: mapping.required,
        }
    }
}
