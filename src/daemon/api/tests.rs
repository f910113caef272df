//! Submissions, parameters and errors.

use axum::http::{Request, StatusCode, Uri};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    daemon::{
        action::{Caller, ListQuery, SubmitRequest},
        job::{
            Course, Demand, GpuDemand, Job, JobChange, JobId, Mode, ProcessIdentity, Resources,
            State, Submission, WaitsFor,
        },
        refusal::{ErrorCode, Refusal},
        view::JobView,
    },
    report::event::Progress,
    units::ByteSize,
};

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

fn list(text: &str) -> Result<ListQuery, ApiError> {
    parameters::<ListParams>(&uri(text)).map(ListQuery::from)
}

fn after(text: &str, header: Option<&str>) -> Result<u64, ApiError> {
    let mut headers = axum::http::HeaderMap::new();
    if let Some(value) = header {
        headers.insert("Last-Event-ID", value.parse().unwrap());
    }
    parameters::<EventParams>(&uri(text))?.after(&headers)
}

fn submit(body: &Value) -> Result<SubmitRequest, ApiError> {
    submit_bytes(body.to_string().as_bytes(), &[])
}

fn submit_bytes(body: &[u8], headers: &[(&str, &str)]) -> Result<SubmitRequest, ApiError> {
    let mut request = Request::post("/v1/jobs").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).unwrap();
    submission(request.uri(), request.headers(), body)
}

fn settings(more: Value) -> Value {
    let mut settings = json!({ "input": ["/lib/a.smi"], "output": "/out" });
    for (key, value) in more.as_object().unwrap() {
        settings[key] = value.clone();
    }
    json!({ "settings": settings })
}

/// Asserts that a submission is refused for this field, with these words in the message.
#[track_caller]
fn assert_refused(body: &Value, field: &str, words: &str) {
    let error = submit(body).unwrap_err();
    assert_eq!(error.status().0, StatusCode::BAD_REQUEST, "{body}: {error}");
    assert_eq!(error.field().unwrap_or_default(), field, "{body}: {error}");
    assert!(error.to_string().contains(words), "{body}: {error}");
}

#[test]
fn a_submission_is_read_with_everything_in_it() {
    let body = br#"{"settings":{"input":["/lib/*.smi"],"rules":["/r.toml"],"output":"/out",
        "memory":"2GiB","threads":3,"false_positive_rate":1e-7},"name":"mine","priority":-3,
        "mode":"overwrite"}"#;
    let job = submit_bytes(body, &[("Idempotency-Key", "k-1")]).unwrap();
    assert_eq!(job.settings.memory, Some(ByteSize(2 << 30)));
    assert_eq!(job.settings.rules, [std::path::PathBuf::from("/r.toml")]);
    assert_eq!((job.priority, job.mode), (-3, Mode::Overwrite));
    assert_eq!(job.name.as_deref(), Some("mine"));
    assert_eq!(job.idempotency_key.as_deref(), Some("k-1"));
    let plain = submit(&settings(json!({}))).unwrap();
    assert_eq!((plain.priority, plain.mode), (0, Mode::Refuse));
    assert_ne!(plain.digest, job.digest);
}

#[test]
fn a_whole_number_may_be_written_with_a_point() {
    let body = br#"{"settings":{"input":["/a"],"output":"/o","threads":4.0},"priority":-2.0}"#;
    let job = submit_bytes(body, &[]).unwrap();
    assert_eq!((job.settings.threads.unwrap().get(), job.priority), (4, -2));
    assert_refused(&settings(json!({ "threads": 4.5 })), "settings.threads", "");
}

#[test]
fn what_is_wrong_with_a_submission_is_named() {
    for (more, field, words) in [
        (json!({"memroy": 1}), "memroy", "unknown field"),
        (json!({"memory": "lots"}), "memory", "not a size"),
        (json!({"threads": 0}), "threads", "nonzero"),
        (json!({"input": ["/a", "b"]}), "input[1]", "absolute"),
        (json!({"input": ["/a", 1]}), "input[1]", "string"),
        (json!({"rules": ["r.toml"]}), "rules[0]", "absolute"),
        (json!({"exclude": ["../x"]}), "exclude[0]", "absolute"),
        (json!({"output": "out"}), "output", "absolute"),
        (json!({"output": "/o\0"}), "output", "NUL"),
        (json!({"output": null}), "output", "missing"),
        (json!({"input": []}), "input", "missing"),
        (json!({"overwrite": true}), "overwrite", "use `mode`"),
        (json!({"resume": true}), "resume", "use `mode`"),
        (json!({"slots": 1}), "slots", "not between"),
        (json!({"part_size": "1KiB"}), "part_size", "not between"),
        (json!({"memory": "2048TiB"}), "memory", "more than"),
        (json!({"engine": "tpu"}), "engine", "unknown variant"),
    ] {
        assert_refused(&settings(more), &format!("settings.{field}"), words);
    }
    for (body, field, words) in [
        (json!({}), "settings", "missing"),
        (json!({"settings": []}), "settings", "expected an object"),
        (json!({"settings": {}, "user": 1}), "user", "unknown field"),
        (json!([{}]), "", "expected an object"),
    ] {
        assert_refused(&body, field, words);
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
        assert_refused(&body, key, words);
    }
}

#[test]
fn the_options_of_a_submission_are_read_and_what_is_wrong_with_them_is_named() {
    let mut body = settings(json!({}));
    let plain = submit(&body).unwrap().options;
    assert_eq!(plain, Default::default());
    for (key, value) in [
        ("labels", json!(["b", "a=1", "b"])),
        ("after", json!([7, 3, 7])),
        ("after_any", json!([9, 3])),
        ("retries", json!(0)),
        ("notify", json!("echo 'a b'")),
    ] {
        body[key] = value;
    }
    let options = submit(&body).unwrap().options;
    let texts: Vec<_> = options.labels.iter().map(|label| label.as_str()).collect();
    assert_eq!(texts, ["a=1", "b"]);
    assert_eq!(options.after, [JobId(3), JobId(7)]);
    assert_eq!(options.after_any, [JobId(9)]);
    assert_eq!(options.retries, Some(0));
    let many: Vec<String> = (0..17).map(|number| format!("l{number}")).collect();
    for (key, value, field, words) in [
        ("labels", json!(["a", "a b"]), "labels[1]", "1 to 64"),
        ("labels", json!(many), "labels", "more than 16"),
        ("labels", json!("a"), "labels", "expected a sequence"),
        ("after", json!([1, 0]), "after[1]", "from 1"),
        (
            "after",
            json!((1..1002).collect::<Vec<u64>>()),
            "after",
            "at most 1000",
        ),
        ("after_any", json!([-1]), "after_any[0]", "u64"),
        ("retries", json!(1001), "retries", "0 to 1000"),
        (
            "notify",
            json!("http://example.org/"),
            "notify",
            "127.0.0.1",
        ),
        ("notify", json!(""), "notify", "names no command"),
    ] {
        let mut body = settings(json!({}));
        body[key] = value;
        assert_refused(&body, field, words);
    }
}

#[test]
fn which_jobs_to_cancel_must_be_said_and_are_ones_own() {
    let me = Caller {
        uid: 7,
        gid: 7,
        admin: false,
    };
    let select = |text: &str| {
        let params = parameters::<SelectParams>(&uri(&format!("/v1/jobs/cancel{text}")))?;
        params.query(me)
    };
    let all = select("?all=true").unwrap();
    assert_eq!((all.uid, all.limit, all.states.len()), (Some(7), 1000, 0));
    let labelled = select("?label=x&state=queued&before=9&limit=5").unwrap();
    assert_eq!(labelled.uid, Some(7));
    assert_eq!(labelled.labels, ["x".parse().unwrap()]);
    assert_eq!((labelled.before, labelled.limit), (Some(JobId(9)), 5));
    assert_eq!(select("?user=9").unwrap().uid, Some(9));
    assert_eq!(select("?everybody=true").unwrap().uid, None);
    for (text, field) in [
        ("", "all"),
        ("?before=5", "all"),
        ("?all=false", "all"),
        ("?all=yes", "all"),
        ("?limit=1001&all=true", "limit"),
        ("?job=5", "job"),
    ] {
        let error = select(text).unwrap_err();
        assert_eq!(error.field(), Some(field), "{text}: {error}");
    }
}

#[test]
fn the_jobs_to_wait_for_are_read_sorted() {
    let read = |body: &str| {
        let request = Request::post("/v1/jobs/wait").header("content-type", "application/json");
        let request = request.body(()).unwrap();
        wait(request.uri(), request.headers(), body.as_bytes())
    };
    let jobs = read(r#"{"jobs": [5, 3, 5.0]}"#).unwrap();
    assert_eq!(*jobs, [JobId(3), JobId(5)]);
    for (body, field) in [
        (r#"{"jobs": []}"#, Some("jobs")),
        (r#"{"jobs": [1, 0]}"#, Some("jobs[1]")),
        (r#"{"job": [1]}"#, Some("job")),
        ("{}", None),
    ] {
        let error = read(body).unwrap_err();
        assert_eq!(error.field(), field, "{body}: {error}");
    }
}

fn set(body: &[u8]) -> Result<JobChange, ApiError> {
    let request = Request::patch("/v1/jobs/1").header("content-type", "application/json");
    let request = request.body(()).unwrap();
    change(request.uri(), request.headers(), body)
}

#[test]
fn a_change_is_read_and_what_is_wrong_with_it_is_named() {
    for (body, priority) in [
        (r#"{"priority": 3}"#, 3),
        (r#"{"priority": -10.0}"#, -10),
        (r#"{"priority": 10}"#, 10),
    ] {
        let expected = JobChange {
            priority: Some(priority),
            ..JobChange::default()
        };
        assert_eq!(set(body.as_bytes()), Ok(expected), "{body}");
    }
    let less = JobChange {
        memory: Some(ByteSize(150 << 20)),
        threads: std::num::NonZeroUsize::new(2),
        ..JobChange::default()
    };
    assert_eq!(set(br#"{"memory": "150MiB", "threads": 2}"#), Ok(less));
    for (body, field, words) in [
        ("{}", "", "changes nothing"),
        (r#"{"memory": "9000TiB"}"#, "memory", "is not between"),
        (r#"{"memory": -1}"#, "memory", ""),
        (r#"{"threads": 0}"#, "threads", "nonzero"),
        (r#"{"threads": 5000}"#, "threads", "is not between"),
        (r#"{"priority": null}"#, "", "changes nothing"),
        (r#"{"priority": 11}"#, "priority", "from -10 to 10"),
        (r#"{"priority": -11}"#, "priority", "from -10 to 10"),
        (r#"{"priority": 1.5}"#, "priority", "i32"),
        (r#"{"priority": "high"}"#, "priority", "string"),
        (r#"{"prioritty": 1}"#, "prioritty", "unknown field"),
        (r#"[{"priority": 1}]"#, "", "expected an object"),
        (r#"{"priority": 1}}"#, "", "trailing"),
        ("", "", "EOF"),
    ] {
        let error = set(body.as_bytes()).unwrap_err();
        assert_eq!(error.status().0, StatusCode::BAD_REQUEST, "{body}: {error}");
        assert_eq!(error.field().unwrap_or_default(), field, "{body}: {error}");
        assert!(error.to_string().contains(words), "{body}: {error}");
    }
    let request = Request::patch("/v1/jobs/1").body(()).unwrap();
    let error = change(request.uri(), request.headers(), b"{}").unwrap_err();
    assert_eq!(error, ApiError::ContentType);
}

#[test]
fn json_that_breaks_off_or_goes_on_is_refused() {
    for body in ["", "{", "{}}", "nonsense", "{\"settings\":", "\u{0}"] {
        let error = submit_bytes(body.as_bytes(), &[]).unwrap_err();
        assert_eq!(
            error.status(),
            (StatusCode::BAD_REQUEST, ErrorCode::Invalid),
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
        let error = submission(request.uri(), request.headers(), body.as_bytes()).unwrap_err();
        assert_eq!(error, ApiError::ContentType, "{kind}");
    }
    let utf8 = Request::post("/v1/jobs").header("content-type", "Application/JSON; charset=utf-8");
    let utf8 = utf8.body(()).unwrap();
    assert!(submission(utf8.uri(), utf8.headers(), body.as_bytes()).is_ok());
}

#[test]
fn parameters_are_read_and_invalid_ones_are_named() {
    assert_eq!(
        list("/v1/jobs?state=running,queued&label=b,a=1&user=1000&before=7&limit=20"),
        Ok(ListQuery {
            states: vec![State::Queued, State::Running],
            uid: Some(1000),
            labels: vec!["a=1".parse().unwrap(), "b".parse().unwrap()],
            before: Some(JobId(7)),
            limit: 20,
        })
    );
    let all = list("/v1/jobs").unwrap();
    assert_eq!((all.limit, all.uid), (LIST_JOBS_DEFAULT, None));
    assert_eq!(after("/v1/jobs/7/events?after=3", None), Ok(3));
    let log: LogParams = parameters(&uri("/v1/jobs/7/log?follow=true")).unwrap();
    assert!(log.follow);
    for (text, field) in [
        ("/v1/jobs?stat=running", "stat"),
        ("/v1/jobs?state=", "state"),
        ("/v1/jobs?state=asleep", "state"),
        ("/v1/jobs?label=", "label"),
        ("/v1/jobs?label=a%20b", "label"),
        ("/v1/jobs?limit=0", "limit"),
        ("/v1/jobs?limit=1001", "limit"),
        ("/v1/jobs?limit=+5", "limit"),
        ("/v1/jobs?limit=%2B5", "limit"),
        ("/v1/jobs?user=ada", "user"),
        ("/v1/jobs?user=4294967296", "user"),
        ("/v1/jobs?before=1&before=2", "before"),
    ] {
        let error = list(text).unwrap_err();
        assert_eq!(error.status().0, StatusCode::BAD_REQUEST, "{text}");
        assert_eq!(error.field(), Some(field), "{text}: {error}");
    }
    for (text, field) in [("/healthz?x", "x"), ("/healthz?=x", "query")] {
        let error = parameters::<NoParams>(&uri(text)).unwrap_err();
        assert_eq!(error.field(), Some(field), "{text}: {error}");
    }
    let error = parameters::<LogParams>(&uri("/l?follow=yes")).unwrap_err();
    assert_eq!(error.field(), Some("follow"), "{error}");
    let error = after("/v1/jobs/7/events?after=-1", None).unwrap_err();
    assert_eq!(error.field(), Some("after"), "{error}");
}

#[test]
fn the_header_of_a_reconnecting_reader_wins() {
    assert_eq!(after("/v1/jobs/7/events?after=1", Some("5")), Ok(5));
    let error = after("/v1/jobs/7/events", Some("x")).unwrap_err();
    assert_eq!(error.field(), Some("Last-Event-ID"));
}

#[test]
fn a_job_number_has_one_spelling() {
    assert_eq!(job_id("7"), Some(JobId(7)));
    for text in ["", "0", "01", "+1", "x", "9223372036854775808"] {
        assert_eq!(job_id(text), None, "{text}");
    }
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
        (Refusal::Ended(JobId(1), State::Done), 409, "ended"),
        (
            Refusal::IdempotencyConflict(JobId(1)),
            409,
            "idempotency_conflict",
        ),
        (Refusal::TooLarge { needs, node }, 422, "too_large"),
        (Refusal::Forbidden("no".into()), 403, "forbidden"),
        (Refusal::Quota("full".into()), 429, "quota"),
        (Refusal::QueueFull(19_000), 503, "queue_full"),
        (Refusal::Busy, 503, "busy"),
        (Refusal::Store(store), 500, "store"),
        (Refusal::StateFull("/state".into()), 507, "state_full"),
        (Refusal::encode("the answer", &"x"), 500, "encode"),
    ] {
        let error = ApiError::from(refusal);
        assert_eq!(error.status().0.as_u16(), status);
        assert_eq!(error.body().error.code, code);
    }
    let not_ready = ApiError::NotReady(Refusal::StateFull("/state".into()));
    assert_eq!(not_ready.status().0.as_u16(), 503);
    assert_eq!(not_ready.body().error.code, "state_full");
    let json: Value =
        serde_json::from_str(&ApiError::from(Refusal::TooLarge { needs, node }).json()).unwrap();
    assert_eq!(json["error"]["needs"]["gpu"], "one");
    assert_eq!(json["error"]["node"]["memory_bytes"], 4);
}

pub(in crate::daemon) fn job() -> Job {
    Job {
        id: JobId(17),
        submission: Submission {
            uid: 1000,
            name: Some("mine".into()),
            mode: Mode::Resume,
            priority: 2,
            ..Submission::plain()
        },
        submitted_at: 1_795_626_000_000,
        course: Course {
            state: State::Running,
            started_at: Some(1_795_626_000_250),
            attempts: 1,
            process: Some(ProcessIdentity {
                pid: 44,
                started_ticks: 1,
                boot_id: "b".into(),
            }),
            progress: Some(Box::new(progress())),
            seq: 4,
            ..Course::default()
        },
    }
}

fn progress() -> Progress {
    Progress {
        rows_read: 9,
        ..Progress::default()
    }
}

#[test]
fn a_job_is_told_with_times_in_utc() {
    assert_eq!(
        serde_json::to_value(JobView::new(&job(), Some("ada"), None)).unwrap(),
        json!({
            "id": 17, "name": "mine", "user": {"uid": 1000, "name": "ada"}, "state": "running",
            "labels": [], "after": [], "after_any": [], "waits_for_jobs": [], "retries": null, "notify": null,
            "waits_for": null, "priority": 2, "mode": "resume", "settings": {"input": ["/a"], "output": "/o"},
            "demand": {"memory_bytes": 1 << 30, "threads": 2, "gpu": "none"},
            "submitted_at": "2026-11-25T17:00:00Z", "started_at": "2026-11-25T17:00:00.25Z",
            "ended_at": null, "attempts": 1, "failures": 0, "retry_at": null, "cancel_asked": false,
            "exit_code": null, "error": null, "worker_pid": 44, "progress": progress(),
            "waits_for_space": null, "seq": 4,
        })
    );
    let mut late = job();
    late.submitted_at = i64::MAX;
    let view = JobView::new(&late, None, Some(WaitsFor::Retry));
    assert_eq!(
        view.submitted_at.to_string(),
        "9999-12-30T22:00:00.999999999Z"
    );
    let text = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<JobView>(&text).unwrap(), view);
}

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_panic(
        text in "/v1/jobs(\\?[a-z=&,%0-9+]{0,30}|\\?(limit|after|user|before|follow|state)=[a-z0-9]{0,8})?",
        key in proptest::option::of("[ -~]{0,140}"),
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "\\{\"settings\":\\{\"input\":\\[\"/[a-z]\"\\],\"output\":\"/[a-z]\"(,\"(memory|slots|\
             threads|part_size)\":(\"[0-9]{1,4}[KMGT]iB\"|[0-9]{1,9}))?\\}\\}".prop_map(String::into_bytes),
        ],
    ) {
        let mut headers = vec![];
        headers.extend(key.as_deref().map(|key| ("Idempotency-Key", key)));
        if let Err(error) = submit_bytes(&body, &headers) {
            prop_assert!(error.status().0.is_client_error());
        }
        if let Err(error) = list(&text) {
            prop_assert!(error.status().0.is_client_error());
        }
    }
}
