//! Text cells that a spreadsheet would run as a formula, and how to make them plain text without losing a letter.
//!
//! A spreadsheet that opens a CSV file decides by a cell's first character whether the cell is a formula. Some ignore
//! white space before it, or treat a full-width sign as the plain one. A text *begins as a formula* when its first
//! character is a control character (NUL, tab, line feed and so on), or its first character that is neither white space
//! nor invisible is a *sign*: `=`, `+`, `-`, `@`, one of their full-width and small forms (`＝`, `﹦`), or the minus sign
//! `−`. So text gets a leading apostrophe when
//!
//! 1. it begins as a formula, unless what follows the white space is a number or a telephone number as a whole; or
//! 2. it begins with one or more apostrophes, and what follows them begins as a formula: text that looks guarded
//!    already.
//!
//! A *number* is a sign, digits in groups with single points or commas between them, and perhaps an exponent:
//! `-1`, `+1.234,5`, `-.5`, `-2e-7`. A *telephone number* is a plus and 7 to 15 digits (the most that ITU-T E.164
//! allows), each after at most two of space, `-`, `.`, `/`, `(`, `)`: `+49 (0)30 901820`, `+1-555-010-9999`.
//! Neither can name a cell, a function or a program; a spreadsheet may at worst show a telephone number as a sum.
//!
//! To undo the guard, remove one apostrophe if rule 2 applies. This needs no rule about numbers, and it is exact: rule
//! 2 applies to every guarded text, and to no other text of a guarded file.
//!
//! Only text is guarded, including the header's cells and joined lists, each as one cell. Values of the types number,
//! boolean and time are not guarded.

use std::borrow::Cow;

/// Whether text that a spreadsheet would run is made plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FormulaGuard {
    /// It gets a leading apostrophe, which [`unguard`] takes away.
    #[default]
    On,
    /// It stays as it is.
    Off,
}

const APOSTROPHE: char = '\'';
/// `=`, `+`, `-`, `@`, their full-width and small forms, and the minus sign.
const SIGNS: [char; 13] = [
    '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\u{fe66}', '\u{fe62}', '\u{fe63}',
    '\u{fe6b}', '\u{2212}',
];
const TELEPHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// The text of a cell with the guard on.
#[must_use]
pub(crate) fn guard(text: &str) -> Cow<'_, str> {
    if needs_guard(text) { Cow::Owned(format!("{APOSTROPHE}{text}")) } else { Cow::Borrowed(text) }
}

/// What the text of a guarded cell was: `unguard(&guard(text)) == text` for every text.
#[must_use]
pub fn unguard(cell: &str) -> &str {
    match cell.strip_prefix(APOSTROPHE) {
        Some(rest) if looks_guarded(cell) => rest,
        Some(_) | None => cell,
    }
}

/// Whether [`guard`] adds an apostrophe.
#[inline]
pub(crate) fn needs_guard(text: &str) -> bool {
    match text.as_bytes().first() {
        // A short cut for most texts: digits, and letters of Latin (to U+02FF), Greek, Cyrillic and Chinese. Other texts
        // begin with an apostrophe, a sign, or something that may precede a sign.
        Some(b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | 0xc3..=0xcb | 0xce..=0xd3 | 0xe4..=0xe9) | None => {
            false
        }
        Some(b'\'') => looks_guarded(text),
        Some(_) => begins_as_formula(text) && !is_harmless(text),
    }
}

/// Rule 2 of the module.
fn looks_guarded(text: &str) -> bool {
    let rest = text.trim_start_matches(APOSTROPHE);
    rest.len() < text.len() && begins_as_formula(rest)
}

fn begins_as_formula(text: &str) -> bool {
    text.starts_with(char::is_control) || text.trim_start_matches(is_unseen).starts_with(SIGNS)
}

/// Whether the text is a number or a telephone number, apart from white space before it.
fn is_harmless(text: &str) -> bool {
    let seen = text.trim_start_matches(is_unseen);
    !text.starts_with(char::is_control) && (is_number(seen) || is_telephone_number(seen))
}

/// White space, control characters, and characters that show nothing: joiners, marks of direction, fillers, variation
/// selectors, tags.
fn is_unseen(character: char) -> bool {
    matches!(u32::from(character),
        0..=0x20 | 0x7f..=0xa0 | 0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x1680 | 0x17b4..=0x17b5 | 0x180b..=0x180f
        | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x2800 | 0x3000 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff
        | 0xffa0 | 0xfff0..=0xfffb | 0xe0000..=0xe0fff)
}

fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let Some(text) = text.strip_prefix(['+', '-']) else { return false };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let mantissa = mantissa.strip_prefix(['.', ',']).unwrap_or(mantissa);
    mantissa.split(['.', ',']).all(digits) && exponent.is_none_or(digits)
}

fn is_telephone_number(text: &str) -> bool {
    let Some(text) = text.strip_prefix('+') else { return false };
    let (mut digits, mut between) = (0, 0);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => (digits, between) = (digits + 1, 0),
            b' ' | b'-' | b'.' | b'/' | b'(' | b')' => between += 1,
            _ => return false,
        }
        if between > 2 {
            return false;
        }
    }
    between == 0 && TELEPHONE_DIGITS.contains(&digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_guarded() {
        let formulas = [
            "=1+1",
            "=",
            "@SUM(A1)",
            "\t=1",
            "\r",
            "+",
            "-",
            "-1+1",
            "+cmd|' /C calc'!A0",
            "-2+3+cmd|' /C calc'!A0",
            "+1e",
            "-1,,5",
            "-1.",
            "--1",
            "-1 ",
            "-\u{661}",
            "+A1",
            "-2-3",
            "+123456 x",
            // Six digits, sixteen, three separators, an end that is not a digit.
            "+12 34 56",
            "+1 234 567 890 123 456",
            "+49 - 301234567",
            "+49 30 1234567-",
            "'=1",
            "''@a",
            "'-5",
            // What comes before the sign is not seen, or is taken away on import.
            "\0=1",
            "\0",
            "\n=1",
            "\ntext",
            "\u{b}1",
            "\u{1b}x",
            "\u{85}x",
            " =1",
            " \t @a",
            " +1+1",
            "\u{a0}=1",
            "\u{3000}-1+1",
            "\u{feff}=1",
            "\u{200b}=1",
            "\u{2060}\u{200e}@a",
            "\u{ad}=1",
            "\u{e0041}=1",
            "\u{2028}=1",
            "\t-5",
            // Signs that some spreadsheets read as the plain ones.
            "\u{ff1d}1",
            "\u{ff0b}1",
            "\u{ff0d}1",
            "\u{ff20}SUM(A1)",
            "\u{fe66}1",
            "\u{fe62}1",
            "\u{fe63}1",
            "\u{fe6b}a",
            "\u{2212}1",
            "' =1",
            "'\u{ff1d}1",
            "'\nx",
        ];
        for text in formulas {
            assert_eq!(guard(text), format!("'{text}"), "{text:?}");
            assert_eq!(unguard(&guard(text)), text);
        }
    }

    #[test]
    fn what_is_not() {
        let plain = [
            "",
            "a",
            " ",
            " a=1",
            "\u{3000}",
            "\u{feff}a",
            " -5",
            "\u{a0}+4930901820",
            " '=1",
            "' a",
            "\u{2014}1",
            "a=1",
            "O'Neill",
            "'",
            "''",
            "'tis",
            "-1",
            "+1",
            "-1.5",
            "-1,5",
            "+1.234.567,89",
            "-.5",
            "-2E-7",
            "+1e10",
            "+4930901820",
            "+49 30 901820",
            "+49 (0)30 901820",
            "+1-555-010-9999",
            "+1.555.010.9999",
            "+33 1 23 45 67 89",
            "2024-01-01",
        ];
        for text in plain {
            assert_eq!(guard(text), text);
            assert_eq!(unguard(text), text);
        }
    }

    /// The short cut of `needs_guard` says of every first character what the rules say.
    #[test]
    fn no_first_character_is_forgotten() {
        for first in '\0'..=char::MAX {
            for text in [format!("{first}"), format!("{first}=1"), format!("{first}+1+1")] {
                let by_rules = looks_guarded(&text) || begins_as_formula(&text) && !is_harmless(&text);
                assert_eq!(needs_guard(&text), by_rules, "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_can_be_undone(text in "('{0,3}[\0\n\u{feff}\u{ff1d}=@\t\r+\\-0-9 .,eE()/a]{0,9})|\\PC{0,6}") {
            let cell = guard(&text);
            prop_assert_eq!(unguard(&cell), &text);
        }

        #[test]
        fn nothing_guarded_begins_as_a_formula(text in "['\0\n\u{3000}\u{ff1d}=@\t\r+\\-0-9 .eA!|]{0,6}") {
            let cell = guard(&text);
            prop_assert!(!cell.starts_with(char::is_control));
            let seen = cell.trim_start_matches([' ', '\u{3000}', '\0', '\n', '\t', '\r']);
            prop_assert!(!seen.starts_with(['=', '@', '\u{ff1d}']), "{:?}", cell);
            if seen.starts_with(['+', '-']) {
                prop_assert!(!seen.contains(|letter: char| !"+-0123456789 .eE".contains(letter)), "{:?}", cell);
            }
        }
    }
}
