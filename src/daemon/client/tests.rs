//! The client against a socket that answers with recorded bytes.

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};

use super::*;
use crate::daemon::job::State;

/// What a daemon does with one connection: the pieces it writes, one after the other.
type Recorded = Vec<String>;

/// A daemon that answers one connection after the other from `recorded` and gives the requests back.
struct Daemon {
    folder: tempfile::TempDir,
    requests: JoinHandle<Vec<String>>,
}

impl Daemon {
    fn new(recorded: Vec<Recorded>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let requests = thread::spawn(move || {
            let answer = |pieces: Recorded| {
                let (mut stream, _) = listener.accept().unwrap();
                let request = read_request(&mut stream);
                for piece in pieces {
                    // A client that has heard enough does not wait for the rest.
                    if stream.write_all(piece.as_bytes()).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_millis(5));
                }
                request
            };
            recorded.into_iter().map(answer).collect()
        });
        Self { folder, requests }
    }

    fn client(&self) -> Client {
        client(&self.folder.path().join("s"))
    }

    fn requests(self) -> Vec<String> {
        self.requests.join().unwrap()
    }
}

fn client(path: &Path) -> Client {
    let mut client = Client::new(path).unwrap();
    client.waits.again = Duration::from_millis(5);
    client.waits.back = Duration::from_millis(50);
    client
}

fn read_request(stream: &mut UnixStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the request ends early: {text}");
        request.extend(&buffer[..read]);
    }
}

fn answer(status: &str, body: &Value) -> Recorded {
    let body = body.to_string();
    let length = body.len();
    vec![format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )]
}

/// A stream in chunks of `size` bytes, with its end or without.
fn chunked(text: &str, size: usize, end: bool) -> Recorded {
    let mut pieces = vec![
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_owned(),
    ];
    for chunk in text.as_bytes().chunks(size) {
        let chunk = std::str::from_utf8(chunk).unwrap();
        pieces.push(format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    if end {
        pieces.push("0\r\n\r\n".into());
    }
    pieces
}

/// A job as the daemon sends it.
fn job(id: u64, state: &str, seq: u64) -> Value {
    json!({
        "id": id, "name": null, "user": { "uid": 1000, "name": "ada" }, "state": state, "priority": 0,
        "mode": "refuse", "settings": {}, "submitted_at": "2026-11-25T17:00:00Z", "started_at": null,
        "demand": { "memory_bytes": 1, "threads": 1, "gpu": "none" }, "ended_at": null, "attempts": 0,
        "failures": 0, "retry_at": null, "cancel_asked": false, "exit_code": null, "error": null,
        "worker_pid": null, "progress": null, "seq": seq,
    })
}

fn view(job: &Value) -> JobView {
    serde_json::from_value(job.clone()).unwrap()
}

fn submission() -> SubmissionBody {
    serde_json::from_value(json!({ "settings": {} })).unwrap()
}

fn state(seq: u64, state: &str) -> String {
    let job = job(17, state, seq);
    format!("event: state\nid: {seq}\ndata: {job}\n\n")
}

#[test]
fn without_a_daemon_the_error_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let error = client(&path).job(1).unwrap_err();
    assert_eq!(error, ClientError::NoDaemon(path.clone()));
    assert!(error.to_string().contains("molsieve serve"), "{error}");
    // A socket that a killed daemon has left.
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(client(&path).job(1), Err(ClientError::NoDaemon(path)));
}

#[test]
fn an_answer_in_chunks_is_put_together() {
    let job = job(17, "queued", 1);
    let daemon = Daemon::new(vec![chunked(&job.to_string(), 3, true)]);
    assert_eq!(daemon.client().job(17), Ok(view(&job)));
    let request = daemon.requests().remove(0);
    assert!(
        request.starts_with("GET /v1/jobs/17 HTTP/1.1\r\n"),
        "{request}"
    );
}

#[test]
fn a_change_is_sent_as_json_and_the_job_comes_back() {
    let job = job(17, "queued", 2);
    let daemon = Daemon::new(vec![answer("200 OK", &job)]);
    let change = ChangeBody {
        priority: Some(-3),
        ..ChangeBody::default()
    };
    assert_eq!(daemon.client().set(17, &change), Ok(view(&job)));
    let request = daemon.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("PATCH /v1/jobs/17 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(!head.contains("idempotency-key"), "{head}");
    assert_eq!(body, r#"{"priority":-3}"#);
}

#[test]
fn errors_of_the_api_keep_code_message_and_field() {
    let sent = json!({ "error": {
        "code": "invalid", "message": "no such setting", "field": "settings.memroy",
    }});
    let daemon = Daemon::new(vec![answer("400 Bad Request", &sent)]);
    let error = daemon.client().job(17).unwrap_err();
    assert_eq!(error.to_string(), "settings.memroy: no such setting");
    let ClientError::Refused(error) = error else {
        panic!("{error}")
    };
    assert_eq!((error.status, &*error.detail.code), (400, "invalid"));
    assert_eq!(json!({ "error": error.detail }), sent);
}

#[test]
fn what_is_no_daemon_is_told_apart() {
    for recorded in [
        vec!["SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned()],
        answer("500 Internal Server Error", &json!("oh")),
        vec!["HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>".to_owned()],
    ] {
        let daemon = Daemon::new(vec![recorded.clone()]);
        let error = daemon.client().job(1).unwrap_err();
        assert!(
            matches!(error, ClientError::Protocol { .. }),
            "{recorded:?}: {error}"
        );
    }
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 600\r\n\r\n{".to_owned();
    let error = Daemon::new(vec![vec![cut]]).client().job(1).unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
}

#[test]
fn a_submission_whose_answer_is_lost_is_sent_again_with_the_same_key() {
    let job = job(17, "queued", 1);
    let daemon = Daemon::new(vec![vec![], answer("200 OK", &job)]);
    let key = IdempotencyKey::random().unwrap();
    assert_ne!(key, IdempotencyKey::random().unwrap());
    assert_eq!(daemon.client().submit(&submission(), &key), Ok(view(&job)));
    let requests = daemon.requests();
    assert_eq!(requests[0], requests[1]);
    assert!(
        requests[0].contains(&format!("idempotency-key: {key}\r\n")),
        "{}",
        requests[0]
    );
    assert!(requests[0].contains("\"mode\":\"refuse\""));
}

#[test]
fn a_submission_that_may_have_been_taken_is_not_told_as_refused() {
    let daemon = Daemon::new(vec![vec![]]);
    let key = IdempotencyKey::random().unwrap();
    let error = daemon.client().submit(&submission(), &key).unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
}

#[test]
fn a_busy_daemon_is_asked_again_when_it_says() {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
    let job = job(17, "queued", 1);
    let daemon = Daemon::new(vec![vec![busy.into()], answer("200 OK", &job)]);
    assert_eq!(daemon.client().job(17), Ok(view(&job)));
}

#[test]
fn pages_are_asked_for_until_there_are_enough() {
    let page = |ids: std::ops::Range<u64>, next: Option<u64>| {
        let jobs: Vec<_> = ids.rev().map(|id| job(id, "queued", 1)).collect();
        answer("200 OK", &json!({ "jobs": jobs, "next_before": next }))
    };
    let daemon = Daemon::new(vec![page(201..401, Some(201)), page(1..201, Some(1))]);
    let query = ListQuery {
        states: vec![State::Queued, State::Running],
        uid: Some(1000),
        labels: vec!["a=1".parse().unwrap(), "b".parse().unwrap()],
        before: None,
        limit: 250,
    };
    let jobs = daemon.client().jobs(&query).unwrap();
    let ids: Vec<_> = jobs.iter().map(|job| job.id.0).collect();
    assert_eq!(ids, (151..401).rev().collect::<Vec<_>>());
    let requests = daemon.requests();
    let second =
        "GET /v1/jobs?limit=50&state=queued%2Crunning&label=a%3D1%2Cb&user=1000&before=201 ";
    assert!(requests[1].starts_with(second), "{}", requests[1]);
}

#[test]
fn events_go_on_after_a_restart_where_they_were() {
    let progress = Progress {
        rows_read: 9,
        ..Progress::default()
    };
    let progress = Event::Progress(Box::new(progress)).line();
    let first = format!(
        ": hello\n\n{}event: progress\ndata: {progress}\n\n",
        state(2, "running")
    );
    let half = &state(3, "interrupted")[..30];
    let second = format!("{}{}", state(3, "interrupted"), state(4, "done"));
    let daemon = Daemon::new(vec![
        chunked(&format!("{first}{half}"), 7, false),
        chunked(&second, 1, true),
    ]);
    let mut heard = Vec::new();
    let ended = daemon
        .client()
        .watch(17, 1, std::future::pending(), &mut |what| {
            heard.push(match what {
                WatchEvent::State(job) => job.state.to_string(),
                WatchEvent::Progress(progress) => format!("row {}", progress.rows_read),
                WatchEvent::Lost => "lost".into(),
                WatchEvent::Back => "back".into(),
            });
        });
    let job = job(17, "done", 4);
    assert_eq!(ended, Ok(Watched::Ended(Box::new(view(&job)))));
    assert_eq!(
        heard,
        ["running", "row 9", "lost", "back", "interrupted", "done"]
    );
    let requests = daemon.requests();
    for (request, after) in requests.iter().zip([1, 2]) {
        assert!(
            request.contains(&format!("last-event-id: {after}\r\n")),
            "{request}"
        );
    }
}

#[test]
fn a_daemon_that_does_not_come_back_is_told_once_and_then_given_up() {
    let daemon = Daemon::new(vec![chunked(&state(2, "running"), 9, false)]);
    let mut lost = 0;
    let client = daemon.client();
    let error = client.watch(17, 1, std::future::pending(), &mut |heard| {
        lost += u32::from(heard == WatchEvent::Lost);
    });
    assert_eq!(error, Err(ClientError::NoDaemon(client.path().into())));
    assert_eq!(lost, 1);
}

#[test]
fn who_leaves_is_not_held() {
    let daemon = Daemon::new(vec![chunked(&state(2, "running"), 9, false)]);
    let leave = async { sleep(Duration::from_millis(1)).await };
    let left = daemon.client().watch(17, 1, leave, &mut |_| {});
    assert_eq!(left, Ok(Watched::Left));
}

#[test]
fn a_log_is_copied_byte_by_byte() {
    let daemon = Daemon::new(vec![chunked("a line\nanother\n", 4, true)]);
    let mut out = Vec::new();
    daemon.client().log(17, true, &mut out).unwrap();
    assert_eq!(out, b"a line\nanother\n");
    assert!(daemon.requests()[0].starts_with("GET /v1/jobs/17/log?follow=true "));
}

#[test]
fn a_key_that_no_header_takes_is_refused() {
    for text in ["", "a\nb", "é", "a b", &"x".repeat(129)] {
        assert!(text.parse::<IdempotencyKey>().is_err(), "{text:?}");
    }
    assert!("build-17/retry".parse::<IdempotencyKey>().is_ok());
}
