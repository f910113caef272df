//! The sets of reagents of a job: found, read, and matched with the reactants of the rules that take them.

mod error;
mod matching;
mod uses;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use sha2::{Digest, Sha256};

pub use error::ReagentError;

use super::{
    parents::{id_of, smiles_of},
    step_rules::StepRules,
};
use crate::{
    chem::RdKit,
    config::JobSpec,
    limits::{REAGENTS_MAX, REAGENTS_REJECTED_NAMED_MAX, REAGENTS_TRIED},
    machine,
    plan::{self, ReagentNeeds},
    reagents::{Combinations, ReagentText, ReagentWriter, Reagents, Sample, StepReagents},
    report::manifest::{ManifestReagents, RejectedReagent},
    store::{StoreError, sealed::hex},
    table::source::{ColumnChoice, Library, ParentBatch, SourceError},
    trial::TriedReagents,
};
use matching::{Matched, Matching, ROWS_AT_A_TIME};
use uses::{Use, of_rules, one_of_each_list, uses};

/// Most combinations with a parent that is tried after a crash.
const COMBINATIONS_TRIED_MAX: u128 = 100_000;
/// Bytes that a number in a list takes while the lists grow and are copied once.
const LISTED_BYTES: u64 = 16;
/// The share of the budget that ids and SMILES of reagents may take; otherwise they lie in a file.
const MEMORY_SHARE: usize = 8;

/// The reagents of a job.
pub struct JobReagents {
    /// Their ids and SMILES, unless they take too much memory.
    texts: Option<Arc<Reagents>>,
    /// Those of each set of rules.
    pub(super) of_rules: Vec<Arc<StepReagents>>,
    /// What was read.
    pub sets: Vec<ManifestReagents>,
    libraries: Vec<Library>,
    /// By set: the rows that rules use.
    used: Vec<UsedRows>,
    /// Reagents in all.
    count: u32,
    digest: String,
}

/// Which rows of a set have a number: a bit for each row.
#[derive(Default)]
struct UsedRows(Vec<u64>);

impl UsedRows {
    fn push(&mut self, row: u64, used: bool) {
        let word = (row / 64) as usize;
        self.0.resize(word + 1, 0);
        self.0[word] |= u64::from(used) << (row % 64);
    }

    fn has(&self, row: u64) -> bool {
        let word = self.0.get((row / 64) as usize);
        word.is_some_and(|word| word >> (row % 64) & 1 == 1)
    }
}

impl JobReagents {
    /// Reads all sets that the rules of a job take. `None`: no rule has several reactants.
    pub(super) fn read(
        spec: &JobSpec,
        rules: &StepRules,
        rdkit: RdKit,
    ) -> Result<Option<Self>, ReagentError> {
        let mut paths = Vec::new();
        let uses = uses(spec, rules, &mut paths)?;
        if uses.is_empty() {
            return match spec.sample() {
                Some(_) => Err(ReagentError::NothingToSample),
                None => Ok(None),
            };
        }
        let matching = Matching {
            rdkit,
            rules,
            spec,
            threads: spec
                .threads
                .map_or_else(machine::processors, |threads| threads.get()),
        };
        let lists = uses.iter().map(|taken| taken.list as usize + 1);
        let mut read = Read {
            writer: ReagentWriter::in_memory(spec.memory.0 as usize / MEMORY_SHARE),
            lists: vec![Vec::new(); lists.max().unwrap_or_default()],
            listed: 0,
            listed_max: spec.memory.0 / LISTED_BYTES,
            hash: Sha256::new(),
        };
        let (mut sets, mut libraries, mut used) = (Vec::new(), Vec::new(), Vec::new());
        for (number, path) in paths.iter().enumerate() {
            let of_set: Vec<&Use<'_>> = uses.iter().filter(|taken| taken.set == number).collect();
            let (set, library, rows) = read.set(path, &of_set, &matching)?;
            sets.push(set);
            libraries.push(library);
            used.push(rows);
        }
        let Read {
            writer,
            lists,
            hash,
            ..
        } = read;
        let lists: Vec<Arc<[u32]>> = lists.into_iter().map(Into::into).collect();
        Ok(Some(Self {
            count: writer.count(),
            texts: writer.into_memory().map(Arc::new),
            of_rules: of_rules(rules, &uses, &lists),
            sets,
            libraries,
            used,
            digest: hex(hash.finalize().as_slice()),
        }))
    }

    /// Identifies everything that was read.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Bytes of memory that ids, SMILES and lists take.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.texts.as_ref().map_or(0, |texts| texts.bytes());
        let bits = self
            .used
            .iter()
            .map(|used| size_of_val(&used.0[..]))
            .sum::<usize>();
        let lists: usize = self
            .lists()
            .iter()
            .map(|list| size_of_val::<[u32]>(list))
            .sum();
        texts + bits + lists
    }

    /// The reagents, if they are in memory.
    pub(super) fn in_memory(&self) -> Option<&Arc<Reagents>> {
        self.texts.as_ref()
    }

    /// The reagents. Those that take too much memory are written to a file at `path` first.
    pub(super) fn texts(&self, path: &Path) -> Result<Arc<Reagents>, ReagentError> {
        if let Some(texts) = &self.texts {
            return Ok(Arc::clone(texts));
        }
        let mut writer = ReagentWriter::create(path)?;
        self.for_each_used(&mut |id, smiles| writer.push(id, smiles).map(|_| ()))?;
        if writer.count() != self.count {
            return Err(ReagentError::Changed);
        }
        Ok(writer.into_file(path)?.into())
    }

    fn for_each_used(&self, take: &mut TakeText<'_>) -> Result<(), ReagentError> {
        let rdkit = RdKit::initialise()?;
        for (library, used) in self.libraries.iter().zip(&self.used) {
            let mut reader = library.reader()?;
            let (mut batch, mut number) = (ParentBatch::new(), Vec::new());
            while reader.next_batch(&mut batch, ROWS_AT_A_TIME)? {
                for row in batch.iter().filter(|row| used.has(row.row)) {
                    if let Ok(smiles) = smiles_of(rdkit, row) {
                        take(id_of(row, &mut number), &smiles)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What the memory plan and the estimate must know. `of_step`: the set of rules of each step.
    pub(super) fn needs(&self, of_step: &[usize]) -> ReagentNeeds {
        let steps = of_step.iter().map(|rules| &self.of_rules[*rules]);
        ReagentNeeds {
            bytes: self.bytes(),
            listed: self.lists().iter().map(|list| list.len()).sum(),
            per_row: steps.clone().map(|step| step.per_row()).max().unwrap_or(0),
            combinations: steps.map(|step| step.of_parent() as f64).collect(),
        }
    }

    /// All lists; every set of rules has them.
    fn lists(&self) -> &[Arc<[u32]>] {
        self.of_rules.first().map_or(&[], |step| &step.lists)
    }

    /// What a parent is tried with under a set of rules: all reagents of its rules, or a few of each list, spread over
    /// it. All are given only if there are not very many combinations.
    pub(super) fn tried(&self, rules: usize, all: bool) -> Result<TriedReagents, ReagentError> {
        let step = &self.of_rules[rules];
        let most = match all && step.of_parent() <= COMBINATIONS_TRIED_MAX {
            true => usize::MAX,
            false => REAGENTS_TRIED,
        };
        let of_rules = step.rules.iter().flatten();
        let used: BTreeSet<u32> = of_rules
            .flat_map(|rule| &rule.lists)
            .flatten()
            .copied()
            .collect();
        // Lists of other steps may be long.
        let lists = step.lists.iter().zip(0..).map(|(list, number)| {
            let count = if used.contains(&number) {
                list.len().min(most)
            } else {
                0
            };
            (0..count).map(|i| list[i * list.len() / count]).collect()
        });
        let lists: Vec<Vec<u32>> = lists.collect();
        let numbers: BTreeSet<u32> = lists.iter().flatten().copied().collect();
        let texts = self.some_texts(&numbers)?;
        let places: BTreeMap<u32, u32> = numbers.iter().zip(0..).map(|(n, at)| (*n, at)).collect();
        let placed = lists
            .iter()
            .map(|list| list.iter().map(|number| places[number]));
        let tried = StepReagents {
            rules: step.rules.clone(),
            lists: placed
                .map(|list| list.collect::<Vec<u32>>().into())
                .collect(),
        };
        let weight = |rule: usize| match &step.rules[rule] {
            Some(_) => step.of_rule(rule) as f64 / (tried.of_rule(rule) as f64).max(1.0),
            None => 1.0,
        };
        let weights = (0..step.rules.len()).map(weight).collect();
        Ok(TriedReagents::new(texts, &tried, weights))
    }

    /// The SMILES of some reagents.
    fn some_texts(&self, numbers: &BTreeSet<u32>) -> Result<Vec<String>, ReagentError> {
        let mut texts = Vec::new();
        let owned = |smiles: &[u8]| String::from_utf8_lossy(smiles).into_owned();
        if let Some(reagents) = &self.texts {
            let mut text = ReagentText::default();
            for number in numbers {
                reagents.read(*number, &mut text)?;
                texts.push(owned(text.smiles()));
            }
            return Ok(texts);
        }
        let mut number = 0;
        self.for_each_used(&mut |_, smiles| {
            if numbers.contains(&number) {
                texts.push(owned(smiles));
            }
            number += 1;
            Ok(())
        })?;
        Ok(texts)
    }
}

/// What the rules of a step combine parents with, ready for the workers.
#[derive(Clone)]
pub(crate) struct ReadyReagents {
    pub texts: Arc<Reagents>,
    pub step: Arc<StepReagents>,
    pub sample: Option<Sample>,
    pub kept_bytes_max: usize,
    /// Reagents that a row has room for.
    pub per_row: usize,
}

impl ReadyReagents {
    pub fn combinations(&self) -> Combinations {
        let (texts, step) = (Arc::clone(&self.texts), Arc::clone(&self.step));
        let combinations = Combinations::new(texts, step, self.sample, self.kept_bytes_max);
        combinations.with_room_for(self.per_row)
    }
}

/// Takes the id and the SMILES of a reagent.
type TakeText<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// What is read of all sets.
struct Read {
    writer: ReagentWriter,
    lists: Vec<Vec<u32>>,
    /// Numbers in all lists.
    listed: u64,
    listed_max: u64,
    hash: Sha256,
}

impl Read {
    /// Reads a set. `uses`: the reactants that take it, of which there is one at least.
    fn set(
        &mut self,
        path: &Path,
        uses: &[&Use<'_>],
        matching: &Matching<'_>,
    ) -> Result<(ManifestReagents, Library, UsedRows), ReagentError> {
        let first = uses[0];
        let failed = |source: SourceError| ReagentError::Source {
            origin: first.rule.origin_of_reagents(first.reactant),
            rule: first.rule.name.clone(),
            source: source.into(),
        };
        let library = Library::open(&[path.to_owned()], &ColumnChoice::default());
        let page_bytes_max = plan::page_bytes_max(matching.spec.memory);
        let library = library.map_err(failed)?.with_page_bytes_max(page_bytes_max);
        tracing::info!("reading reagents: {}", path.display());
        let (mut set, mut rows) = (ManifestReagents::of(path), UsedRows::default());
        let taken = one_of_each_list(uses);
        let reader = library.reader().map_err(failed)?;
        matching.run(reader, &taken, &failed, &mut |row, matched| {
            self.row(row, matched, &taken, (&mut set, &mut rows))
        })?;
        for taken in uses {
            let matching = self.lists[taken.list as usize].len() as u64;
            set.note_rule(&taken.rule.name, taken.reactant, matching);
            if matching == 0 {
                return Err(ReagentError::NoMatch {
                    origin: taken.rule.origin_of_reagents(taken.reactant),
                    rule: taken.rule.name.clone(),
                    set: path.to_owned(),
                    reactant: usize::from(taken.reactant) + 1,
                    rows: set.rows,
                });
            }
        }
        Ok((set, library, rows))
    }

    /// Takes a row of a set.
    fn row(
        &mut self,
        row: u64,
        (id, matched): Matched,
        taken: &[&Use<'_>],
        (set, used): (&mut ManifestReagents, &mut UsedRows),
    ) -> Result<(), ReagentError> {
        set.rows += 1;
        let (smiles, matches) = match matched {
            Ok(matched) => matched,
            Err(rejection) => {
                used.push(row, false);
                set.rejected += 1;
                if set.rejects.len() < REAGENTS_REJECTED_NAMED_MAX {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    set.rejects.push(RejectedReagent {
                        row,
                        id: text(&id),
                        code: rejection.code,
                        reason: rejection.reason,
                    });
                }
                return Ok(());
            }
        };
        let is_used = matches.contains(&true);
        used.push(row, is_used);
        if !is_used {
            set.without_match += 1;
            return Ok(());
        }
        if self.writer.count() == REAGENTS_MAX {
            return Err(ReagentError::TooMany);
        }
        for text in [&id, &smiles] {
            self.hash.update((text.len() as u64).to_le_bytes());
            self.hash.update(text);
        }
        let number = self.writer.push(&id, &smiles)?;
        for (taken, _) in taken.iter().zip(&matches).filter(|(_, matches)| **matches) {
            self.lists[taken.list as usize].push(number);
            self.listed += 1;
        }
        if self.listed > self.listed_max {
            return Err(ReagentError::Memory(self.listed));
        }
        Ok(())
    }
}
