//! The verbs that talk to the daemon: `submit`, `ls`, `status`, `watch`, `wait`, `logs`, `set`, `cancel`, `rm`, `tunnel`.
//!
//! With `--json` a job is printed as the HTTP interface sends it, one object per line.

mod afar;
mod array;
mod options;
mod select;
pub(super) mod shown;
mod submit;
mod wait;
mod watch;

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    path::PathBuf,
};

use nix::unistd::User;

pub(super) use self::{
    afar::tunnel,
    select::{BulkArgs, cancel, forget},
    submit::{SubmitArgs, submit},
    wait::{WaitArgs, wait},
    watch::asked_to_leave,
};
use super::{CliError, Exit, report_error, say, say_aside, say_json};
use crate::{
    daemon::{
        action::ListQuery,
        api::ChangeBody,
        client::{Client, Place},
        job::{Label, State},
        paths::{self, Side},
        view::JobView,
    },
    report::answer::{self, ClientAnswer},
    units::ByteSize,
};

pub(super) const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 the daemon cannot be reached or refuses; 2 usage.";

pub(super) const WATCH_EXIT_CODES: &str = "\
Exit codes: those of the job: 0 done; 1 it failed or was cancelled, or the daemon cannot be reached or \
refuses; 2 usage; 3 the input or the rules cannot be used; 4 done, and some rows were rejected or \
capped; 75 no longer watched, the job continues.";

pub(super) const WAIT_EXIT_CODES: &str = "\
Exit codes: 0 all of them are done; else that of the worst, as watch has it: 1 one has failed or was \
cancelled, or the daemon cannot be reached or refuses; 2 usage; 3 the input or the rules of one cannot be \
used; 4 done, and some rows were rejected or capped; 75 no longer waiting, the jobs continue.";

/// The daemon to talk to.
#[derive(clap::Args, Debug)]
pub(super) struct SocketArgs {
    /// Socket of the daemon [default: $MOLSIEVE_SOCKET, else the usual path]
    ///
    /// Default: $MOLSIEVE_SOCKET, else $XDG_RUNTIME_DIR/molsieve/molsieve.sock if it exists, else
    /// /run/molsieve/molsieve.sock. The socket of another machine is ssh://[user@]node[:port][/path/of/the/socket]; your
    /// ssh connects to it.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl SocketArgs {
    /// Where it listens. On another machine: ssh is connected to it.
    pub(super) fn place(&self) -> Result<Place, CliError> {
        let place = Place::new(paths::socket(self.socket.clone(), Side::Client)?)?;
        place.open()?;
        Ok(place)
    }

    fn client(&self) -> Result<Client, CliError> {
        Ok(Client::at(self.place()?)?)
    }
}

/// Flags of every verb.
#[derive(clap::Args, Debug)]
pub(super) struct DaemonArgs {
    #[command(flatten)]
    socket: SocketArgs,
    /// Print JSON, one object per line
    #[arg(long)]
    pub(super) json: bool,
}

impl DaemonArgs {
    pub(super) fn client(&self) -> Result<Client, CliError> {
        self.socket.client()
    }

    /// Where the daemon listens.
    pub(super) fn place(&self) -> Result<Place, CliError> {
        self.socket.place()
    }
}

/// `molsieve ls`.
#[derive(clap::Args, Debug)]
pub(super) struct ListArgs {
    /// Only jobs in this state. May be repeated
    #[arg(short, long, value_name = "STATE", value_delimiter = ',', value_parser = state)]
    state: Vec<State>,
    /// Only jobs of this user, by name or number [default: all jobs that you may see]
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Only jobs with this label. May be repeated; then with all of them
    #[arg(short, long, value_name = "LABEL", value_delimiter = ',')]
    label: Vec<Label>,
    /// Maximum number of jobs to list
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

/// A verb about one job.
#[derive(clap::Args, Debug)]
pub(super) struct OneArgs {
    /// Number of the job
    #[arg(value_name = "ID")]
    id: u64,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

/// A verb about several jobs.
#[derive(clap::Args, Debug)]
pub(super) struct ManyArgs {
    /// Numbers of the jobs
    #[arg(required = true, value_name = "ID")]
    ids: Vec<u64>,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

/// `molsieve set`.
#[derive(clap::Args, Debug)]
pub(super) struct SetArgs {
    #[command(flatten)]
    pub(super) jobs: ManyArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

/// What to change; at least one of the flags.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = true)]
struct ChangeArgs {
    /// Higher goes first, -10 to 10; above 0 for admins only
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i32).range(-10..=10))]
    priority: Option<i32>,
    /// Most resident memory of a job that waits, for example 2GiB
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Cores of a job that waits
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// `molsieve logs`.
#[derive(clap::Args, Debug)]
pub(super) struct LogsArgs {
    /// Number of the job
    #[arg(value_name = "ID")]
    id: u64,
    /// Continue until the job has ended
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

fn state(text: &str) -> Result<State, String> {
    State::from_name(text).ok_or_else(|| {
        let names = State::ALL.map(State::name);
        format!("a state is one of {}", names.join(", "))
    })
}

/// `molsieve ls`.
pub(super) fn list(args: &ListArgs) -> Result<Exit, CliError> {
    let client = args.daemon.client()?;
    let uid = args.user.as_deref().map(uid).transpose()?;
    let query = ListQuery {
        states: args.state.clone(),
        uid,
        labels: args.label.clone(),
        before: None,
        limit: args.limit,
    };
    let jobs = client.jobs(&query)?;
    if args.daemon.json {
        jobs.iter().for_each(say_json);
        return Ok(Exit::Done);
    }
    if jobs.is_empty() {
        say("no jobs");
    } else {
        say(&shown::table(&jobs, jiff::Timestamp::now()));
    }
    // A daemon of an earlier version can't count.
    if jobs.len() >= args.limit as usize
        && let Ok(Some(total)) = client.count(&query)
        && let Some(note) = shown::left_out(jobs.len() as u64, total)
    {
        say_aside(&note);
    }
    Ok(Exit::Done)
}

/// The uid of a user given by name or number.
fn uid(user: &str) -> Result<u32, CliError> {
    if let Ok(uid) = user.parse() {
        return Ok(uid);
    }
    match User::from_name(user) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(CliError::NoUser(user.into())),
        Err(error) => Err(CliError::NoUser(format!("{user} ({})", error.desc()))),
    }
}

/// `molsieve status`.
pub(super) fn status(args: &OneArgs) -> Result<Exit, CliError> {
    let client = args.daemon.client()?;
    let job = client.job(args.id)?;
    if args.daemon.json {
        say_json(&job);
        return Ok(Exit::Done);
    }
    // The free resources of the node explain why a job waits.
    let node = match job.state {
        State::Queued | State::Interrupted => Some(client.node()?),
        _ => None,
    };
    say(&shown::status(&job, node.as_ref(), jiff::Timestamp::now()));
    // So does the quota of its user.
    if node.is_some()
        && let Some(held) = client.user(job.user.uid)?.holds(&job.demand)
    {
        say(&shown::held_back(&held));
    }
    Ok(Exit::Done)
}

/// `molsieve watch`.
pub(super) fn watch(args: &OneArgs) -> Result<Exit, CliError> {
    let client = args.daemon.client()?;
    let job = client.job(args.id)?;
    watch::watch(&client, &job, args.daemon.json)
}

/// `molsieve logs`.
pub(super) fn logs(args: &LogsArgs) -> Result<Exit, CliError> {
    let client = args.daemon.client()?;
    if args.daemon.json {
        let mut lines = JsonLines::default();
        client.log(args.id, args.follow, &mut lines)?;
        lines.end();
    } else {
        client.log(args.id, args.follow, &mut io::stdout())?;
    }
    Ok(Exit::Done)
}

/// The answer as one line of JSON.
fn line_of(answer: ClientAnswer<&JobView>) -> String {
    answer::line(&answer)
}

/// Prints each line that is written to it as a JSON object.
#[derive(Default)]
struct JsonLines {
    /// The incomplete line.
    line: Vec<u8>,
}

impl JsonLines {
    fn end(&mut self) {
        if !self.line.is_empty() {
            let line = String::from_utf8_lossy(&self.line);
            say(&line_of(ClientAnswer::Log {
                line: line.into_owned(),
            }));
            self.line.clear();
        }
    }
}

impl Write for JsonLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(line) => {
                    self.line.extend(line);
                    self.end();
                }
                None => self.line.extend(part),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `molsieve set`.
pub(super) fn set(args: &SetArgs) -> Result<Exit, CliError> {
    let client = args.jobs.daemon.client()?;
    let ChangeArgs {
        priority,
        memory,
        threads,
    } = args.change;
    let change = ChangeBody {
        priority,
        memory,
        threads,
    };
    Ok(each(&args.jobs.ids, args.jobs.daemon.json, |id| {
        let job = client.set(id, &change)?;
        if args.jobs.daemon.json {
            say_json(&job);
        } else {
            say(&shown::changed(&job, &change, jiff::Timestamp::now()));
        }
        Ok(())
    }))
}

/// Acts on every job, also after an error.
fn each(ids: &[u64], json: bool, act: impl Fn(u64) -> Result<(), CliError>) -> Exit {
    let mut exit = Exit::Done;
    for id in ids {
        if let Err(error) = act(*id) {
            exit = report_error(&error, json);
        }
    }
    exit
}
