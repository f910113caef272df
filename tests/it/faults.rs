//! Fault injection: each call site of the file system fails once. The job either ends with a clear error and can be
//! resumed, or completes; it never writes a wrong file.
//!
//! Built only with the feature `failpoints`; see `src/faults.rs`.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
    thread,
    time::Duration,
};

use crate::kit::{
    Molsieve, Run,
    library::{SmallJob, shipped_molecules, smiles_lines},
    output::{self, Made, Row, assert_complete, manifest},
    report, skip_engine, wait_until,
};
use molsieve::sieve::wgpu;
use rustix::process::Signal;

/// A job with every molecule once, and the SMILES of one molecule outside the planning sample.
fn with_poison() -> (SmallJob, String) {
    let mut small = SmallJob::new();
    let once = format!("{}C1CC broken\n", smiles_lines(200));
    small.input = small.folder.write("once.smi", once);
    let smiles = shipped_molecules(POISON_ROW + 1).swap_remove(POISON_ROW).1;
    (small, smiles)
}

/// The number of call sites, and the first, middle and last call of each. A site is an operation and a file name without
/// digits.
fn calls_to_fail(log: &str) -> (usize, Vec<u64>) {
    let mut sites: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (i, line) in log.lines().enumerate() {
        let site = line.replace(|c: char| c.is_ascii_digit(), "");
        sites.entry(site).or_default().push(i as u64 + 1);
    }
    let chosen = |calls: &Vec<u64>| [calls[0], calls[calls.len() / 2], calls[calls.len() - 1]];
    let mut calls: Vec<u64> = sites.values().flat_map(chosen).collect();
    calls.sort_unstable();
    calls.dedup();
    (sites.len(), calls)
}

/// Fails unless the run completed, or ended with one clear line.
fn assert_ended_clearly(run: &Run, call: u64, kind: &str) {
    match run.code {
        Some(4) => {}
        Some(1) => {
            let line = run.one_line();
            let clear = ["no space left", "input/output error", "damaged"];
            assert!(
                clear.iter().any(|words| line.contains(words)),
                "call {call} {kind}: {line}"
            );
        }
        code => panic!("call {call} {kind}: exit code {code:?}: {}", run.stderr),
    }
}

#[test]
fn every_call_to_the_file_system_may_fail_slow() {
    let material = SmallJob::new();
    fail_at_every_site(
        &material,
        &|out| material.run(out),
        &["eio", "enospc", "short"],
    );
}

/// The same for a job that never fills a part and takes checkpoints by time.
#[test]
fn every_call_may_fail_in_a_job_that_never_fills_a_part_slow() {
    let material = SmallJob::new();
    let job = |out: &Path| {
        Molsieve::new("run --resume --threads 2 --slot-size 512KiB --memory 256MiB")
            .args("--false-positive-rate 0.5 --engine cpu")
            .env("MOLSIEVE_CHECKPOINT_SECONDS", "0.001")
            .input(&material.input)
            .rules(&material.rules)
            .output(out)
    };
    fail_at_every_site(&material, &job, &["enospc", "short"]);
}

/// The same for a job of several steps, which reads its own parts.
#[test]
fn every_call_may_fail_in_a_job_of_several_steps_slow() {
    let (material, job) = with_steps("--engine cpu --memory 256MiB");
    fail_at_every_site(&material, &job, &["eio"]);
}

/// A job of several steps.
fn with_steps(flags: &'static str) -> (SmallJob, impl Fn(&Path) -> Molsieve) {
    let mut material = SmallJob::new();
    let lines = format!("{}C1CC broken\n", smiles_lines(60));
    material.input = material.folder.write("few.smi", lines);
    let (input, rules) = (material.input.clone(), material.rules.clone());
    let job = move |out: &Path| {
        Molsieve::new("run --resume --threads 2 --steps 2 --new-only --false-positive-rate 0.5")
            .args("--part-size 64KiB --slot-size 512KiB")
            .args(flags)
            .input(&input)
            .rules(&rules)
            .output(out)
    };
    (material, job)
}

fn fail_at_every_site(material: &SmallJob, job: &dyn Fn(&Path) -> Molsieve, kinds: &[&str]) {
    let whole = material.folder.path("whole");
    let log = material.folder.path("log");
    job(&whole)
        .env("MOLSIEVE_FAULT_LOG", &log)
        .run()
        .ends_with(4);
    let expected = Made::at(&whole);
    let (sites, calls) = calls_to_fail(&fs::read_to_string(&log).unwrap());
    assert!(sites > 20, "{sites}");
    let (mut failed, mut completed) = (0, 0);
    for kind in kinds {
        for &call in &calls {
            let out = material.folder.path("out");
            let run = job(&out)
                .env("MOLSIEVE_FAULT_AT", call.to_string())
                .env("MOLSIEVE_FAULT_KIND", kind)
                .run();
            assert_ended_clearly(&run, call, kind);
            if run.code == Some(4) {
                completed += 1;
            } else {
                failed += 1;
            }
            let end = job(&out).run();
            assert_eq!(end.code, Some(4), "call {call} {kind}: {}", end.stderr);
            assert!(
                Made::at(&out) == expected,
                "call {call} {kind}: other files"
            );
            fs::remove_dir_all(&out).unwrap();
        }
    }
    let runs = calls.len() * kinds.len();
    assert!(failed > runs / 3, "{failed} of {runs} runs failed");
    report(&format!(
        "{sites} sites, {runs} faults: {failed} ended the run, {completed} did not; all were resumed"
    ));
}

/// The device is lost at any call: the job continues on the cpu engine and writes the same files.
#[test]
fn a_device_may_be_lost_at_any_call() {
    let material = SmallJob::new();
    lose_at_every_call(&material, 12, |out| {
        material.run_within("768MiB", out).args("--engine wgpu")
    });
}

/// The same in a job of several steps, each of which opens the device again.
#[test]
fn a_device_may_be_lost_in_any_step() {
    let (material, job) = with_steps("--engine wgpu --memory 768MiB");
    lose_at_every_call(&material, 12, job);
}

/// The same where the device also computes keys.
#[test]
fn a_device_that_computes_keys_may_be_lost_at_any_call() {
    let material = SmallJob::new();
    lose_at_every_call(&material, 8, |out| {
        let flags = "dedup --resume --memory 768MiB --threads 2 --engine wgpu";
        Molsieve::new(flags).input(&material.input).output(out)
    });
}

fn lose_at_every_call(material: &SmallJob, calls_min: usize, job: impl Fn(&Path) -> Molsieve) {
    if wgpu::adapters().is_empty() {
        return skip_engine("wgpu", "no device here");
    }
    let job = |out: &Path| {
        let job = job(out).env("MOLSIEVE_ADAPTER", "0");
        job.env("XDG_RUNTIME_DIR", material.folder.path("."))
    };
    let (whole, log) = (material.folder.path("whole"), material.folder.path("log"));
    let end = job(&whole).env("MOLSIEVE_DEVICE_FAULT_LOG", &log).run();
    end.ends_with(4);
    assert_eq!(manifest(&whole)["engine"], "wgpu");
    let expected = Made::at(&whole);
    let (_, calls) = calls_to_fail(&fs::read_to_string(&log).unwrap());
    assert!(calls.len() > calls_min, "{calls:?}");
    for call in &calls {
        let out = material.folder.path("out");
        let lost = job(&out).env("MOLSIEVE_DEVICE_FAULT_AT", call.to_string());
        let end = lost.run();
        assert_eq!(end.code, Some(4), "call {call}: {}", end.stderr);
        assert!(
            end.stderr.contains("continues on the engine cpu"),
            "{}",
            end.stderr
        );
        assert!(Made::at(&out) == expected, "call {call}: other files");
        let manifest = manifest(&out);
        assert_eq!(manifest["engine"], "cpu", "call {call}");
        let why = manifest["engine_lost"].as_str().unwrap();
        assert!(why.contains("on purpose"), "{why}");
        assert_eq!(manifest["interruptions"], 0);
        fs::remove_dir_all(&out).unwrap();
    }
    let calls = calls.len();
    report(&format!(
        "a device was lost at {calls} calls; each job ended on the cpu"
    ));
}

/// A fault that a parent triggers, and its expected result.
struct Poison {
    variable: &'static str,
    /// Number of automatic resumptions.
    resumed: u64,
    /// Text in the reason of the reject.
    reason: &'static str,
    /// Its code in the rejects.
    code: &'static str,
}

const POISON_ROW: usize = 37;

const POISONS: [Poison; 3] = [
    Poison {
        variable: "MOLSIEVE_ABORT_ON",
        resumed: 1,
        reason: "RDKit crashed on it",
        code: "crash",
    },
    Poison {
        variable: "MOLSIEVE_HANG_ON",
        resumed: 1,
        reason: "longer than --parent-timeout 2",
        code: "timeout",
    },
    Poison {
        variable: "MOLSIEVE_FAIL_ON",
        resumed: 0,
        reason: "RDKit failed: on purpose",
        code: "rdkit",
    },
];

/// A parent on which RDKit crashes or hangs is rejected after one resumption; one on which RDKit fails, without any. The
/// job continues by itself and makes all other products.
#[test]
fn a_parent_that_kills_or_hangs_the_process_is_rejected() {
    let (material, poison) = with_poison();
    let whole = material.folder.path("whole");
    material.run(&whole).run().ends_with(4);
    let expected = output::rows(&whole);
    for Poison {
        variable,
        resumed,
        reason,
        code,
    } in POISONS
    {
        let out = material.folder.path(variable);
        let job = material.run(&out).args("--parent-timeout 2");
        let job = job.args("--expected-products 5000").env(variable, &poison);
        job.run().ends_with(4);
        assert_complete(&out);
        assert_eq!(manifest(&out)["interruptions"], resumed, "{variable}");
        let rejects = output::rejects(&out);
        assert_eq!(rejects.len(), 2, "{rejects:?}");
        assert_eq!(
            (rejects[0].row, &*rejects[0].text),
            (POISON_ROW as u64, &*poison)
        );
        assert!(rejects[0].reason.contains(reason), "{:?}", rejects[0]);
        assert_eq!(rejects[0].code, code);
        assert_only_missing(&expected, &output::rows(&out), &[poison.as_str()]);
    }
}

/// Several parents hang or crash in one job: it completes by itself and rejects all of them.
#[test]
fn several_parents_that_kill_or_hang_are_rejected_in_one_job() {
    let material = SmallJob::new();
    // Shipped molecules that begin with a methyl group, which is extended to ever longer chains: every parent differs
    // and has products of its own.
    let shipped: Vec<String> = shipped_molecules(600)
        .into_iter()
        .map(|(_, smiles)| smiles)
        .filter(|smiles| smiles.starts_with("CC") || smiles.starts_with("CO"))
        .collect();
    let molecules: Vec<String> = (0..5000)
        .map(|i| "C".repeat(i / shipped.len()) + &shipped[i % shipped.len()])
        .collect();
    let input = material
        .folder
        .write("many.smi", molecules.join("\n") + "\n");
    let job = |out: &Path| {
        Molsieve::new("run --memory 256MiB --threads 2 --part-size 64KiB --slot-size 512KiB")
            .args("--parent-timeout 1")
            .input(&input)
            .rules(&material.rules)
            .output(out)
    };
    let whole = material.folder.path("whole");
    let end = job(&whole).run();
    assert!(matches!(end.code, Some(0 | 4)), "{}", end.stderr);
    let smiles = |row: usize| molecules[row].as_str();
    let hang = [1200, 1201, 3000].map(smiles);
    let crash = [40, 4100].map(smiles);
    let out = material.folder.out();
    job(&out)
        .env("MOLSIEVE_HANG_ON", hang.join(" "))
        .env("MOLSIEVE_ABORT_ON", crash.join(" "))
        .run()
        .ends_with(4);
    assert_complete(&out);
    let before = output::rejects(&whole).len();
    let rejects = output::rejects(&out);
    let poisons = [hang.as_slice(), crash.as_slice()].concat();
    let poisoned = rejects.iter().filter(|row| poisons.contains(&&*row.text));
    assert!(poisoned.count() >= 5, "{rejects:?}");
    assert!(rejects.len() >= before + 5);
    assert_only_missing(&output::rows(&whole), &output::rows(&out), &poisons);
}

/// Fails unless `rows` are distinct and are the expected rows without those of the parents `poisons`.
#[track_caller]
fn assert_only_missing(expected: &[Row], rows: &[Row], poisons: &[&str]) {
    let is_poison = |row: &Row| poisons.contains(&&*row.parent_smiles);
    let made: HashSet<&str> = rows.iter().map(|row| &*row.smiles).collect();
    assert_eq!(made.len(), rows.len(), "a product was written twice");
    assert!(!rows.iter().any(is_poison));
    let missing = expected.iter().filter(|row| !made.contains(&*row.smiles));
    assert!(missing.clone().all(is_poison));
    assert!(missing.count() > 0, "the parent gives nothing of its own");
}

/// A retried parent may take its full time limit; a stop request does not wait for it.
#[test]
fn a_resuming_run_stops_soon() {
    let (material, poison) = with_poison();
    let out = material.folder.path("out");
    let job = |timeout: &str, variable: &str| {
        let job = material.run(&out).args(timeout);
        job.env(variable, &poison)
    };
    // Start the job and kill it while it processes the parent.
    let mut begun = job("--parent-timeout 60", "MOLSIEVE_HANG_ON").start();
    wait_until("the work", || begun.works());
    thread::sleep(Duration::from_millis(500));
    assert!(begun.kill());
    let running = job("--parent-timeout 60", "MOLSIEVE_HANG_ON").start();
    let lock = out.join(".molsieve/lock");
    wait_until("the plan", || running.has_open(&lock));
    thread::sleep(Duration::from_millis(300));
    running.signal(Signal::TERM);
    running.wait(Duration::from_secs(5)).ends_with(75);
    // The record of parents in work survives.
    let end = job("--parent-timeout 1", "MOLSIEVE_HANG_ON").run();
    end.ends_with(4);
    assert_complete(&out);
}
