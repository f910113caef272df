//! Turns the new rows of a slot into arrays for the encoder and a record for the log.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, DictionaryArray, FixedSizeBinaryBuilder, Float64Builder, RecordBatch,
        StringArray, StringBuilder, UInt16Array, UInt16Builder, UInt64Builder,
    },
    datatypes::{SchemaRef, UInt16Type},
};

use super::{
    SinkSettings,
    error::{SinkError, encode_error},
    row_log,
};
use crate::{
    limits::SINK_CHUNK_ROWS,
    slot::{Slot, Verdict},
    store::spill::Block,
};

/// What the rows of a job's slots are turned into. Cheap to clone, for any thread.
#[derive(Clone)]
pub struct Gatherer {
    pub(super) settings: Arc<SinkSettings>,
    pub(super) schema: SchemaRef,
    pub(super) rule_names: Arc<StringArray>,
}

/// The new rows of a slot, at most [`SINK_CHUNK_ROWS`] in a batch.
pub struct Gathered(pub(super) Vec<(RecordBatch, Vec<Block>)>);

/// The rows of a slot whose verdict is *new*.
pub(super) fn new_rows(slot: &Slot) -> Vec<usize> {
    let columns = slot.columns();
    (0..slot.rows())
        .filter(|row| columns.verdict(*row) == Verdict::New)
        .collect()
}

impl Gatherer {
    /// Gathers the new rows of a slot. `rewritten`: their SMILES, where RDKit writes them.
    pub fn gather(&self, slot: &Slot, rewritten: Option<&[String]>) -> Result<Gathered, SinkError> {
        let rows = new_rows(slot);
        let chunks = rows.chunks(SINK_CHUNK_ROWS).enumerate();
        let gather = |(number, chunk): (usize, &[usize])| {
            let first = number * SINK_CHUNK_ROWS;
            let rewritten = rewritten.map(|texts| &texts[first..first + chunk.len()]);
            let batch = self.batch(slot, chunk, rewritten)?;
            let record = row_log::record(&batch)?;
            Ok::<_, SinkError>((batch, record))
        };
        chunks.map(gather).collect::<Result<_, _>>().map(Gathered)
    }

    fn batch(
        &self,
        slot: &Slot,
        rows: &[usize],
        rewritten: Option<&[String]>,
    ) -> Result<RecordBatch, SinkError> {
        let columns = slot.columns();
        let n = rows.len();
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
