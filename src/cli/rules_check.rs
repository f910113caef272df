//! `molsieve rules check`.

use std::path::PathBuf;

use super::{
    CliError, Exit,
    rules_table::{self, TableArgs},
    say,
};
use crate::{
    chem::{
        RdKit,
        check::{ON_HYDROGENS, ON_SEARCHES, RuleFault, check_rule},
    },
    report::answer::{Checked, RulesAnswer, line},
    rules::{Loaded, RuleSet},
    units::counted,
};

/// The arguments of `rules check`.
#[derive(clap::Args, Debug)]
pub(super) struct CheckArgs {
    /// Rule files: TOML, YAML, CSV, TSV, JSON, or text with a reaction SMARTS on each line
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    table: TableArgs,
    /// Print JSON, one object per line
    #[arg(long)]
    pub(super) json: bool,
}

/// Compiles every rule of the files, runs their examples and prints one line for each fault and each warning.
/// Warnings do not change the exit code. Prints the table, if it is asked for, behind the result.
pub(super) fn check(args: &CheckArgs) -> Result<Exit, CliError> {
    let library = args.table.open()?;
    let rdkit = RdKit::initialise()?;
    let loaded = Loaded::of(&args.files);
    let (rules, seen, json) = (loaded.rules, loaded.rules_seen, args.json);
    let mut faults: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
    let mut warnings: Vec<String> = loaded.notes.iter().map(ToString::to_string).collect();
    let mut notes = Vec::new();
    let mut faulty = seen.saturating_sub(rules.len());
    let mut examples = 0;
    let mut compiled = Vec::new();
    for rule in &rules {
        let verdict = check_rule(rdkit, rule)?;
        faulty += usize::from(!verdict.faults.is_empty());
        if !matches!(verdict.faults[..], [RuleFault::Compile(_), ..]) {
            compiled.push(rule.clone());
        }
        faults.extend(verdict.faults.iter().map(ToString::to_string));
        if verdict.without_hydrogens {
            let (origin, name) = (&rule.origin, &rule.name);
            warnings.push(format!(
                "{origin}: rule \"{name}\": warning: {ON_HYDROGENS}"
            ));
        }
        if verdict.searched_by_rdkit {
            let (origin, name) = (&rule.origin, &rule.name);
            notes.push(format!("{origin}: rule \"{name}\": note: {ON_SEARCHES}"));
        }
        examples += rule.examples.len() as u64;
    }
    let fault = |error: &String| RulesAnswer::Fault {
        error: error.clone(),
    };
    let warning = |error: &String| RulesAnswer::Warning {
        error: error.clone(),
    };
    let note = |note: &String| RulesAnswer::Note { note: note.clone() };
    if json {
        let answers = faults.iter().map(fault);
        let answers = answers.chain(warnings.iter().map(warning));
        let answers = answers.chain(notes.iter().map(note));
        answers.for_each(|answer| say(&line(&answer)));
    } else {
        let texts = faults.iter().chain(&warnings).chain(&notes);
        texts.for_each(|text| say(text));
    }
    let without = rules.iter().filter(|rule| rule.examples.is_empty()).count();
    let checked = Checked {
        rules: seen as u64,
        rules_faulty: faulty as u64,
        examples,
        faults: faults.len() as u64,
        warnings: warnings.len() as u64,
        rules_without_examples: without as u64,
        rules_searched_by_rdkit: notes.len() as u64,
    };
    say(&match json {
        true => line(&RulesAnswer::Checked(checked)),
        false => result(&checked),
    });
    if args.table.table && !compiled.is_empty() {
        rules_table::print(rdkit, &args.table, library, RuleSet::of(compiled), json)?;
    }
    Ok(if faults.is_empty() {
        Exit::Done
    } else {
        Exit::Input
    })
}

/// The result in a sentence.
fn result(checked: &Checked) -> String {
    let untested = match checked.rules_without_examples {
        0 => String::new(),
        n => format!(" ({} without an example)", counted(n, "rule")),
    };
    let faulty = match checked.rules_faulty {
        0 => String::new(),
        n => format!(" ({n} faulty)"),
    };
    let verdict = match (checked.faults, checked.warnings) {
        (0, 0) => "all good".into(),
        (0, n) => counted(n, "warning"),
        (n, 0) => counted(n, "fault"),
        (n, m) => format!("{}, {}", counted(n, "fault"), counted(m, "warning")),
    };
    format!(
        "{}{faulty}, {}{untested}: {verdict}",
        counted(checked.rules, "rule"),
        counted(checked.examples, "example")
    )
}
