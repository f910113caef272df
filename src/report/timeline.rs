//! How a job went over time: what it had made, and its memory.

use serde::{Deserialize, Serialize};

/// Most points of a timeline.
pub const POINTS_MAX: usize = 100;
/// Seconds between two points at first.
const INTERVAL_SECONDS: f64 = 0.1;

/// Points over the whole time of a job. Their distance doubles when there are too many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    interval_seconds: f64,
    points: Vec<TimelinePoint>,
}

/// A job at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimelinePoint {
    /// Time since the start, without that between attempts.
    pub seconds: f64,
    /// Rows of the input that were read and whose products were written or left out.
    pub parents: u64,
    /// Products made.
    pub products: u64,
    /// Rows written.
    pub unique: u64,
    /// Resident memory of the process.
    pub memory_bytes: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            interval_seconds: INTERVAL_SECONDS,
            points: Vec::new(),
        }
    }
}

impl Timeline {
    /// Whether it is time for a further point.
    pub fn is_due(&self, seconds: f64) -> bool {
        let last = self.points.last();
        last.is_none_or(|last| seconds >= last.seconds + self.interval_seconds)
    }

    /// Adds a point behind those that there are. One that is not later than the last one takes its place.
    pub fn add(&mut self, point: TimelinePoint) {
        while (self.points.last()).is_some_and(|last| last.seconds >= point.seconds) {
            self.points.pop();
        }
        self.points.push(point);
        if self.points.len() > POINTS_MAX {
            // The first and the last one stay.
            let mut number = self.points.len();
            self.points.retain(|_| {
                number -= 1;
                number.is_multiple_of(2)
            });
            self.interval_seconds *= 2.0;
        }
    }

    /// The points, from the first to the last.
    pub fn into_points(self) -> Vec<TimelinePoint> {
        self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> TimelinePoint {
        TimelinePoint {
            seconds,
            ..TimelinePoint::default()
        }
    }

    #[test]
    fn a_long_job_has_a_bounded_number_of_points_over_its_whole_time() {
        let mut timeline = Timeline::default();
        for tick in 0..1_000_000 {
            let seconds = f64::from(tick) * 0.1;
            if timeline.is_due(seconds) {
                timeline.add(at(seconds));
            }
        }
        let points = timeline.into_points();
        assert!((POINTS_MAX / 2..=POINTS_MAX).contains(&points.len()));
        assert_eq!(points[0].seconds, 0.0);
        assert!(points[points.len() - 1].seconds > 99_000.0);
        let gaps = points
            .windows(2)
            .map(|pair| pair[1].seconds - pair[0].seconds);
        let (least, most) = gaps.fold((f64::MAX, 0.0f64), |(least, most), gap| {
            (least.min(gap), most.max(gap))
        });
        assert!(most <= 2.5 * least, "{least} to {most}");
    }

    #[test]
    fn what_a_resumed_job_does_again_replaces_what_it_did() {
        let mut timeline = Timeline::default();
        for seconds in [0.0, 1.0, 2.0, 3.0] {
            timeline.add(at(seconds));
        }
        timeline.add(at(1.5));
        let seconds: Vec<_> = timeline
            .into_points()
            .iter()
            .map(|point| point.seconds)
            .collect();
        assert_eq!(seconds, [0.0, 1.0, 1.5]);
    }
}
