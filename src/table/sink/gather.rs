//! Turns the new rows of a slot into arrays for the encoder and a record for the log.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, DictionaryArray, FixedSizeBinaryBuilder, Float64Array, Int16Array, RecordBatch,
        StringArray, StringBuilder, UInt16Array, UInt16Builder, UInt64Builder,
    },
    datatypes::{SchemaRef, UInt16Type},
};

use super::{
    SinkSettings,
    error::{SinkError, encode_error},
    parquet_file::content_bytes,
    row_log,
};
use crate::{
    limits::{GATHERED_PER_SLOT, SINK_CHUNK_BYTES, SINK_CHUNK_ROWS},
    property::{Property, PropertyKind, PropertySet},
    slot::{Columns, Slot, Verdict},
    store::spill::Block,
};

/// What the rows of a job's slots are turned into. Cheap to clone, for any thread.
#[derive(Clone)]
pub struct Gatherer {
    pub(super) settings: Arc<SinkSettings>,
    pub(super) schema: SchemaRef,
    pub(super) rule_names: Arc<StringArray>,
}

/// New rows of a slot, in batches of at most [`SINK_CHUNK_ROWS`] and about [`SINK_CHUNK_BYTES`].
pub struct Gathered {
    pub(super) batches: Vec<(RecordBatch, Vec<Block>)>,
    /// What is left. The texts of a parent are repeated in each of its rows, so rows may take many times the slot.
    pub(super) rest: Option<Rest>,
}

/// The new rows of a slot that are still to be gathered.
pub struct Rest {
    /// New rows before them.
    first: usize,
    /// With `--canonical`: what RDKit writes for all new rows.
    rewritten: Option<Vec<String>>,
}

impl Rest {
    /// All new rows. `rewritten`: their SMILES, where RDKit writes them.
    pub(super) fn all(rewritten: Option<Vec<String>>) -> Self {
        Self {
            first: 0,
            rewritten,
        }
    }
}

/// The rows of a slot whose verdict is *new*.
pub(super) fn new_rows(slot: &Slot) -> Vec<usize> {
    let columns = slot.columns();
    (0..slot.rows())
        .filter(|row| columns.verdict(*row) == Verdict::New)
        .collect()
}

/// Where the chunk ends that begins with new row number `first`.
fn chunk_end(slot: &Slot, rows: &[usize], first: usize, rewritten: Option<&[String]>) -> usize {
    let columns = slot.columns();
    let (mut end, mut bytes) = (first, 0);
    while end < rows.len() && end - first < SINK_CHUNK_ROWS && bytes < SINK_CHUNK_BYTES {
        let parent = columns.parent(columns.parent[rows[end]] as usize);
        bytes += columns.smiles(rows[end]).len() + parent.id.len() + parent.smiles.len();
        bytes += rewritten.map_or(0, |texts| texts[end].len());
        end += 1;
    }
    end
}

impl Gatherer {
    /// Gathers new rows of a slot until they take [`GATHERED_PER_SLOT`] times the bytes of the slot.
    pub(super) fn gather(&self, slot: &Slot, rest: Rest) -> Result<Gathered, SinkError> {
        let rows = new_rows(slot);
        let Rest {
            mut first,
            rewritten,
        } = rest;
        let (mut batches, mut bytes) = (Vec::new(), 0);
        while first < rows.len() && bytes < GATHERED_PER_SLOT * slot.layout().bytes {
            let chunk = &rows[first..chunk_end(slot, &rows, first, rewritten.as_deref())];
            let range = first..first + chunk.len();
            let texts = rewritten.as_deref().map(|texts| &texts[range]);
            let batch = self.batch(slot, chunk, texts)?;
            bytes += content_bytes(&batch);
            first += chunk.len();
            let record = row_log::record(&batch)?;
            batches.push((batch, record));
        }
        let left = first < rows.len();
        let rest = left.then_some(Rest { first, rewritten });
        Ok(Gathered { batches, rest })
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
        arrays.extend(properties(self.settings.properties, &columns, rows));
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(encode_error)
    }
}

/// The columns of properties.
fn properties(set: PropertySet, columns: &Columns<'_>, rows: &[usize]) -> Vec<ArrayRef> {
    let (reals, counts) = (set.reals().len(), set.counts().len());
    let (mut next_real, mut next_count) = (0.., 0..);
    let column = |property: Property| -> ArrayRef {
        let count = |row: &usize, place| columns.count_properties[counts * row + place];
        let rows = rows.iter();
        match property.kind() {
            PropertyKind::Real => {
                let place = next_real.next().unwrap_or_default();
                let values = rows.map(|row| columns.real_properties[reals * row + place]);
                Arc::new(Float64Array::from_iter_values(values))
            }
            PropertyKind::Count => {
                let place = next_count.next().unwrap_or_default();
                Arc::new(UInt16Array::from_iter_values(
                    rows.map(|row| count(row, place)),
                ))
            }
            PropertyKind::Signed => {
                let place = next_count.next().unwrap_or_default();
                let values = rows.map(|row| count(row, place).cast_signed());
                Arc::new(Int16Array::from_iter_values(values))
            }
        }
    };
    set.iter().map(column).collect()
}

fn text(bytes: &[u8]) -> Result<&str, SinkError> {
    std::str::from_utf8(bytes).map_err(encode_error)
}

#[cfg(test)]
mod tests {
    use arrow::{array::AsArray, datatypes::UInt64Type};

    use super::*;
    use crate::{
        key::Key,
        slot::SlotParent,
        table::sink::{parquet_file::ParquetSettings, product_schema},
    };

    const PARENT_BYTES: usize = 4_000;
    const ROWS: usize = 3_000;

    fn gatherer() -> Gatherer {
        let settings = SinkSettings {
            rule_names: vec!["cleavage".into()],
            properties: PropertySet::NONE,
            key_column: "key",
            molecules: false,
            parquet: ParquetSettings::new(1 << 20),
        };
        Gatherer {
            schema: product_schema(&settings, false),
            rule_names: Arc::new(StringArray::from(settings.rule_names.clone())),
            settings: Arc::new(settings),
        }
    }

    /// Many small products of one large parent, each third a repeat.
    fn slot() -> Slot {
        let mut slot = Slot::smallest(PropertySet::NONE);
        let parent = SlotParent {
            row: 5,
            id: b"large",
            smiles: &[b'C'; PARENT_BYTES],
            ..SlotParent::default()
        };
        let index = slot.push_parent(parent).unwrap();
        for row in 0..ROWS {
            let text = format!("C{row}");
            assert!(slot.push_row(text.as_bytes(), index, Key::of(text.as_bytes())));
            let repeat = row % 3 == 2;
            let verdict = if repeat {
                Verdict::Duplicate
            } else {
                Verdict::New
            };
            slot.columns_mut().verdict[row] = verdict as u8;
        }
        slot
    }

    #[test]
    fn rows_that_take_far_more_than_their_slot_are_gathered_in_pieces() {
        let (slot, gatherer) = (slot(), gatherer());
        let bytes_max = GATHERED_PER_SLOT * slot.layout().bytes + SINK_CHUNK_BYTES;
        let (mut rest, mut pieces, mut texts) = (Some(Rest::all(None)), 0, Vec::new());
        while let Some(left) = rest {
            let gathered = gatherer.gather(&slot, left).unwrap();
            let bytes: usize = gathered
                .batches
                .iter()
                .map(|(batch, _)| content_bytes(batch))
                .sum();
            assert!(bytes < bytes_max + ROWS * 40, "{bytes}");
            for (batch, _) in &gathered.batches {
                let smiles = batch.column(0).as_string::<i32>();
                texts.extend(smiles.iter().map(|text| text.unwrap().to_owned()));
                let parents = batch.column(2).as_primitive::<UInt64Type>();
                assert!(parents.values().iter().all(|row| *row == 5));
            }
            rest = gathered.rest;
            pieces += 1;
        }
        let expected = (0..ROWS).filter(|row| row % 3 != 2);
        assert!(
            texts
                .iter()
                .cloned()
                .eq(expected.map(|row| format!("C{row}")))
        );
        assert!(pieces > 3, "{pieces}");
    }
}
