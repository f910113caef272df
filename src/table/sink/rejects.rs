//! Rejected rows: kept in a spill while the job runs, written as `rejects.parquet` at its end.

use std::{io::Read, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, UInt8Array, UInt64Array},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use super::{
    encoders::Encoders,
    error::{SinkError, encode_error},
    parquet_file::{ParquetFile, ParquetSettings, Part},
};
use crate::{
    limits::SINK_CHUNK_ROWS,
    reject::RejectCode,
    slot::Slot,
    store::{
        OutputDir, StoreError,
        spill::{Kind, SpillLength, SpillReader, SpillWriter},
    },
};

/// Keeps the rejected parents of slots until the end of the run.
///
/// An item of the spill, little-endian: row u64, number of the code u8, bytes of the id u32, bytes of the text u32,
/// bytes of the reason u32, id, text, reason; all UTF-8.
pub struct RejectLog {
    spill: SpillWriter,
}

impl RejectLog {
    /// Writes a new spill at `path`, or continues after `length` of it.
    pub fn new(path: &Path, length: Option<SpillLength>) -> Result<Self, StoreError> {
        let spill = SpillWriter::open(path, Kind::Rejects, length)?;
        Ok(Self { spill })
    }

    /// Adds the rejected parents of a slot.
    pub fn write(&mut self, slot: &Slot) -> Result<(), StoreError> {
        // What is not UTF-8 is kept readable: its bytes as \xNN.
        let readable = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.escape_ascii().to_string(),
        };
        if slot.account.counts.parents_rejected == 0 {
            return Ok(());
        }
        for parent in slot.parents_with(|flags| flags.reject_code().is_some()) {
            let Some(code) = parent.flags.reject_code() else {
                continue;
            };
            let texts = [parent.id, parent.smiles, parent.reason].map(readable);
            let mut item = parent.row.to_le_bytes().to_vec();
            item.push(code as u8);
            texts
                .iter()
                .for_each(|text| item.extend((text.len() as u32).to_le_bytes()));
            item.extend(texts.concat().bytes());
            self.spill.push(&item)?;
        }
        Ok(())
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

/// Writes `rejects.parquet` (row number, id, text, reason and code of every row that can't be used) from
/// what a [`RejectLog`] kept at a path. Without rejects, writes no file. `steps`: in a job of several, each step with the
/// number of rejects until it was done.
pub fn publish_rejects(
    output: &OutputDir,
    (path, length): (&Path, SpillLength),
    steps: Option<Vec<(u8, u64)>>,
    encoders: &Arc<Encoders>,
) -> Result<Option<Part>, SinkError> {
    let mut sink = RejectSink {
        output,
        encoders,
        file: None,
        steps,
        published: 0,
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
    encoders: &'a Arc<Encoders>,
    file: Option<ParquetFile>,
    steps: Option<Vec<(u8, u64)>>,
    /// Rejects written before those that wait.
    published: u64,
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
    /// The kind of the reason.
    pub code: RejectCode,
}

/// Bytes of text of the rejects that are encoded together.
const REJECTS_WAITING_BYTES_MAX: usize = 256 << 10;
/// Bytes at which a row group of rejects is closed.
const REJECTS_ROW_GROUP_BYTES: usize = 1 << 20;

impl Reject {
    /// Reads an item off the front of a block; `None` if there is not a whole one.
    fn read(from: &mut &[u8]) -> Option<Self> {
        let row = u64::from_le_bytes(*take(from)?);
        let [code] = *take(from)?;
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
            code: RejectCode::from_number(code)?,
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
        let rows = UInt64Array::from_iter_values(self.waiting.iter().map(|r| r.row));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(rows),
            column(|reject| &reject.id),
            column(|reject| &reject.text),
            column(|reject| &reject.reason),
            column(|reject| reject.code.as_str()),
        ];
        if let Some(steps) = &self.steps {
            let ordinals = (self.published..).take(self.waiting.len());
            let step = |ordinal| {
                let step = steps.iter().find(|(_, end)| ordinal < *end);
                step.map_or(0, |(step, _)| *step)
            };
            columns.push(Arc::new(UInt8Array::from_iter_values(ordinals.map(step))));
        }
        let schema = reject_schema(self.steps.is_some());
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(encode_error)?;
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(ParquetFile::begin(
                self.output,
                "rejects.parquet",
                &schema,
                ParquetSettings::new(REJECTS_ROW_GROUP_BYTES),
                self.encoders,
            )?),
        };
        file.write(batch)?;
        self.published += self.waiting.len() as u64;
        self.waiting.clear();
        self.waiting_bytes = 0;
        Ok(())
    }
}

/// The schema of `rejects.parquet`; `steps`: of a job of several steps.
pub fn reject_schema(steps: bool) -> SchemaRef {
    let mut fields = vec![
        Field::new("row", DataType::UInt64, false),
        Field::new("id", DataType::Utf8, false),
        Field::new("text", DataType::Utf8, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("code", DataType::Utf8, false),
    ];
    if steps {
        fields.push(Field::new("step", DataType::UInt8, false));
    }
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(row: u64) -> Vec<u8> {
        let lengths = [1u32, 2, 6].map(u32::to_le_bytes).concat();
        let code = [RejectCode::Syntax as u8];
        let row = row.to_le_bytes();
        [&row, code.as_slice(), lengths.as_slice(), b"7CCreason"].concat()
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
        assert_eq!(rejects[1].code, RejectCode::Syntax);
        let mut unknown = reject(1);
        unknown[8] = RejectCode::ALL.len() as u8;
        assert!(read(&unknown, 1).is_err());
        for (payload, items) in [(&two[..], 1), (&two[..], 3), (&two[..two.len() - 1], 2)] {
            let error = read(payload, items).unwrap_err();
            assert!(
                matches!(&error, SinkError::Store(StoreError::Damaged { .. })),
                "{items}: {error}"
            );
        }
    }
}
