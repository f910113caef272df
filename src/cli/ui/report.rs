//! The report of a job: `molsieve report DIR --output -` makes it, as a child process with the rights of this user.
//! The directory is the one that the daemon names for a job that this user may see.

use std::{path::Path, process::Stdio, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{Method, Response};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    sync::Semaphore,
    time::timeout,
};

use super::{
    answer::{Body, HTML, with_type},
    proxy::to_daemon,
    refused::Refused,
};
use crate::{
    cli::THIS_PROGRAM,
    daemon::{
        client::{self, Place},
        job::{JobId, State},
        view::{ErrorBody, JobView},
    },
    store::plain,
};

/// Reports that are made at a time: each reads a whole output.
pub(super) const REPORTS_AT_ONCE: usize = 2;
/// Longest time for a report; one takes up to 20 s.
const REPORT_TIME_MAX: Duration = Duration::from_secs(120);
/// Largest report.
const REPORT_BYTES_MAX: usize = 64 << 20;
/// Bytes of the child's error messages that are read.
const ERROR_BYTES_MAX: u64 = 16 << 10;
/// Largest job that is read: its settings have at most 128 KiB, and its progress 256 KiB.
const JOB_BYTES_MAX: usize = 1 << 20;

/// Answers with the report of a job.
pub(super) async fn report(
    place: &Place,
    permits: &Semaphore,
    id: JobId,
) -> Result<Response<Body>, Refused> {
    let job = job(place, id).await?;
    if job.state != State::Done {
        return Err(Refused::NotDone(id, job.state.name()));
    }
    if place.is_remote() {
        let there = "the output is on the daemon's machine; run molsieve report there";
        return Err(Refused::Report(there.into()));
    }
    let output = job.settings["output"].as_str();
    // The path begins with a slash, so it is no flag.
    let output = output
        .filter(|output| Path::new(output).is_absolute())
        .ok_or_else(|| Refused::Report("the job names no output directory".into()))?;
    let _permit = permits.try_acquire().map_err(|_| Refused::ReportsBusy)?;
    let made = timeout(REPORT_TIME_MAX, made(THIS_PROGRAM, output)).await;
    let late = || format!("it takes more than {} s", REPORT_TIME_MAX.as_secs());
    let text = made.unwrap_or_else(|_| Err(late()));
    let text = text.map_err(Refused::Report)?;
    Ok(with_type(HTML, text))
}

/// The job, as far as the daemon shows it to this user.
async fn job(place: &Place, id: JobId) -> Result<JobView, Refused> {
    let request = to_daemon(Method::GET, &format!("/v1/jobs/{id}"), Bytes::new());
    let answer = client::pass(place, request).await?;
    let status = answer.status();
    let unreadable =
        |_| Refused::NoJob(format!("the daemon's answer about job {id} is unreadable"));
    let body = Limited::new(answer.into_body(), JOB_BYTES_MAX)
        .collect()
        .await;
    let body = body.map_err(unreadable)?.to_bytes();
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| unreadable(error.into()));
    }
    let error: ErrorBody =
        serde_json::from_slice(&body).map_err(|error| unreadable(error.into()))?;
    Err(Refused::NoJob(error.error.message))
}

/// The report that `program`, which is molsieve, makes of an output directory, or the reason why there is none. The child ends when this is dropped.
pub(super) async fn made(program: &str, output: &str) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| plain(&error);
    let mut child = Command::new(program)
        .args(["report", output, "--output", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(cannot)?;
    let (text, said) = read(&mut child).await?;
    let status = child.wait().await.map_err(cannot)?;
    if status.success() {
        return Ok(text);
    }
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().next().unwrap_or("it fails without a message");
    Err(line.strip_prefix("molsieve: ").unwrap_or(line).to_owned())
}

/// What the child writes to standard output and to standard error.
async fn read(child: &mut Child) -> Result<(Vec<u8>, Vec<u8>), String> {
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("its output cannot be read".into());
    };
    let text = async {
        let text = first(out, REPORT_BYTES_MAX as u64 + 1).await?;
        match text.len() > REPORT_BYTES_MAX {
            true => Err(format!("it is larger than {} MiB", REPORT_BYTES_MAX >> 20)),
            false => Ok(text),
        }
    };
    let said = async {
        let mut err = err;
        let said = first(&mut err, ERROR_BYTES_MAX).await?;
        // The child must not wait for a reader of its messages.
        let _ = tokio::io::copy(&mut err, &mut tokio::io::sink()).await;
        Ok(said)
    };
    tokio::try_join!(text, said)
}

async fn first(from: impl AsyncRead + Unpin, bytes_max: u64) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let read = from.take(bytes_max).read_to_end(&mut text).await;
    read.map(|_| text).map_err(|error| plain(&error))
}
