//! A compiled kernel: instructions of fixed size over one register file.
//!
//! Every register of the kernel, of the functions it calls, and every constant has a fixed place in the thread's
//! register file, for no function calls itself. A register holds its value in the low bits, zeroes above.

use super::types::Space;

/// The operation of an instruction. `s` is `shift`, 64 minus the bits of the type; results are truncated to the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// d = a
    Mov,
    Add,
    Sub,
    /// Add, or subtract if `aux & SUBTRACT`, with a carry in or out (`CARRY_IN`, `CARRY_OUT`); c is the carry flag.
    Carry,
    MulLo,
    MulHiU,
    MulHiS,
    /// The product has twice the bits of the type.
    MulWideU,
    MulWideS,
    DivU,
    DivS,
    RemU,
    RemS,
    Abs,
    Neg,
    MinU,
    MinS,
    MaxU,
    MaxS,
    /// d = c + |a - b|
    SadU,
    SadS,
    And,
    Or,
    Xor,
    Not,
    /// d = a == 0
    Cnot,
    /// Any function of three bits; `aux` is its table.
    Lop3,
    Shl,
    ShrU,
    ShrS,
    /// Funnel shifts; `aux` is 1 if the distance is clamped.
    ShfL,
    ShfR,
    Popc,
    Clz,
    Brev,
    /// `aux` is 1 for the distance to shift left.
    BfindU,
    BfindS,
    BfeU,
    BfeS,
    /// c is a list of two registers: place and length.
    Bfi,
    /// `aux` is the mode.
    Prmt,
    Eq,
    Ne,
    LtU,
    LeU,
    LtS,
    LeS,
    /// d = c ? a : b
    Selp,
    /// From `s` bits to a register of 64 - `aux` bits.
    ZeroExtend,
    SignExtend,
    /// d = b above a, each of half the type's bits
    Pack,
    /// d = a >> c, cut to the type
    Extract,
    /// An address of a space as a generic one and back; `aux` is the space's number.
    ToGeneric,
    FromGeneric,
    /// d = whether a is a generic address in the space of number `aux`
    IsSpace,
    /// Checks that `aux` bytes at address a + c may be accessed together.
    Aligned,
    LdLocal,
    LdGlobal,
    LdShared,
    LdConst,
    LdParam,
    LdGeneric,
    StLocal,
    StGlobal,
    StShared,
    StParam,
    StGeneric,
    /// d = what stands at address a; then it changes by b, and c for cas.
    AtomGlobal,
    AtomShared,
    AtomGeneric,
    /// To d.
    Bra,
    /// To d if a is 1; to d if a is 0.
    BraIf,
    BraUnless,
    /// To the a-th of the branch table c.
    Brx,
    Call,
    Ret,
    Exit,
    /// Waits for the other threads of the block; c is the barrier's number.
    Bar,
    Trap,
}

/// Bits of `aux` of [`Op::Carry`].
pub const CARRY_IN: u8 = 1;
pub const CARRY_OUT: u8 = 2;
pub const SUBTRACT: u8 = 4;

/// Bits of `aux` of a load beside its bytes: by `ld.global.nc`; not the first part of a vector.
pub const NON_COHERENT: u8 = 64;
pub const CONTINUED: u8 = 128;

/// What an atomic instruction does; the low bits of its `aux`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AtomOp {
    Add,
    And,
    Or,
    Xor,
    Exch,
    Cas,
    MinU,
    MinS,
    MaxU,
    MaxS,
    Inc,
    Dec,
}

impl AtomOp {
    pub const ALL: [Self; 12] = [
        Self::Add,
        Self::And,
        Self::Or,
        Self::Xor,
        Self::Exch,
        Self::Cas,
        Self::MinU,
        Self::MinS,
        Self::MaxU,
        Self::MaxS,
        Self::Inc,
        Self::Dec,
    ];
}

/// An instruction; a, b and c are registers unless its [`Op`] says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Instr {
    pub op: Op,
    pub shift: u8,
    pub aux: u8,
    pub d: u32,
    pub a: u32,
    pub b: u32,
    pub c: u32,
}

/// A register that a thread finds filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    Tid(usize),
    Ntid(usize),
    Ctaid(usize),
    Nctaid(usize),
    LaneId,
    WarpId,
    LaneMaskLt,
    LaneMaskLe,
    LaneMaskGt,
    LaneMaskGe,
    LaneMaskEq,
}

/// Bytes in the parameter space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub at: usize,
    pub bytes: usize,
}

/// A call: where it goes, and what is copied from the caller's parameters to the function's, and back.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub target: u32,
    pub arguments: Vec<(Piece, Piece)>,
    pub results: Vec<(Piece, Piece)>,
}

/// Variables of a space. Between them lie bytes that belong to none.
#[derive(Clone, Debug)]
pub struct Layout {
    pub base: u64,
    /// Begin and end of each variable, from `base` on.
    pub ranges: Vec<(usize, usize)>,
    pub bytes: usize,
}

/// Bytes between variables, so that an access behind the end of one is not taken for one of the next.
const GAP_BYTES: usize = 256;

impl Layout {
    pub fn new(base: u64) -> Self {
        Self {
            base,
            ranges: Vec::new(),
            bytes: GAP_BYTES,
        }
    }

    /// Adds a variable and gives its address.
    pub fn add(&mut self, bytes: usize, align: usize) -> u64 {
        let begin = self.bytes.next_multiple_of(align.max(16));
        self.ranges.push((begin, begin + bytes));
        self.bytes = begin + bytes + GAP_BYTES;
        self.base + begin as u64
    }

    /// The place of an access, if one variable holds all of it.
    #[inline(always)]
    pub fn place(&self, address: u64, bytes: usize) -> Option<usize> {
        let at = address.wrapping_sub(self.base);
        let at = usize::try_from(at).ok().filter(|&at| at <= self.bytes)?;
        let holds = |&(begin, end): &(usize, usize)| begin <= at && at + bytes <= end;
        self.ranges.iter().any(holds).then_some(at)
    }
}

/// Where spaces begin; an address of one is never one of another.
pub const SHARED_BASE: u64 = 0x0100_0000;
pub const LOCAL_BASE: u64 = 0x0200_0000;
pub const CONST_BASE: u64 = 0x0300_0000;

/// A generic address of a space has this at its top; one of global memory has nothing there.
pub fn generic_tag(space: Space) -> u64 {
    match space {
        Space::Local => 1 << 60,
        Space::Shared => 2 << 60,
        Space::Const => 3 << 60,
        Space::Param => 4 << 60,
        Space::Global | Space::Generic => 0,
    }
}

/// A kernel, ready to run.
pub struct Program {
    pub name: String,
    pub code: Vec<Instr>,
    /// The line of the file that each instruction is from.
    pub lines: Vec<u32>,
    pub entry: u32,
    pub params: Vec<Piece>,
    pub threads_max: Option<u32>,
    /// What a thread's registers hold at first: constants, and in all others what nobody should rely on.
    pub registers: Vec<u64>,
    pub specials: Vec<(Special, u32)>,
    pub param_bytes: usize,
    pub local: Layout,
    pub shared: Layout,
    pub constant: Layout,
    pub constants: Vec<u8>,
    pub calls: Vec<Call>,
    pub tables: Vec<Vec<u32>>,
    /// Registers of instructions that need more than an [`Instr`] has.
    pub lists: Vec<[u32; 4]>,
}
