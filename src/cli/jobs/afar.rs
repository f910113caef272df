//! Daemons on other machines, over the user's ssh: jobs whose files are there, and `molsieve tunnel`.

use std::{
    cell::RefCell,
    io::Read,
    path::PathBuf,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use super::{SocketArgs, line_of};
use crate::{
    cli::{CliError, Exit, say},
    config::JobSettings,
    report::answer::ClientAnswer,
    store::plain,
    table::source::SourceError,
};

/// The settings of a job whose files are on the daemon's machine: every path must be absolute, because no folder here
/// is a folder there. Nothing else can be checked here.
pub(super) fn of_the_node(
    settings: JobSettings,
    array: &[PathBuf],
) -> Result<JobSettings, CliError> {
    if let Some(pattern) = array.first() {
        return Err(CliError::ArrayOnTheNode(pattern.clone()));
    }
    if settings.input.iter().any(|input| input.as_os_str() == "-") {
        return Err(SourceError::StandardInput.into());
    }
    let relative = RefCell::new(None);
    let settings = settings.with_paths(|path| {
        if path.is_relative() {
            relative.borrow_mut().get_or_insert_with(|| path.to_owned());
        }
        path.to_owned()
    });
    let input = settings.input.iter().find(|input| input.is_relative());
    let relative: Option<PathBuf> = relative.into_inner().or_else(|| input.cloned());
    match relative {
        Some(path) => Err(CliError::NotOnTheNode(path)),
        None => Ok(settings),
    }
}

/// `molsieve tunnel`, hidden from the help: prints the path of a socket of this machine that leads to the daemon, and
/// serves it until standard input ends. Used by clients in other languages.
pub(in crate::cli) fn tunnel(args: &SocketArgs) -> Result<Exit, CliError> {
    /// Time between two looks at ssh.
    const LOOK_EVERY: Duration = Duration::from_millis(200);
    let place = args.place()?;
    let socket = place.open()?;
    say(&line_of(ClientAnswer::Listening {
        address: socket.display().to_string(),
    }));
    let (ends, ended) = channel::<()>();
    let wait = move || {
        // Until it ends, or can't be read.
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut [0; 256]), Ok(1..)) {}
        drop(ends);
    };
    let waiting = thread::Builder::new().spawn(wait);
    waiting.map_err(|error| CliError::Stream(plain(&error)))?;
    while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
        if !place.is_open() {
            return Err(CliError::TunnelEnded(place.name().display().to_string()));
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn paths_of_a_job_afar_are_absolute() {
        let settings = |input: &str, rules: &str, output: &str| JobSettings {
            input: vec![input.into()],
            rules: vec![rules.into()],
            output: Some(output.into()),
            ..JobSettings::default()
        };
        let good = settings("/lib/*.smi", "/r.toml", "/out");
        assert_eq!(of_the_node(good.clone(), &[]).unwrap(), good);
        for (input, rules, output, named) in [
            ("a.smi", "/r.toml", "/out", "a.smi"),
            ("/a.smi", "r.toml", "/out", "r.toml"),
            ("/a.smi", "/r.toml", "out", "out"),
        ] {
            let error = of_the_node(settings(input, rules, output), &[]).unwrap_err();
            assert!(
                matches!(&error, CliError::NotOnTheNode(path) if path == Path::new(named)),
                "{error}"
            );
        }
        let error = of_the_node(settings("-", "/r.toml", "/out"), &[]).unwrap_err();
        assert!(matches!(
            error,
            CliError::Source(SourceError::StandardInput)
        ));
    }
}
