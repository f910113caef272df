//! The body of a submission: JSON with the settings of a job.

use std::{fmt, marker::PhantomData, path::PathBuf};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::ApiError;
use crate::{
    config::{ConfigError, JobSettings},
    daemon::{action::SubmitRequest, job::Mode},
    limits::{JOB_MEMORY_BYTES_MAX, JOB_NAME_CHARS_MAX, JOB_PATHS_MAX, PRIORITY_MAX},
    units::ByteSize,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default, deserialize_with = "settings")]
    settings: Option<JobSettings>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    mode: Mode,
}

pub(super) fn parse(
    body: &[u8],
    idempotency_key: Option<String>,
) -> Result<SubmitRequest, ApiError> {
    let digest = Sha256::digest(body).into();
    let body = read(body)?;
    let settings = body
        .settings
        .ok_or_else(|| ApiError::invalid("settings", "is missing"))?;
    check_settings(&settings)?;
    check_name(body.name.as_deref())?;
    if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(&body.priority) {
        let reason = format!("must be from -{PRIORITY_MAX} to {PRIORITY_MAX}");
        return Err(ApiError::invalid("priority", reason));
    }
    Ok(SubmitRequest {
        settings,
        name: body.name,
        priority: body.priority,
        mode: body.mode,
        idempotency_key,
        digest,
    })
}

fn read(body: &[u8]) -> Result<Body, ApiError> {
    let read = read_as_written(body);
    if read.is_ok() {
        return read;
    }
    // To JSON Schema, and to some languages, 4.0 is as good an integer as 4.
    match serde_json::from_slice(body).map(with_whole_numbers) {
        Ok((value, true)) => read_as_written(value.to_string().as_bytes()),
        _ => read,
    }
}

/// A value in which whole numbers are written as such, and whether any was not.
fn with_whole_numbers(mut value: Value) -> (Value, bool) {
    /// Up to here every whole number has a floating-point number of its own.
    const WHOLE_MAX: f64 = (1u64 << 53) as f64;
    let mut changed = false;
    match &mut value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            if let Some(whole) = float.filter(|n| n.fract() == 0.0 && n.abs() <= WHOLE_MAX) {
                (*number, changed) = ((whole as i64).into(), true);
            }
        }
        Value::Array(items) => {
            for item in items {
                let (whole, was_not) = with_whole_numbers(item.take());
                (*item, changed) = (whole, changed | was_not);
            }
        }
        Value::Object(members) => {
            for member in members.values_mut() {
                let (whole, was_not) = with_whole_numbers(member.take());
                (*member, changed) = (whole, changed | was_not);
            }
        }
        _ => {}
    }
    (value, changed)
}

fn read_as_written(body: &[u8]) -> Result<Body, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let body = object(tracked).map_err(|error| in_field(&track.path().to_string(), &error))?;
    json.end().map_err(|error| ApiError::Invalid {
        field: None,
        reason: error.to_string(),
    })?;
    Ok(body)
}

/// What serde finds wrong, and where.
fn in_field(path: &str, error: &serde_json::Error) -> ApiError {
    match path {
        "" | "." | "?" => ApiError::Invalid {
            field: None,
            reason: error.to_string(),
        },
        "settings.overwrite" | "settings.resume" => {
            ApiError::invalid(path, "is not a setting of a job; use `mode`")
        }
        _ => ApiError::invalid(path, error),
    }
}

fn settings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<JobSettings>, D::Error> {
    object(deserializer).map(Some)
}

/// A struct from a JSON object, where serde's own code would also take an array.
fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(Object(PhantomData))
}

fn check_settings(settings: &JobSettings) -> Result<(), ApiError> {
    let output = settings.output.as_slice();
    for (name, paths) in [
        ("input", settings.input.as_slice()),
        ("rules", &settings.rules),
        ("exclude", &settings.exclude),
        ("output", output),
    ] {
        check_paths(name, paths)?;
    }
    let memory = settings.memory.unwrap_or_default();
    if memory.0 > JOB_MEMORY_BYTES_MAX {
        let reason = format!("{memory} is more than {}", ByteSize(JOB_MEMORY_BYTES_MAX));
        return Err(ApiError::invalid("settings.memory", reason));
    }
    settings
        .clone()
        .check()
        .map(drop)
        .map_err(|error| in_setting(&error))
}

fn check_paths(name: &str, paths: &[PathBuf]) -> Result<(), ApiError> {
    if paths.len() > JOB_PATHS_MAX {
        return Err(ApiError::invalid(
            format!("settings.{name}"),
            format!(
                "has more than {JOB_PATHS_MAX} paths; a directory or a pattern stands for many"
            ),
        ));
    }
    for (at, path) in paths.iter().enumerate() {
        let reason = if !path.is_absolute() {
            "must be absolute: the daemon works in no directory of yours"
        } else if path.as_os_str().as_encoded_bytes().contains(&0) {
            "holds a NUL character"
        } else {
            continue;
        };
        let field = match name {
            "output" => "settings.output".into(),
            _ => format!("settings.{name}[{at}]"),
        };
        return Err(ApiError::invalid(field, reason));
    }
    Ok(())
}

/// `--part-size` of the command line is `settings.part_size` here.
fn in_setting(error: &ConfigError) -> ApiError {
    let key = |flag: &str| {
        format!(
            "settings.{}",
            flag.trim_start_matches('-').replace('-', "_")
        )
    };
    match error {
        ConfigError::Missing(flag) => ApiError::invalid(key(flag), "is missing"),
        ConfigError::Value { setting, reason } => ApiError::invalid(key(setting), reason),
        other => ApiError::invalid("settings", other),
    }
}

fn check_name(name: Option<&str>) -> Result<(), ApiError> {
    let Some(name) = name else {
        return Ok(());
    };
    let length = name.chars().count();
    if length == 0 || length > JOB_NAME_CHARS_MAX || name.contains(char::is_control) {
        let reason =
            format!("must be 1 to {JOB_NAME_CHARS_MAX} characters without control characters");
        return Err(ApiError::invalid("name", reason));
    }
    Ok(())
}
