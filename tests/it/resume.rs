//! Every distinct product exactly once, whatever happens to the process: exact settling, checkpoints, and interrupted and
//! resumed runs. Kills at random times are in `tests/it/kill.rs`.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::kit::{
    Folder, Molsieve,
    library::{THREE_RULES, rule_file, shipped_library, shipped_rules, smiles_lines},
    output::{self, Made, Row, assert_complete, counted, manifest, rows},
    wait_until,
};
use molsieve::{
    identity::DEFINITION,
    store::sealed::{self, Kind},
};
use rustix::process::Signal;
use serde_json::Value;

/// The sealed file that identifies a run.
const JOB: Kind = Kind {
    name: "job",
    version: 2,
};

/// A library in which several parents give most products, with some unusable rows.
fn library_of_repeats(folder: &Folder, molecules: usize) -> PathBuf {
    let lines = smiles_lines(molecules);
    folder.write(
        "a.smi",
        format!("{lines}C1CC broken\n{lines}CC( cut\n{lines}"),
    )
}

/// A job with parts so small that it takes many checkpoints.
fn job(folder: &Folder, input: &Path, flags: &str) -> Molsieve {
    Molsieve::new("run --memory 256MiB --threads 2 --part-size 64KiB --slot-size 512KiB")
        .args(flags)
        .input(input)
        .rules(shipped_rules())
        .output(folder.out())
}

/// The distinct products, and the number of rows.
fn products(output: &Path) -> (HashSet<String>, usize) {
    let rows = rows(output);
    let n = rows.len();
    (rows.into_iter().map(|row| row.smiles).collect(), n)
}

fn sorted(output: &Path) -> Vec<Row> {
    let mut rows = rows(output);
    rows.sort();
    rows
}

#[test]
fn a_bad_filter_changes_no_row() {
    let folder = Folder::new();
    let input = library_of_repeats(&folder, 120);
    let run = |flags: &str| {
        job(&folder, &input, &format!("--overwrite {flags}"))
            .run()
            .ends_with(4);
        assert_complete(&folder.out());
        let (distinct, n) = products(&folder.out());
        assert_eq!(distinct.len(), n, "a product was written twice");
        sorted(&folder.out())
    };
    let expected = run("");
    assert_eq!(
        counted(&folder.out(), "products_unique"),
        expected.len() as u64
    );
    // 1,024 bits are the smallest filter; it is full after a few hundred products.
    for flags in ["--false-positive-rate 0.5", "--expected-products 1"] {
        assert_eq!(run(flags), expected, "{flags}");
        let filter = &manifest(&folder.out())["filter"];
        assert!(
            filter["products_settled"].as_u64().unwrap() > 100,
            "{filter}"
        );
        let observed = filter["false_positive_rate_observed"].as_f64().unwrap();
        assert!(observed > 0.01, "{filter}");
    }
    // Check that the filter matters: without settling it loses products.
    assert!(run("--dedup bloom --expected-products 1").len() < expected.len() / 2);
}

#[test]
fn a_run_resumes_with_its_original_settings() {
    let folder = Folder::new();
    let input = library_of_repeats(&folder, 100);
    job(&folder, &input, "").run().ends_with(4);
    let expected = Made::at(&folder.out());
    fs::remove_dir_all(folder.out()).unwrap();
    let running = job(&folder, &input, "").start();
    wait_until("a part", || !output::parts(&folder.out()).is_empty());
    running.signal(Signal::TERM);
    running.wait(Duration::from_secs(5)).ends_with(75);
    // Only the directory must be given; another number of threads makes no difference.
    let resume = |flags: &str| {
        Molsieve::new("run --resume")
            .args(flags)
            .output(folder.out())
    };
    let end = resume("--threads 1").run().ends_with(4);
    assert!(end.stdout.contains("resumed    1 time"), "{}", end.stdout);
    Made::at(&folder.out()).assert_is(&expected);
    // Resuming again does nothing.
    let again = resume("").run();
    assert!(again.stdout.contains("this run is complete"), "{again:?}");
    Made::at(&folder.out()).assert_is(&expected);
}

/// Stops a job after its first part; returns the file that says what the run is, and its content.
fn stopped(folder: &Folder, input: &Path, flags: &str) -> (PathBuf, Value) {
    let running = job(folder, input, flags).start();
    wait_until("a part", || !output::parts(&folder.out()).is_empty());
    running.signal(Signal::TERM);
    running.wait(Duration::from_secs(5)).ends_with(75);
    let path = folder.out().join(".molsieve/job");
    let begun = sealed::decode(JOB, &fs::read(&path).unwrap()).unwrap();
    (path, begun)
}

#[test]
fn a_run_with_keys_of_another_definition_is_not_resumed() {
    let folder = Folder::new();
    let input = library_of_repeats(&folder, 100);
    let (path, mut begun) = stopped(&folder, &input, "--key structure");
    let key = &mut begun["settings"]["--key"];
    assert_eq!(*key, format!("structure, definition {DEFINITION}"));
    *key = "structure, definition 1".into();
    fs::write(&path, sealed::encode(JOB, &begun)).unwrap();
    let resumed = Molsieve::new("run --resume").output(folder.out()).run();
    resumed.refuses(2, &["--key was structure, definition 1 and is structure"]);
}

#[test]
fn a_run_of_another_release_of_rdkit_is_not_resumed() {
    let folder = Folder::new();
    let input = library_of_repeats(&folder, 100);
    let (path, mut begun) = stopped(&folder, &input, "");
    begun["settings"]["RDKit"] = "2024.03.1".into();
    fs::write(&path, sealed::encode(JOB, &begun)).unwrap();
    let resumed = Molsieve::new("run --resume").output(folder.out()).run();
    resumed.refuses(2, &["RDKit was 2024.03.1 and is 20"]);
}

#[test]
fn canonical_smiles_of_another_release_of_rdkit_are_not_excluded() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(30));
    let run = |name: &str, flags: &str| {
        Molsieve::new("run")
            .args(flags)
            .input(&input)
            .rules(shipped_rules())
            .output(folder.path(name))
            .run()
    };
    run("first", "").ends_with(0);
    let manifest = folder.path("first/manifest.json");
    let mut text: Value = serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    text["software"]["rdkit"] = "2024.03.1".into();
    fs::write(&manifest, text.to_string()).unwrap();
    let exclude = format!("--exclude {}", folder.path("first").display());
    run("second", &exclude).refuses(3, &["by RDKit 2024.03.1", "run it again"]);
}

#[test]
fn a_different_run_is_not_resumed() {
    let folder = Folder::new();
    let input = library_of_repeats(&folder, 100);
    let running = job(&folder, &input, "").start();
    wait_until("a part", || !output::parts(&folder.out()).is_empty());
    // A running job locks its directory. It is held, since who finds the lock taken waits a moment for it.
    running.signal_all(Signal::STOP);
    let second = |flags: &str| job(&folder, &input, flags).run();
    for flags in ["", "--resume", "--overwrite"] {
        second(flags).refuses(2, &["another molsieve process"]);
    }
    running.signal_all(Signal::CONT);
    running.signal(Signal::TERM);
    running.wait(Duration::from_secs(5)).ends_with(75);
    let changed = "not the run that was begun";
    second("--resume --properties mw").refuses(2, &[changed, "--properties was false"]);
    second("--resume --dedup bloom").refuses(2, &[changed, "--dedup was exact"]);
    Molsieve::new("run --resume")
        .rules(rule_file(&folder, &THREE_RULES))
        .output(folder.out())
        .run()
        .refuses(2, &[changed, "rules"]);
    let text = fs::read_to_string(&input).unwrap();
    fs::write(&input, text.replacen('C', "N", 1)).unwrap();
    second("--resume").refuses(2, &[changed, "a.smi has changed"]);
    fs::write(&input, &text).unwrap();
    second("--resume").ends_with(4);
    assert_complete(&folder.out());
}

#[test]
fn a_damaged_checkpoint_is_reported() {
    let folder = Folder::new();
    let input = library_of_repeats(&folder, 100);
    let running = job(&folder, &input, "").start();
    wait_until("a part", || !output::parts(&folder.out()).is_empty());
    running.signal(Signal::KILL);
    running.wait(Duration::from_secs(5));
    let checkpoint = folder.out().join(".molsieve/checkpoint");
    let whole = fs::read(&checkpoint).unwrap();
    fs::write(&checkpoint, &whole[..whole.len() / 2]).unwrap();
    let refused = job(&folder, &input, "--resume").run();
    refused.refuses(1, &["checkpoint: damaged", "--overwrite"]);
    fs::write(&checkpoint, &whole).unwrap();
    fs::write(folder.out().join(".molsieve/keys"), b"MOLSPILL").unwrap();
    let refused = job(&folder, &input, "--resume").run();
    refused.refuses(1, &["keys: damaged"]);
}

#[test]
fn resume_without_a_run_to_resume() {
    let folder = Folder::new();
    let resume = |output: &Path| Molsieve::new("run --resume").output(output).run();
    resume(&folder.out()).refuses(2, &["no run to resume", "--input"]);
    folder.write("full/notes.txt", "mine");
    resume(&folder.path("full")).refuses(2, &["holds no run"]);
    // With an input it starts a run, so that a scheduler may always pass --resume.
    let end = Molsieve::new("run --resume --memory 256MiB")
        .input(shipped_library())
        .output(folder.out())
        .run();
    end.ends_with(0);
    assert_complete(&folder.out());
}

#[test]
fn the_products_of_an_earlier_run_are_excluded() {
    let folder = Folder::new();
    let molecules = smiles_lines(200);
    let all = folder.write("all.smi", &molecules);
    let first: String = molecules
        .lines()
        .take(90)
        .map(|line| format!("{line}\n"))
        .collect();
    let first = folder.write("first.smi", first);
    let run = |name: &str, input: &Path, flags: &str| {
        Molsieve::new("run --memory 256MiB")
            .args(flags)
            .input(input)
            .rules(shipped_rules())
            .output(folder.path(name))
            .run()
    };
    let smiles = |name: &str| products(&folder.path(name)).0;
    run("first", &first, "").ends_with(0);
    run("all", &all, "").ends_with(0);
    let exclude = format!("--exclude {}", folder.path("first").display());
    let said = run("rest", &all, &exclude).ends_with(0).stdout;
    assert!(said.contains("  excluded   "), "{said}");
    let rest: HashSet<String> = smiles("all")
        .difference(&smiles("first"))
        .cloned()
        .collect();
    assert!(!rest.is_empty() && rest.len() < smiles("all").len());
    assert_eq!(smiles("rest"), rest);
    // A bad filter makes no difference here either.
    let bad = format!("{exclude} --false-positive-rate 0.5");
    run("rest-of-bad", &all, &bad).ends_with(0);
    assert_eq!(smiles("rest-of-bad"), rest);
    // Only a complete run can be excluded.
    let none = format!("--exclude {}", folder.path("").display());
    run("none", &all, &none).refuses(3, &["--exclude", "no manifest.json"]);
    fs::remove_file(&output::parts(&folder.path("first"))[0]).unwrap();
    run("none", &all, &exclude).refuses(3, &["part-00000.parquet: this part is missing"]);
}
