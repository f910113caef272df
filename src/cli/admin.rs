//! `molsieve admin`: work on the daemon's state directory, for whom the kernel lets read it: root, or the user of
//! the daemon. No daemon is asked, so the verbs also work while none runs.

use std::path::PathBuf;

use clap::Subcommand;

use super::{CliError, Exit, say};
use crate::{
    daemon::{
        paths,
        store::{self, Copied},
    },
    report::answer::{self, AdminAnswer},
    units::{ByteSize, counted},
};

/// `molsieve admin`.
#[derive(Subcommand, Debug)]
pub(super) enum AdminCommand {
    /// Copy the queue to one file, also while the daemon runs
    ///
    /// The copy has all jobs with their settings, states and logs as they are at one instant. It has mode 0600. To go
    /// back to it, stop the daemon, move its state directory away, and place the copy in an empty one as jobs.sqlite3.
    #[command(after_long_help = "Exit codes: 0 done; 1 failed; 2 usage.")]
    Backup(BackupArgs),
}

/// `molsieve admin backup`.
#[derive(clap::Args, Debug)]
pub(super) struct BackupArgs {
    /// The copy; there must be no such file yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// State directory of the daemon [default: as for serve]
    ///
    /// Default: for root /var/lib/molsieve, else molsieve in $XDG_STATE_HOME or
    /// ~/.local/state. That of molsieve-single.service is /var/lib/molsieve-single.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Copies the store.
pub(super) fn backup(args: &BackupArgs) -> Result<Exit, CliError> {
    let dir = paths::state_dir(args.state.clone())?;
    let Copied { jobs, bytes } = store::backup(&dir, &args.file)?;
    let file = args.file.display().to_string();
    say(&if args.json {
        answer::line(&AdminAnswer::Backup { file, jobs, bytes })
    } else {
        format!("{file}: {}, {}", counted(jobs, "job"), ByteSize(bytes))
    });
    Ok(Exit::Done)
}
