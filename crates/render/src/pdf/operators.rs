//! Numbers and texts as a page's content and an element's dictionary have them.

use std::io::Write as _;

use crate::scalar::push_unsigned;

/// A number with at most three decimals.
pub(super) fn push_number(out: &mut Vec<u8>, value: f32) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positions and adjustments are far below 2^31 thousandths"
    )]
    let thousandths = (f64::from(value) * 1000.0).round() as i64;
    if thousandths < 0 {
        out.push(b'-');
    }
    let magnitude = thousandths.unsigned_abs();
    push_unsigned(out, magnitude / 1000);
    let mut decimals = magnitude % 1000;
    if decimals > 0 {
        out.push(b'.');
        let mut unit = 100;
        while decimals > 0 {
            push_unsigned(out, decimals / unit);
            decimals %= unit;
            unit /= 10;
        }
    }
}

/// A reference to an object.
pub(super) fn push_reference(out: &mut Vec<u8>, number: u32) {
    push_unsigned(out, number.into());
    out.extend_from_slice(b" 0 R");
}

/// A text string in UTF-16, in hex.
pub(super) fn push_text_string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"<FEFF");
    for unit in text.encode_utf16() {
        write!(out, "{unit:04X}").expect("a vector takes every write");
    }
    out.push(b'>');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (-0.0001, "0"),
            (7.5, "7.5"),
            (-12.34, "-12.34"),
            (0.005, "0.005"),
            (841.8898, "841.89"),
        ];
        for (value, expected) in cases {
            let mut out = Vec::new();
            push_number(&mut out, value);
            assert_eq!(String::from_utf8(out).expect("digits"), expected);
        }
    }
}
