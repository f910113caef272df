//! The OpenAPI document says what the code does.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::{tests::view, *};
use crate::{
    chem::Method,
    config::{Dedup, JobSettings, Task},
    daemon::{
        core::{NodeView, Refusal, Resources},
        job::{Demand, GpuDemand, Mode, State},
    },
    identity::KeyKind,
    limits,
    sieve::EngineChoice,
};

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

fn schema(name: &str) -> Value {
    document()["components"]["schemas"][name].clone()
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

fn words<T: Serialize>(values: &[T]) -> Value {
    json!(values)
}

#[test]
fn every_route_is_described_and_the_reverse() {
    let mut described = BTreeSet::new();
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let served = ROUTES.iter();
    let served = served.map(|route| (route.method.to_string(), route.path.to_owned()));
    assert_eq!(described, served.collect());
}

#[test]
fn every_setting_is_described_and_the_reverse() {
    let described = schema("JobSettings");
    assert_eq!(described["additionalProperties"], false);
    let mut all: BTreeSet<_> = JobSettings::ALL
        .iter()
        .map(|info| info.name.to_owned())
        .collect();
    all.insert("task".into());
    assert_eq!(keys(&described["properties"]), all);
    let engines = words(&[
        Some(EngineChoice::Auto),
        Some(EngineChoice::Cpu),
        Some(EngineChoice::Cuda),
        Some(EngineChoice::Wgpu),
        None,
    ]);
    assert_eq!(described["properties"]["engine"]["enum"], engines);
    let dedup = words(&[Some(Dedup::Exact), Some(Dedup::Bloom), None]);
    assert_eq!(described["properties"]["dedup"]["enum"], dedup);
    let keys = words(&[Some(KeyKind::Canonical), Some(KeyKind::Structure), None]);
    assert_eq!(described["properties"]["key"]["enum"], keys);
    let tasks = words(&[Some(Task::Derive), Some(Task::Dedup), None]);
    assert_eq!(described["properties"]["task"]["enum"], tasks);
    let chemistry = words(&[Some(Method::Fast), Some(Method::Reference), None]);
    assert_eq!(described["properties"]["chemistry"]["enum"], chemistry);
}

/// Status of a submission with one setting changed.
fn accepts(key: &str, value: &Value) -> bool {
    let mut settings = json!({ "input": ["/a"], "output": "/o" });
    settings[key] = value.clone();
    let body = json!({ "settings": settings }).to_string();
    submit::parse(body.as_bytes(), None).is_ok()
}

#[test]
fn bounds_of_settings_are_those_of_the_code() {
    let described = schema("JobSettings");
    for (key, property) in described["properties"].as_object().unwrap() {
        let number = property["anyOf"].get(0).unwrap_or(property);
        let (Some(least), Some(most)) = (number["minimum"].as_u64(), number["maximum"].as_u64())
        else {
            continue;
        };
        for (value, inside) in [(least, true), (most, true), (most + 1, false)] {
            assert_eq!(accepts(key, &json!(value)), inside, "{key}: {value}");
        }
        assert!(least == 0 || !accepts(key, &json!(least - 1)), "{key}");
    }
    for (rate, inside) in [(1e-15, true), (0.5, true), (9e-16, false), (0.51, false)] {
        assert_eq!(
            accepts("false_positive_rate", &json!(rate)),
            inside,
            "{rate}"
        );
    }
    for key in keys(&described["properties"]) {
        let kind = &described["properties"][&key]["type"];
        let null = kind
            .as_array()
            .is_some_and(|kinds| kinds.contains(&json!("null")));
        let sizes = ["memory", "part_size", "slot_size"].contains(&key.as_str());
        assert_eq!(accepts(&key, &Value::Null), null || sizes, "{key}: null");
    }
    let paths = &described["properties"]["input"];
    assert_eq!(paths["maxItems"], limits::JOB_PATHS_MAX);
}

#[test]
fn words_of_states_and_modes_agree() {
    let states = [
        State::Queued,
        State::Starting,
        State::Running,
        State::Stopping,
        State::Done,
        State::Failed,
        State::Cancelled,
        State::Interrupted,
    ];
    assert_eq!(schema("State")["enum"], words(&states));
    let modes = [Mode::Refuse, Mode::Overwrite, Mode::Resume];
    assert_eq!(schema("Mode")["enum"], words(&modes));
    let gpus = [GpuDemand::None, GpuDemand::IfFree, GpuDemand::One];
    assert_eq!(schema("Demand")["properties"]["gpu"]["enum"], words(&gpus));
}

#[test]
fn answers_have_the_fields_that_are_described() {
    let view = view();
    let job = serde_json::to_value(job_json(&view, None)).unwrap();
    assert_eq!(keys(&schema("Job")["properties"]), keys(&job));
    assert_eq!(keys(&schema("Demand")["properties"]), keys(&job["demand"]));
    let node = NodeView {
        molsieve: "1".into(),
        budget: Resources::default(),
        admitted: Resources::default(),
        jobs: [(State::Queued, 1)].into(),
        devices: vec![crate::nvidia::NvidiaDevice::default()],
        memory_available_bytes: 1,
        load: [0.0; 3],
    };
    let node = serde_json::to_value(node).unwrap();
    assert_eq!(keys(&schema("Node")["properties"]), keys(&node));
    assert_eq!(
        keys(&schema("Device")["properties"]),
        keys(&node["devices"][0])
    );
    assert_eq!(
        keys(&schema("Resources")["properties"]),
        keys(&node["budget"])
    );
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
        ApiError::Method { allow: text() },
        ApiError::ContentType,
        ApiError::BodyTooLarge,
        ApiError::BodyTooSlow,
        ApiError::BodyBroken,
        ApiError::invalid("x", "y"),
        ApiError::Denied(text()),
        ApiError::TooMany("x"),
        Refusal::NotEnded(id).into(),
        Refusal::IdempotencyConflict(id).into(),
        Refusal::TooLarge { needs, node }.into(),
        Refusal::Store(text()).into(),
    ]
}

#[test]
fn every_error_is_described() {
    let document = document();
    let described = &schema("Error")["properties"]["error"]["properties"];
    let codes: BTreeSet<&str> = described["code"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    let submit = &document["paths"]["/v1/jobs"]["post"]["responses"];
    let forget = &document["paths"]["/v1/jobs/{id}"]["delete"]["responses"];
    let mut met = BTreeSet::new();
    for error in every_error() {
        let (status, code) = error.status();
        met.insert(code);
        assert!(
            keys(described).is_superset(&keys(&error.json()["error"])),
            "{error}"
        );
        let status = status.as_str();
        let told = submit.get(status).or(forget.get(status)).is_some();
        assert!(told || code == "method_not_allowed", "{status} {code}");
    }
    assert_eq!(met, codes);
}

#[test]
fn what_a_submission_may_hold_is_bounded_as_described() {
    let body = schema("Submission");
    assert_eq!(body["additionalProperties"], false);
    let properties = &body["properties"];
    assert_eq!(properties["priority"]["maximum"], limits::PRIORITY_MAX);
    assert_eq!(properties["priority"]["minimum"], -limits::PRIORITY_MAX);
    assert_eq!(properties["name"]["maxLength"], limits::JOB_NAME_CHARS_MAX);
    let list = &document()["paths"]["/v1/jobs"]["get"]["parameters"][3]["schema"];
    assert_eq!(list["maximum"], limits::LIST_JOBS_MAX);
    assert_eq!(list["default"], LIST_JOBS_DEFAULT);
    let large = &document()["components"]["responses"]["BodyTooLarge"]["description"];
    assert!(
        large
            .as_str()
            .unwrap()
            .contains(&limits::HTTP_BODY_BYTES_MAX.to_string()),
        "{large}"
    );
}
