//! The sink: writes the new rows of slots into parts: Parquet, or text ([`mod@format`]).
//!
//! Constraints:
//! - Columns are copied once, from the slot into the arrays the encoder reads, at most
//!   [`SINK_CHUNK_ROWS`](crate::limits::SINK_CHUNK_ROWS) rows at a time.
//! - Slots are gathered, row groups encoded and pieces of text made on a pool ([`Encoders`]), several at a time; files
//!   get them in order.
//! - A row group is closed when its content reaches [`row_group_bytes`](parquet_file::ParquetSettings::row_group_bytes), a part when
//!   the caller says so: by content alone, never by time, so that equal jobs write equal files.
//! - A part is published (see [`crate::store`]) as soon as it is closed.
//! - The rows of the open part are in a log too ([`row_log`]), from which the encoder is restored to the state of a
//!   checkpoint.
//! - Rejects are kept in a spill until the end, so that the run can be interrupted and resumed.
//!
//! Columns and their types are those of DESIGN's output contract; see [`product_schema`].

mod cells;
mod density;
mod drops;
mod duplicates;
mod encoders;
mod error;
pub mod format;
mod gather;
mod kept_rows;
mod pack;
pub mod parquet_file;
mod part_settings;
mod parts;
mod rejects;
pub mod row_log;
pub mod seen_rows;
mod text_file;
mod text_rows;

use std::{collections::HashSet, ops::Deref, sync::Arc, time::Duration};

use arrow::{
    array::StringArray,
    datatypes::{DataType, Field, Schema, SchemaRef},
};

pub use density::Density;
pub use drops::{DropRow, publish_drops};
pub use duplicates::{DUPLICATES, Duplicate, DuplicateSink, duplicate_schema};
pub use encoders::{Encoders, Spent, Task};
pub use error::SinkError;
pub use format::{
    ColumnNames, Coordinates, OutputFormat, RowName, TextCompression, TextKind, UnknownColumn,
};
pub use gather::{Gathered, Gatherer};
pub use parquet_file::Part;
pub use part_settings::PartSettings;
pub use parts::{PartPlace, Parts};
pub use rejects::{Reject, RejectLog, publish_rejects, read_rejects, reject_schema};
pub use text_file::TextStream;

use gather::{GatheredBatch, Rest};
use row_log::{PART_ROWS, RowLog};

use crate::{
    property::{PropertyKind, PropertySet},
    reagents::Reagents,
    slot::Slot,
    store::{
        OutputDir, StoreError,
        spill::{Block, SpillLength},
    },
    table::kept::KeptColumns,
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
    /// Whether rows have the SMILES of their parents as read beside it as cleaned.
    pub inputs: bool,
    /// In a job of several steps: the one that makes the rows.
    pub step: Option<u8>,
    /// The reagents that rows name, if the job has rules of several reactants.
    pub reagents: Option<Arc<Reagents>>,
    /// The columns of the input that rows carry.
    pub kept: Option<Arc<KeptColumns>>,
    /// How the parts are written.
    pub parts: PartSettings,
    /// Whether all rows of a slot are recorded too, for `--duplicates`.
    pub duplicates: bool,
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
    if settings.inputs {
        fields.push(Field::new("input_smiles", DataType::Utf8, false));
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
    if let Some(kept) = &settings.kept {
        add_kept(&mut fields, kept);
    }
    Arc::new(Schema::new(fields))
}

/// Adds the kept columns behind all others. One that has the name of another column, in whatever case, gets a prefix.
fn add_kept(fields: &mut Vec<Field>, kept: &KeptColumns) {
    let name = |field: &Field| field.name().to_lowercase();
    let own: HashSet<String> = fields.iter().map(name).collect();
    let mut taken: HashSet<String> = kept.fields().iter().map(|field| name(field)).collect();
    for field in kept.fields() {
        let mut field = field.as_ref().clone();
        if own.contains(&name(&field)) {
            while own.contains(&name(&field)) || taken.contains(&name(&field)) {
                field = field
                    .clone()
                    .with_name(format!("{KEPT_PREFIX}{}", field.name()));
            }
            taken.insert(name(&field));
        }
        fields.push(field);
    }
}

/// What the name of a kept column gets before it if another column has its name.
const KEPT_PREFIX: &str = "input_";

/// The SMILES to write for some rows of a slot.
pub type Rewrite<'a> = dyn Fn(&Slot, &[usize]) -> Vec<String> + Send + 'a;

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
    parts: Parts<'a>,
    /// The rows of the open part.
    log: RowLog,
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
        let written = begun.map(|begun| (begun.parts, begun.density));
        let parts = Parts::new(
            (output, PartPlace::Products),
            settings.parts.clone(),
            &schema,
            Arc::clone(&encoders),
            written.unwrap_or_default(),
        )?;
        let mut sink = Self {
            output,
            gatherer: Gatherer {
                settings: Arc::new(settings),
                schema,
                rule_names,
            },
            rewrite,
            encoders,
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
        let Gatherer {
            schema,
            rule_names,
            settings,
        } = self.gatherer.clone();
        let columns = row_log::LogColumns {
            schema: &schema,
            dictionary: &rule_names,
            kept: settings.kept.as_deref(),
        };
        let path = self.output.work_file(PART_ROWS);
        row_log::read(&path, length, columns, |batch| self.parts.write(batch))
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
                self.parts.write(rows)?;
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

    /// The end of the log of the open part's rows.
    pub fn flush_rows(&mut self) -> Result<SpillLength, StoreError> {
        self.log.flush()
    }

    /// Writes the rows of the open part to the disk. Returns an empty length if there is no open part.
    pub fn sync_rows(&mut self) -> Result<SpillLength, StoreError> {
        match self.parts.is_open() {
            true => self.log.sync(),
            false => Ok(SpillLength::EMPTY),
        }
    }

    /// Discards the rows of closed parts. To be called after a checkpoint without an open part.
    pub fn forget_rows(&mut self) -> Result<(), StoreError> {
        self.log.restart()
    }

    /// Begins the first part although there is no row for it, so that a job without products leaves
    /// a table without rows, which readers can open.
    pub fn begin_first_part(&mut self) -> Result<(), SinkError> {
        self.parts.begin_first()
    }

    /// Publishes the open part, if there is one.
    pub fn close_part(&mut self) -> Result<(), SinkError> {
        self.parts.close()
    }

    /// The parts published so far.
    pub fn parts(&self) -> &[Part] {
        self.parts.published()
    }

    /// Whether a part is open.
    pub fn has_open_part(&self) -> bool {
        self.parts.is_open()
    }

    /// What encoding made of the content of the last part.
    pub fn density(&self) -> Density {
        self.parts.density()
    }

    /// Bytes that the open part will have, as the last one suggests: a function of the rows alone.
    pub fn part_bytes(&self) -> u64 {
        self.parts.open_bytes()
    }

    /// Bytes published and pending.
    pub fn bytes(&self) -> u64 {
        self.parts.bytes()
    }

    /// CPU time that the thread has used which writes the log.
    pub fn log_cpu_time(&self) -> Duration {
        self.log.cpu_time()
    }

    /// Time that row groups took to encode, and the log to write, since the last call.
    pub fn take_spent(&mut self) -> Spent {
        let mut spent = self.parts.take_spent();
        spent.work += self.log.take_work();
        spent
    }
}
