//! The fast chemistry gives exactly the files of the reference chemistry: for molecules of many kinds, for the shipped
//! rules, and for hostile rules.
//!
//! `scripts/equal.sh` does the same with libraries of any size.

use std::path::{Path, PathBuf};

use crate::kit::{
    Folder, Molsieve,
    library::{repository, shipped_library, shipped_rules},
    output::{assert_complete, part_bytes},
};
use serde_json::Value;

/// The output of a run: the bytes of parts and rejects, and the manifest.
struct Outcome {
    files: Vec<(String, Vec<u8>)>,
    manifest: Value,
}

fn run(folder: &Folder, method: &str, input: &Path, rules: &Path, env: &[(&str, &str)]) -> Outcome {
    let out = folder.path(method);
    let molsieve = Molsieve::new("run --threads 2 --memory 512MiB --chemistry").arg(method);
    let run = env
        .iter()
        .fold(molsieve, |molsieve, (name, value)| {
            molsieve.env(name, value)
        })
        .input(input)
        .rules(rules)
        .output(&out)
        .run();
    assert!(matches!(run.code, Some(0 | 4)), "{run:?}");
    assert_complete(&out);
    let mut files = part_bytes(&out);
    let rejects = std::fs::read(out.join("rejects.parquet")).unwrap_or_default();
    files.push(("rejects.parquet".into(), rejects));
    let manifest = std::fs::read_to_string(out.join("manifest.json")).unwrap();
    Outcome {
        files,
        manifest: serde_json::from_str(&manifest).unwrap(),
    }
}

/// Runs both chemistries; returns the counts.
#[track_caller]
fn assert_same(folder: &Folder, input: &Path, rules: &Path) -> Value {
    let outcome = |method| run(folder, method, input, rules, &[]);
    let (fast, reference) = (outcome("fast"), outcome("reference"));
    assert_eq!(fast.manifest["counts"], reference.manifest["counts"]);
    assert!(fast.files == reference.files);
    fast.manifest["counts"].clone()
}

/// Runs both chemistries; returns the share of products made by the fast path.
#[track_caller]
fn assert_equal(input: &Path, rules: &Path) -> f64 {
    let folder = Folder::new();
    let fast = run(&folder, "fast", input, rules, &[]);
    let reference = run(&folder, "reference", input, rules, &[]);
    assert_eq!(fast.manifest["counts"], reference.manifest["counts"]);
    for (one, other) in fast.files.iter().zip(&reference.files) {
        assert_eq!(one.0, other.0);
        assert!(one.1 == other.1, "{} differs: run scripts/equal.sh", one.0);
    }
    assert_eq!(fast.files.len(), reference.files.len());
    let made = fast.manifest["counts"]["products_made"].as_u64().unwrap();
    let on_graphs = |outcome: &Outcome| {
        outcome.manifest["chemistry_products"]["on_graphs"]
            .as_u64()
            .unwrap()
    };
    assert!(made > 10_000, "{made} products prove little");
    assert_eq!(on_graphs(&reference), 0);
    on_graphs(&fast) as f64 / made as f64
}

fn oracle(name: &str) -> PathBuf {
    repository().join("tests/oracle").join(name)
}

#[test]
fn both_chemistries_agree_on_natural_products_and_shipped_rules_slow() {
    let share = assert_equal(&shipped_library(), &shipped_rules());
    assert!(
        share > 0.93,
        "only {share} of the products were made on graphs"
    );
}

#[test]
fn both_chemistries_agree_on_other_molecules_and_shipped_rules_slow() {
    let share = assert_equal(&oracle("kinds.smi"), &shipped_rules());
    assert!(
        share > 0.6,
        "only {share} of the products were made on graphs"
    );
}

#[test]
fn both_chemistries_agree_on_other_molecules_and_hostile_rules_slow() {
    assert_equal(&oracle("kinds.smi"), &oracle("nasty_rules.toml"));
}

#[test]
fn both_chemistries_agree_on_natural_products_and_hostile_rules_slow() {
    assert_equal(&shipped_library(), &oracle("nasty_rules.toml"));
}

/// If stereo double bonds follow on both sides of another, RDKit's reactions keep the stereo of one side only; the fast
/// path would keep both.
#[test]
fn crossed_double_bonds_use_the_reference_chemistry() {
    let folder = Folder::new();
    let crossed = "C(=C(F)/C=C(/C=N\\N=C\\C)\\C=C/CO)\\C crossed\n";
    let many: String = (0..10_001).map(|_| crossed).collect();
    let input = folder.write("crossed.smi", many);
    let rules = folder.write(
        "rule.toml",
        "[[rule]]\nname = 'methylation'\nsmirks = '[CH2:1][OX2H:2]>>[CH2:1][O:2]C'\n",
    );
    assert_eq!(assert_equal(&input, &rules), 0.0);
}

/// RDKit ends the search for a recursive SMARTS at a limit. What it has found by then depends on the order in which it
/// searches. The cage has 36,360 ways that are 15 atoms long.
#[test]
fn recursive_smarts_agree_beyond_the_limit_of_their_matches() {
    let folder = Folder::new();
    let cage = "C12C3C4C5C1C1C6C2C2C3C3C4C4C5C1C1C6C2C3C41";
    let chain = "CC(C)CCCCCCCCCCCCCCCCC(C)C";
    let input = folder.write("cage.smi", format!("{cage}\n{chain}\n"));
    let way = "C~".repeat(14) + "C";
    let rules = folder.write(
        "rules.toml",
        format!(
            "[[rule]]\nname = 'asked'\nsmirks = '[C;!H0;$({way}):1]>>[C:1]F'\n\
             [[rule]]\nname = 'denied'\nsmirks = '[C;!H0;!$({way}~C):1]>>[C:1]Cl'\n\
             [[rule]]\nname = 'excluded'\nsmirks = '[C;!H0:1]>>[C:1]Br'\nexclude = ['[$({way})]']\n"
        ),
    );
    let counts = assert_same(&folder, &input, &rules);
    let unique = &counts["products_unique"];
    assert!(unique.as_u64() > Some(15), "{unique}");
}

/// Molecules with equal parts: each fragment on both sides of each linker, and rings, cages and stereo that depends on them.
fn symmetrical_library() -> String {
    const FRAGMENTS: [&str; 10] = [
        "c1ccccc1",
        "c1ccc(O)cc1",
        "C(C)(C)C",
        "C(F)(F)F",
        "CC",
        "C1CCNCC1",
        "C[C@H](F)O",
        "C=CC",
        "/C=C/C",
        "S(=O)(=O)C",
    ];
    const LINKERS: [(&str, &str); 6] = [
        ("C", ""),
        ("N", "C"),
        ("C", "O"),
        ("[C@@H]", "c9cccc(C)c9"),
        ("C9C", "CC9"),
        ("CC(C)(C)OC", "C#N"),
    ];
    const OTHERS: [&str; 12] = [
        "C12C3C4C1C5C4C3C25",
        "C1CC2CCC1CC2",
        "C1CC1C1CC1",
        "C1C[C@H](C)C[C@@H](C)C1",
        "C[C@H]1CC[C@@H](C)CC1",
        "OC[C@@H](O)[C@H](O)CO",
        "C/C=C/C(C)(C)/C=C/C",
        "C/C=C/C(O)/C=C\\C",
        "CC(C)=C(C)C",
        "c1ccc2ccccc2c1",
        "c1cc2cc3ccccc3cc2cc1",
        "CC(C)(C)c1cc(C(C)(C)C)cc(C(C)(C)C)c1",
    ];
    let pairs = FRAGMENTS
        .iter()
        .flat_map(|part| LINKERS.map(|(begin, end)| format!("{begin}({part})({part}){end}")));
    pairs
        .chain(OTHERS.map(String::from))
        .map(|smiles| smiles + "\n")
        .collect()
}

/// Sites that an exchange of equal parts makes one are counted without making their products.
#[test]
fn equal_sites_are_counted_as_the_reference_counts_them() {
    let folder = Folder::new();
    let input = folder.write("library.smi", symmetrical_library());
    let rules = folder.write(
        "rules.txt",
        "[cH:1]>>[c:1]F fluorination\n\
         [CX4;!H0:1]>>[C:1]O hydroxylation\n\
         [CH2:1]([C:2])[C:3]>>[C@H:1](Cl)([C:2])[C:3] made-centre\n\
         [C:1][F]>>[C:1] loss\n\
         [C:1]=[C:2]>>[C:1]1O[C:2]1 epoxidation\n\
         [c:1][cH:2][cH:3]>>[c:1][c:2](Br)[c:3](Br) two-atoms\n\
         [N,O;!H0:1]>>[*:1]C(C)=O acetylation\n\
         [C:1][C:2]>>[C:1].[C:2] cleavage\n",
    );
    let counts = assert_same(&folder, &input, &rules);
    let symmetric = &counts["products_symmetric"];
    assert!(symmetric.as_u64() > Some(300), "{symmetric}");
}

/// In RDKit itself the products of these molecules depend on the addresses of their bonds.
#[test]
fn a_molecule_gives_the_same_products_each_time() {
    let once = std::fs::read_to_string(oracle("crossed.smi")).unwrap();
    let unique = |text: &str, method: &str| {
        let folder = Folder::new();
        let input = folder.write("crossed.smi", text);
        let outcome = run(&folder, method, &input, &shipped_rules(), &[]);
        outcome.manifest["counts"]["products_unique"].as_u64()
    };
    let expected = unique(&once, "reference");
    assert!(expected > Some(100), "{expected:?}");
    for method in ["fast", "reference"] {
        assert_eq!(unique(&once.repeat(30), method), expected, "{method}");
    }
}

/// RDKit reads these variables itself, each time it finds rings or stereo.
#[test]
fn the_environment_does_not_change_the_products() {
    let folder = Folder::new();
    let env = [
        ("RDK_USE_LEGACY_STEREO_PERCEPTION", "0"),
        ("RDK_USE_LEGACY_RING_FINDING", "1"),
        ("RDK_ENABLE_NONTETRAHEDRAL_STEREO", "0"),
    ];
    let kinds = std::fs::read_to_string(oracle("kinds.smi")).unwrap();
    let some: String = kinds.lines().take(300).map(|l| format!("{l}\n")).collect();
    let input = folder.write("kinds.smi", some);
    for method in ["fast", "reference"] {
        let outcome = |env: &[(&str, &str)]| {
            let folder = Folder::new();
            run(&folder, method, &input, &shipped_rules(), env)
        };
        let (with, without) = (outcome(&env), outcome(&[]));
        assert_eq!(with.manifest["counts"], without.manifest["counts"]);
        assert!(with.files == without.files, "{method}");
    }
}

/// The rings that RDKit lists double in number with each ring of this molecule: it would list them for ever, and fill
/// the memory.
#[test]
fn a_molecule_with_too_many_rings_is_rejected() {
    let folder = Folder::new();
    let cycle = |rings: usize| {
        let middle = "c1ccc(cc1)".repeat(rings - 2);
        format!("c12ccc(cc1){middle}c1ccc2cc1")
    };
    let input = folder.write("cycles.smi", format!("{} a\n{} b\n", cycle(40), cycle(8)));
    for method in ["fast", "reference"] {
        let out = folder.path(method);
        let run = Molsieve::new("run --chemistry").arg(method);
        run.input(&input)
            .output(&out)
            .rules(shipped_rules())
            .run()
            .ends_with(4);
        let manifest = std::fs::read_to_string(out.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["counts"]["parents_rejected"], 1, "{manifest}");
        assert_eq!(manifest["rejected_by_code"]["too_large"], 1, "{manifest}");
    }
}

#[test]
fn both_chemistries_clean_a_library_alike() {
    let folder = Folder::new();
    for input in [shipped_library(), oracle("kinds.smi")] {
        let clean = |method: &str| {
            let out =
                folder.path(&format!("{method}-{}", input.display()).replace(['/', '.'], "_"));
            let run = Molsieve::new("run --threads 2 --chemistry")
                .arg(method)
                .input(&input)
                .output(&out)
                .run();
            assert!(matches!(run.code, Some(0 | 4)), "{run:?}");
            part_bytes(&out)
        };
        assert!(clean("fast") == clean("reference"), "{}", input.display());
    }
}
