//! Ctrl-C and SIGTERM: a job stops soon, at a checkpoint, and can be resumed.

use std::time::{Duration, Instant};

use crate::kit::{
    Folder, Molsieve, Running, alone,
    library::{THREE_RULES, rule_file, shipped_library, shipped_rules},
    output::{self, assert_complete, read_parquet},
    wait_until,
};
use arrow::array::RecordBatch;
use molsieve::store::sealed::{self, Kind};
use rustix::process::Signal;
use serde_json::Value;

/// The sealed file that a stopped job leaves.
const CHECKPOINT: Kind = Kind {
    name: "checkpoint",
    version: 6,
};

/// Time limit for a job to stop.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// Starts a job that runs for minutes: the shipped library, many times over, under all rules.
fn start_long_job(folder: &Folder) -> Running {
    let table = std::fs::read_to_string(shipped_library()).unwrap();
    let (_, rows) = table.split_once('\n').unwrap();
    let input = folder.write("long.csv", format!("{table}{}", rows.repeat(60)));
    Molsieve::new("run --part-size 64KiB --slot-size 512KiB --memory 256MiB --threads 2")
        .input(input)
        .rules(shipped_rules())
        .output(folder.out())
        .start()
}

fn stops_cleanly_on(signal: Signal) {
    let _alone = alone();
    let folder = Folder::new();
    let job = start_long_job(&folder);
    wait_until("two parts", || output::parts(&folder.out()).len() >= 2);
    job.signal(signal);
    let signalled = Instant::now();
    let run = job.wait(STOP_TIME_MAX).ends_with(75);
    assert!(signalled.elapsed() < STOP_TIME_MAX);

    let parts = output::parts(&folder.out());
    let rows: usize = parts
        .iter()
        .flat_map(|part| read_parquet(part).1)
        .map(|batch: RecordBatch| batch.num_rows())
        .sum();
    assert!(rows > 0);
    let line = run.one_line();
    assert!(
        line.starts_with("molsieve: stopped at a checkpoint"),
        "{line}"
    );
    // The rows of an unfinished part are kept too, but are in no file yet.
    let checkpoint = std::fs::read(folder.out().join(".molsieve/checkpoint")).unwrap();
    let checkpoint: Value = sealed::decode(CHECKPOINT, &checkpoint).unwrap();
    let unfinished = checkpoint["part_rows"]["items"].as_u64().unwrap() as usize;
    let kept = rows + unfinished;
    let rows_told = line.replace(',', "").contains(&format!(" {kept} rows"));
    assert!(rows_told, "{rows} + {unfinished} rows: {line}");
    assert_eq!(line.contains("unfinished"), unfinished > 0, "{line}");
    let parts_told = line.contains(&format!(" {} parts", parts.len()));
    assert!(parts_told && line.contains("--resume"), "{line}");
    let others: Vec<String> = output::names(&folder.out())
        .into_iter()
        .filter(|name| name != "products")
        .collect();
    assert_eq!(others, [".molsieve", "job.toml"], "no manifest");
    let unfinished = output::names(&folder.out().join(".molsieve"));
    let expected = [
        "checkpoint",
        "in-work",
        "job",
        "keys",
        "lock",
        "maybe-keys",
        "maybe-rows",
        "part-rows",
        "rejects",
    ];
    assert_eq!(unfinished, expected, "no stray file");
}

#[test]
fn ctrl_c_stops_at_a_checkpoint() {
    stops_cleanly_on(Signal::INT);
}

#[test]
fn sigterm_stops_at_a_checkpoint() {
    stops_cleanly_on(Signal::TERM);
}

/// A job in planning has changed nothing and ends at once.
#[test]
fn a_job_in_planning_stops_at_once() {
    let _alone = alone();
    let folder = Folder::new();
    let job = start_long_job(&folder);
    wait_until("the process that tries the sample", || job.has_child());
    job.signal(Signal::TERM);
    job.wait(Duration::from_secs(1)).ends_with(75);
    assert!(!folder.out().join(".molsieve").exists());
}

#[test]
fn stopping_a_job_leaves_another_job_running() {
    let _alone = alone();
    let (stopped, other) = (Folder::new(), Folder::new());
    let mut beside = Molsieve::new("run --memory 256MiB --threads 1")
        .input(shipped_library())
        .rules(shipped_rules())
        .output(other.out())
        .start();
    let job = start_long_job(&stopped);
    wait_until("a part", || !output::parts(&stopped.out()).is_empty());
    assert!(beside.is_running(), "too quick to be disturbed");
    job.signal(Signal::INT);
    job.wait(STOP_TIME_MAX).ends_with(75);
    beside.wait(Duration::from_secs(60)).ends_with(0);
    assert_complete(&other.out());
}

#[test]
fn a_stopped_job_can_be_started_again() {
    let _alone = alone();
    let folder = Folder::new();
    let job = start_long_job(&folder);
    wait_until("a part", || !output::parts(&folder.out()).is_empty());
    job.signal(Signal::TERM);
    job.wait(STOP_TIME_MAX).ends_with(75);
    let input = folder.write("a.smi", "Oc1ccccc1 phenol\n");
    let again = |flags: &str| {
        Molsieve::new(flags)
            .input(&input)
            .rules(rule_file(&folder, &THREE_RULES))
            .output(folder.out())
            .run()
    };
    again("run").refuses(2, &["unfinished run", "--resume", "--overwrite"]);
    again("run --resume").refuses(2, &["not the run that was begun"]);
    again("run --overwrite").ends_with(0);
    assert_complete(&folder.out());
}

/// The rows from standard input are kept for the resumed run, and the message says so.
#[test]
fn a_stopped_job_that_reads_standard_input_can_be_resumed() {
    let _alone = alone();
    let folder = Folder::new();
    let table = std::fs::read_to_string(shipped_library()).unwrap();
    let (_, rows) = table.split_once('\n').unwrap();
    let input = folder.write("long.csv", format!("{table}{}", rows.repeat(3)));
    let rules = rule_file(&folder, &THREE_RULES);
    let expected = folder.path("expected");
    let flags = "run --part-size 64KiB --slot-size 512KiB --memory 256MiB --threads 2";
    Molsieve::new(flags)
        .input(&input)
        .rules(&rules)
        .output(&expected)
        .run()
        .ends_with(0);
    let job = Molsieve::new(flags)
        .args("--input -")
        .rules(&rules)
        .output(folder.out())
        .standard_input(&input)
        .start();
    wait_until("a part", || !output::parts(&folder.out()).is_empty());
    job.signal(Signal::INT);
    let run = job.wait(STOP_TIME_MAX).ends_with(75);
    assert!(
        run.stderr
            .contains("out.stdin.smi holds the copy of standard input"),
        "{run:?}"
    );
    let run = Molsieve::new("run --resume")
        .output(folder.out())
        .run()
        .ends_with(0);
    assert!(
        run.stderr.contains("out.stdin.smi is no longer needed"),
        "{run:?}"
    );
    assert_eq!(
        output::part_bytes(&folder.out()),
        output::part_bytes(&expected)
    );
}
