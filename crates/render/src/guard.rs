//! Text cells that a spreadsheet would run as a formula, and how to make them plain text without losing a letter.
//!
//! A spreadsheet that opens a CSV file takes a cell for a formula by its first character. So text gets a leading
//! apostrophe when
//!
//! 1. its first character is `=`, `@`, a tab or a carriage return; or
//! 2. its first character is `+` or `-`, and it is neither a number nor a telephone number as a whole; or
//! 3. it begins with one or more apostrophes and the first other character is one of `=`, `@`, tab, carriage
//!    return, `+`, `-`: text that looks guarded already.
//!
//! A *number* is a sign, digits in groups with single points or commas between them, and perhaps an exponent:
//! `-1`, `+1.234,5`, `-.5`, `-2e-7`. A *telephone number* is a plus and 7 to 15 digits (the most that ITU-T E.164
//! allows), each after at most two of space, `-`, `.`, `/`, `(`, `)`: `+49 (0)30 901820`, `+1-555-010-9999`.
//! Neither can name a cell, a function or a program; a spreadsheet may at worst show a telephone number as a sum.
//!
//! To undo it, take one apostrophe away where rule 3 holds. It needs to know nothing of numbers, and it is exact:
//! what was guarded by rule 1 or 2 fits rule 3 afterwards, and what was not guarded does not fit it.
//!
//! Only text is guarded, with the header's cells and joined lists, each as the one cell that it is: numbers,
//! booleans and times that are typed as such are written as they are.

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
const TELEPHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// The text of a cell with the guard on.
#[must_use]
pub fn guard(text: &str) -> Cow<'_, str> {
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
        Some(b'=' | b'@' | b'\t' | b'\r') => true,
        Some(b'+' | b'-') => !is_number(text) && !is_telephone_number(text),
        Some(b'\'') => looks_guarded(text),
        Some(_) | None => false,
    }
}

/// Rule 3 of the module.
fn looks_guarded(text: &str) -> bool {
    let rest = text.trim_start_matches(APOSTROPHE);
    rest.len() < text.len() && rest.starts_with(['=', '@', '\t', '\r', '+', '-'])
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
            // Six digits, sixteen, three separators, an end that is no digit.
            "+12 34 56",
            "+1 234 567 890 123 456",
            "+49 - 301234567",
            "+49 30 1234567-",
            "'=1",
            "''@a",
            "'-5",
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
            " =1",
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
            "\u{ff1d}1",
        ];
        for text in plain {
            assert_eq!(guard(text), text);
            assert_eq!(unguard(text), text);
        }
    }

    proptest! {
        #[test]
        fn it_can_be_undone(text in "('{0,3}[=@\t\r+\\-0-9 .,eE()/a]{0,9})|\\PC{0,6}") {
            let cell = guard(&text);
            prop_assert_eq!(unguard(&cell), &text);
        }

        #[test]
        fn nothing_guarded_begins_as_a_formula(text in "['=@\t\r+\\-0-9 .eA!|]{0,6}") {
            let cell = guard(&text);
            prop_assert!(!cell.starts_with(['=', '@', '\t', '\r']));
            if cell.starts_with(['+', '-']) {
                prop_assert!(!cell.contains(|letter: char| !"+-0123456789 .eE".contains(letter)), "{}", cell);
            }
        }
    }
}
