//! `molsieve serve`.

use std::{os::unix::process::CommandExt, path::PathBuf, process::Command};

use super::{CliError, Exit, THIS_PROGRAM, say, serve_log};
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
    if !args.check_config {
        refuse_huge_pages();
    }
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

/// Begins the program anew without pages of 2 MiB, once. A daemon touches little of what it maps, so with them it takes up to
/// a quarter more memory. What the allocator took before this would stay as it is; therefore anew. Processes of jobs,
/// which inherit the setting, turn it back (`worker::take_on`).
fn refuse_huge_pages() {
    use rustix::thread;
    // A kernel that has none refuses both calls.
    if thread::transparent_huge_pages_are_disabled() != Ok(false)
        || thread::disable_transparent_huge_pages(true).is_err()
    {
        return;
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "molsieve".into());
    // It returns only if it has failed; then the daemon goes on as it is.
    let _ = Command::new(THIS_PROGRAM).arg0(name).args(arguments).exec();
}
