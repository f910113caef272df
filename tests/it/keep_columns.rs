//! `--keep-columns`: the columns of the input that rows carry, compared with the input by Python.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use crate::kit::{
    Folder, Molsieve, Python, args,
    library::{THREE_RULES, gzip, rule_file, shipped_library},
    output::{self, assert_complete, manifest},
};
use arrow::{
    array::{Array, AsArray},
    datatypes::UInt64Type,
};

/// Python and a folder in which `all.parquet` has columns of all types, in small row groups and pages.
fn start() -> Option<(Python, Folder)> {
    let python = Python::find("comparison of kept columns with Python")?;
    let folder = Folder::new();
    make(&python, &folder, "all.parquet", "50");
    Some((python, folder))
}

fn make(python: &Python, folder: &Folder, name: &str, rows_per_group: &str) -> PathBuf {
    let path = folder.path(name);
    let words = args!["make", &path, shipped_library(), rows_per_group];
    let made = python.oracle("keep_columns.py", words);
    assert_eq!(made.code, Some(0), "{made:#?}");
    path
}

/// Runs a job of two rules, or a deduplication.
fn run(folder: &Folder, verb: &str, keep: &str, inputs: &[PathBuf], flags: &str) {
    let mut job = Molsieve::new(verb).args("--overwrite --memory 300MiB");
    for input in inputs {
        job = job.input(input);
    }
    if verb == "run" {
        job = job.rules(rule_file(folder, &THREE_RULES));
    }
    let job = job.arg("--keep-columns").arg(keep).args(flags);
    job.output(folder.out()).run().ends_with(0);
    assert_complete(&folder.out());
}

/// Compares with the inputs the columns that Python calls so.
fn compare(python: &Python, folder: &Folder, columns: &str, inputs: &[PathBuf]) {
    let mut words: Vec<OsString> = args!["compare", folder.out(), columns].to_vec();
    words.extend(inputs.iter().map(Into::into));
    let compared = python.oracle("keep_columns.py", &words);
    assert_eq!(compared.code, Some(0), "{columns}: {compared:#?}");
}

/// All columns of `all.parquet` but SMILES and id.
fn all_names(path: &Path) -> String {
    let (schema, _) = output::read_parquet(path);
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let names = names.filter(|name| !["smiles", "id"].contains(name));
    names.collect::<Vec<_>>().join(",")
}

#[test]
fn columns_of_every_type_are_those_of_the_parents_row() {
    let Some((python, folder)) = start() else {
        return;
    };
    let small = folder.path("all.parquet");
    let names = all_names(&small);
    for verb in ["run", "dedup"] {
        run(&folder, verb, "all", std::slice::from_ref(&small), "");
        compare(&python, &folder, &names, std::slice::from_ref(&small));
    }
    // Pages of version 2, larger row groups, several files, and columns by name in another order.
    let large = make(&python, &folder, "large.parquet", "1000");
    let both = [large, small];
    run(&folder, "run", "all", &both, "--part-size 64KiB");
    compare(&python, &folder, &names, &both);
    run(
        &folder,
        "dedup",
        "MAP,vendor,smiles,struct",
        &both,
        "--canonical",
    );
    let schema = output::read_parquet(&output::part(&folder.out(), 0)).0;
    let kept: Vec<_> = schema
        .fields()
        .iter()
        .skip(5)
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(kept, ["MAP", "vendor", "input_smiles", "struct"]);
}

#[test]
fn columns_of_tables_of_text_and_items_of_sd_files_are_text() {
    let Some((python, folder)) = start() else {
        return;
    };
    let molecules = fs::read_to_string(shipped_library()).unwrap();
    let rows = molecules.lines().skip(1).take(80).enumerate();
    let rows = rows.map(|(row, line)| {
        let smiles = line.split(',').nth(1).unwrap();
        let remark = ["", "\"a, \"\"b\"\"\"", "é"][row % 3];
        format!(
            "{row}.5,{smiles},{remark},Z{row},{}\n",
            ["Enamine", ""][row % 2]
        )
    });
    let text = format!(
        "price,SMILES,remark,ID,Vendor\n{}",
        rows.collect::<String>()
    );
    let csv = [folder.write("a.csv", &text)];
    for verb in ["run", "dedup"] {
        run(&folder, verb, "all", &csv, "");
        compare(&python, &folder, "price,remark,Vendor", &csv);
    }
    let packed = [folder.write("b.csv.gz", gzip(text.as_bytes()))];
    run(&folder, "run", "Vendor,price", &packed, "");
    compare(&python, &folder, "Vendor,price", &packed);
    // Two tables of which one lacks a column.
    let other = folder.write(
        "c.csv",
        "SMILES,Vendor,stock\nOc1ccccc1C,V,7\nOc1ccccc1CC,,\n",
    );
    let two = [csv[0].clone(), other];
    run(&folder, "run", "all", &two, "");
    compare(&python, &folder, "price,remark,Vendor,stock", &two);
    // Without a header, columns have numbers.
    let bare = folder.write("d.csv", "7,CCO,x,Enamine\n8,Oc1ccccc1,y,\n");
    run(&folder, "dedup", "4,1", &[bare], "--no-header");
    let (schema, batches) = output::read_parquet(&output::part(&folder.out(), 0));
    assert_eq!(schema.field(4).name(), "4");
    let vendors = batches[0].column(4).as_string::<i32>();
    assert_eq!((vendors.value(0), vendors.is_null(1)), ("Enamine", true));

    let sdf = folder.path("a.sdf");
    let made = python.oracle("keep_columns.py", args!["sdf", &sdf, shipped_library()]);
    assert_eq!(made.code, Some(0), "{made:#?}");
    let sdf = [sdf];
    run(&folder, "run", "all", &sdf, "");
    compare(&python, &folder, "remark,price,late", &sdf);
    run(&folder, "dedup", "late,remark", &sdf, "");
    compare(&python, &folder, "late,remark", &sdf);
}

#[test]
fn products_of_products_have_the_columns_of_their_root() {
    let Some((python, folder)) = start() else {
        return;
    };
    let input = [folder.path("all.parquet")];
    // Most rows are false positives, which settling restores.
    let settling = "--expected-products 1 --false-positive-rate 0.5";
    for flags in [
        "--steps 2 --new-only",
        settling,
        &format!("--steps 2 {settling}"),
    ] {
        run(&folder, "run", "vendor,map,large text,site", &input, flags);
        compare(&python, &folder, "vendor,map,large text,site", &input);
        if flags.contains("expected") {
            let settled = &manifest(&folder.out())["filter"]["products_settled"];
            assert!(settled.as_u64().unwrap() > 100, "{settled}");
        }
    }
}

#[test]
fn the_same_bytes_with_any_number_of_threads_and_when_killed() {
    let Some((_, folder)) = start() else {
        return;
    };
    let input = folder.path("all.parquet");
    let flags = "--steps 2 --part-size 64KiB --expected-products 900 --memory 200MiB";
    let job = |threads: usize, flags: &str| {
        Molsieve::new("run --keep-columns all")
            .args(&format!("--threads {threads} {flags}"))
            .input(&input)
            .rules(rule_file(&folder, &THREE_RULES))
            .output(folder.out())
            .env("MOLSIEVE_CHECKPOINT_SECONDS", "0")
    };
    let flags_new = format!("--overwrite {flags}");
    job(1, &flags_new).run().ends_with(0);
    let expected = output::part_bytes(&folder.out());
    assert!(expected.len() > 2, "{}", expected.len());
    for threads in [2, 7] {
        job(threads, &flags_new).run().ends_with(0);
        assert!(output::part_bytes(&folder.out()) == expected, "{threads}");
    }
    let flags_again = format!("--resume {flags}");
    let mut kills = 0;
    for milliseconds in [150, 300, 450, 600, 800, 1_000, 1_300] {
        let first = kills == 0 && milliseconds == 150;
        let mut running = job(2, if first { &flags_new } else { &flags_again }).start();
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        kills += usize::from(running.kill());
    }
    job(2, &flags_again).run().ends_with(0);
    assert!(kills > 0);
    assert!(output::part_bytes(&folder.out()) == expected);
}

#[test]
fn a_column_that_can_not_be_kept_is_refused_in_one_line() {
    let folder = Folder::new();
    let csv = folder.write("a.csv", "smiles,price\nCCO,1\n");
    let other = folder.write("b.csv", "smiles,cost\nCCO,1\n");
    let smi = folder.write("a.smi", "CCO ethanol Enamine\n");
    let refused = |inputs: &[&PathBuf], keep: &str, words: &[&str]| {
        let mut job = Molsieve::new("dedup").arg("--keep-columns").arg(keep);
        for input in inputs {
            job = job.input(input);
        }
        job.output(folder.out()).run().refuses(3, words);
        assert!(!folder.out().exists());
    };
    let columns = [
        "a.csv",
        "has no column `vendor`",
        "its columns are smiles, price",
    ];
    refused(&[&csv], "price,vendor", &columns);
    refused(&[&csv, &other], "price", &["b.csv", "no column `price`"]);
    refused(
        &[&smi],
        "price",
        &["a.smi", "no column `price`", "SMILES and ids alone"],
    );
    for (keep, word) in [("price,price", "named twice"), ("price,", "name is empty")] {
        let flag = format!("--keep-columns={keep}");
        let job = Molsieve::new("dedup").arg(&flag).input(&csv);
        let run = job.output(folder.out()).run().ends_with(2);
        assert!(run.stderr.lines().next().unwrap().contains(word), "{run:?}");
    }
    // A file of SMILES has nothing beside the id, so there is nothing to keep.
    Molsieve::new("dedup --keep-columns all")
        .input(&smi)
        .output(folder.out())
        .run()
        .ends_with(0);
    let schema = output::read_parquet(&output::part(&folder.out(), 0)).0;
    assert_eq!(schema.fields().len(), 4);
}

#[test]
fn a_row_with_too_much_to_keep_is_rejected_with_a_reason() {
    let folder = Folder::new();
    let (most, more) = ("x".repeat(63_000), "x".repeat(70_000));
    let rows = (0..9).map(|row| format!("{}CO,{row}{most}\n", "C".repeat(row)));
    let rows = rows.collect::<String>();
    let text = format!("smiles,note\nCCC,{more}\nCCCC,\n{rows}");
    let input = folder.write("a.csv", text);
    for flags in ["", "--expected-products 1 --false-positive-rate 0.5"] {
        Molsieve::new("dedup --keep-columns note --memory 200MiB --overwrite")
            .args(flags)
            .input(&input)
            .output(folder.out())
            .run()
            .ends_with(4);
        let rejects = output::rejects(&folder.out());
        assert_eq!(rejects.len(), 1);
        assert_eq!((rejects[0].row, rejects[0].code.as_str()), (0, "too_large"));
        let reason = &rejects[0].reason;
        assert!(reason.contains("columns to keep take"), "{reason}");
        let mut notes = BTreeMap::new();
        for part in output::parts(&folder.out()) {
            for batch in output::read_parquet(&part).1 {
                let rows = batch["parent_row"].as_primitive::<UInt64Type>();
                let own = batch["note"].as_string::<i32>();
                notes.extend(rows.values().iter().copied().zip(own.iter().map(owned)));
            }
        }
        assert_eq!(notes.len(), 10);
        assert_eq!(notes[&1], None);
        for row in 0..9 {
            assert_eq!(notes[&(row + 2)], Some(format!("{row}{most}")));
        }
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}
