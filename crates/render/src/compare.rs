//! Two CSV files of the same report: which rows were added, removed and changed.
//!
//! Key columns identify rows. The old file is read once to index it, the new file once to look up its rows, and the old
//! file again for removed rows. Only changed rows are read a third time. Either file may be in any order.
//!
//! Memory: 40 bytes for each row of the old file, whatever its cells contain, and twice as much for a moment while the
//! index grows. At most [`ROWS_MAX`] rows, some 400 MB, are allowed; a longer file is an error.
//!
//! Several rows may have one key, as errors of one identity do. Then a row is matched with an equal row, or else with
//! the first one that is left. More than [`SAME_KEY_ROWS_MAX`] rows with one key are an error.
//!
//! The result is a CSV file: `change`, the key columns, `column`, `old`, `new`.
//!
//! | change | what the line says |
//! |---|---|
//! | `COLUMN_ADDED`, `COLUMN_REMOVED` | a column that only the new or only the old file has; `column` has its name |
//! | `ADDED`, `REMOVED` | a row that only the new or only the old file has |
//! | `CHANGED` | one cell of a row that both have; a line for each cell |
//!
//! Columns are listed first, then rows in the order of the new file, then removed rows in the order of the old file.
//! Columns that only one file has are not compared.

mod index;
pub mod page;

use std::io::{Read, Seek, SeekFrom, Write};

use csv::{Position, Reader, StringRecord};
use muster_reports::made::ComparisonCounts;

use crate::csv::cells::push_text;
use crate::file::{Digested, RenderError, Written};
use crate::guard::{FormulaGuard, unguard};
use index::{Index, Match, digest};

pub use index::SAME_KEY_ROWS_MAX;

/// Most rows of the old file.
pub const ROWS_MAX: usize = 10_000_000;

/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// One of the two files.
pub struct Compared<R> {
    /// Its content.
    pub content: R,
    /// Whether it was written with the formula guard; its cover says so.
    pub formula_guard: FormulaGuard,
}

/// Which file an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The old one.
    Old,
    /// The new one.
    New,
}

impl std::fmt::Display for Side {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Old => "old",
            Self::New => "new",
        })
    }
}

/// Why two files cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// It is not a CSV file, or cannot be read.
    #[error("the {side} file cannot be read as CSV")]
    Unreadable {
        /// Which.
        side: Side,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// No key column is given.
    #[error("no key column was named: expected at least one")]
    NoKey,
    /// A key column is missing.
    #[error("the {side} file has no column {column:?}: expected the key columns in both files")]
    NoKeyColumn {
        /// Which.
        side: Side,
        /// The column.
        column: String,
    },
    /// Two columns have one name.
    #[error("the {side} file has two columns {column:?}: expected each name once")]
    DoubledColumn {
        /// Which.
        side: Side,
        /// The column.
        column: String,
    },
    /// The old file is too long.
    #[error("the old file has more than {ROWS_MAX} rows: expected no more")]
    TooManyRows,
    /// Too many rows have one key.
    #[error(
        "more than {SAME_KEY_ROWS_MAX} rows of the old file have the same key: expected columns that tell rows apart"
    )]
    SameKey,
    /// The result cannot be written.
    #[error("the comparison cannot be written")]
    Write(#[from] RenderError),
}

/// The names of a file's columns.
///
/// # Errors
/// [`CompareError::Unreadable`].
pub fn columns<R: Read>(side: Side, file: Compared<R>) -> Result<Vec<String>, CompareError> {
    ComparedTable::open(side, file, &[]).map(|table| table.names)
}

/// Compares two files by key columns, and writes the differences, with or without the formula guard. Returns the
/// counts, and what was written.
///
/// # Errors [`CompareError`]; what was written until then is incomplete.
pub fn compare<O: Read + Seek, N: Read, W: Write>(
    old: Compared<O>,
    new: Compared<N>,
    keys: &[&str],
    sink: W,
    formula_guard: FormulaGuard,
) -> Result<(ComparisonCounts, Written), CompareError> {
    if keys.is_empty() {
        return Err(CompareError::NoKey);
    }
    let mut old = ComparedTable::open(Side::Old, old, keys)?;
    let mut new = ComparedTable::open(Side::New, new, keys)?;
    let columns = Columns::of(&mut old, &mut new);
    let names = keys.iter().map(|key| (*key).to_owned()).collect();
    let mut counts = ComparisonCounts { keys: names, ..ComparisonCounts::default() };
    let mut lines = Lines::begin(sink, keys, formula_guard);
    for name in new.names.iter().filter(|name| !old.names.contains(name)) {
        lines.push("COLUMN_ADDED", keys.iter().map(|_| ""), [name, "", ""])?;
        counts.columns_added.push(name.clone());
    }
    for name in old.names.iter().filter(|name| !new.names.contains(name)) {
        lines.push("COLUMN_REMOVED", keys.iter().map(|_| ""), [name, "", ""])?;
        counts.columns_removed.push(name.clone());
    }

    let first = old.reader.position().clone();
    let mut index = Index::new();
    let mut row = StringRecord::new();
    while let Some(place) = old.read(&mut row)? {
        if index.len() == ROWS_MAX {
            return Err(CompareError::TooManyRows);
        }
        index.push(old.digest_key(&row), digest(old.cells(&row, &columns.old)), place);
    }
    index.sort().map_err(|_| CompareError::SameKey)?;

    let mut before = StringRecord::new();
    while new.read(&mut row)?.is_some() {
        match index.take(new.digest_key(&row), digest(new.cells(&row, &columns.new))) {
            Match::None => {
                lines.push("ADDED", new.key_cells(&row), ["", "", ""])?;
                counts.added += 1;
            }
            Match::Equal => counts.unchanged += 1,
            Match::Other(place) => {
                old.read_at(place, &mut before)?;
                let cells = old.cells(&before, &columns.old).zip(new.cells(&row, &columns.new));
                for (name, (before, after)) in columns.names.iter().zip(cells) {
                    if before != after {
                        lines.push("CHANGED", new.key_cells(&row), [name, before, after])?;
                    }
                }
                counts.changed += 1;
            }
        }
    }

    let left = index.into_left();
    let mut left = left.iter().peekable();
    old.seek(first)?;
    while left.peek().is_some()
        && let Some(place) = old.read(&mut row)?
    {
        if left.next_if_eq(&&place).is_some() {
            lines.push("REMOVED", old.key_cells(&row), ["", "", ""])?;
            counts.removed += 1;
        }
    }
    Ok((counts, lines.finish()?))
}

/// The columns that are compared: those of both files that are not keys, in the order of the new one.
struct Columns {
    names: Vec<String>,
    old: Vec<usize>,
    new: Vec<usize>,
}

impl Columns {
    fn of<O: Read, N: Read>(old: &mut ComparedTable<O>, new: &mut ComparedTable<N>) -> Self {
        let mut columns = Self { names: Vec::new(), old: Vec::new(), new: Vec::new() };
        for (place, name) in new.names.iter().enumerate().filter(|(place, _)| !new.keys.contains(place)) {
            if let Some(old) = old.names.iter().position(|old| old == name) {
                columns.names.push(name.clone());
                columns.old.push(old);
                columns.new.push(place);
            }
        }
        columns
    }
}

struct ComparedTable<R> {
    side: Side,
    reader: Reader<R>,
    guarded: bool,
    names: Vec<String>,
    /// Places of the key columns.
    keys: Vec<usize>,
}

impl<R: Read> ComparedTable<R> {
    fn open(side: Side, file: Compared<R>, keys: &[&str]) -> Result<Self, CompareError> {
        let guarded = file.formula_guard == FormulaGuard::On;
        let plain = |cell| if guarded { unguard(cell) } else { cell };
        let mut reader = csv::ReaderBuilder::new().from_reader(file.content);
        let header = reader.headers().map_err(|source| CompareError::Unreadable { side, source })?;
        let names: Vec<_> = header.iter().map(|name| plain(name).to_owned()).collect();
        for (place, name) in names.iter().enumerate() {
            if names[..place].contains(name) {
                return Err(CompareError::DoubledColumn { side, column: name.clone() });
            }
        }
        let place = |key: &&str| {
            let missing = || CompareError::NoKeyColumn { side, column: (*key).to_owned() };
            names.iter().position(|name| name == key).ok_or_else(missing)
        };
        let keys = keys.iter().map(place).collect::<Result<_, _>>()?;
        Ok(Self { side, reader, guarded, names, keys })
    }

    /// The next row and the byte at which it begins.
    fn read(&mut self, row: &mut StringRecord) -> Result<Option<u64>, CompareError> {
        let side = self.side;
        let read =
            self.reader.read_record(row).map_err(|source| CompareError::Unreadable { side, source })?;
        Ok(read.then(|| row.position().map_or(0, Position::byte)))
    }

    fn cells<'r>(&self, row: &'r StringRecord, places: &[usize]) -> impl Iterator<Item = &'r str> {
        let guarded = self.guarded;
        places.iter().map(move |place| {
            let cell = row.get(*place).unwrap_or_default();
            if guarded { unguard(cell) } else { cell }
        })
    }

    fn key_cells<'r>(&self, row: &'r StringRecord) -> impl Iterator<Item = &'r str> {
        self.cells(row, &self.keys)
    }

    fn digest_key(&self, row: &StringRecord) -> [u64; 2] {
        digest(self.key_cells(row))
    }
}

impl<R: Read + Seek> ComparedTable<R> {
    fn seek(&mut self, position: Position) -> Result<(), CompareError> {
        let (side, from) = (self.side, SeekFrom::Start(position.byte()));
        let sought = self.reader.seek_raw(from, position);
        sought.map_err(|source| CompareError::Unreadable { side, source })
    }

    fn read_at(&mut self, place: u64, row: &mut StringRecord) -> Result<(), CompareError> {
        let mut position = Position::new();
        position.set_byte(place);
        self.seek(position)?;
        self.read(row).map(|_| ())
    }
}

/// The result's lines.
struct Lines<W: Write> {
    sink: Digested<W>,
    buffer: Vec<u8>,
    formula_guard: FormulaGuard,
    rows: u64,
}

impl<W: Write> Lines<W> {
    fn begin(sink: W, keys: &[&str], formula_guard: FormulaGuard) -> Self {
        let mut lines = Self { sink: Digested::new(sink), buffer: Vec::new(), formula_guard, rows: 0 };
        lines.put("change", keys.iter().copied(), ["column", "old", "new"]);
        lines
    }

    fn put<'a>(&mut self, change: &str, keys: impl Iterator<Item = &'a str>, cells: [&'a str; 3]) {
        self.buffer.extend_from_slice(change.as_bytes());
        for cell in keys.chain(cells) {
            self.buffer.push(b',');
            push_text(&mut self.buffer, cell, self.formula_guard);
        }
        self.buffer.extend_from_slice(b"\r\n");
    }

    fn push<'a>(
        &mut self,
        change: &str,
        keys: impl Iterator<Item = &'a str>,
        cells: [&'a str; 3],
    ) -> Result<(), RenderError> {
        self.put(change, keys, cells);
        self.rows += 1;
        if self.buffer.len() >= BUFFER_BYTES {
            self.drain()?;
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), RenderError> {
        self.sink.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Written, RenderError> {
        self.drain()?;
        self.sink.flush()?;
        Ok(self.sink.written(self.rows))
    }
}
