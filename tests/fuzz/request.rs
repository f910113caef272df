//! Requests to the daemon. An input is lines of a head as HTTP/1.1 has them, an empty line and a body:
//! `METHOD TARGET`, then `NAME: VALUE`.

use hyper::{HeaderMap, Method, Request, Uri, header};
use molsieve::daemon::{action::Action, api};

use super::assert_one_line;

/// Reads an input as a request.
pub fn request(input: &[u8]) {
    let (head, body) = split(input, b"\n\n");
    let mut lines = head.split(|byte| *byte == b'\n');
    let (method, target) = split(lines.next().unwrap_or_default(), b" ");
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method), Uri::try_from(target)) else {
        return;
    };
    let headers = lines.filter_map(header).collect();
    match api::parse(&method, &uri, &headers, body) {
        Ok(action) => check_rendering(&action),
        Err(error) => {
            assert!(error.status().0.is_client_error(), "{error}");
            assert_one_line(&error.to_string());
            error.field().into_iter().for_each(assert_one_line);
            let message = error.json()["error"]["message"].to_string();
            assert!(message.len() < 8 << 10, "{message}");
        }
    }
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

/// Fails unless an accepted action, rendered as a request, parses to the same action, except for the body's digest.
fn check_rendering(action: &Action) {
    let again = api::request(action).expect("JSON is UTF-8");
    assert_eq!(&read_back(again, action), action);
}

fn read_back(request: Request<Vec<u8>>, action: &Action) -> Action {
    let headers: &HeaderMap = request.headers();
    let mut back = api::parse(request.method(), request.uri(), headers, request.body())
        .unwrap_or_else(|error| panic!("{error}: {action:?}"));
    if let (Action::Submit(back), Action::Submit(job)) = (&mut back, action) {
        back.digest = job.digest;
    }
    back
}
