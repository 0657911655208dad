//! Random documents: short texts out of few words, so that queries find some and not all.

use std::collections::BTreeMap;

use super::random::Random;

/// The fields, all of text; `notes` may have several values.
pub(crate) const FIELDS: [&str; 3] = ["city", "notes", "title"];

/// Words with something about them, as they are in documents and, escaped, in queries.
pub(crate) const WORDS: [&str; 50] = [
    "new",
    "New",
    "York",
    "york",
    "LONDON",
    "London",
    "city",
    "of",
    "the",
    "Paris",
    "roam",
    "foam",
    "from",
    "form",
    "a",
    "b",
    "ab",
    "ba",
    "x1",
    "x2",
    "10",
    "20",
    "3.14",
    "1,000",
    "1;2",
    "2020-01-01",
    "wi-fi",
    "o'neil",
    "don't",
    "a.b",
    "user_name",
    "_",
    "C++",
    "john.smith@example.com",
    "a:b",
    "--",
    "&",
    "été",
    "ÉTÉ",
    "Straße",
    "STRASSE",
    "İstanbul",
    "ΣΊΣΥΦΟΣ",
    "naïve",
    "日本語",
    "カタカナ",
    "한국어",
    "ภาษาไทย",
    "😀",
    "½",
];

/// The values of a document by field.
pub(crate) type Document = BTreeMap<&'static str, Vec<String>>;

/// So many documents.
pub(crate) fn documents(random: &mut Random, count: usize) -> Vec<Document> {
    (0..count).map(|_| document(random)).collect()
}

fn document(random: &mut Random) -> Document {
    let mut document = Document::new();
    for field in FIELDS {
        let values = match field {
            "notes" => random.below(4),
            _ if random.once_in(6) => 0,
            _ => 1,
        };
        let words_most = if field == "city" { 2 } else { 9 };
        let values: Vec<String> = (0..values).map(|_| text(random, words_most)).collect();
        if !values.is_empty() {
            document.insert(field, values);
        }
    }
    document
}

fn text(random: &mut Random, words_most: usize) -> String {
    let mut text = String::new();
    for place in 0..=random.below(words_most) {
        if place > 0 {
            text.push_str(random.one(&[" ", " ", " ", " ", "-", ", ", ". ", "/", "  "]));
        }
        text.push_str(&word(random));
    }
    text
}

/// A word of the list, or one of few letters.
pub(crate) fn word(random: &mut Random) -> String {
    if random.once_in(3) {
        let letters = 1 + random.below(6);
        return (0..letters).map(|_| random.one(&["a", "b", "c", "a", "b", "A", "é", "1"])).collect();
    }
    random.one(&WORDS).to_owned()
}
