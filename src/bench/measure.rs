//! Timing: warm up, repeat, take the median.

use std::time::{Duration, Instant};

/// The time for each figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// The least time of all repeats of one figure together, in seconds.
    pub seconds: f64,
}

/// The least repeats of a figure, whatever time they take.
const REPEATS_MIN: usize = 5;
/// The most repeats: more do not change the median.
const REPEATS_MAX: usize = 10_000;
/// The approximate time of a repeat, so that neither the clock nor a call's fixed cost matters.
const REPEAT_SECONDS: f64 = 0.002;
/// Work that is not timed (new keys, empty filters) may take this many times the time of the repeats.
const UNTIMED_FACTOR: f64 = 4.0;
/// With less time than this a run only shows that everything works: slots are then as small as possible.
const TRIAL_SECONDS: f64 = 0.1;

impl Effort {
    /// Whether the time is too short for reliable figures.
    pub fn is_trial(self) -> bool {
        self.seconds < TRIAL_SECONDS
    }

    /// Times `step`, which takes a number of passes and returns their time. Repeats until the time is over and there are
    /// at least five repeats.
    pub(super) fn time<E>(
        self,
        passes_max: u32,
        step: &mut dyn FnMut(u32) -> Result<Duration, E>,
    ) -> Result<Timing, E> {
        step(1)?;
        let one = step(1)?.as_secs_f64().max(1e-9);
        let wanted = REPEAT_SECONDS.min(self.seconds / REPEATS_MIN as f64) / one;
        let passes = (wanted.ceil() as u32).clamp(1, passes_max.max(1));
        let (began, mut timed, mut repeats) = (Instant::now(), 0.0, Vec::new());
        let time_is_up = |timed: f64| {
            timed >= self.seconds || began.elapsed().as_secs_f64() >= UNTIMED_FACTOR * self.seconds
        };
        while repeats.len() < REPEATS_MIN || !(time_is_up(timed) || repeats.len() == REPEATS_MAX) {
            let seconds = step(passes)?.as_secs_f64().max(1e-9);
            timed += seconds;
            repeats.push(seconds / f64::from(passes));
        }
        Ok(Timing {
            repeats: repeats.len(),
            seconds: median(&mut repeats),
        })
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Timing {
    /// Seconds of one pass: the median of the repeats.
    pub seconds: f64,
    /// Repeats.
    pub repeats: usize,
}

/// The time that `work` takes.
pub(super) fn clocked<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed())
}

/// The median; for an even number of values the mean of the middle two, for none 0. Sorts the values.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(median(&mut []), 0.0);
        assert_eq!(median(&mut [3.0]), 3.0);
        assert_eq!(median(&mut [9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 100.0]), 3.5);
    }

    #[test]
    fn a_step_is_repeated_until_the_time_is_up() {
        let time = |seconds: f64, of_one: Duration, passes_max| {
            let (mut calls, mut most) = (0, 0);
            let mut step = |passes: u32| -> Result<Duration, ()> {
                calls += 1;
                most = most.max(passes);
                Ok(of_one * passes)
            };
            let timing = Effort { seconds }.time(passes_max, &mut step).unwrap();
            assert_eq!(calls, timing.repeats + 2, "two to warm up");
            assert!((timing.seconds - of_one.as_secs_f64()).abs() < 1e-9);
            (timing.repeats, most)
        };
        // Slow steps: five repeats of one pass.
        assert_eq!(time(0.1, Duration::from_secs(1), 100), (5, 1));
        // Repeats of two milliseconds, as many as fill the time.
        assert_eq!(time(1.0, Duration::from_micros(10), 1_000), (500, 200));
        // No more passes than may be.
        assert_eq!(time(1.0, Duration::from_millis(1), 1), (1_000, 1));
    }

    #[test]
    fn an_error_ends_it() {
        let failing = Effort { seconds: 1.0 }.time(1, &mut |_| Err("no"));
        assert_eq!(failing, Err("no"));
    }
}
