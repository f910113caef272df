//! Filters of products and parents: what they leave, what they count, what they explain.

use std::{fs, path::Path};

use arrow::{array::AsArray, record_batch::RecordBatch};
use serde_json::{Value, json};

use crate::kit::{
    Folder, Molsieve, Python, args,
    library::{THREE_RULES, rule_file, shipped_library, shipped_rules, smiles_lines},
    output::{self, assert_complete, manifest},
};

/// The job with further flags, which may have blanks in them.
fn given(job: Molsieve, flags: &[&str]) -> Molsieve {
    flags.iter().fold(job, |job, flag| job.arg(flag))
}

/// Runs a job over the shipped rules and some molecules; returns its output.
fn run(folder: &Folder, name: &str, flags: &[&str]) -> std::path::PathBuf {
    let input = folder.write("a.smi", smiles_lines(25));
    let out = folder.path(name);
    given(Molsieve::new("run --memory 512MiB"), flags)
        .input(input)
        .rules(shipped_rules())
        .output(&out)
        .run()
        .ends_with(0);
    assert_complete(&out);
    out
}

/// Compares filtered outputs with RDKit in Python.
fn compare(python: &Python, folder: &Folder, unfiltered: &Path, cases: &[Value]) {
    let file = folder.write("cases.json", json!(cases).to_string());
    let compared = python.oracle("filters.py", args![unfiltered, file]);
    assert_eq!(compared.code, Some(0), "{compared:#?}");
    assert_eq!(
        compared.stdout.matches(": equal\n").count(),
        cases.len(),
        "{compared:#?}"
    );
}

#[test]
fn conditions_on_each_property_leave_what_rdkit_says() {
    let Some(python) = Python::find("filters against RDKit in Python") else {
        return;
    };
    let folder = Folder::new();
    let all = run(&folder, "all", &[]);
    let conditions = [
        "mw <= 420",
        "clogp < 3.2",
        "tpsa >= 86.99",
        "hbd == 2",
        "hba != 5",
        "rotatable_bonds <= 4",
        "exact_mass > 380.1",
        "heavy_atoms < 27",
        "rings >= 4",
        "aromatic_rings <= 2",
        "fraction_csp3 >= 0.25",
        "charge == 0",
        "stereo_centres > 1",
    ];
    let mut cases = Vec::new();
    for condition in conditions {
        let property = condition.split(' ').next().unwrap();
        let out = run(&folder, property, &["--where", condition]);
        cases.push(json!({ "filtered": out, "where": [condition] }));
    }
    // Values that many products have to the last digit: sums in another order of atoms must not decide otherwise.
    let tight = ["tpsa <= 86.99", "mw > 286.239"];
    let flags = [
        "--where",
        tight[0],
        "--where",
        tight[1],
        "--properties",
        "mw",
    ];
    let out = run(&folder, "tight", &flags);
    cases.push(json!({ "filtered": out, "where": tight }));
    let out = run(
        &folder,
        "reference",
        &[
            "--where",
            tight[0],
            "--where",
            tight[1],
            "--chemistry",
            "reference",
        ],
    );
    cases.push(json!({ "filtered": out, "where": tight }));
    compare(&python, &folder, &all, &cases);
}

#[test]
fn alerts_and_smarts_leave_what_rdkit_says() {
    let Some(python) = Python::find("alerts against RDKit in Python") else {
        return;
    };
    let folder = Folder::new();
    let all = run(&folder, "all", &[]);
    let mut cases = Vec::new();
    for catalogues in ["pains", "brenk,nih", "zinc,chembl"] {
        let out = run(&folder, catalogues, &["--alerts", catalogues]);
        let names: Vec<_> = catalogues.split(',').collect();
        cases.push(json!({ "filtered": out, "alerts": names }));
    }
    let list = folder.write(
        "some.smarts",
        "# a list\n[N+](=O)[O-]\tnitro\n\n[$(C(=O)[OX2H1])] acid\nc1ccc2ccccc2c1\n",
    );
    let file = list.to_str().unwrap();
    let [require, reject] = ["[OX2H]c1ccccc1", "[CX3]=[CX3]"];
    let flags = [
        "--require-smarts",
        require,
        "--reject-smarts",
        reject,
        "--reject-smarts",
        file,
    ];
    let out = run(&folder, "smarts", &flags);
    cases.push(
        json!({ "filtered": out, "require_smarts": [require], "reject_smarts": [reject, file] }),
    );
    let flags = [
        "--require-smarts",
        file,
        "--where",
        "mw < 600",
        "--alerts",
        "brenk",
    ];
    let out = run(&folder, "mixed", &flags);
    cases.push(json!({ "filtered": out, "require_smarts": [file], "where": ["mw < 600"], "alerts": ["brenk"] }));
    compare(&python, &folder, &all, &cases);
}

/// Filters of parents: as if the library had been filtered before, and counted.
#[test]
fn filtered_parents_are_not_transformed() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(60) + "C1CC broken\n");
    let rules = rule_file(&folder, &THREE_RULES);
    let job = |flags: &str, out: &str, expected| {
        Molsieve::new("run --memory 256MiB")
            .args(flags)
            .input(&input)
            .rules(&rules)
            .output(folder.path(out))
            .run()
            .ends_with(expected);
        output::rows(&folder.path(out))
    };
    let all = job("", "all", 4);
    let described = Molsieve::new("run --properties mw --memory 256MiB")
        .input(&input)
        .output(folder.path("described"))
        .run();
    described.ends_with(4);
    let (_, batches) = output::read_parquet(&output::part(&folder.path("described"), 0));
    let light: Vec<String> = batches.iter().flat_map(light_parents).collect();
    assert!(light.len() > 5 && light.len() < 55, "{}", light.len());
    let kept = job(
        "--parent-where mw<300 --parent-reject-smarts [Br]",
        "light",
        4,
    );
    // A product of a heavy parent that a light one makes too has the light one as its parent now.
    let of_light = all
        .iter()
        .filter(|row| light.contains(&row.parent_id))
        .count();
    assert!(kept.len() >= of_light && of_light > 0);
    assert!(kept.iter().all(|row| light.contains(&row.parent_id)));
    let manifest = manifest(&folder.path("light"));
    let counts = &manifest["counts"];
    assert_eq!(counts["parents_filtered"], 60 - light.len() as u64);
    assert_eq!(counts["parents_rejected"], 1);
    assert_eq!(counts["parents_transformed"], light.len() as u64);
    assert_eq!(manifest["by_filter"][0]["filter"], "parent where mw < 300");
    assert_eq!(
        manifest["by_filter"][0]["left_out"],
        60 - light.len() as u64
    );
}

fn light_parents(batch: &RecordBatch) -> Vec<String> {
    let ids = batch
        .column_by_name("parent_id")
        .unwrap()
        .as_string::<i32>();
    let mw = batch
        .column_by_name("mw")
        .unwrap()
        .as_primitive::<arrow::datatypes::Float64Type>();
    let rows = 0..batch.num_rows();
    rows.filter(|row| mw.value(*row) < 300.0)
        .map(|row| ids.value(row).to_owned())
        .collect()
}

/// What is filtered out is no parent of the next step; with --filter-last it is.
#[test]
fn filters_act_between_steps() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(25));
    let rules = rule_file(&folder, &THREE_RULES);
    let job = |flags: &str, input: &Path, out: &str| {
        let out = folder.path(out);
        Molsieve::new("run --memory 256MiB")
            .args(flags)
            .input(input)
            .rules(&rules)
            .output(&out)
            .run()
            .ends_with(0);
        out
    };
    let condition = "--where hbd<=3";
    let two = job(&format!("--steps 2 {condition}"), &input, "two");
    // The same by hand: a job over the filtered products of the first.
    let first = job(condition, &input, "first");
    let second = job(condition, &first, "second");
    let smiles = |out: &Path| -> Vec<String> {
        output::rows(out)
            .into_iter()
            .map(|row| row.smiles)
            .collect()
    };
    let made_first = smiles(&first);
    let mut expected = smiles(&second);
    expected.retain(|smiles| !made_first.contains(smiles));
    let found = smiles(&two);
    assert_eq!(found[..made_first.len()], made_first);
    assert_eq!(found[made_first.len()..], expected);
    let steps = &manifest(&two)["steps"];
    assert!(steps[0]["counts"]["products_filtered"].as_u64() > Some(0));
    assert_eq!(steps[0]["by_filter"][0]["filter"], "where hbd <= 3");

    let last = job(
        &format!("--steps 2 --filter-last {condition}"),
        &input,
        "last",
    );
    let unfiltered = job("", &input, "unfiltered");
    let found_last = smiles(&last);
    let all_first = smiles(&unfiltered);
    assert_eq!(found_last[..all_first.len()], all_first);
    assert!(all_first.len() > made_first.len());
    let steps = &manifest(&last)["steps"];
    assert_eq!(steps[0]["counts"]["products_filtered"], 0);
    assert!(steps[1]["counts"]["products_filtered"].as_u64() > Some(0));

    // A table of a job file has filters of its own.
    let tables = format!(
        "input = ['a.smi']\noutput = 'tables'\nmemory = '256MiB'\n[[step]]\nrules = ['rules.toml']\n[[step]]\nrules = ['rules.toml']\n{}\n",
        "where = ['hbd <= 3']"
    );
    let file = folder.write("job.toml", tables);
    Molsieve::new("run").arg(file).run().ends_with(0);
    assert_eq!(smiles(&folder.path("tables")), found_last);
}

#[test]
fn drops_are_explained_by_a_sample_that_threads_do_not_change() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(80));
    let invalid = "[[rule]]\nname = \"third_bond\"\nsmirks = \"[OX2H:1]>>[O:1](C)C\"\n";
    let rules = folder.write(
        "rules.toml",
        fs::read_to_string(rule_file(&folder, &THREE_RULES)).unwrap() + invalid,
    );
    let list = folder.write("list.smarts", "[F] fluorine\n[#6]=O carbonyl\n");
    let mut bytes = Vec::new();
    for threads in ["1", "2", "7"] {
        let out = folder.path(threads);
        let flags = [
            "--explain-drops",
            "5",
            "--where",
            "mw <= 300",
            "--alerts",
            "pains",
            "--reject-smarts",
            list.to_str().unwrap(),
            "--parent-where",
            "hbd <= 6",
            "--threads",
            threads,
        ];
        let run = given(Molsieve::new("run --memory 512MiB"), &flags)
            .input(&input)
            .rules(&rules)
            .output(&out)
            .run()
            .ends_with(0);
        assert!(run.stdout.contains("drops.parquet has"), "{run:#?}");
        assert!(run.stdout.contains("  filtered   "), "{run:#?}");
        bytes.push(fs::read(out.join("drops.parquet")).unwrap());
    }
    assert!(bytes[0] == bytes[1] && bytes[0] == bytes[2]);
    let (_, batches) = output::read_parquet(&folder.path("1").join("drops.parquet"));
    let [drops] = &batches[..] else {
        panic!("one batch of few rows");
    };
    let column = |name: &str| -> Vec<String> {
        let texts = drops.column_by_name(name).unwrap().as_string::<i32>();
        texts
            .iter()
            .map(|text| text.unwrap_or_default().to_owned())
            .collect()
    };
    let (kinds, filters, reasons) = (column("kind"), column("filter"), column("reason"));
    let of = |filter: &str| -> Vec<&String> {
        reasons
            .iter()
            .zip(&filters)
            .filter(|(_, of)| *of == filter)
            .map(|(reason, _)| reason)
            .collect()
    };
    assert_eq!(of("where mw <= 300").len(), 5);
    assert!(
        of("where mw <= 300")
            .iter()
            .all(|reason| reason.starts_with("mw is "))
    );
    assert!(
        of("reject list.smarts")
            .iter()
            .all(|reason| ["matches fluorine", "matches carbonyl"].contains(&reason.as_str()))
    );
    assert!(
        of("parent where hbd <= 6")
            .iter()
            .all(|reason| reason.starts_with("hbd is "))
    );
    let invalid: Vec<_> = reasons
        .iter()
        .zip(&kinds)
        .filter(|(_, kind)| *kind == "invalid")
        .collect();
    assert_eq!(invalid.len(), 5);
    assert!(
        invalid.iter().all(|(reason, _)| reason.contains("valence")),
        "{invalid:?}"
    );
}

/// A product with open centres becomes its stereoisomers.
#[test]
fn open_centres_are_expanded_as_rdkit_enumerates_them() {
    let folder = Folder::new();
    let input = folder.write(
        "a.smi",
        "CC(O)C(N)c1ccccc1O a\nC=CC(F)Cl b\nOc1ccccc1 c\nCC(O)CC(O)C d\nO[C@H](F)Cc1ccccc1O e\n",
    );
    let rules = rule_file(&folder, &THREE_RULES);
    let job = |flags: &str, out: &str| {
        let out = folder.path(out);
        Molsieve::new("run --memory 256MiB")
            .args(flags)
            .input(&input)
            .rules(&rules)
            .output(&out)
            .run()
            .ends_with(0);
        out
    };
    let flat = job("", "flat");
    let expanded = job(
        "--expand-stereo 64 --properties stereo_centres,mw",
        "expanded",
    );
    let few = job("--expand-stereo 2", "few");
    let counts = &manifest(&expanded)["counts"];
    assert!(counts["products_expanded"].as_u64() > Some(0));
    assert_eq!(counts["products_expanded_in_part"], 0);
    assert!(manifest(&few)["counts"]["products_expanded_in_part"].as_u64() > Some(0));
    let Some(python) = Python::find("stereoisomers against RDKit in Python") else {
        return;
    };
    let compared = python.oracle("stereoisomers.py", args![flat.clone(), expanded]);
    assert_eq!(compared.code, Some(0), "{compared:#?}");
    let compared = python.oracle("stereoisomers.py", args!["--most", "2", flat, few]);
    assert_eq!(compared.code, Some(0), "{compared:#?}");
}

#[test]
fn a_bad_filter_is_refused_in_a_few_lines() {
    let folder = Folder::new();
    let empty = folder.write("empty.smarts", "# nothing\n");
    let bad = folder.write("bad.smarts", "[#6]\n[#6\n");
    let (empty, bad) = (empty.to_str().unwrap(), bad.to_str().unwrap());
    for (flags, code, words) in [
        (
            &["--where", "weight < 3"][..],
            2,
            "there is no property \"weight\"",
        ),
        (&["--where", "mw < < 3"], 2, "\n       ^"),
        (&["--where", "mw"], 2, "a comparison is missing"),
        (
            &["--alerts", "pains,toxic"],
            2,
            "there is no catalogue \"toxic\"",
        ),
        (
            &["--reject-smarts", "[N+](=O"],
            3,
            "RDKit cannot read this SMARTS",
        ),
        (
            &["--require-smarts", bad],
            3,
            "bad.smarts:2: RDKit cannot read this SMARTS",
        ),
        (
            &["--require-smarts", "@missing"],
            3,
            "missing: there is no such file",
        ),
        (
            &["--reject-smarts", empty],
            3,
            "empty.smarts has no SMARTS in it",
        ),
        (&["--explain-drops", "0"], 2, "is not between 1 and 10000"),
        (
            &["--explain-drops", "9000", "--where", "mw < 3"],
            2,
            "at most 8192 of each",
        ),
        (&["--expand-stereo", "0"], 2, "is not between 1 and 1024"),
    ] {
        let run = given(Molsieve::new("run"), flags)
            .input(shipped_library())
            .output(folder.out())
            .run()
            .ends_with(code);
        assert!(run.stderr.contains(words), "{flags:?}: {}", run.stderr);
        assert!(run.stderr.lines().count() <= 7, "{}", run.stderr);
        assert!(!folder.out().exists());
    }
}
