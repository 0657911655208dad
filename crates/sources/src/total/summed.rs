//! The sum of a column over all records of a read, for the owner's sum.
//!
//! Invariant: a value counts once, whether its record was accepted or refused; what could not be read is counted as
//! such, and is never taken for nothing.

use serde::Serialize;

use super::decimal::Decimal;

/// What an owner states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stated {
    /// How many records there are.
    pub(crate) count: Option<u64>,
    /// What a column adds up to.
    pub(crate) sum: Option<Decimal>,
}

/// A column that is summed, and the mark before the decimals of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SummedColumn {
    pub(crate) name: String,
    pub(crate) mark: char,
}

/// What a read came to, beside the sum that its owner states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnSum {
    /// The column.
    pub column: String,
    /// The owner's sum, with a point before the decimals; `None` where it could not be had.
    pub stated: Option<String>,
    /// The sum over all records that were read, refused ones included, without the values that could not be read.
    pub read: String,
    /// Of it, the part of records that the reader refused.
    pub refused: String,
    /// Values that are no numbers, and records whose value could not be told: the sum lacks them.
    pub unreadable: u64,
}

/// A sum in the making.
#[derive(Debug)]
pub(crate) struct Summing {
    pub(crate) column: SummedColumn,
    accepted: Decimal,
    refused: Decimal,
    unreadable: u64,
    /// The number of the first record whose value could not be read.
    first_unreadable: Option<u64>,
    /// What each accepted record has added since the last batch.
    added: Vec<String>,
}

impl Summing {
    pub(crate) fn of(column: SummedColumn) -> Self {
        Self {
            column,
            accepted: Decimal::default(),
            refused: Decimal::default(),
            unreadable: 0,
            first_unreadable: None,
            added: Vec::new(),
        }
    }

    /// Takes a record's values; blank ones are nothing.
    pub(crate) fn take<'a>(&mut self, line: u64, values: impl Iterator<Item = &'a str>, was_refused: bool) {
        let mut own = Decimal::default();
        for value in values.filter(|value| !value.trim().is_empty()) {
            let sum = if was_refused { &mut self.refused } else { &mut self.accepted };
            let more = |number| Some((sum.plus(number)?, own.plus(number)?));
            match Decimal::of(value, self.column.mark).and_then(more) {
                Some(more) => (*sum, own) = more,
                None => self.miss(line),
            }
        }
        if !was_refused {
            self.added.push(own.to_string());
        }
    }

    /// What each accepted record has added since this was called last.
    pub(crate) fn take_added(&mut self) -> Vec<String> {
        std::mem::take(&mut self.added)
    }

    /// Takes a record whose value cannot be told.
    pub(crate) fn miss(&mut self, line: u64) {
        self.unreadable += 1;
        self.first_unreadable.get_or_insert(line);
    }

    pub(crate) fn end(self) -> Summed {
        let Self { column, accepted, refused, unreadable, first_unreadable, added: _ } = self;
        Summed { column: column.name, read: accepted.plus(refused), refused, unreadable, first_unreadable }
    }
}

/// The sum of a whole read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summed {
    column: String,
    /// `None` where it is too great to be counted.
    read: Option<Decimal>,
    refused: Decimal,
    unreadable: u64,
    first_unreadable: Option<u64>,
}

impl Summed {
    /// How it differs from the owner's sum, in words; `counts` is what the number of a record counts.
    pub(crate) fn difference(&self, stated: Decimal, counts: &str) -> Option<String> {
        let column = &self.column;
        let read = match self.read {
            Some(read) if read == stated && self.unreadable == 0 => return None,
            Some(read) => read.to_string(),
            None => "too great a number".to_owned(),
        };
        let unreadable = match (self.unreadable, self.first_unreadable) {
            (0, _) | (_, None) => String::new(),
            (count, Some(first)) => {
                format!(" without {count} values that are no numbers, the first in {counts} {first}")
            }
        };
        Some(format!("the owner's sum of {column:?} is {stated}, and {read} was read{unreadable}"))
    }

    /// It beside the owner's.
    pub(crate) fn beside(self, stated: Option<Decimal>) -> ColumnSum {
        ColumnSum {
            column: self.column,
            stated: stated.map(|sum| sum.to_string()),
            read: self.read.map_or_else(|| "too great".to_owned(), |sum| sum.to_string()),
            refused: self.refused.to_string(),
            unreadable: self.unreadable,
        }
    }
}

/// The sum of two numbers that have a point before their decimals; `None` if a text is no number, or the sum is too great.
pub fn exact_sum(one: &str, other: &str) -> Option<String> {
    let sum = Decimal::of(one, '.')?.plus(Decimal::of(other, '.')?)?;
    Some(sum.to_string())
}
