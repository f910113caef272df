//! A job that is ready to run, made from a checked one.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    begun::begun_sizes,
    earlier::{EarlierRun, EarlierRunError},
    prepared::RowOrigin,
    reagent_sets::{JobReagents, ReadyReagents, ReagentError},
    step_filters::StepFilters,
    step_rules::StepRules,
};
use crate::{
    chem::{ChemistryError, RdKit, Transformer, check::ON_HYDROGENS},
    config::{JobSettings, JobSpec},
    filter::FilterError,
    plan::{self, Plan, PlanError},
    reagents::{Reagents, Sample, StepReagents},
    rules::{RuleError, RuleSet},
    store::Existing,
    table::{
        sink::UnknownColumn,
        source::{ColumnChoice, Library, SourceError},
    },
    trial::{self, Assignment, TriedReagents},
    units::{ByteSize, counted},
};

/// A job that is ready to run: everything that can be checked before the work begins has been checked.
pub struct Job {
    /// Its settings.
    pub spec: JobSpec,
    /// The rules of its steps; none for a cleaning job. Steps with the same rule files share an entry.
    pub rules: StepRules,
    /// The filters of its steps.
    pub filters: StepFilters,
    /// Its inputs.
    pub library: Library,
    /// Earlier runs whose products are left out.
    pub earlier: Vec<EarlierRun>,
    /// What its rules combine parents with, if any rule has several reactants.
    pub reagents: Option<JobReagents>,
    /// With `--sample`: the number of rows of its inputs.
    library_rows: u64,
    /// Its plan.
    pub plan: Plan,
    /// RDKit, warmed up.
    pub rdkit: RdKit,
    /// The settings as resolved, to be written as `job.toml`.
    pub job_toml: String,
    /// The executable that tries parents in processes of its own, if there is one; see [`Job::prepare`].
    pub program: Option<PathBuf>,
    /// Whether its rows go to standard output: parts are then small, another process takes them away, and their
    /// concatenation counts. `false` unless the caller sets it.
    pub is_stream: bool,
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
    /// A file of SMARTS for a filter can't be used.
    #[error(transparent)]
    Filters(#[from] FilterError),
    /// An earlier run whose products are to be left out can't be used.
    #[error(transparent)]
    Exclude(#[from] EarlierRunError),
    /// The reagents of a rule can't be used.
    #[error(transparent)]
    Reagents(#[from] ReagentError),
    /// A column that is to be written is none of the job's.
    #[error(transparent)]
    Column(#[from] UnknownColumn),
    /// The job does not fit its memory limit, or an engine that was named can't be used.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl Job {
    /// Free bytes of disk with which the job begins a part: those of a part, or of all that it is expected to write.
    pub fn disk_bytes_to_continue(&self) -> u64 {
        let estimate = &self.plan.estimate;
        let all = estimate.disk_bytes() + estimate.disk_bytes_while_running();
        self.spec.part_size.0.min(all)
    }

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
        let filters = StepFilters::read(&spec)?;
        let columns = ColumnChoice {
            smiles: spec.smiles_column.clone(),
            id: spec.id_column.clone(),
            no_header: spec.no_header,
            keep: spec.keep_columns.clone(),
        };
        let library = Library::open(&spec.input, &columns)?
            .with_page_bytes_max(plan::page_bytes_max(spec.memory));
        let rdkit = RdKit::initialise()?;
        let release = rdkit.version();
        let earlier = spec.exclude.iter();
        let earlier = earlier.map(|directory| EarlierRun::open(directory, spec.key(), &release));
        let earlier = earlier.collect::<Result<Vec<_>, _>>()?;
        let excluded = earlier.iter().map(EarlierRun::rows).sum();
        check_rules(rdkit, &rules, &spec)?;
        filters.check(rdkit, &spec)?;
        let reagents = JobReagents::read(&spec, &rules, rdkit)?;
        let few = |reagents: &JobReagents| -> Result<Vec<_>, ReagentError> {
            let sets = 0..rules.distinct().len();
            sets.map(|rules| reagents.tried(rules, false)).collect()
        };
        let tried = reagents.as_ref().map(few).transpose()?.unwrap_or_default();
        let needs = reagents
            .as_ref()
            .map(|reagents| reagents.needs(rules.of_steps()));
        let resumes = spec.existing() == Existing::Resume;
        let begun = resumes.then(|| begun_sizes(&spec.output)).flatten();
        let plan = plan::plan(
            (&spec, begun),
            (&rules.counts(), filters.all()),
            &library,
            excluded,
            needs.unwrap_or_default(),
            &|purpose, parents| {
                let reagents = tried.get(rules.number_of(purpose.step)).cloned();
                let reagents = reagents.unwrap_or_default().drawn(purpose.share);
                let filters = filters.of(purpose.step);
                match program {
                    Some(program) => {
                        let assignment = Assignment {
                            reagents,
                            filters: filters.clone(),
                            ..spec.assignment(purpose)
                        };
                        trial::try_parents(program, &assignment, parents)
                    }
                    None => {
                        let rules = rules.of(purpose.step);
                        trial::try_here(rdkit, rules, (purpose, &reagents, filters), parents)
                    }
                }
            },
        )?;
        let library_rows = match (spec.sample(), plan.estimate.parents_exact) {
            (Some(_), false) => library.reader()?.skip_rows(u64::MAX)?,
            _ => plan.estimate.parents,
        };
        let job_toml = resolved(&spec, &plan).to_job_file();
        let job = Self {
            spec,
            rules,
            filters,
            library,
            earlier,
            reagents,
            library_rows,
            plan,
            rdkit,
            job_toml,
            program: program.map(Into::into),
            is_stream: false,
            row_origin: RowOrigin::Work,
        };
        job.check_columns()?;
        Ok(job)
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

    /// What parents of a step are tried with after a crash.
    pub(super) fn tried_reagents(&self, step: usize) -> Result<TriedReagents, ReagentError> {
        let Some(reagents) = self.reagents.as_ref().filter(|_| step > 0) else {
            return Ok(TriedReagents::default());
        };
        reagents.tried(self.rules.number_of(step), true)
    }

    /// Its reagents, if it has any and they are in memory.
    pub(crate) fn reagents_in_memory(&self) -> Arc<Reagents> {
        let reagents = self.reagents.as_ref().and_then(JobReagents::in_memory);
        reagents.map_or_else(|| Reagents::none().into(), Arc::clone)
    }

    /// What the rules of a step combine parents with.
    fn reagents_of(&self, step: usize) -> Arc<StepReagents> {
        let reagents = self.reagents.as_ref().filter(|_| step > 0);
        let reagents = reagents.map(|all| &all.of_rules[self.rules.number_of(step)]);
        reagents.cloned().unwrap_or_default()
    }

    /// With `--sample`: what a step of `parents` parents draws; `None` too if there are more combinations than can be
    /// counted.
    pub(super) fn sample(&self, step: usize, parents: u64) -> Option<Sample> {
        let drawn = self.spec.sample().filter(|_| step > 0)?;
        Sample::new(drawn, parents, &self.reagents_of(step))
    }

    /// What the rules of a step combine its parents with. `rows`: the number of parents, if it reads products. `texts`:
    /// the reagents of the job.
    pub(crate) fn ready_reagents(
        &self,
        step: usize,
        rows: Option<u64>,
        texts: &Arc<Reagents>,
    ) -> Result<ReadyReagents, ReagentError> {
        let parents = rows.unwrap_or(self.library_rows);
        let sample = self.sample(step, parents);
        if sample.is_none() && self.spec.sample().is_some() && step > 0 {
            return Err(ReagentError::TooManyToSample);
        }
        Ok(ReadyReagents {
            texts: Arc::clone(texts),
            step: self.reagents_of(step),
            sample,
            kept_bytes_max: self.plan.kept_reagent_bytes,
            per_row: self.plan.slot.reagents,
        })
    }

    /// The step with which the job begins: 0 reads what the library itself holds.
    pub(super) fn first_step(&self) -> usize {
        usize::from(!self.spec.new_only())
    }
}

/// Compiles each rule: RDKit refuses a rule here, where the message can name its file and line.
fn check_rules(rdkit: RdKit, rules: &StepRules, spec: &JobSpec) -> Result<(), ChemistryError> {
    for rules in rules.distinct() {
        let transformer = Transformer::new(rdkit, rules, spec.transform_settings())?;
        warn_of_hydrogens(rules, transformer.rules_without_hydrogens());
    }
    Ok(())
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
