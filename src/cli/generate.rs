//! Shell completions and man pages for packages: `molsieve completions` and `molsieve man`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{Cli, CliError, EXIT_CODES, Exit, say};

/// Environment variables that the commands read, for the man pages.
const ENVIRONMENT: &str = "\
MOLSIEVE_LOG: The log level, for example debug or info,molsieve=trace. Default: warn; for serve, info.
MOLSIEVE_SOCKET: Socket of the daemon, for commands without --socket.
XDG_RUNTIME_DIR: The folder of the socket of a user's own daemon, molsieve/molsieve.sock.
XDG_STATE_HOME: The folder in which a user's own daemon stores its jobs, as molsieve.
STATE_DIRECTORY: The folder in which serve stores its jobs; systemd sets it.";

/// `molsieve completions`: a script for the shell, to standard output.
pub(super) fn completions(shell: Shell) -> Result<Exit, CliError> {
    say(script(shell).trim_end());
    Ok(Exit::Done)
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown_commands(), "molsieve", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The command line without hidden commands, which the generators would show.
fn shown_commands() -> Command {
    let all = Cli::command();
    let shown = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    Command::new("molsieve")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .subcommands(shown.cloned())
}

/// `molsieve man`: writes molsieve.1 and a page per command into `folder`.
pub(super) fn man(folder: &Path) -> Result<Exit, CliError> {
    let failed = |path: &Path, error: &io::Error| CliError::CannotWrite {
        path: path.into(),
        reason: crate::store::plain(error),
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for (name, page) in pages().map_err(|error| failed(folder, &error))? {
        let path = folder.join(name);
        fs::write(&path, page).map_err(|error| failed(&path, &error))?;
    }
    Ok(Exit::Done)
}

/// The command and those below it. With `hidden`, hidden ones too.
fn commands(mut root: Command, hidden: bool) -> Vec<Command> {
    root.build();
    let mut commands = vec![root];
    let mut next = 0;
    while next < commands.len() {
        let below = commands[next].get_subcommands();
        let below: Vec<_> = below
            .filter(|below| hidden || !below.is_hide_set())
            .cloned()
            .collect();
        commands.extend(below);
        next += 1;
    }
    commands
}

/// Every page with the name of its file.
fn pages() -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let commands = commands(Cli::command().disable_help_subcommand(true), false);
    let pages = commands.into_iter().map(|command| {
        let man = Man::new(command.clone())
            .manual("molsieve")
            .source(concat!("molsieve ", env!("CARGO_PKG_VERSION")));
        Ok((man.get_filename().into(), page(&man, &command)?))
    });
    pages.collect()
}

fn page(man: &Man, command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command
        .get_subcommands()
        .any(|command| !command.is_hide_set())
    {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::new();
    rest.control("SH", ["EXIT STATUS"]);
    let help = command.get_after_long_help().map(ToString::to_string);
    let term = |rest: &mut Roff, (name, meaning): (&str, &str)| {
        let entry = rest.control("TP", []);
        entry.text([bold(name)]).text([roman(meaning)]);
    };
    for code in exit_codes(help.as_deref().unwrap_or(EXIT_CODES)) {
        term(&mut rest, code);
    }
    rest.control("SH", ["ENVIRONMENT"]);
    for variable in ENVIRONMENT.lines().filter_map(|line| line.split_once(": ")) {
        term(&mut rest, variable);
    }
    if command.get_name() != "molsieve" {
        rest.control("SH", ["SEE ALSO"])
            .text([bold("molsieve"), roman("(1)")]);
    }
    rest.to_writer(&mut page)?;
    Ok(page)
}

/// The exit codes and their meanings in the last line of `--help`: a code is a number at the start of a clause.
fn exit_codes(help: &str) -> impl Iterator<Item = (&str, &str)> {
    let first = help.lines().next().unwrap_or_default();
    let clauses = first
        .trim_start_matches("Exit codes: ")
        .trim_end_matches('.')
        .split("; ");
    let codes = clauses.filter_map(|clause| {
        let clause = clause.trim_start_matches("those of the job: ");
        clause.split_once(' ')
    });
    codes.filter(|(code, _)| code.parse::<u8>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_exit_codes() {
        let pages = pages().unwrap();
        let names: Vec<_> = pages
            .iter()
            .map(|(name, _)| name.to_str().unwrap())
            .collect();
        for name in [
            "molsieve.1",
            "molsieve-run.1",
            "molsieve-submit.1",
            "molsieve-rules-check.1",
        ] {
            assert!(names.contains(&name), "{name} of {names:?}");
        }
        assert!(!names.contains(&"molsieve-try-parents.1"), "hidden");
        for (name, page) in &pages {
            let page = String::from_utf8_lossy(page);
            for section in ["NAME", "SYNOPSIS", "EXIT STATUS", "ENVIRONMENT"] {
                let title = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
                assert!(
                    title.iter().any(|title| page.contains(title)),
                    "{section} in {name:?}"
                );
            }
        }
    }

    #[test]
    fn the_short_help_of_every_command_fits_on_a_screen() {
        const LINES_MAX: usize = 24;
        // The list of commands has no details to leave out.
        const LIST_LINES_MAX: usize = 44;
        const COLUMNS_MAX: usize = 100;
        let mut long = Vec::new();
        let commands = commands(Cli::command().term_width(COLUMNS_MAX), true).into_iter();
        // `help` itself has no -h.
        for mut command in commands.filter(|command| command.get_name() != "help") {
            let help = command.render_help().to_string();
            let lines = help.lines().count();
            let wide = help.lines().any(|line| line.chars().count() > COLUMNS_MAX);
            let is_list = command.get_name() == Cli::command().get_name();
            let lines_max = if is_list { LIST_LINES_MAX } else { LINES_MAX };
            if lines > lines_max || wide {
                long.push(format!("{lines} lines, wide: {wide}\n{help}"));
            }
        }
        assert!(long.is_empty(), "{}", long.join("\n"));
    }

    /// clap looks for this in debug builds alone.
    #[test]
    fn no_command_has_two_flags_of_one_name() {
        for command in commands(Cli::command(), true) {
            let all = || command.get_arguments();
            let ids = all().map(|arg| format!("{:?}", arg.get_id()));
            let long = all().filter_map(|arg| arg.get_long().map(|long| format!("--{long}")));
            let short = all().filter_map(|arg| arg.get_short().map(|short| format!("-{short}")));
            let mut seen = std::collections::BTreeSet::new();
            for name in ids.chain(long).chain(short) {
                assert!(seen.insert(name.clone()), "{}: {name}", command.get_name());
            }
        }
    }

    #[test]
    fn exit_codes_are_those_of_the_help() {
        let codes: Vec<_> = exit_codes(super::super::jobs::WATCH_EXIT_CODES).collect();
        let numbers: Vec<_> = codes.iter().map(|(code, _)| *code).collect();
        assert_eq!(numbers, ["0", "1", "2", "3", "4", "75"]);
        assert_eq!(codes[0].1, "done");
        assert_eq!(codes[5].1, "no longer watched, the job continues");
        assert_eq!(exit_codes(EXIT_CODES).count(), 6);
    }

    /// The result of a checker on a file; `None`, and a message, if the checker is not installed.
    fn checked(program: &str, flags: &[&str], file: &Path) -> Option<(bool, String)> {
        let Ok(run) = std::process::Command::new(program)
            .args(flags)
            .arg(file)
            .output()
        else {
            println!("skipped: {program} is not installed");
            return None;
        };
        let said = [run.stdout, run.stderr].concat();
        Some((
            run.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        ))
    }

    #[test]
    fn bash_understands_its_completions() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("completions");
        let script = script(Shell::Bash);
        assert!(script.contains("--priority") && script.contains("cancel"));
        assert!(!script.contains("try-parents"), "hidden");
        fs::write(&file, script).unwrap();
        if let Some((good, said)) = checked("bash", &["-n"], &file) {
            assert!(good && said.is_empty(), "{said}");
        }
    }

    #[test]
    fn pages_are_set_without_warnings() {
        let folder = tempfile::tempdir().unwrap();
        man(folder.path()).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let page = entry.unwrap().path();
            for (program, flags) in [
                ("groff", &["-man", "-ww", "-z", "-Kutf8"][..]),
                ("mandoc", &["-Tlint", "-Werror"]),
            ] {
                if let Some((good, said)) = checked(program, flags, &page) {
                    assert!(good && said.is_empty(), "{page:?}: {said}");
                }
            }
        }
    }
}
