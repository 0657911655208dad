//! The users that have come, so that one which comes twice is noticed.
//!
//! Pages move when users come and go between two requests, and without an order they may repeat and skip anyhow. The
//! total alone does not tell: one user twice and another never add up to it. So each user is remembered by a
//! fingerprint of its id, with a mark of what it said; of the users beyond [`REMEMBERED_MAX`] nothing is remembered.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

use super::members::member;
use super::version::EntityTag;

/// Users that are remembered; some 35 MB.
const REMEMBERED_MAX: usize = 1 << 20;

/// How a user came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// It had not come before, as far as is remembered.
    First,
    /// It came before and said the same.
    Again,
    /// It came before and said something else: it changed while the pages were read.
    Changed,
}

/// The users that have come.
#[derive(Default)]
pub(super) struct Seen {
    marks: HashMap<u64, u64>,
}

impl Seen {
    /// Notes a user.
    pub(super) fn note(&mut self, user: &Map<String, Value>) -> Came {
        let mark = mark(user);
        // One without an id is told by all that it says.
        let id = member(user, "id").and_then(Value::as_str).map_or(mark, fingerprint);
        match self.marks.get(&id) {
            Some(earlier) if *earlier == mark => Came::Again,
            Some(_) => Came::Changed,
            None => {
                if self.marks.len() < REMEMBERED_MAX {
                    self.marks.insert(id, mark);
                }
                Came::First
            }
        }
    }
}

/// Two answers with one strong version are the same; otherwise what they say is compared, versions included.
fn mark(user: &Map<String, Value>) -> u64 {
    match EntityTag::of(user).filter(|version| !version.is_weak()) {
        Some(version) => fingerprint(version.text()),
        None => fingerprint(&Value::Object(user.clone()).to_string()),
    }
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_comes_first_then_again_or_changed() {
        let user = |version: &str, name: &str| {
            let user = serde_json::json!({"id": "1", "userName": name, "meta": {"version": version}});
            let Value::Object(user) = user else { unreachable!("it is an object") };
            user
        };
        // Of each pair the first is remembered when the second comes.
        let cases = [
            (("\"1\"", "a"), ("\"1\"", "b"), Came::Again),
            (("\"1\"", "a"), ("\"2\"", "a"), Came::Changed),
            (("W/\"1\"", "a"), ("W/\"1\"", "a"), Came::Again),
            (("W/\"1\"", "a"), ("W/\"1\"", "b"), Came::Changed),
            (("W/\"1\"", "a"), ("W/\"2\"", "a"), Came::Changed),
            (("7", "a"), ("8", "a"), Came::Changed),
        ];
        for (first, second, expected) in cases {
            let mut seen = Seen::default();
            assert_eq!(seen.note(&user(first.0, first.1)), Came::First);
            assert_eq!(seen.note(&user(second.0, second.1)), expected, "{first:?} {second:?}");
        }
        let nameless = serde_json::Map::new();
        let mut seen = Seen::default();
        assert_eq!((seen.note(&nameless), seen.note(&nameless)), (Came::First, Came::Again));
    }
}
