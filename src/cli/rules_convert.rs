//! `molsieve rules convert`.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{CliError, Exit, say_aside};
use crate::{
    limits::RULE_FILE_BYTES_MAX,
    rules::{Loaded, Rule, to_toml},
    store::{StoreError, plain, write_new},
    units::counted,
};

/// The arguments of `rules convert`.
#[derive(clap::Args, Debug)]
pub(super) struct ConvertArgs {
    /// Rule files: TOML, YAML, CSV, TSV, JSON, or text with a reaction SMARTS on each line
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write to this new file [default: standard output]
    #[arg(short, long, value_name = "OUT.toml")]
    output: Option<PathBuf>,
}

/// Writes the rules of all files as TOML, and one line on standard error for everything that is left out.
pub(super) fn convert(args: &ConvertArgs) -> Result<Exit, CliError> {
    if let Some(output) = &args.output {
        let extension = output.extension();
        if !extension.is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
            return Err(CliError::OutputNotToml(output.clone()));
        }
        if output.symlink_metadata().is_ok() {
            return Err(StoreError::Exists(output.clone()).into());
        }
    }
    let loaded = Loaded::of(&args.files);
    for note in &loaded.notes {
        say_aside(&note.to_string());
    }
    for error in &loaded.errors {
        say_aside(&error.to_string());
    }
    if loaded.is_partial || loaded.rules.is_empty() {
        say_aside(match loaded.is_partial {
            true => "nothing is written, because not every file could be read",
            false => "nothing is written, because no rule is valid",
        });
        return Ok(Exit::Input);
    }
    let mut rules = loaded.rules;
    if let Some(output) = &args.output {
        rules.iter_mut().for_each(|rule| keep_sets(rule, output));
    }
    let text = to_toml(&rules);
    if text.len() > RULE_FILE_BYTES_MAX {
        return Err(CliError::ConvertedTooLarge {
            bytes: text.len(),
            bytes_max: RULE_FILE_BYTES_MAX,
        });
    }
    match &args.output {
        Some(output) => write_new(output, text.as_bytes())?,
        None => print(&text)?,
    }
    let written = rules.len();
    let left_out = loaded.rules_seen.saturating_sub(written) as u64;
    if args.output.is_some() || left_out > 0 {
        let left_out = match left_out {
            0 => String::new(),
            n => format!(", {} with faults left out", counted(n, "rule")),
        };
        say_aside(&format!(
            "{} written{left_out}",
            counted(written as u64, "rule")
        ));
    }
    Ok(match loaded.errors.is_empty() {
        true => Exit::Done,
        false => Exit::Incomplete,
    })
}

/// A rule names the files of its sets from the folder of its own file. Where that is another one than that of `output`,
/// their whole paths are written.
fn keep_sets(rule: &mut Rule, output: &Path) {
    let folder = rule.origin.file.parent().unwrap_or(Path::new(""));
    if folder == output.parent().unwrap_or(Path::new("")) {
        return;
    }
    let named = &rule.origin.reagents;
    let sets = rule.reagents.iter_mut();
    for (_, set) in sets.filter(|(reactant, _)| named.contains_key(reactant)) {
        let path = std::path::absolute(folder.join(&*set));
        let path = path.ok().filter(|path| path.exists());
        if let Some(path) = path.as_deref().and_then(Path::to_str) {
            *set = path.to_owned();
        }
    }
}

/// Writes to standard output. A closed pipe is no error.
fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::Stream(plain(&error)))
        }
        _ => Ok(()),
    }
}
