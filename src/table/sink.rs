//! The sink: writes the new rows of slots into Parquet parts.
//!
//! Constraints:
//! - Columns are copied once, from the slot into the arrays the encoder reads, at most
//!   [`SINK_CHUNK_ROWS`](crate::limits::SINK_CHUNK_ROWS) rows at a time.
//! - Slots are gathered and row groups encoded on a pool ([`Encoders`]), several at a time; files get them in order.
//! - A row group is closed when its content reaches [`ParquetSettings::row_group_bytes`], a part when
//!   the caller says so: by content alone, never by time, so that equal jobs write equal files.
//! - A part is published (see [`crate::store`]) as soon as it is closed.
//! - The rows of the open part are in a log too ([`row_log`]), from which the encoder is restored to the state of a
//!   checkpoint.
//! - Rejects are kept in a spill until the end, so that the run can be interrupted and resumed.
//!
//! Columns and their types are those of DESIGN's output contract; see [`product_schema`].

mod duplicates;
mod encoders;
mod error;
mod gather;
pub mod parquet_file;
mod rejects;
pub mod row_log;
pub mod seen_rows;

use std::{ops::Deref, sync::Arc, time::Duration};

use arrow::{
    array::{RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use serde::{Deserialize, Serialize};

pub use duplicates::{DUPLICATES, Duplicate, DuplicateSink, duplicate_schema};
pub use encoders::{Encoders, Spent, Task};
pub use error::SinkError;
pub use gather::{Gathered, Gatherer};
pub use parquet_file::Part;
pub use rejects::{Reject, RejectLog, publish_rejects, read_rejects, reject_schema};

use gather::{GatheredBatch, Rest};
use parquet_file::{ParquetFile, ParquetSettings};
use row_log::{PART_ROWS, RowLog};

use crate::{
    property::{PropertyKind, PropertySet},
    reagents::Reagents,
    slot::Slot,
    store::{
        OutputDir, StoreError, part_name,
        spill::{Block, SpillLength},
    },
};

/// What the sink needs to know of the job.
#[derive(Clone, Debug)]
pub struct SinkSettings {
    /// Names of the rules, by index. A job without rules has the one name of its cleaning step.
    pub rule_names: Vec<String>,
    /// The properties that slots carry.
    pub properties: PropertySet,
    /// Name of the column of the keys.
    pub key_column: &'static str,
    /// Whether rows are molecules of the input rather than products of them: then they have no rule, no site
    /// and no parent of another SMILES.
    pub molecules: bool,
    /// In a job of several steps: the one that makes the rows.
    pub step: Option<u8>,
    /// The reagents that rows name, if the job has rules of several reactants.
    pub reagents: Option<Arc<Reagents>>,
    /// Whether all rows of a slot are recorded too, for `--duplicates`.
    pub duplicates: bool,
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
    if settings.reagents.is_some() {
        fields.extend(
            ["reagent_ids", "reagent_smiles"]
                .map(|name| Field::new_list(name, gather::list_item(), false)),
        );
    }
    if settings.step.is_some() {
        fields.extend([
            Field::new("step", DataType::UInt8, false),
            Field::new("root_row", DataType::UInt64, false),
            Field::new("root_id", DataType::Utf8, false),
            Field::new("parent_key", DataType::FixedSizeBinary(16), false),
        ]);
    }
    fields.extend(settings.properties.iter().map(|property| {
        let data_type = match property.kind() {
            PropertyKind::Real => DataType::Float64,
            PropertyKind::Count => DataType::UInt16,
            PropertyKind::Signed => DataType::Int16,
        };
        Field::new(property.name(), data_type, false)
    }));
    Arc::new(Schema::new(fields))
}

/// The SMILES to write for some rows of a slot.
pub type Rewrite<'a> = dyn Fn(&Slot, &[usize]) -> Vec<String> + Send + 'a;

/// How much encoding makes of content: as seen last, in a whole part or, before there is one, in the first row group. The
/// open part's row groups may still be in work when its size is asked for; so the size is a function of the rows alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Density {
    /// 0: nothing is encoded yet.
    content_bytes: u64,
    encoded_bytes: u64,
}

/// Bytes of content that a byte takes, before anything is encoded. Molecules compress to a third, products to less.
const CONTENT_BYTES_GUESSED: u64 = 3;

impl Density {
    fn encoded(self, content_bytes: u64) -> u64 {
        if self == Self::default() {
            return content_bytes / CONTENT_BYTES_GUESSED;
        }
        let bytes = u128::from(content_bytes) * u128::from(self.encoded_bytes);
        (bytes / u128::from(self.content_bytes.max(1))) as u64
    }
}

/// What a sink continues from.
pub struct Begun {
    /// The parts published so far.
    pub parts: Vec<Part>,
    /// As [`ProductSink::density`] said.
    pub density: Density,
    /// The rows of the next part that a checkpoint has recorded and that are encoded again.
    pub part_rows: SpillLength,
}

/// Writes the new products.
pub struct ProductSink<'a> {
    output: &'a OutputDir,
    gatherer: Gatherer,
    /// With `--canonical`: returns the SMILES to write.
    rewrite: Option<Box<Rewrite<'a>>>,
    encoders: Arc<Encoders>,
    part: Option<ParquetFile>,
    parts: Vec<Part>,
    density: Density,
    /// The rows of the open part.
    log: RowLog,
    /// Time that row groups of closed parts took to encode, not yet reported.
    spent: Spent,
}

impl<'a> ProductSink<'a> {
    /// A sink for a run from the start, or for one that continues.
    pub fn new(
        output: &'a OutputDir,
        settings: SinkSettings,
        rewrite: Option<Box<Rewrite<'a>>>,
        encoders: Arc<Encoders>,
        begun: Option<Begun>,
    ) -> Result<Self, SinkError> {
        let schema = product_schema(&settings, rewrite.is_some());
        let rule_names = Arc::new(StringArray::from(settings.rule_names.clone()));
        let under_way = begun.as_ref().map(|begun| begun.part_rows);
        let log = row_log::open(&output.work_file(PART_ROWS), under_way)?;
        let (parts, density) = match begun {
            Some(begun) => (begun.parts, begun.density),
            None => (Vec::new(), Density::default()),
        };
        let mut sink = Self {
            output,
            gatherer: Gatherer {
                settings: Arc::new(settings),
                schema,
                rule_names,
            },
            rewrite,
            encoders,
            part: None,
            parts,
            density,
            log,
            spent: Spent::default(),
        };
        if let Some(length) = under_way.filter(|length| *length != SpillLength::EMPTY) {
            sink.make_again(length)?;
        }
        Ok(sink)
    }

    /// Encodes the rows in the log again, in the same batches as before.
    fn make_again(&mut self, length: SpillLength) -> Result<(), SinkError> {
        let Gatherer {
            schema, rule_names, ..
        } = self.gatherer.clone();
        let path = self.output.work_file(PART_ROWS);
        row_log::read(&path, length, &schema, &rule_names, |batch| {
            self.write_batch(batch)
        })
    }

    /// Starts gathering the rows of `slot` whose verdict is *new*, on the encoders' threads. The slot comes back with
    /// them. `wanted`: whether they are written now; otherwise none are gathered.
    pub fn start_gathering<S>(
        &self,
        slot: S,
        wanted: bool,
    ) -> Task<(S, Result<Gathered, SinkError>)>
    where
        S: Deref<Target = Slot> + Send + 'static,
    {
        let rewritten = if wanted { self.rewritten(&slot) } else { None };
        let gatherer = self.gatherer.clone();
        self.encoders.start(move || {
            let mut gathered = match wanted {
                true => gatherer.gather(&slot, Rest::all(rewritten)),
                false => Ok(Gathered::default()),
            };
            if let Ok(gathered) = &mut gathered
                && gatherer.settings.duplicates
            {
                gathered.seen = seen_rows::record(&slot, seen_rows::Appended::All);
            }
            (slot, gathered)
        })
    }

    /// With `--canonical`: what RDKit writes for the new rows.
    fn rewritten(&self, slot: &Slot) -> Option<Vec<String>> {
        let rewrite = self.rewrite.as_ref()?;
        Some(rewrite(slot, &gather::new_rows(slot)))
    }

    /// Appends the rows of a slot. What is not gathered yet is gathered here, piece by piece. `take_keys` gets the keys of
    /// the rows, an item each.
    pub fn append(
        &mut self,
        slot: &Slot,
        mut gathered: Gathered,
        mut take_keys: impl FnMut(&Block) -> Result<(), StoreError>,
    ) -> Result<(), SinkError> {
        loop {
            for GatheredBatch { rows, record, keys } in gathered.batches {
                self.log.push(record)?;
                take_keys(&keys)?;
                self.write_batch(rows)?;
            }
            let Some(rest) = gathered.rest else {
                return Ok(());
            };
            gathered = self.gatherer.gather(slot, rest)?;
        }
    }

    /// Gathers and appends the rows of `slot` whose verdict is *new*.
    /// `take_keys` gets their keys, an item each.
    pub fn write(
        &mut self,
        slot: &Slot,
        take_keys: impl FnMut(&Block) -> Result<(), StoreError>,
    ) -> Result<(), SinkError> {
        let all = Rest::all(self.rewritten(slot));
        let gathered = self.gatherer.gather(slot, all)?;
        self.append(slot, gathered, take_keys)
    }

    fn write_batch(&mut self, batch: RecordBatch) -> Result<(), SinkError> {
        let density_known = self.density != Density::default();
        let part = self.open_part()?;
        part.write(batch)?;
        if !density_known && let Some(density) = part.density_of_first_row_group()? {
            self.density = density;
        }
        Ok(())
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
            let Gatherer {
                settings, schema, ..
            } = &self.gatherer;
            let part =
                ParquetFile::begin(self.output, &name, schema, settings.parquet, &self.encoders);
            self.part = Some(part?);
        }
        Ok(self.part.as_mut().expect("it was begun just now"))
    }

    /// Publishes the open part, if there is one.
    pub fn close_part(&mut self) -> Result<(), SinkError> {
        let Some(mut part) = self.part.take() else {
            return Ok(());
        };
        part.end()?;
        self.spent += part.take_spent();
        let content_bytes = part.content_bytes();
        let part = part.publish(self.output)?;
        if content_bytes > 0 {
            self.density = Density {
                content_bytes,
                encoded_bytes: part.file.bytes,
            };
        }
        self.parts.push(part);
        Ok(())
    }

    /// The parts published so far.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What encoding made of the content of the last part.
    pub fn density(&self) -> Density {
        self.density
    }

    /// Bytes that the open part will have, as the last one suggests: a function of the rows alone.
    pub fn part_bytes(&self) -> u64 {
        let content = self.part.as_ref().map_or(0, ParquetFile::content_bytes);
        self.density.encoded(content)
    }

    /// Bytes published and pending.
    pub fn bytes(&self) -> u64 {
        let published: u64 = self.parts.iter().map(|part| part.file.bytes).sum();
        published + self.part_bytes()
    }

    /// CPU time that the thread has used which writes the log.
    pub fn log_cpu_time(&self) -> Duration {
        self.log.cpu_time()
    }

    /// Time that row groups took to encode, and the log to write, since the last call.
    pub fn take_spent(&mut self) -> Spent {
        let mut spent = std::mem::take(&mut self.spent);
        spent.work += self.log.take_work();
        spent += self
            .part
            .as_mut()
            .map(ParquetFile::take_spent)
            .unwrap_or_default();
        spent
    }
}
