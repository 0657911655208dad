//! The search language: text to syntax tree with positions, and what a tree asks of a text; no engine.
//!
//! The language is that of Elasticsearch's `query_string` query, which is Lucene's classic query parser plus
//! a few rules of its own, extended by nested queries such as `@accounts(disabled:true)`. [`parse`] turns text
//! into a [`Query`]; a query's `Display` writes text that parses to the same tree again.
//!
//! ```
//! use muster_querystring::{Occur, parse};
//!
//! let query = parse("name:a* AND @accounts(disabled:true)")?;
//! assert_eq!(query.clauses[1].occur, Occur::Must);
//! assert_eq!(query.to_string(), "name:a* AND @accounts(disabled:true)");
//!
//! let error = parse("created:2020-01-01T00:00:00Z").expect_err("a colon that is not escaped");
//! assert_eq!((error.offset, error.column), (21, 22));
//! # Ok::<(), muster_querystring::SyntaxError>(())
//! ```
//!
//! What a word *means* is in [`matching`]: tests of texts, numbers, booleans and moments, and a whole query as a
//! predicate of them. Which fields there are and of which type, whoever runs the query says; the tree knows where
//! in the text everything was, so that they can point at it.
//!
//! Invariants:
//! - Pure: no clock, no files, no state. The same text always gives the same answer.
//! - Bounded: at most [`TEXT_BYTES_MAX`] bytes, [`CLAUSES_MAX`] clauses in a list, [`DEPTH_MAX`] levels and
//!   [`FIELD_STARS_MAX`] stars in a field's name; past each there is an error that says so. Nothing here panics,
//!   whatever the text.
//! - Where a rule is Lucene's, a differential test holds this crate to Lucene; the rules that are
//!   Elasticsearch's alone are marked (E) where they are written.

mod dates;
mod error;
mod escape;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod lexer;
pub mod matching;
mod number;
mod parser;
mod print;
mod regex;
mod token;
mod tree;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod round_trip;

pub use dates::{DateError, DateRange, Rounding, date_instant, date_range, date_term};
pub use error::{Problem, SyntaxError};
pub use parser::parse;
pub use regex::{RegexClass, RegexError, RegexNode, parse_regex};
pub use tree::{
    Bound, Clause, Edits, Expression, Field, Modifier, Occur, Path, PatternPiece, Query, Span, Value, occurs,
};

/// The longest query that is read, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;

/// The most clauses that one list may have, a group counting as one: Lucene's `maxClauseCount`.
pub const CLAUSES_MAX: usize = 1_024;

/// The most stars that the name of a field may have.
pub const FIELD_STARS_MAX: usize = 16;

/// How deep groups and nested queries may be nested.
pub const DEPTH_MAX: usize = 20;
