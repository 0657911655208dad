//! Words in order, with room between them.

use super::tokens::{Tokens, is_lowered, lacks};

/// At least two words, in lower case.
#[derive(Debug)]
pub(super) struct Phrase {
    words: Vec<String>,
    /// For each word, the first place in the phrase that has it.
    first_places: Vec<usize>,
    /// For each count of words that the text has so far, how many it has still when the next one does
    /// not fit: the failure function of Knuth, Morris and Pratt.
    fallbacks: Vec<usize>,
    slop: u32,
}

impl Phrase {
    pub(super) fn new(words: Vec<String>, slop: u32) -> Phrase {
        let first_places = words
            .iter()
            .map(|word| words.iter().position(|other| other == word).unwrap_or(0))
            .collect::<Vec<_>>();
        let mut fallbacks = vec![0; words.len() + 1];
        let mut length = 0;
        for end in 1..words.len() {
            while length > 0 && words[end] != words[length] {
                length = fallbacks[length];
            }
            if words[end] == words[length] {
                length += 1;
            }
            fallbacks[end + 1] = length;
        }
        Phrase { words, first_places, fallbacks, slop }
    }

    /// ASCII in lower case that every text has in it that has the phrase.
    pub(super) fn literal(&self) -> Option<&str> {
        let words = self.words.iter().filter(|word| word.is_ascii());
        words.max_by_key(|word| word.len()).map(String::as_str)
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let missing = |word: &String| if word.is_ascii() { lacks(text, word) } else { text.is_ascii() };
        if self.words.iter().any(missing) {
            return false;
        }
        if self.slop == 0 { self.stands_in(text) } else { self.stands_near_in(text) }
    }

    /// One word directly after the other.
    fn stands_in(&self, text: &str) -> bool {
        let mut length = 0;
        for token in Tokens::new(text) {
            while length > 0 && !is_lowered(token, &self.words[length]) {
                length = self.fallbacks[length];
            }
            if is_lowered(token, &self.words[length]) {
                length += 1;
            }
            if length == self.words.len() {
                return true;
            }
        }
        false
    }

    /// Every word somewhere, each in a place of its own, so that the words' offsets from where the phrase would
    /// have them differ by no more than the slop.
    fn stands_near_in(&self, text: &str) -> bool {
        // The places of each word, listed at the first place of the phrase that has it.
        let mut positions: Vec<Vec<i64>> = vec![Vec::new(); self.words.len()];
        for (position, token) in (0_i64..).zip(Tokens::new(text)) {
            if let Some(place) = self.words.iter().position(|word| is_lowered(token, word)) {
                positions[place].push(position);
            }
        }
        if self.first_places.iter().any(|place| positions[*place].is_empty()) {
            return false;
        }
        // The least offset of a match is that of some word somewhere, so that those are all there is to try.
        (0_i64..).zip(&self.first_places).any(|(place, first)| {
            positions[*first].iter().any(|position| self.fits(&positions, position - place))
        })
    }

    /// Whether every word has a place of its own with an offset of `least` or up to the slop above.
    fn fits(&self, positions: &[Vec<i64>], least: i64) -> bool {
        // For each word, how many of its places are taken. The places wanted go up with the phrase, so that
        // taking the first that will do is never worse than another.
        let mut taken = vec![0; positions.len()];
        (0_i64..).zip(&self.first_places).all(|(place, first)| {
            let places = &positions[*first];
            let next = places.partition_point(|position| *position < least + place).max(taken[*first]);
            taken[*first] = next + 1;
            places.get(next).is_some_and(|position| position - place - least <= i64::from(self.slop))
        })
    }
}
