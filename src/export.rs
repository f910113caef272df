//! `molsieve export`: the rows of a complete run in another format, or with other columns.
//!
//! Rows are read from the Parquet parts, some at a time, and written in their order. Memory does not grow with the run:
//! it holds a row group, and per thread of the sink a row group or a piece of text.

mod canonical;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};

use canonical::CanonicalWriter;

use crate::{
    chem::{ChemistryError, RdKit},
    cores::Cores,
    limits::{EXPORT_ROWS_AT_A_TIME, ROW_GROUP_BYTES_MAX},
    report::manifest::{MANIFEST, Manifest, ManifestError},
    store::{OutputDir, StoreError},
    table::{
        part::{Part, PartError, Reading},
        sink::{
            self, ColumnNames, Coordinates, Density, Encoders, OutputFormat, PartPlace,
            PartSettings, Parts, RowName, SinkError, TextStream, UnknownColumn, format,
            parquet_file::ParquetSettings,
        },
    },
};

/// What is to be written.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The format.
    pub format: OutputFormat,
    /// The columns, in this order; `None`: all.
    pub columns: Option<ColumnNames>,
    /// Which mol blocks have coordinates.
    pub coordinates: Coordinates,
    /// Of a run of several steps, the products of one; `None`: of all.
    pub step: Option<u64>,
    /// Whether the SMILES are made canonical.
    pub canonical: Option<RdKit>,
}

/// Why a run can't be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The directory holds no complete run.
    #[error("{}: holds no {MANIFEST}, so no run is complete there", .0.display())]
    NotComplete(PathBuf),
    /// The parts are text.
    #[error(
        "{}: the parts of this run are {format}, and export reads Parquet; run the job again with --format parquet",
        directory.display()
    )]
    NotParquet {
        /// The output directory.
        directory: PathBuf,
        /// The format of its parts.
        format: OutputFormat,
    },
    /// The run has no such step.
    #[error("--step {step}: {} has {steps} with products, from 1", directory.display())]
    NoStep {
        /// The output directory.
        directory: PathBuf,
        /// The step.
        step: u64,
        /// How many there are, with the word.
        steps: String,
    },
    /// A column is not there.
    #[error(transparent)]
    Column(#[from] UnknownColumn),
    /// A part can't be read, or is not one of the run.
    #[error(transparent)]
    Part(#[from] PartError),
    /// RDKit can't be used.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    /// The system starts no more threads.
    #[error("threads can't be started: {0}")]
    Threads(String),
    /// The export was stopped.
    #[error("the export was stopped on request; nothing of it is kept")]
    Stopped,
    /// The manifest can't be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Rows can't be written.
    #[error(transparent)]
    Sink(SinkError),
}

impl From<SinkError> for ExportError {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Column(error) => Self::Column(error),
            error => Self::Sink(error),
        }
    }
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Sink(error.into())
    }
}

/// What an export has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows.
    pub rows: u64,
    /// Its files; none if the rows went elsewhere.
    pub parts: Vec<sink::Part>,
    /// Records of an SDF whose mol block is empty because RDKit makes none.
    pub without_mol_block: u64,
    /// Rows whose SMILES is as it was because RDKit can't read it.
    pub left_as_written: u64,
}

/// Whether to stop, and what is called with the number of rows written.
pub struct Watch<'a> {
    /// Set from outside.
    pub stop: &'a AtomicBool,
    /// Called after every few thousand rows.
    pub progress: &'a mut dyn FnMut(u64),
}

/// The rows of a complete run, ready to be written.
pub struct Export {
    /// Each part with its rows.
    parts: Vec<(PathBuf, u64)>,
    /// The columns that are read, in the order of the parts.
    schema: SchemaRef,
    settings: PartSettings,
    /// With which SMILES are made canonical.
    canonical: Option<RdKit>,
}

impl Export {
    /// Opens the output directory of a complete run.
    pub fn open(directory: &Path, wanted: &Wanted) -> Result<Self, ExportError> {
        let manifest = Manifest::read(directory)?;
        let manifest = manifest.ok_or_else(|| ExportError::NotComplete(directory.into()))?;
        if let Some(format) = manifest.text_format() {
            return Err(ExportError::NotParquet {
                directory: directory.into(),
                format,
            });
        }
        let parts = parts_of(directory, &manifest, wanted.step)?;
        let settings = PartSettings {
            format: wanted.format,
            parquet: ParquetSettings::new(ROW_GROUP_BYTES_MAX),
            columns: wanted.columns.clone(),
            coordinates: wanted.coordinates,
            row_name: RowName::of(manifest.rules > 0, !manifest.steps.is_empty()),
            key_column: manifest.key.column(),
            header: true,
        };
        let Some((first, _)) = parts.first() else {
            return Err(ExportError::NotComplete(directory.into()));
        };
        let first = Part::open(first)?;
        let schema = first.schema();
        // Names are checked before columns are left out.
        format::places(schema, wanted.columns.as_ref())?;
        let read = settings.columns_read(schema);
        let schema = schema.project(&read);
        let schema = schema.map_err(|error| first.damaged(error.to_string()))?;
        Ok(Self {
            schema: schema.into(),
            parts,
            settings,
            canonical: wanted.canonical,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|(_, rows)| rows).sum()
    }

    /// Writes parts of about `part_bytes` into a directory, on so many threads.
    pub fn write_parts(
        &self,
        output: &OutputDir,
        part_bytes: u64,
        threads: usize,
        watch: &mut Watch<'_>,
    ) -> Result<Exported, ExportError> {
        let encoders = Arc::new(Encoders::new(threads, &Cores::new(threads))?);
        let mut parts = Parts::new(
            (output, PartPlace::Directory),
            self.settings.clone(),
            &self.schema,
            encoders,
            (Vec::new(), Density::default()),
        )?;
        let canonical = self.canonical_writer(threads)?;
        let rows = self.for_each_batch(canonical.as_ref(), watch, |batch| {
            parts.write(batch)?;
            match parts.open_bytes() >= part_bytes {
                true => parts.close(),
                false => Ok(()),
            }
        })?;
        parts.begin_first()?;
        parts.close()?;
        let parts = parts.published().to_vec();
        Ok(Exported {
            rows,
            without_mol_block: parts.iter().map(|part| part.without_mol_block).sum(),
            left_as_written: canonical.map_or(0, |writer| writer.left_as_written()),
            parts,
        })
    }

    /// Writes all rows to `out`, which `target` names, as one text.
    pub fn write_text(
        &self,
        (out, target): (impl Write, &Path),
        threads: usize,
        watch: &mut Watch<'_>,
    ) -> Result<Exported, ExportError> {
        let encoders = Arc::new(Encoders::new(threads, &Cores::new(threads))?);
        let (settings, schema) = (&self.settings, &self.schema);
        let mut text = TextStream::begin((out, target), settings, schema, &encoders)?;
        let canonical = self.canonical_writer(threads)?;
        let rows = self.for_each_batch(canonical.as_ref(), watch, |batch| text.write(&batch))?;
        Ok(Exported {
            rows,
            parts: Vec::new(),
            without_mol_block: text.end()?,
            left_as_written: canonical.map_or(0, |writer| writer.left_as_written()),
        })
    }

    fn canonical_writer(&self, threads: usize) -> Result<Option<CanonicalWriter>, ExportError> {
        let writer = |rdkit| CanonicalWriter::new(rdkit, threads);
        self.canonical.map(writer).transpose()
    }

    /// Passes all rows to `take`, in order. Returns their number.
    fn for_each_batch(
        &self,
        canonical: Option<&CanonicalWriter>,
        watch: &mut Watch<'_>,
        mut take: impl FnMut(RecordBatch) -> Result<(), SinkError>,
    ) -> Result<u64, ExportError> {
        let mut rows = 0;
        let columns = self.schema.fields().iter();
        let columns: Vec<_> = columns.map(|field| field.name().as_str()).collect();
        for (part, _) in &self.parts {
            let part = Part::open(part)?;
            let reading = Reading {
                columns: Some(&columns),
                rows_at_a_time: EXPORT_ROWS_AT_A_TIME,
                ..Reading::default()
            };
            for batch in part.batches(reading)? {
                let batch = batch?;
                if batch.schema().fields() != self.schema.fields() {
                    let reason = "its columns are not those of the first part";
                    return Err(part.damaged(reason).into());
                }
                rows += batch.num_rows() as u64;
                let batch = match canonical {
                    Some(writer) => writer.rewrite(batch)?,
                    None => batch,
                };
                take(batch)?;
                if watch.stop.load(Relaxed) {
                    return Err(ExportError::Stopped);
                }
                (watch.progress)(rows);
            }
        }
        Ok(rows)
    }
}

/// The parts of a step, or of all.
fn parts_of(
    directory: &Path,
    manifest: &Manifest,
    step: Option<u64>,
) -> Result<Vec<(PathBuf, u64)>, ExportError> {
    let parts = manifest.files.iter();
    let parts = parts.map(|file| (directory.join(&file.name), file.rows));
    let mut parts: Vec<_> = parts.collect();
    let Some(step) = step else {
        return Ok(parts);
    };
    let firsts = manifest.steps.iter().filter(|counts| counts.step > 0);
    let firsts: Vec<_> = firsts
        .map(|counts| (counts.step, counts.first_part as usize))
        .collect();
    if firsts.is_empty() && step == 1 {
        return Ok(parts);
    }
    let Some(place) = firsts.iter().position(|(number, _)| *number == step) else {
        return Err(ExportError::NoStep {
            directory: directory.into(),
            step,
            steps: crate::units::counted(firsts.len().max(1) as u64, "step"),
        });
    };
    if let Some((_, next)) = firsts.get(place + 1) {
        parts.truncate(*next);
    }
    Ok(parts.split_off(firsts[place].1.min(parts.len())))
}
