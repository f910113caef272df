//! The memory sum of a job.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

use crate::units::ByteSize;

/// One line of the memory sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryItem {
    /// What it is for.
    pub name: Cow<'static, str>,
    /// Its bound.
    pub bytes: u64,
    /// How the bound is computed.
    pub detail: String,
}

/// The memory sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// `--memory`.
    pub budget: ByteSize,
    /// The items.
    pub items: Vec<MemoryItem>,
}

impl MemoryPlan {
    /// The sum of the items.
    pub fn total(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }
}

impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for item in &self.items {
            let size = ByteSize(item.bytes);
            writeln!(
                f,
                "  {:<10} {:>10}   {}",
                item.name,
                mebibytes(size),
                item.detail
            )?;
        }
        let total = ByteSize(self.total());
        write!(
            f,
            "  {:<10} {:>10}   of {} allowed",
            "total",
            mebibytes(total),
            self.budget
        )
    }
}

/// Sizes in one column are easier to compare in one unit.
pub(super) fn mebibytes(size: ByteSize) -> String {
    format!("{:.1} MiB", size.0 as f64 / (1 << 20) as f64)
}
