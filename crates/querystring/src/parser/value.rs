//! Values: terms, patterns, phrases and ranges, with what may follow them.

use super::{Body, Parser};
use crate::error::{Problem, SyntaxError};
use crate::escape::pattern_pieces;
use crate::number::java_float;
use crate::regex::parse_regex;
use crate::token::TokenKind;
use crate::tree::{Bound, Edits, Expression, Field, Span, Value};

/// A field of this name asks whether the field named by the value has one (E).
const EXISTS_FIELD: &str = "_exists_";

impl Parser<'_> {
    pub(super) fn value(
        &mut self,
        field: Option<Field>,
        expected: &'static str,
    ) -> Result<Body, SyntaxError> {
        let token = self.next();
        let span = token.span;
        match token.kind {
            TokenKind::Term | TokenKind::BareOperator => {
                let text = self.unescaped(span)?;
                let (boost, tilde) = self.suffixes()?;
                let expression = match tilde {
                    Some(tilde) => {
                        let edits = self.edits(tilde)?;
                        Expression::Match { field, value: Value::Fuzzy { text, edits } }
                    }
                    None => self.term(field, text, span)?,
                };
                Ok(Body { expression, boost, span })
            }
            TokenKind::Star => {
                let (boost, _) = self.suffixes()?;
                let expression = match field {
                    None => Expression::All,
                    Some(field) if field.name == "*" => Expression::All,
                    Some(field) => Expression::Exists(field),
                };
                Ok(Body { expression, boost, span })
            }
            TokenKind::Prefix => {
                let mut text = self.unescaped(span)?;
                text.pop();
                self.pattern(field, Value::Prefix(text), span)
            }
            TokenKind::Wildcard => {
                // Lucene checks the escapes as those of a term, and then reads them as a pattern's.
                self.unescaped(span)?;
                let value = Value::Wildcard(pattern_pieces(self.image(span)));
                self.pattern(field, value, span)
            }
            TokenKind::Regex => {
                self.unescaped(span)?;
                let inside = self.image(Span { start: span.start + 1, end: span.end - 1 });
                parse_regex(inside).map_err(|error| {
                    let offset = span.start + 1 + error.offset;
                    self.error(offset, Problem::Regex { detail: error.to_string() })
                })?;
                let value = Value::Regex(inside.to_owned());
                self.pattern(field, value, span)
            }
            TokenKind::Quoted => {
                let text = self.unescaped(Span { start: span.start + 1, end: span.end - 1 })?;
                let (boost, tilde) = self.suffixes()?;
                let expression = match field {
                    Some(field) if field.name == EXISTS_FIELD => Expression::Exists(self.named(text, span)?),
                    field => {
                        let slop = tilde.map_or(Ok(0), |tilde| self.slop(tilde))?;
                        Expression::Match { field, value: Value::Phrase { text, slop } }
                    }
                };
                Ok(Body { expression, boost, span })
            }
            TokenKind::RangeOpen { inclusive } => self.range(field, inclusive, span),
            TokenKind::And
            | TokenKind::Or
            | TokenKind::Not
            | TokenKind::Plus
            | TokenKind::Minus
            | TokenKind::OpenParenthesis
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
            | TokenKind::Invalid(_) => Err(self.unexpected(&token, expected)),
        }
    }

    /// A value on which a tilde is allowed and means nothing.
    fn pattern(&mut self, field: Option<Field>, value: Value, span: Span) -> Result<Body, SyntaxError> {
        let (boost, _) = self.suffixes()?;
        Ok(Body { expression: Expression::Match { field, value }, boost, span })
    }

    fn range(&mut self, field: Option<Field>, lower: bool, open: Span) -> Result<Body, SyntaxError> {
        let lower =
            Bound { limit: self.limit("the lower bound of the range, a value or `*`")?, inclusive: lower };
        if self.next_if(&TokenKind::RangeTo).is_none() {
            let expected =
                "TO in upper case between the bounds, as in `[1 TO 5]`; a bound with a space is quoted";
            return Err(self.unexpected(self.peek(), expected));
        }
        let limit = self.limit("the upper bound of the range, a value or `*`")?;
        let close = self.next();
        let TokenKind::RangeClose { inclusive } = close.kind else {
            return Err(
                self.unexpected(&close, "`]` or `}` to close the range; a bound with a space is quoted")
            );
        };
        let value = Value::Range { lower, upper: Bound { limit, inclusive } };
        let span = Span { start: open.start, end: close.span.end };
        Ok(Body { expression: Expression::Match { field, value }, boost: self.boost()?, span })
    }

    /// One limit of a range, `None` where it is open.
    fn limit(&mut self, expected: &'static str) -> Result<Option<String>, SyntaxError> {
        let token = self.next();
        let limit = if token.kind == TokenKind::RangeQuoted {
            self.unescaped(Span { start: token.span.start + 1, end: token.span.end - 1 })?
        } else if matches!(token.kind, TokenKind::RangeWord | TokenKind::RangeTo) {
            self.unescaped(token.span)?
        } else {
            return Err(self.unexpected(&token, expected));
        };
        Ok(Some(limit).filter(|limit| limit != "*"))
    }

    /// A boost and a tilde, in either order; the tilde's token is that with the text after it.
    fn suffixes(&mut self) -> Result<(Option<f32>, Option<Span>), SyntaxError> {
        let before = self.boost()?;
        let tilde = self.next_if(&TokenKind::Tilde).map(|token| token.span);
        let boost = if before.is_none() { self.boost()? } else { before };
        Ok((boost, tilde))
    }

    pub(super) fn boost(&mut self) -> Result<Option<f32>, SyntaxError> {
        if self.next_if(&TokenKind::Caret).is_none() {
            return Ok(None);
        }
        let number = self.next();
        if number.kind != TokenKind::Number {
            return Err(self.unexpected(&number, "a number directly after `^`"));
        }
        match self.image(number.span).parse::<f32>() {
            Ok(boost) if boost.is_finite() => Ok(Some(boost)),
            _ => Err(self.error(number.span.start, Problem::Boost)),
        }
    }

    /// The slop after a phrase. A text that is not a number counts as none, and a fraction is cut off.
    fn slop(&self, tilde: Span) -> Result<u32, SyntaxError> {
        let number = java_float(self.image(Span { start: tilde.start + 1, end: tilde.end })).unwrap_or(0.0);
        // A cast from a float saturates and takes NaN for 0, as Java's does; the slop is an `int` there.
        let slop = number as i32;
        u32::try_from(slop).map_err(|_| self.error(tilde.start, Problem::NegativeSlop))
    }

    /// A term by itself: in a field it may be a comparison, or name the field that has to exist. Whether its
    /// characters were escaped makes no difference to Elasticsearch (E).
    fn term(&self, field: Option<Field>, text: String, span: Span) -> Result<Expression, SyntaxError> {
        let Some(field) = field else {
            return Ok(Expression::Match { field, value: Value::Term(text) });
        };
        if field.name == EXISTS_FIELD {
            return Ok(Expression::Exists(self.named(text, span)?));
        }
        let value = comparison(&text).unwrap_or(Value::Term(text));
        Ok(Expression::Match { field: Some(field), value })
    }

    /// The edits after a fuzzy term. A number is cut at 2, a fraction below 1 is 0 edits (E), one above is
    /// refused; `AUTO` in any case means the same as nothing, and other text is refused (E):
    /// `Fuzziness.asDistance`.
    fn edits(&self, tilde: Span) -> Result<Edits, SyntaxError> {
        let image = self.image(Span { start: tilde.start + 1, end: tilde.end });
        if image.is_empty() || image.eq_ignore_ascii_case("auto") {
            return Ok(Edits::Auto);
        }
        match java_float(image) {
            Some(number) if number >= 2.0 && (number.fract() == 0.0 || number.is_infinite()) => {
                Ok(Edits::Exactly(2))
            }
            Some(1.0) => Ok(Edits::Exactly(1)),
            Some(number) if (0.0..1.0).contains(&number) => Ok(Edits::Exactly(0)),
            _ => Err(self.error(tilde.start, Problem::Edits)),
        }
    }
}

/// `>a`, `>=a`, `<a`, `<=a` as a range. The sign alone is a term, and `>=` alone is `>` and a limit of `=`:
/// `QueryStringQueryParser.getFieldQuery` (E).
fn comparison(text: &str) -> Option<Value> {
    let (above, rest) = match text.strip_prefix('>') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('<')?),
    };
    let (inclusive, limit) = match rest.strip_prefix('=') {
        Some(limit) if !limit.is_empty() => (true, limit),
        _ => (false, rest),
    };
    if limit.is_empty() {
        return None;
    }
    let bound = Bound { limit: Some(limit.to_owned()).filter(|limit| limit != "*"), inclusive };
    let open = Bound { limit: None, inclusive: true };
    Some(if above {
        Value::Range { lower: bound, upper: open }
    } else {
        Value::Range { lower: open, upper: bound }
    })
}
