//! The rows of the old file by their keys: digests and places, no cells.

use sha2::{Digest, Sha256};

/// Most rows of the old file with one key.
pub const SAME_KEY_ROWS_MAX: usize = 1_000;

/// Half of a SHA-256: different cells or rows do not have the same one by chance.
pub(super) type Half = [u64; 2];

/// The digest of cells, each with its length before it.
pub(super) fn digest<'a>(cells: impl Iterator<Item = &'a str>) -> Half {
    let mut hash = Sha256::new();
    for cell in cells {
        hash.update((cell.len() as u64).to_le_bytes());
        hash.update(cell);
    }
    let bytes = hash.finalize();
    let word = |from: usize| bytes[from..from + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    [word(0), word(8)]
}

/// One row: 40 bytes.
struct Entry {
    key: Half,
    cells: Half,
    place: u64,
}

/// The match for a row of the new file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// No row with its key, or none that is left.
    None,
    /// A row with the same cells.
    Equal,
    /// A row with other cells, at this place.
    Other(u64),
}

/// A key that too many rows have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SameKey;

/// The rows; filled, then sorted, then taken from.
pub(super) struct Index {
    entries: Vec<Entry>,
    /// One bit a row: whether it was taken.
    taken: Vec<u64>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), taken: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn push(&mut self, key: Half, cells: Half, place: u64) {
        self.entries.push(Entry { key, cells, place });
    }

    pub(super) fn sort(&mut self) -> Result<(), SameKey> {
        self.entries.sort_unstable_by_key(|entry| (entry.key, entry.place));
        self.taken = vec![0; self.entries.len().div_ceil(64)];
        match self.entries.windows(SAME_KEY_ROWS_MAX + 1).any(|run| run[0].key == run[SAME_KEY_ROWS_MAX].key)
        {
            true => Err(SameKey),
            false => Ok(()),
        }
    }

    /// Takes the row of this key that is equal, or the first one that is left.
    pub(super) fn take(&mut self, key: Half, cells: Half) -> Match {
        let from = self.entries.partition_point(|entry| entry.key < key);
        let run = self.entries[from..].iter().take_while(|entry| entry.key == key).count();
        let mut left = (from..from + run).filter(|place| !self.is_taken(*place));
        let first = left.clone().next();
        let found = left.find(|place| self.entries[*place].cells == cells);
        let Some(place) = found.or(first) else { return Match::None };
        self.taken[place / 64] |= 1 << (place % 64);
        if found.is_some() { Match::Equal } else { Match::Other(self.entries[place].place) }
    }

    /// Places of the rows that nothing took, ascending.
    pub(super) fn into_left(self) -> Vec<u64> {
        let left = (0..self.entries.len()).filter(|place| !self.is_taken(*place));
        let mut left: Vec<_> = left.map(|place| self.entries[place].place).collect();
        left.sort_unstable();
        left
    }

    fn is_taken(&self, place: usize) -> bool {
        self.taken[place / 64] >> (place % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_do_not_run_into_one_another() {
        let of = |cells: &[&'static str]| digest(cells.iter().copied());
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_eq!(size_of::<Entry>(), 40);
    }

    #[test]
    fn rows_of_one_key_are_taken_one_by_one_and_equal_ones_first() {
        let mut index = Index::new();
        for place in 0..3 {
            index.push([1, 1], [0, place], place);
        }
        index.push([0, 1], [0, 9], 7);
        assert_eq!(index.sort(), Ok(()));
        assert_eq!(index.take([1, 1], [0, 2]), Match::Equal);
        assert_eq!(index.take([1, 1], [5, 5]), Match::Other(0));
        assert_eq!(index.take([1, 1], [0, 2]), Match::Other(1));
        assert_eq!(index.take([1, 1], [0, 2]), Match::None);
        assert_eq!(index.take([2, 1], [0, 2]), Match::None);
        assert_eq!(index.into_left(), [7]);
    }

    #[test]
    fn a_key_of_all_rows_is_refused() {
        let mut index = Index::new();
        for place in 0..1_001 {
            index.push([1, 1], [0, 0], place);
        }
        assert_eq!(index.sort(), Err(SameKey));
    }
}
