//! Escapes the one character that PostgreSQL does not take in a text.
//!
//! PostgreSQL takes every character but U+0000, which names and details may contain. It is written as
//! U+001A and a zero, and U+001A itself twice, so that every text comes back as it was and equal texts
//! stay equal. Nobody uses U+001A; a text without the two is kept as it is.

use std::borrow::Cow;

const ESCAPE: char = '\u{1a}';
const NUL: char = '\0';

/// The text to keep.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains([NUL, ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            NUL => kept.extend([ESCAPE, '0']),
            ESCAPE => kept.extend([ESCAPE, ESCAPE]),
            _ => kept.push(c),
        }
    }
    Cow::Owned(kept)
}

/// The text that was kept.
pub(crate) fn unescaped(kept: String) -> String {
    if !kept.contains(ESCAPE) {
        return kept;
    }
    let mut text = String::with_capacity(kept.len());
    let mut chars = kept.chars();
    while let Some(c) = chars.next() {
        match c {
            ESCAPE => match chars.next() {
                Some('0') => text.push(NUL),
                Some(other) => text.push(other),
                None => text.push(ESCAPE),
            },
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_postgres_refuses_is_rewritten() {
        assert!(matches!(escaped("naïve\n"), Cow::Borrowed("naïve\n")));
        assert_eq!(escaped("a\0b\u{1a}0"), "a\u{1a}0b\u{1a}\u{1a}0");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "[\0\u{1a}0a-c]{0,12}", other in "[\0\u{1a}0a-c]{0,12}") {
            let (one, two) = (escaped(&text).into_owned(), escaped(&other).into_owned());
            prop_assert!(!one.contains('\0'));
            prop_assert_eq!(text == other, one == two);
            prop_assert_eq!(unescaped(one), text);
        }
    }
}
