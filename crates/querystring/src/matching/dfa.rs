//! Deterministic automata over characters.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;

use thiserror::Error;

/// The most states of an automaton, which is Lucene's default for regular expressions.
pub(super) const STATES_MAX: usize = 10_000;

/// The most transitions of an automaton, so that its table stays within 16 MiB.
const TRANSITIONS_MAX: usize = 4 << 20;

/// A pattern whose automaton would be too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TooComplex {
    /// A regular expression.
    #[error(
        "the regular expression is too complex, expected one that an automaton of {STATES_MAX} states can match"
    )]
    Regex,
    /// A fuzzy term.
    #[error("the fuzzy term is too long, expected one that an automaton of {STATES_MAX} states can match")]
    Fuzzy,
}

/// The state from which nothing is accepted any more.
const DEAD: u32 = 0;

/// All characters, cut into ranges that an automaton does not tell apart.
pub(super) struct Alphabet {
    /// The first character of each range, ascending; the first of all is 0.
    starts: Vec<u32>,
    /// The class of each range.
    classes: Vec<u16>,
    /// The classes of ASCII, by character.
    ascii: [u16; 128],
    count: usize,
}

impl Alphabet {
    /// The alphabet with a class for each range between the cuts.
    ///
    /// # Errors
    /// `too_complex` if there are more classes than can be counted.
    pub(super) fn of_cuts(mut cuts: Vec<u32>, too_complex: TooComplex) -> Result<Alphabet, TooComplex> {
        cuts.push(0);
        cuts.sort_unstable();
        cuts.dedup();
        if cuts.len() > STATES_MAX {
            return Err(too_complex);
        }
        let classes = (0_u16..).take(cuts.len()).collect();
        Ok(Alphabet::new(cuts, classes))
    }

    /// The alphabet in which each of the characters, which ascend, is a class of its own from 1 up, and all
    /// others are class 0.
    pub(super) fn of_characters(characters: &[char]) -> Alphabet {
        let mut starts = vec![0];
        let mut classes = vec![0];
        for (class, character) in (1_u16..).zip(characters) {
            let character = u32::from(*character);
            if starts.last() == Some(&character) {
                classes.pop();
                classes.push(class);
            } else {
                starts.push(character);
                classes.push(class);
            }
            starts.push(character + 1);
            classes.push(0);
        }
        Alphabet::new(starts, classes)
    }

    fn new(starts: Vec<u32>, classes: Vec<u16>) -> Alphabet {
        let count = classes.iter().max().map_or(0, |class| usize::from(*class) + 1);
        let mut alphabet = Alphabet { starts, classes, ascii: [0; 128], count };
        for character in 0..128_u8 {
            alphabet.ascii[usize::from(character)] = alphabet.search(char::from(character));
        }
        alphabet
    }

    fn search(&self, character: char) -> u16 {
        let range = self.starts.partition_point(|start| *start <= u32::from(character));
        // The first range begins with 0, so that there is one before.
        self.classes[range - 1]
    }

    fn class(&self, character: char) -> usize {
        let class = match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => self.ascii[usize::from(byte)],
            _ => self.search(character),
        };
        usize::from(class)
    }

    /// How many classes there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The classes of the ranges between two characters, both of which are at cuts: the first where a range
    /// begins, the last where one ends.
    pub(super) fn classes_between(&self, first: char, last: char) -> impl Iterator<Item = usize> {
        let from = self.starts.partition_point(|start| *start < u32::from(first));
        let to = self.starts.partition_point(|start| *start <= u32::from(last));
        self.classes[from..to].iter().map(|class| usize::from(*class))
    }
}

/// An automaton.
pub(super) struct Dfa {
    alphabet: Alphabet,
    /// The next state by state and class. The start is state 1.
    next: Vec<u32>,
    accepts: Vec<bool>,
}

/// How an automaton is described while it is made.
pub(super) trait States {
    /// What a state is before it has a number.
    type State: Clone + Eq + Hash;

    /// The state after a character of a class; `None` where nothing can be accepted any more.
    ///
    /// # Errors
    /// The description itself grows too large.
    fn step(&mut self, state: &Self::State, class: usize) -> Result<Option<Self::State>, TooComplex>;

    /// Whether a text that ends in a state is accepted.
    fn accepts(&self, state: &Self::State) -> bool;
}

impl Dfa {
    /// The automaton of all states that can be reached.
    ///
    /// # Errors
    /// `too_complex` if they are too many, and what the states fail with.
    pub(super) fn build<S: States>(
        states: &mut S,
        start: S::State,
        alphabet: Alphabet,
        too_complex: TooComplex,
    ) -> Result<Dfa, TooComplex> {
        let classes = alphabet.count();
        let mut dfa =
            Dfa { alphabet, next: vec![DEAD; 2 * classes], accepts: vec![false, states.accepts(&start)] };
        let mut numbers: HashMap<S::State, u32> = HashMap::from([(start.clone(), 1)]);
        let mut waiting = vec![(start, 1_usize)];
        while let Some((state, number)) = waiting.pop() {
            for class in 0..classes {
                let Some(reached) = states.step(&state, class)? else {
                    continue;
                };
                let fresh = u32::try_from(dfa.accepts.len()).map_err(|_| too_complex)?;
                let target = match numbers.entry(reached) {
                    Entry::Occupied(entry) => *entry.get(),
                    Entry::Vacant(entry) => {
                        if dfa.accepts.len() > STATES_MAX || dfa.next.len() + classes > TRANSITIONS_MAX {
                            return Err(too_complex);
                        }
                        dfa.accepts.push(states.accepts(entry.key()));
                        dfa.next.resize(dfa.next.len() + classes, DEAD);
                        waiting.push((entry.key().clone(), dfa.accepts.len() - 1));
                        entry.insert(fresh);
                        fresh
                    }
                };
                dfa.next[number * classes + class] = target;
            }
        }
        Ok(dfa)
    }

    /// Whether a text is accepted.
    pub(super) fn accepts(&self, text: &str) -> bool {
        let classes = self.alphabet.count();
        let mut state: u32 = 1;
        for character in text.chars() {
            state = self.next[state as usize * classes + self.alphabet.class(character)];
            if state == DEAD {
                return false;
            }
        }
        self.accepts[state as usize]
    }
}

impl fmt::Debug for Dfa {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Dfa").field("states", &(self.accepts.len() - 1)).finish_non_exhaustive()
    }
}
