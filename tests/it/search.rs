//! molsieve's search for patterns finds the matches that RDKit finds, in the same order.
//!
//! The patterns are those of the rules here, RDKit's catalogues of alerts, other collections that come with RDKit, and
//! `tests/oracle/smarts.txt`, which has every primitive of the language. `MOLSIEVE_SEARCH_FILE` names a file with a SMILES
//! at the beginning of each line, for large runs.

use std::{collections::BTreeSet, fs, path::PathBuf};

use crate::kit::{
    Folder, Molsieve, Python, args,
    library::{made_both_ways, repository, smiles_lines},
    output::manifest,
    skipped,
};
use molsieve::chem::{RdKit, SearchCheck};

/// Most matches of a pattern in a job.
const MATCHES_MAX: u32 = 16_384;
/// So low that many recursive SMARTS reach it.
const FEW_MATCHES: u32 = 20;
/// Molecules of each library that the ordinary tests compare.
const MOLECULES: usize = 300;

fn by_hand() -> String {
    fs::read_to_string(repository().join("tests/oracle/smarts.txt")).unwrap()
}

/// All patterns; those that Python lists are missing where there is none.
fn patterns(rdkit: RdKit) -> String {
    let mut lines = by_hand() + &rdkit.catalogue_smarts();
    if let Some(python) = Python::find("SMARTS of rules and of RDKit") {
        let folder = Folder::new();
        let out = folder.out();
        let rules = ["examples/rules", "tests/oracle"].map(|place| repository().join(place));
        let files = ["natural_products.toml", "synthetic.toml"].map(|name| rules[0].join(name));
        let ours = ["nasty_rules.toml", "five.toml"].map(|name| rules[1].join(name));
        let files = files.into_iter().chain(ours);
        let mut args = args![&out].to_vec();
        args.extend(files.map(Into::into));
        python.oracle("smarts.py", &args).ends_with(0);
        lines += &fs::read_to_string(out).unwrap();
    }
    let distinct: BTreeSet<&str> = lines
        .lines()
        .filter(|line| !line.starts_with("# "))
        .collect();
    distinct
        .into_iter()
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Compares all patterns in every molecule.
fn compare<'a>(check: &mut SearchCheck, smiles: impl IntoIterator<Item = &'a str>) {
    let differences: Vec<String> = smiles
        .into_iter()
        .filter_map(|smiles| check.compare(smiles))
        .take(5)
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn first_fields(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| !line.starts_with("# "));
    lines.filter_map(|line| line.split([' ', '\t', ',']).next())
}

#[test]
fn patterns_match_as_by_rdkit_and_in_its_order_slow() {
    let rdkit = RdKit::initialise().unwrap();
    let mut check = rdkit.search_check(&patterns(rdkit), MATCHES_MAX);
    let shipped = smiles_lines(MOLECULES);
    let kinds = fs::read_to_string(repository().join("tests/oracle/kinds.smi")).unwrap();
    // Its molecules are of 13 kinds in turn.
    let kinds = first_fields(&kinds).take(MOLECULES);
    compare(&mut check, first_fields(&shipped).chain(kinds));
    assert!(check.searches() > 100 * check.patterns() as u64);
    assert!(check.matches() > check.searches() / 4);
    assert_eq!(check.at_limit(), 0);
}

/// Where RDKit ends its search for a recursive SMARTS, it has to decide; below, the matches are the same.
#[test]
fn a_low_limit_leaves_recursive_smarts_to_rdkit_and_changes_no_match() {
    let rdkit = RdKit::initialise().unwrap();
    let mut check = rdkit.search_check(&by_hand(), FEW_MATCHES);
    let hard = include_str!("../parse/cases.smi");
    let shipped = smiles_lines(100);
    compare(&mut check, first_fields(&shipped).chain(first_fields(hard)));
    assert!(check.at_limit() > 0);
    assert!(check.searches() > check.at_limit());
}

#[test]
fn few_patterns_are_left_to_rdkit() {
    let rdkit = RdKit::initialise().unwrap();
    let check = rdkit.search_check(&by_hand(), MATCHES_MAX);
    let left = check.left_to_rdkit();
    let expected = [
        "[k0]",
        "[k63]",
        "[k64]",
        "C->C",
        "[$(C->N)]",
        "[$(CO)_1]",
        "[$(CO)_1]C[$(CO)_1]",
        "[C,$(N->[#29])]",
    ];
    assert_eq!(left, expected);
}

#[test]
fn the_manifest_counts_searches_by_molsieve_and_by_rdkit() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(20));
    let [fast, reference] = made_both_ways(&folder, "run", &input);
    let searches = |out| {
        let searches = &manifest(out)["chemistry_searches"];
        ["on_graphs", "by_rdkit"].map(|way| searches[way].as_u64().unwrap())
    };
    let ([on_graphs, by_rdkit], [none, all]) = (searches(&fast), searches(&reference));
    assert_eq!((by_rdkit, none, on_graphs), (0, 0, all));
    assert!(all > 20 * 20, "{all}");
}

#[test]
fn rules_check_notes_a_rule_with_a_pattern_that_is_left_to_rdkit() {
    let folder = Folder::new();
    let rules = folder.write(
        "r.toml",
        "[[rule]]\nname = \"plain\"\nsmirks = \"[cH:1]>>[c:1]F\"\n\n\
         [[rule]]\nname = \"dative\"\nsmirks = \"[cH:1]>>[c:1]F\"\nexclude = [\"N->[#78]\"]\n",
    );
    let run = Molsieve::new("rules check").arg(&rules).run().ends_with(0);
    let noted = run.stdout.lines().filter(|line| line.contains(": note: "));
    let noted: Vec<&str> = noted.collect();
    assert!(
        matches!(noted[..], [line] if line.contains("rule \"dative\"")),
        "{run:#?}"
    );
    assert!(run.stdout.ends_with("all good\n"), "{run:#?}");
    let run = Molsieve::new("rules check --json").arg(&rules).run();
    let lines = run.ends_with(0).json_lines();
    assert_eq!(lines[0]["event"], "note");
    assert_eq!(lines[1]["rules_searched_by_rdkit"], 1);
}

#[test]
fn a_named_file_is_searched_as_by_rdkit() {
    let Some(file) = std::env::var_os("MOLSIEVE_SEARCH_FILE").map(PathBuf::from) else {
        skipped("no file of SMILES to search: MOLSIEVE_SEARCH_FILE is not set");
        return;
    };
    let rdkit = RdKit::initialise().unwrap();
    let mut check = rdkit.search_check(&patterns(rdkit), MATCHES_MAX);
    let text = fs::read_to_string(file).unwrap();
    compare(&mut check, first_fields(&text));
    println!(
        "{} patterns, {} searches, {} matches, {} at a limit",
        check.patterns(),
        check.searches(),
        check.matches(),
        check.at_limit()
    );
}
