//! The rows of the open part, as they went to the encoder, so that the part can be made again.
//!
//! A part closes by content, a checkpoint is taken by time: at most checkpoints, rows are in the encoder and in no
//! file. So every batch of rows is appended to a spill (`part-rows` in `.molsieve/`) before it is encoded. A resumed
//! run gives the same batches to a new encoder, which then writes the same bytes. The spill is emptied when a part is
//! closed, and is synced at checkpoints only.
//!
//! A batch is one record: blocks without items, and a last one whose items are the batch's rows. The record's content,
//! little-endian, column by column:
//!
//! ```text
//! runs u32         0: every row has its own value; otherwise the number of runs of equal values
//! length u32 …     of each run, in rows
//! bytes u32, …     the array's buffers as Arrow lays them out, of the rows or of one value per run; of lists, then the
//!                  number of their items as u32 and the buffers of these
//! ```
//!
//! These columns have no nulls. Of a dictionary column the keys are kept; the caller knows the values. Behind them stand the
//! kept columns, as the kept rows of which they are made ([`KeptColumns`]):
//!
//! ```text
//! runs u32         the number of runs of rows that have one kept row
//! rows u32, bytes u32, kept row …
//! ```

use std::path::Path;

use arrow::{
    array::{
        Array, ArrayData, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array, make_array,
    },
    buffer::Buffer,
    compute::take,
    datatypes::{DataType, SchemaRef, UInt64Type},
};

use super::{
    error::{SinkError, encode_error},
    kept_rows::KeptRows,
};
use crate::{
    limits::{PART_ROWS_PIECE_BYTES, PART_ROWS_RECORD_BYTES_MAX},
    store::{
        StoreError,
        spill::{Block, Kind, SpillLength, SpillReader},
        spill_thread::SpillThread,
    },
    table::kept::KeptColumns,
};

/// Name of the spill in `.molsieve/`.
pub const PART_ROWS: &str = "part-rows";

/// Appends the batches of the open part: records by [`record`].
pub(super) type RowLog = SpillThread;

/// A new log at `path`, or the first `length` of the one that is there.
pub(super) fn open(path: &Path, length: Option<SpillLength>) -> Result<RowLog, StoreError> {
    // A log without rows may have been cut off while it was emptied: its head may be missing.
    let begun = length.filter(|length| *length != SpillLength::EMPTY);
    SpillThread::open(path, Kind::PartRows, begun)
}

/// The record of a batch, which has rows.
pub(super) fn record(
    batch: &RecordBatch,
    kept: Option<&KeptRows<'_>>,
) -> Result<Vec<Block>, SinkError> {
    let mut record = RecordWriter {
        sealed: Vec::new(),
        piece: Block::with_capacity(PART_ROWS_PIECE_BYTES),
    };
    let own = batch.num_columns() - kept.map_or(0, KeptRows::width);
    for column in &batch.columns()[..own] {
        record.push_column(column)?;
    }
    if let Some(kept) = kept {
        record.put_number(kept.runs().len())?;
        for (rows, bytes) in kept.runs() {
            record.put_number(*rows as usize)?;
            record.put_number(bytes.len())?;
            record.put(bytes);
        }
    }
    let RecordWriter { mut sealed, piece } = record;
    sealed.push(piece.sealed(batch.num_rows() as u32));
    Ok(sealed)
}

/// Cuts the record of a batch into blocks.
struct RecordWriter {
    sealed: Vec<Block>,
    /// The block that is being filled.
    piece: Block,
}

impl RecordWriter {
    fn push_column(&mut self, column: &ArrayRef) -> Result<(), SinkError> {
        let Some(starts) = run_starts(column) else {
            self.put_number(0)?;
            return self.put_buffers(&column.to_data());
        };
        self.put_number(starts.len())?;
        let ends = starts.iter().skip(1).copied().chain([column.len() as u32]);
        for (start, end) in starts.iter().zip(ends) {
            self.put_number((end - start) as usize)?;
        }
        let values = take(column, &UInt32Array::from(starts), None).map_err(encode_error)?;
        self.put_buffers(&values.to_data())
    }

    fn put_buffers(&mut self, array: &ArrayData) -> Result<(), SinkError> {
        if array.offset() != 0 || array.null_count() != 0 {
            return Err(encode_error("a column is a slice or has nulls"));
        }
        for buffer in array.buffers() {
            self.put_number(buffer.len())?;
            self.put(buffer.as_slice());
        }
        match (array.data_type(), array.child_data()) {
            (DataType::List(_), [items]) => {
                self.put_number(items.len())?;
                self.put_buffers(items)
            }
            _ => Ok(()),
        }
    }

    fn put_number(&mut self, number: usize) -> Result<(), SinkError> {
        let number = u32::try_from(number).map_err(encode_error)?;
        self.put(&number.to_le_bytes());
        Ok(())
    }

    fn put(&mut self, mut bytes: &[u8]) {
        loop {
            let room = PART_ROWS_PIECE_BYTES - self.piece.payload().len();
            if bytes.len() <= room {
                return self.piece.extend(bytes);
            }
            let (now, later) = bytes.split_at(room);
            self.piece.extend(now);
            let next = Block::with_capacity(PART_ROWS_PIECE_BYTES);
            self.sealed
                .push(std::mem::replace(&mut self.piece, next).sealed(0));
            bytes = later;
        }
    }
}

/// Rows in which runs of equal values are looked for first.
const TRIED_ROWS: usize = 64;

/// Where runs of equal values begin, as parents repeat from row to row; `None` where that would save nothing.
fn run_starts(column: &ArrayRef) -> Option<Vec<u32>> {
    let starts = |differs: &dyn Fn(usize) -> bool| {
        // Texts that differ from row to row at the start of the batch do so to its end.
        let begin = 1..column.len().min(TRIED_ROWS);
        if begin.len() + 1 == TRIED_ROWS && begin.filter(|&row| !differs(row)).count() == 0 {
            return None;
        }
        let rows = 0..column.len();
        let starts = rows.filter(|&row| row == 0 || differs(row));
        let starts: Vec<u32> = starts.map(|row| row as u32).collect();
        (2 * starts.len() <= column.len()).then_some(starts)
    };
    match column.data_type() {
        DataType::Utf8 => {
            let texts = column.as_string::<i32>();
            starts(&|row| texts.value(row) != texts.value(row - 1))
        }
        DataType::UInt64 => {
            let numbers = column.as_primitive::<UInt64Type>().values();
            starts(&|row| numbers[row] != numbers[row - 1])
        }
        _ => None,
    }
}

/// What the columns of a log are.
#[derive(Clone, Copy)]
pub(super) struct LogColumns<'a> {
    pub schema: &'a SchemaRef,
    /// The values of the dictionary column, if there is one.
    pub dictionary: &'a StringArray,
    /// The last columns, if some are kept.
    pub kept: Option<&'a KeptColumns>,
}

/// Passes the batches in the first `length` of the log at `path` to `use_batch`, in order.
pub(super) fn read(
    path: &Path,
    length: SpillLength,
    log_columns: LogColumns<'_>,
    mut use_batch: impl FnMut(RecordBatch) -> Result<(), SinkError>,
) -> Result<(), SinkError> {
    let mut log = SpillReader::open(path, Kind::PartRows, length)?;
    let mut record = Vec::new();
    while let Some((piece, rows)) = log.next_block()? {
        record.extend_from_slice(piece);
        if record.len() > PART_ROWS_RECORD_BYTES_MAX {
            return Err(log.damaged("a batch is longer than it can be").into());
        }
        if rows > 0 {
            let batch = decode(&record, rows as usize, log_columns)
                .ok_or_else(|| log.damaged("a batch of rows can't be read"))?;
            use_batch(batch)?;
            record.clear();
        }
    }
    if record.is_empty() {
        Ok(())
    } else {
        Err(log.damaged("a batch of rows is cut short").into())
    }
}

/// The batch in a record; `None` if it is not one of this schema.
fn decode(mut record: &[u8], rows: usize, log_columns: LogColumns<'_>) -> Option<RecordBatch> {
    let LogColumns {
        schema,
        dictionary,
        kept,
    } = log_columns;
    let own = schema.fields().len() - kept.map_or(0, KeptColumns::len);
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields().iter().take(own) {
        columns.push(decode_column(
            &mut record,
            rows,
            field.data_type(),
            dictionary,
        )?);
    }
    if let Some(kept) = kept {
        columns.extend(decode_kept(&mut record, rows, kept)?);
    }
    let batch = RecordBatch::try_new(SchemaRef::clone(schema), columns).ok()?;
    record.is_empty().then_some(batch)
}

fn decode_kept(from: &mut &[u8], rows: usize, kept: &KeptColumns) -> Option<Vec<ArrayRef>> {
    let runs = take_number(from)?;
    let (mut rows_left, mut kept_rows) = (rows, KeptRows::new(kept));
    for _ in 0..runs {
        let (length, bytes) = (take_number(from)?, take_number(from)?);
        let (kept_row, rest) = from.split_at_checked(bytes)?;
        *from = rest;
        rows_left = rows_left.checked_sub(length)?;
        (0..length).for_each(|row| kept_rows.push(kept_row, row > 0));
    }
    // The row format panics at bytes that are not of its making.
    let columns = kept_rows.arrays().ok()?;
    (rows_left == 0).then_some(columns)
}

fn decode_column(
    from: &mut &[u8],
    rows: usize,
    data_type: &DataType,
    dictionary: &StringArray,
) -> Option<ArrayRef> {
    let runs = take_number(from)?;
    if runs == 0 {
        return decode_array(from, rows, data_type, dictionary);
    }
    let mut rows_of_values = Vec::with_capacity(rows);
    for run in 0..runs {
        let length = take_number(from)?;
        if length > rows - rows_of_values.len() {
            return None;
        }
        rows_of_values.resize(rows_of_values.len() + length, run as u32);
    }
    let values = decode_array(from, runs, data_type, dictionary)?;
    let column = take(&values, &UInt32Array::from(rows_of_values), None).ok()?;
    (column.len() == rows).then_some(column)
}

fn decode_array(
    from: &mut &[u8],
    length: usize,
    data_type: &DataType,
    dictionary: &StringArray,
) -> Option<ArrayRef> {
    let mut array = ArrayData::builder(data_type.clone()).len(length);
    // Bytes of a value in each buffer; arrow panics at a buffer that ends within one.
    let widths: &[usize] = match data_type {
        DataType::Utf8 => &[size_of::<i32>(), 1],
        DataType::List(_) => &[size_of::<i32>()],
        DataType::Dictionary(key, _) => &[key.primitive_width()?],
        other => &[other.primitive_width().unwrap_or(1)],
    };
    for width in widths {
        let bytes = take_number(from)?;
        let (buffer, rest) = from.split_at_checked(bytes)?;
        if bytes % width != 0 {
            return None;
        }
        *from = rest;
        array = array.add_buffer(Buffer::from(buffer));
    }
    match data_type {
        DataType::Dictionary(..) => array = array.add_child_data(dictionary.to_data()),
        DataType::List(item) => {
            let items = take_number(from)?;
            let items = decode_array(from, items, item.data_type(), dictionary)?;
            array = array.add_child_data(items.to_data());
        }
        _ => {}
    }
    // Checks offsets, texts and keys of dictionaries.
    array.build().ok().map(make_array)
}

fn take_number(from: &mut &[u8]) -> Option<usize> {
    let (number, rest) = from.split_first_chunk::<4>()?;
    *from = rest;
    Some(u32::from_le_bytes(*number) as usize)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{
            DictionaryArray, FixedSizeBinaryBuilder, Float64Array, Int32Array, ListBuilder,
            StringBuilder, UInt16Array, UInt64Array,
        },
        datatypes::{Field, Schema, UInt16Type},
        row::Rows,
    };

    use super::*;

    fn rule_names() -> StringArray {
        StringArray::from(vec!["methylation", "fluorination"])
    }

    /// A batch of `rows` rows, ten to a parent; `wide` bytes of SMILES each.
    fn batch(rows: usize, wide: usize) -> RecordBatch {
        let mut key = FixedSizeBinaryBuilder::with_capacity(rows, 16);
        (0..rows).for_each(|row| key.append_value([row as u8; 16]).unwrap());
        let texts = |text: &dyn Fn(usize) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values((0..rows).map(text)))
        };
        let rules = UInt16Array::from_iter_values((0..rows).map(|row| (row % 2) as u16));
        let rules = DictionaryArray::<UInt16Type>::try_new(rules, Arc::new(rule_names())).unwrap();
        let parents = (0..rows).map(|row| (row / 10) as u64);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("smiles", texts(&|row| format!("{}{row}", "C".repeat(wide)))),
            ("key", Arc::new(key.finish())),
            (
                "parent_row",
                Arc::new(UInt64Array::from_iter_values(parents)),
            ),
            ("parent_id", texts(&|row| format!("parent {}", row / 10))),
            ("rule", Arc::new(rules)),
            (
                "mw",
                Arc::new(Float64Array::from_iter_values(
                    (0..rows).map(|row| row as f64),
                )),
            ),
        ];
        let fields = columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), false));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn read_all(path: &Path, length: SpillLength) -> Result<Vec<RecordBatch>, SinkError> {
        let mut batches = Vec::new();
        let columns = LogColumns {
            schema: &batch(1, 1).schema(),
            dictionary: &rule_names(),
            kept: None,
        };
        read(path, length, columns, |batch| {
            batches.push(batch);
            Ok(())
        })?;
        Ok(batches)
    }

    #[test]
    fn batches_come_back_up_to_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PART_ROWS);
        // One row, several blocks, and many rows of one parent.
        let batches = [
            batch(1, 8),
            batch(4_096, 600),
            batch(7, 0),
            batch(4_096, 20),
        ];
        let mut log = open(&path, None).unwrap();
        batches
            .iter()
            .for_each(|batch| log.push(record(batch, None).unwrap()).unwrap());
        let length = log.sync().unwrap();
        assert_eq!(length.items, 8_200);
        log.push(record(&batches[1], None).unwrap()).unwrap();
        log.flush().unwrap();
        drop(log);
        assert_eq!(read_all(&path, length).unwrap(), batches);
        let mut log = open(&path, Some(length)).unwrap();
        log.push(record(&batches[2], None).unwrap()).unwrap();
        let length = log.flush().unwrap();
        assert_eq!(read_all(&path, length).unwrap()[4], batches[2]);
        log.restart().unwrap();
        assert_eq!(log.flush().unwrap(), SpillLength::EMPTY);
        assert!(read_all(&path, SpillLength::EMPTY).unwrap().is_empty());
    }

    #[test]
    fn a_record_that_is_no_batch_is_refused() {
        let whole = batch(40, 5);
        refuses_what_is_no_batch(&whole, None);
    }

    /// Kept rows with texts, numbers and lists, some of them null.
    fn kept_rows(columns: &KeptColumns, parents: usize) -> Rows {
        let vendors = (0..parents).map(|row| (row % 3 > 0).then_some("vendor"));
        let prices = (0..parents).map(|row| (row % 2 > 0).then_some(row as i32));
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in 0..parents {
            lists.append_option((row % 4 > 0).then(|| vec![Some("a"); row % 4]));
        }
        let columns = columns.rows(&[
            Arc::new(vendors.collect::<StringArray>()),
            Arc::new(prices.collect::<Int32Array>()),
            Arc::new(lists.finish()),
        ]);
        columns.unwrap()
    }

    #[test]
    fn kept_columns_come_back_with_their_nulls_and_damage_is_no_panic() {
        let list = DataType::new_list(DataType::Utf8, true);
        let fields = [
            ("vendor", DataType::Utf8),
            ("price", DataType::Int32),
            ("list", list),
        ];
        let fields = fields.map(|(name, of)| Field::new(name, of, true));
        let columns = KeptColumns::new(fields.into()).unwrap();
        for rows in [1, 40, 133] {
            let own = batch(rows, 5);
            let of_parents = kept_rows(&columns, rows.div_ceil(10));
            let of_parents: Vec<_> = of_parents.iter().collect();
            let mut kept = KeptRows::new(&columns);
            (0..rows).for_each(|row| kept.push(of_parents[row / 10].data(), row % 10 > 0));
            assert_eq!(kept.runs().len(), rows.div_ceil(10));
            let schema = own.schema();
            let fields = schema.fields().iter().chain(columns.fields()).cloned();
            let schema = Schema::new(fields.collect::<Vec<_>>());
            let arrays = own.columns().iter().cloned();
            let arrays = arrays.chain(kept.arrays().unwrap()).collect();
            let whole = RecordBatch::try_new(Arc::new(schema), arrays).unwrap();
            refuses_what_is_no_batch(&whole, Some((&columns, &kept)));
        }
    }

    fn refuses_what_is_no_batch(whole: &RecordBatch, kept: Option<(&KeptColumns, &KeptRows<'_>)>) {
        let rows_all = whole.num_rows();
        let record = record(whole, kept.map(|(_, kept)| kept)).unwrap();
        let record: Vec<u8> = record.iter().flat_map(Block::payload).copied().collect();
        let (schema, dictionary) = (whole.schema(), rule_names());
        let columns = LogColumns {
            schema: &schema,
            dictionary: &dictionary,
            kept: kept.map(|(columns, _)| columns),
        };
        let read = |record: &[u8], rows| decode(record, rows, columns);
        assert_eq!(read(&record, rows_all).unwrap(), *whole);
        for rows in [0, rows_all - 1, rows_all + 1, 4_000] {
            assert!(
                read(&record, rows).is_none_or(|batch| batch.num_rows() == rows),
                "{rows}"
            );
        }
        for end in 0..record.len() {
            assert!(read(&record[..end], rows_all).is_none(), "{end}");
        }
        for at in 0..record.len() {
            let mut other = record.clone();
            other[at] ^= 0x81;
            drop(read(&other, rows_all)); // another batch or none, but no panic
        }
    }
}
