//! Arithmetic, shifts and bit fields.

use super::{
    decode::{At, Decoded, U32},
    parse::Operand,
    program::{CARRY_IN, CARRY_OUT, Op, SUBTRACT},
    types::Type,
};

pub fn add(at: &mut At<'_, '_>, opcode: &str) -> Decoded {
    let subtract = opcode.starts_with("sub");
    let carry_in = opcode.ends_with('c');
    let carry_out = at.take("cc");
    if !carry_in && !carry_out {
        let ty = at.whole()?;
        return at.alike(if subtract { Op::Sub } else { Op::Add }, 0, ty, 2);
    }
    let ty = at.whole()?;
    at.alike(Op::Carry, carry_bits(carry_in, carry_out, subtract), ty, 2)?;
    set_carry_register(at);
    Ok(())
}

fn carry_bits(carry_in: bool, carry_out: bool, subtract: bool) -> u8 {
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    bit(carry_in, CARRY_IN) | bit(carry_out, CARRY_OUT) | bit(subtract, SUBTRACT)
}

/// Makes the last emitted instruction use the carry flag.
fn set_carry_register(at: &mut At<'_, '_>) {
    let carry = at.to.carry;
    if let Some(last) = at.to.program.code.last_mut() {
        last.c = carry;
    }
}

/// The operation of a product, and the bits of its result.
fn product(at: &mut At<'_, '_>) -> Result<(Op, Type, u32), String> {
    let (low, high, wide) = (at.take("lo"), at.take("hi"), at.take("wide"));
    let ty = at.whole()?;
    let signed = ty.is_signed();
    Ok(match (low, high, wide) {
        (true, false, false) => (Op::MulLo, ty, ty.bits),
        (false, true, false) if signed => (Op::MulHiS, ty, ty.bits),
        (false, true, false) => (Op::MulHiU, ty, ty.bits),
        (false, false, true) if ty.bits < 64 && signed => (Op::MulWideS, ty, 2 * ty.bits),
        (false, false, true) if ty.bits < 64 => (Op::MulWideU, ty, 2 * ty.bits),
        _ => return at.error("which half of the product?"),
    })
}

pub fn multiply(at: &mut At<'_, '_>) -> Decoded {
    let (op, ty, bits) = product(at)?;
    at.count(3)?;
    let operands = at.operands;
    let result = Type { bits, ..ty };
    let d = at.target(&operands[0], result, false)?.0;
    let a = at.source(&operands[1], ty, false)?;
    let b = at.source(&operands[2], ty, false)?;
    at.emit(op, ty.bits, 0, [d, a, b, 0]);
    Ok(())
}

pub fn multiply_add(at: &mut At<'_, '_>, opcode: &str) -> Decoded {
    let (carry_in, carry_out) = (opcode == "madc", at.take("cc"));
    let (op, ty, bits) = product(at)?;
    at.count(4)?;
    let operands = at.operands;
    let result = Type { bits, ..ty };
    let d = at.target(&operands[0], result, false)?.0;
    let a = at.source(&operands[1], ty, false)?;
    let b = at.source(&operands[2], ty, false)?;
    let c = at.source(&operands[3], result, false)?;
    let product = at.to.scratch(bits);
    at.emit(op, ty.bits, 0, [product, a, b, 0]);
    if carry_in || carry_out {
        let aux = carry_bits(carry_in, carry_out, false);
        at.emit(Op::Carry, bits, aux, [d, product, c, 0]);
        set_carry_register(at);
    } else {
        at.emit(Op::Add, bits, 0, [d, product, c, 0]);
    }
    Ok(())
}

pub fn lop3(at: &mut At<'_, '_>) -> Decoded {
    let ty = at.ty()?;
    at.count(5)?;
    let Operand::Number(table @ 0..=255) = at.operands[4] else {
        return at.error("a table of eight bits expected");
    };
    let operands = at.operands;
    let d = at.target(&operands[0], ty, false)?.0;
    let a = at.source(&operands[1], ty, false)?;
    let b = at.source(&operands[2], ty, false)?;
    let c = at.source(&operands[3], ty, false)?;
    at.emit(Op::Lop3, ty.bits, table as u8, [d, a, b, c]);
    Ok(())
}

pub fn shift(at: &mut At<'_, '_>, opcode: &str) -> Decoded {
    let op = match opcode {
        "shl" => Op::Shl,
        _ => at.last_is_signed(Op::ShrU, Op::ShrS),
    };
    let ty = at.whole()?;
    at.count(3)?;
    let operands = at.operands;
    let d = at.target(&operands[0], ty, false)?.0;
    let a = at.source(&operands[1], ty, false)?;
    let b = at.source(&operands[2], U32, false)?;
    at.emit(op, ty.bits, 0, [d, a, b, 0]);
    Ok(())
}

pub fn funnel_shift(at: &mut At<'_, '_>) -> Decoded {
    let (left, right) = (at.take("l"), at.take("r"));
    let (wrap, clamp) = (at.take("wrap"), at.take("clamp"));
    let ty = at.ty()?;
    if left == right || wrap == clamp || ty.bits != 32 {
        return at.error("a funnel shift needs a direction and a mode");
    }
    let op = if left { Op::ShfL } else { Op::ShfR };
    at.alike(op, u8::from(clamp), ty, 3)
}

pub fn bit_field_extract(at: &mut At<'_, '_>) -> Decoded {
    let op = at.last_is_signed(Op::BfeU, Op::BfeS);
    let ty = at.whole()?;
    at.count(4)?;
    let operands = at.operands;
    let d = at.target(&operands[0], ty, false)?.0;
    let a = at.source(&operands[1], ty, false)?;
    let b = at.source(&operands[2], U32, false)?;
    let c = at.source(&operands[3], U32, false)?;
    at.emit(op, ty.bits, 0, [d, a, b, c]);
    Ok(())
}

pub fn bit_field_insert(at: &mut At<'_, '_>) -> Decoded {
    let ty = at.whole()?;
    at.count(5)?;
    let operands = at.operands;
    let d = at.target(&operands[0], ty, false)?.0;
    let a = at.source(&operands[1], ty, false)?;
    let b = at.source(&operands[2], ty, false)?;
    let place = at.source(&operands[3], U32, false)?;
    let length = at.source(&operands[4], U32, false)?;
    let list = at.to.program.lists.len() as u32;
    at.to.program.lists.push([place, length, 0, 0]);
    at.emit(Op::Bfi, ty.bits, 0, [d, a, b, list]);
    Ok(())
}

pub fn permute(at: &mut At<'_, '_>) -> Decoded {
    let modes = ["f4e", "b4e", "rc8", "ecl", "ecr", "rc16"];
    let mode = modes.iter().position(|mode| at.take(mode));
    let ty = at.ty()?;
    if ty.bits != 32 {
        return at.error("the type does not suit the instruction");
    }
    at.alike(Op::Prmt, mode.map_or(0, |mode| 1 + mode as u8), ty, 3)
}
