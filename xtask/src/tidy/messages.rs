//! docs/messages.md has a row for each key that a message of a task or a refusal can have, and no other rows.
//!
//! Keys are read from the code as text: an item that this does not understand is a fault, so that no key is missed.

use super::files::Files;
use super::markdown;
use muster_harness::failure::{Failure, Result};
use std::collections::BTreeSet;

const DOCUMENT: &str = "docs/messages.md";
/// Where statuses become a `detailCode`.
const STATUSES: &str = "crates/http/src/failure.rs";
/// Where the errors of a token request are.
const TOKEN_ERRORS: &str = "crates/wire/src/token.rs";
/// The report whose column `errorCode` names every code.
const ERROR_CODES: &str = "crates/reports/definitions/identity_errors.toml";
/// Code that makes messages up for tests.
const LEFT_OUT: [&str; 3] = ["crates/testkit/", "/tests/", "/tests.rs"];

/// Keys without a row and rows without a key.
pub fn faults(files: &Files) -> Result<Vec<String>> {
    let text = |path: &str| {
        let missing = || Failure::new(format!("{path} is not there: messages are checked against it"));
        files.texts.get(path).map(String::as_str).ok_or_else(missing)
    };
    let document = text(DOCUMENT)?;
    let mut faults = Vec::new();
    let mut keys = BTreeSet::new();
    for (path, source) in files.ending(".rs") {
        let is_ours = path.starts_with("crates/") && path.contains("/src/");
        if is_ours && !LEFT_OUT.iter().any(|left_out| path.contains(left_out)) {
            match message_keys(source) {
                Ok(found) => keys.extend(found),
                Err(line) => {
                    faults.push(format!("{path}:{line}: the message's key cannot be read: expected a text"))
                }
            }
        }
    }
    let codes: [(&str, BTreeSet<String>); 4] = [
        ("key", keys),
        ("detailCode", status_codes(text(STATUSES)?)),
        ("error", token_errors(text(TOKEN_ERRORS)?)),
        ("errorCode", error_codes(text(ERROR_CODES)?)),
    ];
    faults.extend(codes.iter().flat_map(|(header, codes)| row_faults(header, codes, document)));
    Ok(faults)
}

fn row_faults(header: &str, codes: &BTreeSet<String>, document: &str) -> Vec<String> {
    if codes.is_empty() {
        return vec![format!("no {header} was found in the code")];
    }
    let Some(rows) = markdown::table(document, &[header, "what happened"]) else {
        return vec![format!("{DOCUMENT} has no table that begins with {header} and \"what happened\"")];
    };
    let mut faults = Vec::new();
    let mut documented = BTreeSet::new();
    for row in rows.into_iter().filter_map(|row| row.into_iter().next()) {
        if !documented.insert(row.clone()) {
            faults.push(format!("{DOCUMENT} has the {header} {row} twice"));
        }
    }
    faults.extend(codes.difference(&documented).map(|code| format!("{DOCUMENT} lacks the {header} {code}")));
    let extra = documented.difference(codes);
    faults.extend(extra.map(|code| format!("{DOCUMENT}: the code has no {header} {code}")));
    faults
}

/// Keys of the messages that a file makes, up to its tests; or the line of one that is not understood.
fn message_keys(source: &str) -> std::result::Result<Vec<String>, usize> {
    let source = source.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut keys = Vec::new();
    for call in ["Message::warn(", "Message::error("] {
        for (at, _) in source.match_indices(call) {
            let argument = source[at + call.len()..].trim_start();
            match leading_text(argument) {
                Some(key) => keys.push(key.to_owned()),
                None => {
                    let name = argument.split([',', ')']).next().unwrap_or_default().trim();
                    let found = texts_of_match(&source[..at], name);
                    if found.is_empty() {
                        return Err(source[..at].lines().count());
                    }
                    keys.extend(found);
                }
            }
        }
    }
    // A message that is written out as a struct.
    for (at, _) in source.match_indices("Message { severity") {
        let inside = source[at..].split('}').next().unwrap_or_default();
        let value = inside.split_once("key: ").map_or("", |(_, value)| value);
        match leading_text(value) {
            Some(key) => keys.push(key.to_owned()),
            // Another message's key is read where that message is made.
            None if value.starts_with("message.key.clone()") => {}
            None => return Err(source[..at].lines().count()),
        }
    }
    Ok(keys)
}

/// The text in quotes that this begins with.
fn leading_text(source: &str) -> Option<&str> {
    source.strip_prefix('"')?.split('"').next()
}

/// The texts that the last `let NAME = match ...` can give.
fn texts_of_match(source: &str, name: &str) -> Vec<String> {
    let Some((_, found)) = source.rsplit_once(&format!("let {name} = match ")) else { return Vec::new() };
    let arms = found.split("\n        };").next().unwrap_or_default();
    let texts = arms.split("=> ").skip(1).filter_map(leading_text);
    texts.map(str::to_owned).collect()
}

/// What `detailCode` can be: texts that begin with a status.
fn status_codes(source: &str) -> BTreeSet<String> {
    let is_code = |text: &&str| {
        let number = text.split([' ', '.']).next().unwrap_or_default();
        number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit()) && text.contains(' ')
    };
    source.split('"').skip(1).step_by(2).filter(is_code).map(str::to_owned).collect()
}

/// Variants of `OAuthErrorCode`, as JSON has them.
fn token_errors(source: &str) -> BTreeSet<String> {
    let variants = source.split_once("pub enum OAuthErrorCode {").map_or("", |(_, rest)| rest);
    let variants = variants.split("\n}").next().unwrap_or_default();
    let names = variants.lines().filter_map(|line| line.trim().strip_suffix(','));
    names.filter(|name| !name.contains(' ')).map(snake_case).collect()
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for (at, character) in name.chars().enumerate() {
        if character.is_ascii_uppercase() && at > 0 {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

/// The codes in the meaning of the column `errorCode`: words of capitals with an underscore.
fn error_codes(definition: &str) -> BTreeSet<String> {
    let meaning = definition.split_once("name = \"errorCode\"").map_or("", |(_, rest)| rest);
    let meaning = meaning.split_once("meaning = \"").map_or("", |(_, rest)| rest);
    let words = meaning.split('"').next().unwrap_or_default();
    let words = words.split(|c: char| !c.is_ascii_uppercase() && c != '_');
    words.filter(|word| word.contains('_')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(codes: &[&str]) -> BTreeSet<String> {
        codes.iter().map(|code| (*code).to_owned()).collect()
    }

    #[test]
    fn keys_are_read_wherever_a_message_is_made() {
        let source = r#"
fn a() {
    Message::warn("one", "text");
    Message::error(
        "two",
        format!("text"),
    );
    Message { severity: Severity::Info, key: "three".into(), text };
        let key = match category {
            Category::Unavailable => {
                return Message::error("four", text);
            }
            Category::Invalid => "five",
            Category::Internal => "six",
        };
        Message::error(key, text)
}

#[cfg(test)]
mod tests {
    fn b() {
        Message::warn("of_a_test", "text");
    }
}
"#;
        let keys = message_keys(source).map(|keys| keys.into_iter().collect::<BTreeSet<_>>());
        assert_eq!(keys, Ok(set(&["five", "four", "one", "six", "three", "two"])));
        assert_eq!(message_keys("fn a() {\n    Message::warn(name(), text);\n}\n"), Err(2));
    }

    #[test]
    fn other_codes_are_read() {
        let failure = r#"
        StatusCode::NOT_FOUND => ("404 Not found", "The server did not find it."),
        StatusCode::BAD_REQUEST => ("400.1 Bad Request Content", "2 things"),
"#;
        assert_eq!(status_codes(failure), set(&["400.1 Bad Request Content", "404 Not found"]));
        let token = "pub enum OAuthErrorCode {\n    /// A parameter, or two.\n    InvalidRequest,\n    InvalidScope,\n}\n";
        assert_eq!(token_errors(token), set(&["invalid_request", "invalid_scope"]));
        let definition =
            "name = \"errorCode\"\nlabel = \"Error Code\"\nmeaning = \"ONE_CODE or OTHER_CODE (the ID)\"\n";
        assert_eq!(error_codes(definition), set(&["ONE_CODE", "OTHER_CODE"]));
    }

    #[test]
    fn each_key_has_one_row_and_each_row_its_key() {
        let document = "| key | what happened | what to do |\n|---|---|---|\n| `a` | x | y |\n| `b` | x | y |\n| `b` | x | y |\n";
        assert_eq!(
            row_faults("key", &set(&["a", "c"]), document),
            [
                "docs/messages.md has the key b twice",
                "docs/messages.md lacks the key c",
                "docs/messages.md: the code has no key b",
            ]
        );
        assert_eq!(row_faults("code", &set(&["a"]), document).len(), 1);
        assert_eq!(row_faults("key", &set(&[]), document).len(), 1);
    }
}
