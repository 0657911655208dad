//! The syntax tree of a query.
//!
//! Escapes are already undone: a `Value::Term` is always literal text, and where `*` and `?` mean something the
//! value is a list of [`PatternPiece`]s. Fields are already resolved: in `city:(a b)` both terms carry `city`.
//! The tree still knows how its clauses were written (`AND`, `+`, `-`), because a clause whose text analyses
//! to nothing changes what the others become; see [`occurs`].

/// A place in the query's text: byte offsets, `start` included, `end` excluded. Both are char boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset past the last byte.
    pub end: usize,
}

/// A whole query: a list of clauses. Only a blank text gives an empty list, and that matches nothing (E).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// The clauses, in the order written.
    pub clauses: Vec<Clause>,
}

impl Query {
    /// Whether what it finds may depend on the time at which it is asked, because a value may mean that time: `now`,
    /// `now-1d`. Never false where it does.
    #[must_use]
    pub fn may_ask_for_now(&self) -> bool {
        any_may_be_now(&self.clauses)
    }
}

fn any_may_be_now(clauses: &[Clause]) -> bool {
    clauses.iter().any(|clause| match &clause.expression {
        Expression::All | Expression::Exists(_) => false,
        Expression::Match { value, .. } => may_be_now(value),
        Expression::Group(clauses) | Expression::Nested { clauses, .. } => any_may_be_now(clauses),
    })
}

fn may_be_now(value: &Value) -> bool {
    let is_in = |text: &String| text.contains("now");
    match value {
        Value::Term(text) | Value::Phrase { text, .. } => is_in(text),
        Value::Range { lower, upper } => {
            lower.limit.as_ref().is_some_and(is_in) || upper.limit.as_ref().is_some_and(is_in)
        }
        // These are not about times.
        Value::Prefix(_) | Value::Wildcard(_) | Value::Fuzzy { .. } | Value::Regex(_) => false,
    }
}

/// One clause of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// What the clause asks of a document when no clause of the list vanishes in analysis.
    pub occur: Occur,
    /// Whether `AND` (or `&&`) was before it. `OR` is the default and is not kept.
    pub and: bool,
    /// `+`, `-`, `!` or `NOT`, if one was before it.
    pub modifier: Modifier,
    /// What is asked.
    pub expression: Expression,
    /// `^2.5`. Finite and not negative. It weighs a score and never filters.
    pub boost: Option<f32>,
    /// The clause with its modifier, field and boost.
    pub span: Span,
    /// The value alone, or a group with its parentheses: no modifier, field or boost.
    pub body: Span,
}

/// What a clause asks of a document.
///
/// Within one list: every `Must` has to match and no `MustNot` may; the `Should` clauses filter only where the
/// list has no `Must`, and then one of them has to match. A list of nothing but `MustNot` means everything
/// except those (E).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Occur {
    /// Has to match.
    Must,
    /// May match; one has to, where nothing must.
    Should,
    /// May not match.
    MustNot,
}

/// What was directly before a clause. One clause has at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Modifier {
    /// Nothing.
    None,
    /// `+`
    Required,
    /// `-`, `!` or `NOT`
    Prohibited,
}

/// What a clause is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// Every document: `*` or `*:*` (E where it is bare).
    All,
    /// The field has a value: `field:*`, `_exists_:field` (E).
    Exists(Field),
    /// A value, looked for in a field, or in any field where none is named.
    Match {
        /// The field, which may have been written before a group around this clause.
        field: Option<Field>,
        /// What to look for.
        value: Value,
    },
    /// `( ... )`. Never empty.
    Group(Vec<Clause>),
    /// `@path( ... )`: one element of an array satisfies the whole list. Never empty, never in another.
    Nested {
        /// The array.
        path: Path,
        /// The list, whose field names are relative to the element.
        clauses: Vec<Clause>,
    },
}

/// The name of a field, with case. Several clauses may carry the same one, with the same span.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// The name with its escapes undone. A `*` in it, which is always written `\*` unless it is the whole
    /// name, matches any characters: the name then means every field that fits it. Elasticsearch looks at the name after
    /// escapes are undone, so a field whose name has a star cannot be named alone (E).
    pub name: String,
    /// Where the name was written, without the colon.
    pub span: Span,
}

/// The path of a nested query, as `accounts` in `@accounts(...)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    /// The path without the `@`, with its escapes undone; never empty. A dot leads into an object.
    pub name: String,
    /// Where it was written, without the `@`.
    pub span: Span,
}

/// What a clause looks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A run of characters between white space; analysis may make several tokens of it, or none. Never empty.
    Term(String),
    /// Text in double quotes. May be empty.
    Phrase {
        /// The text.
        text: String,
        /// How far the tokens may be moved in all, a transposition counting two.
        slop: u32,
    },
    /// `text*`: tokens that begin so. Never empty.
    Prefix(String),
    /// `?` and `*` anywhere else than once at the end: tokens of that shape.
    Wildcard(Vec<PatternPiece>),
    /// `text~`: tokens at most so many edits away.
    Fuzzy {
        /// The text.
        text: String,
        /// How many edits.
        edits: Edits,
    },
    /// `/expression/`, which the whole token has to match, in Lucene's syntax; [`crate::parse_regex`] reads it
    /// and has accepted it. The text is as written between the slashes, with `\/` for a slash.
    Regex(String),
    /// `[a TO b]`, `{a TO b}`, `>a`, `<=b` and so on.
    Range {
        /// The lower end.
        lower: Bound,
        /// The upper end.
        upper: Bound,
    },
}

/// A piece of a wildcard pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PatternPiece {
    /// These characters. Never empty, and never next to another `Literal`.
    Literal(String),
    /// `?`: one character.
    AnyCharacter,
    /// `*`: any number of characters.
    AnyText,
}

/// How many edits (insert, delete, replace or transpose one character) a fuzzy term allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edits {
    /// A bare `~` or `~AUTO`: by the length of the token; see [`Edits::for_characters`] (E).
    Auto,
    /// `~0`, `~1`, `~2`. More is taken as 2.
    Exactly(u8),
}

impl Edits {
    /// The edits allowed for a token of so many characters: for `Auto` 0 up to two characters, 1 up to
    /// five, 2 beyond; Elasticsearch, `Fuzziness.asDistance` (E).
    #[must_use]
    pub fn for_characters(self, characters: usize) -> u8 {
        match self {
            Edits::Auto => match characters {
                0..=2 => 0,
                3..=5 => 1,
                _ => 2,
            },
            Edits::Exactly(edits) => edits,
        }
    }
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bound {
    /// The limit with its escapes undone; never empty. `None`: open, written `*`. An escaped or quoted star is
    /// open too (E).
    pub limit: Option<String>,
    /// Whether the limit itself belongs to the range. Says nothing when the end is open.
    pub inclusive: bool,
}

/// What each clause of a list asks, when some of them vanish.
///
/// A clause vanishes when analysis leaves nothing of it (a lone `-`, an empty phrase, a group of such). It is
/// then as if it had not been written, but an `AND` before it still binds, and an `AND` after it binds the
/// clause before it: `a "" AND b` asks for both `a` and `b`. This is Lucene's `QueryParserBase.addClause` with
/// the default operator OR.
///
/// # Returns
/// The clauses that remain, in order. None remain: the list itself vanishes.
pub fn occurs(clauses: &[Clause], mut vanishes: impl FnMut(&Clause) -> bool) -> Vec<(Occur, &Clause)> {
    let mut remaining: Vec<(Occur, &Clause)> = Vec::with_capacity(clauses.len());
    for clause in clauses {
        if clause.and
            && let Some((occur, _)) = remaining.last_mut()
            && *occur != Occur::MustNot
        {
            *occur = Occur::Must;
        }
        if vanishes(clause) {
            continue;
        }
        let occur = match clause.modifier {
            Modifier::Prohibited => Occur::MustNot,
            Modifier::Required => Occur::Must,
            Modifier::None if clause.and => Occur::Must,
            Modifier::None => Occur::Should,
        };
        remaining.push((occur, clause));
    }
    remaining
}

#[cfg(test)]
mod tests {
    use crate::parse;

    #[test]
    fn a_query_about_now_is_known_however_it_is_written() {
        for (query, expected) in [
            ("created:<now-1d", true),
            ("created:[2020-01-01 TO now]", true),
            ("a AND (b OR NOT created:\"now/d\")", true),
            ("@accounts(created:>=now-1M)", true),
            ("created:n\\ow", true),
            ("created:[2020-01-01 TO 2021-01-01]", false),
            ("now:a AND _exists_:now", false),
            ("no*", false),
        ] {
            assert_eq!(parse(query).expect("a query").may_ask_for_now(), expected, "{query}");
        }
    }
}
