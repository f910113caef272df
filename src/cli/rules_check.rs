//! `molsieve rules check`.

use std::path::PathBuf;

use super::{CliError, Exit, say};
use crate::{
    chem::{
        RdKit,
        check::{ON_HYDROGENS, check_rule},
    },
    rules::RuleSet,
    units::counted,
};

/// Compiles every rule of the files, runs their examples and prints one line for each fault and each warning.
/// Warnings do not change the exit code.
pub(super) fn check(files: &[PathBuf], json: bool) -> Result<Exit, CliError> {
    let rdkit = RdKit::initialise()?;
    let (rules, errors, seen) = RuleSet::load_counted(files);
    let mut faults: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let mut warnings = Vec::new();
    let mut faulty = seen.saturating_sub(rules.len());
    let mut examples = 0;
    for rule in &rules {
        let verdict = check_rule(rdkit, rule)?;
        faulty += usize::from(!verdict.faults.is_empty());
        faults.extend(verdict.faults.iter().map(ToString::to_string));
        if verdict.without_hydrogens {
            let (origin, name) = (&rule.origin, &rule.name);
            warnings.push(format!(
                "{origin}: rule \"{name}\": warning: {ON_HYDROGENS}"
            ));
        }
        examples += rule.examples.len() as u64;
    }
    let faults_and_warnings = [("fault", &faults), ("warning", &warnings)];
    for (kind, line) in faults_and_warnings
        .iter()
        .flat_map(|(kind, lines)| lines.iter().map(move |l| (kind, l)))
    {
        if json {
            say(&serde_json::json!({ "event": kind, "error": line }).to_string());
        } else {
            say(line);
        }
    }
    let without = rules.iter().filter(|rule| rule.examples.is_empty()).count();
    if json {
        say(&serde_json::json!({
            "event": "checked", "rules": seen, "rules_faulty": faulty, "examples": examples,
            "faults": faults.len(), "warnings": warnings.len(), "rules_without_examples": without,
        })
        .to_string());
    } else {
        let untested = match without {
            0 => String::new(),
            n => format!(" ({} without an example)", counted(n as u64, "rule")),
        };
        let of_them = match faulty {
            0 => String::new(),
            n => format!(" ({n} faulty)"),
        };
        let verdict = match (faults.len() as u64, warnings.len() as u64) {
            (0, 0) => "all good".into(),
            (0, n) => counted(n, "warning"),
            (n, 0) => counted(n, "fault"),
            (n, m) => format!("{}, {}", counted(n, "fault"), counted(m, "warning")),
        };
        let (rules, examples) = (counted(seen as u64, "rule"), counted(examples, "example"));
        say(&format!(
            "{rules}{of_them}, {examples}{untested}: {verdict}"
        ));
    }
    Ok(if faults.is_empty() {
        Exit::Done
    } else {
        Exit::Input
    })
}
