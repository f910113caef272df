//! Requests to the daemon. An input is lines of a head as HTTP/1.1 has them, an empty line and a body:
//! `METHOD TARGET`, then `NAME: VALUE`.

use hyper::{HeaderMap, Method, Uri, header};
use molsieve::daemon::api::{
    self, ApiError, ChangeBody, EventParams, ListParams, LogParams, NoParams, SubmissionBody,
};

use super::assert_one_line;

/// Reads an input as a request.
pub fn request(input: &[u8]) {
    let (head, body) = split(input, b"\n\n");
    let mut lines = head.split(|byte| *byte == b'\n');
    let (method, target) = split(lines.next().unwrap_or_default(), b" ");
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method), Uri::try_from(target)) else {
        return;
    };
    let headers: HeaderMap = lines.filter_map(header).collect();
    if method == Method::POST {
        check_submission(&uri, &headers, body);
    }
    if method == Method::PATCH {
        check_change(&uri, &headers, body);
    }
    uri.path().split('/').for_each(|part| {
        api::job_id(part);
    });
    let read = [
        api::parameters::<ListParams>(&uri).map(drop),
        api::parameters::<LogParams>(&uri).map(drop),
        api::parameters::<NoParams>(&uri).map(drop),
        api::parameters::<EventParams>(&uri)
            .and_then(|params| params.after(&headers))
            .map(drop),
    ];
    read.iter()
        .filter_map(|read| read.as_ref().err())
        .for_each(check_error);
}

fn check_error(error: &ApiError) {
    assert!(error.status().0.is_client_error(), "{error}");
    assert_one_line(&error.to_string());
    error.field().into_iter().for_each(assert_one_line);
    let body = error.json();
    assert!(body.len() < 8 << 10, "{body}");
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let found = bytes.windows(at.len()).position(|window| window == at);
    match found {
        Some(found) => (&bytes[..found], &bytes[found + at.len()..]),
        None => (bytes, &[]),
    }
}

fn header(line: &[u8]) -> Option<(header::HeaderName, header::HeaderValue)> {
    let (name, value) = split(line, b": ");
    let name = header::HeaderName::from_bytes(name).ok()?;
    Some((name, header::HeaderValue::from_bytes(value).ok()?))
}

/// What is accepted is the same again when it is written as a request, but for the body's digest.
fn check_submission(uri: &Uri, headers: &HeaderMap, body: &[u8]) {
    let job = match api::submission(uri, headers, body) {
        Ok(job) => job,
        Err(error) => return check_error(&error),
    };
    let again = SubmissionBody {
        settings: Some(job.settings.clone()),
        name: job.name.clone(),
        priority: job.priority,
        mode: job.mode,
        labels: job.options.labels.iter().map(ToString::to_string).collect(),
        after: job.options.after.iter().map(|id| id.0).collect(),
        after_any: job.options.after_any.iter().map(|id| id.0).collect(),
        retries: job.options.retries,
        notify: job.options.notify.as_ref().map(ToString::to_string),
    };
    let again = serde_json::to_vec(&again).expect("JSON is UTF-8");
    let mut back =
        api::submission(uri, headers, &again).expect("what was accepted is accepted again");
    back.digest = job.digest;
    assert_eq!(back, job);
}

/// The same of a change.
fn check_change(uri: &Uri, headers: &HeaderMap, body: &[u8]) {
    let change = match api::change(uri, headers, body) {
        Ok(change) => change,
        Err(error) => return check_error(&error),
    };
    let again = ChangeBody {
        priority: change.priority,
        memory: change.memory,
        threads: change.threads,
    };
    let again = serde_json::to_vec(&again).expect("JSON is UTF-8");
    assert_eq!(api::change(uri, headers, &again), Ok(change));
}
