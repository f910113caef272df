//! Turns the new rows of a slot into arrays for the encoder and a record for the log.

use std::{io::Write, sync::Arc};

use arrow::{
    array::{
        ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int16Array,
        ListArray, RecordBatch, StringArray, UInt8Array, UInt16Array, UInt64Array,
    },
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, FieldRef, SchemaRef, UInt16Type},
};

use super::{
    SinkSettings,
    error::{SinkError, encode_error},
    kept_rows::KeptRows,
    row_log,
};
use crate::{
    key::Key,
    limits::{GATHERED_PER_SLOT, SINK_CHUNK_BYTES, SINK_CHUNK_ROWS},
    property::{Property, PropertyKind, PropertySet},
    reagents::{NO_REAGENT, ReagentText, Reagents},
    slot::{Columns, Slot, SlotParent, Verdict},
    store::spill::Block,
    table::content::batch_bytes,
};

/// What the rows of a job's slots are turned into. Cheap to clone, for any thread.
#[derive(Clone)]
pub struct Gatherer {
    pub(super) settings: Arc<SinkSettings>,
    pub(super) schema: SchemaRef,
    pub(super) rule_names: Arc<StringArray>,
}

/// New rows of a slot, in batches of at most [`SINK_CHUNK_ROWS`] and about [`SINK_CHUNK_BYTES`].
#[derive(Default)]
pub struct Gathered {
    pub(super) batches: Vec<GatheredBatch>,
    /// What is left. The texts of a parent are repeated in each of its rows, so rows may take many times the slot.
    pub(super) rest: Option<Rest>,
    /// With `--duplicates`: all rows of the slot, for the log of rows that were seen.
    pub seen: Vec<Block>,
}

/// Some new rows of a slot.
pub(super) struct GatheredBatch {
    /// For the encoder.
    pub rows: RecordBatch,
    /// For the log.
    pub record: Vec<Block>,
    /// For settling: their keys, an item each.
    pub keys: Block,
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
            let texts = rewritten.as_deref().map(|texts| &texts[first..]);
            let offered = &rows[first..];
            let kept = self.settings.kept.as_deref();
            let mut kept = kept.map(|columns| KeptRows::of(columns, slot, offered));
            let most = kept.as_ref().map_or(offered.len(), KeptRows::rows);
            let mut arrays = self.chunk(slot, &offered[..most], texts)?;
            if let Some(kept) = &mut kept {
                kept.truncate(arrays[0].len());
                arrays.extend(kept.arrays()?);
            }
            let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
            let batch = batch.map_err(encode_error)?;
            bytes += batch_bytes(&batch);
            first += batch.num_rows();
            batches.push(GatheredBatch {
                record: row_log::record(&batch, kept.as_ref())?,
                keys: key_block(&batch),
                rows: batch,
            });
        }
        let left = first < rows.len();
        let rest = left.then_some(Rest { first, rewritten });
        let seen = Vec::new();
        Ok(Gathered {
            batches,
            rest,
            seen,
        })
    }

    /// The columns, but for kept ones, of the first of these rows, as many as make a batch.
    fn chunk(
        &self,
        slot: &Slot,
        rows: &[usize],
        rewritten: Option<&[String]>,
    ) -> Result<Vec<ArrayRef>, SinkError> {
        let columns = slot.columns();
        let molecules = self.settings.molecules;
        let rows = &rows[..rows.len().min(SINK_CHUNK_ROWS)];
        let text_bytes = slot.text_bytes() / slot.rows().max(1) + 1;
        let mut smiles = Texts::with_capacity(rows.len(), text_bytes);
        let mut parent_id = Texts::with_capacity(rows.len(), 8);
        let parents = if molecules { 0 } else { rows.len() };
        let mut parent_smiles = Texts::with_capacity(parents, text_bytes);
        let mut inputs = Texts::with_capacity(0, 0);
        let mut parent_row = Vec::with_capacity(rows.len());
        let mut roots = self.settings.step.map(|step| Roots::new(step, rows.len()));
        let per_row = slot.layout().reagents;
        let mut reagents = self.settings.reagents.as_deref().map(ReagentLists::new);
        // The rows of a parent are adjacent.
        let (mut last, mut parent) = (None, SlotParent::default());
        let mut taken = 0;
        for &row in rows {
            let texts = [&smiles, &parent_id, &parent_smiles, &inputs];
            let bytes = texts.map(|texts| texts.bytes.len()).iter().sum::<usize>();
            let more = roots.as_ref().map_or(0, |roots| roots.ids.bytes.len())
                + reagents.as_ref().map_or(0, ReagentLists::bytes);
            if bytes + more >= SINK_CHUNK_BYTES {
                break;
            }
            let index = columns.parent[row];
            if last != Some(index) {
                parent = columns.parent(index as usize);
                last = Some(index);
            }
            let own = columns.smiles(row);
            smiles.push(rewritten.map_or(own, |texts| texts[taken].as_bytes()));
            parent_row.push(parent.row);
            match roots.as_mut().filter(|roots| roots.step > 1) {
                // The id in the slot is that of the root.
                Some(roots) => parent_id.push(roots.number(parent.row)),
                None => parent_id.push(parent.id),
            }
            if let Some(roots) = &mut roots {
                roots.push(&parent);
            }
            if let Some(reagents) = &mut reagents {
                reagents.push(&columns.reagents[per_row * row..per_row * (row + 1)])?;
            }
            if self.settings.inputs {
                inputs.push(as_read(&parent, own, molecules));
            }
            if !molecules || rewritten.is_some() {
                parent_smiles.push(if molecules { own } else { parent.smiles });
            }
            taken += 1;
        }
        let rows = &rows[..taken];
        let mut arrays: Vec<ArrayRef> = vec![
            smiles.finish()?,
            keys(&columns, rows)?,
            Arc::new(UInt64Array::from(parent_row)),
            parent_id.finish()?,
        ];
        if !molecules || rewritten.is_some() {
            arrays.push(parent_smiles.finish()?);
        }
        let of_inputs = self.settings.inputs.then(|| inputs.finish());
        arrays.extend(of_inputs.transpose()?);
        if !molecules {
            arrays.extend(self.rules(&columns, rows)?);
        }
        let of_reagents = reagents.map(ReagentLists::finish).transpose()?;
        arrays.extend(of_reagents.into_iter().flatten());
        let of_roots = roots.map(Roots::finish).transpose()?;
        arrays.extend(of_roots.into_iter().flatten());
        arrays.extend(properties(self.settings.properties, &columns, rows));
        Ok(arrays)
    }

    /// The columns of rules and sites.
    fn rules(&self, columns: &Columns<'_>, rows: &[usize]) -> Result<[ArrayRef; 2], SinkError> {
        let names = Arc::clone(&self.rule_names) as ArrayRef;
        let rules = numbers(columns.rule, rows);
        let rules = DictionaryArray::<UInt16Type>::try_new(rules, names);
        let sites = numbers(columns.site, rows);
        Ok([Arc::new(rules.map_err(encode_error)?), Arc::new(sites)])
    }
}

/// The SMILES of a row's parent before cleaning. `own`: the SMILES of the row, which may be that of a molecule.
fn as_read<'a>(parent: &SlotParent<'a>, own: &'a [u8], molecules: bool) -> &'a [u8] {
    match (parent.input, molecules) {
        ([], true) => own,
        ([], false) => parent.smiles,
        (input, _) => input,
    }
}

/// The columns that a job of several steps has, while they are filled.
struct Roots {
    step: u8,
    rows: Vec<u64>,
    ids: Texts,
    parent_keys: Vec<u8>,
    /// The text of a parent's row number.
    number: Vec<u8>,
}

impl Roots {
    fn new(step: u8, rows: usize) -> Self {
        Self {
            step,
            rows: Vec::with_capacity(rows),
            ids: Texts::with_capacity(rows, 8),
            parent_keys: Vec::with_capacity(16 * rows),
            number: Vec::new(),
        }
    }

    fn number(&mut self, row: u64) -> &[u8] {
        self.number.clear();
        write!(self.number, "{row}").expect("writing to a Vec can't fail");
        &self.number
    }

    fn push(&mut self, parent: &SlotParent<'_>) {
        self.rows.push(parent.root.row);
        self.ids.push(parent.id);
        let key = Key::from_words(parent.root.key).bytes();
        self.parent_keys.extend_from_slice(&key);
    }

    fn finish(self) -> Result<[ArrayRef; 4], SinkError> {
        let steps = UInt8Array::from_value(self.step, self.rows.len());
        let keys = FixedSizeBinaryArray::try_new(16, self.parent_keys.into(), None);
        Ok([
            Arc::new(steps),
            Arc::new(UInt64Array::from(self.rows)),
            self.ids.finish()?,
            Arc::new(keys.map_err(encode_error)?),
        ])
    }
}

/// The columns that name reagents, while they are filled.
struct ReagentLists<'a> {
    reagents: &'a Reagents,
    ids: Texts,
    smiles: Texts,
    /// Where the list of each row begins, and where the last one ends.
    offsets: Vec<i32>,
    text: ReagentText,
}

/// What the lists of reagents hold.
pub(super) fn list_item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Utf8, false))
}

impl<'a> ReagentLists<'a> {
    fn new(reagents: &'a Reagents) -> Self {
        Self {
            reagents,
            ids: Texts::with_capacity(0, 0),
            smiles: Texts::with_capacity(0, 0),
            offsets: vec![0],
            text: ReagentText::default(),
        }
    }

    fn bytes(&self) -> usize {
        self.ids.bytes.len() + self.smiles.bytes.len()
    }

    /// Adds the list of a row.
    fn push(&mut self, numbers: &[u32]) -> Result<(), SinkError> {
        for number in numbers.iter().filter(|number| **number != NO_REAGENT) {
            self.reagents.read(*number, &mut self.text)?;
            self.ids.push(self.text.id());
            self.smiles.push(self.text.smiles());
        }
        self.offsets.push(self.ids.offsets.len() as i32 - 1);
        Ok(())
    }

    fn finish(self) -> Result<[ArrayRef; 2], SinkError> {
        let offsets = OffsetBuffer::new(self.offsets.into());
        let list = |texts: Texts| -> Result<ArrayRef, SinkError> {
            let list = ListArray::try_new(list_item(), offsets.clone(), texts.finish()?, None);
            Ok(Arc::new(list.map_err(encode_error)?))
        };
        Ok([list(self.ids)?, list(self.smiles)?])
    }
}

/// A column of texts that is being filled.
struct Texts {
    bytes: Vec<u8>,
    /// Where each text begins, and where the last one ends.
    offsets: Vec<i32>,
}

impl Texts {
    /// Room for so many texts of so many bytes, which may be more or longer.
    fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self {
            bytes: Vec::with_capacity(bytes * rows),
            offsets,
        }
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        // A chunk is far below 2 GiB.
        self.offsets.push(self.bytes.len() as i32);
    }

    /// The column. Its texts must be UTF-8.
    fn finish(self) -> Result<ArrayRef, SinkError> {
        let offsets = OffsetBuffer::new(self.offsets.into());
        let texts = StringArray::try_new(offsets, self.bytes.into(), None);
        Ok(Arc::new(texts.map_err(encode_error)?))
    }
}

/// The keys of a batch, of whose columns they are the second.
fn key_block(batch: &RecordBatch) -> Block {
    let keys = batch.column(1).as_fixed_size_binary().value_data();
    let mut block = Block::with_capacity(keys.len());
    block.extend(keys);
    block.sealed(batch.num_rows() as u32)
}

fn keys(columns: &Columns<'_>, rows: &[usize]) -> Result<ArrayRef, SinkError> {
    let mut bytes = Vec::with_capacity(16 * rows.len());
    rows.iter()
        .for_each(|row| bytes.extend_from_slice(&columns.key(*row).bytes()));
    let keys = FixedSizeBinaryArray::try_new(16, bytes.into(), None);
    Ok(Arc::new(keys.map_err(encode_error)?))
}

fn numbers(values: &[u16], rows: &[usize]) -> UInt16Array {
    UInt16Array::from_iter_values(rows.iter().map(|row| values[*row]))
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

#[cfg(test)]
mod tests {
    use arrow::datatypes::UInt64Type;

    use super::*;
    use crate::{
        slot::SlotParent,
        table::sink::{PartSettings, parquet_file::ParquetSettings, product_schema},
    };

    const PARENT_BYTES: usize = 4_000;
    const ROWS: usize = 3_000;

    fn gatherer() -> Gatherer {
        let settings = SinkSettings {
            rule_names: vec!["cleavage".into()],
            properties: PropertySet::NONE,
            key_column: "key",
            molecules: false,
            inputs: false,
            step: None,
            reagents: None,
            kept: None,
            parts: PartSettings::parquet(ParquetSettings::new(1 << 20)),
            duplicates: false,
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
                .map(|batch| batch_bytes(&batch.rows))
                .sum();
            assert!(bytes < bytes_max + ROWS * 40, "{bytes}");
            for batch in &gathered.batches {
                let smiles = batch.rows.column(0).as_string::<i32>();
                texts.extend(smiles.iter().map(|text| text.unwrap().to_owned()));
                let parents = batch.rows.column(2).as_primitive::<UInt64Type>();
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
