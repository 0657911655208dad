//! The part of DER (ITU-T X.690) that a time-stamp request and its response need.

/// Tags.
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;

/// One value.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => out.push(length),
        _ => {
            let length = content.len().to_be_bytes();
            let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | length.len() as u8);
            out.extend_from_slice(&length);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A number that is not negative: as few bytes as it takes, the first one below 128.
pub(super) fn integer(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    let mut content = Vec::new();
    if bytes[zeros] >= 0x80 {
        content.push(0);
    }
    content.extend_from_slice(&bytes[zeros..]);
    value(INTEGER, &content)
}

/// Values one after another.
#[derive(Clone, Copy)]
pub(super) struct Values<'a>(pub(super) &'a [u8]);

impl<'a> Values<'a> {
    /// The next value's tag and content; `None` at the end, or where there is no whole value.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else { return None };
        let (length, rest) = match *length {
            0..=0x7f => (usize::from(*length), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(*length & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            // 0x80 is an indefinite length, which DER does not allow.
            0x80 | 0x85..=0xff => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next value if it has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// The values within the next one, if it has this tag.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(Values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_integers() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 127]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(u64::MAX), [2, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(value(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(value(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
        for length in [0, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let bytes = value(OCTET_STRING, &content);
            let mut values = Values(&bytes);
            assert_eq!(values.expect(OCTET_STRING), Some(&content[..]));
            assert!(values.next().is_none());
            assert!(Values(&bytes[..bytes.len() - 1]).next().is_none());
        }
        assert!(Values(&[0x30, 0x80, 0, 0]).next().is_none());
        assert!(Values(&[0x30, 0x84, 255, 255, 255, 255, 0]).next().is_none());
    }
}
