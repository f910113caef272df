//! The log of `molsieve serve`: to standard error, to a file, or to journald.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::{
    Layer,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use super::CliError;
use crate::{
    daemon::{
        SetLevel,
        log_file::LogFile,
        settings::{LogFormat, ServeSettings},
    },
    store::plain,
};

/// Starts the log of a daemon. A file takes the place of standard error; journald gets the log in any case. Returns what
/// changes the level of the log later.
pub(super) fn start(settings: &ServeSettings) -> Result<SetLevel, CliError> {
    let format = settings.log_format;
    let (filter, handle) = reload::Layer::new(settings.log_level.filter());
    let journal = (format == LogFormat::Journal).then(tracing_journald::layer);
    let journal = journal.transpose();
    let journal = journal.map_err(|error| CliError::Log(format!("journald: {}", plain(&error))))?;
    let journal = journal.map(|layer| layer.with_field_prefix(Some("MOLSIEVE".into())));
    let lines = match &settings.log_file {
        Some(path) => {
            let file = LogFile::open(path.clone());
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
        .with(filter)
        .with(lines)
        .with(journal)
        .init();
    Ok(Box::new(move |level| {
        if let Err(error) = handle.reload(level.filter()) {
            tracing::error!("cannot change the level of the log: {error}");
        }
    }))
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
