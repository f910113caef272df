//! `molsieve ui` from the outside: who gets in, what is passed to the daemon, and what the page is allowed to do.

use std::{
    fs::Permissions,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::Command,
};

use serde_json::{Value, json};

use crate::kit::{
    Folder,
    daemon::{Answer, Daemon, is_root, settings},
    library::{THREE_RULES, rule_file, smiles_lines},
    ui::Ui,
};

const BUDGET: &str = "--memory 400MiB --threads 2 --gpus 0 --retry-delay 0";
const NOBODY: u32 = 65_534;
const OTHER: u32 = 1;

/// A daemon, the page before it, and a browser that has signed in.
struct Signed {
    folder: Folder,
    daemon: Daemon,
    ui: Ui,
    cookie: String,
}

impl Signed {
    fn new() -> Self {
        let folder = Folder::new();
        let daemon = Daemon::start(&folder, BUDGET);
        let ui = Ui::start(&daemon, None);
        let cookie = ui.sign_in();
        Self {
            folder,
            daemon,
            ui,
            cookie,
        }
    }

    /// The settings of a job with this many molecules.
    fn settings(&self, molecules: usize) -> Value {
        let input = self.folder.write("a.smi", smiles_lines(molecules));
        let rules = rule_file(&self.folder, &THREE_RULES);
        settings(&input, &rules, &self.folder.out())
    }

    fn get(&self, target: &str) -> Answer {
        let headers = self.ui.host() + &self.cookie;
        self.ui.raw("GET", target, &headers, "")
    }

    /// A change, as the page makes it.
    fn change(&self, method: &str, target: &str, body: &str) -> Answer {
        let kind = "content-type: application/json\r\n";
        let headers = self.ui.host() + &self.cookie + &self.ui.own() + kind;
        self.ui.raw(method, target, &headers, body)
    }
}

fn code(answer: &Answer) -> Value {
    answer.json()["error"]["code"].clone()
}

#[test]
fn the_token_opens_the_page_once() {
    let folder = Folder::new();
    let daemon = Daemon::start(&folder, BUDGET);
    let ui = Ui::start(&daemon, None);
    let get = |target: &str, more: &str| ui.raw("GET", target, &(ui.host() + more), "");
    for target in ["/", "/ui.js", "/v1/jobs", "/ui/me", "/jobs/1/report", "/x"] {
        assert_eq!(get(target, "").status, 403, "{target}");
    }
    let wrong = format!("/?token={}", "0".repeat(64));
    for target in [&wrong, "/?token="] {
        let answer = get(target, "");
        assert_eq!(answer.status, 403, "{answer:?}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    let address = format!("/?token={}", ui.token);
    let first = get(&address, "");
    assert_eq!(first.status, 303, "{first:?}");
    assert_eq!(first.header("location"), Some("/"));
    let cookie = first.header("set-cookie").unwrap();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(
        cookie.starts_with(&format!("molsieve-{}=", ui.port)),
        "{cookie}"
    );
    let again = get(&address, "");
    assert_eq!(again.status, 403, "{again:?}");
    assert!(again.body.contains("start molsieve ui again"), "{again:?}");
    assert_eq!(again.header("set-cookie"), None);
    // The browser that has the cookie needs no token.
    let cookie = format!("cookie: {}\r\n", cookie.split(';').next().unwrap());
    assert_eq!(get(&address, &cookie).status, 303);
    assert_eq!(get("/", &cookie).status, 200);
    let forged = format!("cookie: molsieve-{}={}\r\n", ui.port, ui.token);
    assert_eq!(get("/", &forged).status, 403);
    assert_eq!(ui.stop(), Some(0));
}

#[test]
fn requests_that_other_sites_could_make_are_refused() {
    let signed = Signed::new();
    let (ui, cookie) = (&signed.ui, &signed.cookie);
    let port = ui.port;
    for (headers, status) in [
        (format!("host: evil.example:{port}\r\n"), 421),
        ("host: 127.0.0.1\r\n".into(), 421),
        (ui.host() + "origin: http://evil.example\r\n", 403),
        (ui.host() + "origin: null\r\n", 403),
        (ui.host() + "sec-fetch-site: cross-site\r\n", 403),
        (ui.host() + "sec-fetch-site: same-site\r\n", 403),
        (format!("host: localhost:{port}\r\n"), 200),
        (ui.host() + "sec-fetch-site: same-origin\r\n", 200),
    ] {
        for target in ["/", "/v1/jobs"] {
            let answer = ui.raw("GET", target, &(headers.clone() + cookie), "");
            assert_eq!(answer.status, status, "{headers} {answer:?}");
        }
    }
    let body = json!({ "settings": signed.settings(5) }).to_string();
    let kind = "content-type: application/json\r\n";
    let origin = format!("origin: http://127.0.0.1:{port}\r\n");
    let own = "x-molsieve: 1\r\n";
    let foreign = "origin: http://evil.example\r\n";
    for headers in [&origin, own, "", &format!("{own}{foreign}")] {
        let headers = ui.host() + cookie + kind + headers;
        let answer = ui.raw("POST", "/v1/jobs", &headers, &body);
        assert_eq!(answer.status, 403, "{headers} {answer:?}");
    }
    let without_cookie = ui.host() + kind + &ui.own();
    let answer = ui.raw("POST", "/v1/jobs", &without_cookie, &body);
    assert_eq!((answer.status, code(&answer)), (403, json!("no_session")));
    let jobs = signed.daemon.request("GET", "/v1/jobs", "").json();
    assert_eq!(jobs["jobs"], json!([]));
}

#[test]
fn only_the_paths_of_the_page_lead_to_the_daemon() {
    let signed = Signed::new();
    for target in [
        "/metrics",
        "/healthz",
        "/readyz",
        "/v1/jobs/1/x",
        "/v1/../metrics",
    ] {
        assert_eq!(signed.get(target).status, 404, "{target}");
    }
    for (method, target) in [("PUT", "/v1/jobs/1"), ("DELETE", "/v1/jobs"), ("POST", "/")] {
        let answer = signed.change(method, target, "");
        assert_eq!(answer.status, 405, "{method} {target}: {answer:?}");
    }
    let large = format!("{{\"name\":\"{}\"}}", "a".repeat(200_000));
    let answer = signed.change("POST", "/v1/jobs", &large);
    assert_eq!(
        (answer.status, code(&answer)),
        (413, json!("body_too_large"))
    );
    for target in ["/v1/node", "/v1/openapi.json", "/v1/jobs?limit=3"] {
        let answer = signed.get(target);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json();
    }
    assert_eq!(
        signed.get("/v1/jobs?limit=0").json()["error"]["field"],
        "limit"
    );
}

#[test]
fn every_answer_forbids_what_the_page_does_not_need() {
    let signed = Signed::new();
    let stranger = signed.ui.raw("GET", "/", &signed.ui.host(), "");
    // Messages may do nothing at all.
    let messages = [stranger, signed.get("/x")];
    for message in &messages {
        let policy = message.header("content-security-policy").unwrap();
        assert!(
            policy.contains("; sandbox") && !policy.contains("script"),
            "{policy}"
        );
    }
    let pages = [signed.get("/"), signed.get("/v1/node"), signed.get("/v1/x")];
    for page in &pages {
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("script-src 'self'") && !policy.contains("unsafe"),
            "{policy}"
        );
    }
    for answer in messages.iter().chain(&pages) {
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{answer:?}");
        }
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let page = signed.get("/").body;
    assert!(
        !page.contains("=\"http"),
        "the page refers to another site: {page}"
    );
    assert!(
        !page.contains("<style") && !page.contains("onclick"),
        "{page}"
    );
    // Each script that the page names is served.
    for script in page.split("src=\"").skip(1) {
        let path = script.split('"').next().unwrap();
        assert_eq!(signed.get(path).status, 200, "{path}");
    }
}

#[test]
fn a_job_is_submitted_followed_and_removed() {
    let signed = Signed::new();
    let body = json!({ "settings": signed.settings(60), "name": "mine" });
    let answer = signed.change("POST", "/v1/jobs", &body.to_string());
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["id"].as_u64().unwrap();
    // The stream ends with the job.
    let events = signed.get(&format!("/v1/jobs/{id}/events"));
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert!(events.body.contains("\"state\":\"done\""), "{events:?}");
    assert_eq!(signed.get(&format!("/v1/jobs/{id}/log")).status, 200);
    let job = signed.get(&format!("/v1/jobs/{id}")).json();
    assert_eq!(
        (&job["state"], &job["name"]),
        (&json!("done"), &json!("mine"))
    );
    let cancel = signed.change("POST", &format!("/v1/jobs/{id}/cancel"), "");
    assert_eq!(cancel.json()["state"], "done");
    let removed = signed.change("DELETE", &format!("/v1/jobs/{id}"), "");
    assert_eq!(removed.status, 204, "{removed:?}");
    assert_eq!(signed.get(&format!("/v1/jobs/{id}")).status, 404);
    let mut wrong = signed.settings(5);
    wrong["input"] = json!(["relative.smi"]);
    let body = json!({ "settings": wrong }).to_string();
    let refused = signed.change("POST", "/v1/jobs", &body);
    assert_eq!(refused.json()["error"]["field"], "settings.input[0]");
}

#[test]
fn only_a_done_job_that_the_user_may_see_has_a_report() {
    let signed = Signed::new();
    let missing = signed.get("/jobs/7/report");
    assert_eq!(missing.status, 404, "{missing:?}");
    assert!(missing.body.contains("there is no job 7"), "{missing:?}");
    let policy = missing.header("content-security-policy").unwrap();
    assert!(policy.contains("sandbox"), "{policy}");
    let mut settings = signed.settings(5);
    settings["input"] = json!(["/nowhere/<b>.smi"]);
    let id = signed.daemon.submit(&settings);
    signed.daemon.wait_for(id, "failed");
    let failed = signed.get(&format!("/jobs/{id}/report"));
    assert_eq!(failed.status, 409, "{failed:?}");
    assert!(failed.body.contains("when it is done"), "{failed:?}");
    let foreign = signed.ui.host() + &signed.cookie + "sec-fetch-site: cross-site\r\n";
    let refused = signed
        .ui
        .raw("GET", &format!("/jobs/{id}/report"), &foreign, "");
    assert_eq!(refused.status, 403, "{refused:?}");
}

#[test]
fn a_daemon_that_is_gone_is_named() {
    let mut signed = Signed::new();
    signed.daemon.kill();
    let answer = signed.get("/v1/jobs");
    assert_eq!((answer.status, code(&answer)), (502, json!("no_daemon")));
    assert_eq!(signed.get("/").status, 200);
    let socket = signed.daemon.socket.to_str().unwrap();
    let start = crate::kit::Molsieve::new("ui --no-browser --socket")
        .arg(socket)
        .run();
    start.refuses(1, &["no daemon listens at", socket]);
}

#[test]
fn a_port_in_use_is_refused() {
    let signed = Signed::new();
    let port = signed.ui.port.to_string();
    let start = signed.daemon.molsieve("ui --no-browser --port").arg(&port);
    start.run().refuses(1, &["127.0.0.1", &port]);
}

#[test]
fn jobs_and_connections_of_other_users_are_not_served() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    let daemon = Daemon::start(&folder, BUDGET);
    let open = Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path("d.sock").parent().unwrap(), open).unwrap();
    let input = folder.write("a.smi", smiles_lines(5));
    let rules = rule_file(&folder, &THREE_RULES);
    let id = daemon.submit(&settings(&input, &rules, &folder.out()));
    daemon.wait_for(id, "done");
    let ui = Ui::start(&daemon, Some(NOBODY));
    let address = format!("http://127.0.0.1:{}/?token={}", ui.port, ui.token);
    let mut stranger = Command::new("curl");
    stranger.args(["-s", "-i", &address]).uid(OTHER).gid(OTHER);
    let seen = String::from_utf8(stranger.output().unwrap().stdout).unwrap();
    assert!(seen.starts_with("HTTP/1.1 403"), "{seen}");
    assert!(
        seen.contains("another user") && !seen.contains("set-cookie"),
        "{seen}"
    );
    // The token is still good for its own user; root, who may do everything, stands for that one here.
    let cookie = ui.sign_in();
    let get = |target: &str| ui.raw("GET", target, &(ui.host() + &cookie), "");
    assert_eq!(get("/ui/me").json()["uid"], NOBODY);
    assert_eq!(get("/v1/jobs").json()["jobs"], json!([]));
    for target in ["", "/events", "/log"] {
        assert_eq!(
            get(&format!("/v1/jobs/{id}{target}")).status,
            404,
            "{target}"
        );
    }
    assert_eq!(get(&format!("/jobs/{id}/report")).status, 404);
    let headers = ui.host() + &cookie + &ui.own();
    let cancel = ui.raw("POST", &format!("/v1/jobs/{id}/cancel"), &headers, "");
    assert_eq!(cancel.status, 404, "{cancel:?}");
}
