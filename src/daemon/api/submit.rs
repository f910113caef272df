//! A submission: its headers, and its body of JSON with the settings of a job.

mod options;

use std::{fmt, marker::PhantomData, path::PathBuf};

use axum::http::{HeaderMap, Uri, header};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use self::options::options;
use super::{
    error::ApiError,
    query::{NoParams, parameters, single},
};
use crate::{
    config::{ConfigError, JobSettings},
    daemon::{action::SubmitRequest, job::Mode},
    limits::{
        IDEMPOTENCY_KEY_BYTES_MAX, JOB_MEMORY_BYTES_MAX, JOB_NAME_CHARS_MAX, JOB_PATHS_MAX,
        PRIORITY_MAX,
    },
    units::ByteSize,
};

/// A job to submit.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Submission)]
pub struct SubmissionBody {
    /// The keys of a job file. Paths are absolute. `overwrite` and `resume` are not settings: see `mode`.
    #[serde(default, deserialize_with = "settings")]
    #[schema(value_type = JobSettings, required = true)]
    pub settings: Option<JobSettings>,
    /// What you call the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"
    )]
    pub name: Option<String>,
    /// Higher goes first; above 0 for admins only.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schema(minimum = -10, maximum = 10, default = 0)]
    pub priority: i32,
    /// What to do with an output directory that is not empty.
    #[serde(default)]
    #[schema(required = false)]
    pub mode: Mode,
    /// Words to find the job by, plain or KEY=VALUE.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 16)]
    pub labels: Vec<String>,
    /// Jobs that must be done before it starts. If one of them fails or is cancelled, so is this job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 1000)]
    pub after: Vec<u64>,
    /// Jobs that must have ended before it starts, in whatever way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, max_items = 1000)]
    pub after_any: Vec<u64>,
    /// Restarts without progress after which it fails: at most those of the daemon, which are the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1000, nullable = false)]
    pub retries: Option<u32>,
    /// A command, or `http://127.0.0.1:PORT/PATH` or `unix:/PATH` for a POST, that reports its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1024, nullable = false)]
    pub notify: Option<String>,
}

fn is_zero(priority: &i32) -> bool {
    *priority == 0
}

/// Checks a submission. Pure: reads no file and no socket.
pub fn submission(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<SubmitRequest, ApiError> {
    parameters::<NoParams>(uri)?;
    let key = idempotency_key(headers)?;
    check_content_type(headers)?;
    parse(body, key)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    const NAME: &str = "Idempotency-Key";
    let Some(key) = single(headers, NAME)? else {
        return Ok(None);
    };
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX || !visible {
        let reason = format!("must be 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters");
        return Err(ApiError::invalid(NAME, reason));
    }
    Ok(Some(key.into()))
}

pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map(|kind| kind.as_bytes());
    let kind = kind.unwrap_or_default().split(|byte| *byte == b';').next();
    let plain = !headers.contains_key(header::CONTENT_ENCODING);
    if plain && kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json"))
    {
        return Ok(());
    }
    Err(ApiError::ContentType)
}

pub(super) fn parse(
    body: &[u8],
    idempotency_key: Option<String>,
) -> Result<SubmitRequest, ApiError> {
    let digest = Sha256::digest(body).into();
    let body: SubmissionBody = read(body)?;
    let settings = body
        .settings
        .as_ref()
        .ok_or_else(|| ApiError::invalid("settings", "is missing"))?;
    check_settings(settings)?;
    check_name(body.name.as_deref())?;
    check_priority(body.priority)?;
    let options = options(&body)?;
    Ok(SubmitRequest {
        options,
        settings: settings.clone(),
        name: body.name,
        priority: body.priority,
        mode: body.mode,
        idempotency_key,
        digest,
    })
}

pub(super) fn check_priority(priority: i32) -> Result<(), ApiError> {
    if (-PRIORITY_MAX..=PRIORITY_MAX).contains(&priority) {
        return Ok(());
    }
    let reason = format!("must be from -{PRIORITY_MAX} to {PRIORITY_MAX}");
    Err(ApiError::invalid("priority", reason))
}

/// Reads a body that is an object.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let read = read_as_written(body);
    if read.is_ok() {
        return read;
    }
    // JSON Schema, and some languages, accept 4.0 as an integer.
    let value = serde_json::from_slice::<Value>(body).ok();
    match value.and_then(|mut value| make_whole(&mut value).then_some(value)) {
        Some(value) => read_as_written(value.to_string().as_bytes()),
        None => read,
    }
}

/// Replaces floating-point numbers that are whole by integers; says whether there were any.
fn make_whole(value: &mut Value) -> bool {
    /// Every whole number up to this one has its own floating-point number.
    const WHOLE_MAX: f64 = (1u64 << 53) as f64;
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            let whole = float.filter(|n| n.fract() == 0.0 && n.abs() <= WHOLE_MAX);
            whole.map(|whole| *number = (whole as i64).into()).is_some()
        }
        Value::Array(items) => any_made_whole(items),
        Value::Object(members) => any_made_whole(members.values_mut()),
        _ => false,
    }
}

fn any_made_whole<'a>(values: impl IntoIterator<Item = &'a mut Value>) -> bool {
    let values = values.into_iter();
    values.fold(false, |changed, value| make_whole(value) | changed)
}

fn read_as_written<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
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

/// An error of serde, with the field.
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

/// Reads a struct from a JSON object; serde's own code would also accept an array.
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
    for step in &settings.step {
        check_paths("step", &step.rules)?;
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
        .map_err(|error| in_setting("settings.", &error))
}

fn check_paths(name: &str, paths: &[PathBuf]) -> Result<(), ApiError> {
    if paths.len() > JOB_PATHS_MAX {
        return Err(ApiError::invalid(
            format!("settings.{name}"),
            format!("has more than {JOB_PATHS_MAX} paths; give a directory or a pattern instead"),
        ));
    }
    for (at, path) in paths.iter().enumerate() {
        let reason = if !path.is_absolute() {
            "must be absolute: the daemon does not know your working directory"
        } else if path.as_os_str().as_encoded_bytes().contains(&0) {
            "contains a NUL character"
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

/// The flag `--part-size` is `settings.part_size` in the body of a submission; `place` is what precedes the name.
pub(super) fn in_setting(place: &str, error: &ConfigError) -> ApiError {
    let key = |flag: &str| {
        let name = flag.trim_start_matches('-').replace('-', "_");
        format!("{place}{name}")
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
