//! Tests of one text.

use std::collections::HashSet;
use std::fmt;
use std::ops::Bound as Limit;
use std::sync::Arc;

use super::dfa::{Dfa, TooComplex, Work};
use super::free::{Free, OtherValues};
use super::fuzzy::Fuzzy;
use super::needle::{NEEDLES_MAX, Needle};
use super::phrase::Phrase;
use super::regular;
use super::tokens::{
    Tokens, find_ignoring_case, is_boundary, is_lowered, lacks, lower_case, lowered, tokens_lower_case,
};
use super::wildcard::Wildcard;
use chrono::{DateTime, Utc};

use crate::regex::{RegexNode, parse_regex};
use crate::tree::{Bound, Value};

/// A compiled test of one text. Cheap to clone.
///
/// For a field of several values it is asked about each.
#[derive(Clone)]
pub struct TextTest {
    test: Arc<Test>,
}

#[derive(Debug)]
enum Test {
    /// Some word of the text is one of these few, which are in lower case.
    Words(Vec<String>),
    /// Some word of the text is one of these many.
    ManyWords(HashSet<String>),
    Phrase(Phrase),
    /// Some word of the text, in lower case, has this shape.
    Word {
        shape: TextShape,
        /// ASCII in lower case that every such word has in it.
        literal: Option<String>,
    },
    /// The text as it is has this shape.
    Whole {
        shape: TextShape,
        bounds: Option<TextBounds>,
    },
    /// The text as it is is one of these many.
    ManyWhole {
        texts: HashSet<String>,
        bounds: TextBounds,
    },
    /// A value of a free map, by what it is itself.
    Free {
        typed: Free,
        /// For what `typed` does not decide; `None` where nothing else passes.
        others: Option<TextTest>,
    },
    /// One of these passes.
    AnyOf(Vec<TextTest>),
}

/// Up to so many words or texts are compared one by one; of more, each word of a text is looked up.
const FEW: usize = 4;

/// What a whole string has to be.
#[derive(Debug)]
enum TextShape {
    Is(String),
    BeginsWith(String),
    Wildcard(Wildcard),
    Fuzzy(Fuzzy),
    /// A regular expression.
    Automaton(Box<Dfa>),
    Between(Limit<String>, Limit<String>),
}

/// A range of strings in the order of their bytes, which is that of their characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextBounds {
    /// The lower end, `None` where there is none.
    pub lower: Option<TextBound>,
    /// The upper end, `None` where there is none.
    pub upper: Option<TextBound>,
}

/// One end of a range of strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextBound {
    /// The limit.
    pub limit: String,
    /// Whether the limit itself belongs to the range.
    pub inclusive: bool,
}

impl TextTest {
    /// The test for a field of analysed text. `None` where analysis leaves nothing, so that the clause
    /// vanishes.
    ///
    /// A term of several words (`wi-fi`) asks for one of them, a phrase for all in order. Prefix, wildcard,
    /// regular expression, fuzzy term and range are not cut into words but put into lower case, and ask for
    /// one word of the text.
    ///
    /// # Errors
    /// A regular expression is too complex.
    pub fn analysed(value: &Value) -> Result<Option<TextTest>, TooComplex> {
        Self::analysed_within(value, &mut Work::new())
    }

    pub(super) fn analysed_within(value: &Value, work: &mut Work) -> Result<Option<TextTest>, TooComplex> {
        let test = match value {
            Value::Term(text) => {
                let words = tokens_lower_case(text);
                if words.is_empty() {
                    return Ok(None);
                }
                Test::Words(words)
            }
            Value::Phrase { text, slop } => {
                let words = tokens_lower_case(text);
                match words.len() {
                    0 => return Ok(None),
                    1 => Test::Words(words),
                    _ => Test::Phrase(Phrase::new(words, *slop)),
                }
            }
            Value::Prefix(_)
            | Value::Wildcard(_)
            | Value::Fuzzy { .. }
            | Value::Regex(_)
            | Value::Range { .. } => {
                let (shape, _) = TextShape::new(value, lower_case, work)?;
                let literal = shape.literal().filter(|text| text.is_ascii() && !text.is_empty());
                Test::Word { literal: literal.map(str::to_owned), shape }
            }
        };
        Ok(Some(test.into()))
    }

    /// The test for a field that is compared whole and with case. A phrase is a term there.
    ///
    /// # Errors
    /// A regular expression is too complex.
    pub fn exact(value: &Value) -> Result<TextTest, TooComplex> {
        Self::exact_within(value, &mut Work::new())
    }

    pub(super) fn exact_within(value: &Value, work: &mut Work) -> Result<TextTest, TooComplex> {
        let (shape, bounds) = TextShape::new(value, str::to_owned, work)?;
        Ok(Test::Whole { shape, bounds }.into())
    }

    /// The test for a value of a free map, whose values say themselves what they are: a date or time by ISO 8601
    /// is compared as a moment, a number with numbers as a number, and everything else by its words. `analysed`
    /// is the test of words for the same value.
    #[must_use]
    pub fn free(value: &Value, analysed: TextTest, now: DateTime<Utc>) -> TextTest {
        let Some((typed, others)) = Free::new(value, now) else { return analysed };
        let others = match others {
            OtherValues::Fail => None,
            OtherValues::Words => Some(analysed),
            OtherValues::InOrder(phrase) => Self::analysed(&phrase).ok().flatten(),
            OtherValues::Exact => Self::exact(value).ok(),
        };
        Test::Free { typed, others }.into()
    }

    /// One test that passes what one of the tests passes; words and whole texts are looked up all at once.
    #[must_use]
    pub fn any_of(tests: &[TextTest]) -> TextTest {
        let (mut words, mut texts, mut others) = (HashSet::new(), HashSet::new(), Vec::new());
        for one in tests {
            match one.test.as_ref() {
                Test::Words(of_one) => words.extend(of_one.iter().cloned()),
                Test::ManyWords(of_one) => words.extend(of_one.iter().cloned()),
                Test::Whole { shape: TextShape::Is(text), .. } => {
                    texts.insert(text.clone());
                }
                Test::ManyWhole { texts: of_one, .. } => texts.extend(of_one.iter().cloned()),
                Test::AnyOf(of_one) => others.extend(of_one.iter().cloned()),
                Test::Phrase(_) | Test::Word { .. } | Test::Whole { .. } | Test::Free { .. } => {
                    others.push(one.clone());
                }
            }
        }
        match words.len() {
            0 => {}
            1..=FEW => others.push(Test::Words(words.into_iter().collect()).into()),
            _ => others.push(Test::ManyWords(words).into()),
        }
        if let (Some(least), Some(greatest)) = (texts.iter().min(), texts.iter().max()) {
            let bound = |limit: &String| Some(TextBound { limit: limit.clone(), inclusive: true });
            let bounds = TextBounds { lower: bound(least), upper: bound(greatest) };
            others.push(Test::ManyWhole { texts, bounds }.into());
        }
        if others.len() == 1 { others.remove(0) } else { Test::AnyOf(others).into() }
    }

    /// Whether a text passes.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self.test.as_ref() {
            Test::Words(words) => words.iter().any(|word| has_word(text, word)),
            Test::ManyWords(words) => {
                let mut buffer = String::new();
                Tokens::new(text).any(|word| words.contains(lowered(word, &mut buffer)))
            }
            Test::Phrase(phrase) => phrase.matches(text),
            Test::Word { shape, literal } => {
                if let Some(literal) = literal
                    && lacks(text, literal)
                {
                    return false;
                }
                let mut buffer = String::new();
                Tokens::new(text).any(|word| shape.matches(lowered(word, &mut buffer)))
            }
            Test::Whole { shape, .. } => shape.matches(text),
            Test::ManyWhole { texts, .. } => texts.contains(text),
            Test::Free { typed, others } => typed
                .passes(text)
                .unwrap_or_else(|| others.as_ref().is_some_and(|others| others.matches(text))),
            Test::AnyOf(tests) => tests.iter().any(|test| test.matches(text)),
        }
    }

    /// The range that contains every text that passes, for a scan that can skip others. `None` where nothing
    /// follows, as for all analysed text; also where only texts in the range pass, not all in it need to.
    #[must_use]
    pub fn bounds(&self) -> Option<TextBounds> {
        match self.test.as_ref() {
            Test::Words(_)
            | Test::ManyWords(_)
            | Test::Phrase(_)
            | Test::Word { .. }
            | Test::Free { .. }
            | Test::AnyOf(_) => None,
            Test::Whole { bounds, .. } => bounds.clone(),
            Test::ManyWhole { bounds, .. } => Some(bounds.clone()),
        }
    }

    /// What is worth looking for in many texts at once before each is asked: every text that passes has one of these in it.
    /// `None` where nothing is known.
    #[must_use]
    pub fn needles(&self) -> Option<Vec<Needle>> {
        let needles = match self.test.as_ref() {
            Test::Words(words) => of_all(words, |word| Needle::of_literal(word)),
            Test::Phrase(phrase) => phrase.literal().and_then(Needle::of_literal),
            Test::Word { literal, .. } => literal.as_deref().and_then(Needle::of_literal),
            Test::AnyOf(tests) => of_all(tests, TextTest::needles),
            Test::ManyWords(_) | Test::Whole { .. } | Test::ManyWhole { .. } | Test::Free { .. } => None,
        };
        needles.filter(|needles| needles.len() <= NEEDLES_MAX)
    }

    /// The one text that passes, where there is just one: the test of a whole value for a term or phrase.
    #[must_use]
    pub fn only(&self) -> Option<&str> {
        match self.test.as_ref() {
            Test::Whole { shape: TextShape::Is(text), .. } => Some(text),
            Test::Whole { .. }
            | Test::ManyWhole { .. }
            | Test::Words(_)
            | Test::ManyWords(_)
            | Test::Phrase(_)
            | Test::Word { .. }
            | Test::Free { .. }
            | Test::AnyOf(_) => None,
        }
    }
}

impl From<Test> for TextTest {
    fn from(test: Test) -> TextTest {
        TextTest { test: Arc::new(test) }
    }
}

impl fmt::Debug for TextTest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.test.fmt(out)
    }
}

impl TextShape {
    /// The shape that a value asks for, its text through `map`, and the range that contains it.
    fn new(
        value: &Value,
        map: impl Fn(&str) -> String,
        work: &mut Work,
    ) -> Result<(TextShape, Option<TextBounds>), TooComplex> {
        Ok(match value {
            Value::Term(text) | Value::Phrase { text, .. } => {
                let text = map(text);
                let bounds = beginning_with(&text, true);
                (TextShape::Is(text), bounds)
            }
            Value::Prefix(text) => {
                let text = map(text);
                let bounds = beginning_with(&text, false);
                (TextShape::BeginsWith(text), bounds)
            }
            Value::Wildcard(pieces) => {
                let wildcard = Wildcard::new(pieces, map);
                let (prefix, whole) = wildcard.prefix();
                let bounds = beginning_with(prefix, whole);
                (TextShape::Wildcard(wildcard), bounds)
            }
            Value::Regex(expression) => {
                let node = regex(&map(expression));
                let (prefix, whole) = regular::prefix(&node);
                (
                    TextShape::Automaton(Box::new(regular::automaton(&node, work)?)),
                    beginning_with(&prefix, whole),
                )
            }
            Value::Fuzzy { text, edits } => {
                let text = map(text);
                let edits = edits.for_characters(text.chars().count());
                if edits == 0 {
                    let bounds = beginning_with(&text, true);
                    return Ok((TextShape::Is(text), bounds));
                }
                (TextShape::Fuzzy(Fuzzy::new(&text, edits)), None)
            }
            Value::Range { lower, upper } => {
                let limit = |bound: &Bound| {
                    bound
                        .limit
                        .as_deref()
                        .map(|limit| TextBound { limit: map(limit), inclusive: bound.inclusive })
                };
                let bounds = TextBounds { lower: limit(lower), upper: limit(upper) };
                let end = |bound: &Option<TextBound>| match bound {
                    None => Limit::Unbounded,
                    Some(bound) if bound.inclusive => Limit::Included(bound.limit.clone()),
                    Some(bound) => Limit::Excluded(bound.limit.clone()),
                };
                let shape = TextShape::Between(end(&bounds.lower), end(&bounds.upper));
                let implied = bounds.lower.is_some() || bounds.upper.is_some();
                (shape, implied.then_some(bounds))
            }
        })
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            TextShape::Is(other) => text == other,
            TextShape::BeginsWith(prefix) => text.starts_with(prefix.as_str()),
            TextShape::Wildcard(wildcard) => wildcard.matches(text),
            TextShape::Fuzzy(fuzzy) => fuzzy.matches(text),
            TextShape::Automaton(dfa) => dfa.accepts(text),
            TextShape::Between(lower, upper) => {
                let above = match lower {
                    Limit::Unbounded => true,
                    Limit::Included(limit) => limit.as_str() <= text,
                    Limit::Excluded(limit) => limit.as_str() < text,
                };
                above
                    && match upper {
                        Limit::Unbounded => true,
                        Limit::Included(limit) => text <= limit.as_str(),
                        Limit::Excluded(limit) => text < limit.as_str(),
                    }
            }
        }
    }

    /// A text that everything of this shape contains.
    fn literal(&self) -> Option<&str> {
        match self {
            TextShape::Is(text) | TextShape::BeginsWith(text) => Some(text),
            TextShape::Wildcard(wildcard) => wildcard.literal(),
            TextShape::Fuzzy(_) | TextShape::Automaton(_) | TextShape::Between(..) => None,
        }
    }
}

/// The needles of all parts; `None` if one of them has none.
fn of_all<T>(parts: &[T], of: impl Fn(&T) -> Option<Vec<Needle>>) -> Option<Vec<Needle>> {
    let needles: Option<Vec<Vec<Needle>>> = parts.iter().map(of).collect();
    needles.map(|needles| needles.into_iter().flatten().collect())
}

/// The expression, which the parser of queries has accepted as it was written. What lower case breaks, such as
/// `[Z-a]`, matches nothing.
fn regex(expression: &str) -> RegexNode {
    parse_regex(expression).unwrap_or(RegexNode::Nothing)
}

/// The texts that begin with a prefix, or that are it.
fn beginning_with(prefix: &str, whole: bool) -> Option<TextBounds> {
    let bound = |limit: String, inclusive| Some(TextBound { limit, inclusive });
    if whole {
        return Some(TextBounds {
            lower: bound(prefix.to_owned(), true),
            upper: bound(prefix.to_owned(), true),
        });
    }
    if prefix.is_empty() {
        return None;
    }
    let upper = successor(prefix).and_then(|limit| bound(limit, false));
    Some(TextBounds { lower: bound(prefix.to_owned(), true), upper })
}

/// The least text above everything that begins with the prefix; `None` where there is none.
fn successor(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // The step from one character to the next leaves out the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

/// Whether the text contains a word, given in lower case, in any case.
fn has_word(text: &str, word: &str) -> bool {
    if !text.is_ascii() {
        let may_have = !word.is_ascii() || !lacks(text, word);
        return may_have && Tokens::new(text).any(|token| is_lowered(token, word));
    }
    if !word.is_ascii() {
        return false;
    }
    let (bytes, needle) = (text.as_bytes(), word.as_bytes());
    let mut from = 0;
    while let Some(at) = find_ignoring_case(bytes, needle, from) {
        if is_boundary(bytes, at) && is_boundary(bytes, at + needle.len()) {
            return true;
        }
        from = at + 1;
    }
    false
}

#[cfg(test)]
mod tests;
