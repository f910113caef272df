//! One engine: its steps, then the whole sieve, at filters of many sizes.

use std::time::Duration;

use super::{
    BenchError, Effort, EngineReport, Figure, FilterReport, Skipped,
    input::{self, Filled},
    measure::{Timing, clocked},
    random_access, structure_key,
    subject::Subject,
    whole::Run,
};
use crate::{
    limits::{SLOT_BYTES_DEFAULT_MAX, SLOT_BYTES_MIN},
    sieve::{
        EngineError, FilterShape,
        gpu::Room,
        steps::{Steps, accesses_of_absent, accesses_of_present},
    },
    slot::{Slot, SlotLayout},
    units::ByteSize,
};

/// What the default rate of false positives, 10^-9, asks for.
pub(super) const HASHES: u32 = 30;
/// Filters that are measured: one that stays in a cache, then larger ones.
const FILTER_BYTES: [u64; 8] = [
    256 << 10,
    16 << 20,
    256 << 20,
    1 << 30,
    4 << 30,
    16 << 30,
    64 << 30,
    128 << 30,
];
/// Of all keys, what may be found in the filter though it is not there: far more than is to be expected.
const FALSE_SHARE_MAX: f64 = 0.001;

/// Measures an engine. If it fails on the way, the report says so and has what came before.
pub(super) fn measure(
    subject: &Subject,
    effort: Effort,
    filter_bytes_max: Option<u64>,
    say: &mut dyn FnMut(&str),
) -> EngineReport {
    let mut report = EngineReport {
        engine: subject.engine(),
        device: subject.device(),
        driver: subject.driver(),
        software: subject.software(),
        threads: subject.threads(),
        copy_bytes_per_second: 0.0,
        hash: None,
        structure_keys: None,
        structure_keys_skipped: None,
        filters: Vec::new(),
        skipped: Vec::new(),
        failed: None,
    };
    let bench = Bench { subject, effort };
    let measured = bench.all(filter_bytes_max, &mut report, say);
    report.failed = measured.err().map(|error| error.to_string());
    report
}

struct Bench<'a> {
    subject: &'a Subject,
    effort: Effort,
}

impl Bench<'_> {
    fn all(
        &self,
        filter_bytes_max: Option<u64>,
        report: &mut EngineReport,
        say: &mut dyn FnMut(&str),
    ) -> Result<(), BenchError> {
        say(&format!("{}: copies and keys", self.subject));
        self.copy_and_hash(report)?;
        say(&format!("{}: structure keys", self.subject));
        self.structure_keys(report)?;
        let bytes_max = self.subject.filter_bytes_max();
        for bytes in FILTER_BYTES {
            if filter_bytes_max.is_some_and(|wanted| bytes > wanted) {
                break;
            }
            if bytes > bytes_max {
                let reason = format!("more than its share of memory, {}", ByteSize(bytes_max));
                report.skipped.push(Skipped { bytes, reason });
                break;
            }
            say(&format!(
                "{}: a filter of {}",
                self.subject,
                ByteSize(bytes)
            ));
            match self.filter(bytes, report.copy_bytes_per_second) {
                Ok(filter) => report.filters.push(filter),
                Err(BenchError::Engine(error)) if does_not_fit(&error) => {
                    let reason = error.to_string();
                    report.skipped.push(Skipped { bytes, reason });
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What does not depend on the filter.
    fn copy_and_hash(&self, report: &mut EngineReport) -> Result<(), BenchError> {
        let layout = layout(self.subject.large_slot_bytes(self.effort))?;
        let room = Room::new(shape(FILTER_BYTES[0], HASHES), &layout);
        let mut steps = self.subject.steps(room)?;
        let memory = steps.slot_memory(layout.bytes)?;
        let mut slot = Slot::within(layout, memory);
        let Filled { rows, bytes } = input::fill(&mut slot, 0, usize::MAX);
        let copied = self.effort.time(1, &mut |_| -> Result<_, BenchError> {
            Ok(clocked(|| steps.load_rows(&slot))?)
        })?;
        report.copy_bytes_per_second = bytes as f64 / copied.seconds;
        let hashed = self
            .effort
            .time(MANY, &mut |passes| -> Result<_, BenchError> {
                Ok(clocked(|| steps.hash_rows(passes))?)
            })?;
        let bytes_per_key = bytes as f64 / rows as f64;
        let copied = report.copy_bytes_per_second / bytes_per_key;
        report.hash = Some(Figure::new(hashed, rows, bytes_per_key, copied));
        Ok(())
    }

    fn structure_keys(&self, report: &mut EngineReport) -> Result<(), BenchError> {
        if !self.subject.makes_keys() {
            report.structure_keys_skipped = Some("the CPU makes them for this engine".into());
            return Ok(());
        }
        let copied = report.copy_bytes_per_second;
        match structure_key::measure(self.subject, self.effort, copied) {
            Ok(figure) => report.structure_keys = Some(figure),
            Err(BenchError::Engine(error)) if does_not_fit(&error) => {
                report.structure_keys_skipped = Some(error.to_string());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn filter(&self, bytes: u64, copy_bytes_per_second: f64) -> Result<FilterReport, BenchError> {
        let mut accesses_per_second = match self.subject.threads() {
            Some(threads) => random_access::rate(bytes as usize, threads, self.effort),
            None => self.accesses_by_one_hash(bytes)?,
        };
        let steps = self.steps(bytes)?;
        if self.subject.threads().is_none() {
            // Derived, it is the most that was seen: a look-up has other work than its accesses.
            let seen = steps.present.accesses_per_second();
            accesses_per_second = accesses_per_second.max(seen);
        }
        let figure = |step: &Step| step.figure(accesses_per_second);
        Ok(FilterReport {
            bytes,
            hashes: HASHES,
            accesses_per_second,
            absent: figure(&steps.absent),
            present: figure(&steps.present),
            insert: figure(&steps.insert),
            end_to_end: self.end_to_end(bytes, copy_bytes_per_second)?,
        })
    }

    fn large_room(&self, filter: FilterShape) -> Result<Room, BenchError> {
        let layout = layout(self.subject.large_slot_bytes(self.effort))?;
        Ok(Room {
            // Keys alone.
            text_bytes_max: 64,
            ..Room::new(filter, &layout)
        })
    }

    /// Random accesses per second on a GPU: look-ups with one hash, which read one word each, or as many
    /// as the kernel reads at once. The filter is empty, so none of them goes on.
    fn accesses_by_one_hash(&self, bytes: u64) -> Result<f64, BenchError> {
        let filter = shape(bytes, 1);
        let room = self.large_room(filter)?;
        let mut steps = self.subject.steps(room)?;
        let accesses = accesses_of_absent(filter, 0.0, steps.probes_at_once());
        let mut absent = Absentees::new(room.rows_max);
        let timing = absent.time(self.effort, steps.as_mut())?;
        Ok(room.rows_max as f64 * accesses / timing.seconds)
    }

    /// Look-ups of keys that are not in the filter and of keys that are, and inserts.
    fn steps(&self, bytes: u64) -> Result<StepTimes, BenchError> {
        let filter = shape(bytes, HASHES);
        let room = self.large_room(filter)?;
        let mut steps = self.subject.steps(room)?;
        let probes = steps.probes_at_once();
        // Half of what it is made for: then about as many keys as not come after as before.
        let count = room.rows_max.min(capacity(filter) as usize / 2);
        let keys = input::keys(0, count);
        steps.load_keys(&keys)?;
        let inserted = self.effort.time(passes_max(count), &mut |passes| {
            clocked(|| steps.insert(passes))
        })?;
        let looked_up = self.effort.time(passes_max(count), &mut |passes| {
            let mut found = 0;
            let time = clocked(|| steps.look_up(passes).map(|sum| found = sum))?;
            self.expect(found == u64::from(passes) * count as u64, "lost keys")?;
            Ok::<Duration, BenchError>(time)
        })?;
        let mut absent = Absentees::new(room.rows_max);
        let denied = absent.time(self.effort, steps.as_mut())?;
        let false_share = absent.found as f64 / absent.looked_up as f64;
        self.expect(
            false_share <= FALSE_SHARE_MAX,
            "found keys that are not there",
        )?;
        let set = share_set(filter, count as u64);
        let step = |timing, keys, accesses| Step {
            timing,
            keys,
            accesses,
        };
        Ok(StepTimes {
            absent: step(
                denied,
                room.rows_max,
                accesses_of_absent(filter, set, probes),
            ),
            present: step(looked_up, count, accesses_of_present(filter, probes)),
            insert: step(inserted, count, f64::from(HASHES)),
        })
    }

    /// The whole sieve from slots in host memory to their keys and verdicts there; all rows are new.
    fn end_to_end(&self, bytes: u64, copy_bytes_per_second: f64) -> Result<Figure, BenchError> {
        let slot_bytes = match self.effort.is_trial() {
            true => SLOT_BYTES_MIN,
            false => SLOT_BYTES_DEFAULT_MAX,
        };
        let layout = layout(slot_bytes)?;
        let filter = shape(bytes, HASHES);
        let mut run = Run::new(self.subject, Room::new(filter, &layout), layout)?;
        let timing = self.effort.time(1, &mut |_| run.pass())?;
        let Filled { rows, bytes } = run.filled;
        self.expect(
            run.new as f64 >= (1.0 - FALSE_SHARE_MAX) * run.rows as f64,
            "took new rows for known",
        )?;
        let bytes_per_key = bytes as f64 / rows as f64;
        let copied = copy_bytes_per_second / bytes_per_key;
        Ok(Figure::new(timing, rows, bytes_per_key, copied))
    }

    /// Figures of an engine that is wrong are worth nothing.
    fn expect(&self, right: bool, fault: &'static str) -> Result<(), BenchError> {
        let engine = self.subject.to_string();
        right
            .then_some(())
            .ok_or(BenchError::Wrong { engine, fault })
    }
}

/// What steps take at one size of filter.
struct StepTimes {
    absent: Step,
    present: Step,
    insert: Step,
}

/// A step over keys, each of which takes accesses to the filter.
struct Step {
    timing: Timing,
    keys: usize,
    accesses: f64,
}

impl Step {
    fn accesses_per_second(&self) -> f64 {
        self.keys as f64 * self.accesses / self.timing.seconds
    }

    fn figure(&self, accesses_per_second: f64) -> Figure {
        let (bytes, ceiling) = (8.0 * self.accesses, accesses_per_second / self.accesses);
        Figure::new(self.timing, self.keys as u64, bytes, ceiling)
    }
}

/// Passes of short steps between two looks at the clock.
const MANY: u32 = 1_000;

/// As many that a GPU's tally of 32 bits does not overflow.
fn passes_max(rows: usize) -> u32 {
    (u32::MAX / rows.max(1) as u32).min(MANY)
}

/// Keys that are in no filter: others each time, so that no cache has seen the words they ask for.
struct Absentees {
    next: u64,
    rows: usize,
    looked_up: u64,
    found: u64,
}

impl Absentees {
    fn new(rows: usize) -> Self {
        Self {
            next: 1 << 48,
            rows,
            looked_up: 0,
            found: 0,
        }
    }

    fn time(&mut self, effort: Effort, steps: &mut dyn Steps) -> Result<Timing, EngineError> {
        effort.time(passes_max(self.rows), &mut |passes| {
            steps.load_keys(&input::keys(self.next, self.rows))?;
            self.next += self.rows as u64;
            self.looked_up += self.rows as u64 * u64::from(passes);
            clocked(|| steps.look_up(passes).map(|found| self.found += found))
        })
    }
}

fn does_not_fit(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::TooLarge { .. } | EngineError::OutOfMemory { .. }
    )
}

fn layout(bytes: usize) -> Result<SlotLayout, BenchError> {
    Ok(SlotLayout::new(bytes, false)?)
}

fn shape(bytes: u64, hashes: u32) -> FilterShape {
    let bits = 8 * bytes as usize;
    FilterShape { bits, hashes }
}

/// Keys that a filter is made for: with as many half of its bits are set, `n = m ln 2 / k`.
pub(super) fn capacity(filter: FilterShape) -> u64 {
    (filter.bits as f64 * std::f64::consts::LN_2 / f64::from(filter.hashes)) as u64
}

/// The share of a filter's bits that `keys` keys set: `1 - e^(-kn/m)`.
fn share_set(filter: FilterShape, keys: u64) -> f64 {
    -(-f64::from(filter.hashes) * keys as f64 / filter.bits as f64).exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_half_full_at_its_capacity() {
        for bytes in FILTER_BYTES {
            let filter = shape(bytes, HASHES);
            let keys = capacity(filter);
            assert!((share_set(filter, keys) - 0.5).abs() < 1e-3);
            let rate = filter.false_positive_rate(keys);
            assert!((0.5e-9..2e-9).contains(&rate), "{rate}");
        }
        assert_eq!(share_set(shape(1 << 20, HASHES), 0), 0.0);
    }
}
