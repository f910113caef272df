//! `molsieve serve`.

use std::{path::PathBuf, time::Duration};

use super::{CliError, Exit, serve_log};
use crate::{
    config::within,
    daemon::{
        self,
        job::{Resources, RetryPolicy},
        loopback::Loopback,
        paths::{self, Side},
        settings::{self, LogFormat, ServeSettings, SettingsError},
    },
    units::ByteSize,
};

/// Flags of `molsieve serve`.
#[derive(clap::Args, Debug)]
pub(super) struct ServeArgs {
    /// Socket to listen at, unless systemd passes one [default: by user]
    ///
    /// Default: /run/molsieve/molsieve.sock for root, else $XDG_RUNTIME_DIR/molsieve/molsieve.sock.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Directory for the job store [default: $STATE_DIRECTORY, else by user]
    ///
    /// Default: $STATE_DIRECTORY, else /var/lib/molsieve for root, else $XDG_STATE_HOME/molsieve or
    /// ~/.local/state/molsieve.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,

    /// Memory for all running jobs [default: 80 % of what there is]
    ///
    /// For example 64GiB. Default: 80 % of the memory of the machine or of its cgroup.
    #[arg(long, value_name = "SIZE", help_heading = "Budget of all jobs")]
    memory: Option<ByteSize>,

    /// Threads for all running jobs [default: the CPUs this process may use]
    #[arg(long, value_name = "N", help_heading = "Budget of all jobs")]
    threads: Option<u32>,

    /// GPUs for all running jobs; a GPU runs one job at a time [default: all]
    ///
    /// Default: all GPUs of the NVIDIA driver.
    #[arg(long, value_name = "N", help_heading = "Budget of all jobs")]
    gpus: Option<u32>,

    /// Group whose members may use the daemon [default: all if root runs it]
    ///
    /// The daemon's own user may always use it.
    #[arg(long, value_name = "NAME", help_heading = "Permissions")]
    group: Option<String>,

    /// Group whose members may see and stop the jobs of all users, as root may
    #[arg(long, value_name = "NAME", help_heading = "Permissions")]
    admin_group: Option<String>,

    /// Days until an ended job is forgotten; its output stays
    #[arg(long, value_name = "N", default_value_t = 30)]
    keep_days: u64,

    /// Interruptions without progress after which a job fails
    #[arg(long, value_name = "N", default_value_t = 8)]
    retries: u32,

    /// Delay before an interrupted job is resumed
    ///
    /// It is doubled after each interruption without progress, up to five minutes.
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    retry_delay: u64,

    /// Seconds after which a silent job process is killed
    ///
    /// A job process reports every five seconds. Its job resumes from the last checkpoint.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    silence: u64,

    /// Format of the daemon's log [default: as standard error]
    ///
    /// Default: journal if standard error is connected to it, else text.
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,

    /// Write the log to this file; it may be rotated at any time
    ///
    /// The file is opened again when it was moved or removed. With --log-format journal the log goes to both.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    log_file: Option<PathBuf>,

    /// Serve metrics over TCP at this address too, which must be a loopback address
    ///
    /// For example 127.0.0.1:9477. Only /metrics, /healthz and /readyz are served there.
    #[arg(long, value_name = "ADDRESS:PORT", hide_short_help = true)]
    metrics_listen: Option<Loopback>,
}

/// Longest delay between two attempts of a job.
const RETRY_DELAY_SECONDS_MAX: u64 = 300;
/// Smallest memory budget: about the memory of the smallest job.
const MEMORY_MIN: ByteSize = ByteSize(128 << 20);

/// `molsieve serve`.
pub(super) fn serve(args: ServeArgs) -> Result<Exit, CliError> {
    let settings = args.check()?;
    serve_log::start(settings.log_format, settings.log_file.as_deref())?;
    daemon::serve(settings)?;
    Ok(Exit::Done)
}

impl ServeArgs {
    fn check(self) -> Result<ServeSettings, SettingsError> {
        let group = |flag, name: Option<String>| {
            let found = name.map(|name| settings::group(flag, &name));
            found.transpose()
        };
        let memory = self.memory.unwrap_or_else(settings::default_memory);
        let threads = self.threads.unwrap_or_else(settings::default_threads);
        let gpus = self.gpus.unwrap_or_else(settings::default_gpus);
        let delay = within(
            "retry_delay",
            self.retry_delay,
            &(0..=RETRY_DELAY_SECONDS_MAX),
        )?;
        let days = within("keep_days", self.keep_days, &(0..=36_500))?;
        Ok(ServeSettings {
            socket: paths::socket(self.socket, Side::Daemon)?,
            state_dir: paths::state_dir(self.state)?,
            budget: Resources {
                memory_bytes: within("memory", memory, &(MEMORY_MIN..=ByteSize(1 << 50)))?.0,
                threads: within("threads", threads, &(1..=65_536))?,
                gpus: within("gpus", gpus, &(0..=256))?,
            },
            group: group("--group", self.group)?,
            admin_group: group("--admin-group", self.admin_group)?,
            keep: Duration::from_secs(days * 24 * 3600),
            retry: RetryPolicy {
                failures_max: within("retries", self.retries, &(0..=1_000))?,
                first_delay_ms: delay as i64 * 1_000,
                delay_ms_max: RETRY_DELAY_SECONDS_MAX as i64 * 1_000,
            },
            // A job process sends `alive` every 5 s.
            silence: Duration::from_secs(within("silence", self.silence, &(15..=7 * 24 * 3600))?),
            log_format: self.log_format.unwrap_or_else(settings::default_log_format),
            log_file: self.log_file,
            metrics_listen: self.metrics_listen,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        args: ServeArgs,
    }

    fn check(flags: &str) -> Result<ServeSettings, SettingsError> {
        let flags = ["serve", "--socket=/s", "--state=/d"]
            .into_iter()
            .chain(flags.split(' '));
        Flags::try_parse_from(flags).unwrap().args.check()
    }

    #[test]
    fn flags_become_checked_values() {
        let settings = check(
            "--memory 64GiB --threads 32 --gpus 2 --admin-group root --retry-delay 3 --log-format json",
        )
        .unwrap();
        assert_eq!(settings.socket, PathBuf::from("/s"));
        let budget = Resources {
            memory_bytes: 64 << 30,
            threads: 32,
            gpus: 2,
        };
        assert_eq!(settings.budget, budget);
        assert_eq!(settings.admin_group, Some(0));
        assert_eq!(settings.group, None);
        let retry = RetryPolicy {
            failures_max: 8,
            first_delay_ms: 3_000,
            delay_ms_max: 300_000,
        };
        assert_eq!(settings.retry, retry);
        assert_eq!(settings.keep, Duration::from_secs(30 * 86_400));
        assert_eq!(settings.silence, Duration::from_secs(900));
        assert_eq!(settings.log_format, LogFormat::Json);
    }

    #[test]
    fn a_value_out_of_range_names_its_flag() {
        for (flags, expected) in [
            ("--threads 0", "--threads: 0 is not between 1 and 65536"),
            (
                "--memory 1MiB",
                "--memory: 1 MiB is not between 128 MiB and 1024 TiB",
            ),
            ("--silence 5", "--silence: 5 is not between 15 and 604800"),
        ] {
            assert_eq!(check(flags).unwrap_err().to_string(), expected);
        }
    }
}
