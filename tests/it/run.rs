//! The main job: a library and rules in, every product out.

use std::{collections::BTreeSet, fs, path::PathBuf};

use crate::kit::{
    Folder, Molsieve, assert_absent,
    library::{
        THREE_RULES, made_both_ways, rule_file, shipped_library, shipped_rules, smiles_lines,
    },
    output::{self, Row, assert_complete, counted, manifest, rows, smiles, smiles_sorted},
};
use arrow::datatypes::{DataType, Schema};
use molsieve::key::Key;

#[test]
fn parts_have_the_documented_columns() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "Oc1ccccc1 phenol\n");
    let rules = rule_file(&folder, &THREE_RULES);
    let some = PROPERTIES
        .into_iter()
        .filter(|(name, _)| ["mw", "hba", "charge"].contains(name));
    for (flags, properties) in [
        ("run", vec![]),
        ("run --properties", PROPERTIES.to_vec()),
        ("run --properties charge,mw,hba,mw", some.collect()),
    ] {
        let out = folder.path(&properties.len().to_string());
        Molsieve::new(flags)
            .input(&input)
            .rules(&rules)
            .output(&out)
            .run()
            .ends_with(0);
        let (schema, _) = output::read_parquet(&output::parts(&out)[0]);
        assert_eq!(columns_of(&schema), documented_columns(&properties));
        assert!(schema.fields().iter().all(|field| !field.is_nullable()));
    }
}

fn columns_of(schema: &Schema) -> Vec<(&str, DataType)> {
    let column = |field: &'_ std::sync::Arc<arrow::datatypes::Field>| field.data_type().clone();
    let fields = schema.fields().iter();
    fields
        .map(|field| (field.name().as_str(), column(field)))
        .collect()
}

type Column = (&'static str, DataType);

const PROPERTIES: [Column; 13] = [
    ("mw", DataType::Float64),
    ("clogp", DataType::Float64),
    ("tpsa", DataType::Float64),
    ("hbd", DataType::UInt16),
    ("hba", DataType::UInt16),
    ("rotatable_bonds", DataType::UInt16),
    ("exact_mass", DataType::Float64),
    ("heavy_atoms", DataType::UInt16),
    ("rings", DataType::UInt16),
    ("aromatic_rings", DataType::UInt16),
    ("fraction_csp3", DataType::Float64),
    ("charge", DataType::Int16),
    ("stereo_centres", DataType::UInt16),
];

fn documented_columns(properties: &[Column]) -> Vec<Column> {
    let dictionary = DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8));
    let mut columns = vec![
        ("smiles", DataType::Utf8),
        ("key", DataType::FixedSizeBinary(16)),
        ("parent_row", DataType::UInt64),
        ("parent_id", DataType::Utf8),
        ("parent_smiles", DataType::Utf8),
        ("rule", dictionary),
        ("site", DataType::UInt16),
    ];
    columns.extend_from_slice(properties);
    columns
}

#[test]
fn fast_chemistry_writes_the_rows_of_the_plain_loop() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(120));
    let [fast, reference] = made_both_ways(&folder, "run", &input);
    assert_complete(&fast);
    assert_complete(&reference);
    let rows_of_reference = rows(&reference);
    assert!(rows_of_reference.len() > 4_000, "a job worth comparing");
    assert_eq!(rows(&fast), rows_of_reference);
    assert_eq!(manifest(&fast)["counts"], manifest(&reference)["counts"]);
    assert_rows_are_sound(&rows_of_reference, 120);
}

/// Checks that hold for the rows of any job.
fn assert_rows_are_sound(rows: &[Row], parents: u64) {
    let mut seen = BTreeSet::new();
    for row in rows {
        assert_eq!(row.key, Key::of(row.smiles.as_bytes()).bytes(), "{row:?}");
        assert!(seen.insert(&row.smiles), "written twice: {row:?}");
        assert!(row.parent_row < parents, "{row:?}");
        assert_ne!(row.smiles, row.parent_smiles, "unchanged");
    }
    let in_order = |pair: &[Row]| pair[0].parent_row <= pair[1].parent_row;
    assert!(rows.windows(2).all(in_order), "rows stand in input order");
}

#[test]
fn the_shipped_library_still_gives_the_same_products() {
    let folder = Folder::new();
    let run = Molsieve::new("run")
        .input(shipped_library())
        .rules(shipped_rules())
        .output(folder.out())
        .run()
        .ends_with(0);
    assert_complete(&folder.out());
    let counts = &manifest(&folder.out())["counts"];
    assert_eq!(counts["parents_read"], 621);
    assert!(
        counts["products_unique"].as_u64() > Some(10_000),
        "{counts}"
    );
    assert_eq!(counts["products_capped"], 0);
    // The manifest is written a moment before the end, hence the mebibyte.
    let reported = manifest(&folder.out())["peak_memory_bytes"]
        .as_u64()
        .unwrap();
    let seen = run.peak_memory_bytes;
    assert!(
        reported.abs_diff(seen) <= 1 << 20,
        "reported {reported}, measured {seen}"
    );
    assert!(run.stdout.contains("unique products from 621 molecules"));
}

#[test]
fn every_product_is_counted_once_and_in_the_right_place() {
    let folder = Folder::new();
    let rules = rule_file(
        &folder,
        &[
            ("fluorination", "[cH:1]>>[c:1]F"),
            ("nothing", "[c:1][OX2H:2]>>[c:1][O:2]"),
            ("five_bonds", "[CH2:1]>>[CH2:1]F"),
        ],
    );
    // Benzene has 6 equal CH, phenol 2 + 2 + 1; ethanol has one CH2; the last two are repeats.
    let input = folder.write(
        "a.smi",
        "c1ccccc1 benzene\nOc1ccccc1 phenol\nCCO ethanol\nC1=CC=CC=C1 again\nOCC again\n",
    );
    Molsieve::new("run --threads 1")
        .input(input)
        .rules(rules)
        .output(folder.out())
        .run()
        .ends_with(0);
    assert_complete(&folder.out());
    let reported: Vec<_> = rows(&folder.out())
        .into_iter()
        .map(|row| {
            (
                row.smiles,
                row.parent_id,
                row.parent_row,
                row.rule,
                row.site,
            )
        })
        .collect();
    let expected = [
        ("Fc1ccccc1", "benzene", 0, 0),
        ("Oc1ccccc1F", "phenol", 1, 0),
        ("Oc1cccc(F)c1", "phenol", 1, 1),
        ("Oc1ccc(F)cc1", "phenol", 1, 2),
    ];
    let expected = expected.map(|(product, id, row, site)| {
        (product.into(), id.into(), row, "fluorination".into(), site)
    });
    assert_eq!(reported, expected);
    for (name, count) in [
        ("parents_read", 5),
        ("parents_transformed", 5),
        ("products_unique", 4),
        ("products_symmetric", 5 + 2 + 5),
        ("products_duplicate", 1),
        ("products_unchanged", 1),
        ("products_invalid", 2),
        ("products_made", 4 + 12 + 1 + 1 + 2),
    ] {
        assert_eq!(counted(&folder.out(), name), count, "{name}");
    }
}

#[test]
fn a_job_file_written_by_a_job_reproduces_its_bytes() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(60));
    let rules = rule_file(&folder, &THREE_RULES);
    Molsieve::new("run --threads 2 --part-size 64KiB --properties --max-products-per-parent 20")
        .args_of(&input, &rules)
        .output(folder.out())
        .run();
    let first = output::part_bytes(&folder.out());
    assert!(!first.is_empty());
    let again = folder.path("again");
    Molsieve::new("run")
        .arg(folder.out().join("job.toml"))
        .output(&again)
        .run();
    assert_complete(&again);
    assert_eq!(output::part_bytes(&again), first);
    assert_eq!(
        manifest(&again)["counts"],
        manifest(&folder.out())["counts"]
    );
    // Without --output the job uses the directory of the job file, which is not empty.
    Molsieve::new("run")
        .arg(folder.out().join("job.toml"))
        .run()
        .refuses(2, &["not empty", "--overwrite"]);
}

impl Molsieve {
    fn args_of(self, input: &PathBuf, rules: &PathBuf) -> Self {
        self.input(input).rules(rules)
    }
}

#[test]
fn a_job_without_rules_cleans_a_library() {
    let folder = Folder::new();
    let input = folder.write(
        "a.smi",
        "OCC ethanol\nC1=CC=CC=C1O phenol\nC(C)O the same\n[Na+].[Cl-] salt\nOc1ccccc1\n",
    );
    Molsieve::new("run")
        .input(input)
        .output(folder.out())
        .run()
        .ends_with(0);
    assert_complete(&folder.out());
    let reported: Vec<_> = rows(&folder.out())
        .into_iter()
        .map(|row| (row.smiles, row.parent_row, row.parent_id, row.parent_smiles))
        .collect();
    let expected = [
        ("CCO", 0, "ethanol", "OCC"),
        ("Oc1ccccc1", 1, "phenol", "C1=CC=CC=C1O"),
        ("[Cl-].[Na+]", 3, "salt", "[Na+].[Cl-]"),
    ];
    let expected = expected.map(|(a, row, b, c)| (a.into(), row, b.into(), c.into()));
    assert_eq!(reported, expected);
    assert_eq!(counted(&folder.out(), "products_duplicate"), 2);
}

#[test]
fn exclude_protects_the_atoms_it_matches_and_require_chooses_parents() {
    let folder = Folder::new();
    let input = folder.write(
        "a.smi",
        "O=C(O)c1cc(O)ccc1O\nOc1ccccc1C\nOC1CCCCC1\nOCc1ccccc1\n",
    );
    let methylated = |rule: &str| {
        let rules = folder.write("r.toml", format!("[[rule]]\nname = 'x'\n{rule}\n"));
        Molsieve::new("run --overwrite")
            .input(&input)
            .rules(rules)
            .output(folder.out())
            .run()
            .ends_with(0);
        smiles_sorted(&folder.out())
    };
    let phenols = "smirks = '[c:1][OX2H:2]>>[c:1][O:2]C'";
    assert_eq!(
        methylated(phenols),
        [
            "COc1ccc(O)c(C(=O)O)c1",
            "COc1ccc(O)cc1C(=O)O",
            "COc1ccccc1C"
        ]
    );
    // Only the chelated OH is protected; then the whole ring is.
    assert_eq!(
        methylated(&format!(
            "{phenols}\nexclude = ['[$([OX2H]c1ccccc1C(=O)O)]']"
        )),
        ["COc1ccc(O)c(C(=O)O)c1", "COc1ccccc1C"]
    );
    assert_eq!(
        methylated(&format!("{phenols}\nexclude = ['[OX2H]c1ccccc1C(=O)O']")),
        ["COc1ccccc1C"]
    );
    let alcohols = "smirks = '[CX4:1][OX2H:2]>>[C:1][O:2]C'";
    assert_eq!(methylated(alcohols), ["COC1CCCCC1", "COCc1ccccc1"]);
    assert_eq!(
        methylated(&format!("{alcohols}\nrequire = 'c1ccccc1'")),
        ["COCc1ccccc1"]
    );
}

#[test]
fn both_products_of_a_cleavage_are_written() {
    let folder = Folder::new();
    let input = folder.write("a.smi", "CC(=O)Oc1ccccc1 phenyl_acetate\n");
    let hydrolysis = "[c:3][O:1][C:2](=[O:4])>>[c:3][OH:1].[C:2](=[O:4])O";
    let rules = rule_file(&folder, &[("hydrolysis", hydrolysis)]);
    Molsieve::new("run")
        .input(input)
        .rules(rules)
        .output(folder.out())
        .run()
        .ends_with(0);
    assert_eq!(smiles(&folder.out()), ["Oc1ccccc1", "CC(=O)O"]);
    assert!(rows(&folder.out()).iter().all(|row| row.site == 0));
}

#[test]
fn overwrite_replaces_what_a_job_wrote_and_nothing_else() {
    let folder = Folder::new();
    let rules = rule_file(&folder, &THREE_RULES);
    let many = folder.write("many.smi", smiles_lines(200));
    let one = folder.write("one.smi", "Oc1ccccc1 phenol\n");
    let run = |input: &PathBuf| {
        Molsieve::new("run --overwrite --part-size 64KiB --slot-size 512KiB --memory 256MiB")
            .args_of(input, &rules)
            .output(folder.out())
            .run()
    };
    run(&many).ends_with(0);
    assert!(output::parts(&folder.out()).len() > 1, "several parts");
    run(&one).ends_with(0);
    assert_complete(&folder.out());
    assert_eq!(counted(&folder.out(), "parents_read"), 1);
    // A folder that contains a user's file stays unchanged.
    fs::write(folder.out().join("thesis.tex"), "years of work").unwrap();
    let before = output::names(&folder.out());
    run(&one).refuses(2, &["thesis.tex", "not written by molsieve"]);
    assert_eq!(output::names(&folder.out()), before);
}

#[test]
fn json_lines_contain_the_plan_and_end_with_the_manifest() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(250));
    let run = Molsieve::new("run --json")
        .input(&input)
        .rules(shipped_rules())
        .output(folder.out())
        .run()
        .ends_with(0);
    let events = run.json_lines();
    assert_eq!(events[0]["event"], "planned");
    assert_eq!(events[0]["parents"], 250);
    let done = events.last().unwrap();
    assert_eq!(done["event"], "done");
    assert_eq!(done["manifest"], manifest(&folder.out()));
    let between = &events[1..events.len() - 1];
    assert!(between.iter().all(|event| event["event"] == "progress"));
    assert_eq!(
        run.stderr, "",
        "the summary goes to standard output or nowhere"
    );
    // Errors are JSON too.
    let failed = Molsieve::new("run --json")
        .input(folder.path("missing.smi"))
        .output(folder.path("other"))
        .run()
        .ends_with(3)
        .json_lines();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["event"], "failed");
    assert_eq!(failed[0]["exit_code"], 3);
}

#[test]
fn a_plan_adds_up_and_writes_nothing() {
    let folder = Folder::new();
    let plan = |flags: &str| {
        Molsieve::new(flags)
            .input(shipped_library())
            .rules(shipped_rules())
            .output(folder.out())
            .run()
            .ends_with(0)
    };
    let json = plan("plan --json --memory 256MiB --threads 2").json_lines();
    let [plan_told] = json.as_slice() else {
        panic!("{json:?}")
    };
    assert_eq!(plan_told["parents"], 621);
    assert_eq!(plan_told["parents_exact"], true);
    assert_eq!(plan_told["threads"], 2);
    let memory = &plan_told["memory"];
    let items = memory["items"].as_array().unwrap();
    let sum: u64 = items.iter().filter_map(|i| i["bytes"].as_u64()).sum();
    assert_eq!(memory["total_bytes"], sum);
    assert_eq!(memory["budget_bytes"], 256 << 20);
    assert!(sum <= 256 << 20);
    let per_parent = plan_told["products_per_parent"].as_f64().unwrap();
    assert!((20.0..200.0).contains(&per_parent), "{per_parent}");

    let text = plan("plan --memory 256MiB --threads 2").stdout;
    for word in ["621", "chemistry", "ring", "filter", "sink", "of 256 MiB"] {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    assert_absent(&folder.out());
}
