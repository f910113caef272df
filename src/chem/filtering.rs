//! The filters of a transformer.

use super::{ChemistryError, Transformer, bridge::ffi, drops, fault};
use crate::{
    filter::{Filter, FilterSet},
    reject::{RejectCode, Rejection},
};

impl Transformer {
    /// Compiles filters. They leave products out, and [`Transformer::filter_parent`] says which parents.
    pub fn filter_by(&mut self, filters: &FilterSet) -> Result<(), ChemistryError> {
        self.filters = filters.on_products.len();
        let both = [(false, &filters.on_products), (true, &filters.on_parents)];
        for (on_parents, filters) in both {
            for filter in filters {
                self.add_filter(on_parents, filter)?;
            }
        }
        Ok(())
    }

    fn add_filter(&mut self, on_parents: bool, filter: &Filter) -> Result<(), ChemistryError> {
        let mut inner = self.inner.pin_mut();
        let (patterns, required) = match filter {
            Filter::Where(condition) => {
                let property = ffi::Property {
                    repr: condition.property as u8,
                };
                let comparison = ffi::Comparison {
                    repr: condition.comparison as u8,
                };
                inner.add_condition(on_parents, property, comparison, condition.number);
                return Ok(());
            }
            Filter::Alerts(catalogue) => {
                let catalogue = ffi::Catalogue {
                    repr: *catalogue as u8,
                };
                let added = inner.add_alerts(on_parents, catalogue);
                return added.map_err(|error| ChemistryError::Failed(error.what().to_owned()));
            }
            Filter::Require(patterns) => (patterns, true),
            Filter::Reject(patterns) => (patterns, false),
        };
        inner.as_mut().add_smarts(on_parents, required);
        for pattern in &patterns.patterns {
            let added = inner.as_mut().add_pattern(on_parents, &pattern.smarts);
            added.map_err(|error| ChemistryError::Filter {
                place: pattern.place(patterns.file()),
                reason: fault::with_caret(error.what(), &pattern.smarts),
            })?;
        }
        Ok(())
    }

    /// Has what is dropped added to a sample.
    pub fn explain(&mut self, log: drops::DropLog) {
        self.inner.pin_mut().explain(Box::new(log));
    }

    /// The number of the first filter, of those of parents, that the current parent fails.
    pub fn filter_parent(&mut self) -> Result<Option<usize>, Rejection> {
        let failed = self.inner.pin_mut().filter_parent();
        let failed = failed.map_err(|error| RejectCode::Rdkit.because(error.what()))?;
        Ok(usize::try_from(failed).ok())
    }
}
