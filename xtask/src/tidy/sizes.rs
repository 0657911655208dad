//! Sizes of source files. The ratchet only turns one way: an entry may shrink or go, and a new one needs a
//! reason that a reviewer accepts.

use super::files::Files;

/// Lines that a source file may have.
const LINES_MAX: usize = 600;
/// Longer files, with the lines they may have.
const RATCHET: [(&str, usize); 0] = [];
/// What counts as a source file.
const SOURCES: [&str; 6] = [".rs", ".py", ".mjs", ".java", ".sql", ".toml"];

/// Files that are too long, and entries that could be smaller.
pub fn faults(files: &Files) -> Vec<String> {
    let sources = files.texts.iter().filter(|(path, _)| SOURCES.iter().any(|end| path.ends_with(end)));
    let sizes: Vec<_> = sources.map(|(path, text)| (path.as_str(), text.lines().count())).collect();
    check(&sizes, &RATCHET)
}

fn check(sizes: &[(&str, usize)], ratchet: &[(&str, usize)]) -> Vec<String> {
    let mut faults = Vec::new();
    for &(path, lines) in sizes {
        let entry = ratchet.iter().find(|(name, _)| *name == path).map(|(_, max)| *max);
        let max = entry.unwrap_or(LINES_MAX);
        if lines > max {
            faults.push(format!("{path} has {lines} lines: at most {max}"));
        } else if entry.is_some_and(|max| lines < max) {
            faults.push(format!("{path} has {lines} lines now: lower its entry of {max}, or take it out"));
        }
    }
    let gone = ratchet.iter().filter(|(name, _)| sizes.iter().all(|(path, _)| path != name));
    faults.extend(gone.map(|(name, _)| format!("{name} has an entry and is not there")));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratchet_turns_one_way() {
        let sizes = [("a.rs", 600), ("b.rs", 601), ("c.rs", 700), ("d.rs", 650)];
        let ratchet = [("c.rs", 700), ("d.rs", 700), ("e.rs", 700)];
        assert_eq!(
            check(&sizes, &ratchet),
            [
                "b.rs has 601 lines: at most 600",
                "d.rs has 650 lines now: lower its entry of 700, or take it out",
                "e.rs has an entry and is not there",
            ]
        );
    }
}
