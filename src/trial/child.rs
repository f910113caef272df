//! The process that tries parents: reads an [`Assignment`] and [`Candidate`]s, transforms each candidate, answers.

use std::{io::Write, thread, time::Duration};

use super::message::{
    Assignment, Candidate, LATE, Purpose, READY, TrialError, Tried, TriedReagents,
};
use crate::{
    chem::{
        ChemistryError, Cleaner, ProductKeys, Progress, RdKit, SmilesForm, TransformSettings,
        Transformer,
    },
    filter::FilterSet,
    identity::KeyMaker,
    key::Key,
    limits::STAGE_STACK_BYTES,
    machine::WorkClock,
    reject::{RejectCode, Rejection},
    rules::RuleSet,
    slot::{Slot, SlotParent},
    store::plain,
};

/// Time between two looks at the clock of the parent being tried.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Reads what to try parents with from standard input.
pub fn assignment() -> Result<Assignment, TrialError> {
    // A parent that hangs must not outlive the job. Where the system does not offer this signal, it may.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|error| plain(&error))
        .and_then(|_| serde_json::from_str(&line).map_err(|error| error.to_string()))
        .map_err(TrialError::Input)
}

/// Answers standard input line by line, on a stack like a worker's. Ends the process when a parent has exceeded its
/// time: a thread inside RDKit can't be ended otherwise.
pub fn serve(rdkit: RdKit, rules: &RuleSet, assignment: &Assignment) -> Result<(), TrialError> {
    let time_max = assignment.time_max;
    let clock = WorkClock::default();
    thread::scope(|scope| {
        let served = thread::Builder::new()
            .stack_size(STAGE_STACK_BYTES)
            .spawn_scoped(scope, || answer_all(rdkit, rules, assignment, &clock));
        while served.as_ref().is_ok_and(|served| !served.is_finished()) {
            if clock.used().is_some_and(|used| used > time_max) {
                let _ = writeln!(std::io::stdout(), "{LATE}");
                signal_hook::low_level::exit(1);
            }
            thread::sleep(LOOK_EVERY);
        }
        match served.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(served)) => served,
            Ok(Err(_)) => Err(TrialError::Thread("it panicked".into())),
            Err(error) => Err(TrialError::Thread(plain(&error))),
        }
    })
}

fn answer_all(
    rdkit: RdKit,
    rules: &RuleSet,
    assignment: &Assignment,
    clock: &WorkClock,
) -> Result<(), TrialError> {
    let settings = (assignment.settings, assignment.products_kept);
    let with = (&assignment.reagents, &assignment.filters);
    let mut trier = Trier::new(rdkit, rules, settings, with, clock)?;
    let _ = writeln!(std::io::stdout(), "{READY}");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let candidate: Candidate =
            serde_json::from_str(&line).map_err(|error| TrialError::Input(error.to_string()))?;
        let tried = trier.transform(&candidate);
        let tried = tried.map_err(|error| RejectCode::Rdkit.because(error.to_string()));
        let answer = serde_json::to_string(&tried);
        let answer = answer.expect("numbers and texts can be written as JSON");
        // A job that is gone needs no answer.
        if writeln!(std::io::stdout(), "{answer}").is_err() {
            break;
        }
    }
    Ok(())
}

/// Transforms parents in this process, which RDKit may crash.
pub fn try_here(
    rdkit: RdKit,
    rules: &RuleSet,
    (purpose, reagents, filters): (Purpose, &TriedReagents, &FilterSet),
    candidates: &[Candidate],
) -> Result<Vec<Result<Tried, Rejection>>, TrialError> {
    let clock = WorkClock::default();
    let settings = (purpose.settings, purpose.products_kept);
    let mut trier = Trier::new(rdkit, rules, settings, (reagents, filters), &clock)?;
    let tried = candidates.iter().map(|parent| trier.transform(parent));
    tried.map(|tried| Ok(Ok(tried?))).collect()
}

/// Transforms parents and discards their products.
struct Trier<'a> {
    rdkit: RdKit,
    transformer: Transformer,
    /// With `--clean`.
    cleaner: Option<Cleaner>,
    slot: Slot,
    products_kept: usize,
    reagents: &'a TriedReagents,
    clock: &'a WorkClock,
}

impl<'a> Trier<'a> {
    fn new(
        rdkit: RdKit,
        rules: &RuleSet,
        (settings, products_kept): (TransformSettings, usize),
        (reagents, filters): (&'a TriedReagents, &FilterSet),
        clock: &'a WorkClock,
    ) -> Result<Self, ChemistryError> {
        let combinations = reagents.combinations();
        let mut transformer = Transformer::with_reagents(rdkit, rules, settings, combinations)?;
        transformer.filter_by(filters)?;
        if settings.smiles == SmilesForm::Direct {
            transformer.write_directly(ProductKeys::new(KeyMaker::new(rdkit)));
        }
        Ok(Self {
            rdkit,
            transformer,
            cleaner: Cleaner::of_steps(rdkit, settings.clean)?,
            slot: Slot::smallest(settings.properties),
            products_kept,
            reagents,
            clock,
        })
    }

    fn transform(&mut self, candidate: &Candidate) -> Result<Tried, ChemistryError> {
        self.clock.restart();
        let tried = self.transform_in_time(candidate);
        self.clock.stop();
        tried
    }

    fn transform_in_time(&mut self, candidate: &Candidate) -> Result<Tried, ChemistryError> {
        let begun = self.begin(candidate);
        let (transformer, slot) = (&mut self.transformer, &mut self.slot);
        let mut tried = Tried {
            usable: begun.is_ok(),
            ..Tried::default()
        };
        let mut kept = Vec::new();
        let (mut products, mut text_bytes) = (0.0, 0.0);
        let passes = tried.usable && !matches!(transformer.filter_parent(), Ok(Some(_)));
        let mut finished = !passes;
        while !finished {
            slot.clear();
            let parent = slot.push_parent(SlotParent::default()).unwrap_or_default();
            finished = transformer.fill(slot, parent)? == Progress::Finished;
            for row in 0..slot.rows() {
                let weight = self.reagents.weight(slot.columns().rule[row]);
                products += weight;
                text_bytes += weight * slot.smiles(row).len() as f64;
            }
            tried.counts += slot.account.counts;
            keep(&mut kept, slot, self.products_kept);
            if !finished {
                self.clock.restart();
            }
        }
        (tried.products, tried.text_bytes) = (products.round() as u64, text_bytes.round() as u64);
        tried.kept = kept.into_iter().map(|(_, smiles)| smiles).collect();
        Ok(tried)
    }
}

impl Trier<'_> {
    /// Parses a parent, cleaned if the job cleans.
    fn begin(&mut self, candidate: &Candidate) -> Result<(), Rejection> {
        let (text, transformer) = (candidate.text.as_bytes(), &mut self.transformer);
        let answer = match &mut self.cleaner {
            Some(cleaner) if candidate.mol_block => cleaner.clean_mol_block(text)?.cleaned,
            Some(cleaner) => cleaner.clean(text)?.cleaned,
            None => None,
        };
        match (answer, candidate.mol_block) {
            (Some(cleaned), _) => transformer.begin(0, cleaned.smiles.as_bytes()),
            (None, true) => (self.rdkit.mol_block_to_smiles(text))
                .and_then(|smiles| transformer.begin_mol_block(0, text, smiles.as_bytes())),
            (None, false) => transformer.begin(0, text),
        }
    }
}

/// Adds the products of a slot to those kept, of which the `most` with the least keys remain.
fn keep(kept: &mut Vec<(Key, String)>, slot: &Slot, most: usize) {
    if most == 0 {
        return;
    }
    for row in 0..slot.rows() {
        let smiles = slot.smiles(row);
        let key = Key::of(smiles);
        let place = kept.partition_point(|(other, _)| *other < key);
        if place < most {
            kept.insert(place, (key, String::from_utf8_lossy(smiles).into_owned()));
            kept.truncate(most);
        }
    }
}
