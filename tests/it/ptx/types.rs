//! What PTX calls types and state spaces.

/// What the bits of a value mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// `.b32`
    Bits,
    /// `.u32`
    Unsigned,
    /// `.s32`
    Signed,
    /// `.pred`
    Predicate,
}

/// The type of an instruction, a variable or a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    pub bits: u32,
    pub meaning: Meaning,
}

impl Type {
    /// By its name without the dot. There are no floating-point types here.
    pub fn named(name: &str) -> Option<Self> {
        if name == "pred" {
            let meaning = Meaning::Predicate;
            return Some(Self { bits: 1, meaning });
        }
        let meaning = match name.as_bytes().first()? {
            b'b' => Meaning::Bits,
            b'u' => Meaning::Unsigned,
            b's' => Meaning::Signed,
            _ => return None,
        };
        let bits = match &name[1..] {
            "8" => 8,
            "16" => 16,
            "32" => 32,
            "64" => 64,
            _ => return None,
        };
        Some(Self { bits, meaning })
    }

    pub fn is_signed(self) -> bool {
        self.meaning == Meaning::Signed
    }

    /// Bytes in memory.
    pub fn bytes(self) -> usize {
        self.bits.div_ceil(8) as usize
    }

    /// Whether a number can be written as a value of this type, with or without a sign.
    pub fn holds(self, number: i128) -> bool {
        let bits = self.bits;
        (-(1_i128 << (bits - 1))..1_i128 << bits).contains(&number)
    }
}

/// A state space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    Generic,
    Global,
    Shared,
    Local,
    Const,
    Param,
}

impl Space {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "global" => Self::Global,
            "shared" => Self::Shared,
            "local" => Self::Local,
            "const" => Self::Const,
            "param" => Self::Param,
            _ => return None,
        })
    }
}
