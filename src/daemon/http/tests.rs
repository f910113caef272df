//! The HTTP side over a real socket, with a client that writes bytes. The core behind it is always busy:
//! what needs a core is tested with the whole daemon.

mod openapi;
mod streams;

use std::path::PathBuf;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::UCred,
    task::JoinHandle,
};

use super::{counts::HttpCounts, *};
use crate::{
    daemon::{action::Caller, core::Core},
    limits as named,
};

/// Longer than anything takes, even on a busy machine.
const LONG: Duration = Duration::from_secs(30);

struct Daemon {
    _folder: tempfile::TempDir,
    path: PathBuf,
    ending: watch::Sender<bool>,
    counts: HttpCounts,
    task: JoinHandle<()>,
}

fn anyone(peer: &UCred) -> Result<Caller, String> {
    Ok(Caller {
        uid: peer.uid(),
        gid: peer.gid(),
        admin: false,
    })
}

impl Daemon {
    fn start() -> Self {
        Self::limited(|_| {})
    }

    /// With other limits than the default.
    fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        Self::with_access(limits, anyone)
    }

    fn with_access(
        limits: Limits,
        access: impl Fn(&UCred) -> Result<Caller, String> + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let edge = Edge::new(Core::busy(), access, limits);
        let counts = edge.counts.clone();
        let (ending, ends) = watch::channel(false);
        let task = tokio::spawn(serve(listener, edge, ends));
        Self {
            _folder: folder,
            path,
            ending,
            counts,
            task,
        }
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.path).await.unwrap()
    }

    /// Everything that is answered to these bytes until the daemon closes.
    async fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The daemon may answer and close before it has read everything.
        let _ = stream.write_all(bytes.as_ref()).await;
        all(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.ask(format!("GET {path} HTTP/1.1\r\nconnection: close\r\n\r\n"))
            .await
    }

    async fn no_connection_is_left(&self) {
        let closed = async {
            while self.counts.open.get() > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, closed).await.unwrap();
    }
}

/// What comes until the end of a stream; a reset is an end, too.
async fn all(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match timeout(LONG, stream.read(&mut piece)).await.unwrap() {
            Ok(0) | Err(_) => break,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn short(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[tokio::test]
async fn paths_that_do_not_exist_and_methods_they_do_not_have() {
    let daemon = Daemon::start();
    for path in [
        "/",
        "/v1",
        "/v1/jobs/",
        "/v1/jobs/0",
        "/v1/jobs/01",
        "/v1/jobs/x",
        "/v2/jobs",
        "/v1/jobs/9223372036854775808",
        "/v1/jobs/1/",
        "/v1/jobs//log",
        "/v1/jobs/1/logs",
        "/V1/jobs",
    ] {
        let answer = daemon.get(path).await;
        assert_eq!(status(&answer), "404", "{path}: {answer}");
        assert!(body(&answer).contains(r#""code":"not_found""#), "{answer}");
    }
    for (method, path, allow) in [
        ("PUT", "/v1/jobs", "POST,GET,HEAD"),
        ("POST", "/v1/jobs/1", "GET,HEAD,DELETE,PATCH"),
        ("GET", "/v1/jobs/1/cancel", "POST"),
        ("OPTIONS", "/metrics", "GET,HEAD"),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n\r\n");
        let answer = daemon.ask(request).await;
        assert_eq!(status(&answer), "405", "{method} {path}: {answer}");
        let code = r#""code":"method_not_allowed""#;
        assert!(body(&answer).contains(code), "{answer}");
        let named = answer.lines().find_map(|line| line.strip_prefix("allow: "));
        let mut named: Vec<&str> = named.unwrap().split(',').collect();
        let mut allow: Vec<&str> = allow.split(',').collect();
        named.sort_unstable();
        allow.sort_unstable();
        assert_eq!(named, allow, "{method} {path}");
    }
    let answer = daemon
        .ask("GET /v1/node HTTP/1.1\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        .await;
    assert_eq!(status(&answer), "400");
    assert!(body(&answer).contains(r#""field":"body""#), "{answer}");
    let answer = daemon.get("/healthz?x=1").await;
    assert!(body(&answer).contains(r#""field":"x""#), "{answer}");
}

#[tokio::test]
async fn what_needs_no_core_is_served() {
    let daemon = Daemon::start();
    assert_eq!(body(&daemon.get("/healthz").await), "ok\n");
    assert_eq!(body(&daemon.get("/v1/openapi.json").await), *OPENAPI);
    let busy = daemon.get("/readyz").await;
    assert_eq!(status(&busy), "503");
    assert!(busy.contains("retry-after: 1\r\n"), "{busy}");
    assert!(
        body(&busy).starts_with(r#"{"error":{"code":"busy""#),
        "{busy}"
    );
    let nothing = daemon.get("/v1/job").await;
    assert_eq!(status(&nothing), "404");
    assert!(
        nothing.contains("content-type: application/json\r\n"),
        "{nothing}"
    );
    let head = daemon
        .ask("HEAD /v1/openapi.json HTTP/1.1\r\nconnection: close\r\n\r\n")
        .await;
    assert_eq!((status(&head), body(&head)), ("200", ""));
    let length = format!("content-length: {}\r\n", OPENAPI.len());
    assert!(head.contains(&length), "{head}");
    let answers = ["2xx", "3xx", "4xx", "5xx"].map(|class| daemon.counts.answers(class).get());
    assert_eq!(answers, [3, 0, 1, 1]);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let daemon = Daemon::start();
    let two = "GET /healthz HTTP/1.1\r\n\r\nGET /nowhere HTTP/1.1\r\nconnection: close\r\n\r\n";
    let answers = daemon.ask(two).await;
    let (first, second) = (answers.find(" 200 OK"), answers.find(" 404 Not Found"));
    assert!(first.is_some() && first < second, "{answers}");
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let daemon = Daemon::limited(|limits| limits.idle_time = short(100));
    assert_eq!(daemon.ask("").await, "");
    let kept = daemon.ask("GET /healthz HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(&kept), "200");
    daemon.no_connection_is_left().await;
    assert_eq!(daemon.counts.timed_out.get(), 2);
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off() {
    let daemon = Daemon::limited(|limits| limits.head_time = short(200));
    let mut slow = daemon.connect().await;
    let head = "GET /healthz HTTP/1.1\r\nx: y\r\n";
    let mut sent = 0;
    for byte in head.bytes().chain(std::iter::repeat(b'a')) {
        if slow.write_all(&[byte]).await.is_err() {
            break;
        }
        sent += 1;
        assert!(sent < 10_000, "a client may take for ever");
        sleep(short(20)).await;
        // Others are served meanwhile.
        if sent == 3 {
            assert_eq!(body(&daemon.get("/healthz").await), "ok\n");
        }
    }
    assert_eq!(all(&mut slow).await, "");
    assert_eq!(daemon.counts.timed_out.get(), 1);
}

#[tokio::test]
async fn heads_are_bounded() {
    let daemon = Daemon::start();
    let long = format!("GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(20_000));
    assert_eq!(status(&daemon.ask(long).await), "431");
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(65));
    assert_eq!(status(&daemon.ask(many).await), "431");
    let path = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000));
    let answer = daemon.ask(path).await;
    assert!(["414", "431"].contains(&status(&answer)), "{answer}");
}

const POST: &str = "POST /v1/jobs HTTP/1.1\r\ncontent-type: application/json\r\n";

#[tokio::test]
async fn large_bodies_are_refused_unread() {
    let daemon = Daemon::start();
    let said = daemon
        .ask(format!("{POST}content-length: 1073741824\r\n\r\n"))
        .await;
    assert_eq!(status(&said), "413");
    assert!(said.contains("connection: close\r\n"), "{said}");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let chunked = format!(
        "{POST}transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(5)
    );
    assert_eq!(status(&daemon.ask(chunked).await), "413");
    let asks_first = format!("{POST}content-length: 300000\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(status(&daemon.ask(asks_first).await), "413");
}

#[tokio::test]
async fn a_body_of_the_largest_size_is_read() {
    let daemon = Daemon::start();
    let mut text = r#"{"settings":{"input":["/a"],"output":"/o"}}"#.to_owned();
    text.push_str(&" ".repeat(named::HTTP_BODY_BYTES_MAX - text.len()));
    let post = format!(
        "{POST}connection: close\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    );
    assert_eq!(status(&daemon.ask(post).await), "503");
    let field = r#"{"settings":{"memroy":1}}"#;
    let post = format!(
        "{POST}connection: close\r\ncontent-length: {}\r\n\r\n{field}",
        field.len()
    );
    let answer = daemon.ask(post).await;
    assert_eq!(status(&answer), "400");
    assert!(
        body(&answer).contains(r#""field":"settings.memroy""#),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let daemon = Daemon::limited(|limits| limits.body_time = short(100));
    let answer = daemon
        .ask(format!("{POST}content-length: 100\r\n\r\n{{"))
        .await;
    assert_eq!(status(&answer), "408");
    daemon.no_connection_is_left().await;
}

#[tokio::test]
async fn garbage_and_half_requests_end_their_connection_only() {
    let daemon = Daemon::start();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\r\n\r\n\r\n\0\0\0\0",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/jobs HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut stream = daemon.connect().await;
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = all(&mut stream).await;
        assert!(
            ["400", "404", "none"].contains(&status(&answer)),
            "{answer}"
        );
    }
    for half in [
        "",
        "GET /hea",
        &format!("{POST}content-length: 9\r\n\r\n{{"),
    ] {
        let mut stream = daemon.connect().await;
        stream.write_all(half.as_bytes()).await.unwrap();
        drop(stream);
    }
    daemon.no_connection_is_left().await;
    assert_eq!(body(&daemon.get("/healthz").await), "ok\n");
}

#[tokio::test]
async fn a_user_can_have_only_so_many_connections() {
    let daemon = Daemon::limited(|limits| limits.connections_per_user = 2);
    let held = (daemon.connect().await, daemon.connect().await);
    let answer = all(&mut daemon.connect().await).await;
    assert_eq!(status(&answer), "503");
    assert!(body(&answer).contains(r#""code":"busy""#), "{answer}");
    assert_eq!(daemon.counts.refused.get(), 1);
    drop(held);
    daemon.no_connection_is_left().await;
    assert_eq!(body(&daemon.get("/healthz").await), "ok\n");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_to_be_accepted() {
    let daemon = Daemon::limited(|limits| limits.connections = 1);
    let first = daemon.connect().await;
    let waits = daemon.get("/healthz");
    tokio::pin!(waits);
    assert!(timeout(short(100), waits.as_mut()).await.is_err());
    drop(first);
    assert_eq!(body(&waits.await), "ok\n");
}

#[tokio::test]
async fn whoever_may_not_use_the_daemon_is_told_so() {
    let access = |_: &UCred| Err("not in the group".to_owned());
    let daemon = Daemon::with_access(Limits::default(), access);
    let answer = daemon.ask("GET /healthz HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(&answer), "403");
    assert!(body(&answer).contains("not in the group"), "{answer}");
    assert_eq!(daemon.counts.refused.get(), 1);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    let daemon = Daemon::limited(|limits| limits.write_time = short(100));
    let mut stream = daemon.connect().await;
    let many = "GET /v1/openapi.json HTTP/1.1\r\n\r\n".repeat(100);
    stream.write_all(many.as_bytes()).await.unwrap();
    daemon.get("/healthz").await;
    daemon.no_connection_is_left().await;
}

#[tokio::test]
async fn at_its_end_the_daemon_finishes_what_is_in_flight() {
    let daemon = Daemon::start();
    let mut idle = daemon.connect().await;
    let mut posting = daemon.connect().await;
    let part = format!("{POST}content-length: 2\r\n\r\n{{");
    posting.write_all(part.as_bytes()).await.unwrap();
    daemon.get("/healthz").await;
    daemon.ending.send(true).unwrap();
    assert_eq!(all(&mut idle).await, "");
    posting.write_all(b"}").await.unwrap();
    let answer = all(&mut posting).await;
    assert_eq!(status(&answer), "400");
    timeout(LONG, daemon.task).await.unwrap().unwrap();
    assert!(UnixStream::connect(&daemon.path).await.is_err());
}

#[tokio::test]
async fn a_request_that_does_not_end_does_not_hold_the_daemon() {
    let daemon = Daemon::limited(|limits| limits.drain_time = short(100));
    let mut posting = daemon.connect().await;
    let part = format!("{POST}content-length: 2\r\n\r\n{{");
    posting.write_all(part.as_bytes()).await.unwrap();
    daemon.get("/healthz").await;
    daemon.ending.send(true).unwrap();
    timeout(LONG, daemon.task).await.unwrap().unwrap();
}
