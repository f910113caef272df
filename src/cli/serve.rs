//! `molsieve serve`.

use std::{io::IsTerminal, path::PathBuf};

use tracing_subscriber::{layer::SubscriberExt, reload, util::SubscriberInitExt};

use super::{CliError, Exit, say};
use crate::daemon::{
    self, SetLevel,
    settings::{LogFormat, LogLevel, ServeFlags, ServeSource},
};

/// Flags of `molsieve serve`.
#[derive(clap::Args, Debug)]
pub(super) struct ServeArgs {
    /// Configuration file; flags win [default: by user]
    ///
    /// Its keys are the flags, with underscores. Default, if it exists: /etc/molsieve/molsieve.toml for root, else $XDG_CONFIG_HOME/molsieve/molsieve.toml or
    /// ~/.config/molsieve/molsieve.toml. The daemon reads it again at SIGHUP.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print every setting and where it comes from, and exit
    #[arg(long)]
    check_config: bool,

    #[command(flatten)]
    flags: ServeFlags,
}

/// `molsieve serve`.
pub(super) fn serve(args: ServeArgs) -> Result<Exit, CliError> {
    let source = ServeSource {
        flags: args.flags,
        config: args.config,
    };
    let loaded = source.load()?;
    if args.check_config {
        say(loaded.to_string().trim_end());
        return Ok(Exit::Done);
    }
    let set_level = start_log(loaded.settings.log_format, &loaded.settings.log_level)?;
    daemon::serve(source, loaded, set_level)?;
    Ok(Exit::Done)
}

/// Starts the log of a daemon. Returns what changes its level later.
fn start_log(format: LogFormat, level: &LogLevel) -> Result<SetLevel, CliError> {
    let (filter, handle) = reload::Layer::new(level.filter());
    let log = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log
            .with(lines.with_ansi(std::io::stderr().is_terminal()))
            .init(),
        LogFormat::Json => log.with(lines.json().flatten_event(true)).init(),
        LogFormat::Journal => {
            let journal = tracing_journald::layer().map_err(|error| {
                CliError::Log(format!("journald: {}", crate::store::plain(&error)))
            })?;
            log.with(journal.with_field_prefix(Some("MOLSIEVE".into())))
                .init();
        }
    }
    Ok(Box::new(move |level| {
        if let Err(error) = handle.reload(level.filter()) {
            tracing::error!("cannot change the level of the log: {error}");
        }
    }))
}
