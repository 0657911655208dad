//! Intervals of numbers, `<1-99>`, as expressions over digits.

use super::{EMPTY, Expressions, Id};
use crate::matching::TooComplex;
use crate::matching::dfa::Alphabet;

/// The most digits of a limit, leading zeros included.
const DIGITS_MAX: usize = 1_000;

impl Expressions<'_> {
    /// A number from `least` to `greatest`, in so many digits or with any number of leading zeros.
    pub(super) fn interval(
        &mut self,
        least: u32,
        greatest: u32,
        digits: usize,
        alphabet: &Alphabet,
    ) -> Result<Id, TooComplex> {
        let width = if digits == 0 { greatest.to_string().len() } else { digits };
        if width > DIGITS_MAX {
            return Err(TooComplex);
        }
        let (low, high) = (format!("{least:0width$}"), format!("{greatest:0width$}"));
        let (low, high) = (low.as_bytes(), high.as_bytes());
        if digits > 0 {
            return self.between(low, high, false, alphabet).map(|(whole, _)| whole);
        }
        // However many zeros precede it, or fewer than there are here.
        let (whole, shorter) = self.between(low, high, true, alphabet)?;
        let zero = self.characters('0', '0', alphabet)?;
        let zeros = self.repeat(zero, 0, None)?;
        let number = self.union(shorter.into_iter().chain([whole]).collect())?;
        self.concatenation(zeros, number)
    }

    /// Numbers of as many digits as the limits have; and, as long as only `zeros` precede them, those
    /// that remain of them without the zeros.
    fn between(
        &mut self,
        low: &[u8],
        high: &[u8],
        zeros: bool,
        alphabet: &Alphabet,
    ) -> Result<(Id, Vec<Id>), TooComplex> {
        let (Some((low_digit, low_rest)), Some((high_digit, high_rest))) =
            (low.split_first(), high.split_first())
        else {
            return Ok((EMPTY, Vec::new()));
        };
        // Every number of so many digits; without this the work would grow with the numbers.
        if !zeros && low.iter().all(|digit| *digit == b'0') && high.iter().all(|digit| *digit == b'9') {
            let digit = self.characters('0', '9', alphabet)?;
            let count = u32::try_from(low.len()).map_err(|_| TooComplex)?;
            return Ok((self.repeat(digit, count, Some(count))?, Vec::new()));
        }
        let least = vec![b'0'; low_rest.len()];
        let greatest = vec![b'9'; low_rest.len()];
        let mut shorter = Vec::new();
        let mut whole = Vec::new();
        // The first digit is the lower limit's, the upper limit's, or one between.
        for digit in *low_digit..=*high_digit {
            let low_rest = if digit == *low_digit { low_rest } else { &least };
            let high_rest = if digit == *high_digit { high_rest } else { &greatest };
            let zeros = zeros && digit == b'0';
            let (rest, without_zeros) = self.between(low_rest, high_rest, zeros, alphabet)?;
            if zeros && !low_rest.is_empty() {
                shorter.push(rest);
                shorter.extend(without_zeros);
            }
            let digit = self.characters(char::from(digit), char::from(digit), alphabet)?;
            whole.push(self.concatenation(digit, rest)?);
        }
        Ok((self.union(whole)?, shorter))
    }
}
