//! What the page says of one run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::UInt64Type,
};
use serde::Serialize;

use super::{
    PageError, Stage, Structure, Watch,
    counts::stages,
    gallery::{self, PICTURE_BYTES_MAX},
    properties::{Histogram, histograms},
    sample::{self, SampleSize},
};
use crate::{
    chem::RdKit,
    config::Task,
    picture::Painter,
    report::manifest::{Manifest, ManifestFile},
    table::part::{Part, PartError, Reading},
};

/// Rejected rows of a code that are shown.
const REJECTS_OF_CODE_MAX: usize = 5;
/// Rejected rows that are read.
const REJECTS_READ_MAX: usize = 200_000;
/// Characters of a text of a rejected row that are shown; a row may be of any length.
const REJECT_CHARS_MAX: usize = 1_000;
/// Drops that are shown.
const DROPS_MAX: usize = 60;

/// What the page says of one run.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Its output directory.
    pub directory: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its settings: the text of `job.toml`.
    pub settings: String,
    /// From the rows of the library to those of the output.
    pub funnel: Vec<Stage>,
    /// The rows from which histograms and gallery are made.
    pub sample: SampleSize,
    /// How properties are distributed over the sample.
    pub properties: Vec<Histogram>,
    /// Some rows, as pictures.
    pub gallery: Vec<Structure>,
    /// Why nothing is highlighted in the pictures, if that is because of the rules.
    pub rules_fault: Option<String>,
    /// Rows that could not be used.
    pub rejects: Rejects,
    /// With `--explain-drops`: some of its rows.
    pub drops: Vec<DropExample>,
}

/// Rows that could not be used.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rejects {
    /// How many there are.
    pub rows: u64,
    /// The first ones of each code.
    pub examples: Vec<RejectExample>,
}

/// A row that could not be used.
#[derive(Clone, Debug, Serialize)]
pub struct RejectExample {
    /// The kind.
    pub code: String,
    /// 0-based row over all inputs.
    pub row: u64,
    /// Its id. Like all texts here, it is cut if it is long, and then ends with `…`.
    pub id: String,
    /// Its text.
    pub text: String,
    /// The reason.
    pub reason: String,
}

/// A product or a parent that was left out, and why.
#[derive(Clone, Debug, Serialize)]
pub struct DropExample {
    /// `filtered`, `parent filtered` or `invalid`.
    pub kind: String,
    /// The filter.
    pub filter: Option<String>,
    /// The reason.
    pub reason: String,
    /// The rule that made it.
    pub rule: Option<String>,
    /// The parent's id.
    pub parent_id: String,
    /// The parent.
    pub parent_smiles: String,
    /// The product.
    pub smiles: Option<String>,
}

impl RunReport {
    /// Reads what there is to say of a run; with a gallery only if `watch` is given.
    pub(super) fn of(
        rdkit: RdKit,
        directory: &Path,
        watch: Option<&Watch<'_>>,
    ) -> Result<Self, PageError> {
        let manifest = Manifest::read(directory)?;
        let manifest = manifest.ok_or_else(|| PageError::NotComplete(directory.into()))?;
        // Rows of text are not read again.
        let parts = match manifest.text_format() {
            Some(_) => Vec::new(),
            None => (manifest.files.iter())
                .map(|file| directory.join(&file.name))
                .collect(),
        };
        let sample = sample::read(&parts, key_column(&manifest))?;
        let mut painter = Painter::of_run(rdkit, directory, &manifest);
        let settings = std::fs::read_to_string(directory.join("job.toml"));
        Ok(Self {
            directory: std::path::absolute(directory).unwrap_or_else(|_| directory.into()),
            // A directory that lacks it is still a complete run.
            settings: settings.unwrap_or_default(),
            funnel: stages(&manifest),
            sample: sample.size,
            properties: histograms(rdkit, &sample.even),
            gallery: watch.map_or_else(Vec::new, |watch| {
                let rows = (&sample, &manifest);
                gallery::draw(rdkit, &mut painter, rows, PICTURE_BYTES_MAX, watch)
            }),
            rules_fault: painter.fault,
            rejects: rejects(directory, &manifest)?,
            drops: drops(directory, manifest.drops.as_ref())?,
            manifest,
        })
    }
}

/// The column of the keys in a run with rules, whose rows say what they were made of.
pub(super) fn key_column(manifest: &Manifest) -> Option<&'static str> {
    let transforms = manifest.task == Task::Derive && manifest.rules > 0;
    transforms.then(|| manifest.key.column())
}

fn rejects(directory: &Path, manifest: &Manifest) -> Result<Rejects, PartError> {
    let Some(file) = &manifest.rejects else {
        return Ok(Rejects::default());
    };
    let part = Part::open(&directory.join(&file.name))?;
    let mut of_code: BTreeMap<String, usize> = BTreeMap::new();
    let mut examples = Vec::new();
    let mut read = 0;
    for batch in part.batches(Reading::default())? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let example = reject(&batch, row);
            let example = example.ok_or_else(|| part.damaged("it is no file of rejects"))?;
            let shown = of_code.entry(example.code.clone()).or_default();
            *shown += 1;
            if *shown <= REJECTS_OF_CODE_MAX {
                examples.push(example);
            }
        }
        read += batch.num_rows();
        if read >= REJECTS_READ_MAX {
            break;
        }
    }
    examples.sort_by(|a, b| (&a.code, a.row).cmp(&(&b.code, b.row)));
    Ok(Rejects {
        rows: file.rows,
        examples,
    })
}

/// A text of a row, if there is one.
fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row).to_owned())
}

/// The beginning of a long text, with a mark that it goes on.
fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(REJECT_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn reject(batch: &RecordBatch, row: usize) -> Option<RejectExample> {
    let rows = batch
        .column_by_name("row")?
        .as_primitive_opt::<UInt64Type>()?;
    Some(RejectExample {
        code: text(batch, "code", row)?,
        row: rows.value(row),
        id: cut(text(batch, "id", row)?),
        text: cut(text(batch, "text", row)?),
        reason: cut(text(batch, "reason", row)?),
    })
}

fn drops(directory: &Path, file: Option<&ManifestFile>) -> Result<Vec<DropExample>, PartError> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let part = Part::open(&directory.join(&file.name))?;
    // The file is in the order of reasons: rows at even distances are of all of them.
    let distance = part.rows().div_ceil(DROPS_MAX as u64).max(1);
    let mut examples = Vec::new();
    let mut number = 0u64;
    for batch in part.batches(Reading::default())? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            if number.is_multiple_of(distance) {
                let example = dropped(&batch, row);
                examples.push(example.ok_or_else(|| part.damaged("it is no file of drops"))?);
            }
            number += 1;
        }
    }
    Ok(examples)
}

fn dropped(batch: &RecordBatch, row: usize) -> Option<DropExample> {
    Some(DropExample {
        kind: text(batch, "kind", row)?,
        filter: text(batch, "filter", row),
        reason: text(batch, "reason", row)?,
        rule: text(batch, "rule", row),
        parent_id: text(batch, "parent_id", row)?,
        parent_smiles: text(batch, "parent_smiles", row)?,
        smiles: text(batch, "smiles", row),
    })
}
