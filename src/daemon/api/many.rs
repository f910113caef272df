//! Requests about many jobs: which to cancel or to forget, and which to wait for.

use std::sync::Arc;

use axum::http::{HeaderMap, Uri};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::ApiError,
    query::{NUMBER_MAX, NoParams, labels, number, parameters, states},
    submit::{check_content_type, read},
};
use crate::{
    daemon::{
        action::{Caller, ListQuery},
        job::{JobId, Label, State},
    },
    limits::{SELECTED_JOBS_MAX, WAIT_JOBS_MAX},
};

/// Which jobs to cancel or to forget: your own, unless `user` or `everybody` says otherwise. At least one of `all`,
/// `state`, `label`, `user` and `everybody` is needed.
#[derive(Debug, PartialEq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SelectParams {
    /// All your jobs; says that no other parameter narrows the request.
    #[serde(default)]
    #[param(default = false)]
    all: bool,
    /// Only jobs in one of these states, separated by commas.
    #[serde(default, deserialize_with = "states")]
    #[param(value_type = Option<Vec<State>>, style = Form, explode = false, min_items = 1, nullable = false)]
    state: Vec<State>,
    /// Only jobs with all of these labels, separated by commas.
    #[serde(default, deserialize_with = "labels")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, min_items = 1, nullable = false)]
    label: Vec<Label>,
    /// The jobs of this user (uid); another one than yourself for admins only.
    #[serde(default, deserialize_with = "number::<0, { u32::MAX as u64 }, _>")]
    #[param(minimum = 0, maximum = 4294967295_i64, nullable = false)]
    user: Option<u64>,
    /// The jobs of all users that you may see.
    #[serde(default)]
    #[param(default = false)]
    everybody: bool,
    /// Only jobs with smaller numbers.
    #[serde(default, deserialize_with = "number::<1, NUMBER_MAX, _>")]
    #[param(minimum = 1, maximum = 9223372036854775807_i64, nullable = false)]
    before: Option<u64>,
    /// Maximum number of jobs of this request.
    #[serde(
        default,
        deserialize_with = "number::<1, { SELECTED_JOBS_MAX as u64 }, _>"
    )]
    #[param(minimum = 1, maximum = 1000, default = 1000, nullable = false)]
    limit: Option<u64>,
}

impl SelectParams {
    /// The jobs that are meant.
    pub fn query(self, caller: Caller) -> Result<ListQuery, ApiError> {
        let narrowed = !self.state.is_empty() || !self.label.is_empty() || self.user.is_some();
        if !narrowed && !self.all && !self.everybody {
            return Err(ApiError::invalid(
                "all",
                "is needed where nothing else says which jobs are meant",
            ));
        }
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let uid = self.user.map(small).unwrap_or(caller.uid);
        Ok(ListQuery {
            states: self.state,
            uid: (!self.everybody || self.user.is_some()).then_some(uid),
            labels: self.label,
            before: self.before.map(JobId),
            limit: self.limit.map_or(SELECTED_JOBS_MAX, small),
        })
    }
}

/// The jobs to wait for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Wait)]
pub struct WaitBody {
    /// Numbers of the jobs.
    #[schema(min_items = 1, max_items = 10000)]
    pub jobs: Vec<u64>,
}

/// Checks a request to wait, and sorts the jobs. Pure: reads no file and no socket.
pub fn wait(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Arc<[JobId]>, ApiError> {
    parameters::<NoParams>(uri)?;
    check_content_type(headers)?;
    let body: WaitBody = read(body)?;
    if !(1..=WAIT_JOBS_MAX).contains(&body.jobs.len()) {
        let reason = format!("must be 1 to {WAIT_JOBS_MAX} numbers");
        return Err(ApiError::invalid("jobs", reason));
    }
    if let Some(at) = body
        .jobs
        .iter()
        .position(|id| !(1..=NUMBER_MAX).contains(id))
    {
        let reason = format!("must be a number from 1 to {NUMBER_MAX}");
        return Err(ApiError::invalid(format!("jobs[{at}]"), reason));
    }
    let mut jobs: Vec<JobId> = body.jobs.into_iter().map(JobId).collect();
    jobs.sort_unstable();
    jobs.dedup();
    Ok(jobs.into())
}
