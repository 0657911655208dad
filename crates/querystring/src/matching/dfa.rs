//! Deterministic automata over characters.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

/// The most states of an automaton, which is Lucene's default for regular expressions.
pub(super) const STATES_MAX: usize = 10_000;

/// Most steps of work for the automata of one query. A step makes a transition or an expression, or looks at an
/// alternative.
const WORK_MAX: usize = 1_000_000;

/// A regular expression whose automaton would be too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the regular expression is too complex, by itself or with those before it: expected one that an automaton of \
     {STATES_MAX} states can match, and {WORK_MAX} steps to make all automata of the query"
)]
pub struct TooComplex;

/// What may still be done for the automata of one query.
#[derive(Debug)]
pub(super) struct Work {
    left: usize,
    /// Whether nobody waits for them any more.
    abandoned: Arc<AtomicBool>,
}

impl Work {
    pub(super) fn new() -> Work {
        Work::unless(Arc::default())
    }

    /// Work that ends once `abandoned` is set.
    pub(super) fn unless(abandoned: Arc<AtomicBool>) -> Work {
        Work { left: WORK_MAX, abandoned }
    }

    /// # Errors
    /// There is not so much left, or the work is abandoned; nothing is left from then on.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), TooComplex> {
        // Nothing else is read because of it.
        if self.abandoned.load(Ordering::Relaxed) {
            self.left = 0;
            return Err(TooComplex);
        }
        let left = self.left.checked_sub(steps);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(TooComplex)
    }
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
    /// There are more classes than can be counted.
    pub(super) fn of_cuts(mut cuts: Vec<u32>) -> Result<Alphabet, TooComplex> {
        cuts.push(0);
        cuts.sort_unstable();
        cuts.dedup();
        if cuts.len() > STATES_MAX {
            return Err(TooComplex);
        }
        let classes = (0_u16..).take(cuts.len()).collect();
        Ok(Alphabet::new(cuts, classes))
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
    /// They are too many, or what the states fail with.
    pub(super) fn build<S: States>(
        states: &mut S,
        start: S::State,
        alphabet: Alphabet,
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
                let fresh = u32::try_from(dfa.accepts.len()).map_err(|_| TooComplex)?;
                let target = match numbers.entry(reached) {
                    Entry::Occupied(entry) => *entry.get(),
                    Entry::Vacant(entry) => {
                        if dfa.accepts.len() > STATES_MAX {
                            return Err(TooComplex);
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
