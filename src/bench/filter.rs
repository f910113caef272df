//! Filters that are measured, and keys that are in none of them.

use super::{
    input,
    measure::{Effort, Timing, clocked},
};
use crate::sieve::{EngineError, FilterShape, steps::Steps};

/// Bits per key at the default rate of false positives, 10^-9.
pub(super) const HASHES: u32 = 30;
/// Filters that are measured: one that fits a cache, then larger ones.
pub(super) const FILTER_BYTES: [u64; 9] = [
    256 << 10,
    16 << 20,
    256 << 20,
    1 << 30,
    4 << 30,
    16 << 30,
    // The largest on a GPU of 80 GiB.
    48 << 30,
    64 << 30,
    128 << 30,
];
/// The share of the bits that is set when steps are timed.
pub(super) const SHARE_SET: f64 = 0.5;

pub(super) fn shape(bytes: u64) -> FilterShape {
    FilterShape {
        bits: 8 * bytes as usize,
        hashes: HASHES,
    }
}

/// The number of keys that a filter is made for: they set half of its bits, `n = m ln 2 / k`.
pub(super) fn capacity(filter: FilterShape) -> u64 {
    (filter.bits as f64 * std::f64::consts::LN_2 / f64::from(filter.hashes)) as u64
}

/// Sets half of the filter's bits, and leaves a key loaded for each row.
pub(super) fn fill_half(steps: &mut dyn Steps, rows: usize) -> Result<(), EngineError> {
    steps.load_keys(&input::keys(0, rows))?;
    steps.fill_at_random()
}

/// Passes of short steps in one repeat.
pub(super) const MANY: u32 = 1_000;

/// The most passes for which a GPU's tally of 32 bits does not overflow.
pub(super) fn passes_max(rows: usize) -> u32 {
    (u32::MAX / rows.max(1) as u32).min(MANY)
}

/// Keys that are in no filter: different keys each time, so that no cache holds the words that they read.
pub(super) struct Absentees {
    next: u64,
    rows: usize,
    /// Distinct keys, each counted once.
    looked_up: u64,
    found: u64,
}

impl Absentees {
    pub fn new(rows: usize) -> Self {
        Self {
            next: 1 << 48,
            rows,
            looked_up: 0,
            found: 0,
        }
    }

    pub fn time(&mut self, effort: Effort, steps: &mut dyn Steps) -> Result<Timing, EngineError> {
        effort.time(passes_max(self.rows), &mut |passes| {
            steps.load_keys(&input::keys(self.next, self.rows))?;
            self.next += self.rows as u64;
            self.looked_up += self.rows as u64;
            let mut found = 0;
            let time = clocked(|| steps.look_up(passes).map(|sum| found = sum))?;
            self.found += found / u64::from(passes);
            Ok(time)
        })
    }

    /// Whether the number of keys found is explained by chance: a half-full filter finds one in 2^30. Ten times as many, or
    /// ten where less than one is expected, has a negligible probability.
    pub fn found_as_expected(&self) -> bool {
        let expected = self.looked_up as f64 * SHARE_SET.powi(HASHES as i32);
        self.found as f64 <= 10.0 * (1.0 + expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_half_full_at_its_capacity() {
        for bytes in FILTER_BYTES {
            let filter = shape(bytes);
            let keys = capacity(filter);
            // The share of the bits that keys set: 1 - e^(-kn/m).
            let set = -(-f64::from(HASHES) * keys as f64 / filter.bits as f64).exp_m1();
            assert!((set - SHARE_SET).abs() < 1e-3);
            let rate = filter.false_positive_rate(keys);
            assert!((0.5e-9..2e-9).contains(&rate), "{rate}");
        }
    }

    #[test]
    fn false_positives_are_held_to_what_is_to_be_expected() {
        let seen = |looked_up, found| {
            let seen = Absentees {
                looked_up,
                found,
                ..Absentees::new(1)
            };
            seen.found_as_expected()
        };
        assert!(seen(1_000, 0) && seen(1_000, 1) && !seen(1_000, 11));
        // A look-up that checks only 20 bits of 30 finds one in a million.
        assert!(seen(1 << 32, 4) && !seen(1 << 32, 1 << 12));
    }
}
