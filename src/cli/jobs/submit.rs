//! `molsieve submit`.

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
};

use super::{
    DaemonArgs, afar,
    array::{self, Element},
    options::OptionFlags,
    wait::Waiting,
    watch,
};
use crate::{
    cli::{CliError, Exit, places, run, say, say_json},
    config::{DeriveFlags, JobSettings},
    daemon::{
        api::SubmissionBody,
        client::{ApiError, Client, ClientError, IdempotencyKey},
        job::Mode,
        view::JobView,
    },
    table::source::{SourceError, is_pattern},
    units::{ByteSize, counted},
};

/// Flags of `molsieve submit`.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct SubmitArgs {
    /// Job file (TOML) with the same settings as the flags; flags win
    #[arg(value_name = "JOB.toml")]
    job: Option<PathBuf>,
    /// Name of the job
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Priority: -10 to 10, above 0 for admins only
    ///
    /// Jobs of higher priority start first.
    #[arg(long, value_name = "P", default_value_t = 0)]
    #[arg(allow_negative_numbers = true, hide_short_help = true)]
    #[arg(value_parser = clap::value_parser!(i32).range(-10..=10))]
    priority: i32,
    /// Idempotency key [default: a random key]
    ///
    /// Submissions with the same key and settings make one job.
    #[arg(long, value_name = "WORD", hide_short_help = true)]
    once: Option<IdempotencyKey>,
    /// One job for each of these files, in the order of their names
    ///
    /// In --output, {name}, {stem} and {number} stand for the file's name, for that without its extension, and for its number
    /// from 1; without them, the jobs write into folders of --output. The jobs have a label in common. With --once,
    /// files that come later can be added by the same command.
    #[arg(long, value_name = "PATTERN", num_args = 1.., conflicts_with = "input")]
    #[arg(hide_short_help = true)]
    array: Vec<PathBuf>,
    #[command(flatten)]
    options: OptionFlags,
    /// Watch the job until it ends, and exit with its exit code
    #[arg(short, long)]
    wait: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
    #[command(flatten)]
    settings: DeriveFlags,
}

/// `molsieve submit`.
pub(in crate::cli) fn submit(args: SubmitArgs) -> Result<Exit, CliError> {
    let settings = run::over_file(args.settings.into(), args.job.as_deref())?;
    let place = args.daemon.place()?;
    let is_remote = place.is_remote();
    // The output directory holds the settings of an interrupted run.
    let settings = if is_remote {
        afar::of_the_node(settings, &args.array)?
    } else if settings.resume && settings.input.is_empty() {
        let reports = run::Reports {
            json: args.daemon.json,
            ..run::Reports::default()
        };
        match run::begun(settings, reports)? {
            run::Begun::Complete(exit) => return Ok(exit),
            run::Begun::Settings(settings) => *settings,
        }
    } else {
        settings
    };
    let folder =
        env::current_dir().map_err(|error| CliError::NoFolder(crate::store::plain(&error)))?;
    let again = args.once.is_some();
    let key = args.once.map_or_else(IdempotencyKey::random, Ok)?;
    let client = Client::at(place)?;
    if !args.array.is_empty() {
        let body = args
            .options
            .add_to(body(settings.clone(), args.name, args.priority));
        let array = Array {
            elements: array::elements(&settings, &args.array, again)?,
            folder: &folder,
            key,
            body,
        };
        return array.submit(&client, args.daemon.json, args.wait);
    }
    if !is_remote {
        let spec = settings.clone().check()?;
        places::check(&spec, settings.job_file.as_deref())?;
    }
    let settings = absolute(settings, &folder)?;
    let body = args
        .options
        .add_to(body(settings, args.name, args.priority));
    let job = client
        .submit(&body, &key)
        .map_err(|error| explained(error, &key))?;
    report(&job, args.daemon.json, args.wait);
    if args.wait {
        return watch::watch(&client, &job, args.daemon.json);
    }
    Ok(Exit::Done)
}

/// The jobs of an array.
struct Array<'a> {
    elements: Vec<Element>,
    folder: &'a Path,
    key: IdempotencyKey,
    /// The submission, without the settings and the name of each.
    body: SubmissionBody,
}

impl Array<'_> {
    fn submit(mut self, client: &Client, json: bool, wait: bool) -> Result<Exit, CliError> {
        let label = array::label(&self.key);
        self.body.labels.push(label.clone());
        let mut bodies = Vec::new();
        for Element { settings, name, .. } in &self.elements {
            bodies.push(SubmissionBody {
                settings: Some(absolute(settings.clone(), self.folder)?),
                name: self.body.name.clone().or_else(|| name.clone()),
                ..self.body.clone()
            });
        }
        let mut ids = BTreeSet::new();
        for (element, body) in self.elements.iter().zip(&bodies) {
            let key = element.key(&self.key)?;
            let job = client
                .submit(body, &key)
                .map_err(|error| self.stopped(ids.len(), explained(error, &key)))?;
            ids.insert(job.id.0);
            match json {
                true => say_json(&job),
                false => {
                    let JobView { id, state, .. } = job;
                    let input = element.settings.input.iter().map(|path| path.display());
                    let input: Vec<_> = input.map(|path| path.to_string()).collect();
                    say(&format!("job {id} {state}: {}", input.join(", ")));
                }
            }
        }
        if wait {
            let waiting = Waiting {
                client,
                any: false,
                until: None,
                json,
            };
            return waiting.wait(ids);
        }
        if !json {
            let jobs = counted(ids.len() as u64, "job");
            say(&format!(
                "{jobs}; molsieve wait --label {label} waits for the end"
            ));
        }
        Ok(Exit::Done)
    }

    /// The error after so many submissions.
    fn stopped(&self, done: usize, error: CliError) -> CliError {
        match done {
            0 => error,
            done => CliError::ArrayStopped {
                error: Box::new(error),
                done,
                of: self.elements.len(),
                key: self.key.to_string(),
            },
        }
    }
}

fn report(job: &JobView, json: bool, wait: bool) {
    if json {
        return say_json(job);
    }
    let JobView { id, state, .. } = job;
    say(&match wait {
        true => format!("job {id} {state}"),
        false => format!("job {id} {state}; molsieve watch {id} shows its progress"),
    });
}

/// The body of the request.
fn body(settings: JobSettings, name: Option<String>, priority: i32) -> SubmissionBody {
    let mode = match (settings.overwrite, settings.resume) {
        (true, _) => Mode::Overwrite,
        (false, true) => Mode::Resume,
        (false, false) => Mode::Refuse,
    };
    SubmissionBody {
        settings: Some(settings),
        name,
        priority,
        mode,
        ..SubmissionBody::default()
    }
}

/// Makes every path absolute: the daemon has another working directory.
fn absolute(mut settings: JobSettings, folder: &Path) -> Result<JobSettings, SourceError> {
    for input in &mut settings.input {
        if input.as_os_str() == "-" {
            return Err(SourceError::StandardInput);
        }
        *input = absolute_input(input, folder);
    }
    Ok(settings.with_paths(|path| joined(folder, path)))
}

/// A pattern stays a pattern. Pattern characters in the working directory are escaped.
fn absolute_input(input: &Path, folder: &Path) -> PathBuf {
    let path = joined(folder, input);
    let folder_text = folder.to_str().unwrap_or_default();
    if input.is_relative() && is_pattern(input) && !path.exists() && is_pattern(folder) {
        return joined(Path::new(&glob::Pattern::escape(folder_text)), input);
    }
    path
}

/// `path` below `folder`, without `.` components.
fn joined(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path).components().collect()
}

/// The error with what the user can do about it.
fn explained(error: ClientError, key: &IdempotencyKey) -> CliError {
    match error {
        ClientError::Refused(error) if error.detail.code == "too_large" => {
            CliError::TooLarge(too_large(&error))
        }
        ClientError::Encode(_) => CliError::NotUtf8,
        ClientError::Broken { .. } => CliError::Unsure {
            error,
            key: key.to_string(),
        },
        error => error.into(),
    }
}

/// What the job needs and what the node has, as far as the daemon says.
fn too_large(error: &ApiError) -> String {
    let detail = &error.detail;
    let (Some(needs), Some(node)) = (&detail.needs, &detail.node) else {
        return detail.message.clone();
    };
    format!(
        "{}: it needs {}, the node has {}, {} and {}",
        detail.message,
        super::shown::demand(needs),
        ByteSize(node.memory_bytes),
        counted(node.threads.into(), "thread"),
        counted(node.gpus.into(), "GPU"),
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        args: SubmitArgs,
    }

    fn parse(flags: &str) -> SubmitArgs {
        Flags::try_parse_from(flags.split(' ')).unwrap().args
    }

    #[test]
    fn the_daemon_gets_absolute_paths_and_patterns() {
        let args =
            parse("submit -i lib/*.parquet ./a.smi /abs.smi -r r.toml -o out --exclude ../old");
        let settings = absolute(args.settings.into(), Path::new("/home/ada")).unwrap();
        let body = serde_json::to_value(body(settings, None, 0)).unwrap();
        let expected = json!({ "mode": "refuse", "settings": {
            "input": ["/home/ada/lib/*.parquet", "/home/ada/a.smi", "/abs.smi"],
            "rules": ["/home/ada/r.toml"],
            "output": "/home/ada/out",
            "exclude": ["/home/ada/../old"],
        }});
        assert_eq!(body, expected);
    }

    #[test]
    fn a_folder_whose_name_looks_like_a_pattern_stands_for_itself() {
        let folder = Path::new("/data/run[1]");
        let found = |input: &str| absolute_input(Path::new(input), folder);
        assert_eq!(found("*.smi"), PathBuf::from("/data/run[[]1[]]/*.smi"));
        assert_eq!(found("a.smi"), PathBuf::from("/data/run[1]/a.smi"));
    }

    #[test]
    fn standard_input_stays_with_the_client() {
        let args = parse("submit -i - -o out");
        assert!(matches!(
            absolute(args.settings.into(), Path::new("/")),
            Err(SourceError::StandardInput)
        ));
    }

    #[test]
    fn flags_become_the_request() {
        let args = parse(
            "submit -i /a --name n --priority -3 --overwrite --memory 2GiB --threads 2 -o /o",
        );
        let body =
            serde_json::to_value(body(args.settings.into(), args.name, args.priority)).unwrap();
        let expected = json!({ "mode": "overwrite", "name": "n", "priority": -3, "settings": {
            "input": ["/a"], "output": "/o", "memory": "2GiB", "threads": 2,
        }});
        assert_eq!(body, expected);
        assert!(Flags::try_parse_from(["submit", "--priority", "11"]).is_err());
    }

    #[test]
    fn a_job_too_large_is_told_with_its_needs() {
        let detail = json!({
            "code": "too_large", "message": "the job needs more than the node has for jobs",
            "needs": { "memory_bytes": 8u64 << 30, "threads": 1, "gpu": "one" },
            "node": { "memory_bytes": 4u64 << 30, "threads": 2, "gpus": 0 },
        });
        let error = ApiError {
            status: 422,
            detail: serde_json::from_value(detail).unwrap(),
        };
        assert_eq!(
            too_large(&error),
            "the job needs more than the node has for jobs: it needs 8 GiB, 1 thread and a GPU, the \
             node has 4 GiB, 2 threads and 0 GPUs"
        );
    }
}
