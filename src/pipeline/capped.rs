//! The parents at which a cap took effect.

use serde::{Deserialize, Serialize};

use crate::{
    limits::CAPPED_PARENTS_NAMED_MAX,
    report::manifest::CappedParent,
    slot::{ParentFlags, Slot, SlotParent},
};

impl CappedParent {
    fn of(parent: SlotParent<'_>, step: Option<u8>) -> Self {
        let caps = [
            (ParentFlags::CAPPED_PRODUCTS, "products per parent"),
            (ParentFlags::CAPPED_SITES, "sites per rule"),
            (ParentFlags::CAPPED_LENGTH, "length of a product"),
        ];
        let caps = caps.iter().filter(|cap| parent.flags.has(cap.0));
        Self {
            step,
            row: parent.row,
            id: String::from_utf8_lossy(parent.id).into_owned(),
            caps: caps.map(|cap| cap.1.to_owned()).collect(),
        }
    }
}

/// The first parents at which a cap took effect. A parent that spans slots can be capped in several of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Capped {
    /// The first [`CAPPED_PARENTS_NAMED_MAX`].
    pub(super) named: Vec<CappedParent>,
    /// Row of the last one.
    last: Option<u64>,
}

impl Capped {
    /// Adds the capped parents of a slot; returns how many of them are new. `step`: in a job of several.
    pub(super) fn add(&mut self, slot: &Slot, step: Option<u8>) -> u64 {
        let mut new = 0;
        for parent in slot.parents_with(ParentFlags::capped) {
            if self.last == Some(parent.row) {
                continue;
            }
            self.last = Some(parent.row);
            new += 1;
            if self.named.len() < CAPPED_PARENTS_NAMED_MAX {
                self.named.push(CappedParent::of(parent, step));
            }
        }
        new
    }

    /// The parents of another step follow.
    pub(super) fn begin_step(&mut self) {
        self.last = None;
    }
}
