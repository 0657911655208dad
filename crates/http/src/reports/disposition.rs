//! `Content-Disposition` of a download.
//!
//! A published client writes the file under this name to its working directory, without a check. So the name must not
//! lead elsewhere or break out of the quotes. Control characters, quotes, slashes and backslashes are removed, and so
//! are leading dots and the marks that reverse the reading direction.

use axum::http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Write;

/// Longest name without its extension, in bytes. File systems allow 255; the rest is for the extension and for what a
/// client adds.
const NAME_BYTES_MAX: usize = 200;

/// The characters that RFC 8187 allows in an extended value: `attr-char`.
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The header for a file called `asked`, or `otherwise` if nothing of `asked` is left.
pub(crate) fn content_disposition(asked: Option<&str>, otherwise: &str, extension: &str) -> HeaderValue {
    let name = [asked.unwrap_or_default(), otherwise, "report"]
        .into_iter()
        .map(|name| safe(name, extension))
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    let ascii: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let mut text = format!("attachment;filename=\"{ascii}.{extension}\"");
    if !name.is_ascii() {
        let encoded = utf8_percent_encode(&name, EXTENDED);
        write!(text, "; filename*=UTF-8''{encoded}.{extension}").expect("a string takes every text");
    }
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

/// The harmless part of `name`, without `extension` at its end, at most [`NAME_BYTES_MAX`] bytes.
fn safe(name: &str, extension: &str) -> String {
    let kept: String = name.chars().filter(|c| harmless(*c)).collect();
    let mut rest = kept.trim();
    if let Some((stem, end)) = rest.rsplit_once('.')
        && end.eq_ignore_ascii_case(extension)
    {
        rest = stem;
    }
    // In any order: what is left must not begin with a dot once the blanks are gone.
    rest = rest.trim_start_matches(|c: char| c == '.' || c.is_whitespace());
    rest[..rest.floor_char_boundary(NAME_BYTES_MAX)].trim_end().to_owned()
}

fn harmless(c: char) -> bool {
    let reverses =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !reverses && !matches!(c, '"' | '\'' | '/' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_safe_and_have_their_extension_once() {
        let cases = [
            (None, r#"attachment;filename="Identities Report.csv""#),
            (Some("Q3"), r#"attachment;filename="Q3.csv""#),
            (Some("Q3.csv"), r#"attachment;filename="Q3.csv""#),
            (Some("Q3.CSV"), r#"attachment;filename="Q3.csv""#),
            (Some("Q3.pdf"), r#"attachment;filename="Q3.pdf.csv""#),
            (Some("../../etc/passwd"), r#"attachment;filename="etcpasswd.csv""#),
            (Some(r"..\..\boot.ini"), r#"attachment;filename="boot.ini.csv""#),
            (Some("a\"; filename=\"b"), r#"attachment;filename="a; filename=b.csv""#),
            (Some("a\r\nSet-Cookie: x"), r#"attachment;filename="aSet-Cookie: x.csv""#),
            (Some("O'Brien"), r#"attachment;filename="OBrien.csv""#),
            (Some(".bashrc"), r#"attachment;filename="bashrc.csv""#),
            (Some(". .bashrc"), r#"attachment;filename="bashrc.csv""#),
            (Some("\u{61c}vsc.exe"), r#"attachment;filename="vsc.exe.csv""#),
            (Some("///"), r#"attachment;filename="Identities Report.csv""#),
            (Some(".csv"), r#"attachment;filename="Identities Report.csv""#),
            (
                Some("Prüfung 2024"),
                r#"attachment;filename="Pr_fung 2024.csv"; filename*=UTF-8''Pr%C3%BCfung%202024.csv"#,
            ),
            (Some("\u{202e}vsc.exe"), r#"attachment;filename="vsc.exe.csv""#),
        ];
        for (asked, expected) in cases {
            assert_eq!(content_disposition(asked, "Identities Report", "csv"), expected, "{asked:?}");
        }
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let header = content_disposition(Some(&"ü".repeat(300)), "x", "csv");
        let expected = format!(
            "attachment;filename=\"{}.csv\"; filename*=UTF-8''{}.csv",
            "_".repeat(100),
            "%C3%BC".repeat(100)
        );
        assert_eq!(header, expected);
        // The extension is taken off first: cut in two, half of it would stay.
        let header = content_disposition(Some(&format!("{}.csv", "a".repeat(198))), "x", "csv");
        assert_eq!(header, format!("attachment;filename=\"{}.csv\"", "a".repeat(198)));
    }
}
