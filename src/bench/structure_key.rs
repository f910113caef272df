//! Structure keys on an engine, from SMILES in host memory to keys in host memory, in batches. Copies to and from the
//! device count.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{error::BenchError, keys, measure::Effort, report::Figure, subject::Subject};
use crate::{
    identity::StructureKeys,
    sieve::{
        EngineError,
        structure_key::{KeyBatch, KeyDevice, KeyOutcome, KeyRoom},
    },
};

/// One of so many molecules may be too large for a device.
const TOO_LARGE_ONE_IN: usize = 20;

/// Times the keys of an engine: each thread, or each device of a GPU, computes those of its own batch.
/// `copy_bytes_per_second` is the ceiling.
pub(super) fn measure(
    subject: &Subject,
    effort: Effort,
    copy_bytes_per_second: f64,
) -> Result<Figure, BenchError> {
    let molecules = keys::molecules(&mut StructureKeys::new());
    let rows = subject.key_batch_rows(effort);
    let texts: Vec<&str> = molecules.into_iter().cycle().take(rows).collect();
    let mut sources = match subject.threads() {
        Some(threads) => on_threads(&texts, threads),
        None => on_devices(subject.key_devices(room(&texts))?, &texts)?,
    };
    let timing = effort.time(u32::MAX, &mut |passes| pass(&mut sources, passes))?;
    let mut correct = 0;
    for source in &mut sources {
        let rows = source.correct_rows();
        correct += rows.ok_or_else(|| BenchError::Wrong {
            engine: subject.to_string(),
            fault: "computes structure keys that differ from those of the CPU, or leaves most of them to the CPU",
        })?;
    }
    let read = room(&texts).text_bytes_max + rows * size_of::<u32>();
    let bytes_per_key = read as f64 / rows as f64;
    let copied = copy_bytes_per_second / bytes_per_key;
    Ok(Figure::new(timing, correct as u64, bytes_per_key, copied))
}

/// Computes the keys of all rows of all sources, `passes` times.
fn pass(sources: &mut [KeySource<'_>], passes: u32) -> Result<Duration, EngineError> {
    let began = Instant::now();
    let went = thread::scope(|scope| {
        let work = |source| scope.spawn(move || KeySource::work(source, passes));
        let working: Vec<_> = sources.iter_mut().map(work).collect();
        let ends = working.into_iter().map(|working| working.join());
        // A panic continues on this thread.
        ends.map(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<()>, _>>()
    });
    went.map(|_| began.elapsed())
}

/// A thread or a device that computes the keys of its rows.
enum KeySource<'t> {
    Thread {
        keys: Box<StructureKeys>,
        texts: &'t [&'t str],
        outcomes: Vec<KeyOutcome>,
    },
    Device {
        device: Box<dyn KeyDevice>,
        batch: KeyBatch,
        texts: &'t [&'t str],
    },
}

fn on_threads<'t>(texts: &'t [&'t str], threads: usize) -> Vec<KeySource<'t>> {
    let source = |_| KeySource::Thread {
        keys: Box::new(StructureKeys::new()),
        texts,
        outcomes: vec![KeyOutcome::TooLarge; texts.len()],
    };
    (0..threads).map(source).collect()
}

fn on_devices<'t>(
    devices: Vec<Box<dyn KeyDevice>>,
    texts: &'t [&'t str],
) -> Result<Vec<KeySource<'t>>, EngineError> {
    let source = |device: Box<dyn KeyDevice>| {
        let mut batch = KeyBatch::new(device.as_ref(), room(texts))?;
        let asked: Vec<_> = texts.iter().map(|text| Some(text.as_bytes())).collect();
        batch.fill(&asked);
        assert_eq!(batch.rows(), texts.len(), "the room is for these texts");
        batch.poison();
        Ok(KeySource::Device {
            device,
            batch,
            texts,
        })
    };
    devices.into_iter().map(source).collect()
}

fn room(texts: &[&str]) -> KeyRoom {
    KeyRoom {
        rows_max: texts.len(),
        text_bytes_max: texts.iter().map(|text| text.len()).sum(),
    }
}

impl KeySource<'_> {
    fn work(&mut self, passes: u32) -> Result<(), EngineError> {
        for _ in 0..passes {
            match self {
                Self::Thread {
                    keys,
                    texts,
                    outcomes,
                } => {
                    for (outcome, text) in outcomes.iter_mut().zip(*texts) {
                        *outcome = by_cpu(keys, text);
                    }
                }
                Self::Device { device, batch, .. } => {
                    batch.compute_keys(device.as_mut())?;
                }
            }
        }
        Ok(())
    }

    /// The number of rows with the same outcome as on the CPU; `None` if any outcome differs.
    fn correct_rows(&mut self) -> Option<usize> {
        let Self::Device { batch, texts, .. } = self else {
            return Some(self.rows());
        };
        let (mut keys, mut correct) = (StructureKeys::new(), 0);
        for (row, text) in texts.iter().enumerate() {
            match batch.outcome(row)? {
                KeyOutcome::TooLarge => continue,
                found if found == by_cpu(&mut keys, text) => correct += 1,
                _ => return None,
            }
        }
        (correct * TOO_LARGE_ONE_IN >= texts.len() * (TOO_LARGE_ONE_IN - 1)).then_some(correct)
    }

    fn rows(&self) -> usize {
        match self {
            Self::Thread { texts, .. } | Self::Device { texts, .. } => texts.len(),
        }
    }
}

fn by_cpu(keys: &mut StructureKeys, text: &str) -> KeyOutcome {
    match keys.key(text.as_bytes()) {
        Ok(key) => KeyOutcome::Key(key),
        Err(reason) => KeyOutcome::Reason(reason),
    }
}
