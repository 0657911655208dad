//! Our tree in the form of Lucene's `Query.toString()`.
//!
//! Lucene knows nothing of comparisons and of `_exists_`; those come out as the terms they were written as. A
//! wildcard pattern comes out as written, so that its span is compared and not its pieces.

use muster_querystring::{Bound, Clause, Edits, Expression, Field, Modifier, Occur, Query, Value, occurs};

/// How the text of terms and phrases becomes tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Analysis {
    /// One token of each, empty phrases included.
    Whole,
    /// Split at white space as Java understands it.
    Split,
}

pub(crate) struct Rendered {
    pub(crate) text: String,
    /// Whether every term became exactly one token.
    pub(crate) one_token_a_term: bool,
}

impl AsRef<str> for Rendered {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// The text that Lucene would write for the query.
pub(crate) fn render(query: &str, tree: &Query, analysis: Analysis) -> Rendered {
    let mut renderer = Renderer { query, analysis, one_token_a_term: true };
    let text = renderer.list(&tree.clauses).map_or_else(String::new, |piece| piece.text);
    Rendered { text, one_token_a_term: renderer.one_token_a_term }
}

/// A query in Lucene's form, which gets parentheses as a clause if it is a list itself.
struct Piece {
    text: String,
    is_list: bool,
}

impl Piece {
    fn simple(text: String) -> Option<Piece> {
        Some(Piece { text, is_list: false })
    }
}

struct Renderer<'a> {
    query: &'a str,
    analysis: Analysis,
    one_token_a_term: bool,
}

impl Renderer<'_> {
    /// `None` where nothing is left of the list.
    fn list(&mut self, clauses: &[Clause]) -> Option<Piece> {
        let mut pieces: Vec<Option<Piece>> = clauses.iter().map(|clause| self.clause(clause)).collect();
        let vanished: Vec<bool> = pieces.iter().map(Option::is_none).collect();
        let mut index = 0;
        let remaining = occurs(clauses, |_| {
            index += 1;
            vanished[index - 1]
        });
        if remaining.is_empty() {
            return None;
        }
        // Lucene returns the first clause itself if it has no modifier and nothing else is left.
        let first_alone = remaining.len() == 1 && !vanished[0] && clauses[0].modifier == Modifier::None;
        if first_alone {
            return pieces.swap_remove(0);
        }
        let clauses: Vec<String> = remaining
            .iter()
            .zip(pieces.into_iter().flatten())
            .map(|((occur, _), piece)| {
                let sign = match occur {
                    Occur::Must => "+",
                    Occur::Should => "",
                    Occur::MustNot => "-",
                };
                if piece.is_list {
                    format!("{sign}({})", piece.text)
                } else {
                    format!("{sign}{}", piece.text)
                }
            })
            .collect();
        Some(Piece { text: clauses.join(" "), is_list: true })
    }

    fn clause(&mut self, clause: &Clause) -> Option<Piece> {
        let source = &self.query[clause.body.start..clause.body.end];
        let piece = match &clause.expression {
            Expression::All => Piece::simple("*:*".to_owned()),
            Expression::Exists(field) if source == "*" => Piece::simple(format!("{}:*", field.name)),
            Expression::Exists(field) if source.starts_with('"') => {
                let slop = slop(&self.query[clause.body.end..clause.span.end]);
                self.phrase("_exists_", &field.name, slop)
            }
            Expression::Exists(field) => self.term("_exists_", &field.name),
            Expression::Group(clauses) => self.list(clauses),
            Expression::Nested { .. } => panic!("nested queries are not compared"),
            Expression::Match { field, value } => self.value(name(field.as_ref()), value, source),
        }?;
        match clause.boost {
            None => Some(piece),
            Some(boost) => Piece::simple(format!("({})^{}", piece.text, java(boost))),
        }
    }

    fn value(&mut self, field: &str, value: &Value, source: &str) -> Option<Piece> {
        match value {
            Value::Term(text) => self.term(field, text),
            Value::Phrase { text, slop } => self.phrase(field, text, *slop),
            Value::Prefix(text) => Piece::simple(format!("{field}:{text}*")),
            Value::Wildcard(_) => Piece::simple(format!("{field}:{source}")),
            Value::Fuzzy { text, edits } => {
                let edits = match edits {
                    Edits::Auto => 2,
                    Edits::Exactly(edits) => *edits,
                };
                Piece::simple(format!("{field}:{text}~{edits}"))
            }
            Value::Regex(expression) => Piece::simple(format!("{field}:/{expression}/")),
            Value::Range { lower, upper } if source.starts_with(['[', '{']) => {
                let open = if lower.inclusive { '[' } else { '{' };
                let close = if upper.inclusive { ']' } else { '}' };
                let inside = &source[1..source.len() - 1];
                let lower = limit(lower, inside.trim_start().starts_with("* "));
                let upper = limit(upper, inside.trim_end().ends_with(" *"));
                Piece::simple(format!("{field}:{open}{lower} TO {upper}{close}"))
            }
            Value::Range { lower, upper } => {
                let above = source.trim_start_matches('\\').starts_with('>');
                let (sign, bound) = if above { ('>', lower) } else { ('<', upper) };
                let equal = if bound.inclusive { "=" } else { "" };
                self.term(field, &format!("{sign}{equal}{}", limit(bound, true)))
            }
        }
    }

    fn term(&mut self, field: &str, text: &str) -> Option<Piece> {
        let tokens = self.tokens(text);
        self.one_token_a_term &= tokens.len() == 1;
        let mut terms: Vec<String> = tokens.iter().map(|token| format!("{field}:{token}")).collect();
        match terms.len() {
            0 => None,
            1 => Piece::simple(terms.remove(0)),
            _ => Some(Piece { text: terms.join(" "), is_list: true }),
        }
    }

    fn phrase(&self, field: &str, text: &str, slop: u32) -> Option<Piece> {
        let tokens = self.tokens(text);
        match tokens.as_slice() {
            [] => None,
            [token] => Piece::simple(format!("{field}:{token}")),
            _ if slop == 0 => Piece::simple(format!("{field}:\"{}\"", tokens.join(" "))),
            _ => Piece::simple(format!("{field}:\"{}\"~{slop}", tokens.join(" "))),
        }
    }

    fn tokens<'t>(&self, text: &'t str) -> Vec<&'t str> {
        match self.analysis {
            Analysis::Whole => vec![text],
            Analysis::Split => text.split(java_white_space).filter(|token| !token.is_empty()).collect(),
        }
    }
}

fn name(field: Option<&Field>) -> &str {
    field.map_or("any", |field| &field.name)
}

/// A limit. An open end for us that is not written as a lone star is a literal star to Lucene (E).
fn limit(bound: &Bound, star_is_open: bool) -> &str {
    match &bound.limit {
        Some(limit) => limit,
        None if star_is_open => "*",
        None => "\\*",
    }
}

/// The slop written after a phrase that names a field: the tree does not keep that one.
fn slop(suffixes: &str) -> u32 {
    let Some((_, image)) = suffixes.split_once('~') else {
        return 0;
    };
    let image = image.split(['^', ' ', '\t', '\n', '\u{3000}']).next().unwrap_or("");
    let number = image.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(image);
    number.parse::<f32>().unwrap_or(0.0) as u32
}

/// `Character.isWhitespace`: Unicode's spaces without those that do not break, and some control characters.
fn java_white_space(character: char) -> bool {
    match character {
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        '\u{1c}'..='\u{1f}' => true,
        other => other.is_whitespace(),
    }
}

/// A float as Java writes it.
fn java(number: f32) -> String {
    if number == 0.0 || (1e-3..1e7).contains(&number) {
        return if number.fract() == 0.0 { format!("{number:.1}") } else { number.to_string() };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').expect("an exponent was asked for");
    let fraction = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{fraction}E{exponent}")
}
