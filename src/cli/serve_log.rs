//! The log of `molsieve serve`: to standard error, to a file, or to journald.

use std::{io::IsTerminal, path::Path};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use super::CliError;
use crate::{
    daemon::{log_file::LogFile, settings::LogFormat},
    store::plain,
};

/// Starts the log of a daemon: level `info` unless `MOLSIEVE_LOG` sets another. A file takes the place of standard
/// error; journald gets the log in any case.
pub(super) fn start(format: LogFormat, file: Option<&Path>) -> Result<(), CliError> {
    let filter = EnvFilter::try_from_env("MOLSIEVE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let journal = (format == LogFormat::Journal).then(tracing_journald::layer);
    let journal = journal.transpose();
    let journal = journal.map_err(|error| CliError::Log(format!("journald: {}", plain(&error))))?;
    let journal = journal.map(|layer| layer.with_field_prefix(Some("MOLSIEVE".into())));
    let lines = match file {
        Some(path) => {
            let file = LogFile::open(path.to_owned());
            let failed = |error| CliError::Log(format!("{}: {}", path.display(), plain(&error)));
            Some(lines(format, file.map_err(failed)?, false))
        }
        None if journal.is_some() => None,
        None => {
            let colours = std::io::stderr().is_terminal();
            Some(lines(format, std::io::stderr, colours))
        }
    };
    tracing_subscriber::registry()
        .with(lines)
        .with(journal)
        .with(filter)
        .init();
    Ok(())
}

/// Lines for people, or a JSON object each.
fn lines<S, W>(format: LogFormat, writer: W, colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A log that can't be written would be reported to standard error, line by line.
    let lines = fmt::layer().with_writer(writer).log_internal_errors(false);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text | LogFormat::Journal => lines.with_ansi(colours).boxed(),
    }
}
