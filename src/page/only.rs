//! Two runs: what only one of them has.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{
    PageError, RunReport, Structure, Watch,
    gallery::{self, PICTURE_BYTES_MAX},
    run::key_column,
    sample,
};
use crate::{
    chem::RdKit,
    diff::{Comparison, Difference, Standing},
    picture::Painter,
    store::{disk, plain},
    units::ByteSize,
};

/// How two runs are compared.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Most resident memory.
    pub memory: ByteSize,
    /// Threads that sort keys.
    pub threads: usize,
}

/// What only one of two runs has, with the rows themselves in a folder that goes with this.
pub struct Only {
    /// As counts.
    pub difference: Difference,
    /// The rows themselves, of each run that has such rows.
    files: [Option<PathBuf>; 2],
    /// Where they are.
    _folder: Folder,
}

/// A folder that goes when this does.
struct Folder(PathBuf);

impl Only {
    /// Compares two runs.
    pub(super) fn find(
        directories: [&Path; 2],
        settings: Settings,
        go_on: &dyn Fn(Standing) -> bool,
    ) -> Result<Self, PageError> {
        let folder = std::env::temp_dir().join(format!("molsieve-report.{}", std::process::id()));
        // One of an earlier process with this number, which was killed.
        disk::remove(&folder).map_err(|error| PageError::Scratch(error.to_string()))?;
        // Other users may have a folder of this name, and none may read the rows.
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| {
            PageError::Scratch(format!("{}: {}", folder.display(), plain(&error)))
        })?;
        let folder = Folder(folder);
        let Settings { memory, threads } = settings;
        let rows = folder.0.join("rows");
        let comparison = Comparison::open(directories, Some(&rows), memory, threads)?;
        let mut difference = comparison.run(go_on)?;
        let sides = [&mut difference.a, &mut difference.b];
        let files = sides.map(|side| side.file.take().map(|file| file.path));
        Ok(Self {
            difference,
            files,
            _folder: folder,
        })
    }

    /// Pictures of rows that only run number `number` has.
    pub(super) fn gallery(
        &self,
        rdkit: RdKit,
        number: usize,
        directory: &Path,
        run: &RunReport,
        watch: &Watch<'_>,
    ) -> Result<Vec<Structure>, PageError> {
        let Some(file) = &self.files[number] else {
            return Ok(Vec::new());
        };
        let rows = sample::read(std::slice::from_ref(file), key_column(&run.manifest))?;
        let mut painter = Painter::of_run(rdkit, directory, &run.manifest);
        let mut shown = gallery::draw(
            rdkit,
            &mut painter,
            (&rows, &run.manifest),
            PICTURE_BYTES_MAX / 2,
            watch,
        );
        for structure in &mut shown {
            structure.row = None;
            structure.only = Some(["a", "b"][number]);
        }
        Ok(shown)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is in the folder for temporary files.
        let _ = disk::remove(&self.0);
    }
}
