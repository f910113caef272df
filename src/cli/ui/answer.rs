//! The files of the page, and the headers of all answers.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response,
    header::{self, HeaderName, HeaderValue},
};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// A file of the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asset {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: [Asset; 7] = [
    Asset {
        path: "/",
        kind: HTML,
        text: include_str!("../../page/ui.html"),
    },
    Asset {
        path: "/ui.css",
        kind: "text/css; charset=utf-8",
        text: concat!(
            include_str!("../../page/palette.css"),
            include_str!("../../page/ui.css")
        ),
    },
    Asset {
        path: "/ui.js",
        kind: SCRIPT,
        text: include_str!("../../page/ui.js"),
    },
    Asset {
        path: "/ui_job.js",
        kind: SCRIPT,
        text: include_str!("../../page/ui_job.js"),
    },
    Asset {
        path: "/ui_form.js",
        kind: SCRIPT,
        text: include_str!("../../page/ui_form.js"),
    },
    Asset {
        path: "/ui_api.js",
        kind: SCRIPT,
        text: include_str!("../../page/ui_api.js"),
    },
    Asset {
        path: "/ui_text.js",
        kind: SCRIPT,
        text: concat!(
            include_str!("../../page/elements.js"),
            include_str!("../../page/ui_text.js")
        ),
    },
];

/// The file at a path.
pub(super) fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

impl Asset {
    pub(super) fn answer(&self) -> Response<Body> {
        with_type(self.kind, self.text)
    }
}

/// What the page may load: its own files.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
/// What a report may do: run its own scripts, as a page of no origin, and load nothing.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
    img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-scripts";
/// What a message may do: nothing. Its style is its own, because a browser without the session gets no other file.
const MESSAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; \
    base-uri 'none'; frame-ancestors 'none'; sandbox";
/// The same in place of a report, which the page shows in a frame.
const NO_REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; \
    base-uri 'none'; frame-ancestors 'self'; sandbox";
/// The type of pages.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// Sets the headers that every answer has. `is_report` is for all answers at the path of a report.
pub(super) fn protect(answer: &mut Response<Body>, is_report: bool) {
    let is_html =
        answer.headers().get(header::CONTENT_TYPE) == Some(&HeaderValue::from_static(HTML));
    let is_message = is_html && !answer.status().is_success();
    let policy = match (is_message, is_report) {
        (false, false) => PAGE_POLICY,
        (false, true) => REPORT_POLICY,
        (true, false) => MESSAGE_POLICY,
        (true, true) => NO_REPORT_POLICY,
    };
    let headers = answer.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::CONTENT_SECURITY_POLICY, policy);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CACHE_CONTROL, "no-store");
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
}

pub(super) fn bytes(text: impl Into<Bytes>) -> Body {
    let body = Full::new(text.into());
    body.map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn with_type(kind: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(bytes(text));
    let kind = HeaderValue::from_static(kind);
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

/// A page with one message.
pub(super) fn message_page(message: &str) -> Response<Body> {
    let text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>molsieve</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }} \
         body {{ max-width: 38rem; margin: 12vh auto; padding: 0 1.25rem }}</style></head>\
         <body><main><h1>molsieve</h1><p>{}</p></main></body></html>\n",
        escaped(message)
    );
    with_type(HTML, text)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
