//! Rows of an output for people to look at: those of a rule, of a parent, those that conditions hold for.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{SchemaRef, UInt8Type, UInt16Type},
};

use crate::{
    chem::{RdKit, draw},
    filter::Condition,
    property::{Property, PropertySet},
    report::manifest::{MANIFEST, Manifest, ManifestError},
    table::{
        part::{Part, PartError, Reading},
        product::{ProductRow, property_value},
        sink::{ColumnNames, OutputFormat, UnknownColumn, format},
    },
};

/// Why there are no rows to show.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The directory holds no complete run.
    #[error("{}: holds no {MANIFEST}, so no run is complete there; name one of its Parquet files", .0.display())]
    NotComplete(PathBuf),
    /// The parts are text.
    #[error(
        "{}: the parts of this run are {format}, which any editor shows; show reads Parquet",
        directory.display()
    )]
    NotParquet {
        /// The output directory.
        directory: PathBuf,
        /// The format of its parts.
        format: OutputFormat,
    },
    /// The file is of another format.
    #[error("{}: is no Parquet file; show reads output directories and Parquet files", .0.display())]
    OtherFile(PathBuf),
    /// No rule of the run has this name.
    #[error("--rule {rule}: this run has no such rule{}", like(.near))]
    NoRule {
        /// The name.
        rule: String,
        /// One that is written almost so.
        near: Option<String>,
    },
    /// The file lacks a column that a flag needs.
    #[error("{flag}: {} has no column `{column}`; its columns are {columns}", file.display())]
    NoColumn {
        /// The flag.
        flag: &'static str,
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
        /// Those that there are.
        columns: String,
    },
    /// A column is not there.
    #[error(transparent)]
    Column(#[from] UnknownColumn),
    /// The file can't be read.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The manifest can't be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

fn like(near: &Option<String>) -> String {
    near.as_ref()
        .map_or_else(String::new, |near| format!("; is it \"{near}\"?"))
}

/// The rows of a run or of a Parquet file.
pub struct Rows {
    parts: Vec<PathBuf>,
    /// Of the run that they are of, with its directory.
    run: Option<(PathBuf, Manifest)>,
}

/// Which rows are wanted. Each list that is empty allows all.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Rules that made them.
    pub rules: Vec<String>,
    /// Ids of their parents, or of the molecules of the library that they were made from.
    pub parents: Vec<String>,
    /// The step that made them.
    pub step: Option<u8>,
    /// What must hold for all.
    pub conditions: Vec<Condition>,
    /// Rows left out at the beginning, of those that are wanted.
    pub skip: u64,
    /// Most rows.
    pub limit: usize,
}

/// A row that was found.
#[derive(Clone, Debug)]
pub struct FoundRow {
    /// 0-based, over all parts.
    pub number: u64,
    /// Its columns; one row.
    pub batch: RecordBatch,
    /// In a job with rules: what it was made of.
    pub product: Option<ProductRow>,
}

impl Rows {
    /// Opens the output directory of a complete run, or a Parquet file.
    pub fn open(path: &Path) -> Result<Self, ShowError> {
        if !path.is_dir() {
            // What can't be read at all is an error of the part.
            if first_bytes(path).is_some_and(|bytes| &bytes != PARQUET) {
                return Err(ShowError::OtherFile(path.into()));
            }
            // A part stands in the folder `products` of its run, other files in the directory itself.
            let above = path.ancestors().skip(1).take(2);
            let run = above.map(|above| match above.as_os_str().is_empty() {
                true => Path::new("."),
                false => above,
            });
            let run =
                run.filter_map(|above| Some((above.to_owned(), Manifest::read(above).ok()??)));
            return Ok(Self {
                parts: vec![path.to_owned()],
                run: run.into_iter().next(),
            });
        }
        let manifest = Manifest::read(path)?;
        let manifest = manifest.ok_or_else(|| ShowError::NotComplete(path.into()))?;
        if let Some(format) = manifest.text_format() {
            return Err(ShowError::NotParquet {
                directory: path.into(),
                format,
            });
        }
        let parts = manifest.files.iter().map(|file| path.join(&file.name));
        Ok(Self {
            parts: parts.collect(),
            run: Some((path.into(), manifest)),
        })
    }

    /// The run that the rows are of, with its directory.
    pub fn run(&self) -> Option<(&Path, &Manifest)> {
        let run = self.run.as_ref();
        run.map(|(directory, manifest)| (directory.as_path(), manifest))
    }

    /// Their columns.
    pub fn schema(&self) -> Result<SchemaRef, ShowError> {
        let first = self.parts.first();
        let first = first.ok_or_else(|| ShowError::NotComplete(PathBuf::new()))?;
        Ok(Part::open(first)?.schema().clone())
    }

    /// The names of the columns to show: those that are named, else all.
    pub fn columns(&self, named: Option<&ColumnNames>) -> Result<Vec<String>, ShowError> {
        let schema = self.schema()?;
        let places = format::places(&schema, named)?.into_iter();
        Ok(places
            .map(|place| schema.field(place).name().clone())
            .collect())
    }

    /// How many there are.
    pub fn number(&self) -> Result<u64, ShowError> {
        let rows = self.parts.iter().map(|part| Ok(Part::open(part)?.rows()));
        rows.sum()
    }

    /// Passes rows to `take`, in their order, until it returns false. Returns their number. RDKit computes the properties of
    /// conditions that have no column. A row that is kept keeps up to a thousand rows around it in memory.
    pub fn find(
        &self,
        query: &Query,
        rdkit: RdKit,
        mut take: impl FnMut(FoundRow) -> bool,
    ) -> Result<usize, ShowError> {
        self.check(query)?;
        let mut found = 0;
        let (mut number, mut skipped) = (0, 0);
        for path in &self.parts {
            let part = Part::open(path)?;
            if query.wants_all() && query.skip >= number + part.rows() {
                number += part.rows();
                skipped = number;
                continue;
            }
            for batch in part.batches(Reading::default())? {
                let batch = batch?;
                for row in 0..batch.num_rows() {
                    if !query.wants(&batch, row, rdkit) {
                        continue;
                    }
                    if skipped < query.skip {
                        skipped += 1;
                        continue;
                    }
                    if found == query.limit {
                        return Ok(found);
                    }
                    found += 1;
                    let goes_on = take(FoundRow {
                        number: number + row as u64,
                        product: self.product(&batch, row),
                        batch: batch.slice(row, 1),
                    });
                    if !goes_on {
                        return Ok(found);
                    }
                }
                number += batch.num_rows() as u64;
            }
        }
        Ok(found)
    }

    fn product(&self, batch: &RecordBatch, row: usize) -> Option<ProductRow> {
        let (_, manifest) = self.run.as_ref()?;
        let column = (manifest.rules > 0).then(|| manifest.key.column())?;
        ProductRow::of(batch, row, column)
    }

    /// Whether there can be such rows.
    fn check(&self, query: &Query) -> Result<(), ShowError> {
        let schema = self.schema()?;
        let has = |name: &str| schema.field_with_name(name).is_ok();
        let lacks = |flag, column: &str| {
            let columns = schema.fields().iter().map(|field| field.name().as_str());
            Err(ShowError::NoColumn {
                flag,
                file: self.parts.first().cloned().unwrap_or_default(),
                column: column.into(),
                columns: columns.collect::<Vec<_>>().join(", "),
            })
        };
        if !query.rules.is_empty() && !has("rule") {
            return lacks("--rule", "rule");
        }
        if !query.parents.is_empty() && !has("parent_id") {
            return lacks("--parent", "parent_id");
        }
        if query.step.is_some() && !has("step") {
            return lacks("--step", "step");
        }
        let computed = query
            .conditions
            .iter()
            .any(|condition| !has(condition.property.name()));
        if computed && !has("smiles") {
            return lacks("--where", "smiles");
        }
        let Some((_, manifest)) = &self.run else {
            return Ok(());
        };
        let known = || manifest.by_rule.iter().map(|counts| &counts.name);
        for rule in &query.rules {
            if !manifest.by_rule.is_empty() && !known().any(|known| known == rule) {
                let near = known().min_by_key(|known| strsim::osa_distance(rule, known));
                let near = near.filter(|near| strsim::osa_distance(rule, near) <= rule.len() / 2);
                return Err(ShowError::NoRule {
                    rule: rule.clone(),
                    near: near.cloned(),
                });
            }
        }
        Ok(())
    }
}

/// What each Parquet file begins with.
const PARQUET: &[u8; 4] = b"PAR1";

/// The first bytes of a file; `None` if it can't be read. A shorter file has zeros behind its end.
fn first_bytes(path: &Path) -> Option<[u8; 4]> {
    let mut bytes = [0; 4];
    let mut file = File::open(path).ok()?;
    match file.read_exact(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => None,
        _ => Some(bytes),
    }
}

impl Query {
    /// Whether no row is left out for what it is.
    fn wants_all(&self) -> bool {
        let Self {
            rules,
            parents,
            step,
            conditions,
            ..
        } = self;
        rules.is_empty() && parents.is_empty() && step.is_none() && conditions.is_empty()
    }

    fn wants(&self, batch: &RecordBatch, row: usize, rdkit: RdKit) -> bool {
        let text = |name: &str| {
            let column = batch.column_by_name(name)?;
            let column = column.as_string_opt::<i32>()?;
            column.is_valid(row).then(|| column.value(row))
        };
        let is_among = |list: &[String], text: Option<&str>| {
            text.is_some_and(|text| list.iter().any(|item| item == text))
        };
        let rule = || is_among(&self.rules, rule_of(batch, row));
        let parent = || {
            let ids = ["parent_id", "root_id"];
            ids.into_iter()
                .any(|name| is_among(&self.parents, text(name)))
        };
        let step = |wanted: u8| {
            let steps = batch.column_by_name("step");
            let steps = steps.and_then(|steps| steps.as_primitive_opt::<UInt8Type>());
            steps.is_some_and(|steps| steps.value(row) == wanted)
        };
        (self.rules.is_empty() || rule())
            && (self.parents.is_empty() || parent())
            && self.step.is_none_or(step)
            && self.holds(batch, row, || text("smiles"), rdkit)
    }

    /// Whether all conditions hold for a row.
    fn holds<'t>(
        &self,
        batch: &RecordBatch,
        row: usize,
        smiles: impl FnOnce() -> Option<&'t str>,
        rdkit: RdKit,
    ) -> bool {
        let mut computed: Vec<(Property, f64)> = Vec::new();
        let lacking = self.conditions.iter().map(|condition| condition.property);
        let lacking = lacking.filter(|property| batch.column_by_name(property.name()).is_none());
        let lacking: PropertySet = lacking.collect();
        if !lacking.is_empty() {
            let values = smiles().and_then(|smiles| draw::describe(rdkit, smiles, lacking));
            let Some(values) = values else {
                return false;
            };
            computed = lacking.iter().zip(values).collect();
        }
        self.conditions.iter().all(|condition| {
            let known = computed.iter().find(|(of, _)| *of == condition.property);
            let value = known.map(|(_, value)| *value);
            let value = value.or_else(|| property_value(batch, condition.property, row));
            value.is_some_and(|value| condition.holds(value))
        })
    }
}

/// The rule of a row, which has a dictionary or, in other files than parts, a text.
fn rule_of(batch: &RecordBatch, row: usize) -> Option<&str> {
    let column = batch
        .column_by_name("rule")
        .filter(|column| column.is_valid(row))?;
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Some(texts.value(row));
    }
    let rules = column.as_dictionary_opt::<UInt16Type>()?;
    Some(
        rules
            .values()
            .as_string_opt::<i32>()?
            .value(rules.key(row)?),
    )
}
