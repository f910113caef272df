//! The sink: the rows that remain, out of slots and into Parquet parts.
//!
//! Constraints:
//! - Columns are copied once, from the slot into the arrays the encoder reads, at most
//!   [`SINK_CHUNK_ROWS`] rows at a time.
//! - A row group is closed when its encoded bytes reach [`SinkSettings::row_group_bytes`], a part when
//!   the caller says so: by content alone, never by time, so that equal jobs write equal files.
//! - A part is published (see [`crate::store`]) as soon as it is closed.
//! - The rows of the part under way are in a log too ([`row_log`]), from which the encoder is brought back to where a
//!   checkpoint was taken.
//! - Rejects wait in a spill until the end, so that the run can be interrupted and gone on with.
//!
//! Columns and their types are those of DESIGN's output contract; see [`product_schema`].

pub mod row_log;

use std::{
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use arrow::{
    array::{
        ArrayRef, DictionaryArray, FixedSizeBinaryBuilder, Float64Builder, RecordBatch,
        StringArray, StringBuilder, UInt16Array, UInt16Builder, UInt64Builder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, UInt16Type},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::properties::{EnabledStatistics, WriterProperties, WriterVersion},
    schema::types::ColumnPath,
};

use serde::{Deserialize, Serialize};

use row_log::{PART_ROWS, RowLog};

use crate::{
    limits::SINK_CHUNK_ROWS,
    slot::{ParentFlags, Slot, Verdict},
    store::{
        OutputDir, PendingFile, Published, StoreError, part_name,
        spill::{Kind, SpillLength, SpillReader, SpillWriter},
    },
};

/// What the sink must know.
#[derive(Clone, Debug)]
pub struct SinkSettings {
    /// Names of the rules, by index. A job without rules has the one name of its cleaning step.
    pub rule_names: Vec<String>,
    /// Whether slots carry the property columns.
    pub properties: bool,
    /// Name of the column of the keys.
    pub key_column: &'static str,
    /// Whether rows are molecules of the input rather than products of them: then they have no rule, no site
    /// and no parent of another SMILES.
    pub molecules: bool,
    /// Encoded bytes at which a row group is closed.
    pub row_group_bytes: usize,
}

/// Why rows can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The file system refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The encoder refuses what it is given; a fault of molsieve.
    #[error("cannot encode a part: {0}")]
    Encode(String),
}

/// A published Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name, bytes and checksum.
    pub file: Published,
    /// Rows in it.
    pub rows: u64,
}

/// The schema of the parts. `rewritten`: `smiles` is written anew, so that of molecules too `parent_smiles` is
/// something else.
pub fn product_schema(settings: &SinkSettings, rewritten: bool) -> SchemaRef {
    let mut fields = vec![
        Field::new("smiles", DataType::Utf8, false),
        Field::new(settings.key_column, DataType::FixedSizeBinary(16), false),
        Field::new("parent_row", DataType::UInt64, false),
        Field::new("parent_id", DataType::Utf8, false),
    ];
    if !settings.molecules || rewritten {
        fields.push(Field::new("parent_smiles", DataType::Utf8, false));
    }
    if !settings.molecules {
        fields.push(Field::new_dictionary(
            "rule",
            DataType::UInt16,
            DataType::Utf8,
            false,
        ));
        fields.push(Field::new("site", DataType::UInt16, false));
    }
    if settings.properties {
        let real = |name| Field::new(name, DataType::Float64, false);
        let count = |name| Field::new(name, DataType::UInt16, false);
        fields.extend([real("mw"), real("clogp"), real("tpsa")]);
        fields.extend([count("hbd"), count("hba"), count("rotatable_bonds")]);
    }
    Arc::new(Schema::new(fields))
}

/// Writes the SMILES of some rows of a slot anew.
pub type Rewrite<'a> = dyn Fn(&Slot, &[usize]) -> Vec<String> + Send + 'a;

/// Writes the products that remain.
pub struct ProductSink<'a> {
    output: &'a OutputDir,
    settings: SinkSettings,
    /// If `smiles` is to be written anew.
    rewrite: Option<Box<Rewrite<'a>>>,
    schema: SchemaRef,
    rule_names: Arc<StringArray>,
    part: Option<ParquetFile>,
    parts: Vec<Part>,
    /// The rows of the part under way.
    log: RowLog,
}

impl<'a> ProductSink<'a> {
    /// A sink behind `parts` that are published. `under_way`: the rows that a checkpoint knows of the part behind
    /// them, which is made again; nothing for a run from the start.
    pub fn new(
        output: &'a OutputDir,
        settings: SinkSettings,
        rewrite: Option<Box<Rewrite<'a>>>,
        parts: Vec<Part>,
        under_way: Option<SpillLength>,
    ) -> Result<Self, SinkError> {
        let schema = product_schema(&settings, rewrite.is_some());
        let rule_names = Arc::new(StringArray::from(settings.rule_names.clone()));
        let log = RowLog::new(output.work_file(PART_ROWS), under_way)?;
        let mut sink = Self {
            output,
            settings,
            rewrite,
            schema,
            rule_names,
            part: None,
            parts,
            log,
        };
        if let Some(length) = under_way.filter(|length| *length != SpillLength::EMPTY) {
            sink.make_again(length)?;
        }
        Ok(sink)
    }

    /// Gives the rows that are in the log to the encoder, in the batches in which it got them before.
    fn make_again(&mut self, length: SpillLength) -> Result<(), SinkError> {
        let (schema, rule_names) = (Arc::clone(&self.schema), Arc::clone(&self.rule_names));
        let path = self.output.work_file(PART_ROWS);
        row_log::read(&path, length, &schema, &rule_names, |batch| {
            self.write_batch(batch)
        })
    }

    /// Writes the rows of `slot` whose verdict is *new*.
    pub fn write(&mut self, slot: &Slot) -> Result<(), SinkError> {
        let columns = slot.columns();
        let rows: Vec<usize> = (0..slot.rows())
            .filter(|row| columns.verdict(*row) == Verdict::New)
            .collect();
        for chunk in rows.chunks(SINK_CHUNK_ROWS) {
            let batch = self.encode(slot, chunk)?;
            self.log.push(&batch)?;
            self.write_batch(&batch)?;
        }
        Ok(())
    }

    fn write_batch(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        let row_group_bytes = self.settings.row_group_bytes;
        self.part_under_way()?.write(batch, row_group_bytes)
    }

    /// Where the log of the rows of the part under way ends.
    pub fn flush_rows(&mut self) -> Result<SpillLength, StoreError> {
        self.log.flush()
    }

    /// The rows of the part under way are on the disk when this returns; of a part that was closed, none.
    pub fn sync_rows(&mut self) -> Result<SpillLength, StoreError> {
        match self.part {
            Some(_) => self.log.sync(),
            None => Ok(SpillLength::EMPTY),
        }
    }

    /// Forgets the rows of parts that are closed. To be called behind a checkpoint that has no part under way.
    pub fn forget_rows(&mut self) -> Result<(), StoreError> {
        self.log.restart()
    }

    /// Begins the first part although there is no row for it, so that a job without products leaves
    /// a table without rows, which readers can open.
    pub fn begin_first_part(&mut self) -> Result<(), SinkError> {
        if self.parts.is_empty() {
            self.part_under_way()?;
        }
        Ok(())
    }

    fn part_under_way(&mut self) -> Result<&mut ParquetFile, SinkError> {
        if self.part.is_none() {
            let name = part_name(self.parts.len());
            self.part = Some(ParquetFile::begin(self.output, &name, &self.schema)?);
        }
        Ok(self.part.as_mut().expect("it was begun just now"))
    }

    /// Publishes the part under way, if there is one.
    pub fn close_part(&mut self) -> Result<(), SinkError> {
        if let Some(part) = self.part.take() {
            self.parts.push(part.publish(self.output)?);
        }
        Ok(())
    }

    /// The parts published so far.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Bytes of the part under way, those that wait in its row group included.
    pub fn part_bytes(&self) -> u64 {
        self.part.as_ref().map_or(0, ParquetFile::bytes)
    }

    /// Bytes published and pending.
    pub fn bytes(&self) -> u64 {
        let published: u64 = self.parts.iter().map(|part| part.file.bytes).sum();
        published + self.part_bytes()
    }

    fn encode(&self, slot: &Slot, rows: &[usize]) -> Result<RecordBatch, SinkError> {
        let columns = slot.columns();
        let n = rows.len();
        let rewritten = self.rewrite.as_ref().map(|rewrite| rewrite(slot, rows));
        let mut smiles = StringBuilder::with_capacity(n, 64 * n);
        let mut key = FixedSizeBinaryBuilder::with_capacity(n, 16);
        let mut parent_row = UInt64Builder::with_capacity(n);
        let mut parent_id = StringBuilder::with_capacity(n, 16 * n);
        let mut parent_smiles = StringBuilder::with_capacity(n, 64 * n);
        let mut rule = UInt16Builder::with_capacity(n);
        let mut site = UInt16Builder::with_capacity(n);
        // The rows of a parent stand together.
        let (mut last, mut of_last) = (None, (0, "", ""));
        for (i, &row) in rows.iter().enumerate() {
            let index = columns.parent[row];
            if last != Some(index) {
                let parent = columns.parent(index as usize);
                let smiles = if self.settings.molecules {
                    ""
                } else {
                    text(parent.smiles)?
                };
                of_last = (parent.row, text(parent.id)?, smiles);
                last = Some(index);
            }
            let (number, id, smiles_of_parent) = of_last;
            let own = text(columns.smiles(row))?;
            match &rewritten {
                Some(rewritten) => smiles.append_value(&rewritten[i]),
                None => smiles.append_value(own),
            }
            key.append_value(columns.key(row).bytes())
                .map_err(encode_error)?;
            parent_row.append_value(number);
            parent_id.append_value(id);
            if !self.settings.molecules {
                parent_smiles.append_value(smiles_of_parent);
            } else if rewritten.is_some() {
                parent_smiles.append_value(own);
            }
            rule.append_value(columns.rule[row]);
            site.append_value(columns.site[row]);
        }
        let names = Arc::clone(&self.rule_names) as ArrayRef;
        let rule =
            DictionaryArray::<UInt16Type>::try_new(rule.finish(), names).map_err(encode_error)?;
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(smiles.finish()),
            Arc::new(key.finish()),
            Arc::new(parent_row.finish()),
            Arc::new(parent_id.finish()),
        ];
        if !self.settings.molecules || rewritten.is_some() {
            arrays.push(Arc::new(parent_smiles.finish()));
        }
        if !self.settings.molecules {
            arrays.push(Arc::new(rule));
            arrays.push(Arc::new(site.finish()));
        }
        if self.settings.properties {
            arrays.extend((0..3).map(|i| reals(columns.real_properties, rows, i)));
            arrays.extend((0..3).map(|i| counts(columns.count_properties, rows, i)));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(encode_error)
    }
}

fn reals(values: &[f64], rows: &[usize], property: usize) -> ArrayRef {
    let mut column = Float64Builder::with_capacity(rows.len());
    rows.iter()
        .for_each(|row| column.append_value(values[3 * row + property]));
    Arc::new(column.finish())
}

fn counts(values: &[u16], rows: &[usize], property: usize) -> ArrayRef {
    Arc::new(UInt16Array::from_iter_values(
        rows.iter().map(|row| values[3 * row + property]),
    ))
}

fn text(bytes: &[u8]) -> Result<&str, SinkError> {
    std::str::from_utf8(bytes).map_err(encode_error)
}

fn encode_error(error: impl std::fmt::Display) -> SinkError {
    SinkError::Encode(error.to_string())
}

/// Keeps the rejected parents of slots until the end of the run.
///
/// An item of the spill, little-endian: row u64, bytes of the id u32, bytes of the text u32, bytes of
/// the reason u32, id, text, reason; all UTF-8.
pub struct RejectLog {
    spill: SpillWriter,
}

impl RejectLog {
    /// Writes a new spill at `path`, or goes on behind `length` of it.
    pub fn new(path: &Path, length: Option<SpillLength>) -> Result<Self, StoreError> {
        let spill = match length {
            Some(length) => SpillWriter::resume(path, length)?,
            None => SpillWriter::create(path, Kind::Rejects)?,
        };
        Ok(Self { spill })
    }

    /// Adds the rejected parents of a slot; gives back how many there were.
    pub fn write(&mut self, slot: &Slot) -> Result<u64, StoreError> {
        // What is not UTF-8 is kept readable: its bytes as \xNN.
        let readable = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.escape_ascii().to_string(),
        };
        let mut rejected = 0;
        for parent in slot.each_parent() {
            if parent.flags.has(ParentFlags::REJECTED) {
                let texts = [parent.id, parent.smiles, parent.reason].map(readable);
                let mut item = parent.row.to_le_bytes().to_vec();
                texts
                    .iter()
                    .for_each(|text| item.extend((text.len() as u32).to_le_bytes()));
                item.extend(texts.concat().bytes());
                self.spill.push(&item)?;
                rejected += 1;
            }
        }
        Ok(rejected)
    }

    /// What was added is in the file, though perhaps not yet on the disk.
    pub fn flush(&mut self) -> Result<SpillLength, StoreError> {
        self.spill.flush()
    }

    /// What was added is on the disk when this returns.
    pub fn sync(&mut self) -> Result<SpillLength, StoreError> {
        self.spill.sync()
    }
}

/// Writes `rejects.parquet` (row number, id, text and reason of every row that can't be used) from
/// what a [`RejectLog`] kept at `path`. No rejects, no file.
pub fn publish_rejects(
    output: &OutputDir,
    path: &Path,
    length: SpillLength,
) -> Result<Option<Part>, SinkError> {
    let mut sink = RejectSink {
        output,
        file: None,
        waiting: Vec::new(),
        waiting_bytes: 0,
    };
    let mut log = SpillReader::open(path, Kind::Rejects, length)?;
    read_rejects(&mut log, |reject| sink.push(reject))?;
    sink.publish()
}

/// Gives every reject that a [`RejectLog`] kept to `take`, in order.
pub fn read_rejects<R: Read>(
    log: &mut SpillReader<R>,
    mut take: impl FnMut(Reject) -> Result<(), SinkError>,
) -> Result<(), SinkError> {
    while let Some((mut items, count)) = log.next_block()? {
        for _ in 0..count {
            match Reject::read(&mut items) {
                Some(reject) => take(reject)?,
                None => return Err(log.damaged("a reject is cut short").into()),
            }
        }
        if !items.is_empty() {
            return Err(log
                .damaged("a block has more in it than its rejects")
                .into());
        }
    }
    Ok(())
}

/// Encodes rejects.
struct RejectSink<'a> {
    output: &'a OutputDir,
    file: Option<ParquetFile>,
    waiting: Vec<Reject>,
    waiting_bytes: usize,
}

/// A row of the input that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// 0-based row over all inputs.
    pub row: u64,
    /// Its id, or its row number as text.
    pub id: String,
    /// What was read of it.
    pub text: String,
    /// Why it can't be used.
    pub reason: String,
}

/// Text of rejects that may wait to be written together.
const REJECTS_WAITING_BYTES_MAX: usize = 256 << 10;
/// Encoded bytes at which a row group of rejects is closed.
const REJECTS_ROW_GROUP_BYTES: usize = 1 << 20;

impl Reject {
    /// Reads an item off the front of a block; `None` if there is not a whole one.
    fn read(from: &mut &[u8]) -> Option<Self> {
        let row = u64::from_le_bytes(*take(from)?);
        let lengths = [*take::<4>(from)?, *take::<4>(from)?, *take::<4>(from)?];
        let mut text = |length: [u8; 4]| {
            let (text, rest) = from.split_at_checked(u32::from_le_bytes(length) as usize)?;
            *from = rest;
            String::from_utf8(text.to_vec()).ok()
        };
        Some(Self {
            row,
            id: text(lengths[0])?,
            text: text(lengths[1])?,
            reason: text(lengths[2])?,
        })
    }
}

fn take<'a, const N: usize>(from: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(taken)
}

impl RejectSink<'_> {
    /// Publishes the file, if there is any reject.
    fn publish(mut self) -> Result<Option<Part>, SinkError> {
        self.flush()?;
        self.file.map(|file| file.publish(self.output)).transpose()
    }

    fn push(&mut self, reject: Reject) -> Result<(), SinkError> {
        self.waiting_bytes += reject.id.len() + reject.text.len() + reject.reason.len();
        self.waiting.push(reject);
        if self.waiting_bytes > REJECTS_WAITING_BYTES_MAX || self.waiting.len() >= SINK_CHUNK_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let column = |of: fn(&Reject) -> &str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(self.waiting.iter().map(of)))
        };
        let rows = arrow::array::UInt64Array::from_iter_values(self.waiting.iter().map(|r| r.row));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows),
            column(|reject| &reject.id),
            column(|reject| &reject.text),
            column(|reject| &reject.reason),
        ];
        let schema = reject_schema();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(encode_error)?;
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(ParquetFile::begin(self.output, "rejects.parquet", &schema)?),
        };
        file.write(&batch, REJECTS_ROW_GROUP_BYTES)?;
        self.waiting.clear();
        self.waiting_bytes = 0;
        Ok(())
    }
}

/// The schema of `rejects.parquet`.
pub fn reject_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("row", DataType::UInt64, false),
        Field::new("id", DataType::Utf8, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("reason", DataType::Utf8, false),
    ]))
}

/// A file that can be taken out of the encoder once that is done with it.
struct Held(Option<PendingFile>);

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), PendingFile::flush)
    }
}

/// A Parquet file under way.
struct ParquetFile {
    writer: ArrowWriter<Held>,
    rows: u64,
}

impl ParquetFile {
    fn begin(output: &OutputDir, name: &str, schema: &SchemaRef) -> Result<Self, SinkError> {
        let pending = output.begin(name)?;
        let held = Held(Some(pending));
        let writer = ArrowWriter::try_new(held, Arc::clone(schema), Some(writer_properties()))
            .map_err(encode_error)?;
        Ok(Self { writer, rows: 0 })
    }

    fn write(&mut self, batch: &RecordBatch, row_group_bytes: usize) -> Result<(), SinkError> {
        self.rows += batch.num_rows() as u64;
        let target = self.target().to_owned();
        let written = self.writer.write(batch).and_then(|()| {
            if self.writer.in_progress_size() >= row_group_bytes {
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

    /// Bytes written and waiting in the row group under way.
    fn bytes(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    fn publish(mut self, output: &OutputDir) -> Result<Part, SinkError> {
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

/// The file system's own error, if that is what lies behind the encoder's.
fn parquet_error(target: &std::path::Path, error: ParquetError) -> SinkError {
    match error {
        ParquetError::External(inner) => match inner.downcast_ref::<std::io::Error>() {
            Some(io) => StoreError::io(target, "write", io).into(),
            None => SinkError::Encode(inner.to_string()),
        },
        other => encode_error(other),
    }
}

fn writer_properties() -> WriterProperties {
    // SMILES and keys never repeat, so a dictionary would only cost time; parents and rules do.
    let plain = ["smiles", "key", "mw", "clogp", "tpsa"].map(ColumnPath::from);
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(format!("molsieve {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(row: u64) -> Vec<u8> {
        let lengths = [1u32, 2, 6].map(u32::to_le_bytes).concat();
        [&row.to_le_bytes(), lengths.as_slice(), b"7CCreason"].concat()
    }

    /// Reads what a block of `payload` gives that is said to hold `items` rejects.
    fn read(payload: &[u8], items: u32) -> Result<Vec<Reject>, SinkError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects");
        let mut spill = SpillWriter::create(&path, Kind::Rejects).unwrap();
        spill.push_block(payload, items).unwrap();
        let length = spill.flush().unwrap();
        let mut log = SpillReader::open(&path, Kind::Rejects, length).unwrap();
        let mut rejects = Vec::new();
        read_rejects(&mut log, |reject| {
            rejects.push(reject);
            Ok(())
        })?;
        Ok(rejects)
    }

    #[test]
    fn a_block_holds_its_rejects_and_nothing_else() {
        let two = [reject(1), reject(2)].concat();
        let rejects = read(&two, 2).unwrap();
        assert_eq!(rejects.iter().map(|r| r.row).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(
            (rejects[1].id.as_str(), rejects[1].text.as_str()),
            ("7", "CC")
        );
        for (payload, items) in [(&two[..], 1), (&two[..], 3), (&two[..two.len() - 1], 2)] {
            let error = read(payload, items).unwrap_err();
            assert!(
                matches!(&error, SinkError::Store(StoreError::Damaged { .. })),
                "{items}: {error}"
            );
        }
    }
}
