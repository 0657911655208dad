//! What a parsed query asks of values: tests of one text, number, boolean or moment, and the plan of a whole
//! query in terms of them.
//!
//! Elasticsearch analyses text when a document is stored and looks tokens up. There is no index here: a test is
//! compiled once from a [`Value`](crate::Value) and then asked about each text as it is. [`lower`] does that for
//! a whole query: it decides which clauses vanish, what `AND`, `+`, `-` and lists of prohibitions mean, and
//! which test each field gets, and answers with a [`Predicate`] of nothing but And, Or, Not, Nested and tests.
//! What fields there are, it asks a [`Resolver`].
//!
//! ```
//! use muster_querystring::matching::TextTest;
//! use muster_querystring::{Value, parse};
//!
//! let phrase = Value::Phrase { text: "new york".to_owned(), slop: 0 };
//! let test = TextTest::analysed(&phrase)?.expect("there are words in it");
//! assert!(test.matches("the port of New York, N.Y."));
//! assert!(!test.matches("York is not new"));
//! # Ok::<(), muster_querystring::matching::TooComplex>(())
//! ```
//!
//! [`reference`](mod@reference) reads a query a second way, one JSON document at a time, so that an engine has
//! something to be compared with.
//!
//! Invariants:
//! - Pure, as the whole crate. Tests are immutable, cheap to clone, and shared between threads.
//! - A test takes time linear in the text. What would need too large an automaton is refused when it is
//!   compiled ([`TooComplex`]), never later; all automata of a query together have one bound.
//! - Analysis is that of Lucene's `StandardAnalyzer` without stop words; a differential test holds it, and every
//!   kind of test, to Lucene 8. Deliberate differences: a token is never cut (Lucene cuts at 255 UTF-16
//!   units), a fuzzy term matches all tokens that fit (Lucene takes the best 50), and a backslash in a
//!   regular expression takes the next character as it is (`\d` is a class since Lucene 8.6).

mod decimal;
mod dfa;
mod free;
mod fuzzy;
mod needle;
mod phrase;
mod predicate;
pub mod reference;
mod regular;
mod remarks;
mod text;
mod tokens;
mod typed;
mod wildcard;

pub use dfa::TooComplex;
pub use needle::Needle;
pub use predicate::{
    FieldKind, FieldTest, LowerError, Lowering, Predicate, Resolver, check, check_unless, lower,
};
pub use remarks::{Remark, Why, remarks};
pub use text::{TextBound, TextBounds, TextTest};
pub use tokens::{tokens, tokens_lower_case};
pub use typed::{BooleanTest, DateTest, NumberTest, Ranges};
