//! `--smiles direct`: the same molecules, provenance and counts as with canonical SMILES; and the way back to these.

use std::path::{Path, PathBuf};

use crate::kit::{
    Folder, Molsieve, Python, args,
    library::{THREE_RULES, repository, rule_file, shipped_library, shipped_rules, smiles_lines},
    output::{self, assert_complete, counted, manifest},
    wait_until,
};
use molsieve::sieve::wgpu;
use rustix::process::Signal;

/// Runs a job with canonical SMILES and one with direct ones; returns their output directories.
fn run_both(folder: &Folder, input: &Path, rules: &Path, flags: &str) -> [PathBuf; 2] {
    let ways = [
        ("canonical", "--key structure"),
        ("direct", "--smiles direct"),
    ];
    ways.map(|(name, form)| {
        let out = folder.path(name);
        let run = Molsieve::new("run --threads 2 --memory 512MiB")
            .args(form)
            .args(flags)
            .input(input)
            .rules(rules)
            .output(&out)
            .run();
        assert!(matches!(run.code, Some(0 | 4)), "{run:?}");
        assert_complete(&out);
        out
    })
}

/// Every row, after RDKit in Python has made the SMILES canonical, with its key and its provenance; and every count.
fn assert_equal(input: &Path, rules: &Path, flags: &str) {
    let folder = Folder::new();
    let [canonical, direct] = run_both(&folder, input, rules, flags);
    assert_eq!(
        manifest(&canonical)["counts"],
        manifest(&direct)["counts"],
        "{flags}"
    );
    let Some(python) = Python::find("direct SMILES against canonical ones") else {
        return;
    };
    let compared = python.oracle("direct.py", args![canonical, direct]);
    let said = compared.ends_with(0).stdout;
    assert!(said.contains("; 0 differences"), "{said}");
    assert!(!said.contains(", 0 of them written otherwise"), "{said}");
}

fn oracle(name: &str) -> PathBuf {
    repository().join("tests/oracle").join(name)
}

#[test]
fn direct_smiles_are_the_molecules_of_the_shipped_rules_slow() {
    assert_equal(&shipped_library(), &shipped_rules(), "");
}

#[test]
fn direct_smiles_are_the_molecules_of_hostile_rules_and_many_kinds_of_parents_slow() {
    assert_equal(&oracle("kinds.smi"), &oracle("nasty_rules.toml"), "");
    assert_equal(&oracle("kinds.smi"), &oracle("five.toml"), "");
}

#[test]
fn columns_filters_and_stereoisomers_are_those_of_canonical_smiles() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(80));
    for flags in [
        "--properties --where mw<=500",
        "--expand-stereo 8",
        "--new-only --keep-columns all",
    ] {
        let rules = rule_file(&folder, &THREE_RULES);
        assert_equal(&input, &rules, flags);
    }
}

/// The bytes of the parts of a run with direct SMILES.
fn bytes(folder: &Folder, input: &Path, flags: &str) -> Vec<(String, Vec<u8>)> {
    let out = folder.out();
    Molsieve::new("run --smiles direct --overwrite --memory 768MiB --part-size 64KiB")
        .args(flags)
        .env("MOLSIEVE_ADAPTER", "0")
        .input(input)
        .rules(shipped_rules())
        .output(&out)
        .run()
        .ends_with(0);
    output::part_bytes(&out)
}

#[test]
fn threads_engines_and_interruptions_change_no_byte() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(200));
    let expected = bytes(&folder, &input, "--threads 1 --slot-size 512KiB");
    assert!(expected.len() > 3, "several parts: {}", expected.len());
    let wgpu = (!wgpu::adapters().is_empty()).then_some("wgpu");
    for engine in ["cpu"].into_iter().chain(wgpu) {
        for threads in [2, 7] {
            let flags = format!("--threads {threads} --slot-size 512KiB --engine {engine}");
            assert!(bytes(&folder, &input, &flags) == expected, "{flags}");
        }
    }
    let job = || {
        Molsieve::new("run --smiles direct --memory 768MiB --part-size 64KiB --slot-size 512KiB")
            .args("--threads 2")
            .input(&input)
            .rules(shipped_rules())
            .output(folder.path("stopped"))
    };
    let mut running = job().start();
    wait_until("a part", || {
        !running.is_running() || folder.path("stopped/products").is_dir()
    });
    if running.is_running() {
        running.signal(Signal::INT);
    }
    running.wait(std::time::Duration::from_secs(60));
    job().args("--resume").run().ends_with(0);
    assert!(output::part_bytes(&folder.path("stopped")) == expected);
}

/// Molecule by molecule what a run with canonical SMILES has written.
#[test]
fn a_direct_library_can_be_made_canonical() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(100));
    let rules = rule_file(&folder, &THREE_RULES);
    let [canonical, direct] = run_both(&folder, &input, &rules, "");
    assert_eq!(manifest(&canonical)["smiles"], "canonical");
    assert_eq!(manifest(&direct)["smiles"], "direct");
    assert_ne!(output::smiles(&canonical), output::smiles(&direct));
    Molsieve::new("canonicalize")
        .arg(&direct)
        .run()
        .ends_with(0);
    let rows = |part: &Path| {
        let (_, batches) = output::read_parquet(part);
        arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
    };
    let made = rows(&direct.join("export-canonical/part-00000.parquet"));
    let expected = rows(&output::part(&canonical, 0));
    assert_eq!(made, expected);
    let csv = folder.path("a.csv");
    Molsieve::new("export --canonical --columns smiles")
        .arg(&direct)
        .arg("--output")
        .arg(&csv)
        .run()
        .ends_with(0);
    let text = std::fs::read_to_string(csv).unwrap();
    let lines: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
    assert_eq!(lines, output::smiles(&canonical));
}

/// A direct SMILES depends on the parent's text, so that a second step may name sites otherwise; its molecules are the same.
#[test]
fn two_steps_make_the_same_molecules() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(20));
    let rules = rule_file(&folder, &THREE_RULES);
    let outs = run_both(&folder, &input, &rules, "--steps 2");
    let keys = outs.each_ref().map(|out| {
        let mut keys: Vec<_> = output::rows(out).into_iter().map(|row| row.key).collect();
        keys.sort();
        keys
    });
    assert_eq!(keys[0], keys[1]);
    assert_eq!(
        counted(&outs[0], "products_unique"),
        counted(&outs[1], "products_unique")
    );
}

#[test]
fn bad_uses_are_refused_in_one_line() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(2));
    let job = |flags: &str| {
        Molsieve::new("run --smiles direct")
            .args(flags)
            .input(&input)
    };
    job("").output(folder.out()).run().refuses(
        2,
        &["--smiles", "a job without rules writes canonical SMILES"],
    );
    job("--key canonical")
        .rules(shipped_rules())
        .output(folder.out())
        .run()
        .refuses(2, &["--key", "the key structure"]);
}
