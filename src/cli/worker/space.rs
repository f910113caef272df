//! `molsieve check-space`, hidden from the help: checks a disk as the user whose job waits for space.
//! [`crate::daemon::protocol::space`] describes its input and output.

use super::{Line, read_line, system, take_on};
use crate::{
    cli::{CliError, Exit, error::WorkerError, say_json},
    daemon::protocol::{
        ASSIGNMENT_BYTES_MAX, AssignmentError,
        space::{SpaceAnswer, SpaceQuestion},
    },
    store::space,
};

/// `molsieve check-space`.
pub(in crate::cli) fn check_space() -> Result<Exit, CliError> {
    let question = question()?;
    take_on(question.run_as.as_ref())?;
    let path = question.path.as_ref();
    let enough = space::has(path, question.needed_bytes)?;
    let free_bytes = space::of(path)?.free_bytes;
    say_json(&SpaceAnswer { enough, free_bytes });
    Ok(Exit::Done)
}

fn question() -> Result<SpaceQuestion, WorkerError> {
    let line = read_line(ASSIGNMENT_BYTES_MAX);
    let Line::Whole(line) = line.map_err(|error| system("read its question", error))? else {
        return Err(AssignmentError::TooLong.into());
    };
    let unreadable = |error: serde_json::Error| AssignmentError::Unreadable(error.to_string());
    Ok(serde_json::from_slice(&line).map_err(unreadable)?)
}
