//! Jobs of several steps: rows, routes, counts and bytes.

use std::{fs, path::Path};

use crate::kit::{
    Folder, Molsieve, Python, args,
    library::{THREE_RULES, rule_file, shipped_rules, smiles_lines},
    output::{self, assert_complete, manifest},
};

/// Runs a job of several steps, three unless the flags say otherwise, over a small library that holds products of its own molecules.
fn run(folder: &Folder, flags: &str) {
    let lines = smiles_lines(40);
    let more = "COc1ccccc1 anisole\nC1CC broken\nOc1ccccc1 phenol\nCOc1ccccc1F late\n";
    let input = folder.write("a.smi", format!("{lines}{more}"));
    let steps = if flags.contains("--steps") {
        ""
    } else {
        "--steps 3"
    };
    Molsieve::new("run --overwrite --memory 256MiB")
        .args(steps)
        .args(flags)
        .input(input)
        .rules(rule_file(folder, &THREE_RULES))
        .output(folder.out())
        .run()
        .ends_with(4);
    assert_complete(&folder.out());
}

#[test]
fn steps_make_what_the_plain_loop_makes_breadth_first() {
    let Some(python) = Python::find("comparison of steps with Python") else {
        return;
    };
    let folder = Folder::new();
    run(&folder, "--new-only");
    let in_order = output::rows(&folder.out());
    for flags in ["", "--new-only", "--new-only --key structure"] {
        // Most rows are false positives, which settling restores: the next step must know them.
        run(
            &folder,
            &format!("--expected-products 1 --false-positive-rate 0.5 {flags}"),
        );
        let settled = &manifest(&folder.out())["filter"]["products_settled"];
        assert!(settled.as_u64().unwrap() > 100, "{settled}");
        if flags.contains("structure") {
            continue; // compared below
        }
        let (input, rules) = (folder.path("a.smi"), folder.path("rules.toml"));
        let mut words = args!["--input", input, "--rules", rules, "--steps", "3"].to_vec();
        let molsieve = env!("CARGO_BIN_EXE_molsieve");
        words.extend_from_slice(args!["--ways", "5", "--molsieve", molsieve]);
        words.extend_from_slice(args!["--compare", folder.out()]);
        words.extend(flags.split_whitespace().map(Into::into));
        let compared = python.oracle("steps.py", &words);
        assert_eq!(compared.code, Some(0), "{flags}: {compared:#?}");
        assert!(compared.stdout.ends_with("equal\n"), "{compared:#?}");
    }
    // Structure keys tell the same molecules apart, and settling changes the order of rows only.
    let rows = |rows: Vec<output::Row>| {
        let mut rows: Vec<_> = rows
            .into_iter()
            .map(|row| (row.smiles, row.parent_smiles, row.rule, row.site))
            .collect();
        rows.sort();
        rows
    };
    let settled = output::rows(&folder.out());
    assert_eq!(rows(settled), rows(in_order));
}

#[test]
fn the_first_step_has_the_rows_of_a_job_of_one_step() {
    let folder = Folder::new();
    run(&folder, "");
    let three = output::rows(&folder.out());
    let steps = manifest(&folder.out())["steps"].as_array().unwrap().clone();
    let first = steps[0]["counts"]["products_unique"].as_u64().unwrap();
    run(&folder, "--steps 1");
    let one = output::rows(&folder.out());
    assert_eq!(one.len() as u64, first);
    assert_eq!(one[..], three[..one.len()]);
    assert!(three.len() > 2 * one.len());
    assert!(manifest(&folder.out()).get("steps").is_none());
}

#[test]
fn steps_write_the_same_bytes_with_any_number_of_threads() {
    let folder = Folder::new();
    let flags = "--part-size 64KiB --new-only";
    run(&folder, &format!("--threads 1 {flags}"));
    let expected = output::part_bytes(&folder.out());
    assert!(expected.len() > 3, "{}", expected.len());
    for threads in [2, 7] {
        run(&folder, &format!("--threads {threads} {flags}"));
        assert!(output::part_bytes(&folder.out()) == expected, "{threads}");
    }
}

/// A job file with two steps of different rules.
#[test]
fn each_step_of_a_job_file_has_rules_of_its_own() {
    let Some(python) = Python::find("comparison of steps with Python") else {
        return;
    };
    let folder = Folder::new();
    folder.write("a.smi", smiles_lines(40));
    let rule =
        |name: &str, smirks: &str| format!("[[rule]]\nname = '{name}'\nsmirks = '{smirks}'\n");
    folder.write("one.toml", rule("fluorination", "[cH:1]>>[c:1]F"));
    let two = [
        rule("chlorination", "[cH:1]>>[c:1]Cl"),
        rule("methylation", "[c:1][OX2H:2]>>[c:1][O:2]C"),
    ];
    folder.write("two.toml", two.concat());
    let job = "input = ['a.smi']\noutput = 'out'\n[[step]]\nrules = ['one.toml']\n[[step]]\nrules = ['two.toml']\n";
    let job = folder.write("job.toml", job);
    Molsieve::new("run").arg(&job).run().ends_with(0);
    let words = args![
        "--input",
        folder.path("a.smi"),
        "--step",
        folder.path("one.toml"),
        "--step",
        folder.path("two.toml"),
        "--compare",
        folder.out()
    ];
    let compared = python.oracle("steps.py", words);
    assert_eq!(compared.code, Some(0), "{compared:#?}");
    // What the run has written says the same again.
    let first = output::part_bytes(&folder.out());
    let written = fs::read_to_string(folder.out().join("job.toml")).unwrap();
    let again = folder.write("again.toml", written);
    Molsieve::new("run --overwrite")
        .arg(&again)
        .run()
        .ends_with(0);
    assert!(output::part_bytes(&folder.out()) == first);
    let names: Vec<_> = manifest(&folder.out())["by_rule"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["fluorination", "chlorination", "methylation"]);
}

#[test]
fn a_parent_that_a_later_step_rejects_is_named_with_its_step() {
    let folder = Folder::new();
    // The first step makes a molecule of more atoms than a parent may have.
    let input = folder.write("a.smi", format!("{}O long\nCO short\n", "C".repeat(900)));
    let tail = "C".repeat(150);
    let smirks = format!("[CH3:1][OX2H:2]>>[C:1][O:2]{tail}");
    let rules = rule_file(
        &folder,
        &[
            ("tail", smirks.as_str()),
            (
                "tail_on_chain",
                &format!("[CH2:1][OX2H:2]>>[C:1][O:2]{tail}"),
            ),
        ],
    );
    Molsieve::new("run --steps 2")
        .input(input)
        .rules(rules)
        .output(folder.out())
        .run()
        .ends_with(4);
    let rejects = output::rejects(&folder.out());
    assert_eq!(rejects.len(), 1, "{rejects:?}");
    assert_eq!(rejects[0].id, "long");
    let steps = step_column(&folder.out().join("rejects.parquet"));
    assert_eq!(steps, [2]);
}

fn step_column(file: &Path) -> Vec<u8> {
    use arrow::{array::AsArray, datatypes::UInt8Type};
    let (_, batches) = output::read_parquet(file);
    let steps = batches.iter().flat_map(|batch| {
        let steps = batch.column_by_name("step").unwrap();
        steps.as_primitive::<UInt8Type>().values().to_vec()
    });
    steps.collect()
}

#[test]
fn a_job_without_products_has_steps_that_make_nothing() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "CCO ethanol\n");
    Molsieve::new("run --steps 3 --new-only")
        .input(input)
        .rules(rule_file(&folder, &[("never", "[U:1]>>[U:1]F")]))
        .output(folder.out())
        .run()
        .ends_with(0);
    assert_complete(&folder.out());
    let manifest = manifest(&folder.out());
    let made = |step: usize| manifest["steps"][step]["counts"]["parents_read"].as_u64();
    assert_eq!([made(0), made(1), made(2)], [Some(1), Some(0), Some(0)]);
}

#[test]
fn wrong_steps_are_refused_in_one_line() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "CCO ethanol\n");
    let rules = rule_file(&folder, &THREE_RULES);
    let run = |flags: &str| {
        Molsieve::new("run")
            .args(flags)
            .input(&input)
            .output(folder.out())
    };
    // Each in a file of its own: all are written before the first is read.
    let mut jobs = 0;
    let mut job = |steps: &str| {
        jobs += 1;
        let text = format!("input = ['a.smi']\noutput = 'out'\n{steps}");
        let job = folder.write(&format!("job{jobs}.toml"), text);
        Molsieve::new("run").arg(job)
    };
    let table = "[[step]]\nrules = ['rules.toml']\n";
    for (run, words) in [
        (
            run("--steps 0").rules(&rules),
            "--steps: 0 is not between 1 and 8",
        ),
        (
            run("--steps 9").rules(&rules),
            "--steps: 9 is not between 1 and 8",
        ),
        (run("--steps 2"), "--steps: it needs --rules"),
        (run("--new-only"), "--new-only: it needs --rules"),
        (
            run("--max-products-per-step 5 --dedup bloom").rules(&rules),
            "--max-products-per-step: it needs --dedup exact",
        ),
        (
            job(&format!("{table}[[step]]\n")),
            "--steps: [[step]] table 2 has no rules",
        ),
        (
            job(table).args("--steps 2"),
            "the job file has 1 [[step]] tables",
        ),
        (
            job(table).rules(&rules),
            "--rules: the [[step]] tables of the job file have rules",
        ),
        (
            job(&table.repeat(9)),
            "9 [[step]] tables are given, at most 8",
        ),
        (
            job("[[step]]\nrule = ['rules.toml']\n"),
            "toml:4:1: unknown field `rule`, expected one of `rules`",
        ),
    ] {
        let end = run.run();
        assert_eq!(end.code, Some(2), "{end:?}");
        assert_eq!(end.stderr.lines().count(), 1, "{end:?}");
        assert!(end.stderr.contains(words), "{words}: {end:?}");
        assert!(!folder.out().exists());
    }
}

#[test]
fn a_growth_that_the_disk_cannot_hold_is_refused() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(100));
    let end = Molsieve::new("run --steps 8")
        .input(input)
        .rules(shipped_rules())
        .output(folder.out())
        .run();
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(
        end.stderr.contains("the job is expected to need"),
        "{end:?}"
    );
    assert!(!folder.out().exists());
}

#[test]
fn a_route_that_there_is_not_is_an_error_of_one_line() {
    let folder = Folder::new();
    run(&folder, "--steps 2");
    let out = folder.out();
    let clean = folder.path("clean");
    Molsieve::new("run")
        .input(folder.path("a.smi"))
        .output(&clean)
        .run()
        .ends_with(4);
    let made = output::rows(&out).pop().unwrap();
    for (directory, smiles, code, words) in [
        (
            &out,
            "CCO",
            1,
            "none of its products is this molecule (CCO)",
        ),
        (&out, "C1CC", 2, "cannot read the SMILES: "),
        (&folder.path("none"), "CCO", 2, "holds no manifest.json"),
        (&clean, "CCO", 2, "applies no rules"),
        (&out, made.smiles.as_str(), 0, ""),
    ] {
        let end = Molsieve::new("route").arg(directory).arg(smiles).run();
        assert_eq!(end.code, Some(code), "{end:?}");
        assert!(
            end.stderr.contains(words) && end.stderr.lines().count() <= 1,
            "{end:?}"
        );
    }
    // A library that has gone is missed only where it is read.
    fs::remove_file(folder.path("a.smi")).unwrap();
    let route = |flags| {
        Molsieve::new("route")
            .arg(&out)
            .arg(&made.smiles)
            .args(flags)
            .run()
    };
    assert_eq!(route("").code, Some(0));
    let end = route("--all");
    assert_eq!(end.code, Some(3), "{end:?}");
}
