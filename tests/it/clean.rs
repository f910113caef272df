//! `--clean` against RDKit's MolStandardize in Python, and what a user sees of it.

use std::path::{Path, PathBuf};

use crate::kit::{
    Folder, Molsieve, Python, args,
    library::{rule_file, shipped_library},
    output::{self, assert_complete, counted, manifest, read_parquet},
};
use arrow::array::AsArray;

/// A dirty catalogue of so many rows, made of the shipped natural products.
fn catalogue(python: &Python, folder: &Folder, rows: &str) -> PathBuf {
    let path = folder.path("dirty.smi");
    let mut words = args![shipped_library(), &path].to_vec();
    words.extend_from_slice(args!["--rows", rows, "--clean-share", "0.2"]);
    python.oracle("dirty.py", &words).ends_with(0);
    path
}

/// Compares `dedup` and `run` with RDKit, for each set of steps.
fn compare(python: &Python, catalogue: &Path, steps: &[&str], more: &[&str]) -> String {
    let mut words = args!["--molsieve", env!("CARGO_BIN_EXE_molsieve")].to_vec();
    words.extend(
        steps
            .iter()
            .flat_map(|steps| ["--steps", steps])
            .map(Into::into),
    );
    words.extend(more.iter().map(Into::into));
    words.push(catalogue.into());
    python.oracle("clean.py", &words).ends_with(0).stdout
}

#[test]
fn a_dirty_catalogue_is_cleaned_as_rdkit_cleans_it_slow() {
    let Some(python) = Python::find("cleaning against RDKit in Python") else {
        return;
    };
    let folder = Folder::new();
    let dirty = catalogue(&python, &folder, "1200");
    let steps = ["fragment,uncharge", "cleanup", "fragment,stereo"];
    let said = compare(&python, &dirty, &steps, &[]);
    assert_eq!(said.matches(" 0 differences").count(), 6, "{said}");
    let said = compare(&python, &dirty, &steps[..1], &["--sdf", "--verb", "dedup"]);
    assert!(said.contains(" 0 differences"), "{said}");
}

#[test]
fn tautomers_are_those_of_rdkit_slow() {
    let Some(python) = Python::find("tautomers against RDKit in Python") else {
        return;
    };
    let folder = Folder::new();
    let dirty = catalogue(&python, &folder, "60");
    let said = compare(&python, &dirty, &["fragment,uncharge,tautomer,stereo"], &[]);
    assert_eq!(said.matches(" 0 differences").count(), 2, "{said}");
}

/// The texts of a column in all parts.
fn column(out: &Path, name: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for part in output::parts(out) {
        for batch in read_parquet(&part).1 {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            texts.extend(column.iter().map(|text| text.unwrap().to_owned()));
        }
    }
    texts
}

const SALTS: &str = "CC(=O)[O-].[Na+] acetate\nOCc1ccccc1 alcohol\nCS(C)=O sulfoxide\nc1ccccc1O.Cl phenol\nCC(=O)O acid\n";

#[test]
fn what_cleaning_did_is_in_the_columns_the_manifest_and_the_summary() {
    let folder = Folder::new();
    let input = folder.write("a.smi", SALTS);
    let ran = Molsieve::new("dedup --clean")
        .input(&input)
        .output(folder.out())
        .run()
        .ends_with(0);
    assert_complete(&folder.out());
    let rows = ["CC(=O)O", "OCc1ccccc1", "C[S+](C)[O-]", "Oc1ccccc1"];
    assert_eq!(column(&folder.out(), "smiles"), rows);
    let read = ["CC(=O)[O-].[Na+]", "OCc1ccccc1", "CS(C)=O", "c1ccccc1O.Cl"];
    assert_eq!(column(&folder.out(), "input_smiles"), read);
    assert_eq!(counted(&folder.out(), "parents_cleaned"), 3);
    let cleaning = &manifest(&folder.out())["cleaning"];
    let changed_by = serde_json::json!({ "cleanup": 1, "fragment": 2, "uncharge": 1 });
    assert_eq!(cleaning["changed_by"], changed_by);
    assert_eq!(cleaning["by_rdkit"], 1);
    let line = "cleaned    3 molecules changed: 1 by cleanup, 2 by fragment, 1 by uncharge";
    assert!(ran.stdout.contains(line), "{}", ran.stdout);

    let out = folder.path("canonical");
    let job = Molsieve::new("dedup --clean --canonical").input(&input);
    job.output(&out).run().ends_with(0);
    assert_eq!(column(&out, "smiles"), rows);
    assert_eq!(column(&out, "parent_smiles")[1], "OCc1ccccc1");
    assert_eq!(column(&out, "input_smiles"), read);
}

#[test]
fn rules_are_applied_to_the_molecules_after_cleaning() {
    let folder = Folder::new();
    let input = folder.write("a.smi", SALTS);
    let rules = rule_file(
        &folder,
        &[("ester", "[CX3:1](=[O:2])[OX2H:3]>>[C:1](=[O:2])[O:3]C")],
    );
    let job = |flags: &str, out: &Path| {
        let job = Molsieve::new("run").args(flags).input(&input).rules(&rules);
        job.output(out).run().ends_with(0);
    };
    let one = folder.path("one");
    job("--clean", &one);
    assert_eq!(column(&one, "smiles"), ["COC(C)=O"]);
    assert_eq!(column(&one, "parent_smiles"), ["CC(=O)O"]);
    assert_eq!(column(&one, "input_smiles"), ["CC(=O)[O-].[Na+]"]);
    // Without cleaning, the acid itself is the first with this product.
    let plain = folder.path("plain");
    job("", &plain);
    assert_eq!(column(&plain, "parent_smiles"), ["CC(=O)O"]);
    assert!(manifest(&plain).get("cleaning").is_none());
}

#[test]
fn only_molecules_of_the_library_are_cleaned_in_a_job_of_several_steps() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "CC[NH3+].[Cl-] amine\nCCCN.Cl homologue\n");
    let rules = rule_file(
        &folder,
        &[
            ("salt", "[CX4H3:1]>>[CH2:1]C(=O)[O-]"),
            ("chain", "[CX4H3:1]>>[CH2:1]C"),
        ],
    );
    let job = |flags: &str, out: &Path| {
        let job = Molsieve::new("run --steps 2 --clean").args(flags);
        let job = job.input(&input).rules(&rules);
        job.output(out).run().ends_with(0);
        assert_complete(out);
    };
    let all = folder.path("all");
    job("", &all);
    let [smiles, parents, read] =
        ["smiles", "parent_smiles", "input_smiles"].map(|name| column(&all, name));
    assert!(
        smiles.iter().all(|smiles| !smiles.contains("NH3+")),
        "{smiles:?}"
    );
    assert!(
        smiles.iter().any(|smiles| smiles.contains("[O-]")),
        "{smiles:?}"
    );
    for (parent, read) in parents.iter().zip(&read) {
        match parent.as_str() {
            "CCN" => assert_eq!(read, "CC[NH3+].[Cl-]"),
            "CCCN" if read != parent => assert_eq!(read, "CCCN.Cl"),
            _ => assert_eq!(read, parent),
        }
    }
    // What is left out is the library after cleaning.
    let new = folder.path("new");
    job("--new-only", &new);
    assert!(smiles.iter().any(|smiles| smiles == "CCCN"));
    assert!(column(&new, "smiles").iter().all(|smiles| smiles != "CCCN"));
}

/// Rows that the filter takes for known ones go to the disk and come back with all their columns; the number of threads
/// changes nothing.
#[test]
fn the_columns_survive_settling_and_do_not_depend_on_threads() {
    let folder = Folder::new();
    let mut lines = String::new();
    for number in 0..900 {
        let chain = "C".repeat(number / 3 % 250 + 1);
        let text = match number % 3 {
            0 => format!("{chain}[NH3+].[Cl-]"),
            1 => format!("{chain}O"),
            _ => format!("{chain}S(C)=O"),
        };
        lines += &format!("{text} M{number}\n");
    }
    let input = folder.write("a.smi", lines);
    let rows = |flags: &str| {
        let out = folder.path(flags);
        let job = Molsieve::new("dedup --clean").args(flags).input(&input);
        job.output(&out).run().ends_with(0);
        let bytes = output::part_bytes(&out);
        let mut rows: Vec<_> = column(&out, "input_smiles")
            .into_iter()
            .zip(column(&out, "smiles"))
            .collect();
        rows.sort();
        (
            rows,
            bytes,
            manifest(&out)["filter"]["products_settled"].clone(),
        )
    };
    let (expected, bytes, _) = rows("--threads 1");
    assert_eq!(rows("--threads 2").1, bytes);
    let (settled, _, products) = rows("--expected-products 1 --false-positive-rate 0.5");
    assert!(products.as_u64().unwrap() > 50, "{products}");
    assert_eq!(settled, expected);
}

#[test]
fn an_unknown_step_is_refused_with_those_that_there_are() {
    let folder = Folder::new();
    let input = folder.write("a.smi", SALTS);
    let names = "there are cleanup, fragment, uncharge, tautomer, stereo";
    let job = Molsieve::new("run --clean=fragment,salts").input(&input);
    let refused = job.output(folder.out()).run().ends_with(2);
    assert!(
        refused.stderr.contains("\"salts\"") && refused.stderr.contains(names),
        "{}",
        refused.stderr
    );
    let text = "input = ['a.smi']\noutput = 'out'\nclean = ['salts']\n";
    let refused = Molsieve::new("run")
        .arg(folder.write("job.toml", text))
        .run();
    assert!(refused.stderr.contains(names), "{}", refused.stderr);
    let text = "input = ['a.smi']\noutput = 'out'\ntask = 'dedup'\nclean = ['stereo']\n";
    Molsieve::new("dedup")
        .arg(folder.write("job.toml", text))
        .run()
        .ends_with(0);
    let resolved = std::fs::read_to_string(folder.path("out/job.toml")).unwrap();
    assert!(
        resolved.contains("clean = [\"cleanup\", \"stereo\"]"),
        "{resolved}"
    );
}
