//! Numbers drawn from a seed, the same on every machine and in every version.
//!
//! SplitMix64 (Steele, Lea and Flood, 2014), which is ten lines and does not change, where a library's default
//! generators may. Each thing drawn for has a key of its own, so that any person can be made again without those
//! before.

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A sequence of numbers.
pub(crate) struct Draw {
    state: u64,
}

impl Draw {
    /// The sequence for `index` within `stream`; streams are the different uses of one seed.
    pub(crate) fn new(seed: u64, stream: u64, index: u64) -> Self {
        let mut state = seed;
        for part in [stream, index] {
            state = Self { state: state ^ part.wrapping_mul(GOLDEN_GAMMA) }.next();
        }
        Self { state }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        let mut value = self.state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The high half of a product of two 64-bit numbers is below either.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// One of `items`, which are not none.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// True in `millionths` of a million cases.
    pub(crate) fn chance(&mut self, millionths: u64) -> bool {
        self.below(1_000_000) < millionths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut draw = Draw { state: 1_234_567 };
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423_u64];
        assert_eq!([draw.next(), draw.next(), draw.next()], expected);
    }

    #[test]
    fn bounds_hold_and_streams_differ() {
        let mut draw = Draw::new(1, 2, 3);
        assert!((0..1_000).all(|_| draw.below(7) < 7));
        assert_ne!(Draw::new(1, 2, 3).next(), Draw::new(1, 3, 2).next());
        assert_ne!(Draw::new(1, 2, 3).next(), Draw::new(2, 2, 3).next());
    }
}
