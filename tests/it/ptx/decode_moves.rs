//! Moves, conversions and addresses of other spaces.

use super::{
    decode::{At, Decoded, PREDICATE, U64},
    parse::Operand,
    program::{Op, generic_tag},
    types::{Space, Type},
};

pub fn mov(at: &mut At<'_, '_>) -> Decoded {
    let ty = at.ty()?;
    at.count(2)?;
    match at.operands {
        [Operand::Vector(targets), source] => unpack(at, ty, targets, source),
        [target, Operand::Vector(sources)] => pack(at, ty, target, sources),
        [target, source] => {
            let d = at.target(target, ty, false)?.0;
            let a = at.source(source, ty, false)?;
            at.emit(Op::Mov, ty.bits, 0, [d, a, 0, 0]);
            Ok(())
        }
        _ => at.error("two operands expected"),
    }
}

/// The type of each of so many equal parts.
fn part(at: &At<'_, '_>, ty: Type, parts: usize) -> Result<Type, String> {
    let bits = ty.bits / parts as u32;
    match parts {
        2 | 4 if bits >= 16 => Ok(Type { bits, ..ty }),
        _ => at.error("so many parts are not known"),
    }
}

fn unpack<'a>(
    at: &mut At<'_, 'a>,
    ty: Type,
    targets: &[Operand<'a>],
    source: &Operand<'a>,
) -> Decoded {
    let part = part(at, ty, targets.len())?;
    let a = at.source(source, ty, false)?;
    for (i, target) in targets.iter().enumerate() {
        let d = at.target(target, part, false)?.0;
        let distance = i as u32 * part.bits;
        at.emit(Op::Extract, part.bits, 0, [d, a, 0, distance]);
    }
    Ok(())
}

fn pack<'a>(
    at: &mut At<'_, 'a>,
    ty: Type,
    target: &Operand<'a>,
    sources: &[Operand<'a>],
) -> Decoded {
    let part = part(at, ty, sources.len())?;
    let d = at.target(target, ty, false)?.0;
    let mut registers = Vec::new();
    for source in sources {
        registers.push(at.source(source, part, false)?);
    }
    let mut bits = part.bits;
    while registers.len() > 2 {
        bits *= 2;
        let pairs: Vec<_> = registers.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        registers.clear();
        for (low, high) in pairs {
            let both = at.to.scratch(bits);
            at.emit(Op::Pack, bits, 0, [both, low, high, 0]);
            registers.push(both);
        }
    }
    at.emit(Op::Pack, ty.bits, 0, [d, registers[0], registers[1], 0]);
    Ok(())
}

pub fn convert(at: &mut At<'_, '_>) -> Decoded {
    let from = at.ty()?;
    let to = at.ty()?;
    at.count(2)?;
    let operands = at.operands;
    let (d, register_bits) = at.target(&operands[0], to, true)?;
    let a = at.source(&operands[1], from, true)?;
    let extend = |ty: Type| {
        if ty.is_signed() {
            Op::SignExtend
        } else {
            Op::ZeroExtend
        }
    };
    let other = |bits: u32| (64 - bits) as u8;
    if to.bits < register_bits {
        // First to the type, then to the register.
        let cut = to.bits.min(from.bits);
        let between = at.to.scratch(to.bits);
        let op = extend(if to.bits > from.bits { from } else { to });
        at.emit(op, cut, other(to.bits), [between, a, 0, 0]);
        at.emit(
            extend(to),
            to.bits,
            other(register_bits),
            [d, between, 0, 0],
        );
        return Ok(());
    }
    let cut = to.bits.min(from.bits);
    at.emit(extend(from), cut, other(to.bits), [d, a, 0, 0]);
    Ok(())
}

pub fn convert_address(at: &mut At<'_, '_>) -> Decoded {
    let back = at.take("to");
    let ty = at.ty()?;
    let space = at.parts.pop().and_then(Space::named);
    let Some(space) = space.filter(|_| ty.bits == 64) else {
        return at.error("a space and 64 bits expected");
    };
    at.count(2)?;
    let operands = at.operands;
    let d = at.target(&operands[0], ty, false)?.0;
    let a = at.source(&operands[1], ty, false)?;
    let op = if back { Op::FromGeneric } else { Op::ToGeneric };
    at.emit(op, 64, space_number(space), [d, a, 0, 0]);
    Ok(())
}

fn space_number(space: Space) -> u8 {
    (generic_tag(space) >> 60) as u8
}

pub fn is_space(at: &mut At<'_, '_>) -> Decoded {
    let space = at.parts.pop().and_then(Space::named);
    let Some(space) = space else {
        return at.error("a space expected");
    };
    at.count(2)?;
    let operands = at.operands;
    let d = at.target(&operands[0], PREDICATE, false)?.0;
    let a = at.source(&operands[1], U64, false)?;
    at.emit(Op::IsSpace, 1, space_number(space), [d, a, 0, 0]);
    Ok(())
}
