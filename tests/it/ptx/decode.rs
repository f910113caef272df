//! Single instructions: from names and modifiers to [`Instr`]s.
//!
//! An instruction, a modifier or an operand that is not known is an error. A register must have the size
//! of the type, except in loads, stores and conversions, where PTX allows wider ones.

use super::{
    compile::{Compiler, Meant},
    decode_arithmetic::{
        add, bit_field_extract, bit_field_insert, funnel_shift, lop3, multiply, multiply_add,
        permute, shift,
    },
    decode_flow::{barrier, branch, branch_by_index, call, end, fence},
    decode_memory::{atomic, load, store},
    decode_moves::{convert, convert_address, is_space, mov},
    decode_predicates::{select, set, set_predicate},
    parse::{Instruction, Operand},
    program::{Instr, Op, Special},
    types::{Meaning, Type},
};

pub const PREDICATE: Type = Type {
    bits: 1,
    meaning: Meaning::Predicate,
};
pub const U32: Type = Type {
    bits: 32,
    meaning: Meaning::Unsigned,
};
pub const U64: Type = Type {
    bits: 64,
    meaning: Meaning::Unsigned,
};

pub type Decoded = Result<(), String>;

/// The instruction being decoded: its remaining modifiers and its operands.
pub struct At<'c, 'a> {
    pub to: &'c mut Compiler<'a>,
    pub parts: Vec<&'a str>,
    pub operands: &'c [Operand<'a>],
}

/// Emits an instruction of the file.
pub fn decode<'a>(to: &mut Compiler<'a>, instruction: &Instruction<'a>) -> Decoded {
    let mut parts = instruction.parts.clone();
    let opcode = parts.remove(0);
    let mut at = At {
        to,
        parts,
        operands: &instruction.operands,
    };
    match (opcode, instruction.guard) {
        ("bra", guard) => branch(&mut at, guard)?,
        (_, None) => plain(&mut at, opcode)?,
        (_, Some((name, negated))) => {
            // A branch around it.
            let guard = at.predicate(name)?;
            let skip = at.to.program.code.len();
            let op = if negated { Op::BraIf } else { Op::BraUnless };
            at.to.emit(Instr {
                a: guard,
                ..Instr::of(op)
            });
            plain(&mut at, opcode)?;
            at.to.program.code[skip].d = at.to.program.code.len() as u32;
        }
    }
    match at.parts[..] {
        [] => Ok(()),
        [part, ..] => at.error(&format!("{opcode} with .{part} is not known")),
    }
}

fn plain(at: &mut At<'_, '_>, opcode: &str) -> Decoded {
    match opcode {
        "add" | "addc" | "sub" | "subc" => add(at, opcode),
        "mul" => multiply(at),
        "mad" | "madc" => multiply_add(at, opcode),
        "div" => at.by_sign(Op::DivU, Op::DivS),
        "rem" => at.by_sign(Op::RemU, Op::RemS),
        "min" => at.by_sign(Op::MinU, Op::MinS),
        "max" => at.by_sign(Op::MaxU, Op::MaxS),
        "sad" => at.by_sign(Op::SadU, Op::SadS),
        "abs" => at.with_type(Op::Abs, 1),
        "neg" => at.with_type(Op::Neg, 1),
        "and" => at.with_type(Op::And, 2),
        "or" => at.with_type(Op::Or, 2),
        "xor" => at.with_type(Op::Xor, 2),
        "not" => at.with_type(Op::Not, 1),
        "cnot" => at.with_type(Op::Cnot, 1),
        "lop3" => lop3(at),
        "shl" | "shr" => shift(at, opcode),
        "shf" => funnel_shift(at),
        "popc" => at.counting(Op::Popc, 0),
        "clz" => at.counting(Op::Clz, 0),
        "bfind" => {
            let aux = u8::from(at.take("shiftamt"));
            let op = at.last_is_signed(Op::BfindU, Op::BfindS);
            at.counting(op, aux)
        }
        "brev" => at.with_type(Op::Brev, 1),
        "bfe" => bit_field_extract(at),
        "bfi" => bit_field_insert(at),
        "prmt" => permute(at),
        "setp" => set_predicate(at),
        "set" => set(at),
        "selp" => select(at),
        "mov" => mov(at),
        "cvt" => convert(at),
        "cvta" => convert_address(at),
        "isspacep" => is_space(at),
        "ld" | "ldu" => load(at),
        "st" => store(at),
        "atom" => atomic(at, true),
        "red" => atomic(at, false),
        "call" => call(at),
        "brx" => branch_by_index(at),
        "ret" | "exit" => end(at, opcode),
        "trap" => at.bare(Op::Trap),
        "bar" | "barrier" => barrier(at),
        "membar" | "fence" => fence(at),
        _ => at.error(&format!("the instruction {opcode} is not known")),
    }
}

impl<'a> At<'_, 'a> {
    pub fn error<T>(&self, what: &str) -> Result<T, String> {
        self.to.error(what)
    }

    /// Removes a modifier if present.
    pub fn take(&mut self, part: &str) -> bool {
        let at = self.parts.iter().position(|&known| known == part);
        at.map(|at| self.parts.remove(at)).is_some()
    }

    /// Removes the type, which is the last modifier.
    pub fn ty(&mut self) -> Result<Type, String> {
        match self.parts.pop().map(|part| (part, Type::named(part))) {
            Some((_, Some(ty))) => Ok(ty),
            Some((part, None)) => self.error(&format!(".{part} is no type")),
            None => self.error("a type is missing"),
        }
    }

    /// A type of 16, 32 or 64 bits.
    pub fn whole(&mut self) -> Result<Type, String> {
        let ty = self.ty()?;
        match ty.bits {
            16 | 32 | 64 => Ok(ty),
            _ => self.error("the type does not suit the instruction"),
        }
    }

    pub fn last_is_signed(&self, unsigned: Op, signed: Op) -> Op {
        let ty = self.parts.last().and_then(|part| Type::named(part));
        match ty.is_some_and(Type::is_signed) {
            true => signed,
            false => unsigned,
        }
    }

    pub fn predicate(&self, name: &str) -> Result<u32, String> {
        match self.to.look_up(name) {
            Some(Meant::Register(register, PREDICATE)) => Ok(register),
            _ => self.error(&format!("{name} is no predicate")),
        }
    }

    pub fn count(&self, count: usize) -> Decoded {
        match self.operands.len() == count {
            true => Ok(()),
            false => self.error(&format!("{count} operands expected")),
        }
    }

    fn register(&self, operand: &Operand<'a>) -> Result<(u32, Type), String> {
        match operand {
            Operand::Name(name) => match self.to.look_up(name) {
                Some(Meant::Register(register, ty)) => Ok((register, ty)),
                _ => self.error(&format!("{name} is no register")),
            },
            other => self.error(&format!("{other:?} is no register")),
        }
    }

    /// A register to write, with its bits.
    pub fn target(
        &mut self,
        operand: &Operand<'a>,
        ty: Type,
        wider: bool,
    ) -> Result<(u32, u32), String> {
        if *operand == Operand::Name("_") {
            let bits = ty.bits.max(16);
            return Ok((self.to.scratch(bits), bits));
        }
        let (register, found) = self.register(operand)?;
        self.suits(found, ty, wider)?;
        Ok((register, found.bits))
    }

    fn suits(&self, register: Type, ty: Type, wider: bool) -> Decoded {
        let predicate = register == PREDICATE;
        let suits = register.bits == ty.bits || wider && register.bits > ty.bits && !predicate;
        match suits {
            true => Ok(()),
            false => self.error("a register has the wrong size"),
        }
    }

    /// A register or a constant to read.
    pub fn source(&mut self, operand: &Operand<'a>, ty: Type, wider: bool) -> Result<u32, String> {
        let address = |at: &Self, name: &str| match at.to.look_up(name) {
            Some(Meant::Address(address)) => Some(address),
            _ => None,
        };
        let number = match operand {
            Operand::Number(number) => *number,
            Operand::NameAndOffset(name, offset) => match address(self, name) {
                Some(address) => i128::from(address) + i128::from(*offset),
                None => return self.error(&format!("{name} is no variable")),
            },
            Operand::Name(name) => {
                if let Some(address) = address(self, name) {
                    i128::from(address)
                } else if let Some(special) = special(name) {
                    self.suits(U32, ty, wider)?;
                    return Ok(self.to.special(special));
                } else {
                    let (register, found) = self.register(operand)?;
                    self.suits(found, ty, wider)?;
                    return Ok(register);
                }
            }
            other => return self.error(&format!("{other:?} has no value")),
        };
        if !ty.holds(number) {
            return self.error(&format!("{number} has more than {} bits", ty.bits));
        }
        let value = number as u64 & (u64::MAX >> (64 - ty.bits));
        Ok(self.to.constant(value))
    }

    pub fn emit(&mut self, op: Op, bits: u32, aux: u8, [d, a, b, c]: [u32; 4]) {
        let shift = (64 - bits) as u8;
        self.to.emit(Instr {
            op,
            shift,
            aux,
            d,
            a,
            b,
            c,
        });
    }

    pub fn bare(&mut self, op: Op) -> Decoded {
        self.count(0)?;
        self.to.emit(Instr::of(op));
        Ok(())
    }

    /// `op.type d, a` or `op.type d, a, b`, or with c too.
    pub fn alike(&mut self, op: Op, aux: u8, ty: Type, sources: usize) -> Decoded {
        self.count(1 + sources)?;
        let operands = self.operands;
        let mut registers = [self.target(&operands[0], ty, false)?.0, 0, 0, 0];
        for (register, operand) in registers[1..].iter_mut().zip(&operands[1..]) {
            *register = self.source(operand, ty, false)?;
        }
        self.emit(op, ty.bits, aux, registers);
        Ok(())
    }

    fn with_type(&mut self, op: Op, sources: usize) -> Decoded {
        let ty = self.ty()?;
        let logical = matches!(op, Op::And | Op::Or | Op::Xor | Op::Not);
        if ty.bits == 8 || ty == PREDICATE && !logical {
            return self.error("the type does not suit the instruction");
        }
        self.alike(op, 0, ty, sources)
    }

    fn by_sign(&mut self, unsigned: Op, signed: Op) -> Decoded {
        let ty = self.whole()?;
        let op = if ty.is_signed() { signed } else { unsigned };
        let sources = if matches!(op, Op::SadU | Op::SadS) {
            3
        } else {
            2
        };
        self.alike(op, 0, ty, sources)
    }

    /// Whose result has 32 bits whatever the type.
    fn counting(&mut self, op: Op, aux: u8) -> Decoded {
        let ty = self.whole()?;
        self.count(2)?;
        let operands = self.operands;
        let d = self.target(&operands[0], U32, false)?.0;
        let a = self.source(&operands[1], ty, false)?;
        self.emit(op, ty.bits, aux, [d, a, 0, 0]);
        Ok(())
    }
}

fn special(name: &str) -> Option<Special> {
    let axis = |name: &str| ["x", "y", "z"].iter().position(|&axis| axis == name);
    let rest = name.strip_prefix('%')?;
    if let Some((register, of)) = rest.split_once('.') {
        let axis = axis(of)?;
        return Some(match register {
            "tid" => Special::Tid(axis),
            "ntid" => Special::Ntid(axis),
            "ctaid" => Special::Ctaid(axis),
            "nctaid" => Special::Nctaid(axis),
            _ => return None,
        });
    }
    Some(match rest {
        "laneid" => Special::LaneId,
        "warpid" => Special::WarpId,
        "lanemask_lt" => Special::LaneMaskLt,
        "lanemask_le" => Special::LaneMaskLe,
        "lanemask_gt" => Special::LaneMaskGt,
        "lanemask_ge" => Special::LaneMaskGe,
        "lanemask_eq" => Special::LaneMaskEq,
        _ => return None,
    })
}
