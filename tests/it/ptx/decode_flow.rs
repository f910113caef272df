//! Branches, calls and barriers.

use super::{
    decode::{At, Decoded, U32},
    parse::Operand,
    program::{Instr, Op},
};

/// `bra`, with or without a predicate.
pub fn branch<'a>(at: &mut At<'_, 'a>, guard: Option<(&str, bool)>) -> Decoded {
    at.take("uni");
    let [Operand::Name(label)] = at.operands else {
        return at.error("a branch goes to a label");
    };
    let (op, a) = match guard {
        None => (Op::Bra, 0),
        Some((name, false)) => (Op::BraIf, at.predicate(name)?),
        Some((name, true)) => (Op::BraUnless, at.predicate(name)?),
    };
    let instr = Instr { a, ..Instr::of(op) };
    at.to.branch(instr, label);
    Ok(())
}

pub fn call(at: &mut At<'_, '_>) -> Decoded {
    at.take("uni");
    match at.operands {
        [Operand::Name(function)] => at.to.call(function, &[], &[]),
        [Operand::Name(function), Operand::Group(arguments)] => {
            at.to.call(function, arguments, &[])
        }
        [Operand::Group(results), Operand::Name(function)] => at.to.call(function, &[], results),
        [
            Operand::Group(results),
            Operand::Name(function),
            Operand::Group(arguments),
        ] => at.to.call(function, arguments, results),
        _ => at.error("this form of a call is not known"),
    }
}

pub fn branch_by_index(at: &mut At<'_, '_>) -> Decoded {
    at.take("uni");
    if !at.take("idx") {
        return at.error("brx without .idx");
    }
    let [index, Operand::Name(label)] = at.operands else {
        return at.error("an index and a table expected");
    };
    let Some(table) = at.to.table(label) else {
        return at.error(&format!("{label} is no branch table"));
    };
    let a = at.source(index, U32, false)?;
    at.emit(Op::Brx, 32, 0, [0, a, 0, table as u32]);
    Ok(())
}

pub fn end(at: &mut At<'_, '_>, opcode: &str) -> Decoded {
    at.take("uni");
    let exits = opcode == "exit" || at.to.is_in_kernel();
    at.bare(if exits { Op::Exit } else { Op::Ret })
}

/// All threads of the block.
pub fn barrier(at: &mut At<'_, '_>) -> Decoded {
    at.take("cta");
    at.take("aligned");
    if !at.take("sync") {
        return at.error("of barriers only those are known that all threads wait for");
    }
    let [Operand::Number(number @ 0..=15)] = at.operands else {
        return at.error("of barriers only those are known that all threads wait for");
    };
    at.emit(Op::Bar, 64, 0, [0, 0, 0, *number as u32]);
    Ok(())
}

/// One thread runs at a time, so memory fences have no effect.
pub fn fence(at: &mut At<'_, '_>) -> Decoded {
    at.count(0)?;
    for part in ["sc", "acq_rel", "cta", "gl", "gpu", "sys"] {
        at.take(part);
    }
    Ok(())
}
