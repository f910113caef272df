//! Comparisons, predicates and selections.

use super::{
    decode::{At, Decoded},
    parse::Operand,
    program::Op,
    types::Type,
};

/// The operation, and whether its operands are swapped.
fn comparison(at: &mut At<'_, '_>) -> Result<(Op, bool), String> {
    let signed = at.parts.last().and_then(|part| Type::named(part));
    let signed = signed.is_some_and(Type::is_signed);
    let by_sign = |unsigned, signed_op| if signed { signed_op } else { unsigned };
    let (lt, le) = (by_sign(Op::LtU, Op::LtS), by_sign(Op::LeU, Op::LeS));
    if at.parts.is_empty() {
        return at.error("a comparison is missing");
    }
    let found = match at.parts.remove(0) {
        "eq" => (Op::Eq, false),
        "ne" => (Op::Ne, false),
        "lt" => (lt, false),
        "le" => (le, false),
        "gt" => (lt, true),
        "ge" => (le, true),
        "lo" => (Op::LtU, false),
        "ls" => (Op::LeU, false),
        "hi" => (Op::LtU, true),
        "hs" => (Op::LeU, true),
        other => return at.error(&format!("the comparison .{other} is not known")),
    };
    Ok(found)
}

/// The operation that combines a comparison with another predicate.
fn joint(at: &mut At<'_, '_>) -> Option<Op> {
    let joints = [("and", Op::And), ("or", Op::Or), ("xor", Op::Xor)];
    let found = joints.into_iter().find(|(name, _)| at.take(name));
    found.map(|(_, op)| op)
}

pub fn set_predicate(at: &mut At<'_, '_>) -> Decoded {
    let (op, swapped) = comparison(at)?;
    let joint = joint(at);
    let ty = at.whole()?;
    at.count(if joint.is_some() { 4 } else { 3 })?;
    let operands = at.operands;
    let a = at.source(&operands[1], ty, false)?;
    let b = at.source(&operands[2], ty, false)?;
    let (a, b) = if swapped { (b, a) } else { (a, b) };
    if let (None, Operand::Name(name)) = (joint, &operands[0]) {
        let d = at.predicate(name)?;
        at.emit(op, ty.bits, 0, [d, a, b, 0]);
        return Ok(());
    }
    let outcome = at.to.scratch(1);
    at.emit(op, ty.bits, 0, [outcome, a, b, 0]);
    let other = match joint {
        Some(_) => Some(negatable(at, &operands[3])?),
        None => None,
    };
    let (first, second) = match &operands[0] {
        Operand::Name(first) => (*first, None),
        Operand::Pair(first, second) => (*first, Some(*second)),
        other => return at.error(&format!("{other:?} is no predicate")),
    };
    // Both are made before either is written, for `other` may be one of them.
    let second_outcome = at.to.scratch(1);
    at.emit(Op::Not, 1, 0, [second_outcome, outcome, 0, 0]);
    for (name, value) in [(Some(first), outcome), (second, second_outcome)] {
        if let (Some(joint), Some(other), true) = (joint, other, name.is_some()) {
            at.emit(joint, 1, 0, [value, value, other, 0]);
        }
    }
    for (name, value) in [(Some(first), outcome), (second, second_outcome)] {
        if let Some(name) = name.filter(|&name| name != "_") {
            let d = at.predicate(name)?;
            at.emit(Op::Mov, 1, 0, [d, value, 0, 0]);
        }
    }
    Ok(())
}

/// `%p1` or `!%p1`.
fn negatable(at: &mut At<'_, '_>, operand: &Operand<'_>) -> Result<u32, String> {
    match operand {
        Operand::Name(name) => at.predicate(name),
        Operand::Not(name) => {
            let register = at.predicate(name)?;
            let negated = at.to.scratch(1);
            at.emit(Op::Not, 1, 0, [negated, register, 0, 0]);
            Ok(negated)
        }
        other => at.error(&format!("{other:?} is no predicate")),
    }
}

/// `set.eq.u32.s32 d, a, b`: all ones or nothing.
pub fn set(at: &mut At<'_, '_>) -> Decoded {
    let (op, swapped) = comparison(at)?;
    let joint = joint(at);
    let ty = at.whole()?;
    let result = at.ty()?;
    at.count(if joint.is_some() { 4 } else { 3 })?;
    let operands = at.operands;
    let d = at.target(&operands[0], result, false)?.0;
    let a = at.source(&operands[1], ty, false)?;
    let b = at.source(&operands[2], ty, false)?;
    let (a, b) = if swapped { (b, a) } else { (a, b) };
    let outcome = at.to.scratch(1);
    at.emit(op, ty.bits, 0, [outcome, a, b, 0]);
    if let Some(joint) = joint {
        let other = negatable(at, &operands[3])?;
        at.emit(joint, 1, 0, [outcome, outcome, other, 0]);
    }
    at.emit(Op::Neg, result.bits, 0, [d, outcome, 0, 0]);
    Ok(())
}

pub fn select(at: &mut At<'_, '_>) -> Decoded {
    let ty = at.whole()?;
    at.count(4)?;
    let operands = at.operands;
    let d = at.target(&operands[0], ty, false)?.0;
    let a = at.source(&operands[1], ty, false)?;
    let b = at.source(&operands[2], ty, false)?;
    let Operand::Name(name) = &operands[3] else {
        return at.error("a predicate expected");
    };
    let c = at.predicate(name)?;
    at.emit(Op::Selp, ty.bits, 0, [d, a, b, c]);
    Ok(())
}
