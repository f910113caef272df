//! Which paths there are, and what may be done with each.

use hyper::Method;

use super::{ApiError, NUMBER_MAX};
use crate::daemon::job::JobId;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Submit a job.
    Submit,
    /// List jobs.
    List,
    /// Show a job.
    Show,
    /// Cancel a job.
    Cancel,
    /// Forget a job.
    Forget,
    /// Follow a job's events.
    Events,
    /// Read or follow a job's log.
    Log,
    /// Show the node.
    Node,
    /// The OpenAPI document.
    OpenApi,
    /// Is the daemon alive?
    Health,
    /// Does it take jobs?
    Ready,
    /// Figures for Prometheus.
    Metrics,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// `HEAD` is served where `GET` is.
    pub method: Method,
    /// As the OpenAPI document writes it: `{id}` stands for a job's number.
    pub path: &'static str,
    /// What it is about.
    pub endpoint: Endpoint,
}

const fn route(method: Method, path: &'static str, endpoint: Endpoint) -> Route {
    Route {
        method,
        path,
        endpoint,
    }
}

/// Everything that is served.
pub static ROUTES: [Route; 12] = [
    route(Method::POST, "/v1/jobs", Endpoint::Submit),
    route(Method::GET, "/v1/jobs", Endpoint::List),
    route(Method::GET, "/v1/jobs/{id}", Endpoint::Show),
    route(Method::DELETE, "/v1/jobs/{id}", Endpoint::Forget),
    route(Method::POST, "/v1/jobs/{id}/cancel", Endpoint::Cancel),
    route(Method::GET, "/v1/jobs/{id}/events", Endpoint::Events),
    route(Method::GET, "/v1/jobs/{id}/log", Endpoint::Log),
    route(Method::GET, "/v1/node", Endpoint::Node),
    route(Method::GET, "/v1/openapi.json", Endpoint::OpenApi),
    route(Method::GET, "/healthz", Endpoint::Health),
    route(Method::GET, "/readyz", Endpoint::Ready),
    route(Method::GET, "/metrics", Endpoint::Metrics),
];

/// What a method and a path stand for; the number is 0 where the path has none.
pub fn find(method: &Method, path: &str) -> Result<(Endpoint, JobId), ApiError> {
    let asked = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut allow = Vec::new();
    for route in &ROUTES {
        let Some(id) = matches(route.path, path) else {
            continue;
        };
        if route.method == *asked {
            return Ok((route.endpoint, id));
        }
        allow.push(route.method.as_str());
        if route.method == Method::GET {
            allow.push("HEAD");
        }
    }
    if allow.is_empty() {
        return Err(ApiError::NoSuchPath);
    }
    Err(ApiError::Method {
        allow: allow.join(", "),
    })
}

fn matches(template: &str, path: &str) -> Option<JobId> {
    let Some((before, after)) = template.split_once("{id}") else {
        return (template == path).then_some(JobId(0));
    };
    job_id(path.strip_prefix(before)?.strip_suffix(after)?)
}

/// A job's number has one way to be written.
fn job_id(text: &str) -> Option<JobId> {
    let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = text.parse().ok().filter(|id| *id <= NUMBER_MAX)?;
    canonical.then_some(JobId(id))
}
