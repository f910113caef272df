//! The rates of jobs over the last polls: products that were made between two polls, per second.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crate::daemon::view::JobView;

/// Rates kept of a job, one of each poll.
pub(super) const RATES_MAX: usize = 240;
/// Shortest time between two counts that give a rate.
const SPAN_MIN: Duration = Duration::from_millis(150);

/// The rates of the jobs that have a process.
#[derive(Debug, Default)]
pub(super) struct Rates {
    jobs: BTreeMap<u64, Rate>,
}

#[derive(Debug)]
struct Rate {
    /// When products were counted last, and how many.
    counted: (Instant, u64),
    rates: VecDeque<u64>,
}

impl Rates {
    /// Takes a poll, and forgets jobs that are not in it.
    pub(super) fn take(&mut self, jobs: &[JobView], now: Instant) {
        let listed: Vec<u64> = jobs.iter().map(|job| job.id.0).collect();
        self.jobs.retain(|id, _| listed.contains(id));
        for job in jobs.iter().filter(|job| job.state.holds_process()) {
            let Some(progress) = &job.progress else {
                continue;
            };
            let made = progress.counts.products_made;
            let rate = self.jobs.entry(job.id.0).or_insert_with(|| Rate {
                counted: (now, made),
                rates: VecDeque::new(),
            });
            rate.count(made, now);
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
    fn count(&mut self, made: u64, now: Instant) {
        let (then, before) = self.counted;
        let span = now.saturating_duration_since(then);
        if span < SPAN_MIN {
            return;
        }
        // A process that resumes may begin with less than the last one had made.
        let more = made.saturating_sub(before);
        self.rates
            .push_back((more as f64 / span.as_secs_f64()) as u64);
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
        let begin = Instant::now();
        let at = |seconds: f64| begin + Duration::from_secs_f64(seconds);
        let with = |made| {
            let mut job = job(1, State::Running);
            job.progress = Some(Box::new(progress(made, 0, 10)));
            [job]
        };
        let mut rates = Rates::default();
        for (seconds, made) in [(0.0, 100), (1.0, 300), (1.01, 900), (3.0, 400), (4.0, 50)] {
            rates.take(&with(made), at(seconds));
        }
        assert_eq!(rates.of(1, 9), [200, 50, 0]);
        assert_eq!(rates.of(1, 2), [50, 0]);
        for poll in 0..2 * RATES_MAX {
            rates.take(&with(0), at(5.0 + poll as f64));
        }
        assert_eq!(rates.of(1, usize::MAX).len(), RATES_MAX);
        rates.take(&[], at(9999.0));
        assert!(rates.of(1, 9).is_empty());
    }
}
