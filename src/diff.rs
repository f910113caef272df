//! What only one of two outputs has: the rows whose key the other has not, as counts and as files.
//!
//! Memory is bounded, whatever the outputs. The keys of both go through a [`Sorter`], each with its side and its row. Equal keys
//! then follow each other, so the rows that only one side has come out, in the order of keys. A second sorter brings them into
//! the order of the outputs. With these numbers the parts are read again, a row group at a time, and only those row groups that
//! have such a row.
//!
//! An output has each key once. If one has a key twice, because somebody has changed it, the first row with the key stands for
//! all of them, and keys are counted apart from rows.

mod error;
mod join;
mod rows;
mod side;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rayon::ThreadPool;
use serde::Serialize;

pub use error::{DiffError, MEMORY_MIN};

use crate::{
    identity::KeyKind,
    limits::DIFF_BASE_BYTES,
    store::{
        StoreError, disk,
        sorter::{Expected, Sorted, Sorter},
    },
    units::ByteSize,
};
use join::{Counted, KEY_BYTES, ROW_BYTES, ROWS_A_CALL, find_only, finish, numbered};
use rows::{OnlyRows, RowFile};
use side::Side;

/// Names of the files, of each side.
const FILES: [&str; 2] = ["only-in-a.parquet", "only-in-b.parquet"];

/// Two outputs, ready to be compared.
pub struct Comparison {
    sides: [Side; 2],
    /// Where the files go, if they are wanted.
    output: Option<PathBuf>,
    memory: ByteSize,
    pool: ThreadPool,
}

/// How far a comparison is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is done.
    pub work: Work,
    /// Rows or keys that this is done for.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Reading the keys of both outputs.
    Reading,
    /// Merging sorted runs of keys.
    Merging,
    /// Comparing them.
    Comparing,
    /// Counting the rows that only one output has, and writing them.
    Writing,
}

/// What only one of two outputs has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of the first.
    pub a: SideCounts,
    /// Of the second.
    pub b: SideCounts,
    /// Keys that both have.
    pub both: u64,
    /// The column of the keys.
    pub key: &'static str,
    /// Releases of RDKit that wrote the canonical SMILES, where they differ: one molecule may have two keys then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rdkit: Option<[String; 2]>,
}

/// What one of two outputs has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SideCounts {
    /// The output directory.
    pub directory: PathBuf,
    /// Its rows.
    pub rows: u64,
    /// Its distinct keys.
    pub keys: u64,
    /// Distinct keys that the other one has not.
    pub only: u64,
    /// By step, in a job of several: rows whose key the other one has not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_step: Vec<Share>,
    /// The same by rule, in the order of the rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_rule: Vec<Share>,
    /// The file of these rows, if it was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<WrittenFile>,
}

/// Of the rows of a step or a rule, those that only one output has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// The step's number, or the rule's name.
    pub name: String,
    /// Rows that the other output has not.
    pub only: u64,
    /// All its rows, as the manifest says.
    pub rows: u64,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// Rows whose key only one side has, by what made them.
#[derive(Clone, Debug, Default)]
struct OnlyCounts {
    by_step: BTreeMap<u8, u64>,
    by_rule: BTreeMap<String, u64>,
}

impl Comparison {
    /// Opens the outputs in two directories. `output`: the directory for the files, which are not written otherwise.
    pub fn open(
        [a, b]: [&Path; 2],
        output: Option<&Path>,
        memory: ByteSize,
        threads: usize,
    ) -> Result<Self, DiffError> {
        let sides = [Side::open(a)?, Side::open(b)?];
        let [of_a, of_b] = &sides;
        let (a, b) = (a.to_owned(), b.to_owned());
        if of_a.real == of_b.real {
            return Err(DiffError::Same { a, b });
        }
        if of_a.key != of_b.key {
            let keys = [of_a.key, of_b.key];
            return Err(DiffError::Kinds { a, b, keys });
        }
        if of_a.definition != of_b.definition {
            return Err(DiffError::Definitions { a, b });
        }
        if memory.0 < MEMORY_MIN {
            return Err(DiffError::Memory { memory });
        }
        if let Some(output) = output {
            let real = real_path(output);
            if let Some(side) = sides.iter().find(|side| real.starts_with(&side.real)) {
                return Err(DiffError::OutputInSide {
                    output: output.into(),
                    side: side.directory.clone(),
                });
            }
            for name in FILES {
                let path = output.join(name);
                if path.symlink_metadata().is_ok() {
                    return Err(StoreError::Exists(path).into());
                }
            }
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        Ok(Self {
            sides,
            output: output.map(Path::to_owned),
            memory,
            pool: pool.map_err(|error| DiffError::Threads(error.to_string()))?,
        })
    }

    /// Compares them. `go_on` hears from time to time how far that is, and returns false to stop.
    pub fn run(&self, go_on: &dyn Fn(Standing) -> bool) -> Result<Difference, DiffError> {
        let work = WorkFolder::create(self.output.as_deref())?;
        let outcome = self.compare(&work, go_on);
        let removed = disk::remove(&work.path);
        let difference = outcome?;
        removed?;
        work.keep();
        Ok(difference)
    }

    fn compare(
        &self,
        work: &WorkFolder,
        go_on: &dyn Fn(Standing) -> bool,
    ) -> Result<Difference, DiffError> {
        // Both sorters are in use while keys are compared.
        let each = (self.memory.0 as usize - DIFF_BASE_BYTES) / 2;
        let rows: u64 = self.sides.iter().map(|side| side.rows).sum();
        let sorter = |name, item_bytes: usize| {
            let expected = Expected {
                items: rows,
                bytes: rows.saturating_mul(item_bytes as u64),
            };
            Sorter::new(&work.path, name, each, expected, Some(&self.pool))
        };
        let standing = |work, done, of| match go_on(Standing { work, done, of }) {
            true => Ok(()),
            false => Err(DiffError::Stopped),
        };
        let mut keys = sorter("keys", KEY_BYTES + ROW_BYTES);
        let mut read = [0; 2];
        for (number, side) in (0..).zip(&self.sides) {
            side.for_each_key(|key| {
                let row = &mut read[usize::from(number)];
                keys.push(&numbered(key, number, *row))?;
                *row += 1;
                let done = read[0] + read[1];
                match done.is_multiple_of(ROWS_A_CALL) {
                    true => standing(Work::Reading, done, rows),
                    false => Ok(()),
                }
            })?;
        }
        let mut only = sorter("rows", ROW_BYTES);
        let sorted = finish(keys, rows, go_on)?;
        let counted = find_only(sorted, &mut only, |done| {
            standing(Work::Comparing, done, rows)
        })?;
        let rows_only: u64 = counted.iter().map(|counted| counted.only).sum();
        let only = finish(only, rows_only, go_on)?;
        let written = self.write(only, |done| standing(Work::Writing, done, rows_only))?;
        let [by_a, by_b] = written;
        let [a, b] = &self.sides;
        Ok(Difference {
            a: a.counts(read[0], &counted[0], by_a),
            b: b.counts(read[1], &counted[1], by_b),
            both: counted[0].keys - counted[0].only,
            key: a.key.column(),
            rdkit: (a.key == KeyKind::Canonical && a.rdkit != b.rdkit)
                .then(|| [a.rdkit.clone(), b.rdkit.clone()]),
        })
    }

    /// Counts the rows with these numbers, and writes them if that is wanted: both files appear when both are complete.
    fn write(
        &self,
        only: Sorted,
        mut go_on: impl FnMut(u64) -> Result<(), DiffError>,
    ) -> Result<[(OnlyCounts, Option<WrittenFile>); 2], DiffError> {
        let mut only = OnlyRows::new(only)?;
        let mut done = 0;
        let (mut counts, mut files) = (Vec::new(), Vec::new());
        for (number, side) in (0..).zip(&self.sides) {
            let path = self.output.as_ref();
            let path = path.map(|output| output.join(FILES[usize::from(number)]));
            let mut file = path.map(|path| RowFile::create(&path, side)).transpose()?;
            counts.push(rows::read(side, number, &mut only, &mut file, |rows| {
                done += rows;
                go_on(done)
            })?);
            files.push(file.map(RowFile::finish).transpose()?);
        }
        let published = files.into_iter().map(|file| match file {
            Some((file, written)) => file.publish().map(|()| Some(written)),
            None => Ok(None),
        });
        let published = published.collect::<Result<Vec<_>, _>>()?;
        let mut both = counts.into_iter().zip(published);
        Ok([(); 2].map(|()| both.next().expect("there are two sides")))
    }
}

/// A folder for temporary files, in the output or where the system has them.
struct WorkFolder {
    path: PathBuf,
    /// The output, if it was made for this comparison: it goes if nothing is written to it.
    made: Option<PathBuf>,
}

impl WorkFolder {
    fn create(output: Option<&Path>) -> Result<Self, StoreError> {
        let made = output.filter(|output| !output.exists());
        let above = output.map_or_else(std::env::temp_dir, Path::to_owned);
        let path = above.join(format!(".molsieve-diff.{}", std::process::id()));
        // One of an earlier process with this number, which was killed.
        disk::remove(&path)?;
        let made = made.map(Path::to_owned);
        let folder = Self { path, made };
        disk::create_dir(&folder.path)?;
        Ok(folder)
    }

    /// Leaves the output where it is.
    fn keep(mut self) {
        self.made = None;
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // An error that led here is the one to report.
        let _ = disk::remove(&self.path);
        if let Some(made) = &self.made {
            let _ = disk::remove_empty_dir(made);
        }
    }
}

/// The path without links; of what does not exist yet, as far as it exists.
fn real_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let known = absolute.ancestors().find_map(|above| {
        let real = above.canonicalize().ok()?;
        Some(real.join(absolute.strip_prefix(above).ok()?))
    });
    known.unwrap_or(absolute)
}
