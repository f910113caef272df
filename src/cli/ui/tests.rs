//! Tokens, heads of requests, paths, and the kernel's table of sockets.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    process::Command,
};

use hyper::{HeaderMap, Method, Uri, header::COOKIE};

use super::{
    access::{Access, Exchange, Secret},
    guard, peer,
    refused::Refused,
    report,
    route::{self, Action},
};

fn access() -> (Access, String) {
    let token = Secret::random().unwrap();
    let text = token.text().to_owned();
    (Access::new(token, 4711).unwrap(), text)
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

#[test]
fn a_secret_has_256_bits_and_is_like_no_other() {
    let (one, two) = (Secret::random().unwrap(), Secret::random().unwrap());
    assert_eq!(one.text().len(), 64);
    assert!(one.is(one.text()) && !one.is(two.text()));
    let longer = format!("{}0", one.text());
    for wrong in ["", "0", &one.text()[..63], &longer] {
        assert!(!one.is(wrong), "{wrong}");
    }
}

#[test]
fn a_token_is_exchanged_once() {
    let (access, token) = access();
    assert_eq!(access.exchange("wrong"), Exchange::Wrong);
    assert_eq!(access.exchange(&token), Exchange::Granted);
    assert_eq!(access.exchange(&token), Exchange::Used);
    assert_eq!(access.exchange("wrong"), Exchange::Wrong);
}

#[test]
fn only_the_sessions_cookie_admits() {
    let (access, token) = access();
    let cookie = access.cookie();
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    let pair = cookie.split(';').next().unwrap();
    let admits = |cookies: &[&str]| {
        let lines: Vec<_> = cookies
            .iter()
            .map(|line| (COOKIE.as_str(), *line))
            .collect();
        access.admits(&headers(&lines))
    };
    assert!(admits(&[pair]));
    assert!(admits(&["a=b", &format!("other=1; {pair}")]));
    let session = pair.split_once('=').unwrap().1;
    for wrong in [
        format!("molsieve-4711={token}"),
        format!("molsieve-4712={session}"),
        "molsieve-4711=".into(),
        session.into(),
    ] {
        assert!(!admits(&[&wrong]), "{wrong}");
    }
    assert!(!admits(&[]));
}

/// What the guard says about a request to the port 4711.
fn guarded(method: Method, uri: &str, lines: &[(&'static str, &str)]) -> Result<(), Refused> {
    let uri: Uri = uri.parse().unwrap();
    guard::check(&method, &uri, &headers(lines), 4711)
}

#[test]
fn only_requests_to_this_host_pass() {
    let get = |host: &str| guarded(Method::GET, "/", &[("host", host)]);
    assert_eq!(get("127.0.0.1:4711"), Ok(()));
    assert_eq!(get("localhost:4711"), Ok(()));
    for host in [
        "127.0.0.1",
        "127.0.0.1:4712",
        "localhost:04711",
        "localhost.:4711",
        "evil.example:4711",
        "127.0.0.1:4711.evil.example",
        "[::1]:4711",
        "",
    ] {
        assert_eq!(get(host), Err(Refused::Host(4711)), "{host}");
    }
    let host = ("host", "127.0.0.1:4711");
    let twice = guarded(Method::GET, "/", &[host, host]);
    assert_eq!(twice, Err(Refused::Host(4711)));
    assert_eq!(guarded(Method::GET, "/", &[]), Err(Refused::Host(4711)));
    let absolute = guarded(Method::GET, "http://evil.example/", &[host]);
    assert_eq!(absolute, Err(Refused::Host(4711)));
}

#[test]
fn pages_of_other_sites_are_refused() {
    let host = ("host", "127.0.0.1:4711");
    for line in [
        ("origin", "http://127.0.0.1:4711"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
    ] {
        assert_eq!(guarded(Method::GET, "/", &[host, line]), Ok(()), "{line:?}");
    }
    for line in [
        ("origin", "http://evil.example"),
        ("origin", "https://127.0.0.1:4711"),
        ("origin", "http://127.0.0.1:4712"),
        ("origin", "http://localhost:4711"),
        ("origin", "null"),
        ("origin", ""),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", ""),
    ] {
        let refused = guarded(Method::GET, "/", &[host, line]);
        assert_eq!(refused, Err(Refused::Origin), "{line:?}");
    }
}

#[test]
fn a_change_needs_the_header_and_an_origin() {
    let host = ("host", "localhost:4711");
    let origin = ("origin", "http://localhost:4711");
    let own = ("x-molsieve", "1");
    for method in [Method::POST, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let ask = |lines: &[_]| guarded(method.clone(), "/v1/jobs", lines);
        assert_eq!(ask(&[host, origin, own]), Ok(()));
        assert_eq!(ask(&[host, origin]), Err(Refused::Header));
        assert_eq!(ask(&[host, own]), Err(Refused::Header));
        let other = ("x-molsieve", "0");
        assert_eq!(ask(&[host, origin, other]), Err(Refused::Header));
    }
}

#[test]
fn only_the_paths_of_the_list_are_served() {
    let daemon = [
        ("GET", "/v1/jobs"),
        ("POST", "/v1/jobs"),
        ("GET", "/v1/jobs/7"),
        ("DELETE", "/v1/jobs/7"),
        ("PATCH", "/v1/jobs/7"),
        ("POST", "/v1/jobs/7/cancel"),
        ("GET", "/v1/jobs/7/events"),
        ("GET", "/v1/jobs/7/log"),
        ("GET", "/v1/node"),
        ("GET", "/v1/openapi.json"),
    ];
    let ask = |method: &str, path: &str| route::action(&method.parse().unwrap(), path);
    for (method, path) in daemon {
        assert_eq!(ask(method, path), Ok(Action::Daemon), "{method} {path}");
    }
    for path in ["/", "/ui.css", "/ui.js"] {
        assert!(matches!(ask("GET", path), Ok(Action::Asset(_))), "{path}");
    }
    assert!(matches!(
        ask("GET", "/jobs/7/report"),
        Ok(Action::Report(_))
    ));
    for path in [
        "/metrics",
        "/healthz",
        "/readyz",
        "/v1",
        "/v1/jobs/",
        "/v1/jobs/07",
        "/v1/jobs/7/",
        "/v1/jobs/7/events/x",
        "/v1/jobs/../node",
        "/v1/jobs/%37",
        "/v1//jobs",
        "/jobs/0/report",
        "/jobs/a/report",
        "/ui.html",
        "/../ui.js",
        "*",
        "",
    ] {
        assert_eq!(ask("GET", path), Err(Refused::NoSuchPath), "{path}");
    }
    for (method, path) in [
        ("PUT", "/v1/jobs/7"),
        ("POST", "/v1/jobs/7"),
        ("DELETE", "/v1/jobs"),
        ("GET", "/v1/jobs/7/cancel"),
        ("POST", "/"),
        ("HEAD", "/"),
        ("POST", "/jobs/7/report"),
    ] {
        assert_eq!(ask(method, path), Err(Refused::Method), "{method} {path}");
    }
}

#[test]
fn a_token_is_taken_from_the_address_of_the_page_only() {
    let token = |method: Method, uri: &str| route::token(&method, &uri.parse().unwrap());
    assert_eq!(token(Method::GET, "/?token=ab").as_deref(), Some("ab"));
    assert_eq!(token(Method::GET, "/?a=1&token=").as_deref(), Some(""));
    for (method, uri) in [
        (Method::GET, "/"),
        (Method::GET, "/v1/jobs?token=ab"),
        (Method::POST, "/?token=ab"),
        (Method::HEAD, "/?token=ab"),
    ] {
        assert_eq!(token(method, uri), None, "{uri}");
    }
}

#[test]
fn the_owner_of_a_connection_is_found() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    let client = TcpStream::connect(server).unwrap();
    let (SocketAddr::V4(server), SocketAddr::V4(client)) = (server, client.local_addr().unwrap())
    else {
        panic!("IPv4 was asked for");
    };
    assert!(peer::is_own(client, server));
    // No socket is connected that way round but the server's, which is not accepted yet.
    let nowhere = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
    assert!(!peer::is_own(client, nowhere));
}

#[test]
fn tables_of_sockets_are_read() {
    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:9A99 00000000:0000 0A 00000000:00000000 00:00000000 00000000     7        0 1 1 0 100 0 0 10 0\n   2: 0100007F:A23E 0100007F:9A99 01 00000000:00000000 00:00000000 00000000  1000        0 2 2 0 20 0 0 10 -1\n";
    const MAPPED: &str = "  sl  local_address rem_address st\n   0: 0000000000000000FFFF00000100007F:A23E 0000000000000000FFFF00000100007F:9A99 01 00000000:00000000 00:00000000 00000000  1001        0 2 2 0 20 0 0 10 -1\nbroken line\n";
    let at = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let (client, server) = (at(0xA23E), at(0x9A99));
    if cfg!(target_endian = "little") {
        assert_eq!(peer::owner(TABLE, client, server), Some(1000));
        assert_eq!(peer::owner(MAPPED, client, server), Some(1001));
    }
    assert_eq!(peer::owner(TABLE, server, client), None);
    assert_eq!(peer::owner(TABLE, at(1), server), None);
    assert_eq!(peer::owner("", client, server), None);
}

/// The report that another program makes, given the arguments of molsieve.
fn made_by(program: &str) -> Result<Vec<u8>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(report::made(program, "/out"))
}

#[test]
fn a_report_is_what_the_child_prints() {
    assert_eq!(made_by("/bin/echo").unwrap(), b"report /out --output -\n");
}

#[test]
fn a_report_that_cannot_be_made_has_the_childs_reason() {
    // It does not know these arguments.
    let error = made_by("/bin/ls").unwrap_err();
    assert!(error.contains("--output"), "{error}");
    let error = made_by("/bin/false").unwrap_err();
    assert_eq!(error, "it fails without a message");
    let error = made_by("/nowhere/molsieve").unwrap_err();
    assert!(error.contains("no such file"), "{error}");
}

#[test]
fn an_endless_report_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    // A shell writes the program: a file that this process has open for writing may not be run.
    let write = "printf '#!/bin/sh\\nexec yes\\n' >endless && chmod 755 endless";
    let mut shell = Command::new("sh");
    shell.args(["-c", write]).current_dir(folder.path());
    assert!(shell.status().unwrap().success());
    let endless = folder.path().join("endless");
    let error = made_by(endless.to_str().unwrap()).unwrap_err();
    assert!(error.contains("larger than 64 MiB"), "{error}");
}
