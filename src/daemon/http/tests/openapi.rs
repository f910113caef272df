//! The OpenAPI document says what the code does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    daemon::{
        api::{ApiError, LIST_JOBS_DEFAULT, tests::job},
        http::OPENAPI,
        job::{Demand, GpuDemand, JobId, Mode, Resources, State, WaitsFor},
        quota::{Quota, Used},
        refusal::{ErrorCode, Refusal},
        snapshot::Standing,
        view::{JobView, NodeView, UserView},
    },
    limits,
};

fn document() -> Value {
    serde_json::from_str(&OPENAPI).unwrap()
}

fn schema(name: &str) -> Value {
    document()["components"]["schemas"][name].clone()
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn words_of_states_and_modes_agree() {
    assert_eq!(schema("State")["enum"], json!(State::ALL));
    let modes = [Mode::Refuse, Mode::Overwrite, Mode::Resume];
    assert_eq!(schema("Mode")["enum"], json!(modes));
    let waits = [
        WaitsFor::LargerBudget,
        WaitsFor::Jobs,
        WaitsFor::DiskSpace,
        WaitsFor::Retry,
        WaitsFor::Resources,
        WaitsFor::Gpu,
    ];
    assert_eq!(schema("WaitsFor")["enum"], json!(waits));
    let gpus = [GpuDemand::None, GpuDemand::IfFree, GpuDemand::One];
    assert_eq!(schema("GpuDemand")["enum"], json!(gpus));
}

#[test]
fn answers_have_the_fields_that_are_described() {
    let job = serde_json::to_value(JobView::new(&job(), None, None)).unwrap();
    assert_eq!(keys(&schema("Job")["properties"]), keys(&job));
    assert_eq!(keys(&schema("Demand")["properties"]), keys(&job["demand"]));
    let node = NodeView {
        molsieve: "1".into(),
        budget: Resources::default(),
        admitted: Resources::default(),
        jobs: [(State::Queued, 1)].into(),
        devices: vec![crate::nvidia::NvidiaDevice::default()],
        gpus: Vec::new(),
        memory_available_bytes: 1,
        load: [0.0; 3],
    };
    let node = serde_json::to_value(node).unwrap();
    assert_eq!(keys(&schema("Node")["properties"]), keys(&node));
    assert_eq!(
        keys(&schema("NvidiaDevice")["properties"]),
        keys(&node["devices"][0])
    );
    assert_eq!(
        keys(&schema("Resources")["properties"]),
        keys(&node["budget"])
    );
    let standing = Standing {
        uid: 1,
        exempt: false,
        quota: Quota::UNLIMITED,
        used: Used::default(),
        recent_use: 0.5,
    };
    let user = serde_json::to_value(UserView::new(&standing, Some("ada"))).unwrap();
    assert_eq!(user["quota"]["waiting"], Value::Null);
    for (name, part) in [
        ("User", &user),
        ("Quota", &user["quota"]),
        ("Used", &user["used"]),
    ] {
        assert_eq!(keys(&schema(name)["properties"]), keys(part), "{name}");
    }
}

fn every_error() -> Vec<ApiError> {
    let id = JobId(1);
    let text = || "x".to_owned();
    let needs = Demand {
        memory_bytes: 1,
        threads: 1,
        gpu: GpuDemand::One,
    };
    let node = Resources::default();
    vec![
        ApiError::NoSuchPath,
        ApiError::Method,
        ApiError::ContentType,
        ApiError::BodyTooLarge,
        ApiError::BodyTooSlow,
        ApiError::BodyBroken,
        ApiError::invalid("x", "y"),
        ApiError::Denied(text()),
        ApiError::TooMany("x"),
        Refusal::NotEnded(id).into(),
        Refusal::Ended(id, State::Failed).into(),
        Refusal::NotWaiting(id, State::Running).into(),
        Refusal::IdempotencyConflict(id).into(),
        Refusal::TooLarge { needs, node }.into(),
        Refusal::Quota(text()).into(),
        Refusal::QueueFull(1).into(),
        Refusal::Store(text()).into(),
        Refusal::StateFull("/state".into()).into(),
        ApiError::NotReady(Refusal::StateFull("/state".into())),
        Refusal::encode("x", &"y").into(),
    ]
}

#[test]
fn every_error_is_described() {
    let document = document();
    let described = &schema("ErrorDetail")["properties"];
    let codes: BTreeSet<String> =
        serde_json::from_value(schema("ErrorCode")["enum"].clone()).unwrap();
    let submit = &document["paths"]["/v1/jobs"]["post"]["responses"];
    let forget = &document["paths"]["/v1/jobs/{id}"]["delete"]["responses"];
    let mut met = BTreeSet::new();
    for error in every_error() {
        let (status, code) = error.status();
        met.insert(code.to_string());
        let body = serde_json::to_value(error.body()).unwrap();
        assert!(
            keys(described).is_superset(&keys(&body["error"])),
            "{error}"
        );
        let status = status.as_str();
        let known = submit.get(status).or(forget.get(status)).is_some();
        assert!(
            known || code == ErrorCode::MethodNotAllowed,
            "{status} {code:?}"
        );
    }
    assert_eq!(met, codes);
}

#[test]
fn what_a_request_may_hold_is_bounded_as_described() {
    let body = schema("Submission");
    assert_eq!(body["additionalProperties"], false);
    assert_eq!(body["required"], json!(["settings"]));
    let properties = &body["properties"];
    assert_eq!(properties["priority"]["maximum"], limits::PRIORITY_MAX);
    assert_eq!(properties["priority"]["minimum"], -limits::PRIORITY_MAX);
    assert_eq!(properties["name"]["maxLength"], limits::JOB_NAME_CHARS_MAX);
    assert_eq!(properties["labels"]["maxItems"], limits::JOB_LABELS_MAX);
    for after in ["after", "after_any"] {
        assert_eq!(properties[after]["maxItems"], limits::JOB_AFTER_MAX);
    }
    assert_eq!(properties["retries"]["maximum"], limits::JOB_RETRIES_MAX);
    assert_eq!(properties["notify"]["maxLength"], limits::NOTIFY_BYTES_MAX);
    assert_eq!(
        schema("Wait")["properties"]["jobs"]["maxItems"],
        limits::WAIT_JOBS_MAX
    );
    let change = schema("Change");
    assert_eq!(change["additionalProperties"], false);
    let priority = &change["properties"]["priority"];
    assert_eq!(priority["maximum"], limits::PRIORITY_MAX);
    assert_eq!(priority["minimum"], -limits::PRIORITY_MAX);
    let document = document();
    let list = &document["paths"]["/v1/jobs"]["get"]["parameters"];
    let list = list.as_array().unwrap();
    let limit = list.iter().find(|p| p["name"] == "limit").unwrap();
    assert_eq!(limit["schema"]["maximum"], limits::LIST_JOBS_MAX);
    assert_eq!(limit["schema"]["default"], LIST_JOBS_DEFAULT);
    let state = list.iter().find(|p| p["name"] == "state").unwrap();
    assert_eq!(
        (&state["style"], &state["explode"]),
        (&json!("form"), &json!(false))
    );
    let submit = &document["paths"]["/v1/jobs"]["post"];
    let key = &submit["parameters"][0]["schema"]["maxLength"];
    assert_eq!(*key, limits::IDEMPOTENCY_KEY_BYTES_MAX);
    let large = submit["responses"]["413"]["description"].as_str().unwrap();
    assert!(
        large.contains(&limits::HTTP_BODY_BYTES_MAX.to_string()),
        "{large}"
    );
}

#[test]
fn schemas_inside_others_have_titles_that_nothing_else_has() {
    fn walk(place: &str, schema: &Value, titles: &mut Vec<String>) {
        let is_object = schema["type"].to_string().contains("\"object\"");
        let is_inner = place.contains('/');
        if is_inner && (is_object || schema["enum"].is_array()) {
            let title = schema["title"].as_str();
            titles.push(title.unwrap_or_else(|| panic!("{place}")).to_owned());
        }
        for (property, inner) in schema["properties"].as_object().into_iter().flatten() {
            walk(&format!("{place}/{property}"), inner, titles);
        }
    }
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut titles: Vec<String> = schemas.keys().cloned().collect();
    for (name, schema) in schemas {
        walk(name, schema, &mut titles);
    }
    assert!(
        titles.contains(&"JobSettingsObject".to_owned()),
        "{titles:?}"
    );
    let distinct: BTreeSet<&String> = titles.iter().collect();
    assert_eq!(distinct.len(), titles.len(), "{titles:?}");
}

#[test]
fn requests_and_answers_of_the_earlier_document_are_described() {
    let document = document();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            let statuses: Vec<&str> = operation["responses"]
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            operations.push(format!("{method} {path} {id}: {}", statuses.join(" ")));
        }
    }
    operations.sort_unstable();
    assert_eq!(
        operations,
        [
            "delete /v1/jobs/{id} forgetJob: 204 400 403 404 409 500 503 507",
            "get /healthz health: 200 400 403 503",
            "get /metrics metrics: 200 400 403 500 503",
            "get /readyz ready: 200 400 403 500 503",
            "get /v1/jobs listJobs: 200 400 403 500 503",
            "get /v1/jobs/{id} showJob: 200 400 403 404 500 503",
            "get /v1/jobs/{id}/events jobEvents: 200 400 403 404 500 503",
            "get /v1/jobs/{id}/log jobLog: 200 400 403 404 500 503",
            "get /v1/node showNode: 200 400 403 500 503",
            "get /v1/openapi.json openApi: 200 400 403 503",
            "get /v1/users/{user} showUser: 200 400 403 404 500 503",
            "patch /v1/jobs/{id} setJob: 200 400 403 404 408 409 413 415 422 429 500 503 507",
            "post /v1/jobs submitJob: 200 201 400 403 404 408 409 413 415 422 429 500 503 507",
            "post /v1/jobs/cancel cancelJobs: 200 400 403 500 503 507",
            "post /v1/jobs/forget forgetJobs: 200 400 403 500 503 507",
            "post /v1/jobs/wait waitJobs: 200 400 403 404 408 413 415 500 503",
            "post /v1/jobs/{id}/cancel cancelJob: 200 202 400 403 404 500 503 507",
        ]
    );
}
