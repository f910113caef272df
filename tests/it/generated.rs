//! Random rules on random molecules: both chemistries agree with the plain loop in Python.
//!
//! Runs about two minutes of `scripts/equal.sh --generated`, always the same rules and molecules in the same order. `MOLSIEVE_PYTHON`
//! names a Python that has `tests/oracle/requirements.txt` (scripts/test.sh sets it). Without one the test reports a skip; with `MOLSIEVE_REQUIRE_PYTHON` it fails. `MOLSIEVE_GENERATED_SECONDS` makes it longer or shorter.

use crate::kit::{Python, args};

const SECONDS_DEFAULT: &str = "100";
const SEED: &str = "1";
/// A hundred seconds give several times as many, even on a busy machine.
const PRODUCTS_MIN: u64 = 5_000;

#[test]
fn random_rules_on_random_molecules_agree_with_the_plain_loop_slow() {
    let Some(python) = Python::find("random rules") else {
        return;
    };
    let seconds =
        std::env::var("MOLSIEVE_GENERATED_SECONDS").unwrap_or_else(|_| SECONDS_DEFAULT.into());
    let molsieve = env!("CARGO_BIN_EXE_molsieve");
    let args = args!["--molsieve", molsieve, "--seconds", seconds, "--seed", SEED];
    let compared = python.oracle("generated.py", args).ends_with(0);
    let made = total(&compared.stdout, "products made");
    assert!(made >= PRODUCTS_MIN, "{made} products prove little");
}

/// A number of the totals at the end.
fn total(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.unwrap().trim().replace(',', "");
    digits.parse().unwrap()
}
