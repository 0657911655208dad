//! Manifests (RFC 8493, section 2.1.3): a digest, white space, a path; one file a line.
//!
//! We write two spaces between them and paths that need no escapes, which is also what `sha256sum -c` reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::path::check_name;

/// Paths and their digests in lower-case hex.
pub(super) type Digests = BTreeMap<String, String>;

/// The text of a manifest, by path.
pub(super) fn to_text(digests: &Digests) -> String {
    let mut text = String::new();
    for (path, digest) in digests {
        writeln!(text, "{digest}  {path}").expect("a string takes every write");
    }
    text
}

/// Most lines of a manifest that are read.
const LINES_MAX: usize = 10_000;

/// Reads a manifest. Returns the digests, and what is wrong with it, in words that begin with the line.
pub(super) fn from_text(text: &str) -> (Digests, Vec<String>) {
    let (mut digests, mut faults) = (Digests::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        if index == LINES_MAX {
            faults.push(format!("it has more than {LINES_MAX} lines"));
            break;
        }
        let mut fault = |what: &str| faults.push(format!("line {}: {what}", index + 1));
        let Some((digest, path)) = line.split_once([' ', '\t']) else {
            fault("expected a digest and a path");
            continue;
        };
        if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            fault("expected 64 hex digits");
            continue;
        }
        let path = path.trim_start_matches([' ', '\t']);
        let path = path.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%");
        if let Err(reason) = check_name(&path) {
            fault(&format!("the path {path:?} is refused: {reason}"));
        } else if digests.insert(path.clone(), digest.to_ascii_lowercase()).is_some() {
            fault(&format!("{path:?} is there twice"));
        }
    }
    (digests, faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_round() {
        let digests: Digests = [("data/b c.csv", "0"), ("data/a", "f")]
            .map(|(path, digit)| (path.to_owned(), digit.repeat(64)))
            .into();
        let text = to_text(&digests);
        assert_eq!(text, format!("{}  data/a\n{}  data/b c.csv\n", "f".repeat(64), "0".repeat(64)));
        assert_eq!(from_text(&text), (digests, Vec::new()));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let digest = "A".repeat(64);
        let text = format!("{digest}\tdata/a\nabc  data/b\n{digest}  ../c\n{digest}  data/a\n{digest}\n");
        let (digests, faults) = from_text(&text);
        assert_eq!(digests, [("data/a".to_owned(), "a".repeat(64))].into());
        let expected = [
            "line 2: expected 64 hex digits",
            "line 3: the path \"../c\" is refused: it has a part that leads elsewhere",
            "line 4: \"data/a\" is there twice",
            "line 5: expected a digest and a path",
        ];
        assert_eq!(faults, expected);
    }
}
