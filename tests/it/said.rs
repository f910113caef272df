//! What the daemon says: errors of several lines, the log of a job, who changed what, names of processes, lists that are
//! cut, metrics, and its own log in a file.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::Command,
};

use serde_json::{Value, json};

use crate::kit::{
    Folder, Molsieve,
    daemon::{Answer, Daemon, PATIENCE, is_root, settings, within},
    library::{THREE_RULES, rule_file, smiles_lines},
    run_command, skipped,
};

const FLAGS: &str = "--memory 400MiB --threads 2 --gpus 0 --retry-delay 0";

/// A small job.
struct Small {
    folder: Folder,
    input: PathBuf,
    rules: PathBuf,
}

impl Small {
    fn new() -> Self {
        let folder = Folder::new();
        let input = folder.write("a.smi", smiles_lines(40));
        let rules = rule_file(&folder, &THREE_RULES);
        Self {
            folder,
            input,
            rules,
        }
    }

    fn settings(&self, output: &str) -> Value {
        settings(&self.input, &self.rules, &self.folder.path(output))
    }

    fn daemon(&self, more: &str) -> Daemon {
        Daemon::start(&self.folder, &format!("{FLAGS} {more}"))
    }
}

#[test]
fn an_error_of_several_lines_arrives_whole() {
    let work = Small::new();
    let daemon = work.daemon("");
    // The error is the table of what the job needs.
    let mut small = work.settings("out");
    small["memory"] = json!("40MiB");
    let id = daemon.submit(&small);
    let job = daemon.wait_for(id, "failed");
    let error = job["error"].as_str().unwrap();
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines.len() >= 2, "the error has one line: {error}");
    let status = daemon.molsieve(&format!("status {id}")).run().stdout;
    let watch = daemon.molsieve(&format!("watch {id}")).run().stderr;
    let logs = daemon.molsieve(&format!("logs {id}")).run().stdout;
    let json = daemon.molsieve(&format!("status {id} --json")).run().stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["error"], error);
    let by_json = daemon.molsieve(&format!("logs {id} --json")).run().stdout;
    for shown in [&status, &watch, &logs] {
        assert!(!shown.contains('\u{fffd}'), "{shown}");
        for line in &lines {
            let here = shown.lines().any(|shown| shown.ends_with(line.trim()));
            assert!(here, "{line} is no line of its own in\n{shown}");
        }
    }
    for line in by_json.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["event"], "log");
    }
}

#[test]
fn the_log_of_a_job_says_what_a_run_says() {
    let work = Small::new();
    let daemon = work.daemon("");
    let id = daemon.submit(&work.settings("out"));
    daemon.wait_for(id, "done");
    let log = daemon.molsieve(&format!("logs {id}")).run().stdout;
    let run = Molsieve::new("run --memory 192MiB --threads 1 --engine cpu")
        .input(&work.input)
        .rules(&work.rules)
        .output(work.folder.path("run"))
        .run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let plan = Molsieve::new("plan --memory 192MiB --threads 1 --engine cpu")
        .input(&work.input)
        .rules(&work.rules)
        .output(work.folder.path("plan"))
        .run();
    // Times and figures of memory are those of each process.
    let fixed = |text: &str| -> Vec<String> {
        let label = |line: &&str| {
            [
                "  made ",
                "  filter ",
                "  columns ",
                "  rows ",
                "  rules ",
                "  input ",
            ]
            .iter()
            .any(|label| line.starts_with(label))
        };
        text.lines().filter(label).map(str::to_owned).collect()
    };
    let expected = [fixed(&plan.stdout), fixed(&run.stdout)].concat();
    assert!(expected.len() >= 6, "{expected:?}");
    assert_eq!(fixed(&log), expected, "{log}");
    for said in [
        "starts the job as process",
        "the plan",
        "unique products from 40 molecules",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains("busiest"), "a line of progress: {log}");
    // A run that is complete has nothing to resume.
    let mut again = work.settings("out");
    again["memory"] = json!("192MiB");
    let body = json!({ "settings": again, "mode": "resume" }).to_string();
    let resumed = daemon.request("POST", "/v1/jobs", &body).json()["id"]
        .as_u64()
        .unwrap();
    daemon.wait_for(resumed, "done");
    let log = daemon.molsieve(&format!("logs {resumed}")).run().stdout;
    for said in ["continues the job as process", "there is nothing to resume"] {
        assert!(log.contains(said), "{said}: {log}");
    }
}

/// The lines of a log in JSON that have an action.
fn actions(log: &str) -> Vec<(String, u64, u64, u64)> {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter_map(|line| {
            let number = |name: &str| line[name].as_u64();
            let action = line["action"].as_str()?.to_owned();
            Some((action, number("job")?, number("actor")?, number("owner")?))
        })
        .collect()
}

#[test]
fn every_change_is_logged_with_actor_and_owner() {
    if !is_root() {
        return;
    }
    const NOBODY: u32 = 65_534;
    let work = Small::new();
    let folder = work.folder.path("");
    for (path, mode) in [
        (folder.as_path(), 0o755),
        (&work.input, 0o644),
        (&work.rules, 0o644),
    ] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    // Nothing starts while a job of root takes all of the budget.
    let daemon = work.daemon("--log-format json");
    let mut all = work.settings("root");
    (all["memory"], all["steps"]) = (json!("400MiB"), json!(3));
    all["input"] = json!([crate::kit::library::shipped_library()]);
    all["rules"] = json!([crate::kit::library::shipped_rules()]);
    let own = daemon.submit(&all);
    daemon.wait_for(own, "running");
    let (input, output) = (work.input.display().to_string(), "/nowhere/out");
    let submit = [
        "submit", "--input", &input, "--output", output, "--memory", "192MiB",
    ];
    assert_eq!(daemon.molsieve_as(NOBODY, &submit).code, Some(0));
    assert_eq!(
        daemon
            .molsieve_as(NOBODY, &["set", "2", "--priority", "-1"])
            .code,
        Some(0)
    );
    for flags in [
        "set 2 --priority 5",
        "set 2 --priority 5",
        "cancel 2",
        "cancel 2",
        "rm 2",
    ] {
        assert_eq!(daemon.molsieve(flags).run().code, Some(0), "{flags}");
    }
    assert_eq!(daemon.molsieve("cancel 1").run().code, Some(0));
    let nobody = u64::from(NOBODY);
    let expected = [
        ("submit", 1, 0, 0),
        ("submit", 2, nobody, nobody),
        ("set", 2, nobody, nobody),
        // A request that changes nothing is not logged.
        ("set", 2, 0, nobody),
        ("cancel", 2, 0, nobody),
        ("rm", 2, 0, nobody),
        ("cancel", 1, 0, 0),
    ];
    let expected =
        expected.map(|(action, job, actor, owner)| (action.to_owned(), job, actor, owner));
    let log = daemon.log();
    assert_eq!(actions(&log), expected, "{log}");
    // The text for people says it too, and lines about a job name its owner.
    assert!(
        log.contains("user 0: set job 2 of user 65534: priority 5"),
        "{log}"
    );
    for line in log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
    {
        assert!(
            line.get("job").is_none() || line["owner"].is_u64(),
            "{line}"
        );
    }
}

#[test]
fn a_job_process_has_the_number_of_its_job_in_its_name() {
    let work = Small::new();
    let daemon = work.daemon("");
    let mut long = work.settings("out");
    long["input"] = json!([crate::kit::library::shipped_library()]);
    long["rules"] = json!([crate::kit::library::shipped_rules()]);
    let id = daemon.submit(&long);
    daemon.wait_for(id, "running");
    let pid = daemon.worker_of(id).unwrap();
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    assert_eq!(read("cmdline"), format!("molsieve: job {id}\0worker\0"));
    assert_eq!(read("comm"), format!("molsieve:{id}\n"));
}

#[test]
fn a_list_that_is_cut_says_so() {
    let work = Small::new();
    let daemon = work.daemon("");
    for number in 0..5 {
        let id = daemon.submit(&work.settings(&format!("out{number}")));
        daemon.wait_for(id, "done");
    }
    let ls = |flags: &str| daemon.molsieve(&format!("ls {flags}")).run();
    let cut = ls("--limit 2");
    assert_eq!(cut.stdout.lines().count(), 3, "{}", cut.stdout);
    assert_eq!(
        cut.stderr,
        "molsieve: 3 older jobs not shown; --limit 5 lists all of them, --state and --user fewer\n"
    );
    for whole in [
        "",
        "--limit 5",
        "--limit 2 --json",
        "--limit 1 --state failed",
    ] {
        assert_eq!(ls(whole).stderr, "", "{whole}");
    }
    let one = ls("--limit 4 --state done");
    assert!(
        one.stderr.contains("1 older job not shown"),
        "{}",
        one.stderr
    );
    let page = daemon
        .request("GET", "/v1/jobs?limit=2&count=true", "")
        .json();
    assert_eq!(
        (&page["total"], &page["next_before"]),
        (&json!(5), &json!(4))
    );
    let page = daemon.request("GET", "/v1/jobs?limit=2", "").json();
    assert_eq!(page["total"], Value::Null);
}

/// An answer over TCP.
fn over_tcp(address: &str, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    Answer::parse(&text).unwrap()
}

#[test]
fn metrics_alone_are_served_over_tcp_and_on_this_machine_only() {
    let work = Small::new();
    let daemon = work.daemon("--metrics-listen 127.0.0.1:0");
    let log = daemon.log();
    let address = log.split("metrics at http://").nth(1).unwrap();
    let address = address.split('/').next().unwrap();
    let id = daemon.submit(&work.settings("out"));
    daemon.wait_for(id, "done");
    let metrics = over_tcp(address, "/metrics", "");
    assert_eq!(metrics.status, 200);
    let kind = metrics.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    assert!(
        metrics.body.contains("molsieve_jobs{state=\"done\"} 1\n"),
        "{}",
        metrics.body
    );
    let asked = "accept: application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5\r\n";
    let open = over_tcp(address, "/metrics", asked);
    let kind = open.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(open.body.ends_with("# EOF\n"), "{}", open.body);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(over_tcp(address, path, "").status, 200, "{path}");
    }
    for path in ["/v1/jobs", "/v1/jobs/1", "/v1/node", "/"] {
        assert_eq!(over_tcp(address, path, "").status, 404, "{path}");
    }
    // Clients that say nothing keep nobody out for long.
    let silent: Vec<TcpStream> = (0..8)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert_eq!(over_tcp(address, "/healthz", "").status, 200);
    drop(silent);
    for (bad, reason) in [
        ("0.0.0.0:9477", "0.0.0.0:9477 is not a loopback address"),
        ("localhost", "is not an address with a port"),
        (address, "cannot listen at"),
    ] {
        let state = work.folder.path("other");
        let run = Molsieve::new("serve --memory 400MiB --socket /nowhere/s --state")
            .arg(state)
            .arg("--metrics-listen")
            .arg(bad)
            .run();
        assert!(matches!(run.code, Some(1 | 2)), "{bad}: {}", run.stderr);
        assert!(run.stderr.contains(reason), "{bad}: {}", run.stderr);
    }
}

#[test]
fn a_counter_has_its_help_in_the_text_format() {
    let work = Small::new();
    let daemon = work.daemon("");
    let text = daemon.request("GET", "/metrics", "").body;
    let names = |prefix: &str| -> Vec<&str> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
        lines.map(|line| line.split(' ').next().unwrap()).collect()
    };
    assert_eq!(names("# HELP "), names("# TYPE "));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(names("# HELP ").contains(&name), "{name} has no help");
    }
    assert!(
        names("# TYPE ").contains(&"molsieve_jobs_ended_total"),
        "{text}"
    );
    if !Command::new("promtool")
        .arg("--version")
        .output()
        .is_ok_and(|run| run.status.success())
    {
        return skipped("promtool check metrics: promtool is not installed (Debian: prometheus)");
    }
    let file = work.folder.write("metrics.txt", &text);
    let mut check = Command::new("sh");
    check
        .args(["-c", "promtool check metrics <\"$0\""])
        .arg(file);
    let run = run_command(check);
    assert_eq!(
        (run.code, run.stdout + &run.stderr),
        (Some(0), String::new())
    );
}

#[test]
fn a_log_file_is_rotated_without_a_signal_and_loses_no_line() {
    let work = Small::new();
    let log = work.folder.path("m.log");
    let more = format!("--log-format json --log-file {}", log.display());
    let daemon = work.daemon(&more);
    let old = work.folder.path("m.log.1");
    let mut jobs = Vec::new();
    let mut texts = Vec::new();
    for round in 0..3 {
        jobs.push(daemon.submit(&work.settings(&format!("out{round}"))));
        daemon.wait_for(jobs[round], "done");
        fs::rename(&log, &old).unwrap();
        assert!(!log.exists());
        // The next line creates the file.
        jobs.last()
            .map(|id| daemon.molsieve(&format!("rm {id}")).run());
        assert!(within(PATIENCE, || log.exists()), "no new file");
        texts.push(fs::read_to_string(&old).unwrap());
    }
    texts.push(fs::read_to_string(&log).unwrap());
    let expected: Vec<_> = jobs
        .iter()
        .flat_map(|id| [("submit", *id), ("rm", *id)])
        .map(|(action, id)| (action.to_owned(), id, own_uid(), own_uid()))
        .collect();
    assert_eq!(actions(&texts.concat()), expected);
    assert_eq!(daemon.log(), "", "lines of the log on standard error");
    rotate_by_logrotate(&work, &daemon, &log);
}

fn own_uid() -> u64 {
    rustix::process::geteuid().as_raw().into()
}

/// The example for logrotate does what it says, with this file.
fn rotate_by_logrotate(work: &Small, daemon: &Daemon, log: &std::path::Path) {
    if Command::new("logrotate").arg("--version").output().is_err() {
        return skipped("packaging/logrotate/molsieve: logrotate is not installed");
    }
    let example = crate::kit::library::repository().join("packaging/logrotate/molsieve");
    let example = fs::read_to_string(example).unwrap();
    let here = example.replace("/var/log/molsieve/molsieve.log", &log.display().to_string());
    assert_ne!(here, example);
    let config = work.folder.write("logrotate.conf", here);
    let mut command = Command::new("logrotate");
    command
        .arg("--force")
        .arg("--state")
        .arg(work.folder.path("rotated"))
        .arg(config);
    let run = run_command(command);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let id = daemon.submit(&work.settings("after"));
    daemon.wait_for(id, "done");
    let first = work.folder.path("m.log.1");
    assert!(fs::read_to_string(first).unwrap().contains("\"rm\""));
    let new = fs::read_to_string(log).unwrap();
    assert_eq!(
        actions(&new),
        [("submit".to_owned(), id, own_uid(), own_uid())]
    );
}
