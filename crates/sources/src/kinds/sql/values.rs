//! The text that a database gives for a value, as the text of an attribute.

/// How the text of a column's values is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is: text, numbers, dates, ids, JSON.
    Plain,
    /// `t` and `f`.
    Boolean,
    /// A date and a time with a space between, and for times that know their zone `+00` at the end.
    Time,
    /// MySQL's times that know their zone but do not say it; the session's is UTC.
    TimeInUtc,
}

/// A value of this form; times become RFC 3339.
pub(super) fn text(form: Form, value: &str) -> String {
    match form {
        Form::Plain => value.to_owned(),
        Form::Boolean => match value {
            "t" => "true".to_owned(),
            "f" => "false".to_owned(),
            other => other.to_owned(),
        },
        Form::Time => {
            let value = value.replacen(' ', "T", 1);
            match value.strip_suffix("+00") {
                Some(start) => format!("{start}Z"),
                None => value,
            }
        }
        Form::TimeInUtc => format!("{}Z", value.replacen(' ', "T", 1)),
    }
}

/// The elements of an array in PostgreSQL's text (such as `{a,"b c",NULL}`), nulls left out; `None` for arrays of
/// several dimensions, which are no list of values.
pub(super) fn array(value: &str) -> Option<Vec<String>> {
    // Bounds other than from 1 are written before it: [0:2]={a,b,c}.
    let value = if value.starts_with('[') { value.split_once('=')?.1 } else { value };
    let inner = value.strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    let mut rest = inner.chars().peekable();
    while rest.peek().is_some() {
        let mut element = String::new();
        let quoted = rest.next_if_eq(&'"').is_some();
        loop {
            match rest.next() {
                Some('\\') => element.push(rest.next()?),
                Some('"') if quoted => {
                    if rest.next().is_some_and(|next| next != ',') {
                        return None;
                    }
                    break;
                }
                Some(',') if !quoted => break,
                Some('{' | '}' | '"') if !quoted => return None,
                Some(other) => element.push(other),
                None if quoted => return None,
                None => break,
            }
        }
        if quoted || !element.eq_ignore_ascii_case("null") {
            elements.push(element);
        }
    }
    Some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays() {
        let cases: [(&str, Option<&[&str]>); 9] = [
            ("{}", Some(&[])),
            ("{a,b c}", Some(&["a", "b c"])),
            (r#"{"a,b","say \"x\"","\\",NULL,"NULL",""}"#, Some(&["a,b", "say \"x\"", "\\", "NULL", ""])),
            ("[0:1]={1,2}", Some(&["1", "2"])),
            ("{{1,2},{3,4}}", None),
            ("{\"a", None),
            ("{\"a\"b}", None),
            ("a", None),
            ("{null}", Some(&[])),
        ];
        for (value, expected) in cases {
            let expected = expected.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect());
            assert_eq!(array(value), expected, "{value}");
        }
    }

    #[test]
    fn times_and_booleans() {
        assert_eq!(text(Form::Time, "2024-01-15 08:30:00.5+00"), "2024-01-15T08:30:00.5Z");
        assert_eq!(text(Form::Time, "2024-01-15 08:30:00"), "2024-01-15T08:30:00");
        assert_eq!(text(Form::Time, "infinity"), "infinity");
        assert_eq!(text(Form::TimeInUtc, "2024-01-15 08:30:00"), "2024-01-15T08:30:00Z");
        assert_eq!(text(Form::Boolean, "t"), "true");
        assert_eq!(text(Form::Boolean, "f"), "false");
    }
}
