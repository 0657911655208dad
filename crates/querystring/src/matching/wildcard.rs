//! Patterns of `?` and `*`.
//!
//! Between two stars the first place that fits is as good as any, so that nothing is tried twice. Where there
//! is a `?` between them, a place may cost as much as that part of the pattern is long.

use crate::tree::PatternPiece;

/// A pattern cut at its stars.
#[derive(Debug)]
pub(super) struct Wildcard {
    /// The text before the first star, or all there is.
    head: Vec<Piece>,
    /// The texts between stars, without the empty ones.
    middle: Vec<Vec<Piece>>,
    /// The text after the last star; `None` where there is no star.
    tail: Option<Vec<Piece>>,
}

#[derive(Debug, Clone)]
enum Piece {
    Literal(String),
    AnyCharacter,
}

impl Wildcard {
    /// The pattern, its literal characters through `map`.
    pub(super) fn new(pieces: &[PatternPiece], map: impl Fn(&str) -> String) -> Wildcard {
        let mut parts: Vec<Vec<Piece>> = vec![Vec::new()];
        for piece in pieces {
            let piece = match piece {
                PatternPiece::AnyText => {
                    parts.push(Vec::new());
                    continue;
                }
                PatternPiece::AnyCharacter => Piece::AnyCharacter,
                PatternPiece::Literal(text) => Piece::Literal(map(text)),
            };
            if let Some(part) = parts.last_mut() {
                part.push(piece);
            }
        }
        let tail = if parts.len() > 1 { parts.pop() } else { None };
        let mut parts = parts.into_iter();
        let head = parts.next().unwrap_or_default();
        Wildcard { head, middle: parts.filter(|part| !part.is_empty()).collect(), tail }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.matches_to_the_end(text).is_some()
    }

    fn matches_to_the_end(&self, text: &str) -> Option<()> {
        let rest = after(&self.head, text)?;
        let Some(tail) = &self.tail else {
            return rest.is_empty().then_some(());
        };
        let mut rest = before(tail, rest)?;
        for part in &self.middle {
            rest = after_first(part, rest)?;
        }
        Some(())
    }

    /// The text that everything that matches begins with, and whether that is all of it.
    pub(super) fn prefix(&self) -> (&str, bool) {
        match self.head.as_slice() {
            [] => ("", self.tail.is_none()),
            [Piece::Literal(text)] => (text, self.tail.is_none()),
            [Piece::Literal(text), ..] => (text, false),
            [Piece::AnyCharacter, ..] => ("", false),
        }
    }

    /// The longest text that everything that matches contains.
    pub(super) fn literal(&self) -> Option<&str> {
        let parts = std::iter::once(&self.head).chain(&self.middle).chain(&self.tail);
        parts
            .flatten()
            .filter_map(|piece| match piece {
                Piece::Literal(text) => Some(text.as_str()),
                Piece::AnyCharacter => None,
            })
            .max_by_key(|text| text.len())
    }
}

/// What follows the part, if the text begins with it.
fn after<'a>(part: &[Piece], text: &'a str) -> Option<&'a str> {
    part.iter().try_fold(text, |rest, piece| match piece {
        Piece::Literal(literal) => rest.strip_prefix(literal.as_str()),
        Piece::AnyCharacter => {
            let mut characters = rest.chars();
            characters.next().map(|_| characters.as_str())
        }
    })
}

/// What comes before the part, if the text ends with it.
fn before<'a>(part: &[Piece], text: &'a str) -> Option<&'a str> {
    part.iter().rev().try_fold(text, |rest, piece| match piece {
        Piece::Literal(literal) => rest.strip_suffix(literal.as_str()),
        Piece::AnyCharacter => {
            let mut characters = rest.chars();
            characters.next_back().map(|_| characters.as_str())
        }
    })
}

/// What follows the first place of the part in the text.
fn after_first<'a>(part: &[Piece], text: &'a str) -> Option<&'a str> {
    let mut text = text;
    loop {
        // A literal is looked for with the quick search that strings have.
        if let Some(Piece::Literal(literal)) = part.first() {
            text = text.get(text.find(literal.as_str())?..)?;
        }
        if let Some(rest) = after(part, text) {
            return Some(rest);
        }
        let mut characters = text.chars();
        characters.next()?;
        text = characters.as_str();
    }
}
