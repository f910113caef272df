//! How parts are written.

use arrow::datatypes::Schema;

use super::{
    format::{ColumnNames, Coordinates, OutputFormat, RowName, TextKind},
    parquet_file::ParquetSettings,
};
use crate::limits::{
    CHEMISTRY_THREAD_BYTES, DEPICTION_BYTES, GATHER_BYTES, TEXT_ENCODER_BYTES, TEXT_PIECE_BYTES,
    ZSTD_STREAM_BYTES,
};

/// How parts are written.
#[derive(Clone, Debug)]
pub struct PartSettings {
    /// What they are.
    pub format: OutputFormat,
    /// How Parquet is encoded.
    pub parquet: ParquetSettings,
    /// Which columns are written; `None`: all.
    pub columns: Option<ColumnNames>,
    /// Which mol blocks have coordinates.
    pub coordinates: Coordinates,
    /// How rows are named in SMILES and SDF files.
    pub row_name: RowName,
    /// The column of the keys.
    pub key_column: &'static str,
    /// Whether a CSV file begins with the names of the columns.
    pub header: bool,
}

impl PartSettings {
    /// Parquet with all columns.
    pub fn parquet(parquet: ParquetSettings) -> Self {
        Self {
            format: OutputFormat::Parquet,
            parquet,
            columns: None,
            coordinates: Coordinates::default(),
            row_name: RowName::Product,
            key_column: "key",
            header: true,
        }
    }

    /// The columns of a schema that are needed, in its order; names that it lacks are left out.
    pub fn columns_read(&self, schema: &Schema) -> Vec<usize> {
        let of_smi = |name: &str| {
            name == "smiles" || name == self.key_column || self.row_name.columns().contains(&name)
        };
        let read = |name: &str| match (self.format.text(), &self.columns) {
            (Some(TextKind::Smi), _) => of_smi(name),
            (_, None) => true,
            (Some(TextKind::Sdf), Some(names)) => names.iter().any(|n| n == name) || of_smi(name),
            (_, Some(names)) => names.iter().any(|n| n == name),
        };
        let fields = schema.fields().iter().enumerate();
        let read = fields.filter(|(_, field)| read(field.name()));
        read.map(|(place, _)| place).collect()
    }

    /// Most memory that the sink takes, with so many row groups or pieces of text being made.
    pub fn sink_bytes(&self, encoders: usize) -> usize {
        let OutputFormat::Text(kind, _) = self.format else {
            return self.parquet.sink_bytes(encoders);
        };
        let chemistry = match kind {
            TextKind::Sdf => CHEMISTRY_THREAD_BYTES + DEPICTION_BYTES,
            _ => 0,
        };
        let base = 2 * TEXT_PIECE_BYTES + GATHER_BYTES + ZSTD_STREAM_BYTES;
        base + encoders * (TEXT_ENCODER_BYTES + chemistry)
    }
}
