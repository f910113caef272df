//! The key of a molecule: MurmurHash3_x64_128, seed 0, of its canonical SMILES.
//!
//! Two products are the same molecule exactly when their keys are equal; among 10^10 molecules the
//! chance that any two different ones share a key is below 2 × 10^-19. Anyone can recompute a key:
//! in Python `mmh3.hash_bytes(smiles, 0, x64arch=True)`.
//!
//! Source of the algorithm: Austin Appleby's MurmurHash3 (public domain), variant x64_128.

use std::fmt;

/// 16 bytes: the two 64-bit words of the hash, each little-endian, first word first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 16]);

impl Key {
    /// The key of a canonical SMILES, given as its UTF-8 bytes.
    pub fn of(smiles: &[u8]) -> Self {
        let (blocks, tail) = smiles.as_chunks::<16>();
        let (mut h1, mut h2) = (0u64, 0u64);
        for block in blocks {
            let (k1, k2) = words_of(block);
            h1 = (h1 ^ mix_first(k1)).rotate_left(27).wrapping_add(h2);
            h1 = h1.wrapping_mul(5).wrapping_add(0x52dc_e729);
            h2 = (h2 ^ mix_second(k2)).rotate_left(31).wrapping_add(h1);
            h2 = h2.wrapping_mul(5).wrapping_add(0x3849_5ab5);
        }
        let mut last = [0u8; 16];
        last[..tail.len()].copy_from_slice(tail);
        let (k1, k2) = words_of(&last);
        // Mixing a zero word gives zero, so short tails need no special case.
        h2 ^= mix_second(k2);
        h1 ^= mix_first(k1);
        h1 ^= smiles.len() as u64;
        h2 ^= smiles.len() as u64;
        h1 = h1.wrapping_add(h2);
        h2 = h2.wrapping_add(h1);
        h1 = finalise(h1);
        h2 = finalise(h2);
        h1 = h1.wrapping_add(h2);
        h2 = h2.wrapping_add(h1);
        Self::from_words([h1, h2])
    }

    /// The key with these 64-bit words, first word first.
    pub fn from_words([first, second]: [u64; 2]) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&first.to_le_bytes());
        bytes[8..].copy_from_slice(&second.to_le_bytes());
        Self(bytes)
    }

    /// The two 64-bit words, first word first. The first is what the filter hashes.
    pub fn words(self) -> [u64; 2] {
        let (first, second) = words_of(&self.0);
        [first, second]
    }

    /// The 16 bytes as in the `key` column.
    pub fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl From<[u8; 16]> for Key {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn words_of(block: &[u8; 16]) -> (u64, u64) {
    let whole = u128::from_le_bytes(*block);
    (whole as u64, (whole >> 64) as u64)
}

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

fn mix_first(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn mix_second(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn finalise(mut k: u64) -> u64 {
    k = (k ^ (k >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    k = (k ^ (k >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ (k >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_what_mmh3_computes() {
        // python: mmh3.hash_bytes(s, 0, x64arch=True).hex()
        for (smiles, hex) in [
            ("", "00000000000000000000000000000000"),
            ("C", "362c95bc8a555f8777cd2acb6410ab78"),
            ("Oc1ccccc1", "2b37ce2b0b7bc4b7575d317b060eae2f"),
            (
                "COc1ccc2[nH]c(S(=O)Cc3ncc(C)c(OC)c3C)nc2c1",
                "4f1e7ceb14a4a46924cd1d4db1ee3724",
            ),
        ] {
            assert_eq!(Key::of(smiles.as_bytes()).to_string(), hex, "{smiles}");
        }
    }

    #[test]
    fn every_length_agrees_with_an_independent_library() {
        let bytes: Vec<u8> = (0..300u32).map(|i| (i * 37 % 251) as u8).collect();
        for length in 0..=bytes.len() {
            let expected = fastmurmur3::murmur3_x64_128(&bytes[..length], 0);
            let words = Key::of(&bytes[..length]).words();
            assert_eq!(
                words,
                [expected as u64, (expected >> 64) as u64],
                "length {length}"
            );
        }
    }

    proptest! {
        #[test]
        fn words_and_bytes_are_the_same_key(bytes: [u8; 16]) {
            let key = Key::from(bytes);
            prop_assert_eq!(Key::from_words(key.words()), key);
            prop_assert_eq!(key.bytes(), bytes);
        }
    }
}
