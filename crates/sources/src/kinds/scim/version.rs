//! Entity tags: the versions of resources and of pages (RFC 7644, 3.14; RFC 9110, 8.8.3).

use serde_json::{Map, Value};

use super::members::member;

/// Longest tag that is kept, in bytes.
const TAG_BYTES_MAX: usize = 512;

/// An entity tag, as a header or `meta.version` writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntityTag<'a>(&'a str);

impl<'a> EntityTag<'a> {
    /// `"text"`, or `W/"text"` for a weak one; anything else, such as a bare number, is not a tag.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let quoted = text.strip_prefix("W/").unwrap_or(text);
        let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let is_allowed = |c: char| c == '!' || ('#'..='~').contains(&c) || ('\u{80}'..='\u{ff}').contains(&c);
        (text.len() <= TAG_BYTES_MAX && opaque.chars().all(is_allowed)).then_some(Self(text))
    }

    /// The version of a resource, where it has one that is an entity tag.
    pub(super) fn of(resource: &'a Map<String, Value>) -> Option<Self> {
        Self::parse(member(member(resource, "meta")?.as_object()?, "version")?.as_str()?)
    }

    /// The tag as it is written.
    pub(super) fn text(&self) -> &'a str {
        self.0
    }

    /// Whether what has the same tag is only said to mean the same, and not to be the same.
    pub(super) fn is_weak(&self) -> bool {
        self.0.starts_with("W/")
    }

    /// Whether both are tags of what means the same (the weak comparison).
    pub(super) fn matches(&self, other: &EntityTag<'_>) -> bool {
        self.0.trim_start_matches("W/") == other.0.trim_start_matches("W/")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test's failure is its message")]
mod tests {
    use super::*;

    #[test]
    fn strong_and_weak_tags_and_what_is_none() {
        for (text, weak) in [("\"\"", false), ("W/\"3\"", true), ("\"!#~\u{e9}\"", false)] {
            assert_eq!(EntityTag::parse(text).map(|tag| tag.is_weak()), Some(weak), "{text}");
        }
        let long = format!("\"{}\"", "x".repeat(511));
        for text in [
            "",
            "3",
            "\"",
            "\"a b\"",
            "w/\"3\"",
            "W/3",
            "\"a\"b\"",
            "W/ \"3\"",
            "\"a\u{7f}\"",
            "\"a\n\"",
            &long,
        ] {
            assert_eq!(EntityTag::parse(text), None, "{text}");
        }
    }

    #[test]
    fn tags_match_regardless_of_their_strength() {
        let tag = |text| EntityTag::parse(text).unwrap();
        assert!(tag("\"1\"").matches(&tag("W/\"1\"")));
        assert!(!tag("\"1\"").matches(&tag("\"2\"")));
    }
}
