//! Regular expressions in the syntax of Lucene's `RegExp` with all of its optional operators.
//!
//! An expression matches a whole token, and has no anchors. Beside the usual operators there are `&` (both
//! match), `~` (does not match what follows), `@` (any text), `#` (nothing at all), `<1-99>` (a number in
//! decimal) and `"..."` (literal text). A backslash takes the next character as it is, so `\d` is the letter.

use thiserror::Error;

/// How deep an expression may nest, repetitions of repetitions included.
const DEPTH_MAX: usize = 100;

/// A regular expression. The order of strings is by Unicode code points.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RegexNode {
    /// One of these matches.
    Union(Vec<RegexNode>),
    /// All of these match: `&`.
    Intersection(Vec<RegexNode>),
    /// One after the other.
    Concatenation(Vec<RegexNode>),
    /// So many times.
    Repeat {
        /// What is repeated.
        node: Box<RegexNode>,
        /// How often at least.
        least: u32,
        /// How often at most, if there is a limit; below `least` nothing matches.
        most: Option<u32>,
    },
    /// Everything that the inner expression does not match: `~`.
    Complement(Box<RegexNode>),
    /// This text; the empty one for `()`, `""` and an empty expression.
    Text(String),
    /// One character of a set: `[a-z]`, `[^a-z]`.
    Class(RegexClass),
    /// One character of any kind: `.`.
    AnyCharacter,
    /// Any text, the empty one too: `@`.
    AnyText,
    /// No text whatever: `#`.
    Nothing,
    /// A number in decimal: `<1-99>`.
    Interval {
        /// The least number.
        least: u32,
        /// The greatest.
        greatest: u32,
        /// With how many digits it has to be written; 0 for any number of leading zeros.
        digits: usize,
    },
}

/// A set of characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegexClass {
    /// Whether the set is of the characters that are not listed.
    pub negated: bool,
    /// The first and the last character of each range, both in it.
    pub ranges: Vec<(char, char)>,
}

/// An expression that the syntax does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected {expected}")]
pub struct RegexError {
    /// Byte offset in the expression.
    pub offset: usize,
    /// What was expected there.
    pub expected: &'static str,
}

/// Reads an expression as it is written between the slashes of a query.
///
/// # Errors
/// The first mistake. A named automaton (`<name>`) is one: there are none.
pub fn parse_regex(text: &str) -> Result<RegexNode, RegexError> {
    let mut parser = RegexParser { text, position: 0 };
    if text.is_empty() {
        return Ok(RegexNode::Text(String::new()));
    }
    let node = parser.union(0)?;
    // Only a `)` ends a union before the end of the text.
    if parser.position < text.len() {
        return Err(parser.expected("`(` before this `)`, or `\\)` for the character"));
    }
    Ok(node)
}

struct RegexParser<'a> {
    text: &'a str,
    position: usize,
}

impl RegexParser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.position..).and_then(|rest| rest.chars().next())
    }

    fn next(&mut self) -> Result<char, RegexError> {
        let character = self.peek().ok_or_else(|| self.expected("another character before its end"))?;
        self.position += character.len_utf8();
        Ok(character)
    }

    fn accept(&mut self, character: char) -> bool {
        let there = self.peek() == Some(character);
        if there {
            self.position += character.len_utf8();
        }
        there
    }

    fn require(&mut self, character: char, expected: &'static str) -> Result<(), RegexError> {
        if self.accept(character) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn expected(&self, expected: &'static str) -> RegexError {
        RegexError { offset: self.position, expected }
    }

    fn check_depth(&self, depth: usize) -> Result<(), RegexError> {
        if depth > DEPTH_MAX { Err(self.expected("at most 100 levels of nesting")) } else { Ok(()) }
    }

    fn union(&mut self, depth: usize) -> Result<RegexNode, RegexError> {
        let mut nodes = vec![self.intersection(depth)?];
        while self.accept('|') {
            nodes.push(self.intersection(depth)?);
        }
        Ok(one_or(nodes, RegexNode::Union))
    }

    fn intersection(&mut self, depth: usize) -> Result<RegexNode, RegexError> {
        let mut nodes = vec![self.concatenation(depth)?];
        while self.accept('&') {
            nodes.push(self.concatenation(depth)?);
        }
        Ok(one_or(nodes, RegexNode::Intersection))
    }

    /// At least one piece, whatever it begins with: `|a` is the character `|` and an `a`.
    fn concatenation(&mut self, depth: usize) -> Result<RegexNode, RegexError> {
        let mut nodes: Vec<RegexNode> = Vec::new();
        loop {
            let node = self.repeat(depth)?;
            match (nodes.last_mut(), node) {
                (Some(RegexNode::Text(text)), RegexNode::Text(more)) => text.push_str(&more),
                (_, node) => nodes.push(node),
            }
            if matches!(self.peek(), None | Some(')' | '|' | '&')) {
                return Ok(one_or(nodes, RegexNode::Concatenation));
            }
        }
    }

    fn repeat(&mut self, depth: usize) -> Result<RegexNode, RegexError> {
        let mut node = self.complement(depth)?;
        let mut depth = depth;
        loop {
            let (least, most) = if self.accept('?') {
                (0, Some(1))
            } else if self.accept('*') {
                (0, None)
            } else if self.accept('+') {
                (1, None)
            } else if self.accept('{') {
                self.counts()?
            } else {
                return Ok(node);
            };
            depth += 1;
            self.check_depth(depth)?;
            node = RegexNode::Repeat { node: Box::new(node), least, most };
        }
    }

    /// `n}`, `n,}` or `n,m}`.
    fn counts(&mut self) -> Result<(u32, Option<u32>), RegexError> {
        let expected = "a number of repetitions as in `{2}`, `{2,}` or `{2,5}`, or `\\{` for the character";
        let least = self.count(expected)?.ok_or_else(|| self.expected(expected))?;
        let most = if self.accept(',') { self.count(expected)? } else { Some(least) };
        self.require('}', expected)?;
        Ok((least, most))
    }

    /// Digits as a number that fits Java's `int`; `None` where there are none.
    fn count(&mut self, expected: &'static str) -> Result<Option<u32>, RegexError> {
        let start = self.position;
        while self.peek().is_some_and(|character| character.is_ascii_digit()) {
            self.position += 1;
        }
        if start == self.position {
            return Ok(None);
        }
        match int(&self.text[start..self.position]) {
            Some(count) => Ok(Some(count)),
            None => Err(RegexError { offset: start, expected }),
        }
    }

    fn complement(&mut self, depth: usize) -> Result<RegexNode, RegexError> {
        self.check_depth(depth)?;
        if self.accept('~') {
            return Ok(RegexNode::Complement(Box::new(self.complement(depth + 1)?)));
        }
        if self.accept('[') {
            return self.class();
        }
        self.simple(depth)
    }

    /// After `[`.
    fn class(&mut self) -> Result<RegexNode, RegexError> {
        let expected = "`]` to close the set of characters";
        let mut class = RegexClass { negated: self.accept('^'), ranges: Vec::new() };
        loop {
            if self.peek().is_none() {
                return Err(self.expected(expected));
            }
            let start = self.position;
            let first = self.character()?;
            let last = if self.accept('-') { self.character()? } else { first };
            if first > last {
                return Err(RegexError {
                    offset: start,
                    expected: "a range of characters in ascending order",
                });
            }
            class.ranges.push((first, last));
            if self.accept(']') {
                return Ok(RegexNode::Class(class));
            }
        }
    }

    fn simple(&mut self, depth: usize) -> Result<RegexNode, RegexError> {
        if self.accept('.') {
            return Ok(RegexNode::AnyCharacter);
        }
        if self.accept('#') {
            return Ok(RegexNode::Nothing);
        }
        if self.accept('@') {
            return Ok(RegexNode::AnyText);
        }
        if self.accept('"') {
            return Ok(RegexNode::Text(self.until('"', "`\"` to close the literal text")?));
        }
        if self.accept('(') {
            if self.accept(')') {
                return Ok(RegexNode::Text(String::new()));
            }
            let node = self.union(depth + 1)?;
            self.require(')', "`)` to close the group")?;
            return Ok(node);
        }
        if self.accept('<') {
            return self.interval();
        }
        Ok(RegexNode::Text(self.character()?.to_string()))
    }

    /// The text up to a character, which is taken too.
    fn until(&mut self, end: char, expected: &'static str) -> Result<String, RegexError> {
        let start = self.position;
        let rest = &self.text[start..];
        let Some(bytes) = rest.find(end) else {
            self.position = self.text.len();
            return Err(self.expected(expected));
        };
        self.position += bytes + end.len_utf8();
        Ok(rest[..bytes].to_owned())
    }

    /// After `<`.
    fn interval(&mut self) -> Result<RegexNode, RegexError> {
        let start = self.position;
        let text = self.until('>', "`>` to close the interval, or `\\<` for the character")?;
        let error = RegexError { offset: start, expected: "an interval of numbers as in `<1-99>`" };
        let Some((first, second)) = text.split_once('-') else {
            return Err(error);
        };
        let (Some(one), Some(other)) = (int(first), int(second)) else {
            return Err(error);
        };
        let digits = if first.len() == second.len() { first.len() } else { 0 };
        Ok(RegexNode::Interval { least: one.min(other), greatest: one.max(other), digits })
    }

    /// One character, taken as it is after a backslash.
    fn character(&mut self) -> Result<char, RegexError> {
        self.accept('\\');
        self.next()
    }
}

/// The only node there is, or what combines them.
fn one_or(mut nodes: Vec<RegexNode>, combined: fn(Vec<RegexNode>) -> RegexNode) -> RegexNode {
    if nodes.len() == 1 { nodes.remove(0) } else { combined(nodes) }
}

/// A number as Java's `Integer.parseInt` reads it, negative ones apart.
fn int(text: &str) -> Option<u32> {
    text.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::{RegexClass, RegexNode, parse_regex};

    fn text(text: &str) -> RegexNode {
        RegexNode::Text(text.to_owned())
    }

    fn repeat(node: RegexNode, least: u32, most: Option<u32>) -> RegexNode {
        RegexNode::Repeat { node: Box::new(node), least, most }
    }

    fn class(negated: bool, ranges: &[(char, char)]) -> RegexNode {
        RegexNode::Class(RegexClass { negated, ranges: ranges.to_vec() })
    }

    #[test]
    fn reads_every_operator() {
        let all = |nodes: &[RegexNode]| RegexNode::Concatenation(nodes.to_vec());
        for (expression, expected) in [
            ("", text("")),
            ("()", text("")),
            ("abc", text("abc")),
            ("a\\.b", text("a.b")),
            ("\"a.b\"c", text("a.bc")),
            // No expression begins with an operator, so that these are characters.
            ("*a", text("*a")),
            ("|a", text("|a")),
            ("ab*", all(&[text("a"), repeat(text("b"), 0, None)])),
            ("a+|b?", RegexNode::Union(vec![repeat(text("a"), 1, None), repeat(text("b"), 0, Some(1))])),
            ("(ab){2}", repeat(text("ab"), 2, Some(2))),
            ("a{2,}", repeat(text("a"), 2, None)),
            ("a{2,5}?", repeat(repeat(text("a"), 2, Some(5)), 0, Some(1))),
            ("[a-c_]", class(false, &[('a', 'c'), ('_', '_')])),
            ("[^]a]", class(true, &[(']', ']'), ('a', 'a')])),
            ("[-\\]]", class(false, &[('-', '-'), (']', ']')])),
            ("\\d", text("d")),
            (
                "~a.@",
                all(&[
                    RegexNode::Complement(Box::new(text("a"))),
                    RegexNode::AnyCharacter,
                    RegexNode::AnyText,
                ]),
            ),
            (
                "a&b|#",
                RegexNode::Union(vec![
                    RegexNode::Intersection(vec![text("a"), text("b")]),
                    RegexNode::Nothing,
                ]),
            ),
            ("<01-20>", RegexNode::Interval { least: 1, greatest: 20, digits: 2 }),
            ("<20-1>", RegexNode::Interval { least: 1, greatest: 20, digits: 0 }),
        ] {
            assert_eq!(parse_regex(expression), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn says_where_and_what_was_expected() {
        for (expression, offset) in [
            ("a(", 2),
            ("a)", 1),
            ("(a", 2),
            ("[a", 2),
            ("[", 1),
            ("[b-a]", 1),
            ("a{", 2),
            ("a{x}", 2),
            ("a{2", 3),
            ("\"a", 2),
            ("<1-", 3),
            ("<a>", 1),
            ("<1-2-3>", 1),
            ("a\\", 2),
            ("a|", 2),
            ("é~", 3),
            ("a{99999999999}", 2),
        ] {
            let error = parse_regex(expression).expect_err(expression);
            assert_eq!(error.offset, offset, "{expression}: {error}");
        }
        assert!(parse_regex(&"(".repeat(10_000)).is_err());
        assert!(parse_regex(&"~".repeat(10_000)).is_err());
        assert!(parse_regex(&format!("a{}", "*".repeat(10_000))).is_err());
    }
}
