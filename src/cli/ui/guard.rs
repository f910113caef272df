//! What the head of a request must say before anything is done for it.

use hyper::{
    Method, Uri,
    header::{HOST, HeaderMap, ORIGIN},
};

use super::refused::Refused;

/// A header that a page of another site cannot send without being asked for permission, which nobody gives.
const OWN_HEADER: &str = "x-molsieve";

/// Checks that a request is meant for this server, and that no page of another site makes it.
pub(super) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    port: u16,
) -> Result<(), Refused> {
    // A name of another site that leads to 127.0.0.1 (DNS rebinding) is in `Host`.
    let host = only(headers, HOST.as_str()).flatten();
    let names = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let Some(host) = host.filter(|host| names.iter().any(|name| name == host)) else {
        return Err(Refused::Host(port));
    };
    if uri.authority().is_some() {
        return Err(Refused::Host(port));
    }
    let own_origin = format!("http://{host}");
    let origin = only(headers, ORIGIN.as_str()).ok_or(Refused::Origin)?;
    if origin.is_some_and(|origin| origin != own_origin) {
        return Err(Refused::Origin);
    }
    let site = only(headers, "sec-fetch-site").ok_or(Refused::Origin)?;
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(Refused::Origin);
    }
    // Browsers send `Origin` with every such request.
    let is_own = only(headers, OWN_HEADER) == Some(Some("1")) && origin.is_some();
    if *method != Method::GET && !is_own {
        return Err(Refused::Header);
    }
    Ok(())
}

/// The only value of a header: `Some(None)` if there is none, `None` if there are several or it is not text.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}
