//! Libraries as users have them: real files in, rows or a message out.

mod damage;
mod library;
mod parquet;
mod text;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;

/// Keeps panics that are caught and reported off the test's output, as `main` does.
pub(super) fn silence_guarded_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !in_guarded_call() {
                default(panic);
            }
        }));
    });
}

/// A row that outlives its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OwnRow {
    row: u64,
    id: Option<String>,
    text: String,
    kind: TextKind,
    fault: Option<String>,
}

impl From<ParentRow<'_>> for OwnRow {
    fn from(row: ParentRow<'_>) -> OwnRow {
        OwnRow {
            row: row.row,
            id: match row.id {
                RowId::Named(id) => Some(id.to_owned()),
                RowId::RowNumber => None,
            },
            text: String::from_utf8_lossy(row.text).into_owned(),
            kind: row.kind,
            fault: row.fault.map(|fault| fault.reason.to_owned()),
        }
    }
}

/// Files in a directory of their own.
struct Shelf {
    directory: TempDir,
}

impl Shelf {
    fn new() -> Shelf {
        Shelf {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

fn gzip(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn choice(smiles: Option<&str>, id: Option<&str>) -> ColumnChoice {
    ColumnChoice {
        smiles: smiles.map(str::to_owned),
        id: id.map(str::to_owned),
        ..ColumnChoice::default()
    }
}

fn open_one(path: &Path) -> Result<Library, SourceError> {
    Library::open(&[path.to_owned()], &ColumnChoice::default())
}

fn read_all(library: &Library, rows_max: usize) -> Result<Vec<OwnRow>, SourceError> {
    let mut reader = library.reader()?;
    let mut batch = ParentBatch::new();
    let mut rows = Vec::new();
    while reader.next_batch(&mut batch, rows_max)? {
        rows.extend(batch.iter().map(OwnRow::from));
    }
    assert_eq!(reader.rows_read(), rows.len() as u64);
    let numbered = rows.iter().enumerate().all(|(i, row)| row.row == i as u64);
    assert!(numbered, "rows are numbered without gaps");
    Ok(rows)
}

/// The rows of one file.
fn rows_of(path: &Path, columns: &ColumnChoice) -> Vec<OwnRow> {
    let library = Library::open(&[path.to_owned()], columns).unwrap();
    read_all(&library, 1000).unwrap()
}

/// Text and id of each row; of a fault its reason.
fn brief(rows: &[OwnRow]) -> Vec<String> {
    rows.iter()
        .map(|row| match (&row.fault, &row.id) {
            (Some(fault), _) => format!("! {fault}"),
            (None, Some(id)) => format!("{} [{id}]", row.text),
            (None, None) => row.text.clone(),
        })
        .collect()
}
