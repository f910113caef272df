//! Libraries: the first byte says how the rest becomes a file and which columns are chosen.
//!
//! | bits | what |
//! |---|---|
//! | 1, 2 | 0 the rest as it is, 1 packed with gzip, 2 as it is under a name that ends in `.gz` |
//! | 4, 8 | a SMILES column is chosen, an id column is |
//! | 16 | the second extension |
//! | 32 | all columns are kept |

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Once,
};

use flate2::{Compression, write::GzEncoder};
use molsieve::{
    limits::ID_BYTES_MAX,
    table::source::{
        ColumnChoice, InputFormat, KeepColumns, Library, LibraryReader, ParentBatch, ParentRow,
        RowId, SourceError, TextKind, in_guarded_call,
    },
};
use tempfile::TempDir;

use super::assert_one_line;

/// Maximum number of rows to read: a small Parquet file may have millions.
const ROWS_MAX: usize = 5_000;

/// Reads an input as a SMILES file.
pub fn source_smiles(input: &[u8]) {
    text(input, ["smi", "txt"]);
}

/// Reads an input as a CSV or TSV file.
pub fn source_delimited(input: &[u8]) {
    text(input, ["csv", "tsv"]);
}

/// Reads an input as an SD file.
pub fn source_sdf(input: &[u8]) {
    text(input, ["sdf", "txt"]);
}

/// Reads an input as a Parquet file.
pub fn source_parquet(input: &[u8]) {
    if let [switches, content @ ..] = input {
        read_in_every_way(&put("library.parquet", content), &choice(*switches));
    }
}

fn text(input: &[u8], extensions: [&str; 2]) {
    let [switches, content @ ..] = input else {
        return;
    };
    let name = format!("library.{}", extensions[usize::from(switches >> 4 & 1)]);
    let path = match switches & 3 {
        0 | 3 => put(&name, content),
        1 => put(&format!("{name}.gz"), &gzip(content)),
        _ => put(&format!("{name}.gz"), content),
    };
    read_in_every_way(&path, &choice(*switches));
}

fn choice(switches: u8) -> ColumnChoice {
    let chosen = |bit: u8, name: &str| (switches & bit != 0).then(|| name.to_owned());
    ColumnChoice {
        smiles: chosen(4, "smiles"),
        id: chosen(8, "id"),
        no_header: switches & 16 != 0,
        keep: match switches & 32 {
            0 => KeepColumns::default(),
            _ => KeepColumns::All,
        },
    }
}

/// Writes a file into this thread's folder, in place of the one before.
fn put(name: &str, content: &[u8]) -> PathBuf {
    thread_local! {
        static FOLDER: TempDir = tempfile::tempdir().expect("a folder can be made");
    }
    let path = FOLDER.with(|folder| folder.path().join(name));
    fs::write(&path, content).expect("the folder can be written to");
    path
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(content)
        .and_then(|()| encoder.finish())
        .expect("memory can be packed")
}

/// Panics that the reader catches and reports are no findings. libFuzzer's hook would end the process at any panic;
/// pass only the others on to it.
fn let_guarded_panics_pass() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !in_guarded_call() {
                hook(panic);
            }
        }));
    });
}

/// Opens a library, and reads it in batches of two sizes and from several rows on.
fn read_in_every_way(path: &Path, columns: &ColumnChoice) {
    let_guarded_panics_pass();
    let library = match Library::open(&[path.to_owned()], columns) {
        Ok(library) => library,
        Err(error) => return check_error(&error, path),
    };
    let whole = Reading::of(&library, 0, 64);
    assert_eq!(whole, Reading::of(&library, 0, 7));
    let parquet = library.files()[0].format == InputFormat::Parquet;
    for rows in [
        1,
        whole.rows.len() / 2,
        whole.rows.len(),
        whole.rows.len() + 3,
    ] {
        let rest = Reading::of(&library, rows, 64);
        // Skipped pages of Parquet are not read, so their damage is not detected.
        if whole.end == End::Whole || (whole.end != End::Stopped && !parquet) {
            assert_eq!(rest.rows, whole.rows[rows.min(whole.rows.len())..]);
            assert_eq!(rest.end, whole.end);
        }
        if let End::Failed(error) = &rest.end {
            check_error(error, path);
        }
    }
    whole.rows.iter().for_each(check_row);
    look(&library, &whole, path);
}

/// Fails unless estimate and sample agree with the rows read.
fn look(library: &Library, whole: &Reading, path: &Path) {
    match library.rows_estimate() {
        Ok(estimate) => {
            if estimate.exact && whole.end == End::Whole {
                assert_eq!(estimate.rows, whole.rows.len() as u64);
            }
        }
        Err(error) => check_error(&error, path),
    }
    match library.sample(50) {
        Ok(sample) => {
            assert!(sample.len() <= 50);
            sample.iter().map(Row::from).for_each(|row| check_row(&row));
        }
        Err(error) => check_error(&error, path),
    }
}

/// A row that outlives its batch.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    row: u64,
    id: Option<String>,
    text: Vec<u8>,
    kind: TextKind,
    fault: Option<String>,
}

impl From<ParentRow<'_>> for Row {
    fn from(row: ParentRow<'_>) -> Row {
        Row {
            row: row.row,
            id: match row.id {
                RowId::Named(id) => Some(id.to_owned()),
                RowId::RowNumber => None,
            },
            text: row.text.to_vec(),
            kind: row.kind,
            fault: row.fault.map(|fault| fault.reason.to_owned()),
        }
    }
}

/// How reading ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Whole,
    Failed(SourceError),
    /// At [`ROWS_MAX`].
    Stopped,
}

#[derive(Debug, PartialEq, Eq)]
struct Reading {
    rows: Vec<Row>,
    end: End,
}

impl Reading {
    /// Reads after the first `skip` rows.
    fn of(library: &Library, skip: usize, rows_max: usize) -> Reading {
        let mut rows = Vec::new();
        let mut batch = ParentBatch::new();
        let end = match Reading::fill(library, skip as u64, rows_max, &mut batch, &mut rows) {
            Ok(end) => end,
            Err(error) => {
                // The rows before the error are in the batch.
                rows.extend(batch.iter().map(Row::from));
                End::Failed(error)
            }
        };
        rows.truncate(ROWS_MAX);
        Reading { rows, end }
    }

    fn fill(
        library: &Library,
        skip: u64,
        rows_max: usize,
        batch: &mut ParentBatch,
        rows: &mut Vec<Row>,
    ) -> Result<End, SourceError> {
        let mut reader: LibraryReader = library.reader()?;
        let skipped = reader.skip_rows(skip)?;
        assert!(skipped <= skip && reader.rows_read() == skipped);
        while reader.next_batch(batch, rows_max)? {
            rows.extend(batch.iter().map(Row::from));
            assert_eq!(reader.rows_read(), skipped + rows.len() as u64);
            if rows.len() >= ROWS_MAX {
                return Ok(End::Stopped);
            }
        }
        batch.clear();
        Ok(End::Whole)
    }
}

/// Checks what the docs of [`ParentRow`] state.
fn check_row(row: &Row) {
    if let Some(fault) = &row.fault {
        assert_one_line(fault);
    } else if row.kind == TextKind::Smiles {
        assert!(!row.text.is_empty() && !row.text.contains(&0));
        assert!(str::from_utf8(&row.text).is_ok());
    } else {
        assert!(row.text.ends_with(b"\n"));
    }
    let id = row.id.as_deref();
    assert!(id.is_none_or(|id| (1..=ID_BYTES_MAX).contains(&id.len())));
}

fn check_error(error: &SourceError, path: &Path) {
    let shown = error.to_string();
    assert_one_line(&shown);
    assert!(shown.starts_with(&*path.to_string_lossy()), "{shown}");
}
