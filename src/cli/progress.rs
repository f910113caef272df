//! What a user sees while a job runs: a live display on a terminal, else a line every few seconds;
//! with `--json` one event a second.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use super::{events, live::Live, say_aside, say_event};
use crate::{
    pipeline::{Job, Snapshot},
    report::event::{Event, Progress},
    units::{ByteSize, count, duration, percent},
};

/// Time between two lines where there is no live display.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Time between two events with `--json`.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// The progress in several lines, for a terminal.
pub(super) fn lines(progress: &Progress) -> String {
    let counts = &progress.counts;
    let left_out = match counts.parents_rejected + counts.parents_capped {
        0 => String::new(),
        n => format!(" · {} rows rejected or capped", count(n)),
    };
    format!(
        "{}\nproducts  {} made · {} unique · {}/s{left_out}\n\
         memory    {} of {} · ring {} of {} slots busy\n\
         busiest   {} · {} written in {} parts",
        position(progress),
        count(counts.products_made),
        count(counts.products_unique),
        count(progress.products_per_second),
        ByteSize(progress.memory_bytes),
        ByteSize(progress.memory_budget_bytes),
        slots_busy(progress),
        progress.ring.slots,
        progress.busiest,
        ByteSize(progress.bytes_written),
        progress.parts,
    )
}

/// The progress in one line.
pub(super) fn line(progress: &Progress) -> String {
    format!(
        "{}; {} products, {} unique, {}/s; {} of {}, ring {}/{}; busiest {}",
        position(progress),
        count(progress.counts.products_made),
        count(progress.counts.products_unique),
        count(progress.products_per_second),
        ByteSize(progress.memory_bytes),
        ByteSize(progress.memory_budget_bytes),
        slots_busy(progress),
        progress.ring.slots,
        progress.busiest,
    )
}

fn slots_busy(progress: &Progress) -> u64 {
    progress.ring.slots.saturating_sub(progress.ring.free)
}

/// How far the job is, and the time that it still needs.
pub(super) fn position(progress: &Progress) -> String {
    let step = match progress {
        Progress { step: 0, steps, .. } if *steps > 0 => "the library itself: ".into(),
        Progress { steps: 0 | 1, .. } => String::new(),
        Progress { step, steps, .. } => format!("step {step} of {steps}: "),
    };
    if let Some(settling) = progress.settling {
        return format!(
            "{step}settling: {} of the possible duplicates compared",
            percent(settling.done, settling.of)
        );
    }
    let about = if progress.parents_exact { "" } else { "about " };
    let left = progress.remaining_seconds;
    let left = left.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let left = left.map_or_else(String::new, |left| format!(", {} left", duration(left)));
    format!(
        "{step}{} of {about}{} rows{left}",
        count(progress.rows_done()),
        count(progress.parents)
    )
}

/// Shows progress: a live display on a terminal, else a line from time to time.
pub(super) struct Display {
    live: Option<Live>,
    shown: Instant,
}

impl Display {
    pub(super) fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self {
            live: (is_terminal && Live::is_possible()).then(Live::new),
            shown: Instant::now(),
        }
    }

    /// Shows what `progress` returns, if it is time. Returns whether the next busiest stage is to be that of the
    /// time from now on.
    pub(super) fn show(&mut self, progress: impl FnOnce() -> Progress) -> bool {
        let every = if let Some(live) = &self.live {
            live.show(|| {
                let progress = progress();
                let rows = progress.rows_done();
                (lines(&progress), rows, progress.parents)
            });
            JSON_EVERY
        } else if self.shown.elapsed() >= LINE_EVERY {
            say_aside(&line(&progress()));
            LINE_EVERY
        } else {
            return false;
        };
        let over = self.shown.elapsed() >= every;
        if over {
            self.shown = Instant::now();
        }
        over
    }

    /// Writes a remark that stays, above the live display.
    pub(super) fn say(&self, remark: &str) {
        self.clear();
        say_aside(remark);
    }

    /// Clears the live display.
    pub(super) fn clear(&self) {
        if let Some(live) = &self.live {
            live.clear();
        }
    }
}

/// Reports how far a job of this process is.
pub(super) struct Reporter<'a> {
    job: &'a Job,
    /// `None` with `--json`.
    display: Option<Display>,
    /// When the last event was printed.
    printed: Instant,
    /// Start of the time for which the busiest stage is shown.
    last: Snapshot,
    /// With `--json`, what was not printed yet.
    unprinted: Option<Snapshot>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(job: &'a Job, json: bool) -> Self {
        Self {
            job,
            display: (!json).then(Display::new),
            printed: Instant::now(),
            last: Snapshot::default(),
            unprinted: None,
        }
    }

    /// Takes a snapshot of the job, and shows it when it is time.
    pub(super) fn show(&mut self, snapshot: &Snapshot) {
        match &mut self.display {
            Some(display) => {
                if display.show(|| events::progress(self.job, &self.last, snapshot)) {
                    self.last = snapshot.clone();
                }
            }
            None if self.printed.elapsed() >= JSON_EVERY => {
                self.print(snapshot);
                (self.printed, self.unprinted) = (Instant::now(), None);
            }
            None => self.unprinted = Some(snapshot.clone()),
        }
    }

    /// Writes a remark above the live display; nothing where there is no live display.
    pub(super) fn say_live(&self, remark: &str) {
        let live = |display: &&Display| display.live.is_some();
        if let Some(display) = self.display.as_ref().filter(live) {
            display.say(remark);
        }
    }

    /// Clears the live display; with `--json`, prints the last progress.
    pub(super) fn finish(&self) {
        if let Some(display) = &self.display {
            display.clear();
        }
        if let Some(last) = &self.unprinted {
            self.print(last);
        }
    }

    fn print(&self, snapshot: &Snapshot) {
        let progress = events::progress(self.job, &Snapshot::default(), snapshot);
        say_event(&Event::Progress(Box::new(progress)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account::Counts,
        report::event::{RingProgress, Settling},
    };

    #[test]
    fn progress_is_shown_in_lines_and_in_one_line() {
        let mut progress = Progress {
            remaining_seconds: Some(185.2),
            parents: 20_000,
            counts: Counts {
                parents_read: 1_024,
                parents_rejected: 2,
                parents_capped: 1,
                products_made: 50_000,
                products_unique: 40_000,
                ..Counts::default()
            },
            products_per_second: 5_000,
            memory_bytes: 512 << 20,
            memory_budget_bytes: 1 << 30,
            ring: RingProgress {
                slots: 4,
                free: 1,
                workers_waiting: 0,
            },
            busiest: "chemistry (97 %)".into(),
            bytes_written: 3 << 20,
            parts: 2,
            ..Progress::default()
        };
        assert_eq!(
            lines(&progress),
            "1,024 of about 20,000 rows, 3 min 05 s left\n\
             products  50,000 made · 40,000 unique · 5,000/s · 3 rows rejected or capped\n\
             memory    512 MiB of 1 GiB · ring 3 of 4 slots busy\n\
             busiest   chemistry (97 %) · 3 MiB written in 2 parts"
        );
        assert_eq!(
            line(&progress),
            "1,024 of about 20,000 rows, 3 min 05 s left; 50,000 products, 40,000 unique, \
             5,000/s; 512 MiB of 1 GiB, ring 3/4; busiest chemistry (97 %)"
        );
        progress.settling = Some(Settling { done: 1, of: 4 });
        let settling = "settling: 25.0 % of the possible duplicates compared";
        assert_eq!(position(&progress), settling);
    }
}
