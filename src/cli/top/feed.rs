//! Requests to the daemon, sent by two threads, so that the daemon never holds up a key: one polls, one does what
//! keys ask for. Every channel is bounded.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use super::{
    Input,
    messages::{Answer, Listing, Request},
    order::GROUPS,
};
use crate::{
    cli::{CliError, jobs::shown},
    daemon::{
        action::ListQuery,
        api::ChangeBody,
        client::{Client, ClientError, Place},
    },
};

/// Requests of keys that wait to be sent.
const REQUESTS_MAX: usize = 8;
/// Longest time that one request waits for its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The end of a log that is kept.
const LOG_BYTES_MAX: usize = 256 << 10;
/// Lines of a log that are kept.
const LOG_LINES_MAX: usize = 2_000;

/// The threads that ask the daemon. They end with the program.
pub(super) struct Feed {
    requests: SyncSender<Request>,
}

impl Feed {
    /// Starts to poll. Answers go to `inputs`.
    pub(super) fn start(
        place: &Place,
        interval: Duration,
        inputs: &SyncSender<Input>,
    ) -> Result<Self, CliError> {
        let (requests, asked) = sync_channel(REQUESTS_MAX);
        let (again, polls) = sync_channel(1);
        let poller = Asker::new(place, inputs)?;
        spawn("poll", move || poller.poll(interval, &polls))?;
        let asker = Asker::new(place, inputs)?;
        spawn("ask", move || asker.serve(&asked, &again))?;
        Ok(Self { requests })
    }

    /// Sends a request. False if too many wait for their answers.
    pub(super) fn ask(&self, request: Request) -> bool {
        self.requests.try_send(request).is_ok()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), CliError> {
    let thread = thread::Builder::new().name(name.into()).spawn(work);
    let failed = |error: io::Error| CliError::Terminal(crate::store::plain(&error));
    thread.map(drop).map_err(failed)
}

/// A thread's client, and where its answers go.
struct Asker {
    place: Place,
    client: Client,
    inputs: SyncSender<Input>,
}

impl Asker {
    fn new(place: &Place, inputs: &SyncSender<Input>) -> Result<Self, CliError> {
        Ok(Self {
            place: place.clone(),
            client: Client::at(place.clone())?.with_patience(PATIENCE),
            inputs: inputs.clone(),
        })
    }

    /// Returns whether somebody takes the answer.
    fn answer(&self, answer: Answer) -> bool {
        self.inputs.send(Input::Answer(answer)).is_ok()
    }

    /// Polls once per `interval`, and at once when `again` says so.
    fn poll(&self, interval: Duration, again: &Receiver<()>) {
        loop {
            let begin = Instant::now();
            let answer = match self.listing() {
                Ok(listing) => Answer::Listing(Box::new(listing)),
                Err(error) => Answer::Lost(self.reason(&error)),
            };
            if !self.answer(answer) {
                return;
            }
            let rest = interval.saturating_sub(begin.elapsed());
            if again.recv_timeout(rest) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    fn listing(&self) -> Result<Listing, ClientError> {
        let mut jobs = Vec::new();
        for (states, limit) in GROUPS {
            let more = self.client.jobs(&ListQuery {
                states: states.to_vec(),
                limit,
                ..ListQuery::default()
            })?;
            jobs.extend(more);
        }
        // A job that changed its state between two lists may be in both; the later one counts.
        jobs.reverse();
        let mut seen = BTreeSet::new();
        jobs.retain(|job| seen.insert(job.id));
        let node = self.client.node()?;
        Ok(Listing { jobs, node })
    }

    fn reason(&self, error: &ClientError) -> String {
        match error {
            ClientError::NoDaemon(_) => {
                format!("no daemon listens at {}", self.place.name().display())
            }
            error => error.to_string(),
        }
    }

    /// Sends the requests of keys one after the other.
    fn serve(&self, requests: &Receiver<Request>, again: &SyncSender<()>) {
        for request in requests {
            let answer = self.done(request);
            let changes = !matches!(answer, Answer::Log(..));
            if !self.answer(answer) {
                return;
            }
            if changes {
                // If one is waiting already, that is enough.
                again.try_send(()).ok();
            }
        }
    }

    fn done(&self, request: Request) -> Answer {
        let done = match request {
            Request::Log(id) => {
                let lines = self.log(id).map_err(|error| self.reason(&error));
                return Answer::Log(id, lines);
            }
            Request::Cancel(id) => {
                let job = self.client.cancel(id);
                job.map(|job| shown::cancelled(&job))
            }
            Request::Priority(id, priority) => {
                let change = ChangeBody {
                    priority: Some(priority),
                    ..ChangeBody::default()
                };
                let job = self.client.set(id, &change);
                job.map(|job| format!("job {id} has priority {}", job.priority))
            }
            Request::Remove(id) => {
                let gone = self.client.forget(id);
                gone.map(|()| shown::forgotten(id))
            }
        };
        match done {
            Ok(text) => Answer::Done(request, text),
            Err(error) => Answer::Refused(request, self.reason(&error)),
        }
    }

    fn log(&self, id: u64) -> Result<Vec<String>, ClientError> {
        let mut tail = Tail::default();
        self.client.log(id, false, &mut tail)?;
        Ok(tail.lines())
    }
}

/// The end of a text that is written to it.
#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    fn lines(&self) -> Vec<String> {
        let first = self.bytes.len().saturating_sub(LOG_BYTES_MAX);
        let text = String::from_utf8_lossy(&self.bytes[first..]);
        let lines: Vec<&str> = text.lines().collect();
        // The first line may have lost its beginning.
        let lost = usize::from(self.cut || first > 0);
        let skipped = lost.max(lines.len().saturating_sub(LOG_LINES_MAX));
        let kept = lines.into_iter().skip(skipped);
        kept.map(|line| shown::plain(&line.replace('\t', "  ")))
            .collect()
    }
}

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend(bytes);
        if self.bytes.len() > 2 * LOG_BYTES_MAX {
            let first = self.bytes.len() - LOG_BYTES_MAX;
            self.bytes.drain(..first);
            self.cut = true;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_end_in_whole_lines() {
        let mut tail = Tail::default();
        tail.write_all(b"one\ttwo\n\x1b[2Jthree\nfour").unwrap();
        assert_eq!(tail.lines(), ["one  two", "\u{fffd}[2Jthree", "four"]);
        for line in 0..100_000 {
            writeln!(tail, "line {line}").unwrap();
        }
        assert!(tail.bytes.len() <= 2 * LOG_BYTES_MAX);
        let lines = tail.lines();
        assert_eq!(lines.len(), LOG_LINES_MAX);
        assert_eq!(lines[0], format!("line {}", 100_000 - LOG_LINES_MAX));
        let mut long = Tail::default();
        long.write_all(&b"a".repeat(3 * LOG_BYTES_MAX)).unwrap();
        long.write_all(b"\nlast\n").unwrap();
        assert_eq!(long.lines(), ["last"]);
    }
}
