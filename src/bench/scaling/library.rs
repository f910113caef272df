//! The library that the jobs read: molecules made from the shipped natural products, or the rows of a file.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringBuilder},
    error::ArrowError,
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use crate::{
    bench::error::BenchError,
    sieve::conformance::natural_products,
    store::StoreError,
    table::source::{ColumnChoice, Library, ParentBatch, RowId, TextKind},
};

/// Groups that can be put before the first atom of a molecule, one after the other.
const GROUPS: [&str; 15] = [
    "OCC", "NCC", "SCC", "OC(C)C", "NC(C)C", "SC(C)C", "OCC(C)", "NCC(C)", "SCC(C)", "OC(=O)C",
    "NC(=O)C", "SC(=O)C", "OCC(=O)", "NCC(=O)", "SCC(=O)",
];
/// In a library to be deduplicated, one row of so many repeats an earlier one.
const ROWS_PER_REPEAT: u64 = 4;
/// Rows of a batch that is read or written at a time.
const BATCH_ROWS: usize = 8_192;

/// Molecules by number: the shipped natural products whose first atom has a free hydrogen, as they are, then with one
/// group before that atom, with two groups, and so on.
pub(super) struct Generator {
    products: Vec<&'static str>,
}

impl Generator {
    pub fn new() -> Self {
        let products = natural_products().filter(|smiles| takes_group(smiles));
        Self {
            products: products.collect(),
        }
    }

    /// Appends the SMILES of a molecule.
    fn write(&self, number: u64, text: &mut String) {
        let (count, groups) = (self.products.len() as u64, GROUPS.len() as u64);
        let mut left = number / count;
        while left > 0 {
            text.push_str(GROUPS[((left - 1) % groups) as usize]);
            left = (left - 1) / groups;
        }
        text.push_str(self.products[(number % count) as usize]);
    }

    /// Writes a SMILES file of so many rows. With `repeats`, one row of four repeats an earlier one.
    pub fn write_file(&self, path: &Path, rows: u64, repeats: bool) -> Result<(), BenchError> {
        let mut file = create(path)?;
        let mut line = String::new();
        for row in 0..rows {
            let number = match repeats {
                true => with_repeats(row),
                false => row,
            };
            line.clear();
            self.write(number, &mut line);
            line.push_str(&format!(" M{number}\n"));
            file.write_all(line.as_bytes()).map_err(unwritten(path))?;
        }
        file.flush().map_err(unwritten(path))
    }
}

/// Whether a group can be put before the first atom, which then keeps its valence.
fn takes_group(smiles: &str) -> bool {
    let next = |allowed: &[u8]| {
        smiles
            .as_bytes()
            .get(1)
            .is_some_and(|c| allowed.contains(c))
    };
    match smiles.as_bytes().first() {
        Some(b'C') => next(b"CcNnOo[=/\\"),
        Some(b'N') => next(b"Cc["),
        Some(b'O') => next(b"Cc["),
        _ => false,
    }
}

/// The number of the molecule in a row of a library with repeats.
fn with_repeats(row: u64) -> u64 {
    let distinct = row - row / ROWS_PER_REPEAT;
    match row % ROWS_PER_REPEAT == ROWS_PER_REPEAT - 1 {
        // Spreads the repeats over all earlier molecules.
        true => row.wrapping_mul(0x9e37_79b9_7f4a_7c15) % distinct,
        false => distinct,
    }
}

/// Writes the SMILES and ids of a library into a SMILES file. Returns the number of rows; rows with a fault and mol
/// blocks are left out.
pub(super) fn to_smiles_file(input: &Path, path: &Path) -> Result<u64, BenchError> {
    let mut file = create(path)?;
    let mut rows = 0;
    for_each_row(input, |smiles, id| {
        rows += 1;
        writeln!(file, "{smiles} {id}").map_err(unwritten(path))
    })?;
    file.flush().map_err(unwritten(path))?;
    Ok(rows)
}

/// Writes the rows of a SMILES file into a Parquet file with the columns `smiles` and `id`.
pub(super) fn to_parquet_file(smiles_file: &Path, path: &Path) -> Result<(), BenchError> {
    let mut columns = TextColumns::default();
    let compression = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(compression);
    let schema = columns
        .batch()
        .map_err(|error| refused(path, error))?
        .schema();
    let file = create(path)?;
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties.build()))
        .map_err(|error| refused(path, error))?;
    for_each_row(smiles_file, |smiles, id| {
        columns.smiles.append_value(smiles);
        columns.id.append_value(id);
        columns.rows += 1;
        if columns.rows < BATCH_ROWS {
            return Ok(());
        }
        write_batch(&mut writer, &mut columns).map_err(|error| refused(path, error))
    })?;
    write_batch(&mut writer, &mut columns).map_err(|error| refused(path, error))?;
    let closed = writer.close();
    closed.map_err(|error| refused(path, error))?;
    Ok(())
}

#[derive(Default)]
struct TextColumns {
    smiles: StringBuilder,
    id: StringBuilder,
    rows: usize,
}

impl TextColumns {
    /// The rows so far as a batch; the columns are then empty.
    fn batch(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let column = |column: &mut StringBuilder| Arc::new(column.finish()) as ArrayRef;
        RecordBatch::try_from_iter([
            ("smiles", column(&mut self.smiles)),
            ("id", column(&mut self.id)),
        ])
    }
}

fn write_batch(
    writer: &mut ArrowWriter<BufWriter<File>>,
    columns: &mut TextColumns,
) -> Result<(), ArrowError> {
    Ok(writer.write(&columns.batch()?)?)
}

/// Calls `write` with the SMILES and the id of each row.
fn for_each_row(
    input: &Path,
    mut write: impl FnMut(&str, &str) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    let library = Library::open(&[input.into()], &ColumnChoice::default())?;
    let mut reader = library.reader()?;
    let mut batch = ParentBatch::new();
    while reader.next_batch(&mut batch, BATCH_ROWS)? {
        for row in batch.iter() {
            if row.fault.is_some() || row.kind == TextKind::MolBlock {
                continue;
            }
            let Ok(smiles) = std::str::from_utf8(row.text) else {
                continue;
            };
            match row.id {
                RowId::Named(id) => write(smiles, id)?,
                RowId::RowNumber => write(smiles, &row.row.to_string())?,
            }
        }
    }
    Ok(())
}

fn create(path: &Path) -> Result<BufWriter<File>, BenchError> {
    let file = File::create(path).map_err(|error| StoreError::io(path, "create", &error))?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

fn unwritten(path: &Path) -> impl Fn(std::io::Error) -> BenchError + '_ {
    |error| StoreError::io(path, "write", &error).into()
}

fn refused(path: &Path, error: impl Into<ArrowError>) -> BenchError {
    BenchError::Parquet {
        path: path.into(),
        reason: error.into().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::chem::RdKit;

    #[test]
    fn rdkit_reads_the_generated_molecules_and_nearly_all_are_distinct() {
        let rdkit = RdKit::initialise().unwrap();
        let generator = Generator::new();
        assert!(generator.products.len() > 300);
        let mut seen = HashSet::new();
        // Without groups, with one, and with three.
        let numbers = (0..2_000).chain(300_000..302_000);
        for number in numbers {
            let mut text = String::new();
            generator.write(number, &mut text);
            let canonical = rdkit.canonical_smiles(&text);
            seen.insert(canonical.unwrap_or_else(|why| panic!("{text}: {}", why.reason)));
        }
        assert!(seen.len() > 3_900, "{}", seen.len());
    }

    #[test]
    fn a_quarter_of_the_rows_repeats_earlier_ones() {
        let mut seen = HashSet::new();
        let repeats = (0..4_000).filter(|row| !seen.insert(with_repeats(*row)));
        assert_eq!(repeats.count(), 1_000);
        assert!(seen.contains(&0) && seen.contains(&2_999) && seen.len() == 3_000);
    }

    #[test]
    fn both_files_hold_the_same_rows() {
        let folder = tempfile::tempdir().unwrap();
        let [smi, parquet] = ["a.smi", "a.parquet"].map(|name| folder.path().join(name));
        Generator::new().write_file(&smi, 20_000, true).unwrap();
        to_parquet_file(&smi, &parquet).unwrap();
        let rows = |path: &Path| {
            let mut rows = Vec::new();
            for_each_row(path, |smiles, id| {
                rows.push(format!("{smiles} {id}"));
                Ok(())
            })
            .unwrap();
            rows
        };
        let of_text = rows(&smi);
        assert_eq!(of_text.len(), 20_000);
        assert!(of_text == rows(&parquet));
        let copy = folder.path().join("copy.smi");
        assert_eq!(to_smiles_file(&parquet, &copy).unwrap(), 20_000);
        assert!(std::fs::read(&copy).unwrap() == std::fs::read(&smi).unwrap());
    }
}
