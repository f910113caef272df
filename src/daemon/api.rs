//! The edge: bytes of a request become one [`Action`], or an [`ApiError`] that says what is wrong and
//! where. Pure: nothing here reads a file or a socket, so that all of it can be fuzzed.
//!
//! | module | what |
//! |---|---|
//! | `route` | the table of paths and methods |
//! | `query` | what stands behind the `?` |
//! | `submit` | the body of a submission |
//! | `error` | every error there is: status, code, message, field |
//! | `render` | jobs and lists as JSON |
//! | `request` | the way back: an action as a request |
//!
//! `openapi.json` says the same to programs; a test holds it against the code.

mod error;
#[cfg(test)]
mod openapi_tests;
mod query;
mod render;
mod request;
mod route;
mod submit;
#[cfg(test)]
mod tests;

use hyper::{HeaderMap, Method, Uri, header};

pub use error::ApiError;
pub use render::{JobJson, job_json, rfc3339};
pub use request::request;
pub use route::{Endpoint, ROUTES, Route, find};

use self::query::Query;
use super::{
    action::{Action, ListQuery},
    job::JobId,
};
use crate::limits::{IDEMPOTENCY_KEY_BYTES_MAX, LIST_JOBS_MAX};

/// The OpenAPI document.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Jobs of a list when no limit is given.
pub const LIST_JOBS_DEFAULT: u32 = 100;

/// Numbers that SQLite can hold.
const NUMBER_MAX: u64 = i64::MAX as u64;

/// What a request asks for.
pub fn parse(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Action, ApiError> {
    let (endpoint, id) = find(method, uri.path())?;
    if endpoint != Endpoint::Submit && !body.is_empty() {
        return Err(ApiError::invalid("body", "this request takes no body"));
    }
    let mut query = Query::of(uri)?;
    let action = match endpoint {
        Endpoint::Submit => {
            query.end()?;
            let key = idempotency_key(headers)?;
            check_content_type(headers)?;
            return submit::parse(body, key).map(|job| Action::Submit(Box::new(job)));
        }
        Endpoint::List => Action::List(list(&mut query)?),
        Endpoint::Show => Action::Show(id),
        Endpoint::Cancel => Action::Cancel(id),
        Endpoint::Forget => Action::Forget(id),
        Endpoint::Events => Action::Events {
            id,
            after: after(&mut query, headers)?,
        },
        Endpoint::Log => Action::Log {
            id,
            follow: query.flag("follow")?,
        },
        Endpoint::Node => Action::Node,
        Endpoint::OpenApi => Action::OpenApi,
        Endpoint::Health => Action::Health,
        Endpoint::Ready => Action::Ready,
        Endpoint::Metrics => Action::Metrics,
    };
    query.end()?;
    Ok(action)
}

fn list(query: &mut Query) -> Result<ListQuery, ApiError> {
    Ok(ListQuery {
        states: query.states("state")?,
        uid: query
            .number("user", 0, u32::MAX.into())?
            .map(|uid| uid as u32),
        before: query.number("before", 1, NUMBER_MAX)?.map(JobId),
        limit: query
            .number("limit", 1, LIST_JOBS_MAX.into())?
            .map_or(LIST_JOBS_DEFAULT, |limit| limit as u32),
    })
}

/// The last event that the client has. A browser that connects again says it in a header and asks for
/// the same address as before, so the header counts.
fn after(query: &mut Query, headers: &HeaderMap) -> Result<u64, ApiError> {
    let asked = query.number("after", 0, NUMBER_MAX)?.unwrap_or(0);
    match single(headers, "Last-Event-ID")? {
        None => Ok(asked),
        Some(text) => query::number(text, 0, NUMBER_MAX)
            .map_err(|reason| ApiError::invalid("Last-Event-ID", reason)),
    }
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

/// A header's only value.
fn single<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, ApiError> {
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

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
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
