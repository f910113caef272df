//! Where the kept columns of a job are in one file.

use std::sync::Arc;

use crate::table::kept::KeptColumns;

/// Where they are: for each kept column of the job, in order; `None` where the file lacks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Places {
    /// Fields of a table of text, by number.
    Fields(Vec<Option<usize>>),
    /// Data items of an SD file, by tag.
    Tags(Vec<Option<String>>),
    /// Columns of a Parquet file, by number among those that are not inside of others.
    Roots(Vec<Option<usize>>),
    /// A SMILES file has none.
    Nowhere,
}

impl Places {
    /// Further columns of the job, up to so many in all, are not in the file.
    pub fn lack_further(&mut self, columns: usize) {
        match self {
            Places::Fields(places) | Places::Roots(places) => places.resize(columns, None),
            Places::Tags(places) => places.resize(columns, None),
            Places::Nowhere => {}
        }
    }
}

/// What a reader of a file needs to give its rows their kept rows.
#[derive(Debug, Clone)]
pub(super) struct KeptOfFile {
    /// The kept columns of the job.
    pub columns: Arc<KeptColumns>,
    /// Where they are in this file.
    pub places: Arc<Places>,
    /// Larger Parquet pages are split into small ones, in bytes.
    pub page_bytes_max: usize,
    /// What part of the memory budget such a page is, as a divisor.
    pub budget_divisor: u64,
}
