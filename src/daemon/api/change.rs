//! A change of a job: a body of JSON with what is to change.

use std::num::NonZeroUsize;

use axum::http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    error::ApiError,
    query::{NoParams, parameters},
    submit::{check_content_type, check_priority, in_setting, read},
};
use crate::{config::JobSettings, daemon::job::JobChange, units::ByteSize};

/// What to change of a job that has not ended. What is left out stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Change, min_properties = 1)]
pub struct ChangeBody {
    /// Higher goes first; above 0 for admins only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -10, maximum = 10, nullable = false)]
    pub priority: Option<i32>,
    /// The setting `memory` of a job that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = memory)]
    pub memory: Option<ByteSize>,
    /// The setting `threads` of a job that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = threads)]
    pub threads: Option<NonZeroUsize>,
}

fn memory() -> RefOr<Schema> {
    setting("memory", "The setting `memory` of a job that waits.")
}

fn threads() -> RefOr<Schema> {
    setting("threads", "The setting `threads` of a job that waits.")
}

/// The schema of a setting, with another description.
fn setting(name: &str, description: &str) -> RefOr<Schema> {
    let mut schema = JobSettings::schema_of(name).unwrap_or_else(|| json!({}));
    schema["description"] = description.into();
    serde_json::from_value(schema).expect("every part of it is a JSON schema")
}

/// Checks a change. Pure: reads no file and no socket.
pub fn change(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<JobChange, ApiError> {
    parameters::<NoParams>(uri)?;
    check_content_type(headers)?;
    let body: ChangeBody = read(body)?;
    if body == ChangeBody::default() {
        return Err(ApiError::Invalid {
            field: None,
            reason: "the body changes nothing; give a priority, memory or threads".into(),
        });
    }
    let ChangeBody {
        priority,
        memory,
        threads,
    } = body;
    priority.map_or(Ok(()), check_priority)?;
    let settings = JobSettings {
        memory,
        threads,
        ..JobSettings::default()
    };
    (settings.check_ranges()).map_err(|error| in_setting("", &error))?;
    Ok(JobChange {
        priority,
        memory,
        threads,
    })
}
