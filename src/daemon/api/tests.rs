use hyper::{Request, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    daemon::{
        core::{JobView, Refusal, Resources},
        job::{Demand, GpuDemand, Job, Mode, ProcessIdentity, State},
    },
    units::ByteSize,
};

fn ask(method: &str, uri: &str) -> Result<Action, ApiError> {
    let request = Request::builder().method(method).uri(uri).body(()).unwrap();
    parse(request.method(), request.uri(), request.headers(), b"")
}

fn submit(body: &Value) -> Result<Action, ApiError> {
    submit_bytes(body.to_string().as_bytes(), &[])
}

fn submit_bytes(body: &[u8], headers: &[(&str, &str)]) -> Result<Action, ApiError> {
    let mut request = Request::post("/v1/jobs").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    parse(request.method(), request.uri(), request.headers(), body)
}

fn settings(more: Value) -> Value {
    let mut settings = json!({ "input": ["/lib/a.smi"], "output": "/out" });
    for (key, value) in more.as_object().unwrap() {
        settings[key] = value.clone();
    }
    json!({ "settings": settings })
}

/// Status, field and message of a refused submission.
fn refused(body: &Value) -> (u16, String, String) {
    let error = submit(body).unwrap_err();
    let field = error.field().unwrap_or_default().to_owned();
    (error.status().0.as_u16(), field, error.to_string())
}

#[test]
fn a_submission_is_read_with_everything_in_it() {
    let body = br#"{"settings":{"input":["/lib/*.smi"],"rules":["/r.toml"],"output":"/out",
        "memory":"2GiB","threads":3,"false_positive_rate":1e-7},"name":"mine","priority":-3,
        "mode":"overwrite"}"#;
    let action = submit_bytes(body, &[("Idempotency-Key", "k-1")]).unwrap();
    let Action::Submit(job) = action else {
        panic!("{action:?}")
    };
    assert_eq!(job.settings.memory, Some(ByteSize(2 << 30)));
    assert_eq!(job.settings.rules, [std::path::PathBuf::from("/r.toml")]);
    assert_eq!((job.priority, job.mode), (-3, Mode::Overwrite));
    assert_eq!(job.name.as_deref(), Some("mine"));
    assert_eq!(job.idempotency_key.as_deref(), Some("k-1"));
    let Action::Submit(plain) = submit(&settings(json!({}))).unwrap() else {
        panic!()
    };
    assert_eq!((plain.priority, plain.mode), (0, Mode::Refuse));
    assert_ne!(plain.digest, job.digest);
}

#[test]
fn a_whole_number_may_be_written_with_a_point() {
    let body = br#"{"settings":{"input":["/a"],"output":"/o","threads":4.0},"priority":-2.0}"#;
    let Action::Submit(job) = submit_bytes(body, &[]).unwrap() else {
        panic!()
    };
    assert_eq!((job.settings.threads.unwrap().get(), job.priority), (4, -2));
    let (status, field, _) = refused(&settings(json!({ "threads": 4.5 })));
    assert_eq!((status, field.as_str()), (400, "settings.threads"));
}

#[test]
fn what_is_wrong_with_a_submission_is_named() {
    let cases = [
        (
            settings(json!({"memroy": 1})),
            "settings.memroy",
            "unknown field",
        ),
        (
            settings(json!({"memory": "lots"})),
            "settings.memory",
            "not a size",
        ),
        (
            settings(json!({"threads": 0})),
            "settings.threads",
            "nonzero",
        ),
        (
            settings(json!({"input": ["/a", "b"]})),
            "settings.input[1]",
            "absolute",
        ),
        (
            settings(json!({"input": ["/a", 1]})),
            "settings.input[1]",
            "string",
        ),
        (
            settings(json!({"rules": ["r.toml"]})),
            "settings.rules[0]",
            "absolute",
        ),
        (
            settings(json!({"exclude": ["../x"]})),
            "settings.exclude[0]",
            "absolute",
        ),
        (
            settings(json!({"output": "out"})),
            "settings.output",
            "absolute",
        ),
        (
            settings(json!({"output": "/o\0"})),
            "settings.output",
            "NUL",
        ),
        (
            settings(json!({"output": null})),
            "settings.output",
            "missing",
        ),
        (settings(json!({"input": []})), "settings.input", "missing"),
        (
            settings(json!({"overwrite": true})),
            "settings.overwrite",
            "use `mode`",
        ),
        (
            settings(json!({"resume": true})),
            "settings.resume",
            "use `mode`",
        ),
        (
            settings(json!({"slots": 1})),
            "settings.slots",
            "not between",
        ),
        (
            settings(json!({"part_size": "1KiB"})),
            "settings.part_size",
            "not between",
        ),
        (
            settings(json!({"memory": "2048TiB"})),
            "settings.memory",
            "more than",
        ),
        (
            settings(json!({"engine": "tpu"})),
            "settings.engine",
            "unknown variant",
        ),
        (json!({}), "settings", "missing"),
        (json!({"settings": []}), "settings", "expected an object"),
        (json!({"settings": {}, "user": 1}), "user", "unknown field"),
        (json!([{}]), "", "expected an object"),
    ];
    for (body, field, words) in cases {
        let (status, found, message) = refused(&body);
        assert_eq!((status, found.as_str()), (400, field), "{body}: {message}");
        assert!(message.contains(words), "{body}: {message}");
    }
    for (key, value, words) in [
        ("priority", json!(11), "from -10 to 10"),
        ("priority", json!(-11), "from -10 to 10"),
        ("name", json!(""), "1 to 128"),
        ("name", json!("a\nb"), "1 to 128"),
        ("mode", json!("append"), "unknown variant"),
    ] {
        let mut body = settings(json!({}));
        body[key] = value;
        let (status, found, message) = refused(&body);
        assert_eq!((status, found.as_str()), (400, key), "{message}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn json_that_breaks_off_or_goes_on_is_refused() {
    for body in ["", "{", "{}}", "nonsense", "{\"settings\":", "\u{0}"] {
        let error = submit_bytes(body.as_bytes(), &[]).unwrap_err();
        assert_eq!(
            error.status(),
            (StatusCode::BAD_REQUEST, "invalid"),
            "{body}"
        );
    }
    let deep = "[".repeat(100_000);
    let error = submit_bytes(format!("{{\"settings\":{deep}").as_bytes(), &[]).unwrap_err();
    assert!(error.to_string().len() < 1000, "{error}");
}

#[test]
fn keys_and_content_types_are_checked() {
    let body = settings(json!({})).to_string();
    let long = "k".repeat(129);
    for key in ["", "two words", "é", long.as_str()] {
        let error = submit_bytes(body.as_bytes(), &[("Idempotency-Key", key)]).unwrap_err();
        assert_eq!(error.field(), Some("Idempotency-Key"), "{key}: {error}");
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    assert!(submit_bytes(body.as_bytes(), &twice).is_err());
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/jsonx",
    ] {
        let request = Request::post("/v1/jobs").header("content-type", kind);
        let request = request.body(()).unwrap();
        let (method, uri) = (request.method(), request.uri());
        let error = parse(method, uri, request.headers(), body.as_bytes()).unwrap_err();
        assert_eq!(error, ApiError::ContentType, "{kind}");
    }
    let utf8 = Request::post("/v1/jobs").header("content-type", "Application/JSON; charset=utf-8");
    let utf8 = utf8.body(()).unwrap();
    assert!(parse(utf8.method(), utf8.uri(), utf8.headers(), body.as_bytes()).is_ok());
}

#[test]
fn queries_are_read_and_what_is_not_known_is_named() {
    assert_eq!(
        ask(
            "GET",
            "/v1/jobs?state=running,queued&user=1000&before=7&limit=20"
        ),
        Ok(Action::List(ListQuery {
            states: vec![State::Queued, State::Running],
            uid: Some(1000),
            before: Some(JobId(7)),
            limit: 20,
        }))
    );
    assert_eq!(ask("HEAD", "/v1/jobs/7"), Ok(Action::Show(JobId(7))));
    let id = JobId(7);
    assert_eq!(
        ask("GET", "/v1/jobs/7/events?after=3"),
        Ok(Action::Events { id, after: 3 })
    );
    assert_eq!(
        ask("GET", "/v1/jobs/7/log?follow=true"),
        Ok(Action::Log { id, follow: true })
    );
    for (uri, field) in [
        ("/v1/jobs?stat=running", "stat"),
        ("/v1/jobs?state=", "state"),
        ("/v1/jobs?state=asleep", "state"),
        ("/v1/jobs?limit=0", "limit"),
        ("/v1/jobs?limit=1001", "limit"),
        ("/v1/jobs?limit=+5", "limit"),
        ("/v1/jobs?user=ada", "user"),
        ("/v1/jobs?before=1&before=2", "before"),
        ("/v1/jobs/7?x=1", "x"),
        ("/v1/jobs/7/log?follow=yes", "follow"),
        ("/v1/jobs/7/events?after=-1", "after"),
        ("/healthz?x", "x"),
        ("/healthz?=x", "query"),
    ] {
        let error = ask("GET", uri).unwrap_err();
        assert_eq!(error.status().0, StatusCode::BAD_REQUEST, "{uri}");
        assert_eq!(error.field(), Some(field), "{uri}: {error}");
    }
}

#[test]
fn the_header_of_a_reconnecting_reader_counts() {
    let request = Request::get("/v1/jobs/7/events?after=1").header("Last-Event-ID", "5");
    let request = request.body(()).unwrap();
    assert_eq!(
        parse(request.method(), request.uri(), request.headers(), b""),
        Ok(Action::Events {
            id: JobId(7),
            after: 5
        })
    );
}

#[test]
fn paths_that_are_not_served_and_methods_they_do_not_have() {
    for path in [
        "/",
        "/v1",
        "/v1/jobs/",
        "/v1/jobs/0",
        "/v1/jobs/01",
        "/v1/jobs/+1",
        "/v1/jobs/x",
        "/v2/jobs",
        "/v1/jobs/9223372036854775808",
        "/v1/jobs/1/",
        "/v1/jobs//log",
        "/v1/jobs/1/logs",
        "/V1/jobs",
    ] {
        assert_eq!(ask("GET", path), Err(ApiError::NoSuchPath), "{path}");
    }
    for (method, path, allow) in [
        ("PUT", "/v1/jobs", "POST, GET, HEAD"),
        ("POST", "/v1/jobs/1", "GET, HEAD, DELETE"),
        ("GET", "/v1/jobs/1/cancel", "POST"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
        ("HEAD", "/v1/jobs/1/cancel", "POST"),
    ] {
        let allow = allow.to_owned();
        assert_eq!(
            ask(method, path),
            Err(ApiError::Method { allow }),
            "{method} {path}"
        );
    }
    let request = Request::get("/v1/node").body(()).unwrap();
    let error = parse(request.method(), request.uri(), request.headers(), b"{}").unwrap_err();
    assert_eq!(error.field(), Some("body"));
}

#[test]
fn refusals_of_the_core_have_their_statuses() {
    let needs = Demand {
        memory_bytes: 9,
        threads: 2,
        gpu: GpuDemand::One,
    };
    let node = Resources {
        memory_bytes: 4,
        threads: 8,
        gpus: 0,
    };
    let store = "disk full".to_owned();
    for (refusal, status, code) in [
        (Refusal::NotFound(JobId(1)), 404, "not_found"),
        (Refusal::NotEnded(JobId(1)), 409, "not_ended"),
        (
            Refusal::IdempotencyConflict(JobId(1)),
            409,
            "idempotency_conflict",
        ),
        (Refusal::TooLarge { needs, node }, 422, "too_large"),
        (Refusal::Forbidden("no".into()), 403, "forbidden"),
        (Refusal::Busy, 503, "busy"),
        (Refusal::Store(store), 500, "store"),
    ] {
        let error = ApiError::from(refusal);
        assert_eq!(error.status().0.as_u16(), status);
        assert_eq!(error.json()["error"]["code"], code);
    }
    let json = ApiError::from(Refusal::TooLarge { needs, node }).json();
    assert_eq!(json["error"]["needs"]["gpu"], "one");
    assert_eq!(json["error"]["node"]["memory_bytes"], 4);
}

pub(super) fn view() -> JobView {
    let worker = ProcessIdentity {
        pid: 44,
        started_ticks: 1,
        boot_id: "b".into(),
    };
    JobView {
        job: Job {
            id: JobId(17),
            uid: 1000,
            gid: 1000,
            name: Some("mine".into()),
            settings: json!({"input": ["/a"], "output": "/o"}),
            mode: Mode::Resume,
            priority: 2,
            demand: Demand {
                memory_bytes: 1 << 30,
                threads: 2,
                gpu: GpuDemand::IfFree,
            },
            state: State::Running,
            ending: None,
            submitted_at: 1_795_626_000_000,
            started_at: Some(1_795_626_000_250),
            ended_at: None,
            attempts: 1,
            failures: 0,
            rows_reached: 0,
            retry_at: None,
            begun: true,
            opened: true,
            exit_code: None,
            error: None,
            worker: Some(worker),
            progress: None,
            seq: 4,
        },
        progress: Some(std::sync::Arc::new(json!({"rows_read": 9}))),
    }
}

#[test]
fn a_job_is_told_with_times_in_utc() {
    assert_eq!(
        serde_json::to_value(job_json(&view(), Some("ada"))).unwrap(),
        json!({
            "id": 17, "name": "mine", "user": {"uid": 1000, "name": "ada"}, "state": "running",
            "priority": 2, "mode": "resume", "settings": {"input": ["/a"], "output": "/o"},
            "demand": {"memory_bytes": 1 << 30, "threads": 2, "gpu": "if_free"},
            "submitted_at": "2026-11-25T17:00:00Z", "started_at": "2026-11-25T17:00:00.25Z",
            "ended_at": null, "attempts": 1, "failures": 0, "retry_at": null, "cancel_asked": false,
            "exit_code": null, "error": null, "worker_pid": 44, "progress": {"rows_read": 9}, "seq": 4,
        })
    );
    assert_eq!(rfc3339(i64::MAX), "9999-12-30T22:00:00.999999999Z");
}

/// What is accepted is the same again when it is written as a request, but for the body's digest.
fn renders_back(action: &Action) {
    let again = request(action).unwrap();
    let (head, body) = again.into_parts();
    let mut back = parse(&head.method, &head.uri, &head.headers, &body).unwrap();
    if let (Action::Submit(back), Action::Submit(job)) = (&mut back, action) {
        back.digest = job.digest;
    }
    assert_eq!(back, *action);
}

#[test]
fn every_action_renders_back() {
    for route in &ROUTES {
        let path = route.path.replace("{id}", "12");
        let action = match route.endpoint {
            Endpoint::Submit => submit(&settings(json!({"memory": "1GiB", "chemistry": "fast"}))),
            Endpoint::List => ask("GET", "/v1/jobs?state=done,failed&user=3&before=9&limit=2"),
            Endpoint::Events => ask("GET", "/v1/jobs/12/events?after=3"),
            Endpoint::Log => ask("GET", "/v1/jobs/12/log?follow=true"),
            _ => ask(route.method.as_str(), &path),
        };
        renders_back(&action.unwrap());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(
        method in "GET|POST|HEAD|DELETE|PUT",
        path in "(/v1/jobs|/v1/jobs/[0-9]{1,20}(/events|/log|/cancel)?|/v1/node|/[a-z0-9/]{0,12})\
                 (\\?[a-z=&,%0-9+]{0,30}|\\?(limit|after|user|before|follow|state)=[a-z0-9]{0,8})?",
        key in proptest::option::of("[ -~]{0,140}"),
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "\\{\"settings\":\\{\"input\":\\[\"/[a-z]\"\\],\"output\":\"/[a-z]\"(,\"(memory|slots|\
             threads|part_size)\":(\"[0-9]{1,4}[KMGT]iB\"|[0-9]{1,9}))?\\}\\}".prop_map(String::into_bytes),
        ],
    ) {
        let mut request = Request::builder()
            .method(method.as_str())
            .uri(path)
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        match parse(&head.method, &head.uri, &head.headers, &body) {
            Ok(action) => renders_back(&action),
            Err(error) => prop_assert!(error.status().0.is_client_error()),
        }
    }
}
