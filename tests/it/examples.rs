//! The programs in `examples/` that show the library run, and print what they say they print.

use std::path::Path;

#[allow(dead_code, reason = "an example's main is not called here")]
#[path = "../../examples/keys.rs"]
mod keys;
#[allow(dead_code, reason = "an example's main is not called here")]
#[path = "../../examples/run_job.rs"]
mod run_job;

#[test]
fn run_job_counts_what_it_made() {
    let program = Path::new(env!("CARGO_BIN_EXE_molsieve"));
    for program in [None, Some(program)] {
        let folder = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        run_job::run(folder.path(), program, &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        // Benzene gives one product, toluene, phenol three each, naphthalene two.
        let expected = "rules             1\nparents           6\n";
        assert!(said.starts_with(expected), "{said}");
        assert!(said.ends_with("products written  9\n"), "{said}");
        assert!(folder.path().join("out/manifest.json").is_file());
    }
}

#[test]
fn keys_are_equal_for_one_molecule() {
    let smiles = ["OCC", "CCO", "c1ccccc1", "C1CC"].map(String::from);
    let mut out = Vec::new();
    keys::print(&smiles, &mut out).unwrap();
    let said = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    let keys = |line: &str| line.rsplit_once("  ").unwrap().0.to_owned();
    assert_eq!(keys(lines[0]), keys(lines[1]), "{said}");
    assert_ne!(keys(lines[0]), keys(lines[2]), "{said}");
    assert_eq!(keys(lines[0]).len(), 2 * 32 + 2, "{said}");
    assert!(lines[3].starts_with("C1CC: "), "{said}");
}
