//! Names and values of a query or a form.

use crate::api::encoded;
use std::fmt::Write;

/// Most fields that are read. A form of the console has a few dozen.
const FIELDS_MAX: usize = 500;

/// Names and values, in the order in which they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `a=b&c=d`. What is not valid is left out.
    pub(crate) fn read(text: &str) -> Self {
        let mut fields: Vec<(String, String)> = serde_urlencoded::from_str(text).unwrap_or_default();
        fields.truncate(FIELDS_MAX);
        Self(fields)
    }

    /// The first value of a name, without spaces around it; empty if there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }

    /// The first value of a name as it was sent; empty if there is none.
    pub(crate) fn exact(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The values of a name.
    pub(crate) fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// Whether a name is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// A whole number; 0 if there is none.
    pub(crate) fn number(&self, name: &str) -> u32 {
        self.text(name).parse().unwrap_or(0)
    }
}

/// `path` with the fields that have a value, as an address.
pub(crate) fn address<'a>(path: &str, fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut address = path.to_owned();
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        let sign = if address.contains('?') { '&' } else { '?' };
        let _ = write!(address, "{sign}{}={}", encoded(name), encoded(&value));
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_written() {
        let fields = Fields::read("a=1&b=x+y%26&b=&a=2&n=7");
        assert_eq!((fields.text("a"), fields.text("none"), fields.number("n")), ("1", "", 7));
        assert_eq!(fields.texts("b").collect::<Vec<_>>(), ["x y&", ""]);
        assert!(fields.has("b") && !fields.has("c"));
        let written =
            address("/ui/runs", [("a", "x y&".to_owned()), ("b", String::new()), ("c", "1".to_owned())]);
        assert_eq!(written, "/ui/runs?a=x%20y%26&c=1");
    }
}
