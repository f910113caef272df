//! The sink: writes the new rows of slots into Parquet parts.
//!
//! Constraints:
//! - Columns are copied once, from the slot into the arrays the encoder reads, at most
//!   [`SINK_CHUNK_ROWS`] rows at a time.
//! - A row group is closed when its encoded bytes reach [`ParquetSettings::row_group_bytes`], a part when
//!   the caller says so: by content alone, never by time, so that equal jobs write equal files.
//! - A part is published (see [`crate::store`]) as soon as it is closed.
//! - The rows of the open part are in a log too ([`row_log`]), from which the encoder is restored to the state of a
//!   checkpoint.
//! - Rejects are kept in a spill until the end, so that the run can be interrupted and resumed.
//!
//! Columns and their types are those of DESIGN's output contract; see [`product_schema`].

mod error;
pub mod parquet_file;
mod rejects;
pub mod row_log;

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, DictionaryArray, FixedSizeBinaryBuilder, Float64Builder, RecordBatch,
        StringArray, StringBuilder, UInt16Array, UInt16Builder, UInt64Builder,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, UInt16Type},
};

pub use error::SinkError;
pub use parquet_file::Part;
pub use rejects::{Reject, RejectLog, publish_rejects, read_rejects, reject_schema};

use error::encode_error;
use parquet_file::{ParquetFile, ParquetSettings};
use row_log::{PART_ROWS, RowLog};

use crate::{
    limits::SINK_CHUNK_ROWS,
    slot::{Slot, Verdict},
    store::{OutputDir, StoreError, part_name, spill::SpillLength},
};

/// What the sink needs to know of the job.
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
    /// How the parts are encoded.
    pub parquet: ParquetSettings,
}

/// The schema of the parts. `rewritten`: RDKit writes `smiles`, so molecules too have another `parent_smiles`.
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

/// The SMILES to write for some rows of a slot.
pub type Rewrite<'a> = dyn Fn(&Slot, &[usize]) -> Vec<String> + Send + 'a;

/// Writes the new products.
pub struct ProductSink<'a> {
    output: &'a OutputDir,
    settings: SinkSettings,
    /// With `--canonical`: returns the SMILES to write.
    rewrite: Option<Box<Rewrite<'a>>>,
    schema: SchemaRef,
    rule_names: Arc<StringArray>,
    part: Option<ParquetFile>,
    parts: Vec<Part>,
    /// The rows of the open part.
    log: RowLog,
}

impl<'a> ProductSink<'a> {
    /// A sink that continues after the published `parts`. `under_way`: the rows of the next part that a checkpoint has
    /// recorded and that are encoded again; `None` for a run from the start.
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

    /// Encodes the rows in the log again, in the same batches as before.
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
        self.open_part()?.write(batch)
    }

    /// The end of the log of the open part's rows.
    pub fn flush_rows(&mut self) -> Result<SpillLength, StoreError> {
        self.log.flush()
    }

    /// Writes the rows of the open part to the disk. Returns an empty length if there is no open part.
    pub fn sync_rows(&mut self) -> Result<SpillLength, StoreError> {
        match self.part {
            Some(_) => self.log.sync(),
            None => Ok(SpillLength::EMPTY),
        }
    }

    /// Discards the rows of closed parts. To be called after a checkpoint without an open part.
    pub fn forget_rows(&mut self) -> Result<(), StoreError> {
        self.log.restart()
    }

    /// Begins the first part although there is no row for it, so that a job without products leaves
    /// a table without rows, which readers can open.
    pub fn begin_first_part(&mut self) -> Result<(), SinkError> {
        if self.parts.is_empty() {
            self.open_part()?;
        }
        Ok(())
    }

    fn open_part(&mut self) -> Result<&mut ParquetFile, SinkError> {
        if self.part.is_none() {
            let name = part_name(self.parts.len());
            let settings = self.settings.parquet;
            self.part = Some(ParquetFile::begin(
                self.output,
                &name,
                &self.schema,
                settings,
            )?);
        }
        Ok(self.part.as_mut().expect("it was begun just now"))
    }

    /// Publishes the open part, if there is one.
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

    /// Bytes of the open part, those in its unfinished row group included.
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
        // The rows of a parent are adjacent.
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
