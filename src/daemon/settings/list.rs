//! The list of all settings of the daemon. A new setting is an entry here and code that uses it: flags, help,
//! keys of the configuration file, `--check-config` and reloads follow.

use std::path::PathBuf;

use super::{
    Change, LogFormat, LogLevel, SettingsError,
    define::{resolved, resolved_type, serve_settings, written},
    file::Table,
    value::{Origin, given, written},
};
use crate::{
    daemon::{
        gpus,
        paths::{self, Side},
    },
    machine,
    nvidia::Nvidia,
    units::ByteSize,
};

const BUDGET: &str = "Budget of all jobs";
const PERMISSIONS: &str = "Permissions";

/// Smallest memory budget: about the memory of the smallest job.
const MEMORY_MIN: ByteSize = ByteSize(128 << 20);
const MEMORY_MAX: ByteSize = ByteSize(1 << 50);
/// Default budget: percentage of the available memory.
const MEMORY_PERCENT: u64 = 80;
/// Longest delay between two attempts of a job.
pub(super) const RETRY_DELAY_SECONDS_MAX: u64 = 300;
/// Default half-life of recent use, as in HTCondor (`PRIORITY_HALFLIFE`).
const HALF_LIFE_HOURS: u64 = 24;

serve_settings! {
    /// Socket to listen at, unless systemd passes one [default: by user]
    ///
    /// Default: /run/molsieve/molsieve.sock for root, else $XDG_RUNTIME_DIR/molsieve/molsieve.sock.
    #[arg(long, value_name = "PATH")]
    #[reload(false)]
    socket: PathBuf, else paths::socket(None, Side::Daemon)?;

    /// Directory for the job store [default: $STATE_DIRECTORY, else by user]
    ///
    /// Default: $STATE_DIRECTORY, else /var/lib/molsieve for root, else $XDG_STATE_HOME/molsieve or
    /// ~/.local/state/molsieve.
    #[arg(long, value_name = "DIR")]
    #[reload(false)]
    state: PathBuf, else paths::state_dir(None)?;

    /// Memory for all running jobs [default: 80 % of what there is]
    ///
    /// For example 64GiB. Default: 80 % of the memory of the machine or of its cgroup.
    #[arg(long, value_name = "SIZE", help_heading = BUDGET)]
    #[reload(true)]
    memory: ByteSize, in MEMORY_MIN..=MEMORY_MAX,
        else ByteSize(machine::memory_limit().0 / 100 * MEMORY_PERCENT);

    /// Threads for all running jobs [default: the CPUs this process may use]
    #[arg(long, value_name = "N", help_heading = BUDGET)]
    #[reload(true)]
    threads: u32, in 1..=65_536, else u32::try_from(machine::processors()).unwrap_or(u32::MAX);

    /// GPUs for all running jobs; a GPU runs one job at a time [default: all]
    ///
    /// Default: all GPUs of the NVIDIA driver, and of a divided GPU all slices.
    #[arg(long, value_name = "N", help_heading = BUDGET)]
    #[reload(false)]
    gpus: u32, in 0..=256, else Nvidia::look().map_or(0, |nvidia| gpus::count(&nvidia.devices));

    /// Which GPUs jobs use: UUIDs, indices, or GPU:SLICE [default: the first ones]
    ///
    /// As nvidia-smi -L prints them: GPU-… for a GPU, MIG-… for a slice of a divided one. Takes the place of --gpus.
    #[arg(long, value_name = "GPU,…", value_delimiter = ',', help_heading = BUDGET, hide_short_help = true)]
    #[reload(false)]
    gpu_devices: Vec<String>;

    /// Jobs that share a GPU at most [default: 1]
    ///
    /// Each starts only if the memory of the GPU holds what all of them may need.
    #[arg(long, value_name = "N", help_heading = BUDGET, hide_short_help = true)]
    #[reload(false)]
    gpu_jobs: u32, in 1..=64, else 1;

    /// Temperature from which on a GPU takes no further job [default: where it slows down]
    ///
    /// In degrees Celsius. Default: the temperature from which on the GPU reduces its clocks.
    #[arg(long, value_name = "CELSIUS", help_heading = BUDGET, hide_short_help = true)]
    #[reload(false)]
    gpu_hot: u32, in 30..=120;

    /// Hours after which a user's use of the node counts half [default: 24]
    ///
    /// Of the users with waiting jobs of one priority, the one with the smallest recent use comes first.
    #[arg(long, value_name = "N", hide_short_help = true)]
    #[reload(true)]
    half_life_hours: u64, in 1..=8_760, else HALF_LIFE_HOURS;

    /// Group whose members may use the daemon [default: all if root runs it]
    ///
    /// The daemon's own user may always use it.
    #[arg(long, value_name = "NAME", help_heading = PERMISSIONS)]
    #[reload(true)]
    group: String;

    /// Group whose members may see and stop the jobs of all users, as root may
    #[arg(long, value_name = "NAME", help_heading = PERMISSIONS)]
    #[reload(true)]
    admin_group: String;

    /// Days until an ended job is forgotten; its output stays [default: 30]
    #[arg(long, value_name = "N")]
    #[reload(true)]
    keep_days: u64, in 0..=36_500, else 30;

    /// Interruptions without progress after which a job fails [default: 8]
    #[arg(long, value_name = "N", hide_short_help = true)]
    #[reload(true)]
    retries: u32, in 0..=1_000, else 8;

    /// Delay before an interrupted job is resumed [default: 2]
    ///
    /// It is doubled after each interruption without progress, up to five minutes.
    #[arg(long, value_name = "SECONDS", hide_short_help = true)]
    #[reload(true)]
    retry_delay: u64, in 0..=RETRY_DELAY_SECONDS_MAX, else 2;

    /// Seconds after which a silent job process is killed [default: 900]
    ///
    /// A job process reports every five seconds. Its job resumes from the last checkpoint.
    #[arg(long, value_name = "SECONDS", hide_short_help = true)]
    #[reload(true)]
    silence: u64, in 15..=7 * 24 * 3600, else 900;

    /// Format of the daemon's log [default: as standard error]
    ///
    /// Default: journal if standard error is connected to it, else text.
    #[arg(long, value_enum, value_name = "FORMAT")]
    #[reload(false)]
    log_format: LogFormat, else LogFormat::default();

    /// Least level of what is logged [default: $MOLSIEVE_LOG, else info]
    ///
    /// error, warn, info, debug or trace, or a list such as info,molsieve::daemon=debug.
    #[arg(long, value_name = "LEVEL", hide_short_help = true)]
    #[reload(true)]
    log_level: LogLevel, else LogLevel::default();
}
