//! The kernel `structure_key` beside `molsieve::identity`.

use std::{
    collections::{BTreeMap, HashSet},
    sync::OnceLock,
    thread,
};

use super::kernels::{Kernels, structure_keys};
use crate::kit::{
    draw::Draw,
    structure_key::{
        ATOMS_MAX, KeyOutcome, SOURCE, TOO_LARGE, assert_none, differences, fuzz, kernel_of,
        letters, outcomes_on_cpu, read, samples,
    },
};

const NAME: &str = "structure_key";

/// Molecules are texts that the CPU has a key for, each another one; broken texts are those for which it gives a
/// reason.
const MOLECULES_MIN: usize = 3_000;
const BROKEN_MIN: usize = 2_000;
/// Texts made from each sample by changing bytes, most of them broken; and by lengthening a chain, most of them another
/// molecule.
const CHANGED_PER_SAMPLE: usize = 2;
const LONGER_PER_SAMPLE: usize = 1;

/// The samples of the repository and texts made from them, in an order drawn at random.
fn texts() -> (Vec<Vec<u8>>, Vec<KeyOutcome>) {
    let samples = samples();
    let mut draw = Draw(3);
    let mut texts = samples.clone();
    texts.extend(fuzz(&samples, CHANGED_PER_SAMPLE));
    for _ in 0..LONGER_PER_SAMPLE {
        texts.extend(samples.iter().map(|text| longer(text, &mut draw)));
    }
    let mut known = HashSet::new();
    texts.retain(|text| known.insert(text.clone()));
    for i in (1..texts.len()).rev() {
        texts.swap(i, draw.below(i + 1));
    }
    let cpu = outcomes_on_cpu(&texts);
    (texts, cpu)
}

/// With an atom more in front of an atom without brackets.
fn longer(text: &[u8], draw: &mut Draw) -> Vec<u8> {
    let mut depth = 0;
    let outside = text.iter().enumerate().filter(|(_, byte)| {
        depth += i32::from(**byte == b'[') - i32::from(**byte == b']');
        depth == 0 && b"CNOPSF".contains(byte)
    });
    let places: Vec<usize> = outside.map(|(place, _)| place).collect();
    let mut text = text.to_vec();
    if !places.is_empty() {
        let atom = b"CCNOS"[draw.below(5)];
        text.insert(places[draw.below(places.len())], atom);
    }
    text
}

/// What the kernel says of texts, on two threads, and the instructions that it took.
fn outcomes_in_ptx(kernels: &Kernels, texts: &[Vec<u8>]) -> Result<(Vec<KeyOutcome>, u64), String> {
    let run = |part: &[Vec<u8>], seed| {
        let views: Vec<&[u8]> = part.iter().map(|text| &text[..]).collect();
        let mut machine = kernels.machine(NAME, seed);
        let outcomes = structure_keys(&mut machine, kernels, &views);
        outcomes
            .map(|outcomes| (outcomes, machine.executed))
            .map_err(|fault| fault.to_string())
    };
    let (first, second) = texts.split_at(texts.len() / 2);
    let (first, second) = thread::scope(|scope| {
        let second = scope.spawn(|| run(second, 2));
        (
            run(first, 1),
            second.join().expect("the interpreter does not panic"),
        )
    });
    let ((mut outcomes, executed), (rest, more)) = (first?, second?);
    outcomes.extend(rest);
    Ok((outcomes, executed + more))
}

/// Every text has the key of the CPU, or its reason; or it is too large, where the source compiled for the host finds
/// that too.
pub fn compare(kernels: &Kernels) -> Result<String, String> {
    let (texts, cpu) = texts();
    let keys: HashSet<_> = cpu.iter().filter(|outcome| outcome.0 == 0).collect();
    let broken = cpu.iter().filter(|outcome| outcome.0 != 0).count();
    assert!(keys.len() >= MOLECULES_MIN, "{} molecules", keys.len());
    assert!(broken >= BROKEN_MIN, "{broken} broken texts");
    let host = thread::scope(|scope| {
        let host = scope.spawn(|| kernel_of(&read(SOURCE), &["-O1"]).outcomes(&texts));
        let ptx = outcomes_in_ptx(kernels, &texts);
        (host.join().expect("the source compiles"), ptx)
    });
    let (host, (ptx, executed)) = (host.0, host.1?);
    let is_too_large = |outcome: &KeyOutcome| outcome.0 == TOO_LARGE;
    let too_large: HashSet<&[u8]> = texts
        .iter()
        .zip(&host)
        .filter(|(_, outcome)| is_too_large(outcome))
        .map(|(text, _)| &text[..])
        .collect();
    let mut wrong = differences(&texts, &cpu, &ptx, |text, _| too_large.contains(text));
    let fewer = texts.iter().zip(&ptx);
    let fewer =
        fewer.filter(|(text, outcome)| too_large.contains(&text[..]) && !is_too_large(outcome));
    wrong.extend(fewer.map(|(text, _)| format!("{} is too large", String::from_utf8_lossy(text))));
    match &wrong[..] {
        [] => Ok(format!(
            "{} molecules, {broken} broken texts, {} too large, {} M instructions",
            keys.len(),
            too_large.len(),
            executed / 1_000_000
        )),
        [first, ..] => Err(format!("{} texts differ: {first}", wrong.len())),
    }
}

/// Number of texts of a large file compared at a time.
const CHUNK: usize = 1 << 16;

/// The same for the texts of a file, of which none may be too large but for the number of its atoms.
pub fn compare_file(kernels: &Kernels, texts: &[Vec<u8>]) -> BTreeMap<u8, usize> {
    let mut counts = BTreeMap::new();
    for texts in texts.chunks(CHUNK) {
        let cpu = outcomes_on_cpu(texts);
        let (ptx, _) = outcomes_in_ptx(kernels, texts).unwrap_or_else(|error| panic!("{error}"));
        let large = |text: &[u8], _| letters(text) > ATOMS_MAX;
        assert_none(&differences(texts, &cpu, &ptx, large));
        for (status, _) in ptx {
            *counts.entry(status).or_default() += 1;
        }
    }
    counts
}

/// Texts for kernels that are wrong on purpose: by line of the file some of those that come to it.
pub struct ByLine {
    texts: Vec<Vec<u8>>,
    expected: Vec<KeyOutcome>,
    by_line: BTreeMap<u32, Vec<usize>>,
}

/// What texts do one by one.
struct Reached {
    outcomes: Vec<KeyOutcome>,
    /// By instruction, some of the texts that come to it.
    by_pc: Vec<Vec<usize>>,
}

/// Texts of each half that are kept for an instruction.
const TEXTS_KEPT: usize = 500;

impl Reached {
    fn of(kernels: &Kernels, texts: &[Vec<u8>]) -> Self {
        let mut outcomes = Vec::new();
        let mut by_pc = vec![Vec::new(); kernels.program(NAME).code.len()];
        let mut machine = kernels.machine(NAME, 1);
        for (i, text) in texts.iter().enumerate() {
            machine.note_reached();
            let of_text = structure_keys(&mut machine, kernels, &[text]);
            outcomes.push(of_text.unwrap_or_else(|fault| panic!("{fault}"))[0]);
            for (known, _) in by_pc
                .iter_mut()
                .zip(machine.reached())
                .filter(|(_, reached)| **reached)
            {
                if known.len() < TEXTS_KEPT {
                    known.push(i);
                }
            }
        }
        Self { outcomes, by_pc }
    }
}

impl ByLine {
    /// Of the committed kernel.
    pub fn of(kernels: &Kernels) -> &'static Self {
        static BY_LINE: OnceLock<ByLine> = OnceLock::new();
        BY_LINE.get_or_init(|| Self::new(kernels))
    }

    fn new(kernels: &Kernels) -> Self {
        let (texts, cpu) = texts();
        let (first, second) = texts.split_at(texts.len() / 2);
        let (mut reached, second) = thread::scope(|scope| {
            let second = scope.spawn(|| Reached::of(kernels, second));
            let first = Reached::of(kernels, first);
            (first, second.join().expect("the committed kernel runs"))
        });
        let begin = reached.outcomes.len();
        reached.outcomes.extend(second.outcomes);
        let mut by_line: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let lines = &kernels.program(NAME).lines;
        for (pc, line) in lines.iter().enumerate() {
            let later = second.by_pc[pc].iter().map(|text| begin + text);
            let texts = reached.by_pc[pc].iter().copied().chain(later);
            by_line.entry(*line).or_default().extend(texts);
        }
        by_line.retain(|_, texts| !texts.is_empty());
        assert!(differences(&texts, &cpu, &reached.outcomes, |_, _| true).is_empty());
        Self {
            texts,
            expected: reached.outcomes,
            by_line,
        }
    }

    pub fn lines(&self) -> impl Iterator<Item = u32> {
        self.by_line.keys().copied()
    }

    /// Whether a kernel that differs from the committed one in this line says the same of the texts that come to it;
    /// of some of all, for a line that is no instruction.
    pub fn compare(&self, kernels: &Kernels, line: u32) -> Result<(), String> {
        let some: Vec<usize> = (0..self.texts.len()).step_by(10).collect();
        let chosen = self.by_line.get(&line).unwrap_or(&some);
        let mut machine = kernels.machine(NAME, 1);
        machine.instructions_max = 4_000_000;
        for part in chosen.chunks(12) {
            let texts: Vec<&[u8]> = part.iter().map(|&i| &self.texts[i][..]).collect();
            let outcomes = structure_keys(&mut machine, kernels, &texts);
            let outcomes = outcomes.map_err(|fault| fault.to_string())?;
            let wrong = part
                .iter()
                .zip(&outcomes)
                .find(|&(&i, outcomes)| self.expected[i] != *outcomes);
            if let Some((&i, outcomes)) = wrong {
                let text = String::from_utf8_lossy(&self.texts[i]);
                return Err(format!(
                    "{text}: {outcomes:x?}, not {:x?}",
                    self.expected[i]
                ));
            }
        }
        Ok(())
    }
}
