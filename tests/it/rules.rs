//! Rule files of other tools, `molsieve rules convert` and `molsieve rules check --table`.

use std::fs;

use crate::kit::{
    Folder, Molsieve, assert_absent,
    library::{shipped_library, shipped_rules},
};

/// In the form of halogenator's transformations.
const TRANSFORMS: &str = "transforms:\n\
    - name: OH_TO_OME\n  code: OH_TO_OME\n  family: phenol_mod\n  scope_classes: [polyphenol]\n  \
    query_smarts: 'c[OX2H]'\n  smirks: '[c:1][OX2H:2]>>[c:1][O:2]C'\n\
    - name: TWO\n  code: TWO\n  smirks: 'C>N>CN'\n";

#[test]
fn convert_writes_a_file_that_gives_the_same_products() {
    let folder = Folder::new();
    let transforms = folder.write("transforms.yaml", TRANSFORMS);
    let list = folder.write("list.smirks", "[cH:1]>>[c:1]F\n");
    let out = folder.path("rules.toml");
    let run = Molsieve::new("rules convert").arg(&transforms).arg(&list);
    let run = run.arg("-o").arg(&out).run().ends_with(4);
    assert_eq!(run.stdout, "");
    let lines: Vec<&str> = run.stderr.lines().collect();
    for (line, words) in lines.iter().zip([
        "transforms.yaml:3:3: warning: \"code\" is left out",
        "transforms.yaml:10:14: rule \"TWO\": the SMIRKS has agents",
        "molsieve: 2 rules written, 1 rule with faults left out",
    ]) {
        assert!(line.contains(words), "{line}");
    }
    assert_eq!(lines.len(), 3, "{}", run.stderr);
    let written = "[[rule]]\nname = \"OH_TO_OME\"\nsmirks = \"[c:1][OX2H:2]>>[c:1][O:2]C\"\n\
        tags = [\"phenol_mod\", \"polyphenol\"]\nrequire = \"c[OX2H]\"\n\n\
        [[rule]]\nname = \"list_1\"\nsmirks = \"[cH:1]>>[c:1]F\"\n";
    assert_eq!(fs::read_to_string(&out).unwrap(), written);

    // It replaces nothing, and leaves nothing else behind.
    let again = Molsieve::new("rules convert")
        .arg(&list)
        .arg("-o")
        .arg(&out);
    again.run().refuses(2, &["rules.toml: this file exists"]);
    assert_eq!(fs::read_to_string(&out).unwrap(), written);
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 3);

    // A job takes either.
    let good = folder.write("good.yaml", TRANSFORMS.split("- name: TWO").next().unwrap());
    let input = folder.write("a.smi", "Oc1ccccc1\n");
    let made = ["a", "b"].map(|name| folder.path(name));
    for (rules, out) in [(vec![&good, &list], &made[0]), (vec![&out], &made[1])] {
        let run = Molsieve::new("run").input(&input).output(out);
        let run = rules.into_iter().fold(run, |run, rules| run.rules(rules));
        let run = run.run().ends_with(0);
        // Phenol gives an ether and three fluorides.
        assert!(
            run.stdout.starts_with("4 unique products "),
            "{}",
            run.stdout
        );
    }
}

#[test]
fn convert_prints_rules_of_our_own_in_full() {
    let run = Molsieve::new("rules convert").arg(shipped_rules()).run();
    let run = run.ends_with(0);
    assert_eq!(run.stderr, "");
    let folder = Folder::new();
    let again = folder.write("again.toml", &run.stdout);
    let again = Molsieve::new("rules convert").arg(again).run().ends_with(0);
    assert_eq!(again.stdout, run.stdout);
    let file = folder.write("r.toml", &run.stdout);
    let check = Molsieve::new("rules check").arg(file).run().ends_with(0);
    let shipped = Molsieve::new("rules check").arg(shipped_rules()).run();
    assert_eq!(check.stdout, shipped.stdout);
}

#[test]
fn convert_writes_nothing_where_it_can_not_read_everything() {
    let folder = Folder::new();
    let (out, good) = (folder.path("o.toml"), folder.write("a.smirks", "C>>N\n"));
    let faulty = folder.write("b.smirks", "C>N>CN\n");
    let config = folder.write("c.yaml", "rules: [R1, R2]\nhalogens: [F]\n");
    let unreadable = folder.path("none.yaml");
    for (files, words) in [
        (vec![&good, &unreadable], "none.yaml: can't be read"),
        (vec![&good, &config], "names rules that are built into"),
        (vec![&faulty], "no rule is valid"),
    ] {
        let run = Molsieve::new("rules convert").arg("-o").arg(&out);
        let run = files.into_iter().fold(run, |run, file| run.arg(file));
        let run = run.run().ends_with(3);
        assert!(run.stderr.contains(words), "{}", run.stderr);
        assert!(run.stderr.contains("nothing is written"), "{}", run.stderr);
        assert_absent(&out);
    }
    let run = Molsieve::new("rules convert").arg(&good).arg("-o");
    run.arg(folder.path("o.yaml"))
        .run()
        .refuses(2, &["ends in .toml"]);
}

#[test]
fn check_warns_of_what_it_leaves_out() {
    let folder = Folder::new();
    let list = folder.write(
        "list.csv",
        "smarts,yield\n[OH:1]>>[O:1]C,3\n[NH2:1]>>[N:1]C,4\n",
    );
    let run = Molsieve::new("rules check").arg(&list).run().ends_with(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].ends_with(
        "list.csv:2:16: warning: \"yield\" is left out; molsieve does not know this key (2 rules)"
    ));
    assert!(lines[1].ends_with(": 1 warning"), "{}", run.stdout);
    let run = Molsieve::new("rules check --json").arg(&list).run();
    let events = run.ends_with(0).json_lines();
    assert_eq!(events[0]["event"], "warning");
    assert_eq!(events[1]["warnings"], 1);
}

const RULES: &str = "[[rule]]\nname = 'methylation'\nsmirks = '[c:1][OX2H:2]>>[c:1][O:2]C'\n\
    [[rule]]\nname = 'fluorination'\nsmirks = '[cH:1]>>[c:1]F'\n\
    [[rule]]\nname = 'wrong'\nsmirks = '[CH3:1]>>[CH3:1](F)F'\n\
    [[rule]]\nname = 'silane'\nsmirks = '[SiH:1]>>[Si:1]F'\n\
    [[rule]]\nname = 'refused'\nsmirks = '[cH:1]1>>[c:1]F'\n";

#[test]
fn the_table_counts_what_each_rule_matches() {
    let folder = Folder::new();
    let rules = folder.write("r.toml", RULES);
    // Phenol, anisole, toluene, one that is no molecule.
    let library = folder.write(
        "a.smi",
        "Oc1ccccc1 a\nCOc1ccccc1 b\nCc1ccccc1 c\nC1CC d\nO e\n",
    );
    let check = |flags: &str, code| {
        let check = Molsieve::new(&format!("rules check --table {flags}"));
        let check = check.arg(&rules).arg("--library").arg(&library);
        check.run().ends_with(code)
    };
    let run = check("", 3);
    let cells = |line: &str| -> Vec<String> {
        let cells = line.split_whitespace().filter(|cell| *cell != "ms");
        cells.map(str::to_owned).collect()
    };
    let begin = run.stdout.find("\nrule ").expect("there is a table");
    let mut lines = run.stdout[begin + 1..].lines();
    let head = [
        "rule", "parents", "sites", "products", "distinct", "invalid", "time",
    ];
    assert_eq!(cells(lines.next().unwrap()), head);
    for expected in [
        ["methylation", "1", "1", "1", "1", "0"],
        // Of five sites each, three differ.
        ["fluorination", "3", "15", "15", "9", "0"],
        ["wrong", "2", "2", "2", "0", "2"],
        ["silane", "0", "0", "0", "0", "0"],
    ] {
        let line = lines.next().unwrap();
        assert_eq!(cells(line)[..6], expected, "{line}");
        assert_eq!(line.ends_with("  matches nothing"), expected[0] == "silane");
    }
    assert_eq!(lines.next(), Some(""));
    let rows = lines.next().unwrap();
    assert!(
        rows.starts_with("5 rows of ") && rows.ends_with(", 1 of them not usable"),
        "{rows}"
    );
    assert_eq!(lines.next(), Some("1 of 4 rules matches nothing: silane"));
    assert_eq!(lines.next(), None);

    let events = check("--json --rows 2", 3).json_lines();
    let of = |event: &str| -> Vec<_> { events.iter().filter(|e| e["event"] == event).collect() };
    assert_eq!((of("checked").len(), of("matches").len()), (1, 4));
    assert_eq!(of("matches")[1]["sites"], 10);
    assert_eq!(of("matches")[3]["made"], 0);
    let sample = events.last().unwrap();
    assert_eq!(
        (&sample["event"], &sample["rows"]),
        (&"sample".into(), &2.into())
    );
    assert_eq!(sample["rejected"], 0);
}

#[test]
fn the_table_needs_no_library_of_its_own() {
    let folder = Folder::new();
    let rules = folder.write("r.toml", RULES);
    let counts = |check: Molsieve| -> Vec<(u64, u64, u64)> {
        let events = check.arg(&rules).run().ends_with(3).json_lines();
        let matches = events.iter().filter(|event| event["event"] == "matches");
        let number = |event: &serde_json::Value, key: &str| event[key].as_u64().unwrap();
        matches
            .map(|e| (number(e, "sites"), number(e, "made"), number(e, "distinct")))
            .collect()
    };
    let without = counts(Molsieve::new("rules check --table --json"));
    let given = Molsieve::new("rules check --table --json --library").arg(shipped_library());
    assert_eq!(without, counts(given));
    assert!(without[0].0 > 100 && without[1].2 > 100, "{without:?}");

    let check = || Molsieve::new("rules check").arg(&rules);
    let missing = check().args("--table --library none.smi").run();
    missing.refuses(3, &["none.smi"]);
    let alone = check().args("--library none.smi").run().ends_with(2);
    assert!(alone.stderr.contains("--table"), "{}", alone.stderr);
    check().args("--table --rows 0").run().ends_with(2);
}
