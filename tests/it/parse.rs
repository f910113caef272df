//! The fast parser makes the molecule that RDKit makes, with every field equal and in the same order.
//!
//! `MOLSIEVE_PARSE_FILE` names a file with a SMILES at the beginning of each line, for large runs.

use std::{fs, path::PathBuf};

use crate::kit::{library::smiles_lines, skipped};
use molsieve::chem::RdKit;

/// Molecules in the shipped library.
const SHIPPED: usize = 621;

/// Compares every SMILES and returns how many the fast parser handled.
fn compare<'a>(smiles: impl IntoIterator<Item = &'a str>) -> usize {
    let rdkit = RdKit::initialise().unwrap();
    let mut fast_count = 0;
    let mut differences = Vec::new();
    for smiles in smiles {
        let (difference, fast) = rdkit.parse_differs(smiles);
        fast_count += usize::from(fast);
        if let Some(difference) = difference {
            differences.push(format!("{smiles}\n{difference}"));
        }
    }
    let shown = differences.len().min(10);
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences[..shown].join("\n")
    );
    fast_count
}

#[test]
fn the_fast_parser_reads_the_shipped_library_as_rdkit_does() {
    let lines = smiles_lines(SHIPPED);
    let fast = compare(lines.lines().map(|line| line.split(' ').next().unwrap()));
    assert!(100 * fast >= 95 * SHIPPED, "{fast} of {SHIPPED} are fast");
}

#[test]
fn hard_cases_are_parsed_as_by_rdkit() {
    let cases = include_str!("../parse/cases.smi");
    compare(cases.lines().filter(|line| !line.starts_with("# ")));
}

#[test]
fn changed_smiles_are_parsed_as_by_rdkit() {
    const OTHERS: &[u8] = b"()[]=#1%@/\\+-.cnHN";
    let whole = include_str!("../parse/cases.smi");
    let mut mutilated = Vec::new();
    for line in whole.lines().filter(|line| line.is_ascii()) {
        for at in 0..line.len() {
            let (before, after) = line.split_at(at);
            mutilated.push(format!("{before}{}", &after[1..]));
            let other = OTHERS[(at + line.len()) % OTHERS.len()] as char;
            mutilated.push(format!("{before}{other}{}", &after[1..]));
        }
    }
    compare(mutilated.iter().map(String::as_str));
}

#[test]
fn hostile_smiles_do_not_crash_the_parser() {
    let many_rings: String = (1..100).map(|n| format!("C%{:02}", n.max(10))).collect();
    let closures: String = (10..100).map(|n| format!("%{n}")).collect();
    let ladder = format!("C1{}C1", "C1CC1".repeat(60));
    let hostile = [
        "C".repeat(5_000),
        "C".repeat(250),
        "C".repeat(251),
        "(".repeat(5_000),
        format!("C{}", "(C".repeat(3_000)),
        format!("C{}{}", "(C".repeat(240), ")".repeat(240)),
        "C1".repeat(3_000),
        "C12".repeat(100),
        "c1ccccc1".repeat(40),
        "[".repeat(1_000),
        "[C@@H](F)".repeat(40),
        format!("C{closures}C{closures}"),
        "N=C".repeat(100),
        "C.".repeat(200),
        many_rings,
        ladder,
    ];
    compare(hostile.iter().map(String::as_str));
}

#[test]
fn a_named_file_is_parsed_as_by_rdkit() {
    let Some(file) = std::env::var_os("MOLSIEVE_PARSE_FILE").map(PathBuf::from) else {
        skipped("no file of SMILES to parse: MOLSIEVE_PARSE_FILE is not set");
        return;
    };
    let text = fs::read_to_string(file).unwrap();
    let smiles: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split([' ', '\t', ',']).next())
        .collect();
    let fast = compare(smiles.iter().copied());
    println!("{} compared, {fast} of them parsed fast", smiles.len());
}
