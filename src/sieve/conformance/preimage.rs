//! The row that has a given key: MurmurHash3 of 16 bytes can be inverted.

use crate::key::Key;

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The only row of 16 bytes whose key has these words. With it, keys that are equal in some of their bits
/// need no search.
pub fn row_of_key([mut h1, mut h2]: [u64; 2]) -> [u8; 16] {
    let unadd = |h1: &mut u64, h2: &mut u64| {
        *h2 = h2.wrapping_sub(*h1);
        *h1 = h1.wrapping_sub(*h2);
    };
    unadd(&mut h1, &mut h2);
    (h1, h2) = (unfinalise(h1), unfinalise(h2));
    unadd(&mut h1, &mut h2);
    (h1, h2) = (h1 ^ 16, h2 ^ 16);
    let fifth = inverse(5);
    let second = h2.wrapping_sub(0x3849_5ab5).wrapping_mul(fifth);
    let second = second.wrapping_sub(h1).rotate_right(31);
    let first = h1.wrapping_sub(0x52dc_e729).wrapping_mul(fifth);
    let first = first.rotate_right(27);
    let k1 = first.wrapping_mul(inverse(C2)).rotate_right(31);
    let k2 = second.wrapping_mul(inverse(C1)).rotate_right(33);
    let words = [k1.wrapping_mul(inverse(C1)), k2.wrapping_mul(inverse(C2))];
    Key::from_words(words).bytes()
}

/// Inverts the finaliser; `k ^ k >> 33` is its own inverse.
fn unfinalise(mut k: u64) -> u64 {
    k = (k ^ (k >> 33)).wrapping_mul(inverse(0xc4ce_b9fe_1a85_ec53));
    k = (k ^ (k >> 33)).wrapping_mul(inverse(0xff51_afd7_ed55_8ccd));
    k ^ (k >> 33)
}

/// The inverse of an odd number modulo 2^64. Each round of Newton's method doubles the number of correct bits;
/// the first value has three.
fn inverse(odd: u64) -> u64 {
    (0..5).fold(odd, |x, _| {
        x.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(x)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_row_has_the_key_it_was_made_for(first: u64, second: u64) {
            let row = row_of_key([first, second]);
            prop_assert_eq!(Key::of(&row).words(), [first, second]);
        }
    }
}
