//! A canonical SMILES that is said not to depend on the order of the atoms does not, for any order tried.
//!
//! `MOLSIEVE_SETTLED_FILE` names a file with a SMILES at the beginning of each line, for large runs.

use std::{fs, path::PathBuf};

use crate::kit::{library::smiles_lines, skipped};
use molsieve::chem::RdKit;

/// Molecules in the shipped library.
const SHIPPED: usize = 621;
/// Random orders of each molecule.
const ORDERS: u32 = 20;

/// Compares the texts of every molecule and returns how many are said to be settled.
fn compare<'a>(smiles: impl IntoIterator<Item = &'a str>) -> usize {
    let rdkit = RdKit::initialise().unwrap();
    let mut settled_count = 0;
    for smiles in smiles {
        let (difference, settled) = rdkit.settled_text_differs(smiles, ORDERS);
        settled_count += usize::from(settled);
        assert_eq!(difference, None, "{smiles}");
    }
    settled_count
}

#[test]
fn settled_texts_of_the_shipped_library_do_not_depend_on_the_order_of_atoms() {
    let lines = smiles_lines(SHIPPED);
    let settled = compare(lines.lines().map(|line| line.split(' ').next().unwrap()));
    assert!(
        100 * settled >= 80 * SHIPPED,
        "{settled} of {SHIPPED} are settled"
    );
}

#[test]
fn hard_cases_are_settled_only_if_they_are() {
    let cases = include_str!("../parse/cases.smi");
    compare(cases.lines().filter(|line| !line.starts_with("# ")));
}

#[test]
fn equal_parts_that_can_be_exchanged_leave_a_text_settled() {
    let settled = [
        "FC(F)(F)c1ccccc1",
        "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
        "c1ccccc1",
        "c1ccc(-c2ccccc2)cc1",
        "C1CCNCC1",
        "O=S(=O)(c1ccc(N)cc1)c1ccc(N)cc1",
        "C[C@H](N)Cc1ccccc1",
    ];
    assert_eq!(compare(settled), settled.len());
}

#[test]
fn a_named_file_is_settled_only_if_it_is() {
    let Some(file) = std::env::var_os("MOLSIEVE_SETTLED_FILE").map(PathBuf::from) else {
        skipped("no file of SMILES to reorder: MOLSIEVE_SETTLED_FILE is not set");
        return;
    };
    let text = fs::read_to_string(file).unwrap();
    let smiles = text
        .lines()
        .filter_map(|line| line.split([' ', '\t', ',']).next());
    println!("{} settled", compare(smiles));
}
