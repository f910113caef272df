//! `molsieve report` and `molsieve show`: numbers and pictures of a run.

use std::{fs, path::Path};

use serde_json::Value;

use crate::kit::{
    Folder, Molsieve, Python, args,
    library::{THREE_RULES, rule_file, shipped_rules, smiles_lines},
    output::names,
};

/// A run of a library with two rows that can't be used. `flags`: further ones.
fn job(folder: &Folder, name: &str, rules: &Path, flags: &str) -> std::path::PathBuf {
    let input = format!("{}not-a-smiles x\nC[N](C)(C)(C)C y\n", smiles_lines(120));
    let input = folder.write(&format!("{name}.smi"), input);
    let out = folder.path(name);
    let run = Molsieve::new("run --part-size 64KiB --memory 256MiB").args(flags);
    let run = run.input(&input).rules(rules).output(&out);
    run.run().ends_with(4);
    out
}

fn report(outputs: &[&Path]) -> String {
    let report = outputs
        .iter()
        .fold(Molsieve::new("report --json"), |report, out| {
            report.arg(out)
        });
    report.run().ends_with(0).stdout
}

/// Compares a report with the manifest, and with what DuckDB and RDKit in Python find in the parts.
fn assert_agrees(folder: &Folder, outputs: &[&Path]) {
    let Some(python) = Python::find("numbers of a report by DuckDB and RDKit") else {
        return;
    };
    let printed = folder.write("report.json", report(outputs));
    let mut given = args![printed].to_vec();
    given.extend(outputs.iter().map(|out| out.as_os_str().to_owned()));
    let compared = python.oracle("report.py", &given);
    assert_eq!(compared.code, Some(0), "{compared:#?}");
    assert!(compared.stdout.ends_with("equal\n"), "{compared:#?}");
}

#[test]
fn numbers_and_pictures_of_shipped_rules_are_those_of_duckdb_and_rdkit() {
    let folder = Folder::new();
    let out = job(&folder, "a", &shipped_rules(), "");
    assert_agrees(&folder, &[&out]);
}

#[test]
fn so_are_those_of_steps_with_filters_and_properties() {
    let folder = Folder::new();
    let rules = rule_file(&folder, &THREE_RULES);
    let flags = "--steps 2 --properties --where --explain-drops 20 --max-products-per-step 3000";
    let flags = flags.replace("--where", "--where mw<=400");
    let out = job(&folder, "a", &rules, &flags);
    assert_agrees(&folder, &[&out]);
    let report: Value = serde_json::from_str(&report(&[&out])).unwrap();
    let run = &report["runs"][0];
    assert_eq!(run["properties"][0]["computed"], false);
    assert!(!run["drops"].as_array().unwrap().is_empty());
    assert_eq!(run["rejects"]["rows"], 2);
    let labels = run["funnel"][2]["losses"].as_array().unwrap().iter();
    assert!(
        labels
            .clone()
            .any(|loss| loss["label"] == "left out by a filter")
    );
}

#[test]
fn molecules_of_dedup_are_shown_without_parents() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(50).repeat(2));
    let out = folder.path("out");
    Molsieve::new("dedup --memory 256MiB")
        .input(&input)
        .output(&out)
        .run()
        .ends_with(0);
    assert_agrees(&folder, &[&out]);
    let report: Value = serde_json::from_str(&report(&[&out])).unwrap();
    let gallery = report["runs"][0]["gallery"].as_array().unwrap();
    assert_eq!(gallery.len(), 50);
    assert!(
        gallery
            .iter()
            .all(|row| row["parent_svg"].is_null() && row["rule"].is_null())
    );
}

#[test]
fn two_runs_are_compared_as_by_duckdb() {
    let folder = Folder::new();
    let a = job(&folder, "a", &shipped_rules(), "");
    let b = job(&folder, "b", &rule_file(&folder, &THREE_RULES), "");
    assert_agrees(&folder, &[&a, &b]);
    let diff = Molsieve::new("diff --json")
        .arg(&a)
        .arg(&b)
        .run()
        .ends_with(0);
    let diff: Value = serde_json::from_str(&diff.stdout).unwrap();
    let report: Value = serde_json::from_str(&report(&[&a, &b])).unwrap();
    for (side, counts) in [("a", &diff["a"]), ("b", &diff["b"])] {
        for name in ["rows", "keys", "only", "by_rule"] {
            assert_eq!(
                report["difference"][side][name], counts[name],
                "{name} of {side}"
            );
        }
    }
    assert_eq!(report["difference"]["both"], diff["both"]);
}

#[test]
fn what_a_rule_changes_is_highlighted_for_every_kind_of_rule() {
    let folder = Folder::new();
    let input = folder.write(
        "a.smi",
        "OC(=O)c1ccccc1 acid\nO=C1CCCCO1 lactone\nOc1ccccc1O catechol\nC=CC[C@H](O)C chiral\n",
    );
    folder.write("amines.smi", "NCC ethylamine\nN1CCOCC1 morpholine\n");
    let rules = folder.write(
        "rules.toml",
        r#"
[[rule]]
name = "substitution"
smirks = "[cH:1]>>[c:1]Cl"
[[rule]]
name = "ring_closing"
smirks = "[c:1]([OX2H:2])[c:3][OX2H:4]>>[c:1]1[O:2]C[O:4][c:3]1"
[[rule]]
name = "cleavage"
smirks = "[C:1](=[O:2])[O:3][C:4]>>[C:1](=[O:2])O.[O:3][C:4]"
[[rule]]
name = "inversion"
smirks = "[C@:1]([OX2H:2])([#6:3])[#6:4]>>[C@@:1]([OX2H:2])([#6:3])[#6:4]"
[[rule]]
name = "amide"
smirks = "[C:1](=[O:2])[OX2H].[NX3;H2,H1;!$(NC=O):3]>>[C:1](=[O:2])[N:3]"
reagents = { 2 = "amines.smi" }
"#,
    );
    let out = folder.path("out");
    let run = Molsieve::new("run --memory 256MiB")
        .input(&input)
        .rules(&rules)
        .output(&out);
    run.run().ends_with(0);
    let report: Value = serde_json::from_str(&report(&[&out])).unwrap();
    let gallery = report["runs"][0]["gallery"].as_array().unwrap();
    for rule in [
        "substitution",
        "ring_closing",
        "cleavage",
        "inversion",
        "amide",
    ] {
        let of_rule = gallery.iter().filter(|row| row["rule"] == rule);
        let of_rule: Vec<_> = of_rule.collect();
        assert!(!of_rule.is_empty(), "no picture of {rule}");
        for row in of_rule {
            assert_eq!(row["highlighted"], true, "{rule}: {}", row["smiles"]);
            let svgs = [&row["parent_svg"], &row["svg"]].map(|svg| svg.as_str().unwrap());
            let [changed, added, removed] = ["#FFCC72", "#99E099", "#FFA8A8"]
                .map(|colour| svgs.map(|svg| svg.contains(colour)));
            assert!(changed[0] && changed[1], "{rule}: no changed atom");
            let adds = !matches!(rule, "inversion");
            assert!(
                added[1] == adds || rule == "cleavage",
                "{rule}: added atoms"
            );
            assert_eq!(
                removed[0],
                matches!(rule, "cleavage" | "amide"),
                "{rule}: removed"
            );
        }
    }
    let amides = gallery.iter().filter(|row| row["rule"] == "amide");
    assert!(
        amides.clone().count() == 2 && amides.clone().all(|row| row["reagents"][0]["id"] != "")
    );
    // Without the rules there is nothing to highlight by, and the report says so.
    fs::remove_file(&rules).unwrap();
    let without: Value = serde_json::from_str(&self::report(&[&out])).unwrap();
    let run = &without["runs"][0];
    assert!(run["rules_fault"].as_str().unwrap().contains("rules.toml"));
    let gallery = run["gallery"].as_array().unwrap();
    assert!(!gallery.is_empty() && gallery.iter().all(|row| row["highlighted"] == false));
}

#[test]
fn the_page_holds_the_report_and_nothing_from_elsewhere() {
    let folder = Folder::new();
    let rules = folder.write(
        "rules.toml",
        "[[rule]]\nname = \"</script><b>\"\nsmirks = \"[cH:1]>>[c:1]F\"\n",
    );
    let input = folder.write("a.smi", "c1ccccc1O <img src=x onerror=alert(1)>\n");
    let out = folder.path("a&b");
    Molsieve::new("run --memory 256MiB")
        .input(&input)
        .rules(&rules)
        .output(&out)
        .run()
        .ends_with(0);
    let said = Molsieve::new("report").arg(&out).run().ends_with(0);
    assert!(said.stdout.contains("report.html: ") && said.stdout.ends_with("with 3 structures\n"));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<title>a&amp;b · molsieve</title>"));
    let (_, behind) = page
        .split_once(r#"<script type="application/json" id="report">"#)
        .unwrap();
    let (embedded, _) = behind.split_once("</script>").unwrap();
    let embedded: Value = serde_json::from_str(embedded).unwrap();
    assert_eq!(
        embedded["runs"][0]["manifest"]["by_rule"][0]["name"],
        "</script><b>"
    );
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
    assert!(page.contains(policy));
    let printed = Molsieve::new("report")
        .arg(&out)
        .args("--output -")
        .run()
        .ends_with(0);
    assert_eq!(printed.stdout.len(), page.len());
    // Made again, it takes the place of the first one; another file is not replaced unless that is asked for.
    Molsieve::new("report").arg(&out).run().ends_with(0);
    assert_eq!(
        names(&out),
        ["job.toml", "manifest.json", "products", "report.html"]
    );
    // A job that overwrites the run removes its page too.
    let again = Molsieve::new("run --overwrite --memory 256MiB")
        .input(&input)
        .rules(&rules);
    again.output(&out).run().ends_with(0);
    assert_eq!(names(&out), ["job.toml", "manifest.json", "products"]);
    let other = folder.write("other.html", "mine");
    Molsieve::new("report")
        .arg(&out)
        .arg("-o")
        .arg(&other)
        .run()
        .ends_with(2);
    assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
    Molsieve::new("report --overwrite")
        .arg(&out)
        .arg("-o")
        .arg(&other)
        .run()
        .ends_with(0);
    assert!(fs::read_to_string(&other).unwrap().len() > 10_000);
}

#[test]
fn a_long_text_of_a_rejected_row_is_cut() {
    let folder = Folder::new();
    let input = folder.write("a.smi", format!("CCO\n{} long\n", "C".repeat(300_000)));
    let out = folder.path("out");
    let run = Molsieve::new("run --memory 256MiB")
        .input(&input)
        .output(&out);
    run.run().ends_with(4);
    let printed = report(&[&out]);
    let report: Value = serde_json::from_str(&printed).unwrap();
    let text = &report["runs"][0]["rejects"]["examples"][0]["text"];
    let text = text.as_str().unwrap();
    assert!(text.ends_with('…') && text.chars().count() == 1_001);
    assert!(printed.len() < 100_000);
}

#[test]
fn what_has_no_report_is_refused_by_name() {
    let folder = Folder::new();
    let run = Molsieve::new("report")
        .arg(folder.path("nothing"))
        .run()
        .ends_with(2);
    assert!(
        run.stderr.contains("holds no manifest.json"),
        "{}",
        run.stderr
    );
    let input = folder.write("a.smi", "CCO\n");
    let out = folder.path("text");
    Molsieve::new("run --format smi")
        .input(&input)
        .output(&out)
        .run()
        .ends_with(0);
    // The counts are there, the rows are not read.
    let report: Value = serde_json::from_str(&report(&[&out])).unwrap();
    assert_eq!(report["runs"][0]["funnel"][0]["count"], 1);
    assert_eq!(report["runs"][0]["gallery"].as_array().unwrap().len(), 0);
    let show = Molsieve::new("show").arg(&out).run().ends_with(2);
    assert!(
        show.stderr.contains("show reads Parquet"),
        "{}",
        show.stderr
    );
    let show = Molsieve::new("show").arg(&input).run().ends_with(2);
    let said = &show.stderr;
    assert!(said.contains("is no Parquet file"), "{said}");
}

#[test]
fn shown_rows_are_those_that_were_asked_for() {
    let folder = Folder::new();
    let out = job(
        &folder,
        "a",
        &rule_file(&folder, &THREE_RULES),
        "--properties mw",
    );
    let show = |flags: &[&str]| {
        let show = flags
            .iter()
            .fold(Molsieve::new("show --json").arg(&out), |show, flag| {
                show.arg(flag)
            });
        let lines = show.run().ends_with(0).stdout;
        let rows = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.collect::<Vec<_>>()
    };
    let all = show(&["-n", "100000"]);
    let numbers: Vec<u64> = all.iter().map(|row| row["row"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..all.len() as u64).collect::<Vec<_>>());
    let rule = all[0]["rule"].as_str().unwrap().to_owned();
    let (id, mw) = (all[9]["parent_id"].as_str().unwrap().to_owned(), "250");
    let wanted = |row: &&Value| {
        row["rule"] == rule && row["parent_id"] == id && row["mw"].as_f64().unwrap() < 250.0
    };
    let expected: Vec<_> = all.iter().filter(wanted).cloned().collect();
    let condition = format!("mw < {mw}");
    let flags = [
        "--rule", &rule, "--parent", &id, "--where", &condition, "-n", "100000",
    ];
    assert_eq!(show(&flags), expected);
    assert_eq!(show(&["--skip", "7", "-n", "3"]), all[7..10]);
    // A property without a column is computed by RDKit.
    let few = show(&[
        "--where",
        "heavy_atoms <= 20",
        "--where",
        "rings >= 1",
        "-n",
        "100000",
    ]);
    assert!(!few.is_empty() && few.len() < all.len());
    let part = out.join("products/part-00001.parquet");
    let of_part = Molsieve::new("show --columns rule,smiles -n 2")
        .arg(&part)
        .run()
        .ends_with(0);
    let head = of_part
        .stdout
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>();
    assert_eq!(head, ["row", "rule", "smiles"]);
    for (flags, said) in [
        ("--rule methylatio", "is it \"methylation\"?"),
        ("--columns smilse", "smilse"),
        ("--step 1", "has no column `step`"),
        ("--where weight<1", "there is no property"),
        ("--draw=rows.gif", "ends with .svg or .png"),
        ("--draw", "name a file"),
        ("--draw=rows.svg -n 201", "at most 200 rows"),
    ] {
        let run = Molsieve::new("show")
            .arg(&out)
            .args(flags)
            .run()
            .ends_with(2);
        assert!(run.stderr.contains(said), "{flags}: {}", run.stderr);
    }
}

#[test]
fn rows_and_routes_are_drawn() {
    let folder = Folder::new();
    let out = job(&folder, "a", &rule_file(&folder, &THREE_RULES), "--steps 2");
    let (svg, png) = (folder.path("rows.svg"), folder.path("rows.png"));
    let draw = |file: &Path| format!("--draw={}", file.display());
    Molsieve::new("show -n 6")
        .arg(&out)
        .arg(draw(&svg))
        .run()
        .ends_with(0);
    let text = fs::read_to_string(&svg).unwrap();
    assert_eq!(text.matches("<svg").count(), 1 + 2 * 6);
    Molsieve::new("show -n 6")
        .arg(&out)
        .arg(draw(&svg))
        .run()
        .ends_with(2);
    let last = Molsieve::new("show --json --step 2 -n 1")
        .arg(&out)
        .run()
        .ends_with(0)
        .stdout;
    let row: Value = serde_json::from_str(last.trim()).unwrap();
    let route = Molsieve::new("show")
        .arg(&out)
        .arg("--route")
        .arg(row["smiles"].as_str().unwrap());
    route.arg(draw(&png)).run().ends_with(0);
    let bytes = fs::read(&png).unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.len() > 5_000);
}
