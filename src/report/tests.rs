//! What molsieve wrote before events and manifest were types is read, and written again with the same fields.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    event::{EVENT_BYTES_MAX, Event, EventError},
    manifest::{MANIFEST, Manifest, ManifestError, SCHEMA_VERSION},
};

/// A line of every event, as printed by the version before.
const EVENTS: &str = include_str!("../../tests/cases/events.jsonl");
/// Manifests of a run and of `dedup --check`, as that version wrote them.
const MANIFESTS: [&str; 2] = [
    include_str!("../../tests/cases/manifest-run.json"),
    include_str!("../../tests/cases/manifest-dedup.json"),
];

/// Fails unless `new` has every field of `old` with the same value. It may have more.
#[track_caller]
fn assert_has(new: &Value, old: &Value) {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            for (name, old) in old {
                let new = new.get(name);
                assert_has(new.unwrap_or_else(|| panic!("{name} is missing")), old);
            }
        }
        (Value::Array(new), Value::Array(old)) => {
            assert_eq!(new.len(), old.len());
            new.iter()
                .zip(old)
                .for_each(|(new, old)| assert_has(new, old));
        }
        _ => assert_eq!(new, old),
    }
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn events_keep_their_fields() {
    let mut names = BTreeSet::new();
    for line in EVENTS.lines() {
        let event = Event::parse(line.as_bytes()).unwrap();
        assert_eq!(Event::parse(event.line().as_bytes()), Ok(event.clone()));
        let old = value(line);
        names.insert(old["event"].as_str().unwrap().to_owned());
        assert_has(&value(&event.line()), &old);
    }
    let all = "alive done failed planned progress restarted stopped";
    assert_eq!(names.into_iter().collect::<Vec<_>>().join(" "), all);
}

#[test]
fn a_line_that_is_no_event_is_refused() {
    let parse = |line: &str| Event::parse(line.as_bytes());
    let other = r#"{"version":2,"event":"alive","what":"else"}"#;
    assert_eq!(parse(other), Err(EventError::Version(2)));
    let unknown = r#"{"version":1,"event":"tired"}"#;
    assert_eq!(parse(unknown), Err(EventError::Unknown("tired".into())));
    let long = " ".repeat(EVENT_BYTES_MAX + 1);
    assert_eq!(parse(&long), Err(EventError::TooLong));
    let lacks_a_field = r#"{"version":1,"event":"failed","error":"x"}"#;
    for line in [
        "",
        "garbage",
        "[]",
        "7",
        r#"{"version":1}"#,
        "\u{0}",
        lacks_a_field,
    ] {
        let error = parse(line);
        assert!(
            matches!(error, Err(EventError::Unreadable(_))),
            "{line}: {error:?}"
        );
    }
}

fn read(text: &str) -> Result<Option<Manifest>, ManifestError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(MANIFEST), text).unwrap();
    Manifest::read(folder.path())
}

#[test]
fn a_manifest_keeps_its_fields() {
    for text in MANIFESTS {
        let manifest = read(text).unwrap().unwrap();
        assert_has(&value(&manifest.to_json()), &value(text));
        assert_eq!(read(&manifest.to_json()).unwrap().unwrap(), manifest);
    }
}

#[test]
fn a_manifest_of_schema_1_is_read() {
    let mut old = value(MANIFESTS[0]);
    let fields = old.as_object_mut().unwrap();
    fields["schema_version"] = json!(1);
    for later in [
        "by_rule",
        "dedup",
        "task",
        "key",
        "key_definition",
        "keys_by_rdkit",
        "keys_made_by",
        "keys_too_large_for_device",
        "left_as_written",
        "check",
        "products_excluded",
        "interruptions",
        "engine_lost",
        "chemistry_seconds",
        "chemistry_products",
    ] {
        fields.remove(later);
    }
    old["stage_seconds"]
        .as_object_mut()
        .unwrap()
        .remove("settle");
    let filter = old["filter"].as_object_mut().unwrap();
    filter.remove("products_settled");
    filter.remove("false_positive_rate_observed");
    assert_has(
        &value(&read(&old.to_string()).unwrap().unwrap().to_json()),
        &old,
    );
}

#[test]
fn a_manifest_of_a_newer_schema_or_without_a_field_is_refused() {
    let newer = json!({ "schema_version": SCHEMA_VERSION + 1, "counts": "other" }).to_string();
    let error = read(&newer).unwrap_err().to_string();
    assert!(
        error.contains("a newer molsieve wrote this manifest (schema 3"),
        "{error}"
    );
    let mut damaged = value(MANIFESTS[0]);
    damaged.as_object_mut().unwrap().remove("files");
    let error = read(&damaged.to_string()).unwrap_err().to_string();
    assert!(error.contains("missing field `files`"), "{error}");
    let nowhere = tempfile::tempdir().unwrap();
    assert_eq!(Manifest::read(nowhere.path()), Ok(None));
}
