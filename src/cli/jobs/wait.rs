//! `molsieve wait`: waits until several jobs have ended.

use std::{collections::BTreeSet, future::Future, pin::pin, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{DaemonArgs, line_of, shown, watch::asked_to_leave};
use crate::{
    cli::{CliError, Exit, say, say_aside},
    daemon::{
        action::ListQuery,
        client::{Client, WaitEvent},
        job::{Label, State},
        view::JobView,
    },
    limits::WAIT_JOBS_MAX,
    report::answer::ClientAnswer,
    units::counted,
};

/// `molsieve wait`.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct WaitArgs {
    #[command(flatten)]
    jobs: WaitJobs,
    /// Wait until one of them has ended, and exit with its exit code
    #[arg(long)]
    any: bool,
    /// Wait at most this long; jobs continue
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// The jobs to wait for.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = true)]
struct WaitJobs {
    /// Numbers of the jobs
    #[arg(value_name = "ID")]
    ids: Vec<u64>,
    /// Your jobs with this label, ended ones too. May be repeated; then with all of them
    #[arg(short, long, value_name = "LABEL", value_delimiter = ',')]
    label: Vec<Label>,
    /// All your jobs that have not ended
    #[arg(short, long)]
    all: bool,
}

/// `molsieve wait`.
pub(in crate::cli) fn wait(args: &WaitArgs) -> Result<Exit, CliError> {
    let client = args.daemon.client()?;
    let mut ids: BTreeSet<u64> = args.jobs.ids.iter().copied().collect();
    if !args.jobs.label.is_empty() {
        ids.extend(mine(&client, &args.jobs.label, &[])?);
    }
    if args.jobs.all {
        let active: Vec<State> = State::ALL
            .into_iter()
            .filter(|state| !state.is_final())
            .collect();
        ids.extend(mine(&client, &[], &active)?);
    }
    let until = args.timeout.map(Duration::from_secs);
    Waiting {
        client: &client,
        any: args.any,
        // Too far away to be a time: no limit.
        until: until.and_then(|time| Instant::now().checked_add(time)),
        json: args.daemon.json,
    }
    .wait(ids)
}

/// Numbers of one's own jobs.
fn mine(client: &Client, labels: &[Label], states: &[State]) -> Result<Vec<u64>, CliError> {
    let query = ListQuery {
        states: states.into(),
        labels: labels.into(),
        limit: u32::MAX,
        ..ListQuery::default()
    };
    let jobs = client.my_jobs(&query)?;
    Ok(jobs.into_iter().map(|job| job.id.0).collect())
}

/// How to wait.
pub(super) struct Waiting<'a> {
    pub(super) client: &'a Client,
    pub(super) any: bool,
    pub(super) until: Option<Instant>,
    pub(super) json: bool,
}

impl Waiting<'_> {
    /// Waits, with a line for each job that ends. Returns the worst exit code of those.
    pub(super) fn wait(&self, mut ids: BTreeSet<u64>) -> Result<Exit, CliError> {
        if ids.len() > WAIT_JOBS_MAX {
            return Err(CliError::TooManyJobs(ids.len()));
        }
        let mut leave = pin!(asked_to_leave());
        let mut worst = Exit::Done;
        while !ids.is_empty() {
            let asked: Vec<u64> = ids.iter().copied().collect();
            let left = or_until(leave.as_mut(), self.until);
            let ended = self.client.wait(&asked, left, &mut remark)?;
            if ended.is_empty() {
                return Ok(self.leave(&ids));
            }
            for end in ended {
                ids.remove(&end.id.0);
                let job = self.client.job(end.id.0)?;
                self.report(&job);
                worst = worse(worst, shown::exit(&job));
            }
            if self.any {
                break;
            }
        }
        Ok(worst)
    }

    fn report(&self, job: &JobView) {
        if self.json {
            return say(&line_of(ClientAnswer::State { job }));
        }
        let times = job.started_at.zip(job.ended_at);
        let after = times.filter(|_| job.state == State::Done);
        let after = after.map_or(String::new(), |(from, to)| {
            let time = shown::between(from, to);
            format!(" after {}", crate::units::duration(time))
        });
        let stands = shown::stands(job, jiff::Timestamp::now());
        say(&format!("job {} {stands}{after}", job.id));
    }

    fn leave(&self, ids: &BTreeSet<u64>) -> Exit {
        if self.json {
            let left = ids.iter().map(|id| ClientAnswer::Left { id: *id });
            left.for_each(|answer| say(&line_of(answer)));
        }
        let jobs = counted(ids.len() as u64, "job");
        say_aside(&format!("no longer waiting; {jobs} will continue"));
        Exit::Stopped
    }
}

fn remark(event: WaitEvent) {
    say_aside(match event {
        WaitEvent::Lost => "the daemon does not answer; waiting for it to return",
        WaitEvent::Back => "the daemon answers again",
    });
}

/// Ready when `leave` is, or at a time.
async fn or_until(leave: impl Future<Output = ()>, until: Option<Instant>) {
    let late = async {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = leave => {}
        () = late => {}
    }
}

/// The worse of two results: failed, then usage, input, incomplete, done.
fn worse(one: Exit, other: Exit) -> Exit {
    const ORDER: [Exit; 5] = [
        Exit::Done,
        Exit::Incomplete,
        Exit::Input,
        Exit::Usage,
        Exit::Failed,
    ];
    let rank = |exit| ORDER.iter().position(|known| *known == exit);
    match rank(other) > rank(one) {
        true => other,
        false => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_result_counts() {
        use Exit::{Done, Failed, Incomplete, Input, Usage};
        for (one, other, expected) in [
            (Done, Done, Done),
            (Done, Incomplete, Incomplete),
            (Input, Incomplete, Input),
            (Input, Usage, Usage),
            (Failed, Usage, Failed),
        ] {
            assert_eq!(worse(one, other), expected);
            assert_eq!(worse(other, one), expected);
        }
    }
}
