//! Loads, stores and atomic instructions.

use super::{
    compile::Meant,
    decode::{At, Decoded, U64},
    parse::Operand,
    program::{AtomOp, CONTINUED, NON_COHERENT, Op},
    types::{Meaning, Space, Type},
};

/// Modifiers for memory order and caches. One thread runs at a time and there are no caches, so they have no effect.
const WITHOUT_EFFECT: [&str; 16] = [
    "weak", "relaxed", "acquire", "release", "acq_rel", "volatile", "cta", "gpu", "sys", "ca",
    "cg", "cs", "lu", "cv", "wb", "wt",
];

/// The modifiers of a load or store.
struct Access {
    space: Space,
    ty: Type,
    parts: usize,
    non_coherent: bool,
}

fn access(at: &mut At<'_, '_>) -> Result<Access, String> {
    let ty = at.ty()?;
    let parts = match (at.take("v2"), at.take("v4")) {
        (false, false) => 1,
        (true, false) => 2,
        (false, true) => 4,
        (true, true) => return at.error("two sizes of a vector"),
    };
    let space = space(at)?;
    let non_coherent = at.take("nc");
    without_effect(at);
    if ty.meaning == Meaning::Predicate || non_coherent && space != Space::Global {
        return at.error("there is no such access");
    }
    Ok(Access {
        space,
        ty,
        parts,
        non_coherent,
    })
}

/// The space that the modifiers name; without one the address is generic.
fn space(at: &mut At<'_, '_>) -> Result<Space, String> {
    let named = |part: &&str| Space::named(part);
    let space = at.parts.iter().find_map(named).unwrap_or(Space::Generic);
    at.parts.retain(|part| Space::named(part).is_none());
    Ok(space)
}

fn without_effect(at: &mut At<'_, '_>) {
    at.parts.retain(|part| {
        !WITHOUT_EFFECT.contains(part) && !part.starts_with("L1::") && !part.starts_with("L2::")
    });
}

/// The register that holds an address, and the bytes to add to it. In the parameter space, no register and the
/// place.
fn address(at: &mut At<'_, '_>, operand: &Operand<'_>, space: Space) -> Result<(u32, u32), String> {
    let Operand::Address(name, offset) = *operand else {
        return at.error("an address expected");
    };
    match at.to.look_up(name) {
        Some(Meant::Param(piece)) if space == Space::Param => {
            Ok((0, piece.at as u32 + offset as u32))
        }
        Some(Meant::Address(address)) => {
            let address = address.wrapping_add_signed(offset);
            Ok((at.to.constant(address), 0))
        }
        Some(Meant::Register(register, ty)) if ty.bits == 64 && space != Space::Param => {
            Ok((register, offset as u32))
        }
        _ => at.error(&format!("{name} is no address in that space")),
    }
}

fn members<'o, 'a>(
    at: &At<'_, 'a>,
    operand: &'o Operand<'a>,
    parts: usize,
) -> Result<&'o [Operand<'a>], String> {
    match operand {
        Operand::Vector(members) if members.len() == parts && parts > 1 => Ok(members),
        Operand::Name(_) | Operand::Number(_) if parts == 1 => Ok(std::slice::from_ref(operand)),
        _ => at.error(&format!("{parts} registers expected")),
    }
}

/// Checks the address of a vector as a whole and returns a register that stays unchanged while its parts are accessed.
fn vector_address(at: &mut At<'_, '_>, access: &Access, (base, offset): (u32, u32)) -> u32 {
    let kept = at.to.scratch(64);
    at.emit(Op::Mov, 64, 0, [kept, base, 0, 0]);
    let bytes = access.parts * access.ty.bytes();
    at.emit(Op::Aligned, 64, bytes as u8, [0, kept, 0, offset]);
    kept
}

/// Emits a load.
pub fn load(at: &mut At<'_, '_>) -> Decoded {
    let access = access(at)?;
    let op = match access.space {
        Space::Generic => Op::LdGeneric,
        Space::Global => Op::LdGlobal,
        Space::Shared => Op::LdShared,
        Space::Local => Op::LdLocal,
        Space::Const => Op::LdConst,
        Space::Param => Op::LdParam,
    };
    at.count(2)?;
    let operands = at.operands;
    let targets = members(at, &operands[0], access.parts)?;
    let (mut base, offset) = address(at, &operands[1], access.space)?;
    if access.parts > 1 && access.space != Space::Param {
        base = vector_address(at, &access, (base, offset));
    }
    for (i, target) in targets.iter().enumerate() {
        let bytes = access.ty.bytes();
        let (d, register_bits) = at.target(target, access.ty, true)?;
        let part = offset.wrapping_add((i * bytes) as u32);
        let aux = bytes as u8
            | if access.non_coherent { NON_COHERENT } else { 0 }
            | if i > 0 { CONTINUED } else { 0 };
        at.emit(op, access.ty.bits, aux, [d, base, 0, part]);
        if access.ty.is_signed() && access.ty.bits < register_bits {
            let other = (64 - register_bits) as u8;
            at.emit(Op::SignExtend, access.ty.bits, other, [d, d, 0, 0]);
        }
    }
    Ok(())
}

/// Emits a store.
pub fn store(at: &mut At<'_, '_>) -> Decoded {
    let access = access(at)?;
    let op = match access.space {
        Space::Generic => Op::StGeneric,
        Space::Global => Op::StGlobal,
        Space::Shared => Op::StShared,
        Space::Local => Op::StLocal,
        Space::Param => Op::StParam,
        Space::Const => return at.error("constants are not stored to"),
    };
    at.count(2)?;
    let operands = at.operands;
    let sources = members(at, &operands[1], access.parts)?;
    let (mut base, offset) = address(at, &operands[0], access.space)?;
    if access.parts > 1 && access.space != Space::Param {
        base = vector_address(at, &access, (base, offset));
    }
    for (i, source) in sources.iter().enumerate() {
        let bytes = access.ty.bytes();
        let b = at.source(source, access.ty, true)?;
        let part = offset.wrapping_add((i * bytes) as u32);
        at.emit(op, access.ty.bits, bytes as u8, [0, base, b, part]);
    }
    Ok(())
}

/// Emits `atom`, or `red`, which discards the old value.
pub fn atomic(at: &mut At<'_, '_>, gives_old: bool) -> Decoded {
    let ty = at.ty()?;
    let space = space(at)?;
    without_effect(at);
    let signed = ty.is_signed();
    let op = match at.parts.pop() {
        Some("add") => AtomOp::Add,
        Some("and") => AtomOp::And,
        Some("or") => AtomOp::Or,
        Some("xor") => AtomOp::Xor,
        Some("exch") => AtomOp::Exch,
        Some("cas") => AtomOp::Cas,
        Some("min") if signed => AtomOp::MinS,
        Some("min") => AtomOp::MinU,
        Some("max") if signed => AtomOp::MaxS,
        Some("max") => AtomOp::MaxU,
        Some("inc") => AtomOp::Inc,
        Some("dec") => AtomOp::Dec,
        _ => return at.error("this atomic operation is not known"),
    };
    let code = match space {
        Space::Generic => Op::AtomGeneric,
        Space::Global => Op::AtomGlobal,
        Space::Shared => Op::AtomShared,
        _ => return at.error("there are no atomic operations in this space"),
    };
    if ty.bits < 32 {
        return at.error("the type does not suit the instruction");
    }
    let sources = if op == AtomOp::Cas { 2 } else { 1 };
    let given = usize::from(gives_old);
    at.count(given + 1 + sources)?;
    let operands = at.operands;
    let d = match gives_old {
        true => at.target(&operands[0], ty, false)?.0,
        false => at.to.scratch(ty.bits),
    };
    let (base, offset) = address(at, &operands[given], space)?;
    let place = at.to.scratch(64);
    let offset = at.source(&Operand::Number(offset as i32 as i128), U64, false)?;
    at.emit(Op::Add, 64, 0, [place, base, offset, 0]);
    let b = at.source(&operands[given + 1], ty, false)?;
    let c = match sources {
        2 => at.source(&operands[given + 2], ty, false)?,
        _ => 0,
    };
    at.emit(code, ty.bits, op as u8, [d, place, b, c]);
    Ok(())
}
