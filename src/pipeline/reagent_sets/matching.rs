//! The rows of a set, matched with the reactants that take it on several threads.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, SyncSender},
    },
    thread,
};

use super::{
    super::{
        parents::{id_of, smiles_of},
        step_rules::StepRules,
    },
    error::ReagentError,
    uses::Use,
};
use crate::{
    chem::{ChemistryError, RdKit, Transformer},
    config::JobSpec,
    limits::STAGE_STACK_BYTES,
    reject::Rejection,
    table::source::{LibraryReader, ParentBatch, ParentRow, SourceError},
};

/// Rows that are matched at a time.
pub(super) const ROWS_AT_A_TIME: usize = 4_096;

/// What a row of a set gives: id, SMILES, and whether it matches, by use; or why it can't be used.
pub(super) type Matched = (Vec<u8>, Result<(Vec<u8>, Vec<bool>), Rejection>);

/// The rows of a set, batch by batch.
pub(super) struct Batches {
    reader: LibraryReader,
    next: u64,
    pub failed: Option<SourceError>,
}

impl Batches {
    pub fn new(reader: LibraryReader) -> Self {
        Self {
            reader,
            next: 0,
            failed: None,
        }
    }

    /// Fills a batch and returns its number; `None` at the end, or once reading has failed.
    fn take(&mut self, batch: &mut ParentBatch) -> Option<u64> {
        let read = self.reader.next_batch(batch, ROWS_AT_A_TIME);
        self.failed = self.failed.take().or(read.as_ref().err().cloned());
        if !read.unwrap_or(false) {
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }
}

/// How rows are matched: on several threads.
pub(super) struct Matching<'a> {
    pub rdkit: RdKit,
    pub rules: &'a StepRules,
    pub spec: &'a JobSpec,
    pub threads: usize,
}

/// The rows of a batch, each by its number.
type MatchedRows = Vec<(u64, Matched)>;

impl Matching<'_> {
    /// Matches all rows, and passes them to `take` in their order.
    pub fn run(
        &self,
        batches: &Mutex<Batches>,
        taken: &[&Use<'_>],
        take: &mut dyn FnMut(u64, Matched) -> Result<(), ReagentError>,
    ) -> Result<(), ReagentError> {
        let (sender, matched) = mpsc::sync_channel(self.threads);
        thread::scope(|scope| {
            for _ in 0..self.threads {
                let sender = sender.clone();
                let work = move || self.work(batches, taken, &sender);
                let thread = thread::Builder::new().stack_size(STAGE_STACK_BYTES);
                let started = thread.spawn_scoped(scope, work);
                started.map_err(|error| ReagentError::Thread(error.to_string()))?;
            }
            drop(sender);
            // Those that came before their turn: at most one batch of each thread, and what the channel holds.
            let (mut early, mut next) = (BTreeMap::new(), 0);
            for answer in matched {
                let (number, rows): (u64, MatchedRows) = answer?;
                early.insert(number, rows);
                while let Some(rows) = early.remove(&next) {
                    rows.into_iter()
                        .try_for_each(|(row, matched)| take(row, matched))?;
                    next += 1;
                }
            }
            Ok(())
        })
    }

    /// The body of a thread: until there are no more rows, or nobody wants the answers.
    fn work(
        &self,
        batches: &Mutex<Batches>,
        taken: &[&Use<'_>],
        sender: &SyncSender<Result<(u64, MatchedRows), ReagentError>>,
    ) {
        let mut matcher = match Matcher::new(self.rdkit, self.rules, self.spec) {
            Ok(matcher) => matcher,
            Err(error) => return drop(sender.send(Err(error.into()))),
        };
        let mut batch = ParentBatch::new();
        loop {
            let mut reading = batches.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(number) = reading.take(&mut batch) else {
                return;
            };
            drop(reading);
            let rows = batch.iter();
            let rows = rows.map(|row| (row.row, matcher.match_row(row, taken, self.rdkit)));
            if sender.send(Ok((number, rows.collect()))).is_err() {
                return;
            }
        }
    }
}

/// Compiled rules of one thread, by set of rules.
struct Matcher(Vec<Transformer>);

impl Matcher {
    fn new(rdkit: RdKit, rules: &StepRules, spec: &JobSpec) -> Result<Self, ChemistryError> {
        let rules = rules.distinct().iter();
        let transformers =
            rules.map(|rules| Transformer::new(rdkit, rules, spec.transform_settings()));
        Ok(Self(transformers.collect::<Result<_, _>>()?))
    }

    fn match_row(&mut self, row: ParentRow<'_>, taken: &[&Use<'_>], rdkit: RdKit) -> Matched {
        let mut number = Vec::new();
        let id = id_of(row, &mut number).to_vec();
        (id, self.matches(row, taken, rdkit))
    }

    fn matches(
        &mut self,
        row: ParentRow<'_>,
        taken: &[&Use<'_>],
        rdkit: RdKit,
    ) -> Result<(Vec<u8>, Vec<bool>), Rejection> {
        let smiles = smiles_of(rdkit, row)?;
        let mut read = None;
        let mut matches = Vec::with_capacity(taken.len());
        for taken in taken {
            let transformer = &mut self.0[taken.rules];
            if read != Some(taken.rules) {
                transformer.read_reagent(&smiles)?;
                read = Some(taken.rules);
            }
            let reactant = usize::from(taken.reactant);
            matches.push(transformer.reagent_matches(taken.rule_number, reactant)?);
        }
        Ok((smiles.into_owned(), matches))
    }
}
