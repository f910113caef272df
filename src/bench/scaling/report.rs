//! The figures of a scaling run, and how they follow from what was measured.

use serde::Serialize;

use crate::{bench::measure::median, pipeline::SerialTimes};

/// How jobs become faster with threads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scaling {
    /// Where the molecules come from.
    pub input: String,
    /// Where the rules of the derive job come from.
    pub rules: String,
    /// Type of the file system on which the jobs wrote, for example `ext4`.
    pub file_system: String,
    /// How many times each job ran with each number of threads, in turns; the figures are medians.
    pub rounds: usize,
    /// Each job on each engine.
    pub jobs: Vec<JobScaling>,
}

/// A kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Derives products.
    Derive,
    /// Writes what such a job writes; its workers copy slots that were filled before, in place of the chemistry.
    NoChemistry,
    /// Deduplicates a SMILES file.
    DedupSmiles,
    /// Deduplicates the same rows from a Parquet file.
    DedupParquet,
}

impl JobKind {
    /// What the job is called in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Derive => "derive",
            Self::NoChemistry => "derive without chemistry",
            Self::DedupSmiles => "dedup from .smi",
            Self::DedupParquet => "dedup from Parquet",
        }
    }
}

/// A job at several numbers of threads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobScaling {
    /// The job.
    pub job: JobKind,
    /// The engine that ran.
    pub engine: String,
    /// Rows of the input.
    pub rows_read: u64,
    /// Rows that went through the sieve: products or molecules before deduplication. All rates are of these.
    pub rows: u64,
    /// Rows written.
    pub rows_written: u64,
    /// Bytes of the parts.
    pub bytes_written: u64,
    /// The figures, by number of threads.
    pub points: Vec<ScalingPoint>,
    /// What they mean, in a sentence for the largest number of threads.
    pub words: String,
}

/// The figures at one number of threads: medians over the rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScalingPoint {
    /// `--threads` of the job.
    pub threads: usize,
    /// Wall-clock time.
    pub seconds: f64,
    /// The wall-clock times of all rounds.
    pub seconds_of_rounds: Vec<f64>,
    /// Rows per second.
    pub rows_per_second: f64,
    /// The rate relative to that of the least number of threads.
    pub speed_up: f64,
    /// The speed-up relative to that of the threads; 1 is linear.
    pub share_of_linear: f64,
    /// CPU time of all threads of the process per row, in microseconds.
    pub cpu_us_per_row: f64,
    /// Processors in use, on average.
    pub processors_busy: f64,
    /// The parts that one thread at a time does.
    pub serial: Vec<SerialPart>,
    /// What is busy for the largest share of the time.
    pub limit: Limit,
    /// That share.
    pub limit_share: f64,
}

/// A part of the job that one thread at a time does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SerialPart {
    /// The part.
    pub part: Limit,
    /// CPU time of its thread per row, in microseconds. What the thread has a pool do is not counted.
    pub us_per_row: f64,
    /// That time as a share of the job's time.
    pub share_of_time: f64,
}

/// What can limit a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// All threads together: as much CPU time as the job's threads can use.
    Threads,
    /// Reading and decoding.
    Source,
    /// The thread of the sieve.
    Sieve,
    /// The thread of the sink.
    Sink,
    /// The thread that writes the log of the open part's rows.
    Log,
    /// Settling, which begins when all other parts have ended.
    Settle,
}

impl Limit {
    /// Its name in text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Source => "source",
            Self::Sieve => "sieve",
            Self::Sink => "sink",
            Self::Log => "log",
            Self::Settle => "settle",
        }
    }
}

/// The times of one run of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RunTimes {
    /// Wall-clock time.
    pub seconds: f64,
    /// CPU time of the process.
    pub cpu_seconds: f64,
    pub serial: SerialTimes,
}

/// A part that is busy for less than this share of the time does not limit the job alone.
const BUSY_SHARE: f64 = 0.8;

/// The figures of a job of `rows` rows at each number of threads, the least first.
pub(super) fn points(rows: u64, runs: &[(usize, Vec<RunTimes>)]) -> Vec<ScalingPoint> {
    let mut points: Vec<_> = runs
        .iter()
        .map(|(threads, runs)| ScalingPoint::new(*threads, rows, runs))
        .collect();
    if let Some(least) = points.first() {
        let (threads, rate) = (least.threads as f64, least.rows_per_second);
        for point in &mut points {
            point.speed_up = point.rows_per_second / rate;
            point.share_of_linear = point.speed_up / (point.threads as f64 / threads);
        }
    }
    points
}

impl ScalingPoint {
    fn new(threads: usize, rows: u64, runs: &[RunTimes]) -> Self {
        let of_runs = |time: fn(&RunTimes) -> f64| {
            let mut times: Vec<_> = runs.iter().map(time).collect();
            median(&mut times).max(f64::MIN_POSITIVE)
        };
        let (seconds, cpu) = (of_runs(|run| run.seconds), of_runs(|run| run.cpu_seconds));
        let us_per_row = |seconds: f64| 1e6 * seconds / rows.max(1) as f64;
        let part = |part, part_seconds: f64| SerialPart {
            part,
            us_per_row: us_per_row(part_seconds),
            share_of_time: part_seconds / seconds,
        };
        let serial = vec![
            part(Limit::Source, of_runs(|run| run.serial.source)),
            part(Limit::Sieve, of_runs(|run| run.serial.sieve)),
            part(Limit::Sink, of_runs(|run| run.serial.sink)),
            part(Limit::Log, of_runs(|run| run.serial.log)),
            part(Limit::Settle, of_runs(|run| run.serial.settle)),
        ];
        let processors_busy = cpu / seconds;
        let all = (Limit::Threads, processors_busy / threads as f64);
        let parts = serial.iter().map(|part| (part.part, part.share_of_time));
        let busiest = parts.fold(all, |most, part| if part.1 > most.1 { part } else { most });
        Self {
            threads,
            seconds,
            seconds_of_rounds: runs.iter().map(|run| run.seconds).collect(),
            rows_per_second: rows as f64 / seconds,
            speed_up: 1.0,
            share_of_linear: 1.0,
            cpu_us_per_row: us_per_row(cpu),
            processors_busy,
            serial,
            limit: busiest.0,
            limit_share: busiest.1,
        }
    }

    /// The busiest of the parts that one thread at a time does.
    fn busiest_part(&self) -> Option<&SerialPart> {
        let by_time = |a: &&SerialPart, b: &&SerialPart| a.us_per_row.total_cmp(&b.us_per_row);
        self.serial.iter().max_by(by_time)
    }
}

/// What the figures of a job mean, for the largest number of threads.
pub(super) fn words(points: &[ScalingPoint]) -> String {
    let (Some(least), Some(most)) = (points.first(), points.last()) else {
        return String::new();
    };
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let threads = |point: &ScalingPoint| match point.threads {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    };
    let mut words = match points.len() {
        1 => format!("With {}", threads(most)),
        _ => format!(
            "{} are {:.2} times as fast as {} ({} of linear). With {}",
            threads(most),
            most.speed_up,
            threads(least),
            percent(most.share_of_linear),
            threads(most)
        ),
    };
    let of_threads = most.processors_busy / most.threads as f64;
    words += &format!(
        ", all threads use {:.1} processors ({})",
        most.processors_busy,
        percent(of_threads)
    );
    if let Some(part) = most.busiest_part() {
        words += &format!(
            ". The busiest part that one thread does is the {}: {:.2} µs of CPU per row, {} of the time; \
             it alone allows {:.2} million rows/s",
            part.part.name(),
            part.us_per_row,
            percent(part.share_of_time),
            1.0 / part.us_per_row
        );
    }
    words += match most.limit {
        _ if most.limit_share < BUSY_SHARE => {
            ". Nothing is busy all the time: threads wait for each other or for the disk, or the job is short"
        }
        Limit::Threads => ". So the threads limit this job",
        _ => ". So this part limits the job",
    };
    words + "."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: f64, cpu_seconds: f64, sink: f64) -> RunTimes {
        RunTimes {
            seconds,
            cpu_seconds,
            serial: SerialTimes {
                source: 0.25,
                sieve: 0.5,
                sink,
                log: 0.25,
                settle: 0.125,
            },
        }
    }

    #[test]
    fn figures_are_medians_and_relative_to_the_least_number_of_threads() {
        let one = vec![run(9.0, 8.5, 1.0), run(8.0, 8.0, 1.0), run(7.0, 7.5, 1.0)];
        let four = vec![run(2.5, 9.0, 1.0); 2];
        let points = points(1_000_000, &[(1, one), (4, four)]);
        let [one, four] = points.try_into().unwrap();
        assert_eq!((one.seconds, one.rows_per_second), (8.0, 125_000.0));
        assert_eq!((one.speed_up, one.share_of_linear), (1.0, 1.0));
        assert_eq!((one.cpu_us_per_row, one.processors_busy), (8.0, 1.0));
        assert_eq!(one.seconds_of_rounds, [9.0, 8.0, 7.0]);
        assert_eq!((four.speed_up, four.share_of_linear), (3.2, 0.8));
        assert_eq!((four.cpu_us_per_row, four.processors_busy), (9.0, 3.6));
        let sink = four.serial[2];
        assert_eq!((sink.part, sink.us_per_row), (Limit::Sink, 1.0));
        assert_eq!(sink.share_of_time, 0.4);
        assert_eq!((four.limit, four.limit_share), (Limit::Threads, 0.9));
        // Four threads that are the least are no faster than themselves.
        let [alone] = super::points(10, &[(4, vec![run(1.0, 4.0, 0.1)])])
            .try_into()
            .unwrap();
        assert_eq!((alone.speed_up, alone.share_of_linear), (1.0, 1.0));
    }

    #[test]
    fn the_busiest_part_is_named() {
        let said = |seconds, cpu, sink| {
            let of_one = (1, vec![run(8.0, 8.0, sink)]);
            let points = points(1_000_000, &[of_one, (4, vec![run(seconds, cpu, sink)])]);
            (points[1].limit, words(&points))
        };
        let (limit, words) = said(2.0, 7.8, 1.0);
        assert_eq!(limit, Limit::Threads);
        assert_eq!(
            words,
            "4 threads are 4.00 times as fast as 1 thread (100 % of linear). With 4 threads, all threads use 3.9 \
             processors (98 %). The busiest part that one thread does is the sink: 1.00 µs of CPU per row, 50 % of \
             the time; it alone allows 1.00 million rows/s. So the threads limit this job."
        );
        let (limit, words) = said(2.0, 4.0, 1.9);
        assert_eq!(limit, Limit::Sink);
        assert!(words.ends_with("So this part limits the job."), "{words}");
        let (_, words) = said(4.0, 4.0, 1.9);
        assert!(words.contains("Nothing is busy all the time"), "{words}");
    }
}
