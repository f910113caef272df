//! A flag that a command lacks and another has. clap suggests the most similar flag of the same command, which
//! misleads: `dedup --rules` is no mistyped `--resume`.

use std::ffi::OsString;

use clap::{
    CommandFactory, Error,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::Cli;

/// The commands that run jobs. They share most flags, so that a flag of the other is soon typed.
const JOBS: [&str; 2] = ["run", "dedup"];

/// Replaces clap's suggestion where the other kind of job has the flag.
pub(super) fn explain(mut error: Error, args: &[OsString]) -> Error {
    let Some(tip) = tip(&error, args) else {
        return error;
    };
    error.remove(ContextKind::SuggestedArg);
    error.remove(ContextKind::Usage);
    let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
    error.insert(ContextKind::Suggested, tips);
    error
}

fn tip(error: &Error, args: &[OsString]) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let command = args.get(1)?.to_str().filter(|name| JOBS.contains(name))?;
    let other = JOBS.into_iter().find(|name| *name != command)?;
    let ContextValue::String(flag) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    let name = flag.strip_prefix("--")?;
    let cli = Cli::command();
    let has_it = |command| {
        let mut flags = cli.find_subcommand(command)?.get_arguments();
        flags.find(|flag| flag.get_long() == Some(name))
    };
    (has_it(command).is_none() && has_it(other).is_some())
        .then(|| format!("'{flag}' is a flag of 'molsieve {other}'"))
}
