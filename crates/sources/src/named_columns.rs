//! The columns that a definition names, held against those that the input has.
//!
//! Why here, once for all kinds: an export whose header was renamed has the right number of records and says nothing of
//! the access, the links or the states that hung on the old name. So a name that the input lacks fails the read, unless
//! the definition says that it may be absent.
//!
//! Invariants: where the input says which columns it has, a missing one fails the read before its first record; where
//! only records can tell, it does when no record of the whole read has it.

use std::collections::BTreeSet;

use crate::passwords::is_password;
use crate::reader::shown;
use crate::total::SummedColumn;

/// Names of columns that a message lists.
const NAMES_SHOWN: usize = 20;
/// Characters of a name that are compared to find the nearest.
const COMPARED_CHARACTERS_MAX: usize = 80;
/// Columns among which the nearest is looked for.
const COMPARED_NAMES_MAX: usize = 2000;

/// How the keys end of columns that must be there: the one that tells accounts apart, and the one with the date.
const NEVER_ABSENT: [&str; 2] = [".native_identity", AS_OF];
/// How the key ends of the column with the date that the data is of.
const AS_OF: &str = ".as_of";

/// What a definition says about the names of its input's columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamedColumns {
    wanted: Vec<Wanted>,
    /// What the engine looks up among the attributes.
    looked_up: BTreeSet<String>,
    optional: BTreeSet<String>,
    never_kept: BTreeSet<String>,
    /// The column with the data's date, if nothing else names it.
    date: Option<String>,
    /// The column whose sum the owner states.
    summed: Option<SummedColumn>,
}

#[derive(Clone, Debug)]
struct Wanted {
    key: String,
    name: String,
    /// The engine looks it up among the attributes, as it is written.
    is_attribute: bool,
    /// Named only to be kept.
    is_listed_only: bool,
}

/// What an input has.
pub(crate) struct Found<'a> {
    /// Names of columns, as the input or the definition's list writes them.
    pub(crate) names: &'a [String],
    /// Whether all columns are known, and not only those that a record had.
    pub(crate) is_schema: bool,
    /// Whether the reader compares names without regard to ASCII case.
    pub(crate) ignores_case: bool,
}

impl NamedColumns {
    /// Of a definition: the columns that its `reader` needs and the `attributes` that the rest of it uses, each with its
    /// key, those that the reader adds by itself, and the lists of the definition.
    pub(crate) fn new(
        reader: &[(String, &str)],
        attributes: &[(String, &str)],
        adds: impl Fn(&str) -> bool,
        optional: &[String],
        never_kept: &[String],
    ) -> Self {
        let optional: BTreeSet<String> = optional.iter().cloned().collect();
        let never_kept = never_kept.iter().map(|name| name.to_ascii_lowercase()).collect();
        let mut wanted = Vec::new();
        for (names, is_attribute) in [(reader, false), (attributes, true)] {
            for &(ref key, name) in names {
                let may_be_absent = optional.contains(name) && !must_be_there(key);
                if !may_be_absent && !adds(name) {
                    let is_listed_only = key.ends_with(".attributes");
                    let (key, name) = (key.clone(), name.to_owned());
                    wanted.push(Wanted { key, name, is_attribute, is_listed_only });
                }
            }
        }
        let looked_up = attributes.iter().map(|(_, name)| (*name).to_owned()).collect();
        let (dates, others): (Vec<_>, Vec<_>) =
            reader.iter().chain(attributes).partition(|(key, _)| key.ends_with(AS_OF));
        let is_alone = |name: &&str| !others.iter().any(|(_, other)| other.eq_ignore_ascii_case(name));
        let date = dates.into_iter().map(|(_, name)| *name).find(is_alone).map(str::to_owned);
        Self { wanted, looked_up, optional, never_kept, date, summed: None }
    }

    /// The same, with the column whose sum the owner states.
    pub(crate) fn summing(self, summed: Option<SummedColumn>) -> Self {
        Self { summed, ..self }
    }

    /// The column whose sum the owner states.
    pub(crate) fn summed(&self) -> Option<&SummedColumn> {
        self.summed.as_ref()
    }

    /// Whether the definition says that a column may be absent.
    pub(crate) fn is_optional(&self, name: &str) -> bool {
        self.optional.contains(name)
    }

    /// Whether the values under a name are never kept.
    pub(crate) fn withholds(&self, name: &str) -> bool {
        is_password(name) || self.never_kept.contains(&name.to_ascii_lowercase())
    }

    /// Whether the values under a name become an attribute, where the definition lists none: not if they are withheld,
    /// and not if they are the data's date, with which every account would change from read to read.
    pub(crate) fn keeps(&self, name: &str) -> bool {
        !self.withholds(name) && !self.date.as_ref().is_some_and(|date| date.eq_ignore_ascii_case(name))
    }

    /// The spelling under which the engine looks an attribute up, for kinds of sources that know no case.
    pub(crate) fn spelling(&self, name: &str) -> Option<&str> {
        self.looked_up.iter().find(|wanted| wanted.eq_ignore_ascii_case(name)).map(String::as_str)
    }

    /// The first name that an input lacks, in words.
    ///
    /// # Errors
    /// There is one.
    pub(crate) fn check(&self, found: &Found<'_>) -> Result<(), String> {
        let has = |wanted: &Wanted| {
            let is_same = |name: &String| {
                if found.ignores_case && !wanted.is_attribute {
                    name.eq_ignore_ascii_case(&wanted.name)
                } else {
                    *name == wanted.name
                }
            };
            found.names.iter().any(is_same) || wanted.is_listed_only && !found.is_schema
        };
        match self.wanted.iter().find(|wanted| !has(wanted)) {
            None => Ok(()),
            Some(Wanted { key, name, .. }) => {
                let what = if found.is_schema { "there is no column" } else { "no record has" };
                let nearest = nearest(name, found.names)
                    .map_or_else(String::new, |nearest| format!("the nearest is {}; ", shown(nearest)));
                let way_out = if must_be_there(key) { "" } else { ", or the name among `optional`" };
                Err(format!(
                    "{key}: {what} {}: {nearest}expected one of {}{way_out}",
                    shown(name),
                    listed(found.names)
                ))
            }
        }
    }
}

fn must_be_there(key: &str) -> bool {
    NEVER_ABSENT.iter().any(|end| key.ends_with(end))
}

/// Names as a message lists them.
pub(crate) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "no names".to_owned();
    }
    let first: Vec<_> = names.iter().take(NAMES_SHOWN).map(|name| shown(name)).collect();
    let more = match names.len().saturating_sub(NAMES_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", first.join(", "))
}

/// The name that is most like a wanted one, if one is: at most a third of its characters differ, case aside.
pub(crate) fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    let folded = |name: &str| -> Vec<char> {
        name.chars().flat_map(char::to_lowercase).take(COMPARED_CHARACTERS_MAX).collect()
    };
    let wanted = folded(wanted);
    let candidates = names.iter().take(COMPARED_NAMES_MAX);
    let (distance, name) = candidates
        .map(|name| (distance(&wanted, &folded(name)), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= wanted.len()).then_some(name.as_str())
}

/// How many characters have to be put in, left out or exchanged (Levenshtein).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (index, other_letter) in other.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != other_letter);
            diagonal = row[index + 1];
            row[index + 1] = exchanged.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distances by hand.
    #[test]
    fn the_nearest_name_is_the_one_with_the_fewest_other_letters() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        for (one, other, expected) in [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0)] {
            assert_eq!(distance(&letters(one), &letters(other)), expected, "{one} {other}");
        }
        let names = ["id", "MemberOf", "employeeNumber", "mail"].map(str::to_owned);
        assert_eq!(nearest("memberOf", &names), Some("MemberOf"));
        assert_eq!(nearest("employeenumbr", &names), Some("employeeNumber"));
        assert_eq!(nearest("telephone", &names), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
