//! Parameters of published lists: `limit`, `offset`, `count`, `filters` and `sorters`.
//!
//! `filters` has the syntax of the published collection parameters, as far as lists here have it: comparisons of a field,
//! with texts in double quotes, joined by `and`. What a list does not have is refused with its place and never ignored: a
//! condition that is left out would answer more than was asked for.

use crate::failure::Failure;
use crate::input::Query;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use muster_reports::error::shown;
use muster_reports::nearest::hint;

/// Most entries of one answer.
const LIMIT_MAX: u32 = 250;
/// Most entries that an answer leaves out from the beginning.
const OFFSET_MAX: u32 = 2_147_483_647;

/// How many entries a list has in all.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// An answer with the header that says how many entries there are in all, where that is asked for.
pub(crate) fn with_total(mut response: Response, total: Option<u64>) -> Response {
    if let Some(total) = total {
        response.headers_mut().insert(TOTAL_COUNT, HeaderValue::from(total));
    }
    response
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) limit: u32,
    pub(crate) offset: u32,
    /// Whether `X-Total-Count` is asked for.
    pub(crate) count: bool,
}

impl Part {
    pub(crate) fn of(query: &Query) -> Result<Self, Failure> {
        Ok(Self {
            limit: number(query, "limit", LIMIT_MAX)?.unwrap_or(LIMIT_MAX),
            offset: number(query, "offset", OFFSET_MAX)?.unwrap_or(0),
            count: query.flag("count")?,
        })
    }
}

fn number(query: &Query, name: &str, most: u32) -> Result<Option<u32>, Failure> {
    let Some(text) = query.text(name) else { return Ok(None) };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && number <= most => Ok(Some(number)),
        Ok(_) | Err(_) => Err(Failure::invalid(format!(
            "{name} is {}: expected a whole number from 0 to {most}",
            shown(text)
        ))),
    }
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `eq "..."`
    Equals,
    /// `in ("...", "...")`
    In,
    /// `isnull`
    IsNull,
    /// `sw "..."`
    StartsWith,
    /// `co "..."`
    Contains,
}

impl Operator {
    const ALL: [Self; 5] = [Self::Equals, Self::In, Self::IsNull, Self::StartsWith, Self::Contains];

    fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "eq",
            Self::In => "in",
            Self::IsNull => "isnull",
            Self::StartsWith => "sw",
            Self::Contains => "co",
        }
    }
}

/// A field that a list can be filtered by: its published name, what it is, and its operators.
pub(crate) type FilterField<F> = (&'static str, F, &'static [Operator]);

/// A condition of `filters`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition<F> {
    pub(crate) field: F,
    pub(crate) test: Test,
}

/// What a field must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    OneOf(Vec<String>),
    Null,
    StartsWith(String),
    Contains(String),
}

/// The conditions of a text, all of which must hold.
pub(crate) fn conditions<F: Copy>(
    text: &str,
    fields: &[FilterField<F>],
) -> Result<Vec<Condition<F>>, Failure> {
    let mut reader = Reader { text, rest: text };
    let mut conditions = vec![condition(&mut reader, fields)?];
    while !reader.at_end() {
        let place = reader.place();
        let word = reader.word();
        if !word.eq_ignore_ascii_case("and") {
            return Err(expected(place, "and, or the end: conditions are joined by and only"));
        }
        conditions.push(condition(&mut reader, fields)?);
    }
    Ok(conditions)
}

fn condition<F: Copy>(reader: &mut Reader<'_>, fields: &[FilterField<F>]) -> Result<Condition<F>, Failure> {
    let names = || fields.iter().map(|(name, _, _)| *name);
    let place = reader.place();
    let word = reader.word();
    let Some((name, field, operators)) = fields.iter().find(|(name, _, _)| *name == word) else {
        let list = names().collect::<Vec<_>>().join(", ");
        return Err(if word.is_empty() {
            expected(place, &format!("a field, one of {list}"))
        } else {
            let near = hint(word, names());
            Failure::invalid(format!(
                "filters, column {place}: there is no field {}{near}; expected one of {list}",
                shown(word)
            ))
        });
    };
    let place = reader.place();
    let word = reader.word();
    let operator = Operator::ALL.into_iter().find(|known| word.eq_ignore_ascii_case(known.as_str()));
    let Some(operator) = operator.filter(|operator| operators.contains(operator)) else {
        let list = operators.iter().map(|operator| operator.as_str()).collect::<Vec<_>>().join(", ");
        return Err(expected(place, &format!("an operator of {name}, one of {list}")));
    };
    let test = match operator {
        Operator::Equals => Test::OneOf(vec![reader.quoted()?]),
        Operator::In => Test::OneOf(reader.list()?),
        Operator::IsNull => Test::Null,
        Operator::StartsWith => Test::StartsWith(reader.quoted()?),
        Operator::Contains => Test::Contains(reader.quoted()?),
    };
    Ok(Condition { field: *field, test })
}

/// The order of a list, as `sorters` says it: names of fields with commas between them, `-` for the order from the last to the
/// first. Each field is `(published name, field)`.
pub(crate) fn sorters<F: Copy>(text: &str, fields: &[(&'static str, F)]) -> Result<Vec<(F, bool)>, Failure> {
    let names = || fields.iter().map(|(name, _)| *name);
    let key = |word: &str| {
        let word = word.trim();
        let (name, backwards) = match word.strip_prefix('-') {
            Some(name) => (name, true),
            None => (word, false),
        };
        match fields.iter().find(|(known, _)| *known == name) {
            Some((_, field)) => Ok((*field, backwards)),
            None => Err(Failure::invalid(format!(
                "sorters has {}{}: expected some of {}, each with - before it for the order from the last to the first",
                shown(name),
                hint(name, names()),
                names().collect::<Vec<_>>().join(", ")
            ))),
        }
    };
    text.split(',').map(key).collect()
}

fn expected(place: usize, what: &str) -> Failure {
    Failure::invalid(format!("filters, column {place}: expected {what}"))
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// The column of what comes next, from 1.
    fn place(&mut self) -> usize {
        self.rest = self.rest.trim_start();
        self.text[..self.text.len() - self.rest.len()].chars().count() + 1
    }

    fn at_end(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.is_empty()
    }

    /// The word that comes next; empty where there is none.
    fn word(&mut self) -> &'t str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.' | '-'));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn takes(&mut self, sign: char) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// A text in double quotes, in which a quote or a backslash follows a backslash.
    fn quoted(&mut self) -> Result<String, Failure> {
        let place = self.place();
        if !self.takes('"') {
            return Err(expected(place, "a text in double quotes"));
        }
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => text.push(c),
                    Some(_) | None => {
                        return Err(expected(
                            place,
                            "a quote or a backslash after each backslash of the text",
                        ));
                    }
                },
                _ => text.push(c),
            }
        }
        Err(expected(place, "a quote at the end of the text"))
    }

    /// Texts in parentheses.
    fn list(&mut self) -> Result<Vec<String>, Failure> {
        let place = self.place();
        if !self.takes('(') {
            return Err(expected(place, "texts in parentheses, (\"...\", \"...\")"));
        }
        let mut texts = vec![self.quoted()?];
        while self.takes(',') {
            texts.push(self.quoted()?);
        }
        let place = self.place();
        if !self.takes(')') {
            return Err(expected(place, "a comma or a closing parenthesis"));
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operator::{Contains, Equals, In, IsNull, StartsWith};

    const FIELDS: &[FilterField<&str>] =
        &[("id", "id", &[Equals, In]), ("state", "state", &[Equals, In, IsNull, StartsWith, Contains])];

    fn read(text: &str) -> Result<Vec<Condition<&str>>, String> {
        conditions(text, FIELDS).map_err(|failure| failure.cause().to_owned())
    }

    fn one_of(field: &'static str, texts: &[&str]) -> Condition<&'static str> {
        Condition { field, test: Test::OneOf(texts.iter().map(|text| (*text).to_owned()).collect()) }
    }

    #[test]
    fn conditions_are_read_as_they_are_published() {
        for (text, read_as) in [
            (r#"id eq "a""#, vec![one_of("id", &["a"])]),
            (r#"  id  EQ"a b"  "#, vec![one_of("id", &["a b"])]),
            (r#"id in ("a")"#, vec![one_of("id", &["a"])]),
            (r#"id in("a" ,"b", "")"#, vec![one_of("id", &["a", "b", ""])]),
            ("state isnull", vec![Condition { field: "state", test: Test::Null }]),
            (
                r#"state sw "a" and state co "b""#,
                vec![
                    Condition { field: "state", test: Test::StartsWith("a".into()) },
                    Condition { field: "state", test: Test::Contains("b".into()) },
                ],
            ),
            (
                r#"id eq "a and \"b\" \\" and state IsNull AND state in ("é)")"#,
                vec![
                    one_of("id", &["a and \"b\" \\"]),
                    Condition { field: "state", test: Test::Null },
                    one_of("state", &["é)"]),
                ],
            ),
        ] {
            assert_eq!(read(text), Ok(read_as), "{text}");
        }
    }

    #[test]
    #[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    fn sorters_are_read_as_they_are_published() {
        let read = |text: &str| {
            sorters(text, &[("id", 1), ("name", 2)]).map_err(|failure| failure.cause().to_owned())
        };
        assert_eq!(read("name, -id"), Ok(vec![(2, false), (1, true)]));
        let refused = read("nam").unwrap_err();
        assert!(
            refused
                .starts_with("sorters has \"nam\": the nearest name is \"name\": expected some of id, name"),
            "{refused}"
        );
        assert!(read("").is_err() && read("id,").is_err());
    }

    #[test]
    fn anything_else_is_refused_with_its_place() {
        let operators = "expected an operator of id, one of eq, in";
        for (text, cause) in [
            (" ", "filters, column 2: expected a field, one of id, state".to_owned()),
            ("(id eq \"a\")", "filters, column 1: expected a field, one of id, state".to_owned()),
            (
                "stats eq \"a\"",
                "filters, column 1: there is no field \"stats\": the nearest name is \"state\"; expected one of id, \
                 state"
                    .to_owned(),
            ),
            (
                "Id eq \"a\"",
                "filters, column 1: there is no field \"Id\": the nearest name is \"id\"; expected one of id, state"
                    .to_owned(),
            ),
            ("id", format!("filters, column 3: {operators}")),
            ("id isnull", format!("filters, column 4: {operators}")),
            ("id co \"a\"", format!("filters, column 4: {operators}")),
            ("id ne \"a\"", format!("filters, column 4: {operators}")),
            ("id = \"a\"", format!("filters, column 4: {operators}")),
            ("id eq a", "filters, column 7: expected a text in double quotes".to_owned()),
            ("id eq 'a'", "filters, column 7: expected a text in double quotes".to_owned()),
            ("id eq \"a", "filters, column 7: expected a quote at the end of the text".to_owned()),
            (
                "id eq \"\\n\"",
                "filters, column 7: expected a quote or a backslash after each backslash of the text".to_owned(),
            ),
            (
                "id in \"a\"",
                "filters, column 7: expected texts in parentheses, (\"...\", \"...\")".to_owned(),
            ),
            ("id in ()", "filters, column 8: expected a text in double quotes".to_owned()),
            ("id in (\"a\"", "filters, column 11: expected a comma or a closing parenthesis".to_owned()),
            ("id in (\"a\",)", "filters, column 12: expected a text in double quotes".to_owned()),
            (
                "id eq \"é\" or id eq \"b\"",
                "filters, column 11: expected and, or the end: conditions are joined by and only".to_owned(),
            ),
            (
                "id eq \"a\" id eq \"b\"",
                "filters, column 11: expected and, or the end: conditions are joined by and only".to_owned(),
            ),
            ("id eq \"a\" and", "filters, column 14: expected a field, one of id, state".to_owned()),
        ] {
            assert_eq!(read(text), Err(cause), "{text}");
        }
    }
}
