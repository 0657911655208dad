//! Words at most two edits away from one another, as Lucene's `FuzzyQuery` counts them: inserting, deleting and
//! replacing a character, and exchanging two neighbours, which are then not edited again. By characters, not
//! by bytes. Lucene 8 does not ask that the words have a character in common, as Lucene 6 did.
//!
//! There is nothing to compile: a word is compared along the diagonal of the table of edits, five places wide, so
//! that a term of any length costs no more than the word is long.

/// Places of a row of the table that can hold two edits or fewer.
const PLACES: usize = 5;

/// A term and how many edits a word may be away from it.
#[derive(Debug)]
pub(super) struct Fuzzy {
    term: Vec<char>,
    /// One or two.
    edits: usize,
}

impl Fuzzy {
    pub(super) fn new(term: &str, edits: u8) -> Fuzzy {
        Fuzzy { term: term.chars().collect(), edits: usize::from(edits).min(PLACES / 2) }
    }

    pub(super) fn matches(&self, word: &str) -> bool {
        let (length, most) = (self.term.len(), self.edits);
        // A character has one byte at least and four at most.
        if word.len() + most < length || word.len() > 4 * (length + most) {
            return false;
        }
        let far = most + 1;
        // Place `d` of row `i` is about the first `i` characters of the word and the first `i + d - most` of the term.
        let mut before = [far; PLACES];
        let mut last: [usize; PLACES] =
            std::array::from_fn(|place| if place < most { far } else { (place - most).min(far) });
        let mut previous = None;
        let mut read = 0;
        for character in word.chars() {
            read += 1;
            let mut row = [far; PLACES];
            for place in 0..=2 * most {
                let Some(at) = (read + place).checked_sub(most).filter(|at| *at <= length) else { continue };
                let mut edits = if place < 2 * most { last[place + 1] + 1 } else { far };
                if place > 0 {
                    edits = edits.min(row[place - 1] + 1);
                }
                if let Some(here) = at.checked_sub(1).map(|here| self.term[here]) {
                    edits = edits.min(last[place] + usize::from(here != character));
                    let exchanged = previous == Some(here) && at > 1 && self.term[at - 2] == character;
                    if exchanged {
                        edits = edits.min(before[place] + 1);
                    }
                }
                row[place] = edits.min(far);
            }
            // An exchange goes back two rows, so that one hopeless row is not the end.
            if [row, last].as_flattened().iter().all(|edits| *edits > most) {
                return false;
            }
            (before, last, previous) = (last, row, Some(character));
        }
        let end = (length + most).checked_sub(read);
        end.and_then(|place| last.get(place)).is_some_and(|edits| *edits <= most)
    }
}
