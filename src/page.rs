//! The report of a run as one HTML page, or of two runs that are compared: counts, plots, and pictures of a sample of rows.
//!
//! [`Report`] is all that the page shows, as one JSON object that is embedded in it; `report.html` and what belongs to it
//! present the object and add nothing. Numbers come from the manifest where it has them; of the rows themselves a sample is
//! read, whose size does not grow with the run (`sample`).
//!
//! The page is a file of its own: it loads nothing, and its security policy forbids that it does.

mod counts;
mod gallery;
mod html;
mod only;
mod properties;
mod run;
mod sample;

use std::{
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;

pub use counts::{Loss, Stage};
pub use gallery::Structure;
pub use html::HTML_BYTES_MAX;
pub use only::{Only, Settings};
pub use properties::{Bin, Histogram};
pub use run::{DropExample, RejectExample, Rejects, RunReport};
pub use sample::SampleSize;

use crate::{
    chem::{ChemistryError, RdKit},
    diff::{DiffError, Difference, Standing},
    report::manifest::{MANIFEST, ManifestError},
    table::part::PartError,
    units::ByteSize,
};

/// What the page shows.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of molsieve that made the report.
    pub molsieve: &'static str,
    /// Version of RDKit that drew the pictures.
    pub rdkit: String,
    /// When it was made, UTC.
    pub made_at: String,
    /// The run, or the two runs that are compared.
    pub runs: Vec<RunReport>,
    /// Of two runs: what only one of them has.
    pub difference: Option<Difference>,
}

/// Hears how many pictures of how many are drawn.
pub type Watch<'a> = dyn Fn(u64, u64) + 'a;

/// Least memory that a report is made in. It holds the rows of a sample, which are at most 16,384, and pictures of at most
/// [`HTML_BYTES_MAX`], once as they are and once as they are embedded; and a row group.
pub const MEMORY_MIN: u64 = 192 << 20;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The directory holds no complete run.
    #[error("{}: holds no {MANIFEST}, so no run is complete there", .0.display())]
    NotComplete(PathBuf),
    /// The budget is too small.
    #[error("--memory {memory}: report needs at least {}", ByteSize(MEMORY_MIN))]
    Memory {
        /// The budget.
        memory: ByteSize,
    },
    /// The manifest can't be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A part can't be read.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The runs can't be compared.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// RDKit can't be used.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    /// There is no place for the rows that only one run has.
    #[error("cannot keep the rows that only one run has: {0}")]
    Scratch(String),
}

impl Report {
    /// The report of one run.
    pub fn of_run(rdkit: RdKit, directory: &Path, watch: &Watch<'_>) -> Result<Self, PageError> {
        let run = RunReport::of(rdkit, directory, Some(watch))?;
        Ok(Self::new(rdkit, vec![run], None))
    }

    /// The report of two runs. `go_on` hears how far their comparison is, and returns false to stop.
    pub fn of_two(
        rdkit: RdKit,
        directories: [&Path; 2],
        settings: Settings,
        go_on: &dyn Fn(Standing) -> bool,
        watch: &Watch<'_>,
    ) -> Result<Self, PageError> {
        let absolute = directories
            .map(|directory| std::path::absolute(directory).unwrap_or_else(|_| directory.into()));
        let directories = absolute.each_ref().map(PathBuf::as_path);
        let only = Only::find(directories, settings, go_on)?;
        let mut runs = Vec::with_capacity(2);
        for (number, directory) in directories.into_iter().enumerate() {
            let mut run = RunReport::of(rdkit, directory, None)?;
            run.gallery = only.gallery(rdkit, number, directory, &run, watch)?;
            runs.push(run);
        }
        Ok(Self::new(rdkit, runs, Some(only.difference.clone())))
    }

    fn new(rdkit: RdKit, runs: Vec<RunReport>, difference: Option<Difference>) -> Self {
        let made_at = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        Self {
            molsieve: env!("CARGO_PKG_VERSION"),
            rdkit: rdkit.version(),
            made_at: made_at.to_string(),
            runs,
            difference,
        }
    }

    /// Writes the page.
    pub fn write_html(&self, out: &mut dyn io::Write) -> io::Result<()> {
        html::write(self, out)
    }
}
