//! `molsieve dedup`: keeps the first SMILES of each molecule, distinguished as by RDKit.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use crate::kit::{
    Folder, Molsieve,
    library::{repository, smiles_lines},
    output::{self, assert_complete},
    shim,
};
use arrow::array::{AsArray, RecordBatch};
use molsieve::{chem::RdKit, identity::DEFINITION};

/// Molecules of many kinds, each twice, the second time as another SMILES if Python is available; and invalid rows.
fn library(folder: &Folder) -> PathBuf {
    let kinds = std::fs::read_to_string(repository().join("tests/oracle/kinds.smi")).unwrap();
    let lines = smiles_lines(300);
    let again: Vec<_> = lines.lines().rev().collect();
    folder.write(
        "raw.smi",
        format!(
            "{lines}{kinds}C1CC broken\nnonsense x\n{}\n{kinds}",
            again.join("\n")
        ),
    )
}

fn batches(out: &Path) -> Vec<RecordBatch> {
    output::parts(out)
        .iter()
        .flat_map(|part| output::read_parquet(part).1)
        .collect()
}

/// Row and SMILES of the kept rows.
fn kept(out: &Path, column: &str) -> BTreeMap<u64, String> {
    let mut kept = BTreeMap::new();
    for batch in batches(out) {
        let rows = batch.column_by_name("parent_row").unwrap();
        let rows = rows.as_primitive::<arrow::datatypes::UInt64Type>();
        let smiles = batch.column_by_name(column).unwrap().as_string::<i32>();
        kept.extend((0..batch.num_rows()).map(|i| (rows.value(i), smiles.value(i).to_owned())));
    }
    kept
}

/// The rows kept by a set of RDKit's canonical SMILES.
fn by_rdkit(library: &Path) -> BTreeMap<u64, String> {
    let rdkit = RdKit::initialise().unwrap();
    let mut seen = HashSet::new();
    let text = std::fs::read_to_string(library).unwrap();
    let smiles = text
        .lines()
        .map(|line| line.split_whitespace().next().unwrap_or_default());
    let rows = (0..).zip(smiles);
    rows.filter(|(_, smiles)| {
        rdkit
            .canonical_smiles(smiles)
            .is_ok_and(|form| seen.insert(form))
    })
    .map(|(row, smiles)| (row, smiles.to_owned()))
    .collect()
}

fn unreadable(library: &Path) -> u64 {
    let rdkit = RdKit::initialise().unwrap();
    let text = std::fs::read_to_string(library).unwrap();
    let smiles = text
        .lines()
        .map(|line| line.split_whitespace().next().unwrap_or_default());
    smiles
        .filter(|smiles| rdkit.canonical_smiles(smiles).is_err())
        .count() as u64
}

fn dedup(flags: &str, input: &Path, out: &Path) -> Molsieve {
    Molsieve::new("dedup --overwrite")
        .args(flags)
        .input(input)
        .output(out)
}

#[test]
fn the_first_smiles_of_every_molecule_is_kept_unchanged() {
    let folder = Folder::new();
    let (input, out) = (library(&folder), folder.out());
    dedup("--check 500", &input, &out).run().ends_with(4);
    assert_complete(&out);
    assert_eq!(kept(&out, "smiles"), by_rdkit(&input));
    let manifest = output::manifest(&out);
    assert_eq!(manifest["task"], "dedup");
    let rejected = manifest["counts"]["parents_rejected"].as_u64().unwrap();
    assert_eq!(rejected, unreadable(&input));
    let check = &manifest["check"];
    assert_eq!(
        (check["molecules"].as_u64(), check["disagreements"].as_u64()),
        (Some(500), Some(0))
    );
    // Every molecule occurs twice.
    assert!(check["decisions"].as_u64().unwrap() >= 1_000, "{check}");
    assert!(!manifest["keys_by_rdkit"].as_object().unwrap().is_empty());
}

#[test]
fn threads_engines_and_checks_do_not_affect_the_files() {
    let folder = Folder::new();
    let (input, out) = (library(&folder), folder.out());
    dedup("--threads 1 --engine cpu --part-size 64KiB", &input, &out)
        .run()
        .ends_with(4);
    let expected = output::part_bytes(&out);
    let driver = shim::fake_driver();
    let mut ways = vec![
        ("cpu", "--threads 3 --check 10", "cpu"),
        ("cuda", "--threads 2 --memory 768MiB", "cuda"),
    ];
    if !molsieve::sieve::wgpu::adapters().is_empty() {
        ways.push(("wgpu", "--threads 2 --memory 768MiB", "cpu"));
    }
    for (engine, flags, maker) in ways {
        let run = dedup(flags, &input, &out)
            .args("--part-size 64KiB --engine")
            .arg(engine)
            .env("MOLSIEVE_ADAPTER", "0")
            .env("LD_LIBRARY_PATH", driver.path())
            .run()
            .ends_with(4);
        assert!(output::part_bytes(&out) == expected, "{engine} {flags}");
        let manifest = output::manifest(&out);
        assert_eq!(manifest["keys_made_by"], maker);
        // A few are left to the CPU; which ones depends on the device.
        let left = manifest["keys_too_large_for_device"].as_u64().unwrap();
        assert!(left < 60, "{engine}: {left}");
        let said = match engine {
            "cpu" => "RDKit made ",
            "cuda" => "; cuda made the others",
            _ => "; the CPU made the others",
        };
        assert!(run.stdout.contains(said), "{}", run.stdout);
    }
}

/// From any driver call on, all calls fail: the job continues on the engine cpu, which then computes the keys too, and
/// writes the same files.
#[test]
fn a_gpu_that_computes_keys_may_be_lost_at_any_call_slow() {
    let (folder, driver) = (Folder::new(), shim::fake_driver());
    let lines = smiles_lines(200);
    let (input, out) = (
        folder.write("a.smi", format!("{lines}{lines}")),
        folder.out(),
    );
    let job = |engine: &str, calls: u32| {
        let run = dedup("--threads 2 --memory 768MiB", &input, &out)
            .args("--part-size 64KiB --engine")
            .arg(engine)
            .env("LD_LIBRARY_PATH", driver.path())
            .env("FAKE_CUDA_CALLS", calls.to_string());
        let run = run.run().ends_with(0);
        assert_complete(&out);
        (output::part_bytes(&out), output::manifest(&out), run.stderr)
    };
    let (expected, _, _) = job("cpu", 0);
    let calls = (0..).filter(|calls| calls % 7 == 0 && *calls < 70 || calls % 101 == 0);
    let losses = calls.take_while(|calls| {
        let (files, manifest, stderr) = job("cuda", *calls);
        assert!(files == expected, "lost at call {calls}");
        let lost = manifest["engine"] == "cpu";
        if lost {
            let why = manifest["engine_lost"].as_str().unwrap();
            assert!(why.starts_with("engine cuda: "), "{why}");
            assert_eq!(manifest["keys_made_by"], "cpu");
            assert!(stderr.contains("continues on the engine cpu"), "{stderr}");
        }
        lost
    });
    let losses = losses.count();
    assert!(losses > 10, "{losses}");
}

#[test]
fn canonical_writes_the_kept_rows_with_rdkit() {
    let folder = Folder::new();
    let (input, out) = (library(&folder), folder.out());
    dedup("--canonical", &input, &out).run().ends_with(4);
    let rdkit = RdKit::initialise().unwrap();
    let (written, canonical) = (kept(&out, "parent_smiles"), kept(&out, "smiles"));
    assert_eq!(written, by_rdkit(&input));
    for (row, smiles) in &written {
        assert_eq!(Ok(&canonical[row]), rdkit.canonical_smiles(smiles).as_ref());
    }
    assert!(canonical != written);
}

#[test]
fn an_earlier_library_is_excluded_by_its_structure_keys() {
    let folder = Folder::new();
    let input = library(&folder);
    let (first, second) = (folder.path("first"), folder.out());
    let half = folder.write("half.smi", smiles_lines(300));
    dedup("", &half, &first).run().ends_with(0);
    dedup("", &input, &second)
        .arg("--exclude")
        .arg(&first)
        .run()
        .ends_with(4);
    let (all, before) = (by_rdkit(&input), by_rdkit(&half));
    let rest: BTreeMap<_, _> = all
        .into_iter()
        .filter(|(row, _)| !before.contains_key(row))
        .collect();
    assert_eq!(kept(&second, "smiles"), rest);
    // A run with another kind of key is refused.
    let other = folder.path("other");
    Molsieve::new("run")
        .input(&half)
        .output(&other)
        .run()
        .ends_with(0);
    let refused = dedup("", &input, &folder.path("third"))
        .arg("--exclude")
        .arg(&other)
        .run();
    refused.refuses(3, &["structure_key", "--key"]);
}

#[test]
fn keys_of_another_definition_are_refused() {
    let folder = Folder::new();
    let input = folder.write("half.smi", smiles_lines(30));
    let first = folder.path("first");
    dedup("", &input, &first).run().ends_with(0);
    let manifest = first.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let own = format!("\"key_definition\": {DEFINITION},");
    for (other, said) in [
        ("\"key_definition\": 1,", "are of definition 1,"),
        ("", "are of an earlier definition,"),
    ] {
        assert!(text.contains(&own), "{text}");
        std::fs::write(&manifest, text.replace(&own, other)).unwrap();
        let again = dedup("", &input, &folder.path("again"))
            .arg("--exclude")
            .arg(&first)
            .run();
        again.refuses(3, &["--exclude", said, "run it again"]);
    }
}

#[test]
fn a_run_by_structure_keys_keeps_the_products_that_one_by_canonical_smiles_keeps() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(60));
    let rules = crate::kit::library::shipped_rules();
    let outs = ["canonical", "structure"].map(|key| {
        let out = folder.path(key);
        let run = Molsieve::new("run --key")
            .arg(key)
            .input(&input)
            .rules(&rules)
            .output(&out);
        run.run().ends_with(0);
        out
    });
    let rows = |out: &PathBuf| -> usize { batches(out).iter().map(|batch| batch.num_rows()).sum() };
    assert_eq!(rows(&outs[0]), rows(&outs[1]));
    assert_eq!(kept(&outs[0], "smiles"), kept(&outs[1], "smiles"));
    assert!(
        batches(&outs[1])[0]
            .column_by_name("structure_key")
            .is_some()
    );
    assert!(batches(&outs[1])[0].column_by_name("key").is_none());
}

#[test]
fn meaningless_combinations_are_refused() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "CCO\n");
    let out = folder.out();
    // These are flags of molsieve run.
    let rules = crate::kit::library::shipped_rules();
    for run in [
        dedup("--properties", &input, &out).run(),
        dedup("", &input, &out).rules(&rules).run(),
        dedup("--key canonical", &input, &out).run(),
    ] {
        let run = run.ends_with(2);
        assert!(run.stderr.contains("unexpected argument"), "{}", run.stderr);
        assert!(
            run.stderr.contains("is a flag of 'molsieve run'"),
            "{}",
            run.stderr
        );
        crate::kit::assert_absent(&out);
    }
    let run = Molsieve::new("run --check 5").input(&input).output(&out);
    let run = run.run().ends_with(2);
    assert!(
        run.stderr
            .contains("'--check' is a flag of 'molsieve dedup'"),
        "{}",
        run.stderr
    );
    dedup("--check 2000000", &input, &out)
        .run()
        .refuses(2, &["--check"]);
    let job = folder.write(
        "job.toml",
        format!(
            "task = 'dedup'\ninput = ['{}']\noutput = '{}'\n",
            input.display(),
            out.display()
        ),
    );
    Molsieve::new("run").arg(&job).run().ends_with(0);
    assert_eq!(kept(&out, "smiles").len(), 1);
}

#[test]
fn a_killed_dedup_resumes_and_writes_the_same_files() {
    let folder = Folder::new();
    let (input, out) = (library(&folder), folder.out());
    let flags = "--threads 2 --part-size 64KiB --canonical";
    dedup(flags, &input, &out).run().ends_with(4);
    let expected = output::part_bytes(&out);
    assert!(expected.len() > 1, "several parts: {}", expected.len());
    // A separate TMPDIR contains only files of this run.
    let out = folder.path("killed");
    let mut running = dedup(flags, &input, &out).start();
    assert!(
        crate::kit::daemon::within(std::time::Duration::from_secs(60), || {
            output::part(&out, 0).exists()
                && !output::names(&out)
                    .iter()
                    .any(|name| name == "manifest.json")
        }),
        "it never stood between its first part and its end"
    );
    running.kill();
    drop(running);
    Molsieve::new("dedup --resume")
        .output(&out)
        .run()
        .ends_with(4);
    assert_complete(&out);
    assert!(output::part_bytes(&out) == expected);
    let resumed = output::manifest(&out)["interruptions"].as_u64();
    assert_eq!(resumed, Some(1));
}

/// Invalid SMILES, each for another reason: syntax, an unknown element, an open ring, a valence, an aromatic ring that
/// can't be kekulized; and one over the length limit.
const UNREADABLE: [&str; 7] = [
    "C1CC",
    "CC(C",
    "CCXC",
    "C(C)(C)(C)(C)C",
    "c1cccc1",
    "CC[Zz]",
    "C[C@H](N)C)",
];

#[test]
fn dedup_run_and_key_give_the_same_reasons_and_positions() {
    let folder = Folder::new();
    let input = folder.write("a.smi", format!("CCO\n{}\n", UNREADABLE.join("\n")));
    let out = folder.out();
    dedup("", &input, &out).run().ends_with(4);
    let by_dedup = output::rejects(&out);
    Molsieve::new("run --overwrite")
        .input(&input)
        .rules(crate::kit::library::shipped_rules())
        .output(&out)
        .run()
        .ends_with(4);
    assert_eq!(by_dedup, output::rejects(&out));
    assert_eq!(by_dedup.len(), UNREADABLE.len());
    let positions = by_dedup
        .iter()
        .filter(|reject| reject.reason.contains("at position "));
    assert!(positions.count() >= 3, "{by_dedup:?}");
    for reject in &by_dedup {
        let run = Molsieve::new("key").arg(&reject.text).run().ends_with(4);
        let expected = format!("error: {}\t{}\n", reject.reason, reject.text);
        assert_eq!(run.stdout, expected);
    }
}
