//! `molsieve serve`.

use std::path::PathBuf;

use super::{CliError, Exit, say, serve_log};
use crate::daemon::{
    self,
    settings::{ServeFlags, ServeSource},
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
    let set_level = serve_log::start(&loaded.settings)?;
    daemon::serve(source, loaded, set_level)?;
    Ok(Exit::Done)
}
