//! The words of a text, as Lucene's `StandardTokenizer` and `LowerCaseFilter` make them.
//!
//! The words are Unicode's (UAX #29), with Lucene's exceptions for writing without spaces and for emoji. Text in ASCII, which most is, has a way of its own: its word boundaries
//! depend on two characters to either side at most, so that a token can be recognised in its place, without reading
//! the text from its beginning. That both ways agree is a property that a test checks.

use std::iter::Peekable;

use unicode_segmentation::{UWordBoundIndices, UnicodeSegmentation};

/// What UAX #29 distinguishes among the characters of ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    /// `_`, which joins letters and digits.
    Connector,
    /// `:`, which joins letters.
    MidLetter,
    /// `,` and `;`, which join digits.
    MidDigit,
    /// `.` and `'`, which join either.
    MidBoth,
    Other,
}

const CLASSES: [Class; 128] = {
    let mut classes = [Class::Other; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'_' => Class::Connector,
            b':' => Class::MidLetter,
            b',' | b';' => Class::MidDigit,
            b'.' | b'\'' => Class::MidBoth,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

/// The class of the byte at a place in ASCII text, `Other` past its ends.
fn class(text: &[u8], at: Option<usize>) -> Class {
    at.and_then(|at| text.get(at))
        .and_then(|byte| CLASSES.get(usize::from(*byte)))
        .copied()
        .unwrap_or(Class::Other)
}

/// Whether the bytes before and at this place belong to different words, in text that is all ASCII. Between two
/// characters of which neither belongs to a word it is true as well.
pub(super) fn is_boundary(text: &[u8], at: usize) -> bool {
    use Class::{Connector, Digit, Letter, MidBoth, MidDigit, MidLetter};
    let before = class(text, at.checked_sub(1));
    let after = class(text, Some(at));
    let joined = match (before, after) {
        (Letter | Digit | Connector, Letter | Digit | Connector) => true,
        (Letter, MidLetter | MidBoth) => class(text, Some(at + 1)) == Letter,
        (MidLetter | MidBoth, Letter) => class(text, at.checked_sub(2)) == Letter,
        (Digit, MidDigit | MidBoth) => class(text, Some(at + 1)) == Digit,
        (MidDigit | MidBoth, Digit) => class(text, at.checked_sub(2)) == Digit,
        _ => false,
    };
    !joined
}

/// The words of a text in their order, as written.
pub fn tokens(text: &str) -> impl Iterator<Item = &str> {
    Tokens::new(text)
}

/// The words of a text, in lower case.
#[must_use]
pub fn tokens_lower_case(text: &str) -> Vec<String> {
    tokens(text).map(lower_case).collect()
}

/// [`tokens`] with its type named.
pub(super) enum Tokens<'a> {
    Ascii { text: &'a str, at: usize },
    Unicode(UnicodeTokens<'a>),
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Tokens<'a> {
        if text.is_ascii() {
            Tokens::Ascii { text, at: 0 }
        } else {
            Tokens::Unicode(UnicodeTokens::new(text))
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        match self {
            Tokens::Ascii { text, at } => next_ascii(text, at),
            Tokens::Unicode(tokens) => tokens.next(),
        }
    }
}

/// The next word at or after a place, which moves past it.
fn next_ascii<'a>(text: &'a str, at: &mut usize) -> Option<&'a str> {
    let bytes = text.as_bytes();
    loop {
        while matches!(
            CLASSES[usize::from(*bytes.get(*at)?) & 127],
            Class::Other | Class::MidLetter | Class::MidDigit | Class::MidBoth
        ) {
            *at += 1;
        }
        let start = *at;
        let mut is_word = false;
        while *at == start || !is_boundary(bytes, *at) {
            is_word |= bytes[*at].is_ascii_alphanumeric();
            *at += 1;
        }
        // Connectors alone are not a word.
        if is_word {
            return text.get(start..*at);
        }
    }
}

/// The words of any text: segments by Unicode's rules that have something of a word in them.
pub(super) struct UnicodeTokens<'a> {
    text: &'a str,
    segments: Peekable<UWordBoundIndices<'a>>,
}

impl<'a> UnicodeTokens<'a> {
    pub(super) fn new(text: &'a str) -> UnicodeTokens<'a> {
        UnicodeTokens { text, segments: text.split_word_bound_indices().peekable() }
    }
}

impl<'a> Iterator for UnicodeTokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let (start, segment) = self.segments.next()?;
            if begins_without_spaces(segment) {
                // Unicode leaves the words of such writing to dictionaries; Lucene takes all of it as one.
                let mut end = start + segment.len();
                while let Some((_, more)) = self.segments.next_if(|(_, next)| begins_without_spaces(next)) {
                    end += more.len();
                }
                return self.text.get(start..end);
            }
            if segment.chars().any(is_of_words) || is_emoji(segment) {
                return Some(segment);
            }
        }
    }
}

/// Whether the character belongs to words: it is a letter or a digit. Numbers that are not digits (`½`, `²`) do
/// not, and of the closing mark `〆` Lucene makes nothing.
fn is_of_words(character: char) -> bool {
    if character.is_alphabetic() {
        return character != '〆';
    }
    // A digit is what does not part from a letter before it. The Arabic decimal separator is one.
    (character.is_numeric() || character == '٫') && {
        let mut bytes = [0; 5];
        let (letter, rest) = bytes.split_at_mut(1);
        let length = 'a'.encode_utf8(letter).len() + character.encode_utf8(rest).len();
        std::str::from_utf8(&bytes[..length]).is_ok_and(|pair| pair.split_word_bounds().nth(1).is_none())
    }
}

/// Whether the segment begins with writing that puts no spaces between words: Thai, Lao, Burmese, Khmer and
/// their kin (the line breaking class SA).
fn begins_without_spaces(segment: &str) -> bool {
    segment.chars().next().is_some_and(|character| {
        matches!(character,
            '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{e4e}'
            | '\u{e81}'..='\u{ecd}' | '\u{edc}'..='\u{edf}'
            | '\u{1000}'..='\u{103f}' | '\u{1050}'..='\u{108f}' | '\u{109a}'..='\u{109f}'
            | '\u{1780}'..='\u{17d3}' | '\u{17d7}' | '\u{17dc}' | '\u{17dd}'
            | '\u{1950}'..='\u{19c9}'
            | '\u{1a20}'..='\u{1a7c}' | '\u{1aa0}'..='\u{1aad}'
            | '\u{a9e0}'..='\u{a9ef}' | '\u{a9fa}'..='\u{a9fe}' | '\u{aa60}'..='\u{aadf}')
    })
}

/// Whether the segment is an emoji outside the basic plane, or a flag. Symbols such as `™` and `☂`, of which
/// Lucene makes tokens, are not words here.
fn is_emoji(segment: &str) -> bool {
    let mut characters = segment.chars();
    match characters.next() {
        Some('\u{1f1e6}'..='\u{1f1ff}') => matches!(characters.next(), Some('\u{1f1e6}'..='\u{1f1ff}')),
        Some('\u{1f300}'..='\u{1f53d}' | '\u{1f546}'..='\u{1f64f}' | '\u{1f680}'..='\u{1f6ff}') => true,
        Some('\u{1f90c}'..='\u{1faff}') => true,
        _ => false,
    }
}

/// The character in lower case, by itself: one character always, and a sigma is the same in every place,
/// as Java's `Character.toLowerCase` has it.
pub(super) fn lower(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    // The only character that Unicode turns into two; its own simple mapping is the plain letter.
    if character == 'İ' {
        return 'i';
    }
    character.to_lowercase().next().unwrap_or(character)
}

/// The text in lower case, character by character.
pub(super) fn lower_case(text: &str) -> String {
    text.chars().map(lower).collect()
}

/// A word in lower case: itself if it is, or else the buffer.
pub(super) fn lowered<'a>(word: &'a str, buffer: &'a mut String) -> &'a str {
    let as_it_is = if word.is_ascii() {
        !word.bytes().any(|byte| byte.is_ascii_uppercase())
    } else {
        word.chars().all(|character| lower(character) == character)
    };
    if as_it_is {
        return word;
    }
    buffer.clear();
    buffer.extend(word.chars().map(lower));
    buffer
}

/// Whether a word in lower case is another, which is in lower case already.
pub(super) fn is_lowered(word: &str, lower_case: &str) -> bool {
    if word.is_ascii() {
        return word.eq_ignore_ascii_case(lower_case);
    }
    word.chars().map(lower).eq(lower_case.chars())
}

/// Whether no word of the text can have the literal in it, which is ASCII in lower case. Most texts lack it, and
/// that is seen sooner than where words begin.
pub(super) fn lacks(text: &str, literal: &str) -> bool {
    // Two characters beyond ASCII have one of ASCII as their lower case: the kelvin sign and the dotted I.
    find_ignoring_case(text.as_bytes(), literal.as_bytes(), 0).is_none()
        && (text.is_ascii() || !text.contains(['\u{212a}', 'İ']))
}

/// The place at or after `from` where a text contains the needle: ASCII in lower case and not empty, the text
/// in any.
pub(super) fn find_ignoring_case(text: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let (first, rest) = needle.split_first()?;
    let last_start = text.len().checked_sub(needle.len())?;
    let other_case = first.to_ascii_uppercase();
    let mut at = from;
    while at <= last_start {
        let skip = text[at..=last_start].iter().position(|byte| *byte == *first || *byte == other_case)?;
        at += skip;
        if text[at + 1..at + needle.len()].eq_ignore_ascii_case(rest) {
            return Some(at);
        }
        at += 1;
    }
    None
}
