//! Text with account attributes in braces: `{firstname}.{surname}@example.com`.

use serde::{Deserialize, Serialize};

/// A parsed template. `{name}` stands for an account attribute, `{{` and `}}` for the braces themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    text: String,
    parts: Vec<TemplatePart>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text to take as it is.
    Text(String),
    /// The first value of the account attribute with this name.
    Attribute(String),
}

impl Template {
    /// The pieces in order; no two texts stand side by side.
    #[must_use]
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }

    /// The names of the account attributes in it, repeated ones repeatedly.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Attribute(name) => Some(name.as_str()),
            TemplatePart::Text(_) => None,
        })
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '{' | '}' if characters.peek() == Some(&character) => {
                    characters.next();
                    literal.push(character);
                }
                '{' => {
                    let mut name = String::new();
                    loop {
                        match characters.next() {
                            Some('}') => break,
                            Some('{') | None => {
                                return Err(format!("template {text:?}: expected `}}` after `{{{name}`"));
                            }
                            Some(character) => name.push(character),
                        }
                    }
                    if name.trim().is_empty() {
                        return Err(format!(
                            "template {text:?}: expected an account attribute between braces"
                        ));
                    }
                    if !literal.is_empty() {
                        parts.push(TemplatePart::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(TemplatePart::Attribute(name));
                }
                '}' => {
                    return Err(format!(
                        "template {text:?}: `}}` without `{{`; write `}}}}` for the brace itself"
                    ));
                }
                character => literal.push(character),
            }
        }
        if !literal.is_empty() {
            parts.push(TemplatePart::Text(literal));
        }
        Ok(Self { text, parts })
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.text
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test's failure is its message")]
mod tests {
    use super::*;

    #[test]
    fn parts_are_texts_and_attributes() {
        let template = Template::try_from("{first name}.{sn}@{{x}}".to_owned()).unwrap();
        let expected = [
            TemplatePart::Attribute("first name".into()),
            TemplatePart::Text(".".into()),
            TemplatePart::Attribute("sn".into()),
            TemplatePart::Text("@{x}".into()),
        ];
        assert_eq!(template.parts(), expected);
        assert_eq!(template.attributes().collect::<Vec<_>>(), ["first name", "sn"]);
    }

    #[test]
    fn unbalanced_braces_are_refused() {
        for (text, part) in
            [("{a", "expected `}`"), ("a}", "without"), ("{}", "between braces"), ("{a{b}", "expected")]
        {
            let message = Template::try_from(text.to_owned()).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
