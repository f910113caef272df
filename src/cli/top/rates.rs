//! The rates of jobs over the last minutes: products that were made between two progress events, per second of the
//! job's own clock. So a poll between two events adds nothing.

use std::collections::{BTreeMap, VecDeque};

use crate::{daemon::view::JobView, report::event::Progress};

/// Rates kept of a job.
pub(super) const RATES_MAX: usize = 240;
/// Shortest time between two counts that give a rate, in seconds.
const SPAN_MIN: f64 = 0.9;

/// The rates of the jobs that have a process.
#[derive(Debug, Default)]
pub(super) struct Rates {
    jobs: BTreeMap<u64, Rate>,
}

#[derive(Debug)]
struct Rate {
    /// Seconds of the job's clock when products were counted last, and how many there were.
    counted: (f64, u64),
    rates: VecDeque<u64>,
}

impl Rates {
    /// Takes a poll, and forgets jobs that are not in it.
    pub(super) fn take(&mut self, jobs: &[JobView]) {
        let listed: Vec<u64> = jobs.iter().map(|job| job.id.0).collect();
        self.jobs.retain(|id, _| listed.contains(id));
        for job in jobs.iter().filter(|job| job.state.holds_process()) {
            let Some(progress) = &job.progress else {
                continue;
            };
            let begun = || Rate {
                counted: (progress.elapsed_seconds, progress.counts.products_made),
                rates: VecDeque::new(),
            };
            self.jobs
                .entry(job.id.0)
                .or_insert_with(begun)
                .count(progress);
        }
    }

    /// The rates of a job, the oldest first; at most the last `max`.
    pub(super) fn of(&self, id: u64, max: usize) -> Vec<u64> {
        let rates = self.jobs.get(&id).map(|rate| &rate.rates);
        rates.map_or_else(Vec::new, |rates| {
            let first = rates.len().saturating_sub(max);
            rates.iter().skip(first).copied().collect()
        })
    }
}

impl Rate {
    fn count(&mut self, progress: &Progress) {
        let (now, made) = (progress.elapsed_seconds, progress.counts.products_made);
        let (then, before) = self.counted;
        // A process that resumes may begin at an earlier time, with less than the last one had made.
        if now < then {
            self.counted = (now, made);
        }
        if now - then < SPAN_MIN {
            return;
        }
        let more = made.saturating_sub(before) as f64;
        self.rates.push_back((more / (now - then)) as u64);
        if self.rates.len() > RATES_MAX {
            self.rates.pop_front();
        }
        self.counted = (now, made);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::top::samples::{job, progress},
        daemon::job::State,
    };

    #[test]
    fn a_rate_is_the_difference_of_two_counts() {
        let at = |seconds: f64, made| {
            let mut job = job(1, State::Running);
            job.progress = Some(Box::new(Progress {
                elapsed_seconds: seconds,
                ..progress(made, 0, 10)
            }));
            [job]
        };
        let mut rates = Rates::default();
        for (seconds, made) in [
            (0.0, 100),
            (1.0, 300),
            (1.0, 300),
            (1.5, 900),
            (3.0, 400),
            (4.0, 50),
        ] {
            rates.take(&at(seconds, made));
        }
        assert_eq!(rates.of(1, 9), [200, 50, 0]);
        assert_eq!(rates.of(1, 2), [50, 0]);
        // A process that resumes.
        for (seconds, made) in [(2.0, 40), (3.0, 50)] {
            rates.take(&at(seconds, made));
        }
        assert_eq!(rates.of(1, 1), [10]);
        for poll in 0..2 * RATES_MAX {
            rates.take(&at(5.0 + poll as f64, 0));
        }
        assert_eq!(rates.of(1, usize::MAX).len(), RATES_MAX);
        rates.take(&[]);
        assert!(rates.of(1, 9).is_empty());
    }
}
