//! Random queries: from the grammar, from the grammar and then damaged, and tokens in any order.

use super::random::Random;

/// What damages a query, and what token soup is made of.
const PIECES: [&str; 62] = [
    " ",
    "  ",
    "\t",
    "\u{3000}",
    "\n",
    "\u{a0}",
    "+",
    "-",
    "!",
    "(",
    ")",
    ":",
    "^",
    "^2",
    "^0.5",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "~",
    "~1",
    "~2",
    "*",
    "?",
    "\\",
    "\\*",
    "\\u00e9",
    "\\u12",
    "\\ ",
    "\\\\",
    "/",
    "\\/",
    "&&",
    "||",
    "&",
    "|",
    "AND",
    " AND ",
    "OR",
    " OR ",
    "NOT",
    " NOT ",
    " TO ",
    "TO",
    "to",
    "a",
    "b",
    "abc",
    "1",
    "2.5",
    "é",
    "𝒳",
    "+ ",
    "- ",
    ">",
    "<=",
    "@",
    ".",
    "'",
    "_exists_:",
    "f:",
];

/// Words; some look like syntax and are none.
const WORDS: [&str; 34] = [
    "a",
    "b",
    "c",
    "abc",
    "London",
    "new",
    "york",
    "x1",
    "10",
    "2.5",
    "2020-01-01",
    "a+b",
    "a-b",
    "a&&b",
    "a|b",
    "and",
    "or",
    "TO",
    "ANDroid",
    "NOTE",
    "o'neil",
    "a@b.com",
    "a,b;c",
    "=",
    "<",
    ">",
    ">=",
    ">10",
    "<=now-1d",
    "été",
    "日本",
    "𝒳y",
    "@a",
    "&",
];

/// Escapes, as a part of a word.
const ESCAPES: [&str; 16] = [
    "\\*",
    "\\?",
    "\\:",
    "\\ ",
    "\\\"",
    "\\\\",
    "\\/",
    "\\(",
    "\\+",
    "\\-",
    "\\u0041",
    "\\u00e9",
    "\\ud835\\udcb3",
    "\\a",
    "\\AND",
    "\\@",
];

const FIELDS: [&str; 10] = [
    "name",
    "f",
    "attributes.city",
    "accounts.source.name",
    "f\\:g",
    "f\\ g",
    "attributes.\\*",
    "*",
    "_exists_",
    "été",
];

const REGEXES: [&str; 24] = [
    "",
    "a.*b",
    "[a-z]+",
    "[^a]b?",
    "a|b",
    "(ab){2,3}",
    "a\\/b",
    "~(ab)",
    "a&.*",
    "<1-99>",
    "@",
    "#",
    "\"a.b\"",
    "()",
    "(",
    "a{",
    "[",
    "[b-a]",
    "<a>",
    "a)",
    "\\d+\\W",
    "[\\s\\w-z]",
    "|a",
    "a\\u0041",
];

const REGEX_PIECES: [&str; 34] = [
    "a", "b", "c", "é", "0", "1", "2", "|", "&", "~", "(", ")", "(", ")", "[", "]", "[", "]", "^", "-", "{",
    "}", ",", "?", "*", "+", ".", "@", "#", "\"", "<", ">", "\\", "\\/",
];

const RANGE_WORDS: [&str; 18] = [
    "*",
    "1",
    "10",
    "a",
    "zz",
    "2020-01-01T00:00:00Z",
    "now-1d/d",
    "\"a b\"",
    "\"x\"",
    "\"a\\\"b\"",
    "a\\ ",
    "TO",
    "\\*",
    "\"*\"",
    "\"\"",
    "a\"b",
    "\\u0041",
    "(a)",
];

/// A generator of queries.
pub(crate) struct Generator {
    random: Random,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Generator { random: Random::new(seed) }
    }

    /// The next query.
    pub(crate) fn query(&mut self) -> String {
        match self.random.below(10) {
            0 => self.soup(),
            1..=3 => {
                let query = self.list(0);
                self.damaged(&query)
            }
            _ => self.list(0),
        }
    }

    fn soup(&mut self) -> String {
        let pieces = 1 + self.random.below(9);
        (0..pieces).map(|_| self.random.one(&PIECES)).collect()
    }

    /// Some characters taken away, put in, or replaced, or a stretch doubled.
    fn damaged(&mut self, query: &str) -> String {
        let mut characters: Vec<char> = query.chars().collect();
        for _ in 0..=self.random.below(3) {
            let at = self.random.below(characters.len() + 1);
            let end = (at + 1 + self.random.below(3)).min(characters.len());
            match self.random.below(4) {
                0 => drop(characters.drain(at..end)),
                1 => drop(characters.splice(at..at, self.random.one(&PIECES).chars())),
                2 => drop(characters.splice(at..end, self.random.one(&PIECES).chars())),
                _ => {
                    let stretch: Vec<char> = characters[at..end].to_vec();
                    characters.splice(at..at, stretch);
                }
            }
        }
        characters.into_iter().collect()
    }

    fn space(&mut self) -> &'static str {
        if self.random.once_in(12) { self.random.one(&["  ", "\t", "\n", "\u{3000}", " \t "]) } else { " " }
    }

    fn maybe_space(&mut self) -> &'static str {
        if self.random.once_in(10) { self.space() } else { "" }
    }

    fn list(&mut self, depth: usize) -> String {
        let mut list = self.clause(depth);
        let more = if depth == 0 { self.random.below(6) } else { self.random.below(3) };
        for _ in 0..more {
            let operator = match self.random.below(10) {
                0..=1 => "AND",
                2 => "&&",
                3 => "OR",
                4 => "||",
                _ => "",
            };
            list.push_str(self.space());
            if !operator.is_empty() {
                list.push_str(operator);
                list.push_str(self.space());
            }
            list.push_str(&self.clause(depth));
        }
        list
    }

    fn clause(&mut self, depth: usize) -> String {
        let mut clause = String::new();
        match self.random.below(14) {
            0 => clause.push('+'),
            1 => clause.push('-'),
            2 => clause.push_str("NOT "),
            3 => clause.push('!'),
            _ => {}
        }
        if self.random.once_in(3) {
            let field = self.random.one(&FIELDS);
            let (before, after) = (self.maybe_space(), self.maybe_space());
            clause.push_str(&format!("{field}{before}:{after}"));
        }
        if depth < 4 && self.random.once_in(4) {
            let list = self.list(depth + 1);
            let (before, after, boost) = (self.maybe_space(), self.maybe_space(), self.maybe_boost());
            clause.push_str(&format!("({before}{list}{after}){boost}"));
        } else {
            clause.push_str(&self.value());
        }
        clause
    }

    fn value(&mut self) -> String {
        match self.random.below(20) {
            0..=8 => {
                let (word, suffixes) = (self.word(), self.suffixes());
                word + &suffixes
            }
            9..=11 => {
                let (quoted, suffixes) = (self.quoted(), self.suffixes());
                quoted + &suffixes
            }
            12 => {
                let (word, suffixes) = (self.word(), self.suffixes());
                word + "*" + &suffixes
            }
            13..=14 => {
                let (one, first) = (self.random.one(&["*", "?", "a*", "b?c", "**"]), self.random.once_in(2));
                let (word, suffixes) = (self.word(), self.suffixes());
                if first { format!("{one}{word}{suffixes}") } else { format!("{word}{one}{word}{suffixes}") }
            }
            15 => {
                let listed = self.random.once_in(3);
                let expression = if listed { self.random.one(&REGEXES).to_owned() } else { self.regex() };
                let suffixes = self.suffixes();
                format!("/{expression}/{suffixes}")
            }
            16 => "*".to_owned() + &self.maybe_boost(),
            17 => self.random.one(&["+ ", "- ", "! ", "-\t"]).to_owned(),
            _ => self.range(),
        }
    }

    fn word(&mut self) -> String {
        let mut word = self.random.one(&WORDS).to_owned();
        while self.random.once_in(5) {
            let more =
                if self.random.once_in(2) { self.random.one(&WORDS) } else { self.random.one(&ESCAPES) };
            word = if self.random.once_in(2) { format!("{word}{more}") } else { format!("{more}{word}") };
        }
        word
    }

    fn quoted(&mut self) -> String {
        let words = self.random.below(4);
        let words: Vec<&str> = (0..words)
            .map(|_| match self.random.below(8) {
                0 => self.random.one(&ESCAPES),
                1 => self.random.one(&["*", "?", "(", ":", "AND", "/", "  ", "~"]),
                _ => self.random.one(&WORDS),
            })
            .collect();
        format!("\"{}\"", words.join(" "))
    }

    /// Any order of the characters that mean something in a regular expression. It is short, because Lucene
    /// unfolds repetitions.
    fn regex(&mut self) -> String {
        let pieces = 1 + self.random.below(8);
        (0..pieces).map(|_| self.random.one(&REGEX_PIECES)).collect()
    }

    fn range(&mut self) -> String {
        let (open, close) = (self.random.one(&["[", "{"]), self.random.one(&["]", "}"]));
        let (lower, upper) = (self.random.one(&RANGE_WORDS), self.random.one(&RANGE_WORDS));
        let (before, after) = (self.maybe_space(), self.maybe_space());
        let to = if self.random.once_in(30) { self.random.one(&["to", "TO TO", "\tTO"]) } else { "TO" };
        let boost = self.maybe_boost();
        format!("{open}{before}{lower} {to} {upper}{after}{close}{boost}")
    }

    fn maybe_boost(&mut self) -> String {
        if self.random.once_in(12) {
            self.maybe_space().to_owned() + self.random.one(&["^2", "^0.5", "^1", "^10", "^0"])
        } else {
            String::new()
        }
    }

    fn suffixes(&mut self) -> String {
        let tilde = if self.random.once_in(6) {
            self.random.one(&[
                "~", "~", "~0", "~1", "~2", "~3", "~5", "~1.0", "~0.8", "~1.5", "~10", "~2f", "~AUTO", "~x",
                "~-1", " ~1",
            ])
        } else {
            ""
        };
        let boost = self.maybe_boost();
        if self.random.once_in(2) { format!("{tilde}{boost}") } else { format!("{boost}{tilde}") }
    }
}
