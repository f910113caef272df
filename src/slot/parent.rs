//! A parent in a slot.

use crate::reject::RejectCode;

/// A parent in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotParent<'a> {
    /// 0-based row over all inputs, or of the step before.
    pub row: u64,
    /// Its id, or its row number as text. In a slot with roots: that of the molecule of the library that it was made
    /// from.
    pub id: &'a [u8],
    /// Its SMILES as read, or as cleaned.
    pub smiles: &'a [u8],
    /// Its SMILES as read, if cleaning has changed the molecule; empty otherwise.
    pub input: &'a [u8],
    /// Why it was rejected; empty otherwise.
    pub reason: &'a [u8],
    /// In a slot with kept rows: its own, see [`crate::limits::KEPT_ROW_BYTES_MAX`]. A rejected parent has none.
    pub kept: &'a [u8],
    /// Rejected, capped, continued.
    pub flags: ParentFlags,
    /// In a slot with roots: where it comes from.
    pub root: Root,
}

/// Where a parent comes from, in a job of several steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// 0-based row, over all inputs, of the molecule of the library that it was made from.
    pub row: u64,
    /// The words of its own key.
    pub key: [u64; 2],
}

/// What is known of a parent in a slot, in one byte:
///
/// | bits | meaning |
/// |---|---|
/// | 0 | [`ParentFlags::CONTINUED`] |
/// | 1 | rejected |
/// | 2 – 4 | of a parent that is not rejected: the caps that took effect |
/// | 5 | of a parent that is not rejected: whether cleaning has changed it |
/// | 2 – 7 | of a rejected parent: the number of its [`RejectCode`] |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParentFlags(u8);

const REJECTED: u8 = 2;
const CODE_SHIFT: u32 = 2;
const _: () = assert!(RejectCode::ALL.len() <= 1 << (u8::BITS - CODE_SHIFT));

impl ParentFlags {
    /// An ordinary parent.
    pub const NONE: Self = Self(0);
    /// It is in an earlier slot too, and was counted there.
    pub const CONTINUED: Self = Self(1);
    /// The cap on distinct products per parent took effect.
    pub const CAPPED_PRODUCTS: Self = Self(4);
    /// The cap on sites of one rule took effect.
    pub const CAPPED_SITES: Self = Self(8);
    /// A product was too long to keep.
    pub const CAPPED_LENGTH: Self = Self(16);
    /// Cleaning has changed it: in the slot, a NUL and its SMILES as read follow its SMILES.
    pub(super) const CLEANED: Self = Self(32);

    /// It can't be used; its reason is set, and it has no products in this slot.
    pub fn rejected(code: RejectCode) -> Self {
        Self(REJECTED | (code as u8) << CODE_SHIFT)
    }

    /// Why it was rejected, if it was.
    pub fn reject_code(self) -> Option<RejectCode> {
        if self.0 & REJECTED == 0 {
            return None;
        }
        RejectCode::from_number(self.0 >> CODE_SHIFT)
    }

    /// Whether all bits of `other`, which is not that of a rejected parent, are set.
    pub fn has(self, other: Self) -> bool {
        let caps_apply = other == Self::CONTINUED || self.0 & REJECTED == 0;
        caps_apply && self.0 & other.0 == other.0
    }

    /// Whether any cap took effect.
    pub fn capped(self) -> bool {
        let caps = Self::CAPPED_PRODUCTS.0 | Self::CAPPED_SITES.0 | Self::CAPPED_LENGTH.0;
        self.0 & REJECTED == 0 && self.0 & caps != 0
    }

    /// Both sets of bits.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    pub(super) fn byte(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_parent_has_its_code_and_no_caps() {
        for code in RejectCode::ALL {
            for flags in [ParentFlags::NONE, ParentFlags::CONTINUED] {
                let flags = flags.and(ParentFlags::rejected(code));
                assert_eq!(flags.reject_code(), Some(code));
                assert!(!flags.capped() && !flags.has(ParentFlags::CAPPED_SITES));
            }
        }
        let capped = ParentFlags::CAPPED_SITES.and(ParentFlags::CONTINUED);
        assert!(capped.capped() && capped.has(ParentFlags::CONTINUED));
        assert_eq!(capped.reject_code(), None);
    }
}
