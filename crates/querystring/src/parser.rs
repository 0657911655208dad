//! Tokens to tree, by recursive descent.
//!
//! The grammar, with `FIELD` for a term or a lone `*` before a colon:
//!
//! ```text
//! query  = clause { [AND | OR] clause }
//! clause = [+ | - | NOT] [FIELD :] body
//! body   = ( query ) [^ number]  |  @path ( query ) [^ number]  |  value
//! value  = term or pattern, then [^ number] [~] or [~] [^ number]
//!        | quoted text, then the same
//!        | ([ | {) bound TO bound (] | }) [^ number]
//! ```
//!
//! There is no precedence: a list is flat, and what each clause asks follows from the operators next to it.

mod value;

use crate::error::{Problem, SyntaxError};
use crate::escape::{EscapeError, unescape};
use crate::lexer::tokens;
use crate::token::{Token, TokenKind};
use crate::tree::{Clause, Expression, Field, Modifier, Occur, Path, Query, Span, occurs};
use crate::{CLAUSES_MAX, DEPTH_MAX, FIELD_STARS_MAX, TEXT_BYTES_MAX};

const CLAUSE: &str = "a term, a quoted phrase, a range, `/expression/` or `(`";

/// Reads a query.
///
/// A blank text is a query without clauses, which matches nothing: Elasticsearch's
/// `QueryStringQueryParser.parse` (E).
///
/// # Errors
/// The first mistake in the text, with its place; or the limit that the text is past.
pub fn parse(text: &str) -> Result<Query, SyntaxError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SyntaxError::at(text, 0, Problem::TextTooLong { bytes: text.len() }));
    }
    if text.chars().all(|character| character <= ' ' || character == '\u{3000}') {
        return Ok(Query::default());
    }
    let mut parser = Parser { text, tokens: tokens(text), position: 0 };
    let clauses = parser.list(&Surroundings { field: None, depth: 0, nested: false }, CLAUSE)?;
    let token = parser.peek();
    if token.kind == TokenKind::End {
        Ok(Query { clauses })
    } else {
        Err(parser.unexpected(token, parser.expected_after_clause(token)))
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Never empty; the last is `End` or `Invalid`.
    tokens: Vec<Token>,
    position: usize,
}

/// What holds for everything in a list.
struct Surroundings {
    /// The field of a group around it.
    field: Option<Field>,
    /// How many groups are around it.
    depth: usize,
    /// Whether one of them is a nested query.
    nested: bool,
}

impl Surroundings {
    fn inside(&self, field: Option<Field>, nested: bool) -> Self {
        Surroundings { field, depth: self.depth + 1, nested: self.nested || nested }
    }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    /// The token so many places ahead, or the last one.
    fn peek_at(&self, ahead: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.position + ahead).min(last)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.position += 1;
        token
    }

    fn next_if(&mut self, kind: &TokenKind) -> Option<Token> {
        if self.peek().kind == *kind { Some(self.next()) } else { None }
    }

    fn image(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or("")
    }

    fn error(&self, offset: usize, problem: Problem) -> SyntaxError {
        SyntaxError::at(self.text, offset, problem)
    }

    fn unexpected(&self, token: &Token, expected: &'static str) -> SyntaxError {
        let problem = if let TokenKind::Invalid(problem) = &token.kind {
            problem.clone()
        } else if token.kind == TokenKind::End {
            Problem::Unexpected { found: "the end of the query".to_owned(), expected }
        } else {
            Problem::Unexpected { found: format!("`{}`", self.image(token.span)), expected }
        };
        self.error(token.span.start, problem)
    }

    /// The text of a span with its escapes undone.
    fn unescaped(&self, span: Span) -> Result<String, SyntaxError> {
        unescape(self.image(span))
            .map_err(|(offset, problem): EscapeError| self.error(span.start + offset, problem))
    }

    /// Clauses up to something that no clause begins with.
    fn list(&mut self, around: &Surroundings, expected: &'static str) -> Result<Vec<Clause>, SyntaxError> {
        let mut clauses = vec![self.clause(false, around, expected)?];
        loop {
            let and = self.next_if(&TokenKind::And).is_some();
            let or = !and && self.next_if(&TokenKind::Or).is_some();
            if !and && !or && !self.clause_begins() {
                break;
            }
            let expected = match (and, or) {
                (true, _) => "a clause after AND; the word itself is written `\\AND` or in quotes",
                (_, true) => "a clause after OR; the word itself is written `\\OR` or in quotes",
                _ => CLAUSE,
            };
            if clauses.len() == CLAUSES_MAX {
                return Err(self.error(self.peek().span.start, Problem::TooManyClauses));
            }
            clauses.push(self.clause(and, around, expected)?);
        }
        let asked: Vec<Occur> = occurs(&clauses, |_| false).into_iter().map(|(occur, _)| occur).collect();
        for (clause, occur) in clauses.iter_mut().zip(asked) {
            clause.occur = occur;
        }
        Ok(clauses)
    }

    fn clause_begins(&self) -> bool {
        match self.peek().kind {
            TokenKind::Not
            | TokenKind::Plus
            | TokenKind::Minus
            | TokenKind::BareOperator
            | TokenKind::OpenParenthesis
            | TokenKind::Star
            | TokenKind::Quoted
            | TokenKind::Term
            | TokenKind::Prefix
            | TokenKind::Wildcard
            | TokenKind::Regex
            | TokenKind::RangeOpen { .. } => true,
            TokenKind::And
            | TokenKind::Or
            | TokenKind::CloseParenthesis
            | TokenKind::Colon
            | TokenKind::Caret
            | TokenKind::Tilde
            | TokenKind::Number
            | TokenKind::RangeTo
            | TokenKind::RangeClose { .. }
            | TokenKind::RangeQuoted
            | TokenKind::RangeWord
            | TokenKind::End
            | TokenKind::Invalid(_) => false,
        }
    }

    fn clause(
        &mut self,
        and: bool,
        around: &Surroundings,
        expected: &'static str,
    ) -> Result<Clause, SyntaxError> {
        let start = self.peek().span.start;
        let (modifier, expected) = if self.next_if(&TokenKind::Plus).is_some() {
            (Modifier::Required, "a clause after `+`, which has one modifier at most")
        } else if self.next_if(&TokenKind::Minus).is_some() {
            (Modifier::Prohibited, "a clause after `-`, which has one modifier at most")
        } else if self.next_if(&TokenKind::Not).is_some() {
            (Modifier::Prohibited, "a clause after NOT, which has one modifier at most")
        } else {
            (Modifier::None, expected)
        };
        let field = self.field()?;
        let body = match field {
            None => self.body(None, around, expected)?,
            Some(field) => self.body(
                Some(field),
                around,
                "a value after the field's colon; `+`, `-` and `!` are written before the field, and a colon in a word is `\\:`",
            )?,
        };
        let Body { expression, boost, span } = body;
        // The last token taken ends the clause: a boost or tilde belongs to it.
        let end = self.tokens[self.position - 1].span.end;
        // Set for the list as a whole once it is read.
        let occur = Occur::Should;
        Ok(Clause { occur, and, modifier, expression, boost, span: Span { start, end }, body: span })
    }

    /// `name:`, if it is here.
    fn field(&mut self) -> Result<Option<Field>, SyntaxError> {
        let names = matches!(self.peek().kind, TokenKind::Term | TokenKind::Star);
        if !names || self.peek_at(1).kind != TokenKind::Colon {
            return Ok(None);
        }
        let span = self.next().span;
        self.next();
        self.named(self.unescaped(span)?, span).map(Some)
    }

    /// A field by its name.
    fn named(&self, name: String, span: Span) -> Result<Field, SyntaxError> {
        if name.matches('*').count() > FIELD_STARS_MAX {
            return Err(self.error(span.start, Problem::TooManyStars));
        }
        Ok(Field { name, span })
    }

    /// What follows modifier and field. `own` is the field written right here.
    fn body(
        &mut self,
        own: Option<Field>,
        around: &Surroundings,
        expected: &'static str,
    ) -> Result<Body, SyntaxError> {
        let token = self.peek();
        let is_path = token.kind == TokenKind::Term && self.image(token.span).starts_with('@');
        let after = self.peek_at(1);
        if is_path && after.kind == TokenKind::OpenParenthesis {
            if own.is_none() {
                return self.nested(around);
            }
            // With a space between them they are the value of the field and a group.
            if after.span.start == token.span.end {
                return Err(self.error(token.span.start, Problem::NestedInField));
            }
        }
        let field = own.or_else(|| around.field.clone());
        if self.peek().kind == TokenKind::OpenParenthesis {
            let inside = around.inside(field, false);
            let (clauses, span) = self.group(&inside)?;
            return Ok(Body { expression: Expression::Group(clauses), boost: self.boost()?, span });
        }
        self.value(field, expected)
    }

    fn nested(&mut self, around: &Surroundings) -> Result<Body, SyntaxError> {
        let token = self.next();
        let span = Span { start: token.span.start + 1, end: token.span.end };
        if around.nested {
            return Err(self.error(token.span.start, Problem::NestedInNested));
        }
        if around.field.is_some() {
            return Err(self.error(token.span.start, Problem::NestedInField));
        }
        let path = Path { name: self.unescaped(span)?, span };
        if path.name.is_empty() {
            return Err(self.error(token.span.start, Problem::NestedWithoutPath));
        }
        let (clauses, group) = self.group(&around.inside(None, true))?;
        let body = Span { start: token.span.start, end: group.end };
        Ok(Body { expression: Expression::Nested { path, clauses }, boost: self.boost()?, span: body })
    }

    /// `( ... )`, here for certain.
    fn group(&mut self, inside: &Surroundings) -> Result<(Vec<Clause>, Span), SyntaxError> {
        let open = self.next().span;
        if inside.depth > DEPTH_MAX {
            return Err(self.error(open.start, Problem::TooDeep));
        }
        let clauses = self.list(inside, "a clause after `(`; a group cannot be empty")?;
        if let Some(close) = self.next_if(&TokenKind::CloseParenthesis) {
            return Ok((clauses, Span { start: open.start, end: close.span.end }));
        }
        let token = self.peek();
        if token.kind == TokenKind::End {
            let column = SyntaxError::at(self.text, open.start, Problem::TooDeep).column;
            return Err(self.error(token.span.start, Problem::UnclosedGroup { column }));
        }
        Err(self.unexpected(token, self.expected_after_clause(token)))
    }

    /// What could have come instead of a token that follows a clause and does not continue the list.
    fn expected_after_clause(&self, token: &Token) -> &'static str {
        if token.kind == TokenKind::Colon {
            "a clause; a colon that is part of a word is written `\\:`, or the whole value in quotes"
        } else if token.kind == TokenKind::CloseParenthesis {
            "a clause; there is no `(` for this `)`, which as part of a word is written `\\)`"
        } else if token.kind == TokenKind::Caret {
            "a clause; a value or group has one boost, after everything else"
        } else if token.kind == TokenKind::Tilde {
            "a clause; `~` follows a term or a quoted phrase once, and is written `\\~` elsewhere"
        } else {
            CLAUSE
        }
    }
}

/// A clause without its modifier.
struct Body {
    expression: Expression,
    boost: Option<f32>,
    /// The value or group alone.
    span: Span,
}
