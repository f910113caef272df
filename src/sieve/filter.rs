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
    /// A filter that holds `items` keys at a rate of false positives of `rate`, in at most `bits_max` bits.
    ///
    /// The smallest such filter has `-n ln p / (ln 2)^2` bits and `-log2 p` hashes (Bloom 1970). With a little more room
    /// (15 %) many fewer hashes do: 11 for a rate of 10^-6 instead of 20. Each hash is an access to memory, so
    /// the fewest are taken. If `bits_max` is too few for the rate, the filter has the number of hashes that is best for its
    /// size.
    pub fn for_items(items: u64, rate: f64, bits_min: usize, bits_max: usize) -> Self {
        let items = items.max(1);
        let ln_2 = std::f64::consts::LN_2;
        let smallest = items as f64 * -rate.ln() / (ln_2 * ln_2);
        let room = (ROOM_FOR_SPEED * smallest).min(bits_max as f64) as usize;
        let room = room.max(bits_min).next_multiple_of(64);
        let enough = |hashes| {
            let bits = bits_for(items, rate, hashes).max(bits_min);
            let bits = bits.next_multiple_of(64);
            (bits <= room).then_some(Self { bits, hashes })
        };
        (1..=HASHES_MAX).find_map(enough).unwrap_or_else(|| {
            let best = (room as f64 / items as f64 * ln_2).round();
            Self {
                bits: room,
                hashes: best.clamp(1.0, f64::from(HASHES_MAX)) as u32,
            }
        })
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

/// The bits with which `items` keys at so many hashes each have a rate of false positives of `rate`.
fn bits_for(items: u64, rate: f64, hashes: u32) -> usize {
    let hashes = f64::from(hashes);
    let bits_per_item = -hashes / (-rate.powf(1.0 / hashes)).ln_1p();
    (items as f64 * bits_per_item).ceil() as usize
}

/// How much larger a filter may be than the smallest one for its rate, so that fewer hashes do.
const ROOM_FOR_SPEED: f64 = 1.15;
/// More hashes than this gain nothing: the rate is then below 10^-12.
const HASHES_MAX: u32 = 40;
