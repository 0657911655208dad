//! Undoing backslashes: `\x` is `x`, `\uXXXX` a UTF-16 code unit.

use crate::error::Problem;
use crate::tree::PatternPiece;

/// A piece of text that cannot be unescaped: the byte offset in it, and why.
pub(crate) type EscapeError = (usize, Problem);

/// The text with its escapes undone. Two `\u` escapes may form a surrogate pair; a half alone is not a character.
pub(crate) fn unescape(raw: &str) -> Result<String, EscapeError> {
    let mut text = String::with_capacity(raw.len());
    let mut high: Option<(usize, u16)> = None;
    let mut characters = raw.char_indices();
    while let Some((offset, character)) = characters.next() {
        let mut plain = character;
        if character == '\\' {
            match characters.next() {
                None => return Err((offset, Problem::TrailingEscape)),
                Some((_, 'u')) => {
                    let digits = raw.get(offset + 2..offset + 6).ok_or((offset, Problem::UnicodeEscape))?;
                    let unit = hexadecimal(digits).ok_or((offset, Problem::UnicodeEscape))?;
                    for _ in 0..4 {
                        characters.next();
                    }
                    match (high.take(), unit) {
                        (None, 0xd800..=0xdbff) => {
                            high = Some((offset, unit));
                            continue;
                        }
                        (Some((_, first)), 0xdc00..=0xdfff) => {
                            text.extend(char::decode_utf16([first, unit]).map_while(Result::ok));
                            continue;
                        }
                        (Some((start, first)), _) => {
                            return Err((start, Problem::LoneSurrogate { unit: first }));
                        }
                        (None, _) => {
                            plain = char::from_u32(u32::from(unit))
                                .ok_or((offset, Problem::LoneSurrogate { unit }))?;
                        }
                    }
                }
                Some((_, escaped)) => plain = escaped,
            }
        }
        if let Some((start, unit)) = high {
            return Err((start, Problem::LoneSurrogate { unit }));
        }
        text.push(plain);
    }
    match high {
        Some((start, unit)) => Err((start, Problem::LoneSurrogate { unit })),
        None => Ok(text),
    }
}

/// Four ASCII hexadecimal digits, nothing else (`u16::from_str_radix` would take a sign).
fn hexadecimal(digits: &str) -> Option<u16> {
    if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        u16::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

/// The pieces of a wildcard pattern. As in Lucene's `WildcardQuery`, a backslash takes the next character as it
/// is, whatever it is: `\u0041` is here a `u` and four digits.
pub(crate) fn pattern_pieces(raw: &str) -> Vec<PatternPiece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        let piece = match character {
            '*' => PatternPiece::AnyText,
            '?' => PatternPiece::AnyCharacter,
            // The lexer lets no token end in a backslash.
            '\\' => {
                literal.extend(characters.next());
                continue;
            }
            other => {
                literal.push(other);
                continue;
            }
        };
        if !literal.is_empty() {
            pieces.push(PatternPiece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(piece);
    }
    if !literal.is_empty() {
        pieces.push(PatternPiece::Literal(literal));
    }
    pieces
}
