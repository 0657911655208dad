//! The name that somebody probably meant who wrote another one.

/// Longer names are compared with nothing, in characters: the work grows with the square.
const NAME_CHARACTERS_MAX: usize = 64;

/// The one of `names` that is nearest to `given`: the same but for case, or at most a third of its characters
/// apart. `None` where no name is near.
pub fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = characters(given)?;
    let distances = names.into_iter().filter_map(|name| Some((distance(&given, &characters(name)?), name)));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (given.len() / 3).max(1)).then_some(name)
}

/// `: the nearest name is "x"` for an error or a warning; empty where no name is near.
pub fn hint<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, names).map_or_else(String::new, |name| format!(": the nearest name is {name:?}"))
}

fn characters(name: &str) -> Option<Vec<char>> {
    let characters: Vec<char> =
        name.chars().flat_map(char::to_lowercase).take(NAME_CHARACTERS_MAX + 1).collect();
    (!characters.is_empty() && characters.len() <= NAME_CHARACTERS_MAX).then_some(characters)
}

/// Characters to insert, leave out, exchange, or swap with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut best = (last[j] + usize::from(a[i] != b[j])).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = ["correlatedOnly", "selectedFormats", "sort"];
        for (given, expected) in [
            ("correlatedonly", Some("correlatedOnly")),
            ("corelatedOnly", Some("correlatedOnly")),
            ("selectedFormat", Some("selectedFormats")),
            ("sotr", Some("sort")),
            ("filters", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, names), expected, "{given}");
        }
        assert_eq!(nearest(&"x".repeat(1_000_000), names), None);
        assert_eq!(hint("Sort", names), ": the nearest name is \"sort\"");
    }

    #[test]
    fn a_distance_counts_the_least_changes() {
        for (a, b, expected) in
            [("status", "stauts", 1), ("kitten", "sitting", 3), ("a", "", 1), ("", "ab", 2)]
        {
            let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
            assert_eq!(distance(&a, &b), expected);
        }
    }
}
