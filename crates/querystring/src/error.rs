//! What can be wrong with a query, told to the person who wrote it.

use thiserror::Error;

use crate::{CLAUSES_MAX, DEPTH_MAX, FIELD_STARS_MAX, TEXT_BYTES_MAX};

/// A query that cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("column {column}: {problem}")]
pub struct SyntaxError {
    /// Byte offset in the text, on a char boundary; the text's length where more was expected.
    pub offset: usize,
    /// The same place in characters, the first being 1.
    pub column: usize,
    /// What is wrong there and what was expected.
    pub problem: Problem,
}

impl SyntaxError {
    pub(crate) fn at(text: &str, offset: usize, problem: Problem) -> Self {
        let column = text.get(..offset).map_or(0, |before| before.chars().count()) + 1;
        SyntaxError { offset, column, problem }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// More than [`TEXT_BYTES_MAX`] bytes.
    #[error("the query has {bytes} bytes; at most {TEXT_BYTES_MAX} are read")]
    TextTooLong {
        /// How many it has.
        bytes: usize,
    },
    /// More than [`CLAUSES_MAX`] clauses in one list.
    #[error("a list has more than {CLAUSES_MAX} clauses")]
    TooManyClauses,
    /// A field's name with more than [`FIELD_STARS_MAX`] stars.
    #[error("the name of a field has more than {FIELD_STARS_MAX} stars")]
    TooManyStars,
    /// More than [`DEPTH_MAX`] groups in one another.
    #[error("groups are nested more than {DEPTH_MAX} deep")]
    TooDeep,
    /// Something was found where something else is expected.
    #[error("found {found}, expected {expected}")]
    Unexpected {
        /// What was found.
        found: String,
        /// What is expected there, and how to write what was probably meant.
        expected: &'static str,
    },
    /// A group or nested query that the text's end cuts off.
    #[error("found the end of the query, expected `)` for the `(` at column {column}")]
    UnclosedGroup {
        /// The column of the opening parenthesis, the first being 1.
        column: usize,
    },
    /// A quote without its end.
    #[error("the quoted text has no closing `\"`; a quote that is part of a word is written `\\\"`")]
    UnclosedQuote,
    /// A slash without its partner.
    #[error("the regular expression has no closing `/`; a slash that is part of a word is written `\\/`")]
    UnclosedRegex,
    /// A range without its end.
    #[error("found the end of the query, expected `]` or `}}` to close the range")]
    UnclosedRange,
    /// A backslash at the end.
    #[error("expected a character after `\\`; a backslash itself is written `\\\\`")]
    TrailingEscape,
    /// `\u` without four hexadecimal digits.
    #[error("expected four hexadecimal digits after `\\u`, as in `\\u00e9`")]
    UnicodeEscape,
    /// Half of a surrogate pair.
    #[error("`\\u{unit:04x}` is half of a surrogate pair, expected both halves or the character itself")]
    LoneSurrogate {
        /// The code unit.
        unit: u16,
    },
    /// A boost that no 32-bit float holds.
    #[error("the boost is too large for a 32-bit float")]
    Boost,
    /// A slop below zero.
    #[error("the slop of a phrase cannot be negative, expected a number as in `\"a b\"~2`")]
    NegativeSlop,
    /// A wrong text after a fuzzy term's `~`.
    #[error("expected `~`, `~0`, `~1` or `~2` after a term, for at most so many edits")]
    Edits,
    /// A regular expression that Lucene's syntax does not have.
    #[error("in the regular expression, {detail}")]
    Regex {
        /// What is wrong in it.
        detail: String,
    },
    /// A nested query in another.
    #[error("a nested query cannot contain another, expected a field of the element")]
    NestedInNested,
    /// A nested query given a field.
    #[error(
        "a nested query cannot have a field before it, expected `@path(...)` alone; a term is written `\\@`"
    )]
    NestedInField,
    /// `@(`.
    #[error("expected the path of an array after `@`, as in `@accounts(...)`")]
    NestedWithoutPath,
}
