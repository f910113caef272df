//! Streams of a job that lies in memory.

use std::sync::Mutex;

use bytes::Bytes;
use tokio::sync::{broadcast, mpsc};

use super::*;
use crate::{
    daemon::{
        http::{
            counts::HttpCounts,
            shares::Shares,
            stream::{self, From, Sink, Source},
        },
        job::{Job, JobId, State, Submission, WaitsFor},
        refusal::Refusal,
        snapshot::Notice,
    },
    report::event::{Event, Progress},
};

const ID: JobId = JobId(3);

/// What a core has of a job.
#[derive(Clone, Default)]
struct Memory {
    history: Arc<Mutex<Vec<Job>>>,
    log: Arc<Mutex<Vec<u8>>>,
    /// The log before this byte is not kept.
    log_begins: u64,
}

impl Source for Memory {
    async fn history(&self, after: u64) -> Result<Vec<Job>, Refusal> {
        let history = self.history.lock().unwrap();
        let later = history.iter().filter(|job| job.course.seq > after);
        Ok(later.take(2).cloned().collect())
    }

    async fn log(&self, from: u64) -> Result<(u64, Vec<u8>), Refusal> {
        let from = from.max(self.log_begins);
        let log = self.log.lock().unwrap();
        let rest = &log[log.len().min(from as usize)..];
        Ok((from, rest[..rest.len().min(4)].to_vec()))
    }

    fn waits_for(&self, _: &Job) -> Option<WaitsFor> {
        None
    }

    async fn ended(&self) -> Result<bool, Refusal> {
        let history = self.history.lock().unwrap();
        Ok(history
            .last()
            .is_some_and(|job| job.course.state == State::Done))
    }
}

fn job(seq: u64, state: State) -> Job {
    let mut job = Job::new(ID, Submission::plain(), 0);
    (job.course.seq, job.course.state) = (seq, state);
    job
}

struct Stream {
    memory: Memory,
    core: broadcast::Sender<Notice>,
    pieces: mpsc::Receiver<Bytes>,
    _ending: watch::Sender<bool>,
}

impl Stream {
    /// Follows a job with the states there are, from after an event.
    fn follow(memory: Memory, after: u64, heartbeat: Duration) -> Self {
        let (stream, sink) = Self::new(memory);
        let now = stream.memory.history.lock().unwrap().last().cloned();
        let from = From {
            job: now.unwrap(),
            after,
            heartbeat,
            user_name: Some("ada".into()),
        };
        let source = stream.memory.clone();
        tokio::spawn(stream::events(source, stream.core.subscribe(), from, sink));
        stream
    }

    fn log(memory: Memory, follow: bool) -> Self {
        let (stream, sink) = Self::new(memory);
        let events = follow.then(|| stream.core.subscribe());
        tokio::spawn(stream::log(stream.memory.clone(), events, ID, sink));
        stream
    }

    fn new(memory: Memory) -> (Self, Sink) {
        let (core, _) = broadcast::channel(4);
        let (sender, pieces) = mpsc::channel(1);
        let (ending, ends) = watch::channel(false);
        let share = Shares::new(&Limits::default()).of(1);
        let sink = Sink::new(sender, share, ends, &HttpCounts::default(), None);
        let stream = Self {
            memory,
            core,
            pieces,
            _ending: ending,
        };
        (stream, sink)
    }

    fn happens(&self, seq: u64, state: State) {
        self.memory.history.lock().unwrap().push(job(seq, state));
        let _ = self.core.send(Notice::State(ID, state));
    }

    async fn next(&mut self) -> Option<String> {
        let piece = timeout(LONG, self.pieces.recv()).await.unwrap();
        piece.map(|piece| String::from_utf8(piece.to_vec()).unwrap())
    }

    async fn rest(mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some(piece) = self.next().await {
            rest.push(piece);
        }
        rest
    }
}

/// The numbers of the state events; progress is `None`.
fn numbers(pieces: &[String]) -> Vec<Option<u64>> {
    let number = |piece: &String| {
        let id = piece.lines().find_map(|line| line.strip_prefix("id: "));
        id.map(|id| id.parse().unwrap())
    };
    pieces.iter().map(number).collect()
}

fn states(seqs: std::ops::RangeInclusive<u64>, last: State) -> Memory {
    let memory = Memory::default();
    let end = *seqs.end();
    let state = |seq| if seq == end { last } else { State::Queued };
    *memory.history.lock().unwrap() = seqs.map(|seq| job(seq, state(seq))).collect();
    memory
}

#[tokio::test]
async fn a_job_that_has_ended_is_told_from_any_point_on() {
    let all = Stream::follow(states(1..=5, State::Done), 0, LONG)
        .rest()
        .await;
    assert_eq!(numbers(&all), (1..=5).map(Some).collect::<Vec<_>>());
    assert!(
        all[0].starts_with("event: state\nid: 1\ndata: {\"id\":3,"),
        "{}",
        all[0]
    );
    assert!(
        all[0].ends_with("}\n\n") && all[0].contains(r#""name":"ada""#),
        "{}",
        all[0]
    );
    let some = Stream::follow(states(1..=5, State::Done), 3, LONG)
        .rest()
        .await;
    assert_eq!(numbers(&some), [Some(4), Some(5)]);
    let none = Stream::follow(states(1..=5, State::Done), 5, LONG)
        .rest()
        .await;
    assert!(none.is_empty());
    let later = Stream::follow(states(1..=5, State::Done), 99, LONG)
        .rest()
        .await;
    assert!(later.is_empty());
}

#[tokio::test]
async fn what_happens_follows_what_has_happened() {
    let mut stream = Stream::follow(states(1..=2, State::Running), 0, LONG);
    // The store and the core both report it; the stream sends it once.
    let _ = stream.core.send(Notice::State(ID, State::Running));
    assert_eq!(numbers(&[stream.next().await.unwrap()]), [Some(1)]);
    assert_eq!(numbers(&[stream.next().await.unwrap()]), [Some(2)]);
    for (id, rows_read) in [(JobId(4), 1), (ID, 2)] {
        let progress = Progress {
            rows_read,
            ..Progress::default()
        };
        let _ = stream.core.send(Notice::Progress(id, Arc::new(progress)));
    }
    let progress = stream.next().await.unwrap();
    let event = progress.strip_prefix("event: progress\ndata: ").unwrap();
    let event = Event::parse(event.strip_suffix("\n\n").unwrap().as_bytes());
    assert!(matches!(event, Ok(Event::Progress(progress)) if progress.rows_read == 2));
    stream.happens(3, State::Done);
    assert_eq!(numbers(&stream.rest().await), [Some(3)]);
}

#[tokio::test]
async fn a_reader_that_lags_gets_every_state_once() {
    let stream = Stream::follow(states(1..=1, State::Queued), 0, LONG);
    // There is no reader, and more changes than the core keeps for a slow reader.
    for seq in 2..40 {
        stream.happens(seq, State::Running);
        tokio::task::yield_now().await;
    }
    stream.happens(40, State::Done);
    let sent = numbers(&stream.rest().await);
    assert_eq!(sent, (1..=40).map(Some).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_lives_and_ends_with_its_reader() {
    let mut stream = Stream::follow(states(1..=1, State::Running), 1, short(20));
    assert_eq!(stream.next().await.unwrap(), ": \n\n");
    // Other jobs' events do not keep it from that.
    let _ = stream.core.send(Notice::Log(JobId(9)));
    assert_eq!(stream.next().await.unwrap(), ": \n\n");
    let core = stream.core.clone();
    drop(stream.pieces);
    let gone = async {
        while core.receiver_count() > 0 {
            sleep(short(5)).await;
        }
    };
    timeout(LONG, gone).await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_with_the_daemon() {
    let stream = Stream::follow(states(1..=1, State::Running), 1, LONG);
    stream._ending.send(true).unwrap();
    assert!(stream.rest().await.is_empty());
}

#[tokio::test]
async fn a_log_is_told_to_its_end_and_followed() {
    let memory = states(1..=1, State::Running);
    memory.log.lock().unwrap().extend_from_slice(b"one two");
    let whole = Stream::log(memory.clone(), false).rest().await;
    assert_eq!(whole.concat(), "one two");
    let mut stream = Stream::log(memory.clone(), true);
    assert_eq!(stream.next().await.unwrap(), "one ");
    assert_eq!(stream.next().await.unwrap(), "two");
    memory.log.lock().unwrap().extend_from_slice(b" three");
    stream.core.send(Notice::Log(ID)).unwrap();
    assert_eq!(stream.next().await.unwrap(), " thr");
    assert_eq!(stream.next().await.unwrap(), "ee");
    memory.log.lock().unwrap().extend_from_slice(b"!");
    stream.happens(2, State::Done);
    assert_eq!(stream.rest().await.concat(), "!");
}

#[tokio::test]
async fn a_gap_in_a_log_is_told() {
    let memory = Memory {
        log_begins: 6,
        ..states(1..=1, State::Done)
    };
    memory.log.lock().unwrap().extend_from_slice(b"forgotten");
    let pieces = Stream::log(memory, false).rest().await;
    assert_eq!(pieces.concat(), "\n[6 bytes were dropped]\nten");
}
