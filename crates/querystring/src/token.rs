//! The tokens between lexer and parser.

use crate::error::Problem;
use crate::tree::Span;

/// A token and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// The kinds of token. They are those of Lucene's classic grammar; its three lexical states are the three
/// groups below.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind {
    /// `AND`, `&&`
    And,
    /// `OR`, `||`
    Or,
    /// `NOT`, `!`
    Not,
    Plus,
    Minus,
    /// `+`, `-` or `!` before white space: a term. The span is that of the sign alone.
    BareOperator,
    OpenParenthesis,
    CloseParenthesis,
    Colon,
    /// A lone `*`.
    Star,
    Caret,
    /// `"..."`
    Quoted,
    Term,
    /// `~` and the term characters right after it.
    Tilde,
    /// A term and one `*` at its end.
    Prefix,
    /// `*` and `?` anywhere else.
    Wildcard,
    /// `/.../`
    Regex,
    /// `[` or `{`
    RangeOpen {
        inclusive: bool,
    },

    /// The number after a caret.
    Number,

    /// `TO` in a range.
    RangeTo,
    /// `]` or `}` in a range.
    RangeClose {
        inclusive: bool,
    },
    /// `"..."` in a range.
    RangeQuoted,
    /// Anything else in a range.
    RangeWord,

    /// The end of the text.
    End,
    /// What cannot be a token. Nothing follows it.
    Invalid(Problem),
}
