//! The meaning of every instruction, one thread at a time.

use super::{
    integers::{
        atomic, bit_field_extract, bit_field_insert, find_msb, lop3, permute, signed, trim,
    },
    memory::{Local, Memory, Shared, Trouble, check_alignment, place, read, write},
    program::{AtomOp, CARRY_IN, CARRY_OUT, CONTINUED, Instr, NON_COHERENT, Op, Program, SUBTRACT},
};

/// Why a thread stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Barrier,
    End,
}

/// The program of a thread and the memory that it shares.
pub struct Place<'a> {
    pub program: &'a Program,
    pub memory: &'a mut Memory,
    pub shared: &'a mut Shared,
}

/// A thread between two instructions.
pub struct Thread {
    pub registers: Vec<u64>,
    pub pc: u32,
    /// Remaining instruction budget.
    pub left: u64,
    params: Vec<u8>,
    local: Local,
    /// Return addresses, each with its call.
    calls: Vec<(u32, u32)>,
}

impl Thread {
    pub fn new(program: &Program) -> Self {
        Self {
            registers: program.registers.clone(),
            pc: program.entry,
            left: 0,
            params: Vec::new(),
            local: Local::new(&program.local),
            calls: Vec::new(),
        }
    }

    /// Back to the beginning of the kernel.
    pub fn reset(&mut self, program: &Program, params: &[u8], noise: u8) {
        self.registers.copy_from_slice(&program.registers);
        self.pc = program.entry;
        self.params.clear();
        self.params.extend_from_slice(params);
        self.local.reset(noise);
        self.calls.clear();
    }

    /// Runs to a barrier, the end or a fault; `pc` is then after the last instruction. Calls `note` for each instruction.
    pub fn run(
        &mut self,
        at: &mut Place<'_>,
        mut note: impl FnMut(usize),
    ) -> Result<Stop, Trouble> {
        let program = at.program;
        loop {
            let pc = self.pc as usize;
            let instr = &program.code[pc];
            self.pc += 1;
            if self.left == 0 {
                return Err(Trouble::TooLong);
            }
            self.left -= 1;
            note(pc);
            let (a, b) = (self.get(instr.a), self.get(instr.b));
            let goes_to = match instr.op {
                Op::Bra => instr.d,
                Op::BraIf if a != 0 => instr.d,
                Op::BraUnless if a == 0 => instr.d,
                Op::BraIf | Op::BraUnless => self.pc,
                Op::Brx => {
                    let target = program.tables[instr.c as usize].get(a as usize);
                    *target.ok_or(Trouble::BranchTable { index: a })?
                }
                Op::Call => self.call(program, instr.d),
                Op::Ret => self.ret(program)?,
                Op::Exit => return Ok(Stop::End),
                Op::Bar => return Ok(Stop::Barrier),
                Op::Trap => return Err(Trouble::Trap),
                Op::Aligned
                | Op::StLocal
                | Op::StGlobal
                | Op::StShared
                | Op::StParam
                | Op::StGeneric => {
                    self.store(at, instr, a, b)?;
                    self.pc
                }
                _ => {
                    let value = self.value(at, instr, a, b)?;
                    self.registers[instr.d as usize] = value;
                    self.pc
                }
            };
            self.pc = goes_to;
        }
    }

    /// The value that an instruction writes to its register.
    #[inline(always)]
    fn value(&mut self, at: &mut Place<'_>, instr: &Instr, a: u64, b: u64) -> Result<u64, Trouble> {
        Ok(match instr.op {
            Op::LdLocal
            | Op::LdGlobal
            | Op::LdShared
            | Op::LdConst
            | Op::LdParam
            | Op::LdGeneric => self.load(at, instr, a)?,
            Op::AtomGlobal | Op::AtomShared | Op::AtomGeneric => self.atomic(at, instr, a, b)?,
            Op::Carry => self.carry(instr, a, b),
            Op::DivU | Op::DivS | Op::RemU | Op::RemS => divide(instr, a, b)?,
            Op::Mov
            | Op::Add
            | Op::Sub
            | Op::MulLo
            | Op::MulHiU
            | Op::MulHiS
            | Op::MulWideU
            | Op::MulWideS
            | Op::Abs
            | Op::Neg
            | Op::MinU
            | Op::MinS
            | Op::MaxU
            | Op::MaxS
            | Op::SadU
            | Op::SadS => self.number(instr, a, b),
            _ => self.bits(at.program, instr, a, b),
        })
    }

    /// Sums, products and the like.
    #[inline(always)]
    fn number(&self, instr: &Instr, a: u64, b: u64) -> u64 {
        let s = u32::from(instr.shift);
        match instr.op {
            Op::Mov => a,
            Op::Add => trim(a.wrapping_add(b), s),
            Op::Sub => trim(a.wrapping_sub(b), s),
            Op::MulLo => trim(a.wrapping_mul(b), s),
            Op::MulHiU => ((u128::from(a) * u128::from(b)) >> (64 - s)) as u64,
            Op::MulHiS => {
                let product = i128::from(signed(a, s)) * i128::from(signed(b, s));
                trim((product >> (64 - s)) as u64, s)
            }
            Op::MulWideU => a.wrapping_mul(b),
            Op::MulWideS => {
                let product = signed(a, s).wrapping_mul(signed(b, s));
                trim(product as u64, 2 * s - 64)
            }
            Op::Abs => trim(signed(a, s).unsigned_abs(), s),
            Op::Neg => trim(a.wrapping_neg(), s),
            Op::MinU => a.min(b),
            Op::MinS => trim(signed(a, s).min(signed(b, s)) as u64, s),
            Op::MaxU => a.max(b),
            Op::MaxS => trim(signed(a, s).max(signed(b, s)) as u64, s),
            Op::SadU => trim(self.c(instr).wrapping_add(a.abs_diff(b)), s),
            Op::SadS => {
                let difference = signed(a, s).abs_diff(signed(b, s));
                trim(self.c(instr).wrapping_add(difference), s)
            }
            other => unreachable!("{other:?} gives no number"),
        }
    }

    /// Bits, comparisons and conversions.
    #[inline(always)]
    fn bits(&self, program: &Program, instr: &Instr, a: u64, b: u64) -> u64 {
        let s = u32::from(instr.shift);
        match instr.op {
            Op::And => a & b,
            Op::Or => a | b,
            Op::Xor => a ^ b,
            Op::Not => trim(!a, s),
            Op::Cnot => u64::from(a == 0),
            Op::Lop3 => trim(lop3(a, b, self.c(instr), instr.aux), s),
            Op::Shl => trim(a.checked_shl(b as u32).unwrap_or(0), s),
            Op::ShrU => a.checked_shr(b as u32).unwrap_or(0),
            Op::ShrS => trim((signed(a, s) >> b.min(63)) as u64, s),
            Op::ShfL => ((b << 32 | a) << self.distance(instr) >> 32) & 0xffff_ffff,
            Op::ShfR => ((b << 32 | a) >> self.distance(instr)) & 0xffff_ffff,
            Op::Popc => u64::from(a.count_ones()),
            Op::Clz => u64::from(a.leading_zeros() - s),
            Op::Brev => trim(a.reverse_bits() >> s, s),
            Op::BfindU => find_msb(a, s, instr.aux == 1),
            Op::BfindS => {
                let value = signed(a, s);
                find_msb((value ^ value >> 63) as u64, s, instr.aux == 1)
            }
            Op::BfeU => bit_field_extract(a, b, self.c(instr), s, false),
            Op::BfeS => bit_field_extract(a, b, self.c(instr), s, true),
            Op::Bfi => {
                let [place, length, ..] = program.lists[instr.c as usize];
                bit_field_insert(a, b, self.get(place), self.get(length), s)
            }
            Op::Prmt => permute(a, b, self.c(instr), instr.aux),
            Op::Eq => u64::from(a == b),
            Op::Ne => u64::from(a != b),
            Op::LtU => u64::from(a < b),
            Op::LeU => u64::from(a <= b),
            Op::LtS => u64::from(signed(a, s) < signed(b, s)),
            Op::LeS => u64::from(signed(a, s) <= signed(b, s)),
            Op::Selp => match self.c(instr) {
                0 => b,
                _ => a,
            },
            Op::ZeroExtend => trim(a, s),
            Op::SignExtend => trim(signed(a, s) as u64, u32::from(instr.aux)),
            Op::Pack => a | b << ((64 - s) / 2),
            Op::Extract => trim(a >> instr.c, s),
            Op::ToGeneric => a | u64::from(instr.aux) << 60,
            // What lies in another space becomes an address that nothing lies at.
            Op::FromGeneric => a ^ u64::from(instr.aux) << 60,
            Op::IsSpace => u64::from(a >> 60 == u64::from(instr.aux)),
            other => unreachable!("{other:?} gives no bits"),
        }
    }

    #[inline(always)]
    fn load(&self, at: &mut Place<'_>, instr: &Instr, a: u64) -> Result<u64, Trouble> {
        let size = usize::from(instr.aux & 15);
        let address = address(instr, a);
        match instr.op {
            Op::LdLocal => self.local.load(&at.program.local, address, size),
            Op::LdGlobal => load_global(at.memory, instr, address),
            Op::LdParam => Ok(read(&self.params, instr.c as usize, size)),
            Op::LdShared => at.shared.load(&at.program.shared, address, size),
            Op::LdConst => load_constant(at.program, instr, address),
            _ => self.load_generic(at, instr, address),
        }
    }

    #[inline(always)]
    fn store(&mut self, at: &mut Place<'_>, instr: &Instr, a: u64, b: u64) -> Result<(), Trouble> {
        let size = usize::from(instr.aux);
        let address = address(instr, a);
        match instr.op {
            Op::Aligned => check_alignment(address, size),
            Op::StLocal => self.local.store(&at.program.local, address, size, b),
            Op::StGlobal => at.memory.store(address, size, b),
            Op::StShared => at.shared.store(&at.program.shared, address, size, b),
            Op::StParam => {
                write(&mut self.params, instr.c as usize, size, b);
                Ok(())
            }
            _ => self.store_generic(at, address, size, b),
        }
    }

    #[inline(always)]
    fn get(&self, register: u32) -> u64 {
        self.registers[register as usize]
    }

    #[inline(always)]
    fn c(&self, instr: &Instr) -> u64 {
        self.get(instr.c)
    }

    /// Of a funnel shift.
    #[inline(always)]
    fn distance(&self, instr: &Instr) -> u32 {
        let distance = self.c(instr) as u32;
        match instr.aux {
            0 => distance & 31,
            _ => distance.min(32),
        }
    }

    fn carry(&mut self, instr: &Instr, a: u64, b: u64) -> u64 {
        let s = u32::from(instr.shift);
        let carry_in = match instr.aux & CARRY_IN {
            0 => 0,
            _ => u128::from(self.c(instr)),
        };
        let (a, b) = (u128::from(a), u128::from(b));
        let whole = match instr.aux & SUBTRACT {
            0 => a + b + carry_in,
            _ => a.wrapping_sub(b + carry_in),
        };
        if instr.aux & CARRY_OUT != 0 {
            self.registers[instr.c as usize] = (whole >> (64 - s)) as u64 & 1;
        }
        trim(whole as u64, s)
    }

    /// Returns the next instruction.
    fn call(&mut self, program: &Program, number: u32) -> u32 {
        let call = &program.calls[number as usize];
        for &(from, to) in &call.arguments {
            self.params
                .copy_within(from.at..from.at + from.bytes, to.at);
        }
        self.calls.push((self.pc, number));
        call.target
    }

    /// Returns the next instruction.
    fn ret(&mut self, program: &Program) -> Result<u32, Trouble> {
        let (back, number) = self.calls.pop().ok_or(Trouble::Trap)?;
        for &(to, from) in &program.calls[number as usize].results {
            self.params
                .copy_within(from.at..from.at + from.bytes, to.at);
        }
        Ok(back)
    }

    #[cold]
    fn load_generic(
        &self,
        at: &mut Place<'_>,
        instr: &Instr,
        address: u64,
    ) -> Result<u64, Trouble> {
        let (space, within) = (address >> 60, address & (u64::MAX >> 4));
        let size = usize::from(instr.aux & 15);
        match space {
            1 => self.local.load(&at.program.local, within, size),
            2 => at.shared.load(&at.program.shared, within, size),
            3 => load_constant(at.program, instr, within),
            _ => load_global(at.memory, instr, address),
        }
    }

    #[cold]
    fn store_generic(
        &mut self,
        at: &mut Place<'_>,
        address: u64,
        size: usize,
        value: u64,
    ) -> Result<(), Trouble> {
        let (space, within) = (address >> 60, address & (u64::MAX >> 4));
        match space {
            1 => self.local.store(&at.program.local, within, size, value),
            2 => at.shared.store(&at.program.shared, within, size, value),
            _ => at.memory.store(address, size, value),
        }
    }

    /// Returns the old value.
    fn atomic(
        &self,
        at: &mut Place<'_>,
        instr: &Instr,
        address: u64,
        b: u64,
    ) -> Result<u64, Trouble> {
        let s = u32::from(instr.shift);
        let size = (64 - s as usize) / 8;
        let op = AtomOp::ALL[usize::from(instr.aux)];
        let c = self.c(instr);
        let tagged = instr.op == Op::AtomGeneric && address >> 60 == 2;
        if instr.op == Op::AtomShared || tagged {
            let (layout, within) = (&at.program.shared, address & (u64::MAX >> 4));
            let old = at.shared.load(layout, within, size)?;
            at.shared
                .store(layout, within, size, atomic(op, old, b, c, s))?;
            return Ok(old);
        }
        let old = at.memory.load(address, size, false, false)?;
        at.memory.store(address, size, atomic(op, old, b, c, s))?;
        Ok(old)
    }
}

/// Quotients and remainders.
fn divide(instr: &Instr, a: u64, b: u64) -> Result<u64, Trouble> {
    if b == 0 {
        return Err(Trouble::DivisionByZero);
    }
    let s = u32::from(instr.shift);
    let (with_sign, by) = (signed(a, s), signed(b, s));
    Ok(match instr.op {
        Op::DivU => a / b,
        Op::RemU => a % b,
        Op::DivS => trim(with_sign.wrapping_div(by) as u64, s),
        _ => trim(with_sign.wrapping_rem(by) as u64, s),
    })
}

#[inline(always)]
fn address(instr: &Instr, base: u64) -> u64 {
    base.wrapping_add_signed(i64::from(instr.c as i32))
}

#[inline(always)]
fn load_global(memory: &mut Memory, instr: &Instr, address: u64) -> Result<u64, Trouble> {
    let counted = instr.aux & CONTINUED == 0;
    let as_constant = instr.aux & NON_COHERENT != 0;
    memory.load(address, usize::from(instr.aux & 15), counted, as_constant)
}

#[inline(always)]
fn load_constant(program: &Program, instr: &Instr, address: u64) -> Result<u64, Trouble> {
    let size = usize::from(instr.aux & 15);
    let at = place(&program.constant, address, size)?;
    Ok(read(&program.constants, at, size))
}
