//! Random rules on random molecules give what the plain loop in Python gives, on the fast way and on the reference.
//!
//! About two minutes of `scripts/equal.sh --generated`, always the same rules and molecules in the same order. `MOLSIEVE_PYTHON`
//! names a Python that has `tests/oracle/requirements.txt` (scripts/test.sh sets it). Without one the test is skipped,
//! and says so; with `MOLSIEVE_REQUIRE_PYTHON` it fails. `MOLSIEVE_GENERATED_SECONDS` makes it longer or shorter.

use std::process::Command;

use crate::kit::{library::repository, run_command, skipped};

const SECONDS_DEFAULT: &str = "100";
const SEED: &str = "1";
/// A hundred seconds give several times as many, even on a machine that has other work.
const PRODUCTS_MIN: u64 = 5_000;

#[test]
fn random_rules_on_random_molecules_give_what_the_plain_loop_gives() {
    let Some(python) = std::env::var_os("MOLSIEVE_PYTHON") else {
        let required = std::env::var_os("MOLSIEVE_REQUIRE_PYTHON").is_some();
        assert!(!required, "MOLSIEVE_PYTHON is not set");
        skipped("no random rules: MOLSIEVE_PYTHON is not set");
        return;
    };
    let seconds =
        std::env::var("MOLSIEVE_GENERATED_SECONDS").unwrap_or_else(|_| SECONDS_DEFAULT.into());
    let mut command = Command::new(python);
    command
        .arg(repository().join("tests/oracle/generated.py"))
        .args(["--molsieve", env!("CARGO_BIN_EXE_molsieve")])
        .args(["--seconds", &seconds, "--seed", SEED])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let compared = run_command(command);
    assert_eq!(compared.code, Some(0), "{}", compared.stdout);
    let made = total(&compared.stdout, "products made");
    assert!(made >= PRODUCTS_MIN, "{made} products prove little");
}

/// A number of the totals at the end.
fn total(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.unwrap().trim().replace(',', "");
    digits.parse().unwrap()
}
