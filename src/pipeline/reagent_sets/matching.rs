//! The rows of a set, matched with the reactants that take it on several threads.

use std::{
    sync::mpsc::{self, Receiver, SyncSender},
    thread::{self, Scope},
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
    store::plain,
    table::source::{LibraryReader, ParentBatch, ParentRow, SourceError},
};

/// Rows that are matched at a time.
pub(super) const ROWS_AT_A_TIME: usize = 4_096;

/// What a row of a set gives: id, SMILES, and whether it matches, by use; or why it can't be used.
pub(super) type Matched = (Vec<u8>, Result<(Vec<u8>, Vec<bool>), Rejection>);

/// How rows are matched: on several threads.
pub(super) struct Matching<'a> {
    pub rdkit: RdKit,
    pub rules: &'a StepRules,
    pub spec: &'a JobSpec,
    pub threads: usize,
}

/// The rows of a batch, each by its number.
type MatchedRows = Vec<(u64, Matched)>;

/// A thread that matches one batch at a time.
struct Worker {
    batches: SyncSender<ParentBatch>,
    answers: Receiver<Result<MatchedRows, ReagentError>>,
}

impl Matching<'_> {
    /// Matches all rows, and passes them to `take` in their order. Batches go to the threads in turn, and a thread gets
    /// the next one when its answer to the last is taken: so no more batches than threads are in memory.
    pub fn run(
        &self,
        mut reader: LibraryReader,
        taken: &[&Use<'_>],
        failed: &dyn Fn(SourceError) -> ReagentError,
        take: &mut dyn FnMut(u64, Matched) -> Result<(), ReagentError>,
    ) -> Result<(), ReagentError> {
        let mut take_answer = |worker: &Worker| -> Result<(), ReagentError> {
            let answer = worker.answers.recv();
            let rows = answer.unwrap_or_else(|_| Err(ended_early()))?;
            rows.into_iter()
                .try_for_each(|(row, matched)| take(row, matched))
        };
        thread::scope(|scope| {
            let workers = (0..self.threads).map(|_| self.start(scope, taken));
            let workers = workers.collect::<Result<Vec<_>, _>>()?;
            let of_batch = |number: usize| &workers[number % workers.len()];
            let mut next = 0;
            loop {
                if next >= workers.len() {
                    take_answer(of_batch(next))?;
                }
                let mut batch = ParentBatch::new();
                let more = reader.next_batch(&mut batch, ROWS_AT_A_TIME);
                if !more.map_err(failed)? {
                    break;
                }
                let sent = of_batch(next).batches.send(batch);
                sent.map_err(|_| ended_early())?;
                next += 1;
            }
            // The batch before these was taken when the end was met.
            let first_left = (next + 1).saturating_sub(workers.len());
            (first_left..next).try_for_each(|number| take_answer(of_batch(number)))
        })
    }

    fn start<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        taken: &'scope [&'scope Use<'_>],
    ) -> Result<Worker, ReagentError> {
        let (batches, to_match) = mpsc::sync_channel(1);
        let (answer, answers) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().stack_size(STAGE_STACK_BYTES);
        let started = thread.spawn_scoped(scope, move || self.work(taken, &to_match, &answer));
        started.map_err(|error| ReagentError::Thread(plain(&error)))?;
        Ok(Worker { batches, answers })
    }

    /// The body of a thread: until there are no more batches, or nobody wants the answers.
    fn work(
        &self,
        taken: &[&Use<'_>],
        batches: &Receiver<ParentBatch>,
        answer: &SyncSender<Result<MatchedRows, ReagentError>>,
    ) {
        let mut matcher = match Matcher::new(self.rdkit, self.rules, self.spec) {
            Ok(matcher) => matcher,
            Err(error) => return drop(answer.send(Err(error.into()))),
        };
        for batch in batches {
            let rows = batch.iter();
            let rows = rows.map(|row| (row.row, matcher.match_row(row, taken, self.rdkit)));
            if answer.send(Ok(rows.collect())).is_err() {
                return;
            }
        }
    }
}

fn ended_early() -> ReagentError {
    ReagentError::Thread("it ended early".into())
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
