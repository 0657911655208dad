//! A query as text that parses to the same tree, spans apart.
//!
//! Every clause names its own field and has its own operators, and everything that might be read as syntax is
//! escaped. A query near the limit of length may therefore print as more text than is read.

use std::fmt::{self, Display, Formatter, Write};

use crate::lexer::{is_special, is_white_space};
use crate::tree::{Bound, Clause, Edits, Expression, Field, Modifier, PatternPiece, Query, Value};

impl Display for Query {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let slash = if ends_in_backslash(&self.clauses) { "\\u002f" } else { "\\/" };
        Printer { slash }.list(&self.clauses, formatter)
    }
}

/// Whether some regular expression ends in a backslash. It goes on to the next slash in the text then, so that
/// there must be none.
fn ends_in_backslash(clauses: &[Clause]) -> bool {
    clauses.iter().any(|clause| match &clause.expression {
        Expression::Match { value: Value::Regex(expression), .. } => expression.ends_with('\\'),
        Expression::Group(clauses) | Expression::Nested { clauses, .. } => ends_in_backslash(clauses),
        Expression::Match { .. } | Expression::All | Expression::Exists(_) => false,
    })
}

struct Printer {
    /// How a slash is written in text.
    slash: &'static str,
}

impl Printer {
    fn list(&self, clauses: &[Clause], out: &mut Formatter<'_>) -> fmt::Result {
        for (index, clause) in clauses.iter().enumerate() {
            match (index, clause.and) {
                (0, _) => {}
                (_, true) => out.write_str(" AND ")?,
                (_, false) => out.write_char(' ')?,
            }
            match clause.modifier {
                Modifier::None => {}
                Modifier::Required => out.write_char('+')?,
                Modifier::Prohibited => out.write_char('-')?,
            }
            self.expression(&clause.expression, out)?;
            if let Some(boost) = clause.boost {
                write!(out, "^{boost}")?;
            }
        }
        Ok(())
    }

    fn expression(&self, expression: &Expression, out: &mut Formatter<'_>) -> fmt::Result {
        match expression {
            Expression::All => out.write_str("*:*"),
            // A pattern of one star before the colon would be the query for everything.
            Expression::Exists(field) if field.name == "*" => out.write_str("_exists_:\\*"),
            // A name from an empty phrase can only be written as one.
            Expression::Exists(field) if field.name.is_empty() => out.write_str("_exists_:\"\""),
            Expression::Exists(field) => {
                self.field(field, out)?;
                out.write_char('*')
            }
            Expression::Match { field, value } => {
                if let Some(field) = field {
                    self.field(field, out)?;
                }
                self.value(value, out)
            }
            Expression::Group(clauses) => self.group(clauses, out),
            Expression::Nested { path, clauses } => {
                out.write_char('@')?;
                self.word_rest(&path.name, out)?;
                self.group(clauses, out)
            }
        }
    }

    fn group(&self, clauses: &[Clause], out: &mut Formatter<'_>) -> fmt::Result {
        out.write_char('(')?;
        self.list(clauses, out)?;
        out.write_char(')')
    }

    fn field(&self, field: &Field, out: &mut Formatter<'_>) -> fmt::Result {
        self.word(&field.name, out)?;
        out.write_char(':')
    }

    fn value(&self, value: &Value, out: &mut Formatter<'_>) -> fmt::Result {
        match value {
            Value::Term(text) => self.word(text, out),
            Value::Phrase { text, slop } => {
                self.quoted(text, out)?;
                if *slop > 0 { write!(out, "~{slop}") } else { Ok(()) }
            }
            Value::Prefix(text) => {
                self.word(text, out)?;
                out.write_char('*')
            }
            Value::Wildcard(pieces) => {
                for piece in pieces {
                    match piece {
                        PatternPiece::AnyText => out.write_char('*')?,
                        PatternPiece::AnyCharacter => out.write_char('?')?,
                        // Nothing but a plain backslash will do: a pattern does not know `\u`.
                        PatternPiece::Literal(text) => pattern_literal(text, out)?,
                    }
                }
                Ok(())
            }
            Value::Fuzzy { text, edits } => {
                self.word(text, out)?;
                match edits {
                    Edits::Auto => out.write_char('~'),
                    Edits::Exactly(edits) => write!(out, "~{edits}"),
                }
            }
            Value::Regex(expression) => write!(out, "/{expression}/"),
            Value::Range { lower, upper } => {
                out.write_char(if lower.inclusive { '[' } else { '{' })?;
                self.bound(lower, out)?;
                out.write_str(" TO ")?;
                self.bound(upper, out)?;
                out.write_char(if upper.inclusive { ']' } else { '}' })
            }
        }
    }

    /// A term or name of at least one character.
    fn word(&self, text: &str, out: &mut Formatter<'_>) -> fmt::Result {
        // What is an operator, opens a nested query, or cannot begin a term.
        let operator = matches!(text, "AND" | "OR" | "NOT" | "&&" | "||");
        if operator || text.starts_with(['+', '-', '@']) {
            out.write_char('\\')?;
        }
        self.word_rest(text, out)
    }

    /// Characters of a term that are not its first.
    fn word_rest(&self, text: &str, out: &mut Formatter<'_>) -> fmt::Result {
        for character in text.chars() {
            match character {
                '/' => out.write_str(self.slash)?,
                '+' | '-' => out.write_char(character)?,
                // A text of nothing but these would be blank.
                _ if character.is_ascii_control() => write!(out, "\\u{:04x}", u32::from(character))?,
                _ => escaped_where(is_special(character) || is_white_space(character), character, out)?,
            }
        }
        Ok(())
    }

    fn quoted(&self, text: &str, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_char('"')?;
        for character in text.chars() {
            match character {
                '/' if self.slash != "\\/" => out.write_str(self.slash)?,
                _ => escaped_where(matches!(character, '"' | '\\'), character, out)?,
            }
        }
        out.write_char('"')
    }

    fn bound(&self, bound: &Bound, out: &mut Formatter<'_>) -> fmt::Result {
        let Some(limit) = &bound.limit else {
            return out.write_char('*');
        };
        let needs_quotes = limit.chars().any(|c| is_white_space(c) || matches!(c, ']' | '}'));
        if needs_quotes && !limit.contains(['"', '\\', '/']) {
            return write!(out, "\"{limit}\"");
        }
        // A quote, an open end and the word between the bounds are escaped at their beginning.
        if limit == "TO" {
            out.write_char('\\')?;
        }
        for character in limit.chars() {
            match character {
                '"' | '\\' => write!(out, "\\{character}")?,
                '/' if self.slash != "\\/" => out.write_str(self.slash)?,
                // Even escaped these would end the bound.
                _ if is_white_space(character) || matches!(character, ']' | '}') => {
                    write!(out, "\\u{:04x}", u32::from(character))?;
                }
                _ => out.write_char(character)?,
            }
        }
        Ok(())
    }
}

fn escaped_where(escape: bool, character: char, out: &mut Formatter<'_>) -> fmt::Result {
    if escape {
        out.write_char('\\')?;
    }
    out.write_char(character)
}

fn pattern_literal(text: &str, out: &mut Formatter<'_>) -> fmt::Result {
    text.chars().try_for_each(|c| escaped_where(is_special(c) || is_white_space(c), c, out))
}
