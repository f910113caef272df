//! Routes: the way from a molecule of the library to a product, rule by rule, read from the output of a complete run.
//!
//! A row names its parent by the row number in the step before, so a route is one row per step ([`Routes::first`]).
//! [`Routes::all`] finds every shortest way: it makes the products of each step's parents again and looks for the
//! molecules on the way.

mod rows;
mod ways;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    chem::RdKit,
    config::{ConfigError, JobSettings, Task},
    identity::{KeyKind, KeyMaker},
    key::Key,
    limits::JOB_MEMORY_BYTES_MAX,
    pipeline::{Job, PrepareError},
    report::manifest::{MANIFEST, Manifest, ManifestError},
    sieve::EngineChoice,
    store::StoreError,
    table::{
        part::PartError,
        product::{ProductRow, Reagent},
        sink::OutputFormat,
        source::SourceError,
    },
    units::ByteSize,
};
use rows::{Parts, step_of};
use ways::Way;

/// Why there is no route.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The directory holds no complete run.
    #[error("{}: holds no {MANIFEST}, so no run is complete there", .0.display())]
    NotComplete(PathBuf),
    /// The run has no rules.
    #[error("{}: this run applies no rules, so there is no route to its molecules", .0.display())]
    NoRules(PathBuf),
    /// The parts are text.
    #[error(
        "{}: the parts of this run are {format}, and routes are read from Parquet; run the job again with --format parquet",
        directory.display()
    )]
    NotParquet {
        /// The output directory.
        directory: PathBuf,
        /// The format of its parts.
        format: OutputFormat,
    },
    /// RDKit can't read the SMILES.
    #[error("cannot read the SMILES: {0}")]
    Smiles(String),
    /// The run has not made the molecule.
    #[error("{}: none of its products is this molecule ({smiles})", directory.display())]
    NotFound {
        /// The output directory.
        directory: PathBuf,
        /// Its canonical SMILES.
        smiles: String,
    },
    /// A part can't be read, or is not one of the run.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The manifest can't be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// RDKit can't start.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The settings of the run can't be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The library or the products of a step can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The system refuses a thread.
    #[error("cannot look for ways: {0}")]
    Thread(String),
}

impl From<StoreError> for RouteError {
    fn from(error: StoreError) -> Self {
        Self::Manifest(error.into())
    }
}

/// A way from a molecule of the library to a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Where it begins.
    pub root: RouteRoot,
    /// What is made, step by step.
    pub steps: Vec<RouteStep>,
}

/// A molecule of the library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteRoot {
    /// 0-based row over all inputs.
    pub row: u64,
    /// Its id, or its row number.
    pub id: String,
    /// Its SMILES as read.
    pub smiles: String,
}

/// A step of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteStep {
    /// Its number, from 1.
    pub step: u64,
    /// The rule that was applied.
    pub rule: String,
    /// Index of the match among the rule's matches.
    pub site: u16,
    /// The reagents, if the rule has several reactants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reagents: Vec<Reagent>,
    /// What was made.
    pub smiles: String,
}

/// The routes of a complete run.
pub struct Routes {
    directory: PathBuf,
    manifest: Manifest,
    parts: Parts,
    rdkit: RdKit,
}

impl Routes {
    /// Opens the output directory of a complete run.
    pub fn open(directory: &Path) -> Result<Self, RouteError> {
        let manifest = Manifest::read(directory)?;
        let manifest = manifest.ok_or_else(|| RouteError::NotComplete(directory.into()))?;
        if manifest.task == Task::Dedup || manifest.rules == 0 {
            return Err(RouteError::NoRules(directory.into()));
        }
        if let Some(format) = manifest.text_format() {
            return Err(RouteError::NotParquet {
                directory: directory.into(),
                format,
            });
        }
        Ok(Self {
            parts: Parts::of(directory, &manifest),
            directory: directory.into(),
            rdkit: RdKit::initialise().map_err(PrepareError::from)?,
            manifest,
        })
    }

    /// The way by which the run made a molecule.
    pub fn first(&self, smiles: &str) -> Result<Route, RouteError> {
        let mut row = self.product(smiles)?;
        let mut steps = vec![step_of(&row)];
        while row.step > 1 {
            row = self.parts.row(row.step - 1, row.parent_row)?;
            steps.push(step_of(&row));
        }
        steps.reverse();
        Ok(Route {
            root: RouteRoot {
                row: row.parent_row,
                id: row.parent_id,
                smiles: row.parent_smiles,
            },
            steps,
        })
    }

    /// All shortest ways to a molecule that differ in a molecule on the way, in the order of the library and of the
    /// products. `watch` is called with a step, the rows of its input that were read and their number.
    pub fn all(
        &self,
        smiles: &str,
        watch: &(dyn Fn(u64, u64, u64) + Sync),
    ) -> Result<Vec<Route>, RouteError> {
        let product = self.product(smiles)?;
        let job = self.job()?;
        let mut targets = BTreeSet::from([product.key.words()]);
        let mut by_step = BTreeMap::new();
        for step in (1..=product.step).rev() {
            let ways = ways::find(&job, &self.parts, step, &targets, watch)?;
            targets = ways.iter().map(|way| way.parent_key).collect();
            by_step.insert(step, ways);
        }
        let mut routes = Vec::new();
        follow(
            &by_step,
            product.step,
            product.key.words(),
            &mut Vec::new(),
            &mut routes,
        );
        Ok(routes)
    }

    /// The row of a molecule.
    fn product(&self, smiles: &str) -> Result<ProductRow, RouteError> {
        let canonical = self.rdkit.canonical_smiles(smiles);
        let canonical = canonical.map_err(|rejection| RouteError::Smiles(rejection.reason))?;
        let key = match self.manifest.key {
            KeyKind::Canonical => Key::of(canonical.as_bytes()),
            KeyKind::Structure => {
                KeyMaker::new(self.rdkit)
                    .of_canonical(canonical.as_bytes())
                    .0
            }
        };
        let found = self.parts.find(key)?;
        found.ok_or_else(|| RouteError::NotFound {
            directory: self.directory.clone(),
            smiles: canonical,
        })
    }

    /// The job that made the output.
    fn job(&self) -> Result<Job, RouteError> {
        let settings = JobSettings::from_file(&self.directory.join("job.toml"))?;
        let settings = JobSettings {
            output: Some(self.directory.clone()),
            // Another machine may have no GPU, and other cores.
            engine: Some(EngineChoice::Cpu),
            threads: None,
            // Reagents are then held in memory, since nothing is written.
            memory: Some(ByteSize(JOB_MEMORY_BYTES_MAX)),
            ..settings
        };
        Ok(Job::prepare(settings.check()?, None)?)
    }
}

/// Adds the ways to a molecule of a step to `routes`. `behind`: the steps after it, the last one first.
fn follow(
    by_step: &BTreeMap<u64, Vec<Way>>,
    step: u64,
    molecule: [u64; 2],
    behind: &mut Vec<RouteStep>,
    routes: &mut Vec<Route>,
) {
    let ways = by_step.get(&step).into_iter().flatten();
    for way in ways.filter(|way| way.product == molecule) {
        behind.push(way.step.clone());
        if step == 1 {
            routes.push(Route {
                root: way.parent.clone(),
                steps: behind.iter().rev().cloned().collect(),
            });
        } else {
            follow(by_step, step - 1, way.parent_key, behind, routes);
        }
        behind.pop();
    }
}
