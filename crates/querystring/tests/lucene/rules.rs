//! Where this crate differs from Lucene on purpose.

use muster_querystring::{Clause, Edits, Expression, Problem, Query, SyntaxError, Value};

/// A reason not to compare a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Blank,
    Nested,
    FuzzyFraction,
    FuzzyText,
    NegativeSlop,
    LoneSurrogate,
}

impl Rule {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Rule::Blank => "blank queries, which match nothing and are not a mistake (E)",
            Rule::Nested => "nested queries, which Lucene reads as a term and a group",
            Rule::FuzzyFraction => "fuzzy terms with a fraction below 1, which is not an edit (E)",
            Rule::FuzzyText => "fuzzy terms with something else than a number, which are refused (E)",
            Rule::NegativeSlop => "negative slops, refused by Lucene only if the phrase has two words",
            Rule::LoneSurrogate => "escaped halves of surrogate pairs, which are not characters",
        }
    }
}

/// The rule that takes a query out of the comparison.
pub(crate) fn rule_for(query: &str, ours: &Result<Query, SyntaxError>) -> Option<Rule> {
    match ours {
        Ok(tree) if tree.clauses.is_empty() => Some(Rule::Blank),
        Ok(tree) => rule_in(query, &tree.clauses),
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "a new problem is compared unless it is named here"
        )]
        Err(error) => match error.problem {
            Problem::NestedInField | Problem::NestedInNested | Problem::NestedWithoutPath => {
                Some(Rule::Nested)
            }
            Problem::Edits if !is_number_refused_by_both(&query[error.offset..]) => Some(Rule::FuzzyText),
            Problem::NegativeSlop => Some(Rule::NegativeSlop),
            Problem::LoneSurrogate { .. } => Some(Rule::LoneSurrogate),
            _ => None,
        },
    }
}

/// Whether the text begins with a tilde and a number, which Lucene refuses too if we do: a fraction above 1, or
/// one below 0.
fn is_number_refused_by_both(text: &str) -> bool {
    let image = text.trim_start_matches('~');
    let other = |c: char| c.is_whitespace() && c != '\u{a0}' || "!():^[]\"{}~*?/".contains(c);
    let image = &image[..image.find(other).unwrap_or(image.len())];
    let number = image.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(image);
    number.parse::<f32>().is_ok_and(f32::is_finite)
}

fn rule_in(query: &str, clauses: &[Clause]) -> Option<Rule> {
    clauses.iter().find_map(|clause| {
        let source = &query[clause.body.start..clause.span.end];
        match &clause.expression {
            Expression::Nested { .. } => Some(Rule::Nested),
            Expression::Group(clauses) => rule_in(query, clauses),
            Expression::Match { value: Value::Fuzzy { edits: Edits::Exactly(0), .. }, .. } => {
                source.contains(['.', 'e', 'E']).then_some(Rule::FuzzyFraction)
            }
            Expression::Match { .. } | Expression::All | Expression::Exists(_) => None,
        }
    })
}
