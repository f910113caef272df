//! `molsieve diff`: what only one of two outputs has.

use std::{
    fs,
    path::{Path, PathBuf},
};

use arrow::array::AsArray;

use crate::kit::{
    Folder, Molsieve, Python, args, assert_absent,
    library::{THREE_RULES, rule_file, shipped_rules, smiles_lines},
    output::{names, read_parquet, rows},
};

/// Two outputs of a library: with the shipped rules, and with three others. `flags`: of both jobs.
fn outputs(folder: &Folder, flags: &str) -> [PathBuf; 2] {
    let input = folder.write("a.smi", smiles_lines(150));
    [
        ("a", shipped_rules()),
        ("b", rule_file(folder, &THREE_RULES)),
    ]
    .map(|(name, rules)| {
        let out = folder.path(name);
        let run = Molsieve::new("run --part-size 64KiB --memory 256MiB").args(flags);
        let run = run.input(&input).rules(rules).output(&out).run();
        run.ends_with(0);
        out
    })
}

fn diff([a, b]: &[PathBuf; 2]) -> Molsieve {
    Molsieve::new("diff").arg(a).arg(b)
}

/// Compares the files and the counts with the set difference by DuckDB.
fn assert_is_set_difference(folder: &Folder, outputs: &[PathBuf; 2]) {
    let Some(python) = Python::find("set difference by DuckDB") else {
        return;
    };
    let out = folder.path("difference");
    let run = diff(outputs).args("--json --memory 128MiB").output(&out);
    let run = run.run().ends_with(0);
    let printed = folder.write("printed.json", &run.stdout);
    let [a, b] = outputs;
    let compared = python.oracle("diff.py", args![a, b, &out, printed]);
    assert_eq!(compared.code, Some(0), "{compared:#?}");
    assert!(compared.stdout.ends_with("equal\n"), "{compared:#?}");
    assert_eq!(names(&out), ["only-in-a.parquet", "only-in-b.parquet"]);
}

#[test]
fn two_rule_sets_differ_as_by_duckdb() {
    let folder = Folder::new();
    let outputs = outputs(&folder, "--properties");
    assert_is_set_difference(&folder, &outputs);
    let run = diff(&outputs).run().ends_with(0);
    for said in [
        format!("A  {}: ", outputs[0].display()),
        "\n  in both    ".into(),
        "\n  only in A  ".into(),
        "\n  only in B  ".into(),
        "\n    methylation ".into(),
    ] {
        assert!(run.stdout.contains(&said), "{said}: {}", run.stdout);
    }
    assert_eq!(run.stderr, "");
}

#[test]
fn steps_and_structure_keys_differ_as_by_duckdb() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(30));
    let outputs = ["1", "2"].map(|steps| {
        let out = folder.path(steps);
        let run = Molsieve::new("run --key structure --part-size 64KiB --memory 256MiB --steps 2");
        // The second job makes only a part of the first step.
        let run = run
            .args("--max-products-per-step")
            .arg(format!("{steps}50"));
        let run = run.input(&input).rules(rule_file(&folder, &THREE_RULES));
        run.output(&out).run().ends_with(0);
        out
    });
    assert_is_set_difference(&folder, &outputs);
    let run = diff(&outputs).run().ends_with(0);
    assert!(run.stdout.contains("\n    step 2   "), "{}", run.stdout);
}

#[test]
fn deduplicated_libraries_are_compared_and_the_files_are_the_same_with_any_threads() {
    let folder = Folder::new();
    let lines = smiles_lines(400);
    let lines: Vec<_> = lines.lines().collect();
    let halves = [lines[..300].join("\n"), lines[100..].join("\n")];
    let outputs = [("a", &halves[0]), ("b", &halves[1])].map(|(name, text)| {
        let input = folder.write(&format!("{name}.smi"), text);
        let out = folder.path(name);
        let run = Molsieve::new("dedup --part-size 64KiB").input(&input);
        run.output(&out).run().ends_with(0);
        out
    });
    assert_is_set_difference(&folder, &outputs);
    let read = |out: &Path| {
        let files = ["only-in-a.parquet", "only-in-b.parquet"];
        files.map(|name| fs::read(out.join(name)).unwrap())
    };
    let expected = read(&folder.path("difference"));
    for threads in ["1", "2", "7"] {
        let out = folder.path(threads);
        let run = diff(&outputs).args("--threads").arg(threads).output(&out);
        run.run().ends_with(0);
        assert!(read(&out) == expected, "{threads} threads");
    }
    // Without --output nothing is written.
    let before = names(&folder.path(""));
    let run = diff(&outputs).env("TMPDIR", folder.path("1")).run();
    assert!(!run.ends_with(0).stdout.contains("parquet"));
    assert_eq!(names(&folder.path("")), before);
    assert_eq!(
        names(&folder.path("1")).len(),
        2,
        "no temporary file is left"
    );
}

#[test]
fn equal_outputs_have_no_difference() {
    let folder = Folder::new();
    let [a, _] = outputs(&folder, "");
    let copy = folder.path("copy");
    fs::create_dir_all(copy.join("products")).unwrap();
    for part in names(&a.join("products")) {
        let name = format!("products/{part}");
        fs::copy(a.join(&name), copy.join(&name)).unwrap();
    }
    fs::copy(a.join("manifest.json"), copy.join("manifest.json")).unwrap();
    let out = folder.path("difference");
    let run = diff(&[a.clone(), copy]).output(&out).run().ends_with(0);
    assert!(run.stdout.contains("only in A  0"), "{}", run.stdout);
    assert!(run.stdout.contains("only in B  0"), "{}", run.stdout);
    let (schema, batches) = read_parquet(&out.join("only-in-a.parquet"));
    assert!(batches.iter().all(|batch| batch.num_rows() == 0));
    let (of_part, first) = read_parquet(&a.join("products/part-00000.parquet"));
    assert_eq!(schema.fields(), of_part.fields());
    assert_eq!(
        first[0]
            .column_by_name("smiles")
            .unwrap()
            .as_string::<i32>()
            .value(0),
        rows(&a)[0].smiles
    );
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let folder = Folder::new();
    let outputs = outputs(&folder, "");
    let [a, b] = &outputs;
    let input = folder.path("a.smi");
    let clean = folder.path("clean");
    let run = Molsieve::new("dedup").input(&input).output(&clean);
    run.run().ends_with(0);
    let with = |other: &Path| diff(&[a.clone(), other.into()]);
    with(&clean).run().refuses(3, &["`key`", "`structure_key`"]);
    with(&folder.path("none"))
        .run()
        .refuses(2, &["none: holds no manifest.json"]);
    with(&folder.path("a/products"))
        .run()
        .refuses(2, &["holds no manifest.json"]);
    with(&folder.path("b/../a"))
        .run()
        .refuses(2, &["the same folder"]);
    let small = diff(&outputs).args("--memory 64MiB").run();
    small.refuses(2, &["--memory 64 MiB", "at least"]);
    let inside = diff(&outputs).output(b.join("x")).run();
    inside.refuses(2, &["--output", "lies in the output"]);
    assert_absent(&b.join("x"));
    let out = folder.path("difference");
    folder.write("difference/only-in-b.parquet", "mine");
    let exists = diff(&outputs).output(&out).run();
    exists.refuses(2, &["only-in-b.parquet", "this file exists"]);
    // A damaged part, found while rows are read: nothing is left of what was written.
    let part = b.join("products/part-00000.parquet");
    let whole = fs::read(&part).unwrap();
    fs::write(&part, &whole[..whole.len() / 2]).unwrap();
    let out = folder.path("new");
    let damaged = diff(&outputs).output(&out).run();
    damaged.refuses(3, &["part-00000.parquet"]);
    assert_absent(&out);
    fs::remove_file(part).unwrap();
    diff(&outputs)
        .run()
        .refuses(3, &["part-00000.parquet", "missing"]);
}
