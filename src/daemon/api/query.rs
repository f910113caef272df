//! The parameters of requests, one type for each request that has any. A parameter that is unknown, given
//! twice or out of range is an error that names it.

use axum::http::{HeaderMap, Uri};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, IntoDeserializer, value},
};
use utoipa::IntoParams;

use super::error::ApiError;
use crate::{
    daemon::{
        action::ListQuery,
        job::{JobId, Label, State},
    },
    limits::{JOB_LABELS_MAX, LIST_JOBS_MAX},
};

/// Jobs of a list when no limit is given.
pub const LIST_JOBS_DEFAULT: u32 = 100;
/// Largest number that SQLite stores.
pub(super) const NUMBER_MAX: u64 = i64::MAX as u64;

/// No parameters.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Which jobs to list.
#[derive(Debug, PartialEq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only jobs in one of these states, separated by commas.
    #[serde(default, deserialize_with = "states")]
    #[param(value_type = Option<Vec<State>>, style = Form, explode = false, min_items = 1, nullable = false)]
    state: Vec<State>,
    /// Only jobs with all of these labels, separated by commas.
    #[serde(default, deserialize_with = "labels")]
    #[param(value_type = Option<Vec<String>>, style = Form, explode = false, min_items = 1, nullable = false)]
    label: Vec<Label>,
    /// Only jobs of this user (uid).
    #[serde(default, deserialize_with = "number::<0, { u32::MAX as u64 }, _>")]
    #[param(minimum = 0, maximum = 4294967295_i64, nullable = false)]
    user: Option<u64>,
    /// Only your own jobs.
    #[serde(default)]
    #[param(default = false)]
    pub mine: bool,
    /// Only jobs with smaller numbers.
    #[serde(default, deserialize_with = "number::<1, NUMBER_MAX, _>")]
    #[param(minimum = 1, maximum = 9223372036854775807_i64, nullable = false)]
    before: Option<u64>,
    /// Maximum number of jobs.
    #[serde(default, deserialize_with = "number::<1, { LIST_JOBS_MAX as u64 }, _>")]
    #[param(minimum = 1, maximum = 1000, default = 100, nullable = false)]
    limit: Option<u64>,
    /// Whether to count the jobs on all pages, as `total`.
    #[serde(default)]
    #[param(default = false)]
    pub count: bool,
}

impl From<ListParams> for ListQuery {
    fn from(params: ListParams) -> Self {
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            states: params.state,
            uid: params.user.map(small),
            labels: params.label,
            before: params.before.map(JobId),
            limit: params.limit.map_or(LIST_JOBS_DEFAULT, small),
        }
    }
}

/// Where a stream of events begins.
#[derive(Debug, PartialEq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventParams {
    /// Number of the last event you have.
    #[serde(default, deserialize_with = "number::<0, NUMBER_MAX, _>")]
    #[param(
        minimum = 0,
        maximum = 9223372036854775807_i64,
        default = 0,
        nullable = false
    )]
    after: Option<u64>,
}

impl EventParams {
    /// Number of the last event that the client has. A browser that reconnects sends it in a header and
    /// asks for the same address as before, so the header wins.
    pub fn after(&self, headers: &HeaderMap) -> Result<u64, ApiError> {
        const NAME: &str = "Last-Event-ID";
        match single(headers, NAME)? {
            None => Ok(self.after.unwrap_or(0)),
            Some(text) => {
                in_range(text, 0, NUMBER_MAX).map_err(|reason| ApiError::invalid(NAME, reason))
            }
        }
    }
}

/// How a log is sent.
#[derive(Debug, PartialEq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogParams {
    /// Whether to wait for more until the job has ended.
    #[serde(default)]
    #[param(default = false)]
    pub follow: bool,
}

/// The parameters behind the `?` of a request.
pub fn parameters<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut names = Vec::new();
    for (name, _) in pairs {
        if names.contains(&name) {
            return Err(ApiError::invalid(name, "is given twice"));
        }
        names.push(name);
        if names.len() > PARAMETERS_MAX {
            return Err(ApiError::invalid("query", "has too many parameters"));
        }
    }
    let query = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(query).map_err(|error| {
        let field = match error.path().to_string().as_str() {
            "" | "." | "?" => "query".to_owned(),
            path => path.to_owned(),
        };
        ApiError::invalid(field, error.inner())
    })
}

/// Most parameters of a request.
const PARAMETERS_MAX: usize = 8;

/// The only value of a header.
pub(super) fn single<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(ApiError::invalid(name, "is given twice"));
    }
    first
        .map(|value| value.to_str())
        .transpose()
        .map_err(|_| ApiError::invalid(name, "must be visible ASCII characters"))
}

/// Digits only, from `LEAST` to `MOST`.
pub(super) fn number<'de, const LEAST: u64, const MOST: u64, D: Deserializer<'de>>(
    text: D,
) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(text)?;
    in_range(&text, LEAST, MOST)
        .map(Some)
        .map_err(D::Error::custom)
}

fn in_range(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| digits && (least..=most).contains(number))
        .ok_or_else(|| format!("must be a number from {least} to {most}"))
}

/// States separated by commas; sorted, each once.
pub(super) fn states<'de, D: Deserializer<'de>>(text: D) -> Result<Vec<State>, D::Error> {
    let text = String::deserialize(text)?;
    let words = text.split(',');
    let mut states = words
        .map(|word| State::deserialize(word.into_deserializer()))
        .collect::<Result<Vec<_>, value::Error>>()
        .map_err(D::Error::custom)?;
    states.sort_unstable();
    states.dedup();
    Ok(states)
}

/// Labels separated by commas; sorted, each once.
pub(super) fn labels<'de, D: Deserializer<'de>>(text: D) -> Result<Vec<Label>, D::Error> {
    let text = String::deserialize(text)?;
    let labels = text.split(',').map(str::parse);
    let mut labels: Vec<Label> = labels.collect::<Result<_, _>>().map_err(D::Error::custom)?;
    if labels.len() > JOB_LABELS_MAX {
        return Err(D::Error::custom(format!(
            "has more than {JOB_LABELS_MAX} labels"
        )));
    }
    labels.sort_unstable();
    labels.dedup();
    Ok(labels)
}

/// A job number as a path writes it; each has one spelling.
pub fn job_id(text: &str) -> Option<JobId> {
    let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().ok().filter(|id| *id <= NUMBER_MAX)?;
    canonical.then_some(JobId(id))
}
