//! docs/limits.md: every bound of the service, read from docs/settings.md and from the code as text.
//!
//! A bound is a setting that is a number, a default of the crates' own settings, or a constant whose name says that it is
//! a bound. Its meaning is its documentation, so that the table cannot say something else than the code.

use std::collections::BTreeMap;

/// The document.
pub const DOCUMENT: &str = "docs/limits.md";

const HEAD: &str = "\
# Limits

`cargo xtask docs` writes this page from the code; change the code, not this page. Everything that is read, kept, waited for or \
repeated has a limit. Limits that can be set come first; [settings.md](settings.md) says how.
";

/// Ends of the keys of settings that are bounds.
const SETTINGS: [&str; 9] =
    ["_ms", "_s", "_max", "_limit", "requests", "connections", "worker.count", "_days", "threads"];
/// Defaults that the binary takes as they are: the file and the fields.
const DEFAULTS: [(&str, &[&str]); 3] = [
    ("crates/http/src/external_issuers/keys.rs", &["refresh", "floor", "keep", "timeout"]),
    ("crates/http/src/settings.rs", &["rate_limited_clients_max", "body_bytes_max"]),
    (
        "crates/store/src/settings.rs",
        &["live_max", "client_live_max", "readers", "busy_wait", "statement_wait"],
    ),
];
/// Words of a constant's name that say that it is a bound.
const WORDS: [&str; 12] = [
    "MAX", "TIMEOUT", "WAIT", "WAITING", "PAGE", "PAUSE", "BYTES", "ROWS", "RECORDS", "QUEUE", "DEPTH",
    "MOST",
];
/// Where constants are about how a page looks, and code that is not part of the service.
const LEFT_OUT: [&str; 4] =
    ["crates/render/src/pdf/columns.rs", "crates/testkit/", "crates/harness/", "crates/client/"];

/// The document's text.
pub fn text(texts: &BTreeMap<String, String>) -> String {
    let mut document = HEAD.to_owned();
    document.push_str("\n## Settings\n\n| key | default | type | meaning |\n|---|---|---|---|\n");
    let settings = texts.get("docs/settings.md").map_or("", String::as_str);
    for line in settings.lines().filter(|line| is_bound(line)) {
        document.push_str(line);
        document.push('\n');
    }
    document.push_str("\n## Fixed\n\n| bound | value | meaning | where |\n|---|---|---|---|\n");
    for (path, source) in texts {
        let ours = path.starts_with("crates/") && path.contains("/src/") && path.ends_with(".rs");
        let tests = path.contains("/tests")
            || path.contains("/fuzzing")
            || LEFT_OUT.iter().any(|left_out| path.starts_with(left_out));
        if ours && !tests {
            let defaults =
                DEFAULTS.iter().find(|(file, _)| file == path).map_or(&[][..], |(_, fields)| fields);
            for (name, value, meaning) in bounds(source, defaults) {
                let meaning = if meaning.is_empty() { words(&name) } else { meaning };
                document.push_str(&format!("| `{name}` | {value} | {meaning} | `{path}` |\n"));
            }
        }
    }
    document
}

/// A name that says everything itself.
fn words(name: &str) -> String {
    name.trim_end_matches("_MAX").to_ascii_lowercase().replace('_', " ")
}

/// Whether a line of the table of settings is about a bound.
fn is_bound(line: &str) -> bool {
    let key = line.strip_prefix("| `").and_then(|rest| rest.split('`').next());
    key.is_some_and(|key| key.contains('.') && SETTINGS.iter().any(|end| key.ends_with(end)))
}

/// Name, value and meaning of each bound in a source file, in its order.
fn bounds(source: &str, defaults: &[&str]) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut meaning: Vec<&str> = Vec::new();
    let mut meanings: BTreeMap<String, String> = BTreeMap::new();
    let mut in_default = false;
    for line in source.lines() {
        let trimmed = line.trim();
        if trimmed == "#[cfg(test)]" {
            break;
        }
        if let Some(text) = trimmed.strip_prefix("///") {
            meaning.push(text.trim());
            continue;
        }
        let said = meaning.join(" ").replace('|', "\\|");
        if let Some((name, value)) = constant(trimmed) {
            found.push((name.to_owned(), shown(name, value), said));
        } else if let Some((field, _)) = field(trimmed.strip_prefix("pub ").unwrap_or_default()) {
            meanings.insert(field.to_owned(), said);
        } else if line.starts_with("impl Default for") {
            in_default = true;
        } else if line == "}" {
            in_default = false;
        } else if in_default
            && let Some((field, value)) = field(trimmed).filter(|(field, _)| defaults.contains(field))
        {
            let said = meanings.get(field).cloned().unwrap_or_default();
            let value = shown(&field.to_ascii_uppercase(), value.trim_end_matches(','));
            found.push((field.to_owned(), value, said));
        }
        // Attributes stand between the documentation and the item.
        if !trimmed.starts_with("#[") {
            meaning.clear();
        }
    }
    found
}

fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(": ")?;
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    plain.then_some((name, value))
}

/// Name and value of a constant that is a bound.
fn constant(line: &str) -> Option<(&str, &str)> {
    let rest =
        &line[line.find("const ").filter(|at| *at == 0 || line.starts_with("pub"))? + "const ".len()..];
    let (name, rest) = rest.split_once(": ")?;
    let (kind, value) = rest.split_once(" = ")?;
    let number = ["usize", "u16", "u32", "u64", "i64", "Duration", "TimeDelta"].contains(&kind);
    let bound = name.split('_').any(|word| WORDS.contains(&word));
    (number && bound).then(|| (name, value.trim_end_matches(';')))
}

/// A value for people: a number with its unit, or as the code has it.
fn shown(name: &str, value: &str) -> String {
    let times = [
        ("from_secs(", "s"),
        ("seconds(", "s"),
        ("from_millis(", "ms"),
        ("minutes(", "min"),
        ("hours(", "h"),
    ];
    for (start, unit) in times {
        if let Some((_, rest)) = value.split_once(start) {
            return format!("{} {unit}", rest.trim_end_matches(')'));
        }
    }
    match number(value) {
        Some(number) if name.split('_').any(|word| word == "BYTES") && number >= 1 << 10 => {
            let shift = [30, 20, 10].into_iter().find(|shift| number % (1 << shift) == 0).unwrap_or(0);
            let unit = match shift {
                30 => "GiB",
                20 => "MiB",
                10 => "KiB",
                _ => "bytes",
            };
            format!("{} {unit}", number >> shift)
        }
        Some(number) => number.to_string(),
        None => format!("`{value}`"),
    }
}

/// The value of digits, or of two numbers multiplied or shifted.
fn number(text: &str) -> Option<u64> {
    let text: String = text.chars().filter(|c| !matches!(c, '_' | ' ')).collect();
    if let Some((one, by)) = text.split_once("<<") {
        return one.parse::<u64>().ok()?.checked_shl(by.parse().ok()?);
    }
    text.split('*').try_fold(1_u64, |product, factor| product.checked_mul(factor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_with_their_documentation() {
        let source = "/// A body is no longer.\n/// In bytes.\npub const BODY_BYTES_MAX: usize = 16 * 1_024;\n\
                      /// A colour.\nconst BLUE: u32 = 3;\n/// Wait.\n#[expect(x)]\nconst FIRST_WAIT: Duration = Duration::from_millis(20);\n\
                      #[cfg(test)]\nconst LOOKS_MAX: u32 = 1;\n";
        let expected = [
            ("BODY_BYTES_MAX", "16 KiB", "A body is no longer. In bytes."),
            ("FIRST_WAIT", "20 ms", "Wait."),
        ];
        let expected: Vec<_> = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())).into();
        assert_eq!(bounds(source, &[]), expected);
    }

    #[test]
    fn defaults_have_the_documentation_of_their_fields() {
        let source = "pub struct Settings {\n    /// Tasks.\n    pub live_max: u32,\n}\n\
                      impl Default for Settings {\n    fn default() -> Self {\n        Self {\n            live_max: 10_000,\n\
                      \x20           key: None,\n        }\n    }\n}\n";
        assert_eq!(
            bounds(source, &["live_max"]),
            [("live_max".to_owned(), "10000".to_owned(), "Tasks.".to_owned())]
        );
        assert_eq!(bounds(source, &[]), []);
    }

    #[test]
    fn settings_that_are_bounds_are_told_from_others() {
        assert!(is_bound("| `worker.lease_ms` | `30000` | milliseconds | x |"));
        assert!(!is_bound("| `server.listen` | `127.0.0.1:8080` | address and port | x |"));
        assert!(!is_bound("| key | default | type | meaning |"));
    }
}
