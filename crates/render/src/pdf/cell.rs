//! The text of a cell, and how a text that is too long for the page is cut.

use std::borrow::Cow;

use super::faces::Weight;
use super::glyphs::Line;
use super::typeset::{Typesetter, printable};

/// Bytes of a text, and of a list, that are laid out before it is cut.
const TEXT_BYTES_MAX: usize = 16 << 10;
const LIST_BYTES_MAX: usize = 512 << 10;

/// Removes the quotes of a field that was written for CSV. A field that begins with a quote is quoted.
pub(super) fn unquote(field: &mut Vec<u8>, start: usize) {
    if field.get(start) != Some(&b'"') {
        return;
    }
    let mut to = start;
    let mut from = start + 1;
    let end = field.len() - 1;
    while from < end {
        field[to] = field[from];
        // A doubled quote means one.
        from += if field[from] == b'"' { 2 } else { 1 };
        to += 1;
    }
    field.truncate(to);
}

/// A cell on lines, and its text; a text that needs more than `lines_max` lines is cut, and says how much is not shown.
pub(super) fn set<'a>(
    setter: &mut Typesetter,
    text: &'a str,
    list: bool,
    width: f32,
    lines_max: usize,
) -> (Cow<'a, str>, Vec<Line>) {
    let whole = printable(text);
    if whole.is_empty() {
        return (whole, Vec::new());
    }
    let bytes_max = if list { LIST_BYTES_MAX } else { TEXT_BYTES_MAX };
    let beginning = &whole[..whole.floor_char_boundary(bytes_max)];
    let lines = setter.set(beginning, Weight::Regular, width);
    if lines.len() <= lines_max && beginning.len() == whole.len() {
        return (whole, lines);
    }
    let visible = lines.get(lines_max.saturating_sub(1)).or(lines.last()).map_or(0, |line| line.end);
    if list {
        cut_list(setter, &whole, visible, width, lines_max)
    } else {
        cut_text(setter, &whole, visible, width, lines_max)
    }
}

fn cut_list(
    setter: &mut Typesetter,
    whole: &str,
    visible: usize,
    width: f32,
    lines_max: usize,
) -> (Cow<'static, str>, Vec<Line>) {
    let ends = item_ends(whole);
    let mut shown = ends.iter().take_while(|end| **end <= visible).count().min(ends.len() - 1);
    while shown > 0 {
        let text = format!("{}; \u{2026} (+{} more)", &whole[..ends[shown - 1]], ends.len() - shown);
        let lines = setter.set(&text, Weight::Regular, width);
        if lines.len() <= lines_max {
            return (text.into(), lines);
        }
        shown -= 1;
    }
    // Not even the first value fits.
    cut_with(setter, whole, visible, width, lines_max, |_| {
        if ends.len() > 1 { format!("\u{2026} (+{} more)", ends.len() - 1) } else { "\u{2026}".to_owned() }
    })
}

fn cut_text(
    setter: &mut Typesetter,
    whole: &str,
    visible: usize,
    width: f32,
    lines_max: usize,
) -> (Cow<'static, str>, Vec<Line>) {
    cut_with(setter, whole, visible, width, lines_max, |rest| {
        format!("\u{2026} (+{} characters)", rest.chars().count())
    })
}

fn cut_with(
    setter: &mut Typesetter,
    whole: &str,
    visible: usize,
    width: f32,
    lines_max: usize,
    remark: impl Fn(&str) -> String,
) -> (Cow<'static, str>, Vec<Line>) {
    let mut end = whole.floor_char_boundary(visible);
    loop {
        let text = format!("{}{}", whole[..end].trim_end(), remark(&whole[end..]));
        let lines = setter.set(&text, Weight::Regular, width);
        if lines.len() <= lines_max || end == 0 {
            return (text.into(), lines);
        }
        end = whole.floor_char_boundary(end.saturating_sub(8));
    }
}

/// Where the values of a joined list end: at a `;` that is not doubled.
fn item_ends(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut ends = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b';' {
            if bytes.get(at + 1) == Some(&b';') {
                at += 1;
            } else {
                ends.push(at);
            }
        }
        at += 1;
    }
    ends.push(bytes.len());
    ends
}

#[cfg(test)]
mod tests {
    use super::super::fonts::FontSet;
    use super::*;

    #[test]
    fn quoted_fields_come_back() {
        for (field, expected) in
            [("a", "a"), ("\"a,b\"", "a,b"), ("\"\"\"hi\"\" he said\"", "\"hi\" he said"), ("", "")]
        {
            let mut bytes = b"before".to_vec();
            bytes.extend_from_slice(field.as_bytes());
            unquote(&mut bytes, 6);
            assert_eq!(std::str::from_utf8(&bytes), Ok(format!("before{expected}").as_str()));
        }
    }

    #[test]
    fn a_long_list_is_cut_between_values_with_a_count() {
        let mut setter = Typesetter::new(FontSet::bundled());
        let list: Vec<String> = (0..50).map(|group| format!("group;;{group:02}")).collect();
        let list = list.join("; ");
        let (text, lines) = set(&mut setter, &list, true, 12_000.0, 3);
        assert!(lines.len() <= 3);
        let (shown, rest) = text.split_once("; \u{2026} (+").expect("a count");
        let shown = shown.split("; ").count();
        assert_eq!(rest, format!("{} more)", 50 - shown));
        assert!(shown >= 3, "{text}");
        let (text, _) = set(&mut setter, "a; b", true, 12_000.0, 3);
        assert_eq!(text, "a; b");
    }

    #[test]
    fn a_long_text_says_how_many_characters_are_missing() {
        let mut setter = Typesetter::new(FontSet::bundled());
        let long = "é".repeat(100_000);
        let (text, lines) = set(&mut setter, &long, false, 10_000.0, 4);
        assert!(lines.len() <= 4);
        let (shown, rest) = text.split_once("\u{2026} (+").expect("a count");
        let rest: usize = rest.trim_end_matches(" characters)").parse().expect("a number");
        assert_eq!(shown.chars().count() + rest, 100_000);
    }
}
