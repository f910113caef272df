//! A Parquet file: written under a temporary name, published when it is complete.

use std::{
    collections::VecDeque,
    io::{self, Write},
    iter,
    ops::{Range, RangeInclusive},
    path::Path,
    str::FromStr,
    sync::Arc,
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Schema, SchemaRef},
};
use parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowRowGroupWriterFactory},
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties, WriterVersion},
        writer::SerializedFileWriter,
    },
    schema::types::ColumnPath,
};
use serde::{Deserialize, Serialize};

use super::{
    density::Density,
    encoders::{Columns, Encoders, Spent, Task, encode_columns},
    error::{SinkError, encode_error},
};
use crate::{
    limits::{ENCODER_BYTES, GATHER_BYTES},
    store::{OutputDir, PendingFile, Published, StoreError},
    table::content::batch_bytes,
};

/// A published Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name, bytes and checksum.
    pub file: Published,
    /// Rows in it.
    pub rows: u64,
    /// Rows of an SDF for which RDKit makes no mol block.
    #[serde(default)]
    pub without_mol_block: u64,
}

/// How a Parquet file is encoded.
#[derive(Clone, Copy, Debug)]
pub struct ParquetSettings {
    /// Bytes of content, not yet encoded, at which a row group is closed.
    pub row_group_bytes: usize,
    /// How pages are compressed.
    pub compression: PartCompression,
    /// Whether no column repeats from row to row, as with molecules that have no parent in common.
    pub rows_differ: bool,
    /// The last columns, of any type, which are encoded by the encoder's defaults: with a dictionary, as long as it is small.
    pub kept_columns: usize,
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
        // As small as at level 3 on products and on molecules, in half the time.
        Self::Zstd(1)
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
            rows_differ: false,
            kept_columns: 0,
        }
    }

    /// Most memory that the sink takes, with so many row groups being encoded: each has its content, what becomes of
    /// it, and a compressor.
    pub fn sink_bytes(self, encoders: usize) -> usize {
        let encoder = 2 * self.row_group_bytes + ENCODER_BYTES + self.compression.table_bytes();
        self.row_group_bytes + GATHER_BYTES + encoders * encoder
    }
}

/// A file that can be taken back from the encoder after its last write.
pub(super) struct Held(pub(super) Option<PendingFile>);

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), PendingFile::flush)
    }
}

/// A Parquet file that is being written. Row groups are closed by their content alone and encoded on a pool, several at
/// a time; the file gets them in order. So its bytes do not depend on the number of threads.
pub(super) struct ParquetFile {
    writer: SerializedFileWriter<Held>,
    column_writers: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    encoders: Arc<Encoders>,
    row_group_bytes: usize,
    /// The open row group, and the bytes of its content.
    open: Vec<RecordBatch>,
    open_bytes: usize,
    /// Row groups that are being encoded, each by tasks for columns that follow each other.
    encoding: VecDeque<Vec<Task<Columns>>>,
    row_groups: usize,
    rows: u64,
    content_bytes: u64,
    /// Time that row groups took to encode, not yet reported.
    spent: Spent,
}

impl ParquetFile {
    pub(super) fn begin(
        output: &OutputDir,
        name: &str,
        schema: &SchemaRef,
        settings: ParquetSettings,
        encoders: &Arc<Encoders>,
    ) -> Result<Self, SinkError> {
        let pending = output.begin(name)?;
        let target = pending.target().to_owned();
        let properties = writer_properties(settings, schema);
        let held = Held(Some(pending));
        // It adds the Arrow schema to the file's properties.
        let writer = ArrowWriter::try_new(held, Arc::clone(schema), Some(properties));
        let parts = writer.and_then(ArrowWriter::into_serialized_writer);
        let (writer, column_writers) = parts.map_err(|error| parquet_error(&target, error))?;
        Ok(Self {
            writer,
            column_writers,
            schema: Arc::clone(schema),
            encoders: Arc::clone(encoders),
            row_group_bytes: settings.row_group_bytes,
            open: Vec::new(),
            open_bytes: 0,
            encoding: VecDeque::new(),
            row_groups: 0,
            rows: 0,
            content_bytes: 0,
            spent: Spent::default(),
        })
    }

    pub(super) fn write(&mut self, batch: RecordBatch) -> Result<(), SinkError> {
        let bytes = batch_bytes(&batch);
        self.rows += batch.num_rows() as u64;
        self.content_bytes += bytes as u64;
        self.open_bytes += bytes;
        self.open.push(batch);
        if self.open_bytes >= self.row_group_bytes {
            self.close_row_group()?;
        }
        Ok(())
    }

    /// Has the open row group encoded. Waits while as many are being encoded as may be.
    fn close_row_group(&mut self) -> Result<(), SinkError> {
        let columns = self.schema.fields().len();
        self.encode_open(iter::once(0..columns))
    }

    /// Has the open row group encoded by a task for each range of its columns.
    fn encode_open(&mut self, ranges: impl Iterator<Item = Range<usize>>) -> Result<(), SinkError> {
        while self.encoding.len() >= self.encoders.threads() {
            self.append_early()?;
        }
        let batches: Arc<[_]> = std::mem::take(&mut self.open).into();
        self.open_bytes = 0;
        let writers = self.column_writers.create_column_writers(self.row_groups);
        let mut writers = writers.map_err(encode_error)?.into_iter();
        self.row_groups += 1;
        let values = self.writer.schema_descr();
        let roots = (0..values.num_columns()).map(|value| values.get_column_root_idx(value));
        let roots: Vec<_> = roots.collect();
        let tasks = ranges.map(|columns| {
            let count = roots.iter().filter(|root| columns.contains(root)).count();
            let writers = writers.by_ref().take(count).collect();
            let (schema, batches) = (Arc::clone(&self.schema), Arc::clone(&batches));
            let encode = move || encode_columns(columns, writers, &schema, &batches);
            self.encoders.start(encode)
        });
        self.encoding.push_back(tasks.collect());
        Ok(())
    }

    /// Writes the oldest row group that is being encoded to the file, while further ones are made.
    fn append_early(&mut self) -> Result<(), SinkError> {
        self.append_oldest()?;
        let held = self.writer.inner_mut().0.as_mut();
        Ok(held.map_or(Ok(()), PendingFile::sync_soon)?)
    }

    /// Writes the oldest row group that is being encoded to the file.
    fn append_oldest(&mut self) -> Result<(), SinkError> {
        let Some(oldest) = self.encoding.pop_front() else {
            return Ok(());
        };
        let mut encoded = Vec::new();
        for task in oldest {
            let (columns, spent) = task.join()?;
            self.spent += spent;
            encoded.push(columns);
        }
        let encoded = encoded.into_iter().collect::<Result<Vec<_>, _>>();
        let appended = encoded.and_then(|columns| {
            let mut row_group = self.writer.next_row_group()?;
            for column in columns.into_iter().flatten() {
                column.append_to_row_group(&mut row_group)?;
            }
            row_group.close()
        });
        let failed = appended.err();
        failed.map_or(Ok(()), |error| Err(parquet_error(self.target(), error)))
    }

    fn target(&self) -> &Path {
        let held = self.writer.inner().0.as_ref();
        held.map_or(Path::new(""), PendingFile::target)
    }

    /// Bytes of the rows written so far before encoding: a function of the rows alone.
    pub(super) fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// What encoding made of the first row group; waits until that is known. `None` while it is open.
    pub(super) fn density_of_first_row_group(&mut self) -> Result<Option<Density>, SinkError> {
        if self.row_groups != 1 {
            return Ok(None);
        }
        let before = self.writer.bytes_written();
        self.append_early()?;
        Ok(Some(Density {
            content_bytes: self.content_bytes,
            encoded_bytes: (self.writer.bytes_written() - before) as u64,
        }))
    }

    /// Time that row groups took to encode since the last call.
    pub(super) fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    /// Encodes what is left; afterwards the file has all row groups.
    pub(super) fn end(&mut self) -> Result<(), SinkError> {
        if !self.open.is_empty() {
            // Column by column: no further row group of this file keeps the pool busy.
            let columns = 0..self.schema.fields().len();
            self.encode_open(columns.map(|column| column..column + 1))?;
        }
        while !self.encoding.is_empty() {
            self.append_oldest()?;
        }
        Ok(())
    }

    pub(super) fn publish(mut self, output: &OutputDir) -> Result<Part, SinkError> {
        self.end()?;
        // Writes the footer. Taking the writer apart instead (`into_inner`) would turn an error of the disk into a
        // text.
        let finished = self.writer.finish();
        finished.map_err(|error| parquet_error(self.target(), error))?;
        let pending = self.writer.inner_mut().0.take();
        let pending = pending.expect("it is taken here only, and the writer is consumed");
        Ok(Part {
            file: output.publish(pending)?,
            rows: self.rows,
            without_mol_block: 0,
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

fn writer_properties(settings: ParquetSettings, schema: &Schema) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(format!("molsieve {}", env!("CARGO_PKG_VERSION")))
        .set_compression(settings.compression.codec())
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_page_size_limit(256 << 10)
        .set_data_page_size_limit(512 << 10)
        .set_max_row_group_row_count(None);
    // SMILES, keys and reals do not repeat, so a dictionary would only cost time; parents and rules do.
    let own = schema.fields().len() - settings.kept_columns;
    for field in schema.fields().iter().take(own) {
        let name = field.name().clone();
        let column = match field.data_type() {
            DataType::List(item) => [name, "list".into(), item.name().clone()].to_vec().into(),
            _ => ColumnPath::from(name),
        };
        let is_key = matches!(field.data_type(), DataType::FixedSizeBinary(_));
        let repeats = !is_key
            && !settings.rows_differ
            && field.name() != "smiles"
            && *field.data_type() != DataType::Float64;
        if !repeats {
            let encoding = match field.data_type() {
                // Row numbers that rise.
                DataType::UInt64 => Encoding::DELTA_BINARY_PACKED,
                _ => Encoding::PLAIN,
            };
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column.clone(), encoding);
        }
        if is_key {
            // It is random, so it can't be compressed.
            properties =
                properties.set_column_compression(column.clone(), Compression::UNCOMPRESSED);
        }
        // Nobody looks for rows between two keys or two SMILES.
        let is_list = matches!(field.data_type(), DataType::List(_));
        if is_key || is_list || field.name().ends_with("smiles") {
            properties = properties.set_column_statistics_enabled(column, EnabledStatistics::None);
        }
    }
    properties.build()
}

#[cfg(test)]
mod tests {
    use crate::cores::Cores;
    use arrow::{
        array::{ArrayRef, AsArray, StringArray, UInt64Array},
        datatypes::Field,
    };
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::store::Existing;

    const ROW_GROUP_BYTES: usize = 200_000;

    fn batches() -> Vec<RecordBatch> {
        let fields = [("smiles", DataType::Utf8), ("parent_row", DataType::UInt64)];
        let fields = fields.map(|(name, data_type)| Field::new(name, data_type, false));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let batch = |number: u64| {
            let rows = 500 + 700 * (number % 3);
            let text = |row: u64| format!("C{}", (row * 2_654_435_761) ^ number).repeat(3);
            let columns: [ArrayRef; 2] = [
                Arc::new(StringArray::from_iter_values((0..rows).map(text))),
                Arc::new(UInt64Array::from_iter_values((0..rows).map(|row| row / 9))),
            ];
            RecordBatch::try_new(Arc::clone(&schema), columns.to_vec()).unwrap()
        };
        (0..60).map(batch).collect()
    }

    fn written(folder: &Path, batches: &[RecordBatch], threads: usize) -> Part {
        let output = OutputDir::open(folder, Existing::Overwrite).unwrap();
        let encoders = Arc::new(Encoders::new(threads, &Cores::new(threads)).unwrap());
        let (schema, settings) = (batches[0].schema(), ParquetSettings::new(ROW_GROUP_BYTES));
        let begun = ParquetFile::begin(&output, "part.parquet", &schema, settings, &encoders);
        let mut file = begun.unwrap();
        for batch in batches {
            file.write(batch.clone()).unwrap();
        }
        file.publish(&output).unwrap()
    }

    #[test]
    fn a_file_is_the_same_whatever_the_number_of_encoders() {
        let folder = tempfile::tempdir().unwrap();
        let batches = batches();
        let one = written(&folder.path().join("1"), &batches, 1);
        for threads in [2, 3, 16] {
            let other = written(&folder.path().join(threads.to_string()), &batches, threads);
            assert_eq!(other, one, "{threads} threads");
        }
        let file = std::fs::File::open(folder.path().join("3/part.parquet")).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.schema(), &batches[0].schema());
        let groups = reader.metadata().row_groups().to_vec();
        let bytes: usize = batches.iter().map(batch_bytes).sum();
        let largest = batches.iter().map(batch_bytes).max().unwrap();
        assert!(groups.len() > 10, "{} row groups", groups.len());
        assert!(groups.len() >= bytes / (ROW_GROUP_BYTES + largest));
        let read: Vec<_> = reader.with_batch_size(100_000).build().unwrap().collect();
        let read: Vec<RecordBatch> = read.into_iter().map(Result::unwrap).collect();
        let whole = |batches: &[RecordBatch]| {
            arrow::compute::concat_batches(&batches[0].schema(), batches).unwrap()
        };
        assert_eq!(whole(&read), whole(&batches));
        assert_eq!(one.rows, whole(&batches).num_rows() as u64);
    }

    #[test]
    fn the_content_of_a_batch_is_that_of_its_rows() {
        let batch = &batches()[1];
        let texts = batch.column(0).as_string::<i32>();
        let text: usize = texts.iter().map(|text| text.unwrap().len()).sum();
        assert_eq!(batch_bytes(batch), text + batch.num_rows() * (4 + 8));
        let half = batch.slice(300, 200);
        let texts = half.column(0).as_string::<i32>();
        let text: usize = texts.iter().map(|text| text.unwrap().len()).sum();
        assert_eq!(batch_bytes(&half), text + 200 * 12);
    }
}
