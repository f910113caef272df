//! Checks of full disks: a short process for each, as the user of the job that waits.

use std::{process::Stdio, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::process::bare_command;
use crate::{
    daemon::{
        core::{Core, ProcessMessage, SpaceCheck, SpaceFinding},
        peer::Peers,
        protocol::space::{ANSWER_BYTES_MAX, SpaceAnswer, SpaceQuestion},
    },
    store::plain,
};

/// Time in which a disk must answer.
const CHECK_TIME_MAX: Duration = Duration::from_secs(20);

/// Checks a disk and reports the finding.
pub(super) async fn check(core: Core, peers: &Arc<Peers>, check: SpaceCheck) {
    let id = check.id;
    peers.look_up_beside(check.uid).await;
    let finding = match timeout(CHECK_TIME_MAX, ask(peers, &check)).await {
        Ok(Ok(answer)) if answer.enough => SpaceFinding::Enough,
        Ok(Ok(answer)) => SpaceFinding::Full(Some(answer.free_bytes)),
        Ok(Err(reason)) => {
            // The job's process will meet the same, and report it.
            tracing::warn!(job = id.0, owner = check.uid, "{reason}");
            SpaceFinding::Enough
        }
        // The process is killed when it is dropped.
        Err(_elapsed) => SpaceFinding::Full(None),
    };
    core.report(id, ProcessMessage::SpaceChecked(finding)).await;
}

async fn ask(peers: &Peers, check: &SpaceCheck) -> Result<SpaceAnswer, String> {
    let failed = |error: std::io::Error| format!("cannot check a disk: {}", plain(&error));
    let question = SpaceQuestion {
        run_as: peers
            .run_as(check.uid)
            .map_err(|denied| denied.to_string())?,
        path: check.path.clone(),
        needed_bytes: check.needed_bytes,
    };
    let mut line = serde_json::to_string(&question).map_err(|error| error.to_string())?;
    line.push('\n');
    let mut child = bare_command("check-space")
        .map_err(failed)?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(line.as_bytes()).await.map_err(failed)?;
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = stdout.take(ANSWER_BYTES_MAX);
        stdout.read_to_end(&mut answer).await.map_err(failed)?;
    }
    child.wait().await.map_err(failed)?;
    serde_json::from_slice(&answer)
        .map_err(|error| format!("cannot check a disk: the answer cannot be read: {error}"))
}
