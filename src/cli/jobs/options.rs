//! The flags of `molsieve submit` that are no settings of a run.

use crate::daemon::{
    api::SubmissionBody,
    job::{Label, Notify},
};

/// Labels, jobs to wait for, retries, notification.
#[derive(clap::Args, Debug, Default)]
pub(super) struct OptionFlags {
    /// Word to find the job by, plain or KEY=VALUE. May be repeated
    ///
    /// 1 to 64 letters, digits and . _ : = / @ + -; at most 16 of them. `ls`, `wait`, `cancel` and `rm` take --label.
    #[arg(
        long = "label",
        value_name = "LABEL",
        value_delimiter = ',',
        hide_short_help = true
    )]
    labels: Vec<Label>,
    /// Start after these jobs are done
    ///
    /// If one of them fails or is cancelled, this job is cancelled.
    #[arg(
        long,
        value_name = "ID,…",
        value_delimiter = ',',
        hide_short_help = true
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    after: Vec<u64>,
    /// Start after these jobs have ended, in whatever way
    #[arg(
        long,
        value_name = "ID,…",
        value_delimiter = ',',
        hide_short_help = true
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    after_any: Vec<u64>,
    /// Restarts without progress after which the job fails [default: those of the daemon]
    ///
    /// 0: an interruption without progress fails the job. The daemon's own number is the maximum.
    #[arg(long, value_name = "N", hide_short_help = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1000))]
    retries: Option<u32>,
    /// Command or local webhook that reports the end of the job
    ///
    /// The daemon runs the command as you, without a shell, for at most 30 seconds, with MOLSIEVE_JOB, MOLSIEVE_STATE,
    /// MOLSIEVE_NAME, MOLSIEVE_EXIT_CODE, MOLSIEVE_ERROR, MOLSIEVE_OUTPUT and MOLSIEVE_SOCKET in its environment.
    /// http://127.0.0.1:PORT/PATH and unix:/PATH get the job as JSON, by POST. Output and failures are in the
    /// job's log.
    #[arg(long, value_name = "COMMAND", hide_short_help = true)]
    notify: Option<Notify>,
}

impl OptionFlags {
    /// Adds the flags to a submission.
    pub(super) fn add_to(self, body: SubmissionBody) -> SubmissionBody {
        SubmissionBody {
            labels: self.labels.into_iter().map(String::from).collect(),
            after: self.after,
            after_any: self.after_any,
            retries: self.retries,
            notify: self.notify.map(String::from),
            ..body
        }
    }
}
