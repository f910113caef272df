//! Arithmetic on values that lie in the low bits of a word, with zeroes above. `s` is 64 minus the bits of the type.

use super::program::AtomOp;

/// Truncates to the type.
#[inline(always)]
pub fn trim(value: u64, s: u32) -> u64 {
    value << s >> s
}

/// As a signed number.
#[inline(always)]
pub fn signed(value: u64, s: u32) -> i64 {
    (value << s) as i64 >> s
}

/// Bit `i` of the result is bit `4 a + 2 b + c` of the table, where a, b and c are bits `i` of the sources.
pub fn lop3(a: u64, b: u64, c: u64, table: u8) -> u64 {
    (0..8)
        .filter(|row| table >> row & 1 == 1)
        .fold(0, |bits, row| {
            let of = |value: u64, bit: u8| if row & bit == 0 { !value } else { value };
            bits | of(a, 4) & of(b, 2) & of(c, 1)
        })
}

/// The place of the highest bit, or how far to shift left until it is the type's highest; 2^32 - 1 if there is none.
pub fn find_msb(value: u64, s: u32, as_distance: bool) -> u64 {
    if value == 0 {
        return 0xffff_ffff;
    }
    let distance = value.leading_zeros() - s;
    u64::from(if as_distance {
        distance
    } else {
        63 - s - distance
    })
}

/// `length` bits from `place` on; with a sign, the highest of them fills the rest.
pub fn bit_field_extract(value: u64, place: u64, length: u64, s: u32, is_signed: bool) -> u64 {
    let bits = 64 - s;
    let (place, length) = (place as u32 & 255, length as u32 & 255);
    if length == 0 {
        return 0;
    }
    let field = value.checked_shr(place).unwrap_or(0);
    let negative = is_signed && value >> (place + length - 1).min(bits - 1) & 1 == 1;
    let there = bits.saturating_sub(place).min(length);
    let mask = 1_u64.checked_shl(there).map_or(u64::MAX, |bit| bit - 1);
    let filled = if negative { !mask } else { 0 };
    trim(field & mask | filled, s)
}

/// `into` with the low `length` bits of `value` from `place` on.
pub fn bit_field_insert(value: u64, into: u64, place: u64, length: u64, s: u32) -> u64 {
    let (place, length) = (place as u32 & 255, length as u32 & 255);
    let ones = 1_u64.checked_shl(length).map_or(u64::MAX, |bit| bit - 1);
    let mask = trim(ones.checked_shl(place).unwrap_or(0), s);
    let value = value.checked_shl(place).unwrap_or(0);
    into & !mask | value & mask
}

/// Four bytes chosen from eight. Mode 0 takes a selector per byte, whose highest bit spreads the byte's sign; the
/// others (f4e, b4e, rc8, ecl, ecr, rc16) are fixed patterns, of which the low bits of the selector choose one.
pub fn permute(a: u64, b: u64, selector: u64, mode: u8) -> u64 {
    let bytes = (b << 32 | a).to_le_bytes();
    let n = (selector & 3) as usize;
    let mut chosen = [0; 4];
    for (i, byte) in chosen.iter_mut().enumerate() {
        *byte = match mode {
            0 => {
                let nibble = (selector >> (4 * i) & 15) as usize;
                let byte = bytes[nibble & 7];
                match nibble & 8 {
                    0 => byte,
                    _ => (byte as i8 >> 7) as u8,
                }
            }
            1 => bytes[n + i],
            2 => bytes[(n + 8 - i) & 7],
            3 => bytes[n],
            4 => bytes[n.max(i)],
            5 => bytes[n.min(i)],
            _ => bytes[2 * (n & 1) + (i & 1)],
        };
    }
    u64::from(u32::from_le_bytes(chosen))
}

/// The value in memory after an atomic instruction.
pub fn atomic(op: AtomOp, old: u64, b: u64, c: u64, s: u32) -> u64 {
    match op {
        AtomOp::Add => trim(old.wrapping_add(b), s),
        AtomOp::And => old & b,
        AtomOp::Or => old | b,
        AtomOp::Xor => old ^ b,
        AtomOp::Exch => b,
        AtomOp::Cas if old == b => c,
        AtomOp::Cas => old,
        AtomOp::MinU => old.min(b),
        AtomOp::MaxU => old.max(b),
        AtomOp::MinS if signed(b, s) < signed(old, s) => b,
        AtomOp::MaxS if signed(b, s) > signed(old, s) => b,
        AtomOp::MinS | AtomOp::MaxS => old,
        AtomOp::Inc if old >= b => 0,
        AtomOp::Inc => old + 1,
        AtomOp::Dec if old == 0 || old > b => b,
        AtomOp::Dec => old - 1,
    }
}
