//! Faults on purpose: every place where a job calls the file system fails once, and the job either ends
//! with a clear error from which it can be gone on with, or completes; it never writes a wrong file.
//!
//! Built with the feature `failpoints` only; see `src/faults.rs`.

#![allow(clippy::unwrap_used, reason = "this is test code outside #[test]")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use common::{
    Folder, Molsieve, Run,
    library::{THREE_RULES, rule_file, smiles_lines},
    output::{self, assert_complete, manifest},
};

/// A job small enough to be run some hundred times, with every kind of file: several parts, rejects,
/// rows to settle.
struct Material {
    folder: Folder,
    input: PathBuf,
    rules: PathBuf,
}

impl Material {
    fn new() -> Self {
        let folder = Folder::new();
        let lines = smiles_lines(200);
        let input = folder.write("a.smi", format!("{lines}C1CC broken\n{lines}"));
        let rules = rule_file(&folder, &THREE_RULES);
        Self {
            folder,
            input,
            rules,
        }
    }

    fn job(&self, output: &Path) -> Molsieve {
        Molsieve::new("run --resume --memory 256MiB --threads 2 --part-size 64KiB")
            .args("--slot-size 512KiB --false-positive-rate 0.5")
            .input(&self.input)
            .rules(&self.rules)
            .output(output)
    }
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
    let material = Material::new();
    let whole = material.folder.path("whole");
    let log = material.folder.path("log");
    material
        .job(&whole)
        .env("MOLSIEVE_FAULT_LOG", &log)
        .run()
        .ends_with(4);
    let expected = made(&whole);
    assert!(expected.0.len() > 3, "several parts");
    let (sites, calls) = calls_to_fail(&fs::read_to_string(&log).unwrap());
    assert!(sites > 20, "{sites}");
    let (mut failed, mut completed) = (0, 0);
    for kind in ["eio", "enospc", "short"] {
        for &call in &calls {
            let out = material.folder.path("out");
            let run = material
                .job(&out)
                .env("MOLSIEVE_FAULT_AT", call.to_string())
                .env("MOLSIEVE_FAULT_KIND", kind)
                .run();
            assert_ended_clearly(&run, call, kind);
            if run.code == Some(4) {
                completed += 1;
            } else {
                failed += 1;
            }
            let end = material.job(&out).run();
            assert_eq!(end.code, Some(4), "call {call} {kind}: {}", end.stderr);
            assert!(made(&out) == expected, "call {call} {kind}: other files");
            fs::remove_dir_all(&out).unwrap();
        }
    }
    let runs = calls.len() * 3;
    assert!(failed > runs / 3, "{failed} of {runs} runs failed");
    // Past the test harness, which keeps what passing tests print to itself.
    let mut terminal = std::io::stderr();
    writeln!(
        terminal,
        "{sites} sites, {runs} faults: {failed} ended the run, {completed} did not; all were gone on with"
    )
    .unwrap();
}

/// Parents on which RDKit crashes or hangs end in the rejects, each after one resumption, and all other
/// products are there. They stand in the sample too, from which a job is planned.
#[test]
fn a_parent_that_kills_or_hangs_the_process_is_rejected() {
    let material = Material::new();
    let poison = fs::read_to_string(&material.input).unwrap();
    let poison = poison.lines().nth(37).unwrap().split_once(' ').unwrap().0;
    let whole = material.folder.path("whole");
    material.job(&whole).run().ends_with(4);
    let is_poison = |smiles: &str| smiles == poison;
    let expected: Vec<_> = output::rows(&whole);
    let others = expected
        .iter()
        .filter(|row| !is_poison(&row.parent_smiles))
        .count();
    assert!(others < expected.len());
    for (variable, code, words) in [
        ("MOLSIEVE_ABORT_ON", None, "crashed"),
        ("MOLSIEVE_HANG_ON", Some(75), "--parent-timeout 2"),
    ] {
        let out = material.folder.path(variable);
        let run = || {
            material
                .job(&out)
                .args("--parent-timeout 2 --expected-products 5000")
                .env(variable, poison)
                .run()
        };
        // The parent stands in the library twice, so it may take its toll twice, or in two workers at once.
        let mut end = run();
        let mut interruptions = 0;
        while end.code != Some(4) {
            assert_eq!(end.code, code, "{variable}: {}", end.stderr);
            assert!(
                code.is_none() || end.stderr.contains(words),
                "{}",
                end.stderr
            );
            interruptions += 1;
            assert!(interruptions <= 2, "{variable}: {}", end.stderr);
            end = run();
        }
        assert!(interruptions > 0, "{variable}");
        assert_complete(&out);
        let rejects = output::rejects(&out);
        assert_eq!(rejects.len(), 3, "{rejects:?}");
        let poisoned: Vec<_> = rejects
            .iter()
            .filter(|reject| is_poison(&reject.text))
            .collect();
        assert_eq!(poisoned.len(), 2);
        assert!(
            poisoned.iter().all(|reject| reject.reason.contains(words)),
            "{poisoned:?}"
        );
        let mut rows: Vec<_> = output::rows(&out)
            .into_iter()
            .map(|row| row.smiles)
            .collect();
        let made = rows.len();
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), made);
        // What the poisoned parent alone gives is missing; everything else is there.
        let missing = expected
            .iter()
            .filter(|row| rows.binary_search(&row.smiles).is_err());
        assert!(missing.clone().all(|row| is_poison(&row.parent_smiles)));
        assert!(missing.count() > 0);
    }
}
