//! One engine: its steps, then the whole sieve, at filters of many sizes.

use std::time::Duration;

use super::{
    error::BenchError,
    filter::{
        Absentees, FILTER_BYTES, HASHES, MANY, SHARE_SET, capacity, fill_half, passes_max, shape,
    },
    input::{self, Filled},
    measure::{Effort, clocked},
    report::{EngineReport, Figure, FilterReport, Skipped},
    selection::{Part, Selection},
    structure_key,
    subject::Subject,
    whole::WholeSieve,
};
use crate::{
    limits::{SLOT_BYTES_DEFAULT_MAX, SLOT_BYTES_MIN},
    property::PropertySet,
    sieve::{
        EngineError,
        gpu::Room,
        steps::{Steps, accesses_of_absent},
    },
    slot::{Slot, SlotLayout},
    units::ByteSize,
};

/// The share of new rows that the whole sieve may call maybe: far more than expected.
const FALSE_SHARE_MAX: f64 = 0.001;

/// Measures an engine. If it fails, the report has the error and the figures before it.
pub(super) fn measure(
    subject: &Subject,
    selection: &Selection,
    say: &mut dyn FnMut(&str),
) -> EngineReport {
    let mut report = EngineReport {
        engine: subject.engine(),
        device: subject.device(),
        driver: subject.driver(),
        software: subject.software(),
        threads: subject.threads(),
        ..EngineReport::default()
    };
    let bench = Bench {
        subject,
        selection,
        effort: selection.effort,
    };
    let measured = bench.all(&mut report, say);
    report.failed = measured.err().map(|error| error.to_string());
    report
}

struct Bench<'a> {
    subject: &'a Subject,
    selection: &'a Selection,
    effort: Effort,
}

impl Bench<'_> {
    fn all(&self, report: &mut EngineReport, say: &mut dyn FnMut(&str)) -> Result<(), BenchError> {
        let wants = |part| self.selection.wants(part);
        let (ceilings, filters) = (wants(Part::Ceilings), wants(Part::Filters));
        if !(ceilings || filters || wants(Part::Hash) || wants(Part::Keys)) {
            return Ok(());
        }
        say(&format!("{}: copies and keys", self.subject));
        let copied = self.copy_and_hash(report)?;
        if wants(Part::Keys) {
            say(&format!("{}: structure keys", self.subject));
            self.structure_keys(copied, report)?;
        }
        if ceilings || filters {
            self.filters(copied, report, say)?;
        }
        Ok(())
    }

    /// Measures all filters that fit.
    fn filters(
        &self,
        copied: f64,
        report: &mut EngineReport,
        say: &mut dyn FnMut(&str),
    ) -> Result<(), BenchError> {
        let bytes_max = self.subject.filter_bytes_max();
        let wanted = self.selection.filter_bytes_max.unwrap_or(u64::MAX);
        for bytes in FILTER_BYTES.into_iter().filter(|bytes| *bytes <= wanted) {
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
            match self.filter(bytes, copied) {
                Ok(filter) => {
                    // Logged at once, in case a later measurement hangs.
                    tracing::info!(
                        "{}: a filter of {}: {}",
                        self.subject,
                        ByteSize(bytes),
                        figures(&filter)
                    );
                    report.filters.push(filter);
                }
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

    /// Measures what does not depend on the filter. Returns the rate of copies to where rows are hashed.
    fn copy_and_hash(&self, report: &mut EngineReport) -> Result<f64, BenchError> {
        let layout = SlotLayout::new(
            self.subject.large_slot_bytes(self.effort),
            PropertySet::NONE,
        )?;
        let room = Room::new(shape(FILTER_BYTES[0]), &layout);
        let mut steps = self.subject.steps(room)?;
        let memory = steps.slot_memory(layout.bytes)?;
        let mut slot = Slot::within(layout, memory);
        let Filled { rows, bytes } = input::fill(&mut slot, 0, usize::MAX);
        let timing = self.effort.time(1, &mut |_| -> Result<_, BenchError> {
            Ok(clocked(|| steps.load_rows(&slot))?)
        })?;
        let copied = bytes as f64 / timing.seconds;
        report.copy_bytes_per_second = Some(copied);
        if self.selection.wants(Part::Hash) {
            let mut hash = |passes| clocked(|| steps.hash_rows(passes));
            let hashed = self.effort.time(MANY, &mut hash)?;
            let bytes_per_key = bytes as f64 / rows as f64;
            let ceiling = copied / bytes_per_key;
            report.hash = Some(Figure::new(hashed, rows, bytes_per_key, ceiling));
        }
        let back = self.effort.time(1, &mut |_| -> Result<_, BenchError> {
            Ok(clocked(|| steps.unload_rows(&mut slot))?)
        })?;
        report.copy_back_bytes_per_second = Some((rows * ROW_BYTES_BACK) as f64 / back.seconds);
        Ok(copied)
    }

    fn structure_keys(&self, copied: f64, report: &mut EngineReport) -> Result<(), BenchError> {
        if !self.subject.makes_keys() {
            report.structure_keys_skipped = Some("with this engine the CPU computes them".into());
            return Ok(());
        }
        match structure_key::measure(self.subject, self.effort, copied) {
            Ok(figure) => report.structure_keys = Some(figure),
            Err(BenchError::Engine(error)) if does_not_fit(&error) => {
                report.structure_keys_skipped = Some(error.to_string());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Measures one filter: first the ceilings, then the steps, then the whole sieve.
    fn filter(&self, bytes: u64, copied: f64) -> Result<FilterReport, BenchError> {
        let filter = shape(bytes);
        let layout = SlotLayout::new(
            self.subject.large_slot_bytes(self.effort),
            PropertySet::NONE,
        )?;
        let room = Room {
            // Keys alone.
            text_bytes_max: 64,
            ..Room::new(filter, &layout)
        };
        let mut steps = self.subject.steps(room)?;
        let mut report = self.random_accesses(room, steps.as_mut())?;
        if self.selection.wants(Part::Filters) {
            self.steps(room, steps.as_mut(), &mut report)?;
            // The memory may not have room for two filters.
            drop(steps);
            report.end_to_end = Some(self.end_to_end(bytes, copied)?);
        }
        Ok(report)
    }

    /// The ceilings: random reads and atomics in the filter's memory.
    fn random_accesses(
        &self,
        room: Room,
        steps: &mut dyn Steps,
    ) -> Result<FilterReport, BenchError> {
        // Memory that was never written may be a single page.
        fill_half(steps, room.rows_max)?;
        let passes = passes_max(room.rows_max);
        let read = self.effort.time(passes, &mut |passes| {
            clocked(|| steps.read_at_random(passes))
        })?;
        let added = self.effort.time(passes, &mut |passes| {
            clocked(|| steps.add_at_random(passes))
        })?;
        let accesses = room.rows_max as f64 * f64::from(HASHES);
        Ok(FilterReport {
            bytes: room.filter.bytes() as u64,
            hashes: HASHES,
            reads_per_second: accesses / read.seconds,
            atomics_per_second: accesses / added.seconds,
            ..FilterReport::default()
        })
    }

    /// Look-ups of absent keys in a half-full filter, then inserts, and look-ups of the inserted keys.
    fn steps(
        &self,
        room: Room,
        steps: &mut dyn Steps,
        report: &mut FilterReport,
    ) -> Result<(), BenchError> {
        fill_half(steps, room.rows_max)?;
        let mut absent = Absentees::new(room.rows_max);
        let denied = absent.time(self.effort, steps)?;
        self.expect(absent.found_as_expected(), "found keys that are not there")?;
        let count = room.rows_max.min(capacity(room.filter) as usize / 2);
        steps.load_keys(&input::keys(0, count))?;
        let inserted = self.effort.time(passes_max(count), &mut |passes| {
            clocked(|| steps.insert(passes))
        })?;
        let looked_up = self.effort.time(passes_max(count), &mut |passes| {
            let mut found = 0;
            let time = clocked(|| steps.look_up(passes).map(|sum| found = sum))?;
            self.expect(found == u64::from(passes) * count as u64, "lost keys")?;
            Ok::<Duration, BenchError>(time)
        })?;
        let access = steps.access();
        let of_absent = accesses_of_absent(room.filter, SHARE_SET, access.batches);
        // `ceiling` is in accesses per second.
        let figure = |timing, keys: usize, accesses: f64, ceiling: f64| {
            let bytes = accesses * f64::from(access.word_bytes);
            let figure = Figure::new(timing, keys as u64, bytes, ceiling / accesses);
            Some(Figure {
                accesses_per_second: Some(accesses * figure.keys_per_second),
                ..figure
            })
        };
        let (reads, atomics) = (report.reads_per_second, report.atomics_per_second);
        report.absent = figure(denied, room.rows_max, of_absent, reads);
        report.present = figure(looked_up, count, f64::from(HASHES), reads);
        report.insert = figure(inserted, count, f64::from(HASHES), atomics);
        Ok(())
    }

    /// The whole sieve, from slots in host memory to their keys and verdicts in host memory; all rows are new.
    fn end_to_end(&self, bytes: u64, copy_bytes_per_second: f64) -> Result<Figure, BenchError> {
        let slot_bytes = match self.effort.is_trial() {
            true => SLOT_BYTES_MIN,
            false => SLOT_BYTES_DEFAULT_MAX,
        };
        let layout = SlotLayout::new(slot_bytes, PropertySet::NONE)?;
        let filter = shape(bytes);
        let mut run = WholeSieve::new(self.subject, Room::new(filter, &layout), layout)?;
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

    /// Fails if a result is wrong.
    fn expect(&self, right: bool, fault: &'static str) -> Result<(), BenchError> {
        let engine = self.subject.to_string();
        right
            .then_some(())
            .ok_or(BenchError::Wrong { engine, fault })
    }
}

/// The figures at a filter, in one line.
fn figures(filter: &FilterReport) -> String {
    let (reads, atomics) = (filter.reads_per_second, filter.atomics_per_second);
    let keys = |figure: Option<Figure>| figure.map(|figure| figure.keys_per_second);
    let rates = [
        ("random reads", Some(reads)),
        ("random atomics", Some(atomics)),
        ("absent", keys(filter.absent)),
        ("present", keys(filter.present)),
        ("insert", keys(filter.insert)),
        ("end to end", keys(filter.end_to_end)),
    ];
    let rates = rates.into_iter();
    let rates = rates.filter_map(|(name, rate)| Some(format!("{name} {:.1} M/s", rate? / 1e6)));
    rates.collect::<Vec<_>>().join(", ")
}

/// Bytes of a row's key and verdict.
const ROW_BYTES_BACK: u64 = (size_of::<[u64; 2]>() + size_of::<u8>()) as u64;

fn does_not_fit(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::TooLarge { .. } | EngineError::OutOfMemory { .. }
    )
}
