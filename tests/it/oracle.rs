//! Comparison with other software: the plain loop with RDKit in Python, and other Parquet readers.
//!
//! `MOLSIEVE_PYTHON` names a Python that has `tests/oracle/requirements.txt` (scripts/test.sh sets
//! it). Without one these tests report a skip; with `MOLSIEVE_REQUIRE_PYTHON` they fail.

use std::path::Path;

use crate::kit::{
    Folder, Molsieve, Python, Run, args,
    library::{shipped_library, shipped_rules, smiles_lines},
    output,
};

/// Compares a job with the plain loop over the same input and the shipped rules.
fn compare(python: &Python, input: &Path, output: &Path) -> Run {
    let args = args![
        "--input",
        input,
        "--rules",
        shipped_rules(),
        "--compare",
        output
    ];
    python.oracle("plain_loop.py", args)
}

#[test]
fn the_shipped_library_under_all_rules_agrees_with_the_plain_loop_slow() {
    let Some(python) = Python::find("comparison with Python") else {
        return;
    };
    let folder = Folder::new();
    Molsieve::new("run --dedup bloom --false-positive-rate 1e-12 --part-size 256KiB")
        .input(shipped_library())
        .rules(shipped_rules())
        .output(folder.out())
        .run()
        .ends_with(0);
    let compared = compare(&python, &shipped_library(), &folder.out());
    assert_eq!(compared.code, Some(0), "{compared:#?}");
    assert!(compared.stdout.lines().any(|line| line == "equal"));
}

#[test]
fn unusual_rows_are_read_as_by_the_plain_loop() {
    let Some(python) = Python::find("comparison with Python") else {
        return;
    };
    let folder = Folder::new();
    let mut text = b"SMILES id\n\n# a comment\nCCO ethanol\n   \n".to_vec();
    text.extend(b"Oc1ccccc1 phenol\nC1CC broken\nCC\xFF bad\nOC1=CC=CC=C1 again\n\tCCN\tx y\n");
    let input = folder.write("odd.smi", text);
    Molsieve::new("run --false-positive-rate 1e-12")
        .input(&input)
        .rules(shipped_rules())
        .output(folder.out())
        .run()
        .ends_with(4);
    let compared = compare(&python, &input, &folder.out());
    assert_eq!(compared.code, Some(0), "{compared:#?}");
}

#[test]
fn the_comparison_detects_a_missing_rule() {
    let Some(python) = Python::find("comparison with Python") else {
        return;
    };
    let folder = Folder::new();
    let rules = std::fs::read_to_string(shipped_rules()).unwrap();
    let (fewer, _) = rules.rsplit_once("[[rule]]").unwrap();
    let fewer = folder.write("fewer.toml", fewer);
    let input = folder.write("a.smi", smiles_lines(40));
    Molsieve::new("run")
        .input(&input)
        .rules(&fewer)
        .output(folder.out())
        .run()
        .ends_with(0);
    let compared = compare(&python, &input, &folder.out());
    assert_eq!(compared.code, Some(1), "{compared:#?}");
    assert!(compared.stdout.contains("missing"), "{}", compared.stdout);
}

#[test]
fn pyarrow_polars_and_duckdb_read_the_output() {
    let Some(python) = Python::find("comparison with Python") else {
        return;
    };
    let folder = Folder::new();
    for flags in ["run --overwrite", "run --overwrite --properties"] {
        Molsieve::new(flags)
            .args("--part-size 64KiB --slot-size 512KiB --memory 256MiB")
            .input(shipped_library())
            .rules(shipped_rules())
            .output(folder.out())
            .run()
            .ends_with(0);
        let read = python.oracle("readers.py", args![folder.out()]);
        assert_eq!(read.code, Some(0), "{read:#?}");
        for reader in ["pyarrow", "polars", "duckdb"] {
            assert!(read.stdout.to_lowercase().contains(reader), "{read:#?}");
        }
    }
}

#[test]
fn the_readers_detect_a_changed_byte() {
    let Some(python) = Python::find("comparison with Python") else {
        return;
    };
    let folder = Folder::new();
    Molsieve::new("run")
        .input(shipped_library())
        .output(folder.out())
        .run()
        .ends_with(0);
    let part = output::part(&folder.out(), 0);
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    let read = python.oracle("readers.py", args![folder.out()]);
    assert_eq!(read.code, Some(1), "{read:#?}");
    assert!(read.stdout.contains("MISMATCH"), "{read:#?}");
}
