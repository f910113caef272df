//! A change of a job: a body of JSON with what is to change.

use axum::http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::ApiError,
    query::{NoParams, parameters},
    submit::{check_content_type, check_priority, read},
};
use crate::daemon::job::JobChange;

/// What to change of a job that has not ended. What is left out stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Change, min_properties = 1)]
pub struct ChangeBody {
    /// Higher goes first; above 0 for admins only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -10, maximum = 10, nullable = false)]
    pub priority: Option<i32>,
}

/// Checks a change. Pure: reads no file and no socket.
pub fn change(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<JobChange, ApiError> {
    parameters::<NoParams>(uri)?;
    check_content_type(headers)?;
    let body: ChangeBody = read(body)?;
    if body == ChangeBody::default() {
        return Err(ApiError::Invalid {
            field: None,
            reason: "the body changes nothing; give a priority".into(),
        });
    }
    let ChangeBody { priority } = body;
    priority.map_or(Ok(()), check_priority)?;
    Ok(JobChange { priority })
}
