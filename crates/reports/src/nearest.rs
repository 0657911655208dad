//! The name that somebody probably meant who wrote another one.

/// Longest name that is compared, in characters. The work grows with the square of the length.
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

/// The source that a person named, by its id or its name.
///
/// # Errors
/// In words: there is no such source, and which name is the nearest.
pub fn source<'a, S>(
    named: &str,
    sources: &'a [S],
    id_and_name: impl Fn(&S) -> (&str, &str),
) -> Result<&'a S, String> {
    let by_id = sources.iter().find(|source| id_and_name(source).0 == named);
    // An id first: somebody may have named one source like the id of another.
    let found = by_id.or_else(|| sources.iter().find(|source| id_and_name(source).1 == named));
    found.ok_or_else(|| {
        let both = |source| {
            let (id, name) = id_and_name(source);
            [name, id]
        };
        let near = hint(named, sources.iter().flat_map(both));
        format!("no source is named {named:?} or has that id{near}; `muster source list` lists them")
    })
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
    fn a_source_is_found_by_id_or_name_and_a_wrong_one_told_with_the_nearest() {
        let sources = [("a1", "Active Directory"), ("b2", "HR"), ("c3", "b2")];
        for (named, id) in [("a1", "a1"), ("Active Directory", "a1"), ("HR", "b2"), ("b2", "b2")] {
            assert_eq!(source(named, &sources, |source| *source).map(|(id, _)| *id), Ok(id));
        }
        let refused = source("Active directory", &sources, |source| *source).err();
        assert_eq!(
            refused.as_deref(),
            Some(
                "no source is named \"Active directory\" or has that id: the nearest name is \"Active Directory\"; \
                 `muster source list` lists them"
            )
        );
        let unknown = source("HR", &sources[..1], |source| *source).err();
        assert!(unknown.is_some_and(|text| text.contains("or has that id; `muster source list`")));
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
