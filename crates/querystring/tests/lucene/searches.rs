//! Random queries that find something among the random documents.

use super::documents::{FIELDS, word};
use super::random::Random;

/// Expressions; `\` before a letter is left out, which Lucene reads as a class of characters since 8.6.
const REGEXES: [&str; 34] = [
    "",
    ".",
    ".*",
    "@",
    "#",
    "a.*",
    "[a-c]+",
    "[^a]b?",
    "a|b|ab",
    "(ab){1,3}",
    "(a|b){2}",
    "[ab]{2,}",
    "a{0}",
    "b{2,1}",
    "~(a.*)",
    "~a",
    ".*&~(.*b.*)",
    "(.*a.*)&(.*b.*)",
    "<1-20>",
    "<10-2020>",
    "<01-31>",
    "<0-0>",
    "<0-9>.@",
    "<5-5>",
    "\"a.b\"",
    "\"3.14\"",
    "\\.\\.",
    "x<1-1>",
    "[a-cé1]{3}",
    "(~(ab))&..",
    "éa?|[^a-z]+",
    "(a*b?)*c?",
    "(()|a)b",
    "Yo.k",
];

const REGEX_PIECES: [&str; 24] = [
    "a", "b", "c", "é", "1", ".", "[ab]", "[^a]", "*", "?", "+", "|", "&", "~", "(", ")", "(", ")", "{2}",
    "{1,2}", "@", "<1-20>", "a", "b",
];

/// The next query.
pub(crate) fn search(random: &mut Random) -> String {
    list(random, 0)
}

fn list(random: &mut Random, depth: usize) -> String {
    let mut text = String::new();
    for place in 0..=random.below(if depth == 0 { 4 } else { 3 }) {
        if place > 0 {
            text.push_str(random.one(&[" ", " ", " AND ", " AND ", " OR "]));
        }
        text.push_str(random.one(&["", "", "", "", "", "+", "-", "NOT "]));
        text.push_str(&clause(random, depth));
    }
    text
}

fn clause(random: &mut Random, depth: usize) -> String {
    let field = if random.once_in(4) {
        String::new()
    } else {
        let exact = if random.once_in(4) { ".exact" } else { "" };
        format!("{}{exact}:", random.one(&FIELDS))
    };
    if depth < 2 && random.once_in(5) {
        return format!("{field}({})", list(random, depth + 1));
    }
    let whole = field.contains(".exact");
    format!("{field}{}", value(random, whole))
}

fn value(random: &mut Random, whole: bool) -> String {
    match random.below(18) {
        0..=4 => escaped(&word(random)),
        5..=7 => phrase(random),
        8 => format!("{}*", escaped(&beginning(random))),
        9..=10 => pattern(random),
        11..=12 => {
            let text = damaged(random);
            format!("{}~{}", escaped(&text), random.below(3))
        }
        13..=14 => format!("/{}/", regex(random)),
        15..=16 => range(random, whole),
        _ => "*".to_owned(),
    }
}

/// Words in quotes, some of which a document has so.
fn phrase(random: &mut Random) -> String {
    let words: Vec<String> = (0..1 + random.below(3)).map(|_| word(random)).collect();
    let slop = if random.once_in(2) { format!("~{}", random.below(7)) } else { String::new() };
    format!("\"{}\"{slop}", words.join(random.one(&[" ", " ", "-", ", "])).replace('"', ""))
}

/// A word or its beginning.
fn beginning(random: &mut Random) -> String {
    let word = word(random);
    let keep = 1 + random.below(word.chars().count());
    word.chars().take(keep).collect()
}

/// A word with some of its characters replaced by `?` and `*`; few, because Lucene's automata for many are large.
fn pattern(random: &mut Random) -> String {
    let word = word(random);
    let length = word.chars().count();
    let mut places = [random.below(length + 1), random.below(length + 1), random.below(length + 1)];
    places.sort_unstable();
    let mut pattern = String::new();
    for (place, character) in word.chars().enumerate() {
        let mut replaced = false;
        for _ in places.iter().filter(|replaced| **replaced == place) {
            let (piece, instead) = [("?", true), ("*", true), ("*", false)][random.below(3)];
            pattern.push_str(piece);
            replaced |= instead;
        }
        if !replaced {
            pattern.push_str(&escaped(&character.to_string()));
        }
    }
    // At least one of them, and more than the star that asks for any value.
    if !word.is_ascii() || places.contains(&length) || pattern == "*" {
        format!("?{pattern}*")
    } else {
        pattern
    }
}

/// A word with up to three characters changed.
fn damaged(random: &mut Random) -> String {
    let mut characters: Vec<char> = word(random).chars().collect();
    for _ in 0..random.below(4) {
        let at = random.below(characters.len() + 1);
        let letter = random.one(&["a", "b", "o", "m", "é"]).chars();
        match random.below(4) {
            0 => drop(characters.splice(at..at, letter)),
            1 if at < characters.len() && characters.len() > 1 => drop(characters.remove(at)),
            2 if at < characters.len() => drop(characters.splice(at..=at, letter)),
            _ if at + 1 < characters.len() => characters.swap(at, at + 1),
            _ => {}
        }
    }
    characters.into_iter().collect()
}

fn regex(random: &mut Random) -> String {
    match random.below(3) {
        0 => random.one(&REGEXES).to_owned(),
        1 => (0..1 + random.below(6)).map(|_| random.one(&REGEX_PIECES)).collect(),
        _ => {
            let part = |random: &mut Random| -> String {
                let text = beginning(random);
                let piece = |c: char| if c.is_alphanumeric() { c.to_string() } else { ".".to_owned() };
                text.chars().map(piece).collect()
            };
            let (one, other) = (part(random), part(random));
            format!("{one}{}{other}", random.one(&["", ".*", "|", ".?", "&.*", "@", "?", "~"]))
        }
    }
}

fn range(random: &mut Random, whole: bool) -> String {
    let mut limit = || {
        if random.once_in(5) {
            return "*".to_owned();
        }
        let text = if whole { format!("{} {}", word(random), word(random)) } else { beginning(random) };
        format!("\"{}\"", text.replace('"', ""))
    };
    let (lower, upper) = (limit(), limit());
    format!("{}{lower} TO {upper}{}", random.one(&["[", "{"]), random.one(&["]", "}"]))
}

/// The text with a backslash before everything that means something. Letters get none.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if r#"\+-!():^[]"{}~*?|&/"#.contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
