//! What keeps molecules out of a job: conditions on properties, SMARTS, and catalogues of structural alerts.
//!
//! This module parses them; `src/chem/filter` decides them, with RDKit's answers. A molecule that fails several filters
//! counts for the first of them, in the order of [`FilterSet::on_products`]: conditions, SMARTS, alerts, each as given.

mod catalogue;
mod condition;
mod set;
mod smarts;

pub use catalogue::{Catalogue, Catalogues, UnknownCatalogue};
pub use condition::{Comparison, Condition, ConditionError};
pub use set::{Filter, FilterError, FilterSet, FiltersGiven};
pub use smarts::{Pattern, SmartsSource};
