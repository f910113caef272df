//! The way back: an action as the request that asks for it. Clients use it, and tests hold it
//! against the parser.

use hyper::{HeaderMap, Method, Request, Uri, header};
use serde_json::json;

use super::ROUTES;
use crate::daemon::{
    action::{Action, ListQuery, SubmitRequest},
    api::Endpoint,
    job::JobId,
};

/// The request for an action, without a `Host`. Fails if a path of the settings is not UTF-8.
pub fn request(action: &Action) -> Result<Request<Vec<u8>>, serde_json::Error> {
    let (endpoint, id) = endpoint(action);
    let (method, template) = ROUTES
        .iter()
        .find(|route| route.endpoint == endpoint)
        .map(|route| (route.method.clone(), route.path))
        .unwrap_or((Method::GET, "/"));
    let mut query = form_urlencoded::Serializer::new(String::new());
    match action {
        Action::List(list) => list_query(&mut query, list),
        Action::Events { after, .. } if *after > 0 => {
            query.append_pair("after", &after.to_string());
        }
        Action::Log { follow: true, .. } => {
            query.append_pair("follow", "true");
        }
        _ => {}
    }
    let query = query.finish();
    let mut path = template.replace("{id}", &id.to_string());
    if !query.is_empty() {
        path = format!("{path}?{query}");
    }
    let (headers, body) = match action {
        Action::Submit(job) => submission(job)?,
        _ => (HeaderMap::new(), Vec::new()),
    };
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::try_from(path).expect("a template, a number and an encoded query");
    *request.headers_mut() = headers;
    Ok(request)
}

fn endpoint(action: &Action) -> (Endpoint, JobId) {
    let none = JobId(0);
    match action {
        Action::Submit(_) => (Endpoint::Submit, none),
        Action::List(_) => (Endpoint::List, none),
        Action::Show(id) => (Endpoint::Show, *id),
        Action::Cancel(id) => (Endpoint::Cancel, *id),
        Action::Forget(id) => (Endpoint::Forget, *id),
        Action::Events { id, .. } => (Endpoint::Events, *id),
        Action::Log { id, .. } => (Endpoint::Log, *id),
        Action::Node => (Endpoint::Node, none),
        Action::OpenApi => (Endpoint::OpenApi, none),
        Action::Health => (Endpoint::Health, none),
        Action::Ready => (Endpoint::Ready, none),
        Action::Metrics => (Endpoint::Metrics, none),
    }
}

fn list_query(query: &mut form_urlencoded::Serializer<'_, String>, list: &ListQuery) {
    if !list.states.is_empty() {
        let words = list.states.iter().map(|state| json!(state));
        let words: Vec<String> = words
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect();
        query.append_pair("state", &words.join(","));
    }
    if let Some(uid) = list.uid {
        query.append_pair("user", &uid.to_string());
    }
    if let Some(before) = list.before {
        query.append_pair("before", &before.to_string());
    }
    query.append_pair("limit", &list.limit.to_string());
}

fn submission(job: &SubmitRequest) -> Result<(HeaderMap, Vec<u8>), serde_json::Error> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    let key = job.idempotency_key.as_deref();
    if let Some(key) = key.and_then(|key| header::HeaderValue::from_str(key).ok()) {
        headers.insert("Idempotency-Key", key);
    }
    let body = json!({
        "settings": serde_json::to_value(&job.settings)?,
        "name": job.name,
        "priority": job.priority,
        "mode": job.mode,
    });
    Ok((headers, body.to_string().into_bytes()))
}
