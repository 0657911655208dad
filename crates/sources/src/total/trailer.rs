//! The trailer record of a delimited file: by the form of its fields, or by a regular expression.

use regex::{Regex, RegexBuilder};

use super::Stated;
use super::decimal::Decimal;
use crate::pattern::matches;

/// What stands in the form of a trailer record for the total.
const COUNT: &str = "{count}";
/// What stands there for the sum.
const SUM: &str = "{sum}";
/// Most bytes of a compiled expression.
const EXPRESSION_BYTES_MAX: usize = 1 << 20;

/// How a trailer record is known, and where its numbers are.
pub(crate) struct TrailerForm {
    shape: Shape,
    mark: char,
    /// The record's fields, joined, where an expression looks at them.
    joined: String,
}

enum Shape {
    /// Field by field.
    Fields(Vec<Vec<Piece>>),
    /// Over the fields, joined by the delimiter.
    Expression(Regex, char),
}

/// A piece of a field's form.
enum Piece {
    Pattern(String),
    Count,
    Sum,
}

/// What a record is, seen as a trailer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trailed {
    /// No trailer record.
    Not,
    /// The trailer record; its numbers, or which of them is none.
    Is(Result<Stated, String>),
}

impl TrailerForm {
    /// The form of a definition; `None` if neither `{count}` nor `{sum}` stands in it, one stands twice, two stand side by
    /// side, or it has quotes.
    pub(crate) fn fields(form: &str, delimiter: char, mark: char) -> Option<Self> {
        let times = |name| form.matches(name).count();
        let is_one = times(COUNT) <= 1 && times(SUM) <= 1 && times(COUNT) + times(SUM) > 0;
        if !is_one || form.contains(['"', '\r', '\n']) {
            return None;
        }
        let fields = form.split(delimiter).map(|field| pieces(field.trim())).collect::<Option<_>>()?;
        Some(Self { shape: Shape::Fields(fields), mark, joined: String::new() })
    }

    /// The expression of a definition, which must match a whole record. Fields are joined by the delimiter.
    ///
    /// # Errors
    /// It is none, or has neither the group `count` nor the group `sum`.
    pub(crate) fn expression(text: &str, delimiter: char, mark: char) -> Result<Self, String> {
        let expression = RegexBuilder::new(&format!("^(?:{text})$"))
            .size_limit(EXPRESSION_BYTES_MAX)
            .build()
            .map_err(|error| format!("not a regular expression: {error}"))?;
        if !expression.capture_names().flatten().any(|name| name == "count" || name == "sum") {
            return Err("expected the group (?P<count>...) or (?P<sum>...)".to_owned());
        }
        Ok(Self { shape: Shape::Expression(expression, delimiter), mark, joined: String::new() })
    }

    /// Whether it says where the number of records is, and where the sum is.
    pub(crate) fn gives(&self) -> (bool, bool) {
        match &self.shape {
            Shape::Fields(fields) => {
                let has = |is: fn(&Piece) -> bool| fields.iter().flatten().any(is);
                (has(|piece| matches!(piece, Piece::Count)), has(|piece| matches!(piece, Piece::Sum)))
            }
            Shape::Expression(expression, _) => {
                let has = |wanted| expression.capture_names().flatten().any(|name| name == wanted);
                (has("count"), has("sum"))
            }
        }
    }

    /// What a record of `count` fields is. Blank fields beyond those of the form do not count: spreadsheets fill records
    /// up.
    pub(crate) fn read<'a>(&mut self, count: usize, field: impl Fn(usize) -> Option<&'a str>) -> Trailed {
        let field = |index| field(index).map(str::trim);
        match &self.shape {
            Shape::Fields(fields) => {
                let stated = read_fields(fields, self.mark, count, field);
                stated.map_or(Trailed::Not, |stated| Trailed::Is(Ok(stated)))
            }
            Shape::Expression(expression, delimiter) => {
                self.joined.clear();
                let used = (0..count).rfind(|index| field(*index) != Some("")).map_or(0, |last| last + 1);
                for index in 0..used {
                    if index > 0 {
                        self.joined.push(*delimiter);
                    }
                    let Some(text) = field(index) else { return Trailed::Not };
                    self.joined.push_str(text);
                }
                let Some(found) = expression.captures(&self.joined) else { return Trailed::Not };
                let group = |name| found.name(name).map(|text| text.as_str());
                Trailed::Is(stated(group("count"), group("sum"), self.mark))
            }
        }
    }
}

/// The pieces of a field's form; `None` where both numbers stand side by side, so that nobody could tell them apart.
fn pieces(field: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = field;
    loop {
        let next = [(COUNT, rest.find(COUNT)), (SUM, rest.find(SUM))];
        let next = next.into_iter().filter_map(|(name, at)| at.map(|at| (at, name))).min();
        let Some((at, name)) = next else { break };
        if at == 0 && matches!(pieces.last(), Some(Piece::Count | Piece::Sum)) {
            return None;
        }
        pieces.push(Piece::Pattern(rest[..at].to_owned()));
        pieces.push(if name == COUNT { Piece::Count } else { Piece::Sum });
        rest = &rest[at + name.len()..];
    }
    pieces.push(Piece::Pattern(rest.to_owned()));
    Some(pieces)
}

fn read_fields<'a>(
    fields: &[Vec<Piece>],
    mark: char,
    count: usize,
    field: impl Fn(usize) -> Option<&'a str>,
) -> Option<Stated> {
    if count < fields.len() || (fields.len()..count).any(|index| field(index) != Some("")) {
        return None;
    }
    let mut stated = Stated::default();
    for (index, pieces) in fields.iter().enumerate() {
        if !fits(pieces, mark, field(index)?, &mut stated) {
            return None;
        }
    }
    Some(stated)
}

/// Whether a text fits the pieces; numbers are the first and longest that fit.
fn fits(pieces: &[Piece], mark: char, text: &str, stated: &mut Stated) -> bool {
    let (before, rest) = match pieces {
        [Piece::Pattern(only)] => return matches(only, text),
        [Piece::Pattern(before), rest @ ..] => (before.as_str(), rest),
        _ => ("", pieces),
    };
    let [number, behind @ ..] = rest else { return false };
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    for start in ends.iter().filter(|start| matches(before, &text[..**start])) {
        for end in ends.iter().rev().filter(|end| *end > start) {
            let taken = &text[*start..*end];
            let is_number = match number {
                Piece::Count => count_of(taken).map(|count| stated.count = Some(count)).is_some(),
                Piece::Sum => sum_of(taken, mark).map(|sum| stated.sum = Some(sum)).is_some(),
                Piece::Pattern(_) => false,
            };
            if is_number && fits(behind, mark, &text[*end..], stated) {
                return true;
            }
        }
    }
    false
}

/// The numbers of texts that stand for them; or which is none.
pub(super) fn stated(count: Option<&str>, sum: Option<&str>, mark: char) -> Result<Stated, String> {
    let wrong = |what: &str, text: &str, wanted: &str| {
        format!("the owner's {what} is {:?}: expected {wanted}", text.chars().take(80).collect::<String>())
    };
    let count = count.map(|text| count_of(text).ok_or_else(|| wrong("total", text, "a whole number")));
    let sum = sum.map(|text| {
        sum_of(text, mark).ok_or_else(|| {
            wrong("sum", text, &format!("digits with {:?} before the decimals", mark.to_string()))
        })
    });
    Ok(Stated { count: count.transpose()?, sum: sum.transpose()? })
}

/// A number of nothing but digits.
pub(super) fn count_of(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

/// A number without white space.
fn sum_of(text: &str, mark: char) -> Option<Decimal> {
    (text.trim() == text).then(|| Decimal::of(text, mark)).flatten()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn read(form: &mut TrailerForm, record: &[&str]) -> Trailed {
        form.read(record.len(), |index| record.get(index).copied())
    }

    #[test]
    fn trailers_are_known_by_their_form() {
        for (form, record, total) in [
            ("TRL;{count}", &["TRL", "00042"][..], Some(42)),
            ("TRL;{count}", &["TRL", " 42 ", "", ""], Some(42)),
            ("TRL;{count}", &["TRL", "42", "x"], None),
            ("TRL;{count}", &["TRL"], None),
            ("TRL;{count}", &["TRL", "4 2"], None),
            ("TRL;{count}", &["TRL", "-42"], None),
            ("T*;????????;{count} rows", &["TRAILER", "20260331", "42 rows"], Some(42)),
            ("T*;????????;{count} rows", &["TRAILER", "2026-03-31", "42 rows"], None),
            ("# {count} records*", &["# 1234 records in all"], Some(1234)),
            ("*{count}", &["part 1 of 9: 12"], Some(12)),
            ("TRL;{count}", &["TRL", "18446744073709551616"], None),
        ] {
            let mut form = TrailerForm::fields(form, ';', '.').unwrap();
            let found = match read(&mut form, record) {
                Trailed::Is(stated) => stated.unwrap().count,
                Trailed::Not => None,
            };
            assert_eq!(found, total, "{record:?}");
        }
        for wrong in ["TRL", "{count};{count}", "\"TRL\";{count}", "{count}{sum}", "{sum};{sum}"] {
            assert!(TrailerForm::fields(wrong, ';', '.').is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_form_gives_a_sum_beside_the_total() {
        let of = |count, sum: &str| Trailed::Is(Ok(Stated { count, sum: Decimal::of(sum, '.') }));
        let mut form = TrailerForm::fields("TRL;{count};{sum}", ';', '.').unwrap();
        assert_eq!(form.gives(), (true, true));
        assert_eq!(read(&mut form, &["TRL", "3", "-12.50"]), of(Some(3), "-12.5"));
        assert_eq!(read(&mut form, &["TRL", "3", "twelve"]), Trailed::Not);
        let mut form = TrailerForm::fields("{count} rows, {sum} EUR", ';', ',').unwrap();
        assert_eq!(read(&mut form, &["3 rows, 12,50 EUR"]), of(Some(3), "12.5"));
        let mut form = TrailerForm::fields("SUM;{sum}", ';', '.').unwrap();
        assert_eq!((form.gives(), read(&mut form, &["SUM", "7"])), ((false, true), of(None, "7")));
    }

    #[test]
    fn an_expression_matches_a_whole_record() {
        let text = r"\*+ END OF (?:FILE|DATA): (?P<count>[0-9.]+) RECORDS?(?:;(?P<sum>\S+))?";
        let mut form = TrailerForm::expression(text, ';', ',').unwrap();
        assert_eq!(form.gives(), (true, true));
        let of = |count, sum: Option<&str>| {
            Trailed::Is(Ok(Stated { count: Some(count), sum: sum.and_then(|text| Decimal::of(text, '.')) }))
        };
        assert_eq!(read(&mut form, &["*** END OF FILE: 17 RECORDS", "", ""]), of(17, None));
        assert_eq!(read(&mut form, &["* END OF DATA: 1 RECORD", "12,5"]), of(1, Some("12.5")));
        assert_eq!(read(&mut form, &["x*** END OF FILE: 17 RECORDS"]), Trailed::Not);
        assert_eq!(read(&mut form, &["*** END OF FILE: 17 RECORDS", "1", "2 3"]), Trailed::Not);
        // What matches is the trailer record, even if its number is none: it is never taken for a row.
        let wrong = "the owner's total is \"1.234\": expected a whole number";
        let found = read(&mut form, &["*** END OF FILE: 1.234 RECORDS"]);
        assert_eq!(found, Trailed::Is(Err(wrong.to_owned())));

        let wrong = |text: &str| TrailerForm::expression(text, ';', '.').err().unwrap();
        assert!(wrong("(?P<count>").starts_with("not a regular expression"));
        assert!(wrong("TRL;(?P<count>[0-9]{1000}){1000}").starts_with("not a regular expression"));
        assert_eq!(wrong(r"TRL;(\d+)"), "expected the group (?P<count>...) or (?P<sum>...)");
    }
}
