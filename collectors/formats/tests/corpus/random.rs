//! Seeded random numbers: the same on every machine and in every run.

/// An xorshift generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0 to `bound - 1`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    /// True once in `bound` times.
    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    /// Cuts bytes into parts of up to `most` bytes; one empty part where there are none.
    pub(crate) fn cut<'a>(&mut self, bytes: &'a [u8], most: usize) -> Vec<&'a [u8]> {
        let (mut parts, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (part, after) = rest.split_at((1 + self.below(most)).min(rest.len()));
            parts.push(part);
            rest = after;
        }
        if parts.is_empty() { vec![bytes] } else { parts }
    }
}
