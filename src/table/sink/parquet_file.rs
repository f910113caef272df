//! A Parquet file: written under a temporary name, published when it is complete.

use std::{
    io::{self, Write},
    ops::RangeInclusive,
    path::Path,
    str::FromStr,
    sync::Arc,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::properties::{EnabledStatistics, WriterProperties, WriterVersion},
    schema::types::ColumnPath,
};
use serde::{Deserialize, Serialize};

use super::error::{SinkError, encode_error};
use crate::{
    limits::SINK_BYTES,
    store::{OutputDir, PendingFile, Published, StoreError},
};

/// A published Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name, bytes and checksum.
    pub file: Published,
    /// Rows in it.
    pub rows: u64,
}

/// Columns of a part, with the properties: each has a compressor of its own.
const COLUMNS_MAX: usize = 13;

/// How a Parquet file is encoded.
#[derive(Clone, Copy, Debug)]
pub struct ParquetSettings {
    /// Encoded bytes at which a row group is closed.
    pub row_group_bytes: usize,
    /// How pages are compressed.
    pub compression: PartCompression,
}

/// `--compression`: how the pages of a part are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PartCompression {
    /// Zstandard at a level from 1 to 9.
    Zstd(u8),
    /// Snappy.
    Snappy,
    /// LZ4 blocks (`LZ4_RAW`), which current Parquet readers accept.
    Lz4,
    /// None.
    None,
}

impl PartCompression {
    const ZSTD_LEVELS: RangeInclusive<u8> = 1..=9;

    fn codec(self) -> Compression {
        match self {
            Self::Zstd(level) => {
                Compression::ZSTD(ZstdLevel::try_new(level.into()).unwrap_or_default())
            }
            Self::Snappy => Compression::SNAPPY,
            Self::Lz4 => Compression::LZ4_RAW,
            Self::None => Compression::UNCOMPRESSED,
        }
    }

    /// Bytes of the tables of one compressor beyond those of the default level, for pages of up to 1 MiB. From
    /// zstd's table of parameters for inputs above 256 KiB.
    fn table_bytes(self) -> usize {
        match self {
            Self::Zstd(4..=6) => 4 << 20,
            Self::Zstd(7 | 8) => 8 << 20,
            Self::Zstd(9..) => 16 << 20,
            _ => 0,
        }
    }
}

impl Default for PartCompression {
    fn default() -> Self {
        Self::Zstd(3)
    }
}

impl FromStr for PartCompression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("zstd:").map(str::parse)) {
            ("zstd", _) => Ok(Self::default()),
            ("snappy", _) => Ok(Self::Snappy),
            ("lz4", _) => Ok(Self::Lz4),
            ("none", _) => Ok(Self::None),
            (_, Some(Ok(level))) if Self::ZSTD_LEVELS.contains(&level) => Ok(Self::Zstd(level)),
            _ => Err(format!(
                "`{text}` is not a compression; use zstd, zstd:1 to zstd:9, snappy, lz4 or none"
            )),
        }
    }
}

impl TryFrom<String> for PartCompression {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<PartCompression> for String {
    fn from(compression: PartCompression) -> Self {
        match compression {
            PartCompression::Zstd(level) => format!("zstd:{level}"),
            PartCompression::Snappy => "snappy".into(),
            PartCompression::Lz4 => "lz4".into(),
            PartCompression::None => "none".into(),
        }
    }
}

impl ParquetSettings {
    /// The default encoding with row groups of this many bytes.
    pub fn new(row_group_bytes: usize) -> Self {
        Self {
            row_group_bytes,
            compression: PartCompression::default(),
        }
    }

    /// Most memory that encoding takes beside the row group, bytes.
    pub fn encoder_bytes(self) -> usize {
        SINK_BYTES + COLUMNS_MAX * self.compression.table_bytes()
    }
}

/// A file that can be taken back from the encoder after its last write.
struct Held(Option<PendingFile>);

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), PendingFile::flush)
    }
}

/// A Parquet file that is being written.
pub(super) struct ParquetFile {
    writer: ArrowWriter<Held>,
    row_group_bytes: usize,
    rows: u64,
}

impl ParquetFile {
    pub(super) fn begin(
        output: &OutputDir,
        name: &str,
        schema: &SchemaRef,
        settings: ParquetSettings,
    ) -> Result<Self, SinkError> {
        let pending = output.begin(name)?;
        let held = Held(Some(pending));
        let properties = writer_properties(settings);
        let writer = ArrowWriter::try_new(held, Arc::clone(schema), Some(properties))
            .map_err(encode_error)?;
        Ok(Self {
            writer,
            row_group_bytes: settings.row_group_bytes,
            rows: 0,
        })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        self.rows += batch.num_rows() as u64;
        let target = self.target().to_owned();
        let written = self.writer.write(batch).and_then(|()| {
            if self.writer.in_progress_size() >= self.row_group_bytes {
                self.writer.flush()?;
            }
            Ok(())
        });
        written.map_err(|error| parquet_error(&target, error))
    }

    fn target(&self) -> &Path {
        let held = self.writer.inner().0.as_ref();
        held.map_or(Path::new(""), PendingFile::target)
    }

    /// Bytes written and waiting in the open row group.
    pub(super) fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    pub(super) fn publish(mut self, output: &OutputDir) -> Result<Part, SinkError> {
        let target = self.target().to_owned();
        // Writes the last row group and the footer. Taking the writer apart instead (`into_inner`) would
        // turn an error of the disk into a text.
        self.writer
            .finish()
            .map_err(|error| parquet_error(&target, error))?;
        let pending = self.writer.inner_mut().0.take();
        let pending = pending.expect("it is taken here only, and the writer is consumed");
        Ok(Part {
            file: output.publish(pending)?,
            rows: self.rows,
        })
    }
}

/// The file system's own error, if it caused the encoder's.
fn parquet_error(target: &Path, error: ParquetError) -> SinkError {
    match error {
        ParquetError::External(inner) => match inner.downcast_ref::<io::Error>() {
            Some(io) => StoreError::io(target, "write", io).into(),
            None => SinkError::Encode(inner.to_string()),
        },
        other => encode_error(other),
    }
}

fn writer_properties(settings: ParquetSettings) -> WriterProperties {
    // SMILES and keys never repeat, so a dictionary would only cost time; parents and rules do.
    let plain = ["smiles", "key", "mw", "clogp", "tpsa"].map(ColumnPath::from);
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(format!("molsieve {}", env!("CARGO_PKG_VERSION")))
        .set_compression(settings.compression.codec())
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_page_size_limit(256 << 10)
        .set_data_page_size_limit(512 << 10)
        .set_max_row_group_row_count(None);
    for column in plain {
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::PLAIN);
    }
    properties
        // The key is random: neither its bounds nor compressing it help anybody.
        .set_column_compression(ColumnPath::from("key"), Compression::UNCOMPRESSED)
        .set_column_statistics_enabled(ColumnPath::from("key"), EnabledStatistics::None)
        .build()
}
