//! A job that is ready to run.

use std::path::PathBuf;

use super::earlier::EarlierRun;
use crate::{chem::RdKit, config::JobSpec, plan::Plan, rules::RuleSet, table::source::Library};

/// A job that is ready to run: everything that can be checked before the work begins has been checked.
pub struct Job {
    /// Its settings.
    pub spec: JobSpec,
    /// Its rules; none for a cleaning job.
    pub rules: RuleSet,
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
}

/// The name under which a job without rules files its rows.
const CLEANING_RULE: &str = "canonical";

impl Job {
    /// The names the `rule` column can have.
    pub fn rule_names(&self) -> Vec<String> {
        if self.rules.is_empty() {
            return vec![CLEANING_RULE.into()];
        }
        self.rules
            .rules()
            .iter()
            .map(|rule| rule.name.clone())
            .collect()
    }
}
