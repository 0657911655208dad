//! Whether an output is the one that a page shows.
//!
//! Everything must be equal, except:
//! - `[..]` stands for any text in a line, and a line `...` for any number of lines;
//! - a time such as `2026-03-31T12:00:00.000Z` stands for any time;
//! - a word of 32 or more hexadecimal digits (an id, a secret, a digest) stands for any of that length. The page's word
//!   then means what was printed: where the page has it again, in output or in a command, the same must be there;
//! - blanks at the end of a line and the number of blanks between words, because the width of a column depends on them.

use std::collections::BTreeMap;

/// What the page's ids, secrets and digests mean in this run.
pub type Meanings = BTreeMap<String, String>;

/// A part of an expected line.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Anything,
    Time,
    Hex(String),
}

/// Fewest digits of a word that differs from run to run.
const HEX_MIN: usize = 32;
const ANYTHING: &str = "[..]";
const ANY_LINES: &str = "...";

/// Compares; on success `meanings` has what the page's words mean. Otherwise the number of expected lines, from the first,
/// that could be found.
pub fn compare(expected: &[String], actual: &[String], meanings: &mut Meanings) -> Result<(), usize> {
    let expected: Vec<&str> = trimmed(expected);
    let actual: Vec<&str> = trimmed(actual);
    let mut furthest = 0;
    match lines(&expected, &actual, 0, meanings, &mut furthest) {
        Some(found) => {
            *meanings = found;
            Ok(())
        }
        None => Err(furthest),
    }
}

/// Lines without blank ones at the end.
fn trimmed(lines: &[String]) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

fn lines(
    expected: &[&str],
    actual: &[&str],
    at: usize,
    known: &Meanings,
    furthest: &mut usize,
) -> Option<Meanings> {
    *furthest = (*furthest).max(at);
    match expected.get(at) {
        None => actual.is_empty().then(|| known.clone()),
        Some(&ANY_LINES) => (0..=actual.len())
            .find_map(|skipped| lines(expected, &actual[skipped..], at + 1, known, furthest)),
        Some(line) => {
            let (first, rest) = actual.split_first()?;
            let mut known = known.clone();
            let first = single_spaced(first);
            parts(&parsed(&single_spaced(line)), &first, &mut known).then_some(())?;
            lines(expected, rest, at + 1, &known, furthest)
        }
    }
}

/// The line with one blank wherever it has several after its first word.
fn single_spaced(line: &str) -> String {
    let text = line.trim_start();
    let indent = &line[..line.len() - text.len()];
    format!("{indent}{}", text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
}

fn parts(expected: &[Part], text: &str, known: &mut Meanings) -> bool {
    let Some((first, rest)) = expected.split_first() else { return text.is_empty() };
    match first {
        Part::Text(part) => text.strip_prefix(part.as_str()).is_some_and(|text| parts(rest, text, known)),
        Part::Anything => text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| {
            let mut tried = known.clone();
            let found = parts(rest, &text[at..], &mut tried);
            if found {
                *known = tried;
            }
            found
        }),
        Part::Time => {
            let length = time_length(text);
            length > 0 && parts(rest, &text[length..], known)
        }
        Part::Hex(word) => {
            if hex_length(text) != word.len() {
                return false;
            }
            let (printed, text) = text.split_at(word.len());
            let meant = known.entry(word.clone()).or_insert_with(|| printed.to_owned());
            meant == printed && parts(rest, text, known)
        }
    }
}

/// An expected line as parts.
fn parsed(line: &str) -> Vec<Part> {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let after_word = text.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
        let (part, length) = if rest.starts_with(ANYTHING) {
            (Some(Part::Anything), ANYTHING.len())
        } else if !after_word && time_length(rest) > 0 {
            (Some(Part::Time), time_length(rest))
        } else if !after_word && hex_length(rest) >= HEX_MIN {
            (Some(Part::Hex(rest[..hex_length(rest)].to_owned())), hex_length(rest))
        } else {
            (None, rest.chars().next().map_or(0, char::len_utf8))
        };
        if let Some(part) = part {
            if !text.is_empty() {
                found.push(Part::Text(std::mem::take(&mut text)));
            }
            found.push(part);
        } else {
            text.push_str(&rest[..length]);
        }
        rest = &rest[length..];
    }
    if !text.is_empty() {
        found.push(Part::Text(text));
    }
    found
}

/// The length of the hexadecimal word that the text begins with; 0 if the word goes on with other letters.
fn hex_length(text: &str) -> usize {
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let length = text.find(|c| !is_hex(c)).unwrap_or(text.len());
    let goes_on = text[length..].starts_with(|c: char| c.is_alphanumeric());
    if goes_on { 0 } else { length }
}

/// The length of the time (RFC 3339, in UTC) that the text begins with; 0 if it begins with none.
fn time_length(text: &str) -> usize {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let fits = |(form, byte): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { form == byte };
    let bytes = text.as_bytes();
    if bytes.len() < FORM.len() || !FORM.iter().zip(bytes).all(fits) {
        return 0;
    }
    let rest = &text[FORM.len()..];
    let fraction = rest
        .strip_prefix('.')
        .map_or(0, |rest| 1 + rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let zone = ["Z", "+00:00"].iter().find(|zone| rest[fraction..].starts_with(**zone));
    zone.map_or(0, |zone| FORM.len() + fraction + zone.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: &str, actual: &str) -> Result<Meanings, usize> {
        let split = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let mut meanings = Meanings::new();
        compare(&split(expected), &split(actual), &mut meanings).map(|()| meanings)
    }

    #[test]
    fn equal_texts_are_equal() {
        for (expected, actual) in [
            ("", ""),
            ("a\nb", "a\nb\n"),
            (" a   b", " a b  "),
            ("a [..] c", "a b b c"),
            ("a[..]", "a"),
            ("a\n...\nd", "a\nb\nc\nd"),
            ("...", "a\nb"),
            ("a\n...", "a"),
            ("at 2026-03-31T12:00:00.000Z.", "at 2025-01-01T00:00:01.123456Z."),
        ] {
            assert!(check(expected, actual).is_ok(), "{expected:?} {actual:?}");
        }
    }

    #[test]
    fn the_first_line_that_differs_is_told() {
        for (expected, actual, line) in [
            ("a\nb", "a\nc", 1),
            ("a\nb", "a", 1),
            ("a", "a\nb", 1),
            ("a\n...\nd\ne", "a\nb\nd\nf", 3),
            ("3 rows", "31 rows", 0),
            ("  a", " a", 0),
            ("at 2026-03-31T12:00:00Z", "at noon", 0),
        ] {
            assert_eq!(check(expected, actual), Err(line), "{expected:?} {actual:?}");
        }
    }

    #[test]
    fn an_id_of_the_page_means_what_was_printed() {
        let (page, printed, other) = ("0f".repeat(16), "ab".repeat(16), "cd".repeat(16));
        let meanings = check(&format!("id {page}\nagain {page}"), &format!("id {printed}\nagain {printed}"));
        assert_eq!(meanings, Ok(Meanings::from([(page.clone(), printed.clone())])));
        assert_eq!(check(&format!("{page}\n{page}"), &format!("{printed}\n{other}")), Err(1));
        assert_eq!(check(&page, &printed[1..]), Err(0), "another length");
        assert_eq!(check(&format!("{page}.csv"), &format!("{printed}.csv")).map(|found| found.len()), Ok(1));
        assert_eq!(check("abc", "abd"), Err(0), "a short word is a word");
    }
}
