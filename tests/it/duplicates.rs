//! `molsieve dedup --duplicates`: which rows were merged into which.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use arrow::array::AsArray;

use crate::kit::{
    Folder, Molsieve, Python, daemon,
    library::{parquet_file, shipped_molecules, smiles_lines},
    output::{self, assert_complete, read_parquet},
};

/// A library in three files: CSV with prices, Parquet, SMILES. Each molecule occurs four times and more, some in other writings,
/// and some rows can't be used.
fn library(folder: &Folder) -> Vec<PathBuf> {
    let molecules = shipped_molecules(500);
    let mut table = String::from("id,price,smiles\n");
    for (number, (id, smiles)) in molecules.iter().enumerate() {
        for vendor in 0..number % 4 {
            table += &format!("\"{id}, {vendor}\",{number}.5,{smiles}\n");
        }
        // Another writing of the same molecule, and one of another molecule.
        table += &format!("{id} salt,1,{smiles}.Cl\n\"{id} salt, again\",2,Cl.{smiles}\n");
    }
    let table = folder.write("a.csv", table + "broken,3,C1CC\n");
    let parquet = folder.path("b.parquet");
    let reversed: Vec<_> = molecules.iter().rev().cloned().collect();
    parquet_file(&parquet, ["id", "smiles"], &reversed, 100);
    let lines = smiles_lines(300);
    let ethanol = "OCC one\nC(C)O two\n[CH3][CH2][OH] three\nnonsense x\n";
    let lines = folder.write("c.smi", format!("{lines}{ethanol}{lines}"));
    vec![table, parquet, lines]
}

/// Most rows are *maybe* rows and most of those false positives, and there are several parts.
const SMALL: &str =
    "--part-size 64KiB --expected-products 1 --false-positive-rate 0.5 --slot-size 512KiB";

fn dedup(inputs: &[PathBuf], flags: &str, out: &Path) -> Molsieve {
    let run = Molsieve::new("dedup --overwrite --duplicates --memory 256MiB").args(flags);
    inputs.iter().fold(run, Molsieve::input).output(out)
}

fn assert_is_join(python: &Python, inputs: &[PathBuf], out: &Path) -> String {
    assert_complete(out);
    let mut words: Vec<OsString> = vec![out.into()];
    words.extend(inputs.iter().map(OsString::from));
    let compared = python.oracle("duplicates.py", &words);
    assert_eq!(compared.code, Some(0), "{compared:#?}");
    assert!(compared.stdout.ends_with("equal\n"), "{compared:#?}");
    compared.stdout
}

fn duplicates(out: &Path) -> Vec<u8> {
    fs::read(out.join("duplicates.parquet")).unwrap()
}

#[test]
fn every_row_that_was_merged_is_listed_as_by_duckdb() {
    let Some(python) = Python::find("duplicates by DuckDB") else {
        return;
    };
    let folder = Folder::new();
    let (inputs, out) = (library(&folder), folder.out());
    for flags in ["", SMALL, "--canonical --check 100"] {
        let run = dedup(&inputs, flags, &out).run().ends_with(4);
        assert_is_join(&python, &inputs, &out);
        let manifest = output::manifest(&out);
        let rows = manifest["duplicates"]["rows"].as_u64().unwrap();
        assert_eq!(
            Some(rows),
            manifest["counts"]["products_duplicate"].as_u64()
        );
        assert!(rows > 1_000, "{rows}");
        let said = "duplicates.parquet says into which row each";
        assert!(run.stdout.contains(said), "{}", run.stdout);
        let settled = manifest["filter"]["products_settled"].as_u64().unwrap();
        assert!(flags != SMALL || settled > 300, "{settled}");
    }
    // What an excluded output has is merged into no row of this one.
    let first = folder.path("first");
    let half = folder.write("half.smi", smiles_lines(100));
    let run = Molsieve::new("dedup").input(&half).output(&first);
    run.run().ends_with(0);
    let run = dedup(&inputs, SMALL, &out).arg("--exclude").arg(&first);
    run.run().ends_with(4);
    let said = assert_is_join(&python, &inputs, &out);
    assert!(!said.contains(" 0 without a kept row"), "{said}");
    // With --dedup bloom too: a lost molecule has no kept row.
    dedup(&inputs, &format!("{SMALL} --dedup bloom"), &out)
        .run()
        .ends_with(4);
    assert_is_join(&python, &inputs, &out);
}

#[test]
fn the_file_is_the_same_with_any_threads_and_engine() {
    let folder = Folder::new();
    let (inputs, out) = (library(&folder), folder.out());
    dedup(&inputs, &format!("{SMALL} --threads 1 --engine cpu"), &out)
        .run()
        .ends_with(4);
    let expected = duplicates(&out);
    let mut ways = vec!["--threads 2 --engine cpu", "--threads 7 --engine cpu"];
    if !molsieve::sieve::wgpu::adapters().is_empty() {
        ways.push("--threads 2 --engine wgpu --memory 768MiB");
    }
    for way in ways {
        let run = Molsieve::new("dedup --overwrite --duplicates").args(SMALL);
        let run = match way.contains("--memory") {
            true => run,
            false => run.args("--memory 256MiB"),
        };
        let run = inputs.iter().fold(run.args(way), Molsieve::input);
        let run = run.env("MOLSIEVE_ADAPTER", "0").output(&out);
        run.run().ends_with(4);
        assert!(duplicates(&out) == expected, "{way}");
    }
}

#[test]
fn a_killed_run_resumes_and_writes_the_same_file() {
    let folder = Folder::new();
    let inputs = library(&folder);
    // Many times over, so that there is time to kill it.
    let inputs = vec![inputs; 20].concat();
    let expected = folder.path("whole");
    dedup(&inputs, SMALL, &expected).run().ends_with(4);
    let out = folder.out();
    let job = |out: &Path| {
        let run = dedup(&inputs, SMALL, out).env("MOLSIEVE_CHECKPOINT_SECONDS", "0.01");
        run.start()
    };
    let work = out.join(".molsieve");
    // While rows are read, while they are settled, while duplicates are sorted.
    let moments: [&dyn Fn() -> bool; 3] = [
        &|| work.join("checkpoint").exists() && output::part(&out, 0).exists(),
        &|| work.join("survivors").exists(),
        &|| work.join("duplicates").exists(),
    ];
    let mut killed = 0;
    for moment in moments {
        let mut running = job(&out);
        daemon::within(Duration::from_secs(60), || {
            moment() || out.join("manifest.json").exists()
        });
        running.kill();
        drop(running);
        let resumed = Molsieve::new("dedup --resume").output(&out).run();
        let resumed = resumed.ends_with(4);
        killed += usize::from(!resumed.stdout.contains("nothing to resume"));
        assert_complete(&out);
        assert!(duplicates(&out) == duplicates(&expected));
        assert!(output::part_bytes(&out) == output::part_bytes(&expected));
    }
    assert!(killed > 0, "it was never killed before its end");
}

#[test]
fn a_library_without_repeats_gives_an_empty_table() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "CCO a\nCCN b\n");
    let out = folder.out();
    dedup(&[input], "", &out).run().ends_with(0);
    assert_complete(&out);
    let (schema, batches) = read_parquet(&out.join("duplicates.parquet"));
    let names: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names, ["row", "id", "smiles", "kept_row", "kept_id"]);
    assert!(batches.iter().all(|batch| batch.num_rows() == 0));
    // It goes with the other files of the job.
    let plain = Molsieve::new("dedup --overwrite").input(folder.path("a.smi"));
    plain.output(&out).run().ends_with(0);
    assert_complete(&out);
    let run = Molsieve::new("run --duplicates").input(folder.path("a.smi"));
    let run = run.output(folder.path("other")).run().ends_with(2);
    assert!(
        run.stderr
            .contains("'--duplicates' is a flag of 'molsieve dedup'"),
        "{}",
        run.stderr
    );
}

/// A vendor's salt is found again by what the vendor wrote.
#[test]
fn a_row_that_was_cleaned_is_listed_as_read() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "OCCN a\nOCCN.Cl b\nOCC[NH3+].[Cl-] c\nNCCO d\n");
    let out = folder.out();
    dedup(&[input], "--clean", &out).run().ends_with(0);
    let (_, batches) = read_parquet(&out.join("duplicates.parquet"));
    let smiles = batches[0].column_by_name("smiles").unwrap();
    let smiles: Vec<_> = smiles.as_string::<i32>().iter().flatten().collect();
    assert_eq!(smiles, ["OCCN.Cl", "OCC[NH3+].[Cl-]", "NCCO"]);
}
