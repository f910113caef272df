//! What the sink must know of a job.

use std::sync::Arc;

use super::job::Job;
use crate::{
    config::Work,
    reagents::Reagents,
    table::sink::{SinkSettings, UnknownColumn, format, product_schema},
};

impl Job {
    /// The settings of the sink in a step. `reagents`: those that rows name, if they name any.
    pub(super) fn sink_settings(
        &self,
        step: usize,
        reagents: Option<Arc<Reagents>>,
    ) -> SinkSettings {
        let mut parts = self.spec.parts(self.plan.row_group_bytes);
        parts.header = !self.is_stream;
        let kept = self.library.kept().cloned();
        if self.spec.columns.is_none() {
            parts.parquet.kept_columns = kept.as_ref().map_or(0, |kept| kept.len());
        }
        SinkSettings {
            rule_names: self.rule_names(step),
            step: self.spec.has_roots().then_some(step as u8),
            reagents,
            properties: self.spec.properties(),
            key_column: self.spec.key().column(),
            molecules: matches!(self.spec.work, Work::Dedup(_)),
            duplicates: self.spec.duplicates(),
            inputs: !self.spec.clean.is_empty(),
            kept,
            parts,
        }
    }

    /// Refuses names of columns that the rows of the job do not have.
    pub(super) fn check_columns(&self) -> Result<(), UnknownColumn> {
        let has_reagents = self.plan.slot.reagents > 0;
        let reagents = has_reagents.then(|| Reagents::none().into());
        let settings = self.sink_settings(1, reagents);
        let schema = product_schema(&settings, self.spec.canonical());
        format::places(&schema, self.spec.columns.as_ref()).map(drop)
    }
}
