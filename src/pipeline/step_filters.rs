//! The filters of each step of a job.

use crate::{
    chem::{ChemistryError, RdKit, Transformer},
    config::JobSpec,
    filter::{FilterError, FilterSet},
    limits::DROPS_IN_ALL_MAX,
    rules::RuleSet,
};

/// The filters of each step of a job.
pub struct StepFilters {
    of_step: Vec<FilterSet>,
    /// Those of step 0, which reads what the library itself holds.
    none: FilterSet,
}

impl StepFilters {
    /// Reads what the settings name.
    pub(super) fn read(spec: &JobSpec) -> Result<Self, FilterError> {
        let parents = spec.parent_filters();
        let of_step =
            (1..=spec.steps()).map(|step| FilterSet::read(&spec.product_filters(step), &parents));
        let filters = Self {
            of_step: of_step.collect::<Result<_, _>>()?,
            none: FilterSet::default(),
        };
        let reasons: usize = filters.of_step.iter().map(FilterSet::reasons).sum();
        let most = DROPS_IN_ALL_MAX / reasons;
        match spec.drops_explained() {
            Some(each) if each > most => Err(FilterError::TooManyDrops {
                each,
                reasons,
                most,
            }),
            _ => Ok(filters),
        }
    }

    /// Compiles each filter, so that RDKit refuses it before the work begins.
    pub(super) fn check(&self, rdkit: RdKit, spec: &JobSpec) -> Result<(), ChemistryError> {
        let filtered = self.of_step.iter().filter(|filters| !filters.is_empty());
        for filters in filtered {
            let no_rules = RuleSet::default();
            let mut transformer = Transformer::new(rdkit, &no_rules, spec.transform_settings())?;
            transformer.filter_by(filters)?;
        }
        Ok(())
    }

    /// The filters of a step.
    pub fn of(&self, step: usize) -> &FilterSet {
        match step {
            0 => &self.none,
            step => &self.of_step[step - 1],
        }
    }

    /// Those of all steps.
    pub fn all(&self) -> &[FilterSet] {
        &self.of_step
    }
}
