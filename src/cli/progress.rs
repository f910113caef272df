//! What a user sees while a job runs: a live display on a terminal, else a line every few seconds;
//! with `--json` one object a second.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{live::Live, report, say_event};
use crate::{
    machine,
    pipeline::{Job, Snapshot},
    units::{ByteSize, count, duration, percent},
};

/// Time between two lines where nobody watches live.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Time between two objects with `--json`.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// What is shown of a job that runs: plain figures, the same from a run in this process and from the
/// `progress` object of another one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// Rows that are through.
    pub rows: u64,
    /// Rows there are, as far as is known.
    pub rows_expected: u64,
    /// Whether they were counted.
    pub rows_exact: bool,
    /// Rows rejected or capped.
    pub rows_left_out: u64,
    /// Products made.
    pub products_made: u64,
    /// Distinct ones.
    pub products_unique: u64,
    /// Mean rate.
    pub products_per_second: u64,
    /// Time until the last row.
    pub remaining: Option<Duration>,
    /// Memory in use.
    pub memory_bytes: u64,
    /// Memory allowed.
    pub memory_budget_bytes: u64,
    /// Slots of the ring.
    pub slots: u64,
    /// Those that hold something.
    pub slots_busy: u64,
    /// The stage that is busiest.
    pub busiest: String,
    /// Bytes written.
    pub bytes_written: u64,
    /// Parts published.
    pub parts: u64,
    /// Keys and rows that settling has looked at, and how many it has to.
    pub settling: Option<(u64, u64)>,
}

impl Figures {
    /// Those of a job in this process. What was busiest is told of the time since `last`.
    fn of(job: &Job, last: &Snapshot, now: &Snapshot) -> Self {
        let (counts, estimate) = (&now.counts, &job.plan.estimate);
        Self {
            rows: counts.parents_read,
            rows_expected: estimate.parents,
            rows_exact: estimate.parents_exact,
            rows_left_out: counts.parents_rejected + counts.parents_capped,
            products_made: counts.products_made,
            products_unique: counts.products_unique,
            products_per_second: rate(now),
            remaining: remaining(job, now),
            memory_bytes: machine::memory_bytes(),
            memory_budget_bytes: job.spec.memory.0,
            slots: now.ring.slots as u64,
            slots_busy: (now.ring.slots - now.ring.free) as u64,
            busiest: bottleneck(job, last, now),
            bytes_written: now.bytes_written,
            parts: now.parts,
            settling: now.settled,
        }
    }

    /// Those of a `progress` object. What it does not tell is nothing.
    pub(super) fn of_event(event: &Value) -> Self {
        let number = |pointer: &str| {
            let value = event.pointer(pointer).and_then(Value::as_u64);
            value.unwrap_or_default()
        };
        let seconds = event["remaining_seconds"].as_f64();
        let settling = &event["settling"];
        Self {
            rows: number("/counts/parents_read"),
            rows_expected: number("/parents"),
            rows_exact: event["parents_exact"] == true,
            rows_left_out: number("/counts/parents_rejected") + number("/counts/parents_capped"),
            products_made: number("/counts/products_made"),
            products_unique: number("/counts/products_unique"),
            products_per_second: number("/products_per_second"),
            remaining: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            memory_bytes: number("/memory_bytes"),
            memory_budget_bytes: number("/memory_budget_bytes"),
            slots: number("/ring/slots"),
            slots_busy: number("/ring/slots").saturating_sub(number("/ring/free")),
            busiest: event["busiest"].as_str().unwrap_or_default().to_owned(),
            bytes_written: number("/bytes_written"),
            parts: number("/parts"),
            settling: settling
                .is_object()
                .then(|| (number("/settling/done"), number("/settling/of"))),
        }
    }

    /// Several lines for a terminal.
    fn live(&self) -> String {
        let left_out = match self.rows_left_out {
            0 => String::new(),
            n => format!(" · {} rows rejected or capped", count(n)),
        };
        format!(
            "{}\nproducts  {} made · {} unique · {}/s{left_out}\n\
             memory    {} of {} · ring {} of {} slots busy\n\
             busiest   {} · {} written in {} parts",
            self.position(),
            count(self.products_made),
            count(self.products_unique),
            count(self.products_per_second),
            ByteSize(self.memory_bytes),
            ByteSize(self.memory_budget_bytes),
            self.slots_busy,
            self.slots,
            self.busiest,
            ByteSize(self.bytes_written),
            self.parts,
        )
    }

    /// One line.
    fn line(&self) -> String {
        format!(
            "molsieve: {}; {} products, {} unique, {}/s; {} of {}, ring {}/{}; busiest {}",
            self.position(),
            count(self.products_made),
            count(self.products_unique),
            count(self.products_per_second),
            ByteSize(self.memory_bytes),
            ByteSize(self.memory_budget_bytes),
            self.slots_busy,
            self.slots,
            self.busiest,
        )
    }

    /// How far it is, and how long it will still take.
    pub(super) fn position(&self) -> String {
        if let Some((done, of)) = self.settling {
            return format!(
                "settling what the filter took for seen, {} done",
                percent(done, of)
            );
        }
        let about = if self.rows_exact { "" } else { "about " };
        let left = match self.remaining {
            Some(left) => format!(", {} left", duration(left)),
            None => String::new(),
        };
        format!(
            "{} of {about}{} rows{left}",
            count(self.rows),
            count(self.rows_expected)
        )
    }
}

/// Shows figures: a live display on a terminal, else a line from time to time.
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

    /// Shows what `figures` gives, if it is time. Says whether what is busiest is from now on to be told
    /// of a new stretch of time.
    pub(super) fn show(&mut self, figures: impl FnOnce() -> Figures) -> bool {
        let every = if let Some(live) = &self.live {
            live.show(|| {
                let figures = figures();
                (figures.live(), figures.rows, figures.rows_expected)
            });
            JSON_EVERY
        } else if self.shown.elapsed() >= LINE_EVERY {
            let _ = writeln!(std::io::stderr(), "{}", figures().line());
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

    /// Says a line that stays, above the live display.
    pub(super) fn say(&self, line: &str) {
        if let Some(live) = &self.live {
            live.clear();
        }
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// Clears the live display.
    pub(super) fn finish(&self) {
        if let Some(live) = &self.live {
            live.clear();
        }
    }
}

/// Shows where a job of this process stands.
pub(super) struct Reporter<'a> {
    job: &'a Job,
    /// None with `--json`.
    display: Option<Display>,
    /// When the last object was printed.
    printed: Instant,
    /// Where the stretch begins that what is busiest is told of.
    last: Snapshot,
    /// With `--json`, what is not yet printed.
    unsaid: Option<Snapshot>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(job: &'a Job, json: bool) -> Self {
        Self {
            job,
            display: (!json).then(Display::new),
            printed: Instant::now(),
            last: Snapshot::default(),
            unsaid: None,
        }
    }

    /// Takes note of where the job stands, and shows it when it is time.
    pub(super) fn show(&mut self, snapshot: &Snapshot) {
        match &mut self.display {
            Some(display) => {
                if display.show(|| Figures::of(self.job, &self.last, snapshot)) {
                    self.last = snapshot.clone();
                }
            }
            None if self.printed.elapsed() >= JSON_EVERY => {
                say_event(report::progress_json(self.job, snapshot));
                (self.printed, self.unsaid) = (Instant::now(), None);
            }
            None => self.unsaid = Some(snapshot.clone()),
        }
    }

    /// Says a line above the live display; nothing where nobody watches live.
    pub(super) fn say_live(&self, line: &str) {
        if let Some(display) = self
            .display
            .as_ref()
            .filter(|display| display.live.is_some())
        {
            display.say(line);
        }
    }

    /// Clears the live display; with `--json`, says where the job stood last.
    pub(super) fn finish(&self) {
        if let Some(display) = &self.display {
            display.finish();
        }
        if let Some(last) = &self.unsaid {
            say_event(report::progress_json(self.job, last));
        }
    }
}

/// Products made per second since the start.
pub(super) fn rate(now: &Snapshot) -> u64 {
    (now.counts.products_worked_out() as f64 / now.elapsed.as_secs_f64().max(1e-3)) as u64
}

/// Time until the last row, at the mean rate so far; unknown in the first seconds.
pub(super) fn remaining(job: &Job, now: &Snapshot) -> Option<Duration> {
    let done = now.counts.parents_read;
    let left = job.plan.estimate.parents.checked_sub(done)?;
    if done == 0 || left == 0 || now.elapsed < Duration::from_secs(2) {
        return None;
    }
    Some(now.elapsed.mul_f64(left as f64 / done as f64))
}

/// The stage that was busiest between two snapshots, with its share of the time it could have used.
pub(super) fn bottleneck(job: &Job, before: &Snapshot, now: &Snapshot) -> String {
    let wall = (now.elapsed - before.elapsed).as_secs_f64().max(1e-3);
    let share = |stage: fn(&crate::pipeline::Stages) -> f64, threads: usize| {
        (stage(&now.stages) - stage(&before.stages)) / wall / threads as f64
    };
    let shares = [
        ("chemistry", share(|s| s.chemistry, job.plan.threads)),
        ("source", share(|s| s.source, 1)),
        ("sieve", share(|s| s.sieve, 1)),
        ("sink", share(|s| s.sink, 1)),
        ("settle", share(|s| s.settle, 1)),
    ];
    let busiest = shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
    busiest.map_or_else(String::new, |(name, share)| {
        format!("{name} ({:.0} %)", 100.0 * share.min(1.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_is_shown_as_this_one_would_be() {
        let event = serde_json::json!({
            "event": "progress", "elapsed_seconds": 10.0, "remaining_seconds": 185.2,
            "rows_read": 1100, "parents": 20_000, "parents_exact": false,
            "counts": { "parents_read": 1_024, "parents_rejected": 2, "parents_capped": 1,
                        "products_made": 50_000, "products_unique": 40_000 },
            "products_per_second": 5_000, "memory_bytes": 512 << 20, "memory_budget_bytes": 1 << 30,
            "ring": { "slots": 4, "free": 1, "workers_waiting": 0 },
            "busiest": "chemistry (97 %)", "bytes_written": 3 << 20, "parts": 2, "settling": null,
        });
        let figures = Figures::of_event(&event);
        assert_eq!(
            figures.live(),
            "1,024 of about 20,000 rows, 3 min 05 s left\n\
             products  50,000 made · 40,000 unique · 5,000/s · 3 rows rejected or capped\n\
             memory    512 MiB of 1 GiB · ring 3 of 4 slots busy\n\
             busiest   chemistry (97 %) · 3 MiB written in 2 parts"
        );
        assert_eq!(
            figures.line(),
            "molsieve: 1,024 of about 20,000 rows, 3 min 05 s left; 50,000 products, 40,000 unique, \
             5,000/s; 512 MiB of 1 GiB, ring 3/4; busiest chemistry (97 %)"
        );
        let settling = serde_json::json!({ "settling": { "done": 1, "of": 4 } });
        let position = Figures::of_event(&settling).position();
        assert_eq!(
            position,
            "settling what the filter took for seen, 25.0 % done"
        );
    }
}
