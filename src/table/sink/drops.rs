//! `drops.parquet`: a sample of what a job left out, with the reasons.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray, UInt8Array, UInt16Array, UInt64Array},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use super::{
    encoders::Encoders,
    error::{SinkError, encode_error},
    parquet_file::{ParquetFile, ParquetSettings, Part},
};
use crate::{limits::SINK_CHUNK_ROWS, store::OutputDir};

/// A product or a parent that was left out.
#[derive(Clone, Debug, PartialEq)]
pub struct DropRow {
    /// The step, from 1.
    pub step: u8,
    /// `filtered`, `parent filtered` or `invalid`.
    pub kind: &'static str,
    /// The filter, as counts name it.
    pub filter: Option<String>,
    /// Why it was left out.
    pub reason: String,
    /// SMILES of the product, if it has one.
    pub smiles: Option<String>,
    /// 0-based row of the parent over all inputs, or of the step before.
    pub parent_row: u64,
    /// Its id.
    pub parent_id: String,
    /// Its SMILES.
    pub parent_smiles: String,
    /// Name of the rule.
    pub rule: Option<String>,
    /// Number of the site.
    pub site: Option<u16>,
}

/// Name of the file.
const DROPS: &str = "drops.parquet";
/// Bytes at which a row group is closed.
const ROW_GROUP_BYTES: usize = 1 << 20;

/// Writes `drops.parquet`; no file without rows. `steps`: of a job of several steps.
pub fn publish_drops(
    output: &OutputDir,
    rows: &[DropRow],
    steps: bool,
    encoders: &Arc<Encoders>,
) -> Result<Option<Part>, SinkError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let schema = schema(steps);
    let settings = ParquetSettings::new(ROW_GROUP_BYTES);
    let mut file = ParquetFile::begin(output, DROPS, &schema, settings, encoders)?;
    for rows in rows.chunks(SINK_CHUNK_ROWS) {
        file.write(batch(&schema, rows, steps)?)?;
    }
    file.publish(output).map(Some)
}

fn schema(steps: bool) -> SchemaRef {
    let mut fields = vec![
        Field::new("kind", DataType::Utf8, false),
        Field::new("filter", DataType::Utf8, true),
        Field::new("reason", DataType::Utf8, false),
        Field::new("smiles", DataType::Utf8, true),
        Field::new("parent_row", DataType::UInt64, false),
        Field::new("parent_id", DataType::Utf8, false),
        Field::new("parent_smiles", DataType::Utf8, false),
        Field::new("rule", DataType::Utf8, true),
        Field::new("site", DataType::UInt16, true),
    ];
    if steps {
        fields.push(Field::new("step", DataType::UInt8, false));
    }
    Arc::new(Schema::new(fields))
}

fn batch(schema: &SchemaRef, rows: &[DropRow], steps: bool) -> Result<RecordBatch, SinkError> {
    let text = |of: fn(&DropRow) -> Option<&str>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rows.iter().map(of)))
    };
    let parent_rows = rows.iter().map(|row| row.parent_row);
    let mut columns: Vec<ArrayRef> = vec![
        text(|row| Some(row.kind)),
        text(|row| row.filter.as_deref()),
        text(|row| Some(&row.reason)),
        text(|row| row.smiles.as_deref()),
        Arc::new(UInt64Array::from_iter_values(parent_rows)),
        text(|row| Some(&row.parent_id)),
        text(|row| Some(&row.parent_smiles)),
        text(|row| row.rule.as_deref()),
        Arc::new(UInt16Array::from_iter(rows.iter().map(|row| row.site))),
    ];
    if steps {
        let steps = rows.iter().map(|row| row.step);
        columns.push(Arc::new(UInt8Array::from_iter_values(steps)));
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(encode_error)
}
