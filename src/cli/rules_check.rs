//! `molsieve rules check`.

use std::path::PathBuf;

use super::{CliError, Exit, say};
use crate::{
    chem::{RdKit, check::check_rule},
    rules::RuleSet,
    units::counted,
};

/// Compiles every rule of the files, runs their examples and prints each fault on a line of its own.
pub(super) fn check(files: &[PathBuf], json: bool) -> Result<Exit, CliError> {
    let rdkit = RdKit::initialise()?;
    let (rules, errors) = RuleSet::load_all(files);
    let mut faults: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let mut examples = 0;
    for rule in &rules {
        faults.extend(check_rule(rdkit, rule)?.iter().map(ToString::to_string));
        examples += rule.examples.len() as u64;
    }
    for fault in &faults {
        if json {
            say(&serde_json::json!({ "event": "fault", "error": fault }).to_string());
        } else {
            say(fault);
        }
    }
    let without = rules.iter().filter(|rule| rule.examples.is_empty()).count();
    if json {
        say(&serde_json::json!({
            "event": "checked", "rules": rules.len(), "examples": examples, "faults": faults.len(),
            "rules_without_examples": without,
        })
        .to_string());
    } else {
        let untested = match without {
            0 => String::new(),
            n => format!(" ({} without an example)", counted(n as u64, "rule")),
        };
        let verdict = match faults.len() as u64 {
            0 => "all good".into(),
            n => counted(n, "fault"),
        };
        let (rules, examples) = (
            counted(rules.len() as u64, "rule"),
            counted(examples, "example"),
        );
        say(&format!("{rules}, {examples}{untested}: {verdict}"));
    }
    Ok(if faults.is_empty() {
        Exit::Done
    } else {
        Exit::Input
    })
}
