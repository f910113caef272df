//! From settings that may be given to a checked job, and what the rest of the program asks of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use super::{
    error::{ConfigError, flag},
    path::written_path,
    settings::{FALSE_POSITIVE_RATE_BLOOM, FALSE_POSITIVE_RATE_EXACT, JobSettings, JobSpec, Work},
    value::{Dedup, ReagentFile, SettingInfo, StepSettings, Task},
};
use crate::{
    chem::{SmilesForm, TransformSettings},
    cleaning::CleanSteps,
    filter::{FiltersGiven, SmartsSource},
    identity::KeyKind,
    limits::STEPS_MAX,
    property::PropertySet,
    store::Existing,
    table::sink::{
        OutputFormat, PartSettings, RowName, TextCompression, TextKind,
        parquet_file::ParquetSettings,
    },
};

/// Settings of other tasks that earlier versions wrote into the `job.toml` of a deduplication, where they have
/// no effect.
const WITHOUT_EFFECT: [&str; 2] = ["max_products_per_parent", "chemistry"];

impl JobSettings {
    /// Checks every setting and fills in the defaults.
    pub fn check(mut self) -> Result<JobSpec, ConfigError> {
        if self.input.is_empty() {
            return Err(ConfigError::Missing("input"));
        }
        self.check_ranges()?;
        self.check_task()?;
        self.check_steps()?;
        self.check_smiles()?;
        self.check_reagents()?;
        self.check_format()?;
        if self.max_products_per_step.is_some() && self.dedup == Some(Dedup::Bloom) {
            return Err(ConfigError::Value {
                setting: "max_products_per_step",
                reason: "it needs --dedup exact, which knows the distinct products".into(),
            });
        }
        self.into_spec()
    }

    /// Refuses what a format has not, and fills in what it has.
    fn check_format(&mut self) -> Result<(), ConfigError> {
        let wrong = |setting, reason: String| Err(ConfigError::Value { setting, reason });
        let format = self.format.unwrap_or(OutputFormat::Parquet);
        let several = self.steps.is_some_and(|steps| steps > 1);
        match format.text() {
            None => drop(self.compression.get_or_insert_default()),
            Some(_) if several => {
                let reason = "a job of several steps reads its own Parquet parts; leave it out, and then use molsieve \
                              export";
                return wrong("format", reason.into());
            }
            Some(kind) if self.compression.is_some() => {
                let name = OutputFormat::Text(kind, TextCompression::None);
                let reason = format!("it is for Parquet; use --format {name}.gz or {name}.zst");
                return wrong("compression", reason);
            }
            Some(_) => {}
        }
        if format.text() == Some(TextKind::Sdf) {
            self.coordinates.get_or_insert_default();
        } else if self.coordinates.is_some() {
            return wrong(
                "coordinates",
                format!("{format} has none; use --format sdf"),
            );
        }
        let Some(columns) = &self.columns else {
            return Ok(());
        };
        if format.text() == Some(TextKind::Smi) {
            return wrong(
                "columns",
                "smi has a SMILES and a name; use --format csv".into(),
            );
        }
        let key = self.key.unwrap_or(KeyKind::Canonical).column();
        let needed = ["smiles", key, "root_row", "root_id"];
        match needed
            .iter()
            .find(|name| !columns.iter().any(|column| column == **name))
        {
            Some(missing) if several => {
                let reason = format!(
                    "the next step reads the column {missing}; leave --columns out, and then use molsieve export"
                );
                wrong("columns", reason)
            }
            _ => Ok(()),
        }
    }

    /// Refuses sets of reagents with one name.
    fn check_reagents(&self) -> Result<(), ConfigError> {
        let names = self.reagents.iter().map(|set| set.name.as_str());
        let mut seen = BTreeSet::new();
        match names.into_iter().find(|name| !seen.insert(*name)) {
            Some(name) => Err(ConfigError::Value {
                setting: "reagents",
                reason: format!("two sets have the name \"{name}\""),
            }),
            None => Ok(()),
        }
    }

    /// Products that are written directly have the structure key, which this sets.
    fn check_smiles(&mut self) -> Result<(), ConfigError> {
        if self.smiles != Some(SmilesForm::Direct) {
            return Ok(());
        }
        let wrong = |setting, reason: &str| {
            let reason = reason.into();
            Err(ConfigError::Value { setting, reason })
        };
        if self.rules.is_empty() && self.step.is_empty() {
            return wrong(
                "smiles",
                "a job without rules writes canonical SMILES; leave it out",
            );
        }
        match self.key.get_or_insert(KeyKind::Structure) {
            KeyKind::Structure => Ok(()),
            KeyKind::Canonical => wrong(
                "key",
                "--smiles direct writes no canonical SMILES, so its products have the key structure; leave --key out",
            ),
        }
    }

    /// Refuses steps that contradict each other or have no rules, and sets their number.
    fn check_steps(&mut self) -> Result<(), ConfigError> {
        let wrong = |setting, reason: String| Err(ConfigError::Value { setting, reason });
        let several = self.steps.is_some_and(|steps| steps > 1);
        if self.step.is_empty() {
            let needs_rules = "it needs --rules: without rules a job makes nothing new".to_owned();
            return match (self.rules.is_empty(), several, self.new_only) {
                (true, true, _) => wrong("steps", needs_rules),
                (true, _, true) => wrong("new_only", needs_rules),
                _ => Ok(()),
            };
        }
        let tables = self.step.len() as u32;
        if tables > STEPS_MAX {
            return wrong(
                "steps",
                format!("{tables} [[step]] tables are given, at most {STEPS_MAX} are allowed"),
            );
        }
        if self.steps.is_some_and(|steps| steps != tables) {
            return wrong(
                "steps",
                format!("the job file has {tables} [[step]] tables; give one or the other"),
            );
        }
        if !self.rules.is_empty() {
            return wrong("rules", "the [[step]] tables of the job file have rules of their own; give one or the other".into());
        }
        if let Some(step) = self.step.iter().position(|step| step.rules.is_empty()) {
            return wrong("steps", format!("[[step]] table {} has no rules", step + 1));
        }
        self.steps = Some(tables);
        Ok(())
    }

    /// Refuses settings of another task.
    fn check_task(&self) -> Result<(), ConfigError> {
        let task = self.task.unwrap_or_default();
        let foreign = self.given().find(|info| self.is_foreign(info, task));
        let Some(SettingInfo {
            name,
            task: Some(owner),
            ..
        }) = foreign
        else {
            return Ok(());
        };
        let kind = match task {
            Task::Derive => "a job that derives products",
            Task::Dedup => "a deduplication",
        };
        let reason = format!("{kind} has no such setting; {} has", owner.command());
        Err(ConfigError::Value {
            setting: name,
            reason,
        })
    }

    fn is_foreign(&self, info: &SettingInfo, task: Task) -> bool {
        let harmless = WITHOUT_EFFECT.contains(&info.name)
            || (info.name == "key" && self.key == Some(KeyKind::Structure))
            || (info.name == "check" && self.check == Some(0))
            || (info.name == "properties" && self.properties == Some(PropertySet::NONE));
        info.task.is_some_and(|owner| owner != task) && !harmless
    }

    /// Every path in the settings.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let lists = self.input.iter_mut().chain(&mut self.exclude);
        let steps = self.step.iter_mut().flat_map(StepSettings::paths_mut);
        let reagents = self.reagents.iter_mut().map(|set| &mut set.path);
        let smarts = [
            &mut self.require_smarts,
            &mut self.reject_smarts,
            &mut self.parent_require_smarts,
            &mut self.parent_reject_smarts,
        ];
        let smarts = smarts
            .into_iter()
            .flatten()
            .filter_map(SmartsSource::path_mut);
        lists
            .chain(&mut self.rules)
            .chain(steps)
            .chain(reagents)
            .chain(smarts)
            .chain(&mut self.output)
    }

    /// Each path by `map`.
    pub fn with_paths(mut self, map: impl Fn(&Path) -> PathBuf) -> Self {
        self.paths_mut().for_each(|path| *path = map(path));
        self
    }
}

impl JobSpec {
    /// What to do with an output directory that holds files.
    pub fn existing(&self) -> Existing {
        match (self.overwrite, self.resume) {
            (true, _) => Existing::Overwrite,
            (false, true) => Existing::Resume,
            (false, false) => Existing::Refuse,
        }
    }

    /// What the job does, without its settings.
    pub fn task(&self) -> Task {
        match self.work {
            Work::Derive(_) => Task::Derive,
            Work::Dedup(_) => Task::Dedup,
        }
    }

    /// Number of steps: how often products are made of products, and once.
    pub fn steps(&self) -> usize {
        match &self.work {
            Work::Derive(work) => work.steps as usize,
            Work::Dedup(_) => 1,
        }
    }

    /// Whether products carry what a job of several steps knows of them.
    pub fn has_roots(&self) -> bool {
        self.steps() > 1
    }

    /// Most distinct products of a step.
    pub fn products_per_step_max(&self) -> Option<u64> {
        match &self.work {
            Work::Derive(work) => work.max_products_per_step,
            Work::Dedup(_) => None,
        }
    }

    /// Sets of reagents that were given by name.
    pub fn reagents(&self) -> &[ReagentFile] {
        match &self.work {
            Work::Derive(work) => &work.reagents,
            Work::Dedup(_) => &[],
        }
    }

    /// How many combinations with reagents a step draws; otherwise it makes all of them.
    pub fn sample(&self) -> Option<u64> {
        match &self.work {
            Work::Derive(work) => work.sample,
            Work::Dedup(_) => None,
        }
    }

    /// Whether products that are in the library itself are left out.
    pub fn new_only(&self) -> bool {
        matches!(&self.work, Work::Derive(work) if work.new_only)
    }

    /// Rule files of a step, of which the first is 1; none for a job that cleans or deduplicates.
    pub fn rules_of(&self, step: usize) -> &[PathBuf] {
        match &self.work {
            Work::Derive(work) => match work.step.get(step.wrapping_sub(1)) {
                Some(step) => &step.rules,
                None => &work.rules,
            },
            Work::Dedup(_) => &[],
        }
    }

    /// The filters of the products of a step, of which the first is 1.
    pub fn product_filters(&self, step: usize) -> FiltersGiven<'_> {
        let Work::Derive(work) = &self.work else {
            return FiltersGiven::default();
        };
        let mut given = FiltersGiven::default();
        if !work.filter_last || step == self.steps() {
            given.add(
                &work.r#where,
                &work.alerts,
                &work.require_smarts,
                &work.reject_smarts,
            );
        }
        if let Some(own) = work.step.get(step.wrapping_sub(1)) {
            given.add(
                &own.r#where,
                &own.alerts,
                &own.require_smarts,
                &own.reject_smarts,
            );
        }
        given
    }

    /// The filters of the parents of every step.
    pub fn parent_filters(&self) -> FiltersGiven<'_> {
        let mut given = FiltersGiven::default();
        if let Work::Derive(work) = &self.work {
            let (require, reject) = (&work.parent_require_smarts, &work.parent_reject_smarts);
            given.add(&work.parent_where, &work.parent_alerts, require, reject);
        }
        given
    }

    /// How much of what is left out, for each reason, is written with the reason.
    pub fn drops_explained(&self) -> Option<usize> {
        match &self.work {
            Work::Derive(work) => work.explain_drops.map(|drops| drops as usize),
            Work::Dedup(_) => None,
        }
    }

    /// The rule files of all steps.
    pub fn rules(&self) -> impl Iterator<Item = &PathBuf> {
        (1..=self.steps()).flat_map(|step| self.rules_of(step))
    }

    /// What tells molecules apart.
    pub fn key(&self) -> KeyKind {
        match &self.work {
            Work::Derive(work) => work.key,
            Work::Dedup(_) => KeyKind::Structure,
        }
    }

    /// How the SMILES of rows are written; `None`: as they were read.
    pub fn smiles(&self) -> Option<SmilesForm> {
        match &self.work {
            Work::Derive(work) => Some(work.smiles),
            Work::Dedup(work) => work.canonical.then_some(SmilesForm::Canonical),
        }
    }

    /// The properties that are columns of the output.
    pub fn properties(&self) -> PropertySet {
        self.transform_settings().properties
    }

    /// Whether RDKit writes the molecules that a deduplication keeps.
    pub fn canonical(&self) -> bool {
        matches!(&self.work, Work::Dedup(work) if work.canonical)
    }

    /// Whether a deduplication writes which rows were merged into which.
    pub fn duplicates(&self) -> bool {
        matches!(&self.work, Work::Dedup(work) if work.duplicates)
    }

    /// The rate of false positives to size the filter for.
    pub fn false_positive_rate(&self) -> f64 {
        self.false_positive_rate.unwrap_or(match self.dedup {
            Dedup::Exact => FALSE_POSITIVE_RATE_EXACT,
            Dedup::Bloom => FALSE_POSITIVE_RATE_BLOOM,
        })
    }

    /// Distinct molecules of a deduplication whose records RDKit checks.
    pub fn molecules_checked(&self) -> u64 {
        match &self.work {
            Work::Derive(_) => 0,
            Work::Dedup(work) => work.check.unwrap_or(0),
        }
    }

    /// CPU time that a parent may use without giving a product.
    pub fn parent_time_max(&self) -> Duration {
        Duration::from_secs(self.parent_timeout)
    }

    /// How the parents of a step are cleaned: only molecules of the library are.
    pub fn clean_steps_of(&self, step: usize) -> CleanSteps {
        match step {
            0 | 1 => self.clean,
            _ => CleanSteps::NONE,
        }
    }

    /// What a transformer must know of this job.
    pub fn transform_settings(&self) -> TransformSettings {
        match &self.work {
            Work::Derive(work) => TransformSettings {
                method: work.chemistry,
                properties: work.properties,
                products_per_parent_max: work.max_products_per_parent,
                stereoisomers_max: work.expand_stereo.unwrap_or(0),
                clean: self.clean,
                smiles: work.smiles,
            },
            Work::Dedup(_) => TransformSettings {
                clean: self.clean,
                ..TransformSettings::default()
            },
        }
    }

    /// How parts are written.
    pub fn parts(&self, row_group_bytes: usize) -> PartSettings {
        let is_derived = self.rules().next().is_some();
        PartSettings {
            format: self.format,
            parquet: ParquetSettings {
                row_group_bytes,
                compression: self.compression.unwrap_or_default(),
                rows_differ: matches!(self.work, Work::Dedup(_)),
                kept_columns: 0,
            },
            columns: self.columns.clone(),
            coordinates: self.coordinates.unwrap_or_default(),
            row_name: RowName::of(is_derived, self.has_roots()),
            key_column: self.key().column(),
            header: true,
        }
    }

    /// The settings as a job file can hold them, with absolute paths.
    pub fn written(&self) -> JobSettings {
        self.settings().with_paths(|path| {
            let absolute = std::path::absolute(path);
            written_path(absolute.as_deref().unwrap_or(path))
        })
    }

    /// The settings that must be the same when the job is resumed, by flag, as text. Paths and sizes that
    /// follow from the plan are not among them.
    pub fn identity(&self) -> BTreeMap<String, String> {
        let written = serde_json::to_value(self.written())
            .expect("settings are numbers, words and lists of UTF-8 texts");
        let task = self.task();
        let compared = JobSettings::ALL
            .iter()
            .filter(|info| info.same_on_resume && info.task.is_none_or(|owner| owner == task))
            .map(|info| (flag(info.name), info.name, info.unset));
        let of_task = ("task".to_owned(), "task", "");
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Array(words) => words
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(","),
            other => other.to_string(),
        };
        compared
            .chain([of_task])
            .map(|(key, name, unset)| (key, written.get(name).map_or_else(|| unset.into(), text)))
            .collect()
    }
}
