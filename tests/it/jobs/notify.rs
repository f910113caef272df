//! Notifications of the ends of jobs.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        net::UnixListener,
    },
    path::Path,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::Site;
use crate::kit::daemon::{Daemon, PATIENCE, is_root, within};

/// Waits until a file has a text with a line end.
fn read(path: &Path, daemon: &Daemon) -> String {
    let mut text = String::new();
    let there = || {
        text = fs::read_to_string(path).unwrap_or_default();
        text.ends_with('\n')
    };
    assert!(
        within(PATIENCE, there),
        "{}: {}",
        path.display(),
        daemon.log()
    );
    text
}

fn log_has(daemon: &Daemon, id: u64, words: &str) {
    let log = || {
        daemon
            .request("GET", &format!("/v1/jobs/{id}/log"), "")
            .body
    };
    assert!(
        within(PATIENCE, || log().contains(words)),
        "{words}: {}\n{}",
        log(),
        daemon.log()
    );
}

#[test]
fn a_command_is_run_without_a_shell_when_a_job_ends_in_whatever_way() {
    let site = Site::new();
    let daemon = site.daemon();
    let occupant = site.occupy(&daemon, &json!({}));
    let told = |name: &str| site.folder.path(name);
    let script = |name: &str| {
        let variables =
            "$MOLSIEVE_JOB $MOLSIEVE_STATE $MOLSIEVE_NAME $MOLSIEVE_EXIT_CODE $MOLSIEVE_OUTPUT";
        format!(
            "sh -c 'echo \"{variables} $MOLSIEVE_ERROR\" > {}'",
            told(name).display()
        )
    };
    let done = site.submit(
        &daemon,
        "a",
        &json!({ "notify": script("one"), "name": "mine" }),
    );
    let failing = site.submit_failing(&daemon, &json!({ "notify": script("two") }));
    let cancelled = site.submit(&daemon, "c", &json!({ "notify": script("three") }));
    let waiting = site.submit(
        &daemon,
        "d",
        &json!({ "notify": script("four"), "after": [cancelled] }),
    );
    daemon
        .molsieve(&format!("cancel {cancelled}"))
        .run()
        .ends_with(0);
    let out = told("c");
    assert_eq!(
        read(&told("three"), &daemon),
        format!("{cancelled} cancelled   {} \n", out.display())
    );
    let text = read(&told("four"), &daemon);
    assert!(
        text.starts_with(&format!("{waiting} cancelled ")) && text.contains("wait for"),
        "{text}"
    );
    // Not a shell: the operator is an argument.
    let plain = format!("touch {} ; false", told("five").display());
    let plain = site.submit(&daemon, "e", &json!({ "notify": plain }));
    occupant.resume();
    assert_eq!(
        read(&told("one"), &daemon),
        format!("{done} done mine 0 {} \n", told("a").display())
    );
    let text = read(&told("two"), &daemon);
    assert!(
        text.starts_with(&format!("{failing} failed  3 ")) && text.contains("/nowhere"),
        "{text}"
    );
    assert!(
        within(PATIENCE, || told("five").exists()),
        "{}",
        daemon.log()
    );
    daemon.wait_for(plain, "done");
    // A failure is in the log, and the job stays as it is.
    let bad = site.submit(
        &daemon,
        "f",
        &json!({ "notify": "sh -c 'echo out; echo err >&2; exit 7'" }),
    );
    daemon.wait_for(bad, "done");
    log_has(&daemon, bad, "notify: it ended with exit code 7");
    log_has(&daemon, bad, "out\n");
    log_has(&daemon, bad, "err\n");
    let absent = site.submit(&daemon, "g", &json!({ "notify": "/no/such/program x" }));
    log_has(
        &daemon,
        absent,
        "cannot run /no/such/program: no such file or directory",
    );
    let job = daemon.job(absent);
    assert_eq!(
        (&job["state"], &job["seq"]),
        (&json!("done"), &json!(5)),
        "{job:#}"
    );
    let pending = "SELECT count(*) FROM notifications";
    let store = rusqlite::Connection::open(site.folder.path("state/jobs.sqlite3")).unwrap();
    let none = || store.query_row(pending, [], |row| row.get::<_, i64>(0)) == Ok(0);
    assert!(within(PATIENCE, none), "{}", daemon.log());
}

/// Answers one request with this status line, and returns its head and its body.
fn serve(stream: impl Read + Write, status: &str) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(bytes) = line.strip_prefix("Content-Length: ") {
            length = bytes.trim_end().parse().unwrap();
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"
    )
    .unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_local_webhook_gets_the_job_over_tcp_or_a_unix_socket() {
    let site = Site::new();
    let daemon = site.daemon();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let url = format!("http://{address}/hook?x=1");
    let id = site.submit(&daemon, "a", &json!({ "notify": url, "labels": ["l"] }));
    let (head, job) = serve(tcp.accept().unwrap().0, "204 No Content");
    assert!(head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("Host: {address}\r\n")), "{head}");
    assert_eq!((&job["id"], &job["state"]), (&json!(id), &json!("done")));
    assert_eq!(job["labels"], json!(["l"]));
    let path = site.folder.path("hook.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let notify = format!("unix:{}", path.display());
    let id = site.submit(&daemon, "b", &json!({ "notify": notify }));
    let (head, job) = serve(unix.accept().unwrap().0, "500 No");
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    assert_eq!(job["id"], id);
    log_has(&daemon, id, "the webhook answers with status 500");
    drop(unix);
    let id = site.submit(&daemon, "c", &json!({ "notify": notify }));
    log_has(&daemon, id, "connection refused");
    assert_eq!(daemon.job(id)["state"], "done");
    let far = site.body("d", &json!({ "notify": "http://192.0.2.1/" }));
    let answer = daemon.request("POST", "/v1/jobs", &far);
    assert_eq!(
        (answer.status, &answer.json()["error"]["field"]),
        (400, &json!("notify"))
    );
}

#[test]
fn a_notification_runs_as_the_user_of_the_job() {
    if !is_root() {
        return;
    }
    const NOBODY: u32 = 65_534;
    let site = Site::new();
    let daemon = site.daemon();
    fs::set_permissions(
        site.input.parent().unwrap(),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let folder = site.folder.path("nobody");
    fs::create_dir(&folder).unwrap();
    chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    let file = folder.join("told");
    let notify = format!(
        "sh -c 'id -u > {}; grep NoNewPrivs /proc/self/status; umask'",
        file.display()
    );
    let output = folder.join("out");
    let args = [
        "submit", "--json", "-m", "192MiB", "-t", "1", "--engine", "cpu", "--notify", &notify, "-i",
    ];
    let paths = [&site.input, &output].map(|path| path.to_str().unwrap());
    let run = daemon.molsieve_as(NOBODY, &[&args[..], &[paths[0], "-o", paths[1]]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let id = run.json_lines()[0]["id"].as_u64().unwrap();
    assert_eq!(read(&file, &daemon), format!("{NOBODY}\n"));
    assert_eq!(fs::metadata(&file).unwrap().uid(), NOBODY);
    log_has(&daemon, id, "NoNewPrivs:\t1\n0022\n");
}

#[test]
fn a_notification_under_way_is_made_again_when_the_daemon_was_killed() {
    let site = Site::new();
    let mut daemon = site.daemon();
    let file = site.folder.path("told");
    let script = format!(
        "sh -c 'echo $$ >> {0}; sleep 1; test $(wc -l < {0}) -gt 1 || sleep 25'",
        file.display()
    );
    let id = site.submit(&daemon, "a", &json!({ "notify": script }));
    let pid = read(&file, &daemon).trim().parse().unwrap();
    daemon.kill();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).ok();
    let daemon = site.daemon();
    let twice = || fs::read_to_string(&file).unwrap().lines().count() == 2;
    assert!(within(PATIENCE, twice), "{}", daemon.log());
    assert_eq!(daemon.job(id)["state"], "done");
    // And then no more.
    let store = rusqlite::Connection::open(site.folder.path("state/jobs.sqlite3")).unwrap();
    let pending = || {
        store.query_row("SELECT count(*) FROM notifications", [], |row| {
            row.get::<_, i64>(0)
        })
    };
    assert!(within(PATIENCE, || pending() == Ok(0)), "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
    let _daemon = site.daemon();
    thread::sleep(Duration::from_millis(500));
    assert!(twice());
}
