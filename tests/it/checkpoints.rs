//! Checkpoints of jobs that never fill a part: by time and on a stop request. The rows that the sink has taken are kept,
//! and a resumed run ends with the bytes of an uninterrupted one. Kills at random times are in `tests/it/kill.rs`.

use std::{fs, path::Path, thread, time::Duration};

use crate::kit::{
    Folder, Molsieve, Running,
    library::{THREE_RULES, rule_file, shipped_library, shipped_rules, smiles_lines},
    output::{self, Made, manifest},
    wait_until,
};
use rustix::process::Signal;
use serde_json::Value;

/// A command line, given its output directory.
type Job<'a> = &'a dyn Fn(&Path) -> Molsieve;

/// The JSON of the last checkpoint.
fn checkpoint(out: &Path) -> Value {
    let file = fs::read(out.join(".molsieve/checkpoint")).unwrap();
    let json = file.splitn(3, |byte| *byte == b'\n').nth(2).unwrap();
    serde_json::from_slice(json).unwrap()
}

/// Bytes of the rows of the current part.
fn part_rows_bytes(out: &Path) -> u64 {
    let file = out.join(".molsieve/part-rows").metadata();
    file.map_or(0, |file| file.len())
}

/// The number before `what` in a line.
fn number_before(line: &str, what: &str) -> u64 {
    let (front, _) = line
        .split_once(what)
        .unwrap_or_else(|| panic!("{what}: {line}"));
    let digits = front.rsplit(' ').next().unwrap().replace(',', "");
    digits.parse().unwrap_or_else(|_| panic!("{what}: {line}"))
}

/// Interrupts a run once the current part has grown by `bytes`; returns the number of rows that the run reports as
/// kept.
fn interrupt(running: Running, out: &Path, bytes: u64) -> u64 {
    let before = part_rows_bytes(out);
    wait_until("rows", || part_rows_bytes(out) > before + bytes);
    let seen = part_rows_bytes(out);
    running.signal(Signal::INT);
    let run = running.wait(Duration::from_secs(20)).ends_with(75);
    let line = run.one_line();
    let kept = checkpoint(out);
    assert!(
        kept["part_rows"]["bytes"].as_u64().unwrap() >= seen,
        "{line}: {kept}"
    );
    let rows = number_before(line, " rows in an unfinished part");
    assert_eq!(kept["part_rows"]["items"], rows, "{line}");
    assert!(output::parts(out).is_empty(), "no part is closed for it");
    rows
}

/// Interrupts and resumes a job twice; fails unless the rows are kept and the files are those of an uninterrupted job.
#[track_caller]
fn keeps_what_was_written(folder: &Folder, job: Job<'_>, bytes: u64) {
    let (whole, out) = (folder.path("whole"), folder.out());
    let code = job(&whole).run().code.unwrap();
    let expected = Made::at(&whole);
    let first = interrupt(job(&out).start(), &out, bytes);
    let second = interrupt(job(&out).args("--resume").start(), &out, bytes);
    assert!(second > first && first > 0, "{first}, then {second}");
    job(&out).args("--resume").run().ends_with(code);
    assert!(Made::at(&out) == expected, "other files");
    assert_eq!(manifest(&out)["interruptions"], 2);
}

fn shipped(flags: &str) -> Molsieve {
    Molsieve::new("run --memory 256MiB --threads 2 --slot-size 512KiB --engine cpu")
        .args(flags)
        .input(shipped_library())
        .rules(shipped_rules())
}

#[test]
fn ctrl_c_keeps_the_rows_of_an_unfinished_part() {
    let folder = Folder::new();
    keeps_what_was_written(&folder, &|out| shipped("").output(out), 200_000);
}

#[test]
fn a_checkpoint_keeps_properties() {
    let folder = Folder::new();
    let job = |out: &Path| shipped("--properties").output(out);
    keeps_what_was_written(&folder, &job, 200_000);
}

#[test]
fn a_checkpoint_keeps_rows_with_dedup_bloom_and_with_exclude() {
    let folder = Folder::new();
    let earlier = folder.path("earlier");
    Molsieve::new("run --memory 256MiB")
        .input(folder.write("some.smi", smiles_lines(100)))
        .rules(shipped_rules())
        .output(&earlier)
        .run()
        .ends_with(0);
    let flags = format!(
        "--dedup bloom --false-positive-rate 0.1 --exclude {}",
        earlier.display()
    );
    let job = |out: &Path| shipped(&flags).output(out);
    keeps_what_was_written(&folder, &job, 100_000);
}

#[test]
fn a_checkpoint_keeps_rows_of_dedup_canonical() {
    let folder = Folder::new();
    let chains = (1..60_000).map(|i| {
        let digits = format!("{i:o}");
        let atoms = digits.bytes().map(|digit| {
            ["C", "N", "O", "CC", "CN", "S", "C(F)", "C(=O)"][usize::from(digit - b'0')]
        });
        format!("F{}Cl {i}\n", atoms.collect::<String>())
    });
    let input = folder.write("chains.smi", chains.collect::<String>());
    let job = |out: &Path| {
        Molsieve::new("dedup --canonical --memory 256MiB --threads 2 --engine cpu")
            .input(&input)
            .output(out)
    };
    keeps_what_was_written(&folder, &job, 200_000);
}

/// Some batches of this job take several slots: a checkpoint within a batch refers to the start of the batch.
#[test]
fn a_batch_of_several_slots_is_kept_completely_or_not_at_all() {
    let folder = Folder::new();
    let chain = |i: usize| format!("N{}O{}Br chain-{i}\n", "C".repeat(3 + i), "C".repeat(220));
    let input = folder.write("long.smi", (0..3).map(chain).collect::<String>());
    let groups = ["F", "Cl", "Br", "I", "N", "O", "S", "C#N", "P", "C=O"];
    let rules = groups.map(|group| (group, format!("[CH2:1]>>[CH:1]{group}")));
    let rules = rules
        .each_ref()
        .map(|(name, smirks)| (*name, smirks.as_str()));
    let rules = rule_file(&folder, &rules);
    let job = |out: &Path| {
        Molsieve::new("run --memory 256MiB --threads 2 --slot-size 512KiB --engine cpu")
            .env("MOLSIEVE_CHECKPOINT_SECONDS", "0.02")
            .input(&input)
            .rules(&rules)
            .output(out)
    };
    let (whole, out) = (folder.path("whole"), folder.out());
    job(&whole).run().ends_with(0);
    let expected = Made::at(&whole);
    // Stops as soon as there are more rows, so also in the middle of a batch.
    for _ in 0..3 {
        let before = part_rows_bytes(&out);
        let mut running = job(&out).args("--resume").start();
        wait_until("rows", || {
            part_rows_bytes(&out) > before || !running.is_running()
        });
        running.signal(Signal::TERM);
        if running.wait(Duration::from_secs(20)).code == Some(0) {
            break;
        }
    }
    job(&out).args("--resume").run().ends_with(0);
    assert!(Made::at(&out) == expected, "other files");
}

#[test]
fn a_crash_costs_the_time_since_the_last_checkpoint() {
    let folder = Folder::new();
    let job = |out: &Path| shipped("--chemistry reference").output(out);
    let whole = folder.path("whole");
    job(&whole).run().ends_with(0);
    let expected = Made::at(&whole);
    let out = folder.out();
    let mut kept_before = 0;
    for round in 0..3 {
        let began = std::time::Instant::now();
        let mut running = job(&out)
            .args("--resume")
            .env("MOLSIEVE_CHECKPOINT_SECONDS", "0.1")
            .start();
        let before = part_rows_bytes(&out);
        wait_until("rows", || part_rows_bytes(&out) > before + 100_000);
        thread::sleep(Duration::from_millis(400));
        assert!(running.kill(), "it had ended after {:?}", began.elapsed());
        let kept = checkpoint(&out);
        let rows = kept["part_rows"]["items"].as_u64().unwrap();
        assert!(rows > kept_before, "round {round}: {kept}");
        kept_before = rows;
    }
    job(&out).args("--resume").run().ends_with(0);
    assert!(Made::at(&out) == expected, "other files");
}

/// A resumed run does not settle again the rows that were settled and written before.
#[test]
fn settling_resumes_where_it_stopped() {
    let folder = Folder::new();
    let rules = rule_file(&folder, &THREE_RULES);
    let input = folder.write("a.smi", smiles_lines(600).repeat(2));
    let job = |out: &Path| {
        Molsieve::new("run --memory 256MiB --threads 2 --false-positive-rate 0.5 --engine cpu")
            .args("--expected-products 1")
            .env("MOLSIEVE_CHECKPOINT_SECONDS", "0.001")
            .input(&input)
            .rules(&rules)
            .output(out)
    };
    let whole = folder.path("whole");
    job(&whole).run().ends_with(0);
    let expected = Made::at(&whole);
    let out = folder.out();
    let mut running = job(&out).start();
    let survivors = out.join(".molsieve/survivors");
    wait_until("the decision", || survivors.exists());
    let decided = running.kill();
    let left = output::names(&out.join(".molsieve"));
    job(&out).args("--resume").run().ends_with(0);
    assert!(Made::at(&out) == expected, "other files");
    assert!(
        decided && left.iter().any(|name| name == "survivors"),
        "{left:?}"
    );
}
