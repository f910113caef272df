//! Trials: parents transformed in a separate process, so that a parent on which RDKit crashes or never returns
//! ends that process and nothing else.
//!
//! `molsieve try-parents` (hidden from the help) reads JSON from standard input, line by line: first an
//! [`Assignment`], then one [`Candidate`] after the other. It writes the line `ready` once its rules are compiled. It
//! transforms each candidate as the job would, discards the products and answers with a line. The parent that killed
//! the process is the one whose answer is missing; the others are tried in the next process.
//!
//! A parent's time is CPU time since its last product, as in the job. The process measures it: it answers `late` and
//! ends when a parent has exceeded the limit. So a machine that stalls rejects nothing.
//!
//! A parent must not be rejected for another cause. A process that ends before it is ready is an error, and so is one
//! that is ended by a signal from outside (as when a service is stopped). After any other death the parent is tried
//! once more before it is rejected.

mod child;
mod message;

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde::Serialize;

pub use child::{assignment, serve, try_here};
pub use message::{Assignment, Candidate, Purpose, TrialError, Tried, TriedReagents};

use message::LATE;

use crate::reject::{RejectCode, Rejection};

/// Tries parents one after the other in separate processes: the molsieve executable `program` with
/// `try-parents`. For each parent: what it gives, or why it must not be given to RDKit.
pub fn try_parents(
    program: &Path,
    assignment: &Assignment,
    candidates: &[Candidate],
) -> Result<Vec<Result<Tried, Rejection>>, TrialError> {
    let mut answers = Vec::with_capacity(candidates.len());
    while answers.len() < candidates.len() {
        let before = answers.len();
        let mut end = try_some(program, assignment, &candidates[before..], &mut answers)?;
        let suspect = answers.len();
        if matches!(end, End::Died(_)) && suspect < candidates.len() {
            // The parent may not be the cause.
            let alone = &candidates[suspect..=suspect];
            end = try_some(program, assignment, alone, &mut answers)?;
        }
        if answers.len() == suspect && suspect < candidates.len() {
            answers.push(Err(match end {
                End::Died(how) => RejectCode::Crash.because(format!("RDKit crashed on it ({how})")),
                End::Late | End::Answered => too_long(assignment.time_max),
            }));
        }
    }
    Ok(answers)
}

/// How a process that tries parents ended.
enum End {
    /// It answered for all parents.
    Answered,
    /// A parent took too long.
    Late,
    /// It died.
    Died(ExitStatus),
}

/// Time in which a process must be ready: compiling thousands of rules takes seconds.
const READY_TIME_MAX: Duration = Duration::from_secs(600);

/// Tries parents until the process ends; returns how it ended.
fn try_some(
    program: &Path,
    assignment: &Assignment,
    candidates: &[Candidate],
    answers: &mut Vec<Result<Tried, Rejection>>,
) -> Result<End, TrialError> {
    let mut child = start(program)?;
    let lines = answers_of(&mut child);
    let mut input = child.stdin.take();
    send(&mut input, assignment);
    let ready = lines.recv_timeout(READY_TIME_MAX);
    let mut end = End::Answered;
    let candidates = if ready.is_ok() { candidates } else { &[] };
    for candidate in candidates {
        send(&mut input, candidate);
        match lines.recv() {
            Ok(line) if line == LATE => {
                end = End::Late;
                break;
            }
            Ok(line) => answers.push(serde_json::from_str(&line).unwrap_or_else(|error| {
                Err(RejectCode::Crash.because(format!("its answer can't be read: {error}")))
            })),
            Err(mpsc::RecvError) => {
                end = died(wait(&mut child)?)?;
                break;
            }
        }
    }
    drop(input);
    // It may be dead already.
    let _ = child.kill();
    let status = wait(&mut child)?;
    match ready {
        Ok(_) => Ok(end),
        Err(_) => Err(TrialError::NotReady(status)),
    }
}

fn start(program: &Path) -> Result<Child, TrialError> {
    let started = Command::new(program)
        .arg0("molsieve") // for `ps`
        .arg("try-parents")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0) // Ctrl-C is for the job
        .spawn();
    started.map_err(|error| TrialError::process("start", &error))
}

fn wait(child: &mut Child) -> Result<ExitStatus, TrialError> {
    let ended = child.wait();
    ended.map_err(|error| TrialError::process("wait for", &error))
}

/// What the death of a process means: nothing about the parent, if a signal from outside ended it.
fn died(status: ExitStatus) -> Result<End, TrialError> {
    const FROM_OUTSIDE: [i32; 3] = [1, 2, 15]; // SIGHUP, SIGINT, SIGTERM
    match status.signal() {
        Some(signal) if FROM_OUTSIDE.contains(&signal) => Err(TrialError::EndedFromOutside(status)),
        _ => Ok(End::Died(status)),
    }
}

/// Writes a line to a child. That the child is dead shows when its answer does not come.
fn send(input: &mut Option<ChildStdin>, what: &impl Serialize) {
    let line = serde_json::to_string(what).expect("texts and numbers can be written as JSON");
    if let Some(input) = input {
        let _ = writeln!(input, "{line}");
    }
}

/// Why a parent that takes too long is rejected.
pub fn too_long(time_max: Duration) -> Rejection {
    RejectCode::Timeout.because(format!(
        "RDKit worked on it for longer than --parent-timeout {} without giving a product",
        time_max.as_secs()
    ))
}

/// The lines that a child writes, as they come.
fn answers_of(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::sync_channel(1);
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_not_blamed_for_a_signal_from_outside() {
        for signal in [1, 2, 15] {
            let status = ExitStatus::from_raw(signal);
            let error = died(status).err();
            assert_eq!(error, Some(TrialError::EndedFromOutside(status)));
        }
        for signal in [4, 6, 9, 11] {
            let end = died(ExitStatus::from_raw(signal)).unwrap();
            assert!(matches!(end, End::Died(_)), "{signal}");
        }
    }
}
