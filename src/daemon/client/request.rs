//! Requests as the client sends them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, header};

use super::IdempotencyKey;
use crate::daemon::{
    action::ListQuery,
    job::{Label, State},
};

/// A body of JSON.
#[derive(Clone, Copy)]
pub(super) struct JsonBody<'a> {
    pub(super) bytes: &'a Bytes,
    pub(super) key: Option<&'a IdempotencyKey>,
}

pub(super) fn request(
    method: Method,
    target: &str,
    body: Option<JsonBody<'_>>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, "localhost")
        .header(
            header::USER_AGENT,
            concat!("molsieve/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONNECTION, "close");
    if let Some(body) = body {
        request = request.header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = body.key {
            request = request.header("idempotency-key", key.as_str());
        }
    }
    let bytes = body.map_or_else(Bytes::new, |body| body.bytes.clone());
    request
        .body(Full::new(bytes))
        .expect("keys and targets are visible ASCII characters")
}

/// Labels as a parameter takes them.
pub(super) fn joined(labels: &[Label]) -> String {
    let labels: Vec<_> = labels.iter().map(Label::as_str).collect();
    labels.join(",")
}

/// The path of a list; `mine`: only of one's own jobs.
pub(super) fn target(query: &ListQuery, mine: bool) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("limit", &query.limit.to_string());
    if !query.states.is_empty() {
        let states = query.states.iter().copied().map(State::name);
        pairs.append_pair("state", &states.collect::<Vec<_>>().join(","));
    }
    if !query.labels.is_empty() {
        pairs.append_pair("label", &joined(&query.labels));
    }
    if mine {
        pairs.append_pair("mine", "true");
    }
    if let Some(uid) = query.uid {
        pairs.append_pair("user", &uid.to_string());
    }
    if let Some(before) = query.before {
        pairs.append_pair("before", &before.to_string());
    }
    format!("/v1/jobs?{}", pairs.finish())
}
