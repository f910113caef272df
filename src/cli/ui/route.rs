//! The paths that are served: a fixed list. Nothing else of the daemon's interface can be reached.

use hyper::{Method, Uri};

use super::{
    answer::{Asset, asset},
    refused::Refused,
};
use crate::daemon::{api::job_id, job::JobId};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A file of the page.
    Asset(&'static Asset),
    /// Who uses the page.
    Me,
    /// The report of a job.
    Report(JobId),
    /// The daemon answers it.
    Daemon,
}

/// What a request asks for, if it is on the list.
pub(super) fn action(method: &Method, path: &str) -> Result<Action, Refused> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let is_job = |id: &str| job_id(id).is_some();
    let (allowed, action): (&[Method], _) = match parts[..] {
        ["v1", "jobs"] => (&[Method::GET, Method::POST], Action::Daemon),
        ["v1", "jobs", id] if is_job(id) => (
            &[Method::GET, Method::PATCH, Method::DELETE],
            Action::Daemon,
        ),
        ["v1", "jobs", id, "cancel"] if is_job(id) => (&[Method::POST], Action::Daemon),
        ["v1", "jobs", id, "events" | "log"] if is_job(id) => (&[Method::GET], Action::Daemon),
        ["v1", "node" | "openapi.json"] => (&[Method::GET], Action::Daemon),
        ["ui", "me"] => (&[Method::GET], Action::Me),
        ["jobs", id, "report"] => {
            let id = job_id(id).ok_or(Refused::NoSuchPath)?;
            (&[Method::GET], Action::Report(id))
        }
        _ => {
            let asset = asset(path).ok_or(Refused::NoSuchPath)?;
            (&[Method::GET], Action::Asset(asset))
        }
    };
    match allowed.contains(method) {
        true => Ok(action),
        false => Err(Refused::Method),
    }
}

/// The token of a first visit: `GET /?token=…`.
pub(super) fn token(method: &Method, uri: &Uri) -> Option<String> {
    let query = uri.query().filter(|_| uri.path() == "/")?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, token) = pairs.find(|(name, _)| name == "token")?;
    (*method == Method::GET).then(|| token.into_owned())
}
