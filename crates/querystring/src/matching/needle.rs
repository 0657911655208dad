//! Bytes that a text has to have to pass a test, looked for in many texts at once.
//!
//! Why: most texts do not pass. Texts that lie end to end, as those of a column do, are searched as one text faster than
//! one after another.

/// Bytes that are looked for in a run of bytes. Letters of ASCII are found in either case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle {
    /// Not empty, letters of ASCII in lower case.
    bytes: Vec<u8>,
    /// The places of two bytes that are rare in texts, and how each is compared.
    rare: [(usize, Folded); 2],
}

/// Places that are looked at together.
const BLOCK: usize = 64;

/// The shortest literal that is worth looking for: single letters are nearly everywhere.
const SHORTEST: usize = 2;

/// Most needles of a test. Each is looked for by itself.
pub(super) const NEEDLES_MAX: usize = 8;

/// The characters beyond ASCII whose lower case is in ASCII: the kelvin sign and the dotted I.
const BEYOND: [(u8, char); 2] = [(b'k', '\u{212a}'), (b'i', 'İ')];

/// A byte in either case: equal to `lower` once it has the bits of `case`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Folded {
    lower: u8,
    case: u8,
}

impl Folded {
    fn of(byte: u8) -> Self {
        let lower = byte.to_ascii_lowercase();
        Self { lower, case: if lower.is_ascii_lowercase() { 0x20 } else { 0 } }
    }

    fn is(self, byte: u8) -> bool {
        byte | self.case == self.lower
    }
}

/// Letters from the rarest to the most common one in names, words and ids.
const LETTERS: &[u8; 26] = b"zqjxkvwybgfpmuhldcrsnioate";

/// How common a byte is: for letters, their place in [`LETTERS`].
fn commonness(byte: u8) -> usize {
    let byte = byte.to_ascii_lowercase();
    match LETTERS.iter().position(|letter| *letter == byte) {
        Some(place) => place,
        None if byte.is_ascii_digit() => LETTERS.len(),
        None if byte.is_ascii() => LETTERS.len() / 2,
        None => 0,
    }
}

impl Needle {
    fn new(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.to_ascii_lowercase();
        let mut places: Vec<usize> = (0..bytes.len()).collect();
        places.sort_by_key(|at| commonness(bytes[*at]));
        let first = *places.first()?;
        let second = places.get(1).copied().unwrap_or(first);
        let rare = [first, second].map(|at| (at, Folded::of(bytes[at])));
        Some(Self { bytes, rare })
    }

    /// What every text has in it that has a word with this literal, which is in lower case. `None` if it would be found
    /// nearly everywhere, or is not ASCII.
    pub(super) fn of_literal(literal: &str) -> Option<Vec<Self>> {
        if !literal.is_ascii() || literal.len() < SHORTEST {
            return None;
        }
        let beyond = BEYOND.into_iter().filter(|(letter, _)| literal.as_bytes().contains(letter));
        let beyond = beyond.filter_map(|(_, character)| {
            let mut bytes = [0; 4];
            Self::new(character.encode_utf8(&mut bytes).as_bytes())
        });
        Some(Self::new(literal.as_bytes()).into_iter().chain(beyond).collect())
    }

    /// Whether it can be in text that is all ASCII.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.bytes.is_ascii()
    }

    /// The first place at or after `from` where the bytes are.
    #[must_use]
    pub fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let ends = text.len().checked_sub(self.bytes.len())? + 1;
        let [(one_at, one), (other_at, other)] = self.rare;
        let mut at = from;
        while at + BLOCK <= ends {
            let ones = &text[at + one_at..][..BLOCK];
            let others = &text[at + other_at..][..BLOCK];
            // Without a branch, so that the processor compares many bytes at once.
            let found = ones.iter().zip(others).fold(0, |found, (here, there)| {
                found | (u8::from(one.is(*here)) & u8::from(other.is(*there)))
            });
            if found != 0
                && let Some(place) = self.first_of(text, at, at + BLOCK)
            {
                return Some(place);
            }
            at += BLOCK;
        }
        self.first_of(text, at, ends)
    }

    /// The first place of these where the bytes are.
    fn first_of(&self, text: &[u8], from: usize, until: usize) -> Option<usize> {
        let [(one_at, one), (other_at, other)] = self.rare;
        let ones = text.get(from + one_at..until + one_at)?;
        let others = text.get(from + other_at..until + other_at)?;
        let may_be = |(at, (here, there)): (usize, (&u8, &u8))| {
            (one.is(*here) && other.is(*there)).then_some(from + at)
        };
        let mut places = ones.iter().zip(others).enumerate().filter_map(may_be);
        places.find(|at| text[*at..][..self.bytes.len()].eq_ignore_ascii_case(&self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(needle: &[u8], text: &[u8], from: usize) -> Option<usize> {
        (from..text.len()).find(|at| {
            text.get(*at..*at + needle.len()).is_some_and(|here| here.eq_ignore_ascii_case(needle))
        })
    }

    #[test]
    fn finds_what_a_plain_search_finds() {
        // Few letters, so that much is nearly there; `@` and `` ` `` differ from letters in the bit of the case only.
        let letters = b"aAbBkK@`{[";
        let mut state = 1_u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap_or(0) % below
        };
        for length in (0..200).chain([1_000]) {
            let text: Vec<u8> = (0..length).map(|_| letters[next(letters.len())]).collect();
            for size in 1..5 {
                let bytes: Vec<u8> = (0..size).map(|_| letters[next(letters.len())]).collect();
                let needle = Needle::new(&bytes).expect("it is not empty");
                let from = next(length + 3);
                assert_eq!(needle.find(&text, from), naive(&bytes, &text, from), "{bytes:?} in {text:?}");
            }
        }
    }

    #[test]
    fn a_place_at_the_border_of_a_block_is_found() {
        let needle = Needle::new(b"berlin").expect("it is not empty");
        for place in 0..200 {
            let mut text = vec![b'-'; 206];
            text[place..place + 6].copy_from_slice(b"BerLin");
            assert_eq!(needle.find(&text, 0), Some(place));
            assert_eq!(needle.find(&text, place + 1), None);
        }
    }

    #[test]
    fn letters_beyond_ascii_are_needles_too() {
        let needles = |literal| Needle::of_literal(literal).map(|needles| needles.len());
        assert_eq!(
            ["be", "ok", "in", "kiwi", "b", "", "ü"].map(needles),
            [Some(1), Some(2), Some(2), Some(3), None, None, None]
        );
    }
}
