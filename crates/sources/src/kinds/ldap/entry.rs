//! The server's answers, taken apart without trusting their shape.

use ldap3::asn1::{StructureTag, parse_tag};

/// An entry as it came: attribute descriptions with options, values as bytes.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// `None` when it is not UTF-8, as RFC 4514 wants it.
    pub(super) dn: Option<String>,
    pub(super) attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    /// Reads a SearchResultEntry (RFC 4511, 4.5.2); `None` when it has another shape.
    pub(super) fn read(tag: StructureTag) -> Option<Self> {
        let mut parts = tag.expect_constructed()?.into_iter();
        let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok();
        let mut attributes = Vec::new();
        for attribute in parts.next()?.expect_constructed()? {
            let mut parts = attribute.expect_constructed()?.into_iter();
            let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
            let values = parts.next()?.expect_constructed()?.into_iter();
            attributes.push((name, values.map(StructureTag::expect_primitive).collect::<Option<_>>()?));
        }
        Some(Self { dn, attributes })
    }

    /// The first value of an attribute, in bytes.
    pub(super) fn first(&self, name: &str) -> Option<&[u8]> {
        self.attributes
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .and_then(|(_, values)| values.first())
            .map(Vec::as_slice)
    }

    /// The first value of an attribute as a whole number.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        std::str::from_utf8(self.first(name)?).ok()?.trim().parse().ok()
    }
}

/// The cookie in the value of a paging response (RFC 2696); `None` when it has another shape.
pub(super) fn cookie(value: &[u8]) -> Option<Vec<u8>> {
    let (_, tag) = parse_tag(value).ok()?;
    tag.expect_constructed()?.into_iter().nth(1)?.expect_primitive()
}

/// The option `range=FIRST-LAST` of an attribute description, as the description without it and the position to go
/// on from, which is `None` when the last value is there.
///
/// A server that limits the values it gives of one attribute answers so, whether it was asked for or not.
pub(super) fn range(description: &str) -> Option<(String, Option<u64>)> {
    let (at, option) = description
        .match_indices(';')
        .map(|(at, _)| (at, description[at + 1..].split(';').next().unwrap_or_default()))
        .find(|(_, option)| option.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("range=")))?;
    let (_, last) = option[6..].split_once('-')?;
    let next = if last == "*" { None } else { Some(last.parse::<u64>().ok()?.checked_add(1)?) };
    let without = format!("{}{}", &description[..at], &description[at + 1 + option.len()..]);
    Some((without, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_values() {
        let cases = [
            ("member", None),
            ("member;range=0-1499", Some(("member", Some(1500)))),
            ("member;range=1500-*", Some(("member", None))),
            ("member;Range=0-0;x", Some(("member;x", Some(1)))),
            ("cn;lang-de", None),
            ("cn;rang", None),
            ("member;range=0", None),
        ];
        for (description, expected) in cases {
            let expected = expected.map(|(name, next)| (name.to_owned(), next));
            assert_eq!(range(description), expected, "{description}");
        }
    }

    #[test]
    fn cookies() {
        // SEQUENCE { INTEGER 0, OCTET STRING "ab" }, and the same without the string.
        assert_eq!(cookie(&[0x30, 7, 2, 1, 0, 4, 2, b'a', b'b']), Some(b"ab".to_vec()));
        assert_eq!(cookie(&[0x30, 3, 2, 1, 0]), None);
        assert_eq!(cookie(&[]), None);
    }
}
