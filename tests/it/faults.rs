//! Faults on purpose: every place where a job calls the file system fails once, and the job either ends
//! with a clear error from which it can be gone on with, or completes; it never writes a wrong file.
//!
//! Built with the feature `failpoints` only; see `src/faults.rs`.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::Write,
    path::Path,
    thread,
    time::Duration,
};

use crate::kit::{
    Molsieve, Run,
    library::{SmallJob, shipped_molecules, smiles_lines},
    output::{self, Row, assert_complete, manifest},
    skipped, wait_until,
};
use molsieve::sieve::wgpu;
use rustix::process::Signal;

/// A job with every molecule once, and the SMILES of one that is not in the sample from which it is
/// planned.
fn with_poison() -> (SmallJob, String) {
    let mut small = SmallJob::new();
    let once = format!("{}C1CC broken\n", smiles_lines(200));
    small.input = small.folder.write("once.smi", once);
    let smiles = shipped_molecules(POISON_ROW + 1).swap_remove(POISON_ROW).1;
    (small, smiles)
}

/// The files and what the manifest says of them.
fn made(output: &Path) -> (Vec<(String, Vec<u8>)>, String) {
    assert_complete(output);
    let mut files = output::part_bytes(output);
    files.push((
        "rejects.parquet".into(),
        fs::read(output.join("rejects.parquet")).unwrap(),
    ));
    let manifest = manifest(output);
    (
        files,
        format!("{} {}", manifest["counts"], manifest["files"]),
    )
}

/// For every site, that is operation and file (numbers in names left out): its first, its middle and its
/// last call.
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
fn every_call_to_the_file_system_may_fail() {
    let material = SmallJob::new();
    fail_at_every_site(
        &material,
        &|out| material.run(out),
        &["eio", "enospc", "short"],
    );
}

/// The same where no part is ever full and checkpoints go by time.
#[test]
fn every_call_may_fail_of_a_job_that_never_fills_a_part() {
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

fn fail_at_every_site(material: &SmallJob, job: &dyn Fn(&Path) -> Molsieve, kinds: &[&str]) {
    let whole = material.folder.path("whole");
    let log = material.folder.path("log");
    job(&whole)
        .env("MOLSIEVE_FAULT_LOG", &log)
        .run()
        .ends_with(4);
    let expected = made(&whole);
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
            assert!(made(&out) == expected, "call {call} {kind}: other files");
            fs::remove_dir_all(&out).unwrap();
        }
    }
    let runs = calls.len() * kinds.len();
    assert!(failed > runs / 3, "{failed} of {runs} runs failed");
    // Past the test harness, which keeps what passing tests print to itself.
    let mut terminal = std::io::stderr();
    writeln!(
        terminal,
        "{sites} sites, {runs} faults: {failed} ended the run, {completed} did not; all were gone on with"
    )
    .unwrap();
}

/// A device may be lost at any call: the job goes on with the cpu engine and writes the same files.
#[test]
fn a_device_may_be_lost_at_any_call() {
    let material = SmallJob::new();
    lose_at_every_call(&material, 12, |out| {
        material.run_within("768MiB", out).args("--engine wgpu")
    });
}

/// The same where it makes keys too.
#[test]
fn a_device_that_makes_keys_may_be_lost_at_any_call() {
    let material = SmallJob::new();
    lose_at_every_call(&material, 8, |out| {
        let flags = "dedup --resume --memory 768MiB --threads 2 --engine wgpu";
        Molsieve::new(flags).input(&material.input).output(out)
    });
}

fn lose_at_every_call(material: &SmallJob, calls_min: usize, job: impl Fn(&Path) -> Molsieve) {
    if wgpu::adapters().is_empty() {
        let demanded = std::env::var("MOLSIEVE_REQUIRE_ENGINES").unwrap_or_default();
        assert!(!demanded.contains("wgpu"), "wgpu has no device here");
        return skipped("no device to be lost: wgpu has none here");
    }
    let job = |out: &Path| {
        let job = job(out).env("MOLSIEVE_ADAPTER", "0");
        job.env("XDG_RUNTIME_DIR", material.folder.path("."))
    };
    let (whole, log) = (material.folder.path("whole"), material.folder.path("log"));
    let end = job(&whole).env("MOLSIEVE_DEVICE_FAULT_LOG", &log).run();
    end.ends_with(4);
    assert_eq!(manifest(&whole)["engine"], "wgpu");
    let expected = made(&whole);
    let (_, calls) = calls_to_fail(&fs::read_to_string(&log).unwrap());
    assert!(calls.len() > calls_min, "{calls:?}");
    for call in &calls {
        let out = material.folder.path("out");
        let lost = job(&out).env("MOLSIEVE_DEVICE_FAULT_AT", call.to_string());
        let end = lost.run();
        assert_eq!(end.code, Some(4), "call {call}: {}", end.stderr);
        assert!(
            end.stderr.contains("goes on with the engine cpu"),
            "{}",
            end.stderr
        );
        assert!(made(&out) == expected, "call {call}: other files");
        let manifest = manifest(&out);
        assert_eq!(manifest["engine"], "cpu", "call {call}");
        let why = manifest["engine_lost"].as_str().unwrap();
        assert!(why.contains("on purpose"), "{why}");
        assert_eq!(manifest["interruptions"], 0);
        fs::remove_dir_all(&out).unwrap();
    }
    // Past the test harness, which keeps what passing tests print to itself.
    let mut terminal = std::io::stderr();
    let calls = calls.len();
    writeln!(
        terminal,
        "a device was lost at {calls} calls; each job ended on the cpu"
    )
    .unwrap();
}

/// What a job is told to do with one of its parents, and what becomes of it.
struct Poison {
    variable: &'static str,
    /// Times the job goes on by itself.
    resumed: u64,
    /// What the reason of the reject says.
    reason: &'static str,
}

const POISON_ROW: usize = 37;

const POISONS: [Poison; 3] = [
    Poison {
        variable: "MOLSIEVE_ABORT_ON",
        resumed: 1,
        reason: "RDKit crashed on it",
    },
    Poison {
        variable: "MOLSIEVE_HANG_ON",
        resumed: 1,
        reason: "longer than --parent-timeout 2",
    },
    Poison {
        variable: "MOLSIEVE_FAIL_ON",
        resumed: 0,
        reason: "RDKit failed: on purpose",
    },
];

/// A parent on which RDKit crashes or hangs ends in the rejects after one resumption, one on which it
/// fails after none; the job goes on by itself, and all other products are there. It stands in the sample
/// too, from which a job is planned.
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
        assert_only_missing(&expected, &output::rows(&out), &[poison.as_str()]);
    }
}

/// Several parents that hang or crash, in one job: it ends by itself, with all of them in the rejects.
#[test]
fn several_parents_that_kill_or_hang_are_rejected_by_the_job_itself() {
    let material = SmallJob::new();
    // Shipped molecules that begin with a methyl group, which becomes an ever longer chain: every parent is
    // another one, with products of its own.
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

/// Fails unless `rows` are distinct, and all that is expected but what the parents `poisons` gave first.
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

/// A parent that is tried again may take its full time; a request to stop does not wait for that.
#[test]
fn a_run_that_is_about_to_go_on_stops_soon() {
    let (material, poison) = with_poison();
    let out = material.folder.path("out");
    let job = |timeout: &str, variable: &str| {
        let job = material.run(&out).args(timeout);
        job.env(variable, &poison)
    };
    // Begun, and killed while the parent is in work.
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
    // The account still says what was in work.
    let end = job("--parent-timeout 1", "MOLSIEVE_HANG_ON").run();
    end.ends_with(4);
    assert_complete(&out);
}
