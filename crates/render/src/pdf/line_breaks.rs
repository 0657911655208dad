//! Where lines are broken.
//!
//! A line ends after a space, or before or after an ideograph. A word that is longer than a whole line (an id, a name in a
//! directory) is divided after its punctuation, and where it has none, anywhere: nothing is ever lost or outside its
//! column.

use std::ops::Range;

/// The smallest piece of a text that a line break leaves whole: a letter with its marks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) advance: f32,
    kind: BreakKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BreakKind {
    Space,
    /// A long word may be divided after it.
    Joint,
    /// A line may end before it and after it.
    Ideograph,
    /// East Asian punctuation that must not begin a line.
    Closing,
    Other,
}

impl Unit {
    pub(super) fn new(character: char, start: usize, end: usize, advance: f32) -> Self {
        Self { start, end, advance, kind: kind(character) }
    }

    pub(super) fn is_space(&self) -> bool {
        self.kind == BreakKind::Space
    }

    /// Whether a long word may be divided after it.
    pub(super) fn is_joint(&self) -> bool {
        self.kind == BreakKind::Joint
    }

    pub(super) fn breaks_anywhere(&self) -> bool {
        self.kind == BreakKind::Ideograph
    }
}

fn kind(character: char) -> BreakKind {
    match character {
        ' ' | '\u{2002}'..='\u{2006}' | '\u{2008}'..='\u{200b}' | '\u{3000}' => BreakKind::Space,
        '-' | '/' | '\\' | ';' | ',' | '_' | '@' | '.' | ':' | '&' | '|' | '+' | '\u{2010}' | '\u{2013}' => {
            BreakKind::Joint
        }
        '\u{3001}' | '\u{3002}' | '\u{300d}' | '\u{300f}' | '\u{3009}' | '\u{300b}' | '\u{3011}'
        | '\u{ff0c}' | '\u{ff0e}' | '\u{ff1a}' | '\u{ff1b}' | '\u{ff01}' | '\u{ff1f}' | '\u{ff09}'
        | '\u{30fc}' | '\u{30fb}' | '\u{3005}' => BreakKind::Closing,
        '\u{2e80}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9d}'
        | '\u{20000}'..='\u{3ffff}' => BreakKind::Ideograph,
        _ => BreakKind::Other,
    }
}

/// The lines: ranges of units, each at least one unit long, that follow one another without a gap. A text of no units
/// has no line.
pub(super) fn break_lines(units: &[Unit], width: f32) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    while start < units.len() {
        let end = line_end(units, start, width);
        lines.push(start..end);
        start = end;
    }
    lines
}

fn line_end(units: &[Unit], start: usize, width: f32) -> usize {
    let mut pen = 0.0;
    // The last places where the line may end: between words, and inside a word.
    let (mut between, mut inside) = (start, start);
    for index in start..units.len() {
        let unit = units[index];
        if unit.kind == BreakKind::Space {
            pen += unit.advance;
            between = index + 1;
            continue;
        }
        let next_to_ideograph = index > start
            && (unit.kind == BreakKind::Ideograph
                || matches!(units[index - 1].kind, BreakKind::Ideograph | BreakKind::Closing))
            && unit.kind != BreakKind::Closing;
        if next_to_ideograph {
            between = index;
        }
        if pen + unit.advance > width && index > start {
            if between > start && (word_width(&units[between..]) <= width || inside <= between) {
                return between;
            }
            return if inside > between.max(start) { inside } else { index };
        }
        pen += unit.advance;
        if unit.kind == BreakKind::Joint {
            inside = index + 1;
        }
    }
    units.len()
}

/// The width of the word at the beginning.
fn word_width(units: &[Unit]) -> f32 {
    let word = units.iter().enumerate().take_while(|(index, unit)| {
        unit.kind != BreakKind::Space && (*index == 0 || unit.kind != BreakKind::Ideograph)
    });
    word.map(|(_, unit)| unit.advance).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks a text whose letters are all one wide.
    fn broken(text: &str, width: f32) -> Vec<String> {
        let units: Vec<Unit> = text
            .char_indices()
            .map(|(at, character)| Unit::new(character, at, at + character.len_utf8(), 1.0))
            .collect();
        let piece = |line: Range<usize>| text[units[line.start].start..units[line.end - 1].end].to_owned();
        break_lines(&units, width).into_iter().map(piece).collect()
    }

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(broken("one two three", 7.0), ["one two ", "three"]);
        assert_eq!(broken("a well-known x", 10.0), ["a ", "well-known ", "x"]);
        assert_eq!(broken("", 7.0), Vec::<String>::new());
    }

    #[test]
    fn long_words_are_divided_after_punctuation_and_then_anywhere() {
        assert_eq!(broken("cn=Ann,ou=People,dc=example", 10.0), ["cn=Ann,", "ou=People,", "dc=example"]);
        assert_eq!(broken("0123456789abcdef", 6.0), ["012345", "6789ab", "cdef"]);
        assert_eq!(broken("id 0123456789abcdef", 6.0), ["id ", "012345", "6789ab", "cdef"]);
        assert_eq!(broken("xy", 0.5), ["x", "y"]);
    }

    #[test]
    fn ideographs_part_anywhere_but_no_line_begins_with_a_full_stop() {
        assert_eq!(broken("山田太郎です。", 3.0), ["山田太", "郎で", "す。"]);
    }
}
