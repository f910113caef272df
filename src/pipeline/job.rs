//! A job that is ready to run, made from a checked one.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use super::{
    earlier::{EarlierRun, EarlierRunError},
    prepared::RowOrigin,
};
use crate::{
    chem::{ChemistryError, RdKit, Transformer, check::ON_HYDROGENS},
    config::{JobSettings, JobSpec},
    plan::{self, Plan, PlanError},
    rules::{RuleError, RuleSet},
    table::source::{ColumnChoice, Library, SourceError},
    trial,
    units::{ByteSize, counted},
};

/// A job that is ready to run: everything that can be checked before the work begins has been checked.
pub struct Job {
    /// Its settings.
    pub spec: JobSpec,
    /// The rules of its steps; none for a cleaning job. Steps with the same rule files share an entry.
    pub rules: StepRules,
    /// Its inputs.
    pub library: Library,
    /// Earlier runs whose products are left out.
    pub earlier: Vec<EarlierRun>,
    /// Its plan.
    pub plan: Plan,
    /// RDKit, warmed up.
    pub rdkit: RdKit,
    /// The settings as resolved, to be written as `job.toml`.
    pub job_toml: String,
    /// The executable that tries parents in processes of its own, if there is one; see [`Job::prepare`].
    pub program: Option<PathBuf>,
    /// Where its workers take rows from: [`RowOrigin::Work`] unless a benchmark sets another.
    pub row_origin: RowOrigin,
}

/// Why a job can't begin. Nothing is written when one of these occurs.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A rule file can't be read, or a rule is wrong.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// An input can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// RDKit can't start, or refuses a rule.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    /// An earlier run whose products are to be left out can't be used.
    #[error(transparent)]
    Exclude(#[from] EarlierRunError),
    /// The job does not fit its memory limit, or an engine that was named can't be used.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl Job {
    /// Opens and plans everything a job needs, and finds what is wrong with rules and inputs. Writes nothing.
    ///
    /// `program` is the path of the `molsieve` executable, which tries parents that may crash RDKit in
    /// processes of its own: a sample for the plan, and those in work when an earlier attempt ended. With
    /// `None` the sample is transformed in this process, and after a crash nothing is tried: a parent that
    /// crashes RDKit then ends this process, each time.
    ///
    /// ```no_run
    /// # use molsieve::{config::JobSettings, pipeline::{self, Job}};
    /// # use std::sync::atomic::AtomicBool;
    /// let settings = JobSettings {
    ///     input: vec!["library.smi".into()],
    ///     rules: vec!["rules.toml".into()],
    ///     output: Some("out".into()),
    ///     ..JobSettings::default()
    /// };
    /// let job = Job::prepare(settings.check()?, None)?;
    /// pipeline::run(&job, &AtomicBool::new(false), &mut |_| {})?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prepare(spec: JobSpec, program: Option<&Path>) -> Result<Self, PrepareError> {
        let rules = StepRules::load(&spec)?;
        let columns = ColumnChoice {
            smiles: spec.smiles_column.clone(),
            id: spec.id_column.clone(),
            no_header: spec.no_header,
        };
        let library = Library::open(&spec.input, &columns)?
            .with_page_bytes_max(plan::page_bytes_max(spec.memory));
        let rdkit = RdKit::initialise()?;
        let release = rdkit.version();
        let earlier = spec.exclude.iter();
        let earlier = earlier.map(|directory| EarlierRun::open(directory, spec.key(), &release));
        let earlier = earlier.collect::<Result<Vec<_>, _>>()?;
        let excluded = earlier.iter().map(EarlierRun::rows).sum();
        for rules in rules.distinct() {
            // RDKit refuses a rule here, where the message can name its file and line.
            let transformer = Transformer::new(rdkit, rules, spec.transform_settings())?;
            warn_of_hydrogens(rules, transformer.rules_without_hydrogens());
        }
        let plan = plan::plan(
            &spec,
            &rules.counts(),
            &library,
            excluded,
            &|purpose, parents| match program {
                Some(program) => trial::try_parents(program, &spec.assignment(purpose), parents),
                None => trial::try_here(rdkit, rules.of(purpose.step), purpose, parents),
            },
        )?;
        let job_toml = resolved(&spec, &plan).to_job_file();
        Ok(Self {
            spec,
            rules,
            library,
            earlier,
            plan,
            rdkit,
            job_toml,
            program: program.map(Into::into),
            row_origin: RowOrigin::Work,
        })
    }

    /// The names the `rule` column can have in the rows of a step.
    pub fn rule_names(&self, step: usize) -> Vec<String> {
        let rules = self.rules.of(step);
        if rules.is_empty() {
            return vec![CLEANING_RULE.into()];
        }
        let rules = rules.rules().iter();
        rules.map(|rule| rule.name.clone()).collect()
    }

    /// The step with which the job begins: 0 reads what the library itself holds.
    pub(super) fn first_step(&self) -> usize {
        usize::from(!self.spec.new_only())
    }
}

/// The rules of each step of a job.
pub struct StepRules {
    distinct: Vec<RuleSet>,
    /// Per step, its entry in `distinct`.
    of_step: Vec<usize>,
    /// Those of step 0, which reads what the library itself holds.
    none: RuleSet,
}

impl StepRules {
    /// Reads the rule files of all steps, each list of files once.
    fn load(spec: &JobSpec) -> Result<Self, RuleError> {
        let mut read: Vec<&[PathBuf]> = Vec::new();
        let mut rules = Self {
            distinct: Vec::new(),
            of_step: Vec::new(),
            none: RuleSet::default(),
        };
        for step in 1..=spec.steps() {
            let files = spec.rules_of(step);
            let known = read.iter().position(|known| *known == files);
            rules.of_step.push(known.unwrap_or(read.len()));
            if known.is_none() {
                rules.distinct.push(RuleSet::load(files)?);
                read.push(files);
            }
        }
        Ok(rules)
    }

    /// The rules of a step.
    pub fn of(&self, step: usize) -> &RuleSet {
        match step {
            0 => &self.none,
            step => &self.distinct[self.of_step[step - 1]],
        }
    }

    /// The sets of rules, each once.
    pub fn distinct(&self) -> &[RuleSet] {
        &self.distinct
    }

    /// The number of rules, each counted once.
    pub fn total(&self) -> usize {
        self.distinct.iter().map(RuleSet::len).sum()
    }

    /// The number of rules of each step.
    pub fn counts(&self) -> Vec<usize> {
        (1..=self.of_step.len())
            .map(|step| self.of(step).len())
            .collect()
    }
}

/// The name under which a job without rules files its rows.
const CLEANING_RULE: &str = "canonical";

/// Every setting as resolved: a job file with them makes the same files again.
fn resolved(spec: &JobSpec, plan: &Plan) -> JobSettings {
    JobSettings {
        engine: Some(plan.engine.choice()),
        threads: NonZeroUsize::new(plan.threads),
        expected_products: Some(plan.filter_products),
        slot_size: Some(ByteSize(plan.slot.bytes as u64)),
        slots: Some(plan.slots),
        ..spec.written()
    }
}

/// Names the rules that match nothing because they ask for hydrogens as atoms.
fn warn_of_hydrogens(rules: &RuleSet, without: &[usize]) {
    const NAMED_MAX: usize = 3;
    let names = without.iter().filter_map(|rule| rules.rules().get(*rule));
    let named: Vec<_> = names
        .take(NAMED_MAX)
        .map(|rule| format!("\"{}\"", rule.name))
        .collect();
    let more = match without.len().saturating_sub(named.len()) {
        0 => String::new(),
        n => format!(" and {}", counted(n as u64, "more rule")),
    };
    if !named.is_empty() {
        tracing::warn!("rule {}{more}: {ON_HYDROGENS}", named.join(", "));
    }
}
