//! The size of a filter, and its rate of false positives.

/// Size of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterShape {
    /// Bits, a multiple of 64.
    pub bits: usize,
    /// Bits set per key.
    pub hashes: u32,
}

impl FilterShape {
    /// The smallest filter that holds `items` keys at a rate of false positives of `rate`, or the
    /// largest that fits `bits_max`, with the best number of hashes for that size.
    ///
    /// Size: `-n ln p / (ln 2)^2`; hashes: `m/n ln 2` (Bloom 1970; as in fastbloom's builder).
    pub fn for_items(items: u64, rate: f64, bits_min: usize, bits_max: usize) -> Self {
        let items = items.max(1) as f64;
        let ln_2 = std::f64::consts::LN_2;
        let wanted = (items * -rate.ln() / (ln_2 * ln_2)).ceil();
        let bits = (wanted.min(bits_max as f64) as usize).clamp(bits_min, bits_max.max(bits_min));
        let bits = bits.div_ceil(64) * 64;
        let hashes = (bits as f64 / items * ln_2)
            .round()
            .clamp(1.0, f64::from(HASHES_MAX));
        Self {
            bits,
            hashes: hashes as u32,
        }
    }

    /// Bytes of the filter.
    pub fn bytes(self) -> usize {
        self.bits / 8
    }

    /// The rate of false positives once the filter holds `items` keys: `(1 - e^(-kn/m))^k`.
    pub fn false_positive_rate(self, items: u64) -> f64 {
        let k = f64::from(self.hashes);
        (-(-k * items as f64 / self.bits as f64).exp_m1()).powf(k)
    }
}

/// More hashes than this gain nothing: the rate is then below 10^-12.
const HASHES_MAX: u32 = 40;
