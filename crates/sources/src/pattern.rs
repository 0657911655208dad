//! Names of files that are given as patterns.

/// Whether a name fits a pattern of `*` and `?`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut name_at) = (0, 0);
    // Where the last star stands, and the first character that it has not taken yet.
    let mut star = None;
    while name_at < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, name_at));
                at += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == name[name_at] => {
                at += 1;
                name_at += 1;
            }
            Some(_) | None => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                name_at = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}
