//! Words at most two edits away from one another, as Lucene's `FuzzyQuery` counts them: inserting, deleting and
//! replacing a character, and exchanging two neighbours, which are then not edited again. By characters, not
//! by bytes. Lucene 8 does not ask that the words have a character in common, as Lucene 6 did.

use super::dfa::{Alphabet, Dfa, States, TooComplex};

/// The automaton of the words so many edits away from a term.
///
/// # Errors
/// The term is too long.
pub(super) fn automaton(term: &str, edits: u8) -> Result<Dfa, TooComplex> {
    let word: Vec<char> = term.chars().collect();
    let mut distinct = word.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let alphabet = Alphabet::of_characters(&distinct);
    let classes = word.iter().map(|c| distinct.partition_point(|other| other < c) + 1).collect();
    let start = vec![Position { at: 0, edits: 0, exchanging: false }];
    Dfa::build(&mut Edited { word: classes, edits }, start, alphabet, TooComplex::Fuzzy)
}

/// The states of the automaton: sets of positions in the term.
struct Edited {
    /// The class of each character of the term, never 0.
    word: Vec<usize>,
    edits: u8,
}

/// How far the term has been read, with so many edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Position {
    at: usize,
    edits: u8,
    /// Whether the second of two exchanged characters has been read and the first is due.
    exchanging: bool,
}

impl Edited {
    /// The positions and those that follow from them by deleting characters of the term.
    fn with_deletions(&self, state: &[Position]) -> Vec<Position> {
        let mut positions = state.to_vec();
        let mut index = 0;
        while let Some(position) = positions.get(index).copied() {
            if !position.exchanging && position.edits < self.edits && position.at < self.word.len() {
                positions.push(Position {
                    at: position.at + 1,
                    edits: position.edits + 1,
                    exchanging: false,
                });
            }
            index += 1;
        }
        positions
    }
}

/// The positions in order, without those that another makes superfluous.
fn reduced(mut positions: Vec<Position>) -> Vec<Position> {
    positions.sort_unstable();
    positions.dedup();
    let all = positions.clone();
    positions.retain(|position| !all.iter().any(|other| other.covers(*position)));
    positions
}

impl Position {
    /// Whether everything that can be read from another position can be read from here with as few edits: a
    /// position that far away is reached by inserting or deleting.
    fn covers(self, other: Position) -> bool {
        !self.exchanging
            && !other.exchanging
            && self.edits < other.edits
            && self.at.abs_diff(other.at) <= usize::from(other.edits - self.edits)
    }
}

impl States for Edited {
    type State = Vec<Position>;

    fn step(&mut self, state: &Vec<Position>, class: usize) -> Result<Option<Vec<Position>>, TooComplex> {
        let mut reached = Vec::new();
        for Position { at, edits, exchanging } in self.with_deletions(state) {
            let here = self.word.get(at) == Some(&class);
            if exchanging {
                if here {
                    reached.push(Position { at: at + 2, edits, exchanging: false });
                }
                continue;
            }
            if here {
                reached.push(Position { at: at + 1, edits, exchanging: false });
            }
            if edits < self.edits {
                reached.push(Position { at, edits: edits + 1, exchanging: false });
                if at < self.word.len() {
                    reached.push(Position { at: at + 1, edits: edits + 1, exchanging: false });
                }
                if self.word.get(at + 1) == Some(&class) {
                    reached.push(Position { at, edits: edits + 1, exchanging: true });
                }
            }
        }
        let reached = reduced(reached);
        Ok(if reached.is_empty() { None } else { Some(reached) })
    }

    fn accepts(&self, state: &Vec<Position>) -> bool {
        // The rest of the term is deleted.
        let reaches_the_end = |position: &Position| {
            !position.exchanging && self.word.len() - position.at <= usize::from(self.edits - position.edits)
        };
        state.iter().any(reaches_the_end)
    }
}
