//! `molsieve submit`.

use std::{
    env,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};

use super::{DaemonArgs, shown::Shown, watch};
use crate::{
    cli::{CliError, Exit, places, run, say},
    config::{DeriveFlags, JobSettings},
    daemon::{
        client::{ApiError, Client, ClientError, IdempotencyKey},
        job::{Demand, Mode},
    },
    table::source::{SourceError, is_pattern},
    units::{ByteSize, counted},
};

/// Flags of `molsieve submit`.
#[derive(clap::Args, Debug)]
pub(in crate::cli) struct SubmitArgs {
    /// Job file (TOML) that says the same as the flags; flags win
    #[arg(value_name = "JOB.toml")]
    job: Option<PathBuf>,
    /// What to call it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Of a user's jobs those of higher priority go first: -10 to 10, above 0 for admins only
    #[arg(
        long,
        value_name = "P",
        allow_negative_numbers = true,
        default_value_t = 0
    )]
    #[arg(value_parser = clap::value_parser!(i32).range(-10..=10))]
    priority: i32,
    /// A word of your own for this job: with the same one it is taken once, however often it is submitted
    /// [default: one made up]
    #[arg(long, value_name = "WORD")]
    once: Option<IdempotencyKey>,
    /// Watch the job to its end, and end with its exit code
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
    // What a run was begun with is in its output directory.
    let settings = if settings.resume && settings.input.is_empty() {
        match run::begun(settings, args.daemon.json)? {
            run::Begun::Complete(exit) => return Ok(exit),
            run::Begun::Settings(settings) => *settings,
        }
    } else {
        settings
    };
    let spec = settings.clone().check()?;
    places::check(&spec, settings.job_file.as_deref())?;
    let folder =
        env::current_dir().map_err(|error| CliError::NoFolder(crate::store::plain(&error)))?;
    let settings = absolute(settings, &folder)?;
    let key = args.once.map_or_else(IdempotencyKey::random, Ok)?;
    let client = args.daemon.client()?;
    let body = body(&settings, args.name, args.priority)?;
    let job = client
        .submit(&body, &key)
        .map_err(|error| explained(error, &key))?;
    tell_of(&client, &job, args.daemon.json, args.wait)?;
    if args.wait {
        return watch::watch(&client, &job, args.daemon.json);
    }
    Ok(Exit::Done)
}

fn tell_of(client: &Client, job: &Value, json: bool, wait: bool) -> Result<(), CliError> {
    if json {
        say(&job.to_string());
        return Ok(());
    }
    let job = Shown::read(client, job)?;
    let (id, state) = (job.id, super::shown::word(job.state));
    say(&match wait {
        true => format!("job {id} {state}"),
        false => format!("job {id} {state}; molsieve watch {id} shows how it goes"),
    });
    Ok(())
}

/// The body of the request.
fn body(settings: &JobSettings, name: Option<String>, priority: i32) -> Result<Value, CliError> {
    let mode = match (settings.overwrite, settings.resume) {
        (true, _) => Mode::Overwrite,
        (false, true) => Mode::Resume,
        (false, false) => Mode::Refuse,
    };
    let settings = serde_json::to_value(settings).map_err(|_| CliError::NotUtf8)?;
    let mut body = Map::new();
    body.insert("settings".into(), settings);
    body.insert("mode".into(), json!(mode));
    if let Some(name) = name {
        body.insert("name".into(), json!(name));
    }
    if priority != 0 {
        body.insert("priority".into(), json!(priority));
    }
    Ok(body.into())
}

/// Every path as the daemon needs it, which has another folder: absolute.
fn absolute(mut settings: JobSettings, folder: &Path) -> Result<JobSettings, SourceError> {
    for input in &mut settings.input {
        if input.as_os_str() == "-" {
            return Err(SourceError::StandardInput);
        }
        *input = absolute_input(input, folder);
    }
    let paths = settings.rules.iter_mut().chain(&mut settings.exclude);
    for path in paths.chain(&mut settings.output) {
        *path = joined(folder, path);
    }
    Ok(settings)
}

/// A pattern stays one. What its folder has of a pattern's characters stands for itself.
fn absolute_input(input: &Path, folder: &Path) -> PathBuf {
    let path = joined(folder, input);
    let folder_text = folder.to_str().unwrap_or_default();
    if input.is_relative() && is_pattern(input) && !path.exists() && is_pattern(folder) {
        return joined(Path::new(&glob::Pattern::escape(folder_text)), input);
    }
    path
}

/// `path` below `folder`, without the `.` in it.
fn joined(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path).components().collect()
}

/// The error with what the user needs to know to go on.
fn explained(error: ClientError, key: &IdempotencyKey) -> CliError {
    match error {
        ClientError::Refused(error) if error.code == "too_large" => {
            CliError::TooLarge(too_large(&error))
        }
        ClientError::Broken { .. } => CliError::Unsure {
            error,
            key: key.to_string(),
        },
        error => error.into(),
    }
}

/// What the job needs beside what the node gives, as far as the answer tells.
fn too_large(error: &ApiError) -> String {
    let find = |name: &str| {
        let inside = error.body["error"].get(name);
        inside.or(error.body.get(name)).cloned().unwrap_or_default()
    };
    let Ok(needs) = serde_json::from_value::<Demand>(find("needs")) else {
        return error.message.clone();
    };
    let node = find("node");
    let number = |name: &str| node[name].as_u64().unwrap_or_default();
    format!(
        "{}: it needs {}, the node gives {}, {} and {}",
        error.message,
        super::shown::demand(&needs),
        ByteSize(number("memory_bytes")),
        counted(number("threads"), "thread"),
        counted(number("gpus"), "GPU"),
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

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
        let body = body(&settings, None, 0).unwrap();
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
        let body = body(&args.settings.into(), args.name, args.priority).unwrap();
        let expected = json!({ "mode": "overwrite", "name": "n", "priority": -3, "settings": {
            "input": ["/a"], "output": "/o", "memory": "2GiB", "threads": 2,
        }});
        assert_eq!(body, expected);
        assert!(Flags::try_parse_from(["submit", "--priority", "11"]).is_err());
    }

    #[test]
    fn a_job_too_large_is_told_with_its_needs() {
        let told = json!({ "error": {
            "code": "too_large", "message": "the job needs more than this node gives to jobs",
            "needs": { "memory_bytes": 8u64 << 30, "threads": 1, "gpu": "one" },
            "node": { "memory_bytes": 4u64 << 30, "threads": 2, "gpus": 0 },
        }});
        let error = ApiError {
            status: 422,
            code: "too_large".into(),
            message: told["error"]["message"].as_str().unwrap().into(),
            field: None,
            body: told,
        };
        assert_eq!(
            too_large(&error),
            "the job needs more than this node gives to jobs: it needs 8 GiB, 1 thread and a GPU, the \
             node gives 4 GiB, 2 threads and 0 GPUs"
        );
    }
}
